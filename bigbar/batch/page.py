"""The page about many files: one table across them, with links to the page of each."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from bigbar.batch.answer import COLUMNS, rank_text
from bigbar.batch.common import Common, value_word
from bigbar.batch.entry import Entry, lights_text, varying, with_result
from bigbar.report.console import MARKS
from bigbar.report.files import PAGE
from bigbar.report.page.document import document
from bigbar.report.page.markup import Cell, Content, definitions, escaped, paragraph, table, tag
from bigbar.report.page.numbers import count, statistic, value_text
from bigbar.report.page.subject import Section
from bigbar.report.page.verdict import verdict_card
from bigbar.validation.common_choice import OfFile

#: How lights are sorted: the best first.
_ORDER = {"green": 3.0, "amber": 2.0, "red": 1.0, "none": 0.0}


def page_of(
    entries: Sequence[Entry],
    common: Common | None,
    *,
    title: str,
    objective: str,
    summary: Mapping[str, Any],
) -> str:
    """The page as text.

    Parameters
    ----------
    entries : sequence of Entry
        The files that were reached.
    common : Common or None
    title : str
        Of the strategy.
    objective : str
        The main one.
    summary : mapping
        As `summary.json` has it.
    """
    sections = [_files_section(entries, objective, summary)]
    if common is not None:
        sections.append(_common_section(common))
    failed = [entry for entry in entries if entry.problem is not None]
    if failed:
        sections.append(_failed_section(failed))
    files = count(int(summary["total"]), "file")
    what = f"Each optimized by itself for {objective}."
    return document(f"{title}: {files}", f"{title} on {files}", what, sections)


def _files_section(entries: Sequence[Entry], objective: str, summary: Mapping[str, Any]) -> Section:
    good = with_result(entries)
    axes = varying(entries)
    shown = list(dict.fromkeys((objective, *COLUMNS)))
    rows = [_row(entry, axes, shown) for entry in good]
    parts: list[Content] = []
    if len(entries) < summary["total"]:
        parts.append(paragraph(
            f"Stopped: {len(entries)} of {summary['total']} files were reached.", class_="warning"
        ))  # fmt: skip
    told = lights_text(entries)
    parts.append(paragraph(
        "The best setting of each file; press the name of a column to sort by it, and the name "
        "of a file for its own page." + (f" Verdicts: {told}." if told else "")
    ))  # fmt: skip
    if rows:
        parts.append(table(
            ("file", "verdict", "bars", "from", "to", *axes, *shown), rows,
            caption="The best setting of each file", sortable=True, row_heads=True,
        ))  # fmt: skip
    parts += [paragraph(note, class_="quiet") for note in summary["notes"]]
    return Section("verdict", "All files", escaped(parts))


def _row(entry: Entry, axes: Sequence[str], shown: Sequence[str]) -> list[Content | Cell]:
    assert entry.summary is not None
    assert entry.best is not None
    data, values = entry.summary["data"], entry.best["parameters"]
    link = tag("a", entry.name, href=f"{quote(os.fsencode(entry.name))}/{PAGE}", title=entry.path)
    return [
        link,  # The light beside it: of a table that is too wide the end has to be scrolled to.
        Cell(f"{MARKS.get(entry.light, '')} {entry.light}", _ORDER.get(entry.light, 0.0)),
        Cell(f"{data['rows']:,}", data["rows"]),
        str(data["first_time"])[:10],
        str(data["last_time"])[:10],
        *(value_text(values[name]) for name in axes),
        *(_figure(name, entry.statistic(name)) for name in shown),
    ]


def _figure(name: str, value: float) -> Cell:
    shown: object = int(value) if name == "# Trades" and value == value else value
    return Cell(statistic(name, shown, with_unit=False), value)


def _common_section(common: Common) -> Section:
    choice = common.choice
    parts: list[Content] = [verdict_card(common.findings.verdict, None)]
    if common.parameters is not None:
        parts.append(tag(
            "div",
            tag("h3", f"The best setting over all {count(len(choice.names), 'file')}, "
                      f"{value_word(common)}"),
            definitions(
                ((name, value_text(value)) for name, value in common.parameters.items()),
                "parameters",
            ),
            class_="card chosen",
        ))  # fmt: skip
        parts.append(_common_table(common))
    parts.append(paragraph(
        "Luck is told by one account that trades all files side by side with the same setting, at "
        "equal risk: what they have in common on the same days counts once. The last column: the "
        "setting that the other files choose, and what share of all settings it beats on the one "
        "left out; chance is 50 %.", class_="quiet",
    ))  # fmt: skip
    parts += [paragraph(f"{note}.", class_="quiet") for note in common.notes]
    return Section("common", "One setting for all", escaped(parts))


def _common_table(common: Common) -> Content:
    choice = common.choice
    shown = list(choice.of_files[0].figures)
    rows: list[list[Content | Cell]] = [
        [
            name,
            *(_figure(statistic_, one.figures[statistic_]) for statistic_ in shown),
            Cell(f"{rank_text(one)} of {choice.combinations:,}", one.rank),
            _beats(other),
        ]
        for name, one, other in zip(choice.names, choice.of_files, choice.left_out, strict=True)
    ]
    return table(
        ("file", *shown, "rank", "chosen by the others, beats"), rows,
        caption="The common setting on each file", sortable=True, row_heads=True,
    )  # fmt: skip


def _beats(other: OfFile | None) -> Cell:
    if other is None:
        return Cell("–", -1.0)
    return Cell(f"{100 * other.better_than:.0f} %", other.better_than)


def _failed_section(failed: Sequence[Entry]) -> Section:
    said = [tag("li", tag("strong", entry.name), ": ", entry.told_problem) for entry in failed]
    return Section("failed", "Failed", escaped([tag("ul", said)]))
