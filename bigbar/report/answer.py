"""What came of a run, as a person reads it on standard output."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from bigbar.causes import cause_of
from bigbar.outcome import PROOF, Outcome
from bigbar.printable import one_line
from bigbar.progress.terminal import LABEL
from bigbar.report.standings import standings
from bigbar.results import ResultTable
from bigbar.space import setting_text, value_text
from bigbar.units import as_bytes, as_seconds, counted
from bigbar.validation.findings import Findings
from bigbar.validation.wording import charges_text

#: Lines are broken so as to fit terminals this wide, where nothing else is known.
WIDTH = 100

#: The space before a unit, where no line of the verdict is broken.
_UNIT = re.compile(r"(?<=\d) (?=%|bp\b)")

#: In narrower terminals lines are broken no further.
_LEAST_WIDTH = 70


def terminal_width() -> int:
    """Characters in a line of the terminal that the answer goes to, as far as they are used."""
    return min(WIDTH, max(_LEAST_WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns))


def answer(outcome: Outcome, *, top: int, files: Sequence[str], width: int = WIDTH) -> str:
    """The answer, as it goes to standard output.

    Parameters
    ----------
    outcome : Outcome
    top : int
        Rows of the table of the best.
    files : sequence of str
        What was written.
    width : int, optional
        Of the terminal, in characters: lines are broken so as to fit.

    Returns
    -------
    str
        Ends with a line break.
    """
    blocks = [_headline(outcome, width)]
    if outcome.best is not None:
        blocks.append(_best(outcome, outcome.best))
        if top > 0 and len(outcome.table) > 1:
            blocks.append(standings(outcome, top, width=width))
    if outcome.findings is not None:
        blocks.append(_verdict(outcome.findings, width))
    blocks.append(_closing(outcome, files, width))
    return "\n\n".join(blocks) + "\n"


def _headline(outcome: Outcome, width: int) -> str:
    table, choice = outcome.table, outcome.choice
    lines = []
    unfinished = table.reached() + len(outcome.failures) < len(table)
    if unfinished:
        lines.append(f"Stopped after {table.reached():,} of {len(table):,} combinations.")
    elif outcome.stopped_by is not None:
        lines.append("Stopped while replaying; every combination had been finished.")
    if outcome.best is None:
        lines.append(why_nothing(outcome))
    elif len(table) > 1:
        found = "Best so far" if unfinished else "Best"
        what = f"combinations by {choice.objective.name}"
        if outcome.plan is not None and outcome.plan.choose == "robust":
            found, what = "Robust choice", f"{what} (cross mean)"
        lines.append(f"{found} of {table.reached():,} {what}:")
    else:
        lines.append("One combination:")
    return "\n".join(textwrap.fill(line, width, break_on_hyphens=False) for line in lines)


def why_nothing(outcome: Outcome) -> str:
    """Why no combination counts, and what to do about it."""
    table, choice = outcome.table, outcome.choice
    if table.reached() == 0:
        if outcome.failures and outcome.complete:
            again = "; --retry-failed runs them again" if outcome.carried.run is not None else ""
            whole = "The combination" if len(table) == 1 else f"All {len(table):,} combinations"
            return f"{whole} failed{again}."
        return "No combination was finished."
    most = int(np.nanmax(table.column("# Trades")))
    if most == 0:
        job = outcome.job
        return f"No combination traded at all: {job.spec.why_no_trade(outcome.bars, job)}."
    if most < choice.min_trades:
        return (
            f"No combination made {choice.min_trades:,} trades; the most is {most:,}. Lower "
            "--min-trades or use a longer file."
        )
    if table.best(choice) is not None:
        return (
            "No combination has a robust neighbourhood: around each, half of the neighbours or "
            "more do not count. Use --choose peak or a finer grid"
            + (" or a lower --min-trades." if choice.min_trades > 1 else ".")
        )
    return (
        f"{choice.objective.name} is undefined for every combination that traded; choose "
        "another statistic with --maximize."
    )


def _best(outcome: Outcome, best: int) -> str:
    parameters = outcome.job.space[best]
    width = max((len(name) for name in parameters), default=0)
    lines = [f"  {name:<{width}}  {value_text(value)}" for name, value in parameters.items()]
    told = "\n".join(lines) + "\n\n" if lines else ""  # Nothing was asked of it: as the class is.
    return told + statistics_text(outcome, best)


def full_statistics(outcome: Outcome, number: int) -> pd.Series:
    """All statistics of one combination, in backtesting.py's order, Start and End included."""
    index = outcome.bars.frame.index[outcome.job.bars]
    ends = pd.Series({"Start": index[0], "End": index[-1]}, dtype=object)
    return pd.concat([ends, outcome.table.statistics(number)])


