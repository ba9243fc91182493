"""What came of many files, as it goes to standard output: the table across them, and what to do."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bigbar.batch.common import Common, value_word
from bigbar.batch.entry import Entry, lights_text, varying, with_result
from bigbar.outcome import Execution
from bigbar.paragraphs import paragraph
from bigbar.parameter import setting_text
from bigbar.printable import one_line
from bigbar.program import as_typed
from bigbar.report.answer import labelled, too_late
from bigbar.report.console import MARKS, drawn, wanted_width
from bigbar.units import counted, signs
from bigbar.validation.common_choice import OfFile
from bigbar.validation.wording import FEW_TRADES

if TYPE_CHECKING:
    from rich.table import Table

#: Statistics of the table, with their heads. Where there is no room they are left out from the
#: last on; an objective that is none of these stands first.
COLUMNS = {
    "Return [%]": "Return %",
    "Sharpe Ratio": "Sharpe",
    "Max. Drawdown [%]": "Max DD %",
    "# Trades": "Trades",
    "Buy & Hold Return [%]": "Hold %",
}

#: What is left out first, where the terminal is too narrow.
_FIRST_TO_GO = ("bars", "Buy & Hold Return [%]", "Sharpe Ratio", "# Trades", "Max. Drawdown [%]")

#: Characters of a name, as far as there is room; of a setting there may be four more.
_MOST_NAME = (20, 14, 9)


def answer(
    entries: Sequence[Entry],
    common: Common | None,
    *,
    objective: str,
    total: int,
    page: str | None,
    folder: str,
    sought: str | None,
    width: int,
) -> str:
    """The answer, as it goes to standard output.

    Parameters
    ----------
    entries : sequence of Entry
        The files that were reached.
    common : Common or None
    objective : str
    total : int
        Files that there are.
    page : str or None
        The page about all of them.
    folder : str
        Where the runs are kept.
    sought : str or None
        By what a common setting was to be found.
    width : int
        Of the terminal, in characters.

    Returns
    -------
    str
        Ends with a line break.
    """
    blocks = [_headline(entries, objective, total, width)]
    good = with_result(entries)
    if good:
        blocks.append(_table(good, objective, width))
    lines = [*_of_files(entries, total)]
    if common is not None:  # What it is stands last: of a long answer only the end is on screen.
        blocks += ["\n".join(labelled(*line, width) for line in lines), *_common(common, width)]
        lines = []
    lines += _closing(entries, common, total=total, page=page, folder=folder, sought=sought)
    blocks.append("\n".join(labelled(*line, width) for line in lines))
    return "\n\n".join(block for block in blocks if block) + "\n"


def _headline(entries: Sequence[Entry], objective: str, total: int, width: int) -> str:
    good = with_result(entries)
    if not good:
        return paragraph(f"None of {counted(total, 'file')} has a result.", width)
    text = f"The best by {objective} of each of {counted(len(good), 'file')}"
    if len(good) < total:
        text = f"The best by {objective} of each of {len(good)} of {counted(total, 'file')}"
    names = varying(entries)
    setting = f", setting as {'/'.join(names)}" if len(names) > 1 else ""
    return paragraph(f"{text}{setting}:", width)


def _table(good: Sequence[Entry], objective: str, width: int) -> str:
    """The best of each file."""
    names = varying(good)

    def draw(shown: Sequence[str], most: int) -> Table:
        found = _begun("file")
        if "bars" in shown:
            found.add_column("bars", justify="right", no_wrap=True)
        found.add_column(names[0] if len(names) == 1 else "setting", no_wrap=True)
        for name in shown:
            if name != "bars":
                _add(found, COLUMNS.get(name, name.replace(" ", "\n", 1)))
        found.add_column("verdict", no_wrap=True, vertical="bottom")
        for entry in good:
            found.add_row(
                cropped(entry.name, most),
                *([f"{entry.bars:,}"] if "bars" in shown else []),
                cropped("/".join(entry.values(names)), most + 4),
                *(figure(name, entry.statistic(name)) for name in shown if name != "bars"),
                MARKS.get(entry.light, ""),
            )
        return found

    return _fitting(draw, ["bars", *dict.fromkeys((objective, *COLUMNS))], {objective}, width)


def _fitting(
    draw: Callable[[Sequence[str], int], Table], columns: list[str], needed: set[str], width: int
) -> str:
    """A table with the most columns that fit, and names as long as can be."""
    for gone in ("", *_FIRST_TO_GO):
        if gone in needed or (gone and gone not in columns):
            continue
        columns = [name for name in columns if name != gone]
        for most in _MOST_NAME:
            found = draw(columns, most)
            if wanted_width(found) <= width:
                return drawn(found, width)
    return drawn(found, width)


def _begun(head: str) -> Table:
    from rich.table import Table

    found = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    found.add_column(head, no_wrap=True, vertical="bottom")
    return found


def _add(found: Table, head: str) -> None:
    found.add_column(head, justify="right", no_wrap=True, vertical="bottom")


def cropped(text: str, most: int) -> str:
    """A text in one line and not too long: of a longer one the end is left out."""
    line = one_line(text)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def figure(name: str, value: float) -> str:
    """A statistic in a cell; a dash for none."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return signs(f"{value:,.0f}" if name == "# Trades" else f"{value:,.2f}")


def _common(common: Common, width: int) -> Iterator[str]:
    """What the one setting does on each file, which it is, and what it is worth."""
    choice, verdict = common.choice, common.findings.verdict
    yield "\n".join(paragraph(f"{note}.", width) for note in common.notes)
    if choice.number is not None:
        files = counted(len(choice.names), "file")
        yield "\n".join((
            paragraph(f"One setting for all {files}, what it does on each:", width),
            _common_table(common, width),
        ))  # fmt: skip
        yield "\n".join((
            paragraph(f"The best setting over all {files}, {value_word(common)}:", width),
            paragraph(setting_text(common.space[choice.number]), width, first="  ", indent="  "),
        ))  # fmt: skip
    mark = MARKS.get(verdict.light)
    said = [f"{mark} {verdict.headline}" if mark else verdict.headline]
    said += [line for line in verdict.lines if line != verdict.headline]
    yield "\n".join(paragraph(line, width) for line in said)


