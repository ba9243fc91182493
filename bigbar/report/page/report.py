"""Puts the page together and writes it: one file that holds all it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bigbar.outcome import Outcome
from bigbar.report.files import write_whole
from bigbar.report.page.curve import curve_section
from bigbar.report.page.document import document
from bigbar.report.page.forward import forward_section
from bigbar.report.page.front import front_section
from bigbar.report.page.looked_at import OWN, looked_at
from bigbar.report.page.luck import distribution_section
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

#: In the order of the page. Each gives None where there is nothing to show nor to say.
SECTIONS: tuple[Callable[[Subject], Section | None], ...] = (
    verdict_section,
    front_section,
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


def write_report(
    path: Path,
    outcome: Outcome,
    findings: Findings | None,
    *,
    receipt: Mapping[str, Any] | None = None,
    remarks: Sequence[str] = (),
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
    remarks : sequence of str, optional
        What is to be known before all else, a sentence each.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    bigbar.report.files.OutputError
        If the file cannot be written.
    """
    html = report_html(outcome, findings, receipt=receipt, remarks=remarks)
    return write_whole(path, lambda part: part.write_text(html, encoding="utf-8"))


def report_html(
    outcome: Outcome,
    findings: Findings | None,
    *,
    receipt: Mapping[str, Any] | None = None,
    remarks: Sequence[str] = (),
) -> str:
    """The page as text; parameters as of `write_report`."""
    return _html(Subject(outcome, findings, receipt, tuple(remarks)), SECTIONS)


def write_front(path: Path, outcome: Outcome, findings: Findings | None) -> Path:
    """Write a page of the Pareto set alone; parameters as of `write_report`."""
    html = _html(Subject(outcome, findings), (front_section,))
    return write_whole(path, lambda part: part.write_text(html, encoding="utf-8"))


def _html(subject: Subject, parts: Sequence[Callable[[Subject], Section | None]]) -> str:
    outcome = subject.outcome
    made = (make(subject) for make in parts)
    sections = [section for section in made if section is not None]
    index, name = outcome.bars.frame.index, Path(outcome.bars.source).name
    title = outcome.job.spec.title
    what = (
        f"{count(len(index), 'bar')}, {day(index[0])} to {day(index[-1])} · "
        f"{count(outcome.total, 'combination')} optimized for {outcome.choice}"
    )
    settings = {}
    if subject.best is not None and len(outcome.table) > 1:
        settings = {OWN: looked_at(subject)}
    return document(f"{title}: {name}", f"{title} on {name}", what, sections, settings)
