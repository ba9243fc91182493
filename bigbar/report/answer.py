"""What came of a run, on one screen: what to trade, its figures, what it is worth, what to do next.

All else that there is to say stands in `bigbar.report.details`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath

import pandas as pd

from bigbar.causes import cause_and_place
from bigbar.outcome import PROOF, Execution, Outcome
from bigbar.paragraphs import LABEL, joined, paragraph
from bigbar.parameter import setting_text, value_text
from bigbar.pareto import ParetoSet
from bigbar.printable import one_line
from bigbar.program import as_typed
from bigbar.report.console import MARKS, WIDTH
from bigbar.report.figures import figures_text
from bigbar.report.front import front_text
from bigbar.report.next_step import next_step
from bigbar.units import agreeing, counted
from bigbar.validation import wording
from bigbar.validation.findings import Findings

#: What there is to click on.
_PAGE = "report.html"

#: The folder that commands look into where none is named.
_FOLDER = "bigbar_output"

#: A screen has so many lines, the next prompt aside; of these the Pareto set takes what is left,
#: for so many rows at least.
_SCREEN, _FEWEST = 23, 3

#: Parameters take so many lines at most; then only those that were varied are named.
_PARAMETER_LINES = 3


def answer(
    outcome: Outcome, *, files: Sequence[str], width: int = WIDTH, more: bool = False
) -> str:
    """The answer, as it goes to standard output.

    Parameters
    ----------
    outcome : Outcome
    files : sequence of str
        What was written.
    width : int, optional
        Of the terminal, in characters: lines are broken so as to fit.
    more : bool, optional
        Whether to say where all else is.

    Returns
    -------
    str
        Ends with a line break.
    """
    head = _stopped(outcome)
    best, found = outcome.best, outcome.pareto if len(outcome.table) > 1 else None
    if best is None:
        blocks = [_paragraphs([*head, why_nothing(outcome)], width)]
    elif found is not None and _says_it_all(outcome, found, best):
        blocks = [_paragraphs(head, width)]
    else:
        blocks = [_paragraphs([*head, _headline(outcome)], width) + _best(outcome, best, width)]
        blocks.append(figures_text(outcome, best, width=width))
    rest = [_verdict(outcome, outcome.findings, width)] if outcome.findings is not None else []
    rest.append("\n".join(labelled(*line, width) for line in _closing(outcome, files, more)))
    if best is not None and found is not None:
        least = front_text(outcome, found, _FEWEST, width=width)
        room = _SCREEN - len("\n\n".join(filter(None, [*blocks, least, *rest])).splitlines())
        more_rows = front_text(outcome, found, _FEWEST + max(room, 0), width=width)
        blocks.append(more_rows if room > 0 else least)
    return "\n\n".join(block for block in [*blocks, *rest] if block) + "\n"


def _says_it_all(outcome: Outcome, found: ParetoSet, best: int) -> bool:
    """Whether the table of the Pareto set has all that is to be said of the best."""
    unseen = outcome.findings is not None and outcome.findings.holdout is not None
    return best == found.points[0] and not unseen


def _stopped(outcome: Outcome) -> list[str]:
    if not outcome.complete:
        of = counted(outcome.total, "combination")
        return [f"Stopped after {outcome.reached:,} of {of}."]
    if outcome.stopped_by is None:
        return []
    if outcome.verification is None:
        return ["Stopped while replaying; every combination had been finished."]
    return ["Stopped before there was a verdict; every combination had been finished."]


def _headline(outcome: Outcome) -> str:
    if outcome.total == 1:
        return "One combination:"
    found = "Best" if outcome.complete else "Best so far"
    what = f"{counted(outcome.reached, 'combination')} by {outcome.choice.objective.name}"
    if outcome.plan is not None and outcome.plan.choose == "robust":
        found, what = "Robust choice", f"{what} (cross mean)"
    return f"{found} of {what}:"


def _paragraphs(lines: Sequence[str], width: int) -> str:
    return "\n".join(paragraph(line, width) for line in lines)


def why_nothing(outcome: Outcome) -> str:
    """Why no combination counts, and what to do about it."""
    table, choice = outcome.table, outcome.choice
    if outcome.reached == 0:
        if outcome.failed and outcome.complete:
            again = "; --retry-failed runs them again" if outcome.carried.run is not None else ""
            count = outcome.total
            whole = "The combination" if count == 1 else f"All {count:,} combinations"
            return f"{whole} failed{again}."
        return "No combination was finished."
    most = outcome.most_trades
    if most == 0:
        job = outcome.job
        return f"No combination traded at all: {job.spec.why_no_trade(outcome.bars, job)}."
    if most < choice.min_trades:
        return (
            f"No combination made {counted(choice.min_trades, 'trade')}; the most is {most:,}. "
            "Lower --min-trades or use a longer file."
        )
    if table.best(choice) is not None:
        return (
            "No combination has a robust neighbourhood: around each, half of the neighbours or "
            "more do not count. Use --choose peak or a finer grid"
            + (" or a lower --min-trades." if choice.min_trades > 1 else ".")
        )
    if len(choice.objectives) > 1:
        return (
            f"No combination that traded has a value of each of {choice}; leave out, or replace, "
            "what is undefined."
        )
    return (
        f"{choice.objective.name} is undefined for every combination that traded; choose "
        "another statistic with --maximize."
    )


def _best(outcome: Outcome, best: int, width: int) -> str:
    """The chosen setting, on lines of their own; minus signs as they are typed."""
    space = outcome.job.space
    point = {axis.name: value_text(space[best][axis.name]) for axis in space.parameters}
    if not point:
        return ""  # Nothing was asked of it: as the class is.
    text = _set(point, width)
    if text.count("\n") >= _PARAMETER_LINES and space.varying:
        fixed = len(point) - len(space.varying)
        text = _set({axis.name: point[axis.name] for axis in space.varying}, width)
        if fixed:
            rest = f"(and {counted(fixed, 'parameter')} that did not vary)"
            text += f"\n{paragraph(rest, width, first='  ', indent='  ')}"
    return f"\n{text}"


def _set(point: dict[str, str], width: int) -> str:
    pairs = ", ".join(joined(f"{name} {one_line(value)}") for name, value in point.items())
    return paragraph(pairs, width, first="  ", indent="  ")


def full_statistics(outcome: Outcome, number: int) -> pd.Series:
    """All statistics of one combination, in backtesting.py's order, Start and End included."""
    index = outcome.bars.frame.index[outcome.job.bars]
    ends = pd.Series({"Start": index[0], "End": index[-1]}, dtype=object)
    return pd.concat([ends, outcome.table.statistics(number)])