def statistics_text(outcome: Outcome, number: int) -> str:
    """All statistics of one combination, as backtesting.py prints them."""
    return printed_statistics(full_statistics(outcome, number))


def printed_statistics(stats: pd.Series) -> str:
    """Statistics under each other, as backtesting.py prints them."""
    with pd.option_context("display.max_rows", len(stats), "display.precision", 5):
        return stats.fillna(np.nan).to_string(na_rep="--")


def _verdict(findings: Findings, width: int) -> str:
    """What the result is worth; a line that is too long is broken between words."""
    return "\n".join(
        textwrap.fill(
            _UNIT.sub("\u00a0", line), width, subsequent_indent="  ", break_long_words=False
        ).replace("\u00a0", " ")
        for line in findings.verdict.lines
    )


def _closing(outcome: Outcome, files: Sequence[str], width: int) -> str:
    lines: list[tuple[str, str]] = []
    table = outcome.table
    if len(table) > 1:
        lines.append(("Counted", _counted(outcome, table)))
    if outcome.findings is None:  # Otherwise the verdict tells it, and what more of it would do.
        told = charges_text(outcome.job.account)
        lines.append(("Costs", told or "none charged (--commission, --spread)"))
    if outcome.failures:
        lines.extend(_failures(outcome))
    if outcome.in_python:
        lines.append(("In Python", in_python_text(outcome)))
    lines.append(("Verified", verification_text(outcome)))
    lines.extend(("Note", sentence) for sentence in outcome.broke_off.values())
    if outcome.carried.run is not None:
        lines.append(("Run", run_text(outcome)))
    lines.append(("Timings", _timings(outcome)))
    if outcome.memory is not None:
        lines.append(("Memory", _memory(outcome)))
    if outcome.against_forecast is not None:
        lines.append(("Forecast", _against_forecast(outcome.against_forecast)))
    lines.extend(("Files" if place == 0 else "", name) for place, name in enumerate(files))
    return "\n".join(_labelled(label, text, width) for label, text in lines)