def _common_table(common: Common, width: int) -> str:
    """What the setting does on each file, and what the others choose on the one left out."""
    choice = common.choice

    def draw(shown: Sequence[str], most: int) -> Table:
        found = _begun("file")
        for name in shown:
            _add(found, COLUMNS[name])
        _add(found, "rank")
        _add(found, "left out,\nbeats")
        rows = zip(choice.names, choice.of_files, choice.left_out, strict=True)
        for name, one, other in rows:
            found.add_row(
                cropped(name, most),
                *(figure(statistic, one.figures[statistic]) for statistic in shown),
                rank_text(one),
                "–" if other is None else f"{100 * other.better_than:.0f} %",
            )
        return found

    columns = [name for name in COLUMNS if name in choice.of_files[0].figures]
    return _fitting(draw, columns, {"Return [%]"}, width)


def rank_text(one: OfFile) -> str:
    """`12`, or `12.5` where it is shared."""
    return f"{one.rank:,.0f}" if one.rank == int(one.rank) else f"{one.rank:,.1f}"


def _of_files(entries: Sequence[Entry], total: int) -> Iterator[tuple[str, str]]:
    """What there is to say of the table across the files."""
    told = lights_text(entries)
    if told:
        yield "Verdicts", told
    for place, entry in enumerate(one for one in entries if one.problem is not None):
        yield "Failed" if place == 0 else "", entry.told_problem
    for entry in with_result(entries):
        if entry.failed_combinations and entry.problem is None:
            failed = counted(entry.failed_combinations, "combination")
            yield "Failed", f"{failed} of {entry.name}, in {entry.folder}{os.sep}summary.json"
    first = next((one.summary for one in with_result(entries) if one.summary is not None), None)
    if first is not None and isinstance(first["settings"]["maximize"], list):
        by = " and ".join(first["settings"]["maximize"])
        yield "Pareto", f"by {by}: the set of each file is in its folder's pareto.csv and page"
    if len(entries) < total:
        yield "Stopped", f"{counted(total - len(entries), 'file')} not reached"


def _closing(
    entries: Sequence[Entry],
    common: Common | None,
    *,
    total: int,
    page: str | None,
    folder: str,
    sought: str | None,
) -> Iterator[tuple[str, str]]:
    if sought is not None and common is None:
        yield "Common", "none: it takes two files with a result"
    if common is not None and common.replayed:
        files = f"{common.replayed} of {counted(len(common.choice.names), 'file')}"
        late = too_late(common.too_late, Execution.verify) if common.too_late else ""
        yield (
            "Verified",
            f"the setting for all replayed through backtesting.py on {files}: all equal"
            + (f"; {late}" if late else ""),
        )
    step = next(_steps(entries, common, total=total, sought=sought), None)
    if step is not None:
        yield "Next", step
    if page is not None:
        yield "Report", page
    where = "" if folder == "bigbar_output" else f" --output {folder}"
    if any(entry.summary and entry.summary["run"]["id"] is not None for entry in entries):
        yield (
            "More",
            f"'{as_typed()} history{where}' lists the runs, 'show ID{where}' has all of one",
        )


def _can_have_one(summary: Mapping[str, Any]) -> bool:
    """Whether --common is for such runs: several settings, the same everywhere, one objective."""
    settings = summary["settings"]
    return (
        summary["grid"]["combinations"] > 1
        and not isinstance(settings["maximize"], list)
        and settings.get("method") in (None, "grid", "random")
        and summary.get("keep") is None
    )


def _steps(
    entries: Sequence[Entry], common: Common | None, *, total: int, sought: str | None
) -> Iterator[str]:
    """What to do now, the most urgent first."""
    if len(entries) < total or any(entry.exit_code >= 128 for entry in entries):
        yield "The same command continues; what is done is not run again."
    if any(entry.problem is not None for entry in entries):
        yield (
            "Correct or leave out what failed, and give the same command again: what is done is "
            "not run again."
        )
    if any(entry.failed_combinations for entry in entries):
        kept = any(entry.summary and entry.summary["keep"] for entry in entries)
        again = "give the same command again." if kept else "--retry-failed runs just those again."
        yield f"See why combinations failed, then {again}"
    several = [one.summary for one in with_result(entries) if one.summary is not None]
    if sought is None and len(several) > 1 and _can_have_one(several[0]):
        yield "See whether one setting does for all of them: --common mean-rank."
    if common is not None and common.findings.verdict.light == "red":
        yield "Get longer files, more of them, or try fewer settings: luck had too many chances."
    if common is not None and (few := _few_trades(common)):
        yield few
    if common is not None:
        yield "Check it on files, or bars, that had no part in the choice."


def _few_trades(common: Common) -> str:
    """Which files have so few trades of the setting that they say little; empty if none has."""
    pairs = zip(common.choice.names, common.choice.of_files, strict=False)
    few = [
        f"{name} ({one.figures['# Trades']:,.0f})"
        for name, one in pairs
        if one.figures["# Trades"] < FEW_TRADES
    ]
    if not few:
        return ""
    more = f" and {counted(len(few) - 3, 'other')}" if len(few) > 3 else ""
    return (
        f"Ask for more trades, --min-trades {FEW_TRADES}, or longer files: on {', '.join(few[:3])}"
        f"{more} the setting made so few that they say little."
    )