def _verdict(outcome: Outcome, findings: Findings, width: int) -> str:
    """What it is worth, why in short, and whatever else makes it worth less."""
    verdict = findings.verdict
    mark = MARKS.get(verdict.light)
    lines = [f"{mark} {verdict.headline}" if mark else verdict.headline]
    if outcome.plan is None or outcome.plan.assess:
        lines.append(wording.why(outcome.reached, findings.bootstrap))
    if findings.holdout is not None and findings.holdout.openings > 1:
        lines.append(wording.on_unseen(findings.holdout))
    if findings.walk_forward is not None:
        lines.append(wording.walked(findings.walk_forward))
    lines += [
        wording.foresight(findings.conduct),
        wording.unsteady(findings.conduct),
        wording.class_changes(findings.conduct),
    ]
    return "\n".join(paragraph(line, width) for line in lines if line)


def _closing(outcome: Outcome, files: Sequence[str], more: bool) -> Iterator[tuple[str, str]]:
    yield from _trouble(outcome)
    step = next_step(outcome)
    if step:
        yield "Next", step
    page = next((name for name in files if PurePath(name).name == _PAGE), None)
    if page is not None:
        yield "Report", page
    elif files:
        yield "Files", str(PurePath(files[0]).parent)
    yield "Verified", verification_text(outcome, brief=True)
    if more:
        yield "More", _more(outcome, files)


def _trouble(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """Whatever went wrong."""
    if outcome.failures:
        failed, listed = counted(outcome.failed, "combination"), len(outcome.failures)
        some = "" if listed == outcome.failed else f"{listed:,} of them "
        yield "Failed", f"{failed}, {some}in summary.json; the first:"
        first = outcome.failures[0]
        yield "", setting_text(outcome.job.space[first.number])
        yield "", cause_and_place(first.reason)
    for sentence in outcome.broke_off.values():
        yield "Note", sentence
    if differs_from_earlier(outcome):
        earlier = outcome.carried.earlier
        assert earlier is not None
        yield (
            "Note",
            f"the result DIFFERS from that of run {earlier.id}, although data, settings and code "
            "are the same: do not trust either before the cause is known (faulty memory is the "
            "likeliest)",
        )


def _more(outcome: Outcome, files: Sequence[str]) -> str:
    """Where all else that there is to say can be read."""
    what = "all statistics, the best ten, costs"
    if outcome.carried.run is None:
        return f"-v prints {what}"
    folder = str(PurePath(files[0]).parent) if files else _FOLDER
    where = "" if folder == _FOLDER else f" --output {folder}"
    return f"-v, or '{as_typed()} show {outcome.carried.run}{where}': {what}"


def labelled(label: str, text: str, width: int) -> str:
    """A labelled line, broken between words where it is too wide."""
    return paragraph(one_line(text), width, first=f"{label:<{LABEL}}", indent=" " * LABEL)


def verification_text(outcome: Outcome, *, brief: bool = False) -> str:
    """The verification, in a line; in brief without how much was compared."""
    found = outcome.verification
    if found is None:
        return "nothing" + ("" if outcome.execution.verify else " (--verify 0)")
    replayed = (
        f"{counted(found.combinations - found.before, 'combination')} replayed through "
        f"backtesting.py{f', {found.before} before' if found.before else ''}"
    )
    text = f"{replayed}: all equal" if brief else (
        f"{replayed}: {found.statistics} statistics and every trade equal "
        f"(largest relative difference {found.max_relative_difference:.0e})"
    )  # fmt: skip
    if found.unsteady and not found.combinations:
        text = "nothing could be compared"
    left = found.wanted - found.combinations - len(found.unsteady)
    if PROOF in outcome.broke_off:
        text += f"; {left} more {agreeing(left, 'was', 'were')} not replayed"
    elif left:
        text += f"; {too_late(left, outcome.execution.verify)}"
    if found.unsteady:
        text += (
            f"; {counted(len(found.unsteady), 'combination')} answered differently when run again "
            "(random numbers, or the clock)"
        )
    return text


def too_late(left: int, asked_for: int) -> str:
    """That so many replays were not made in the time that they have, and how to have all."""
    return (
        f"{left} more did not fit into the {Execution.verify_seconds:g} s for replays "
        f"(--verify {asked_for} makes them all)"
    )


def differs_from_earlier(outcome: Outcome) -> bool:
    """Whether an earlier run of the same fingerprint has another result; it never should."""
    earlier = outcome.carried.earlier
    if earlier is None or outcome.failures or outcome.result_sha256 is None:
        return False
    return outcome.result_sha256 != earlier.result_sha256