def _labelled(label: str, text: str, width: int) -> str:
    """A labelled line, broken between words where it is too wide."""
    return textwrap.fill(
        one_line(text),
        width,
        initial_indent=f"{label:<{LABEL}}",
        subsequent_indent=" " * LABEL,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _counted(outcome: Outcome, table: ResultTable) -> str:
    ties = outcome.table.ties(outcome.choice)
    share = (
        "no combination counts"
        if ties == 0
        else "the best stands alone"
        if ties == 1
        else f"{ties:,} combinations share the best (the first is shown)"
    )
    return f"{share}; {table.without_trades():,} without trades"


def _failures(outcome: Outcome) -> Iterable[tuple[str, str]]:
    yield "Failed", f"{counted(len(outcome.failures), 'combination')}, in summary.json; the first:"
    first = outcome.failures[0]
    yield "", setting_text(outcome.job.space[first.number])
    yield "", cause_of(first.reason)


def in_python_text(outcome: Outcome) -> str:
    """How many combinations of a compiled strategy `backtesting.py` ran, in a line."""
    count = sum(outcome.in_python.values())
    reasons = ", ".join(
        f"{why} ({of:,})" if len(outcome.in_python) > 1 else why
        for why, of in outcome.in_python.most_common()
    )
    return f"{counted(count, 'combination')} left to backtesting.py: {reasons}"


def verification_text(outcome: Outcome) -> str:
    """The verification, in a line."""
    found = outcome.verification
    if found is None:
        return "not verified" + ("" if outcome.execution.verify else " (--verify 0)")
    text = (
        f"{counted(found.combinations, 'combination')} replayed through backtesting.py: "
        f"{found.statistics} statistics and every trade equal "
        f"(largest relative difference {found.max_relative_difference:.0e})"
    )
    if found.unsteady and not found.combinations:
        text = "nothing could be compared"
    left = found.wanted - found.combinations - len(found.unsteady)
    if PROOF in outcome.broke_off:
        text += f"; {left} more were not replayed"
    elif left:
        text += f"; {left} more did not fit the time budget"
    if found.unsteady:
        text += (
            f"; {counted(len(found.unsteady), 'combination')} answered differently when run again "
            "(random numbers, or the clock)"
        )
    return text


def run_text(outcome: Outcome) -> str:
    """The run's number and its result, against the last one of the same fingerprint, in a line."""
    number, earlier, result = outcome.carried.run, outcome.carried.earlier, outcome.result_sha256
    if result is None:
        return f"{number}, unfinished: the same command continues it"
    text = f"{number}, result {result[:12]}"
    if earlier is None or outcome.failures:
        return text
    if differs_from_earlier(outcome):
        return (
            f"{text} DIFFERS from {str(earlier.result_sha256)[:12]} of run {earlier.id}, although "
            "data, settings and code are the same: do not trust either before the cause is known "
            "(faulty memory is the likeliest)"
        )
    return f"{text} equal to that of run {earlier.id}"


def differs_from_earlier(outcome: Outcome) -> bool:
    """Whether an earlier run of the same fingerprint has another result; it never should."""
    earlier = outcome.carried.earlier
    if earlier is None or outcome.failures or outcome.result_sha256 is None:
        return False
    return outcome.result_sha256 != earlier.result_sha256


_STAGES = {
    "load_s": "load",
    "store_s": "store",
    "prepare_s": "prepare",
    "publish_s": "publish",
    "compile_s": "compile",
    "estimate_s": "estimate",
    "start_workers_s": "workers",
    "sweep_s": "sweep",
    "verify_s": "verify",
    "validate_s": "validate",
    "write_s": "write",
    "plot_s": "plot",
    "page_s": "page",
}


def _timings(outcome: Outcome) -> str:
    parts = [
        f"{word} {outcome.timings[stage]:.2f} s"
        for stage, word in _STAGES.items()
        if outcome.timings.get(stage, 0.0) >= 0.005
    ]
    return " · ".join([*parts, f"{outcome.backtests_per_second:,.0f} backtests/s"])


def _memory(outcome: Outcome) -> str:
    memory = outcome.memory
    if memory is None:
        return "not measured"
    text = f"data {as_bytes(memory.data)}, shared {as_bytes(memory.shared)}"
    text += f", parent {as_bytes(memory.parent)}"
    if memory.workers:
        text += ", workers " + " + ".join(as_bytes(held) for held in memory.workers)
    return text + f"; loaded by each worker: {as_bytes(memory.independent)}"


def _against_forecast(told: dict[str, dict[str, float]]) -> str:
    """What was expected, and what it came to."""
    parts = [
        ("time", as_seconds, told["time_s"]),
        ("memory", as_bytes, told["memory_bytes"]),
        ("shared", as_bytes, told["shared_bytes"]),
        ("disk", as_bytes, told["disk_bytes"]),
    ]
    return "against actual: " + " · ".join(
        f"{what} {say(one['forecast'])}, {say(one['actual'])}" for what, say, one in parts
    )
