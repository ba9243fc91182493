"""An HTML document that holds all it needs: style, data, BokehJS and the page's own scripts."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from bigbar.report.page.markup import Content, Markup, packed_data, paragraph, raw, tag
from bigbar.report.page.subject import Section
from bigbar.version import __version__

#: Parts of BokehJS that the page needs: the library, and its plotting interface.
_BOKEH = ("bokeh.min.js", "bokeh-api.min.js")

#: The page's own, in the order in which they run.
_SCRIPTS = ("charts.js", "candles.js", "heatmaps.js", "scatter.js", "page.js")


def document(
    title: str,
    heading: str,
    what: Content,
    sections: Sequence[Section],
    settings: Mapping[str, Any] | None = None,
) -> str:
    """A page as text.

    Parameters
    ----------
    title : str
        Of the window.
    heading : str
    what : Content
        Under the heading.
    sections : sequence of Section
    settings : mapping, optional
        By a name that heatmaps refer to: the settings whose statistics can be shown.
    """
    style, logo = _asset("report.css"), _asset("logo.svg")
    scripts = [*map(_bokeh_script, _BOKEH), *map(_asset, _SCRIPTS)]
    data = {
        "charts": {chart.name: chart.spec() for each in sections for chart in each.charts},
        "settings": settings or {},
    }
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
    top = tag(
        "header",
        Markup(logo),
        tag("div", tag("h1", heading), paragraph(what)),
        class_="top",
    )
    first = sections[0]
    body = tag(
        "body",
        tag("a", f"Skip to the {first.title.lower()}", href=f"#{first.id}", class_="skip"),
        tag("div", top, _contents(sections), _main(sections), _foot(), class_="frame"),
        packed_data(data, id="data"),
        [raw("script", script) for script in scripts],
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


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
