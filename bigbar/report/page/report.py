"""Puts the page together and writes it: one file that holds all it needs."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from bigbar.outcome import Outcome
from bigbar.report.files import write_whole
from bigbar.report.page.curve import curve_section
from bigbar.report.page.forward import forward_section
from bigbar.report.page.looked_at import looked_at
from bigbar.report.page.luck import distribution_section
from bigbar.report.page.markup import Markup, packed_data, paragraph, raw, tag
from bigbar.report.page.months import months_section
from bigbar.report.page.numbers import count, day
from bigbar.report.page.profile import profile_section
from bigbar.report.page.record import record_section
from bigbar.report.page.robustness import robustness_section
from bigbar.report.page.subject import Section, Subject
from bigbar.report.page.surface import heatmap_section
from bigbar.report.page.tables import statistics_section, top_section
from bigbar.report.page.trading import trades_section
from bigbar.report.page.verdict import verdict_section
from bigbar.validation.findings import Findings
from bigbar.version import __version__

#: In the order of the page. Each gives None where there is nothing to show nor to say.
SECTIONS: tuple[Callable[[Subject], Section | None], ...] = (
    verdict_section,
    curve_section,
    trades_section,
    heatmap_section,
    distribution_section,
    profile_section,
    forward_section,
    robustness_section,
    months_section,
    top_section,
    statistics_section,
    record_section,
)

#: Parts of BokehJS that the page needs: the library, and its plotting interface.
_BOKEH = ("bokeh.min.js", "bokeh-api.min.js")


#: The page's own, in the order in which they run.
_SCRIPTS = ("charts.js", "candles.js", "heatmaps.js", "page.js")


def write_report(
    path: Path,
    outcome: Outcome,
    findings: Findings | None,
    *,
    receipt: Mapping[str, Any] | None = None,
) -> Path:
    """Write the page about a run.

    Parameters
    ----------
    path : Path
        The file, in a folder that exists. It appears whole or not at all, and replaces a file
        of that name.
    outcome : Outcome
        Of the run; `outcome.best` is the chosen setting.
    findings : Findings or None
        What the validation found; the page leaves out, or says how to get, what is None.
    receipt : mapping, optional
        Names and values to be shown as they are, in this order: hashes, versions, command line.
        A value may be a mapping itself.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    bigbar.report.files.OutputError
        If the file cannot be written.
    """
    html = report_html(outcome, findings, receipt=receipt)
    return write_whole(path, lambda part: part.write_text(html, encoding="utf-8"))


def report_html(
    outcome: Outcome, findings: Findings | None, *, receipt: Mapping[str, Any] | None = None
) -> str:
    """The page as text; parameters as of `write_report`."""
    subject = Subject(outcome, findings, receipt)
    made = (make(subject) for make in SECTIONS)
    sections = [section for section in made if section is not None]
    style = _asset("report.css")
    scripts = [*map(_bokeh_script, _BOKEH), *map(_asset, _SCRIPTS)]
    logo = _asset("logo.svg")
    title = f"{outcome.job.spec.title}: {Path(outcome.bars.source).name}"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(scripts)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("link", rel="icon", href=f"data:image/svg+xml;base64,{_base64(logo.encode())}"),
        raw("style", style),
    )
    body = tag(
        "body",
        tag("a", "Skip to the verdict", href="#verdict", class_="skip"),
        tag("div", _top(subject, Markup(logo)), _contents(sections), _main(sections), _foot(),
            class_="frame"),
        packed_data(_data(subject, sections), id="data"),
        [raw("script", script) for script in scripts],
    )  # fmt: skip
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _data(subject: Subject, sections: Sequence[Section]) -> dict[str, Any]:
    """What the scripts draw, and the settings whose statistics they can show."""
    data: dict[str, Any] = {
        "charts": {chart.name: chart.spec() for each in sections for chart in each.charts}
    }
    if subject.best is not None and len(subject.outcome.table) > 1:
        data["settings"] = looked_at(subject)
    return data


def _policy(scripts: Sequence[str]) -> str:
    """The page's own guarantee: no request at all, and no script but those it was written with."""
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    allowed = " ".join(f"'sha256-{_base64(digest)}'" for digest in digests)
    return (
        f"default-src 'none'; base-uri 'none'; form-action 'none'; script-src {allowed}; "
        # BokehJS styles its figures as it draws them; its icons are data.
        "style-src 'unsafe-inline'; img-src data: blob:"
    )


def _base64(held: bytes) -> str:
    return base64.b64encode(held).decode()


def _asset(name: str) -> str:
    return (files("bigbar.report.page") / "assets" / name).read_text(encoding="utf-8")


def _bokeh_script(name: str) -> str:
    """A script of BokehJS, read without importing Bokeh, which would take half a second."""
    spec = importlib.util.find_spec("bokeh")
    assert spec is not None
    assert spec.origin is not None
    script = Path(spec.origin).parent / "server" / "static" / "js" / name
    return script.read_text(encoding="utf-8")


def _top(subject: Subject, logo: Markup) -> Markup:
    outcome, index = subject.outcome, subject.outcome.bars.frame.index
    name = Path(outcome.bars.source).name
    what = (
        f"{count(len(index), 'bar')}, {day(index[0])} to {day(index[-1])} · "
        f"{count(len(outcome.table), 'combination')} optimized for {outcome.choice.objective.name}"
    )
    return tag(
        "header",
        logo,
        tag("div", tag("h1", f"{outcome.job.spec.title} on ", name), paragraph(what)),
        class_="top",
    )


def _contents(sections: Sequence[Section]) -> Markup:
    links = (tag("li", tag("a", section.title, href=f"#{section.id}")) for section in sections)
    return tag("nav", tag("ul", links), aria_label="Contents")


def _main(sections: Sequence[Section]) -> Markup:
    return tag("main", [section.html() for section in sections])


def _foot() -> Markup:
    bokeh = importlib.metadata.version("bokeh")
    return tag(
        "footer",
        tag("noscript", paragraph("The charts need JavaScript; every table is complete without.")),
        paragraph(
            f"Written by the BigBar optimizer {__version__}; charts drawn by BokehJS {bokeh}. "
            "This page holds all it needs and asks the network for nothing. A backtest is no "
            "promise, and this is no advice."
        ),
    )
