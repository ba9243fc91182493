"""All that there is to say of a run: what `-v` prints before the answer, and the store keeps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bigbar.executors.contract import Machine
from bigbar.outcome import Outcome
from bigbar.paragraphs import paragraph
from bigbar.reducing import kept_text
from bigbar.report.answer import (
    answer,
    differs_from_earlier,
    full_statistics,
    labelled,
    verification_text,
)
from bigbar.report.console import WIDTH
from bigbar.report.front import front_text
from bigbar.report.standings import standings
from bigbar.units import as_bytes, as_seconds, counted
from bigbar.validation.findings import Findings
from bigbar.validation.wording import charges_text


def whole_answer(outcome: Outcome, *, top: int, files: Sequence[str], width: int = WIDTH) -> str:
    """Everything there is to say of a run, and the answer last, where the eye is.

    Parameters
    ----------
    outcome : Outcome
    top : int
        Rows of the table of the best.
    files : sequence of str
        What was written.
    width : int, optional
        Of the terminal, in characters.

    Returns
    -------
    str
        Ends with a line break.
    """
    blocks = []
    if outcome.best is not None:
        blocks.append(statistics_text(outcome, outcome.best))
        if top > 0 and len(outcome.table) > 1:
            blocks.append(standings(outcome, top, width=width))
            if outcome.pareto is not None:
                blocks.append(front_text(outcome, outcome.pareto, top, width=width))
    if outcome.findings is not None:
        blocks.append(_verdict(outcome.findings, width))
    blocks.append(_closing(outcome, files, width))
    blocks.append(answer(outcome, files=files, width=width))
    return "\n\n".join(blocks)


def statistics_text(outcome: Outcome, number: int) -> str:
    """All statistics of one combination, as backtesting.py prints them."""
    return printed_statistics(full_statistics(outcome, number))


def printed_statistics(stats: pd.Series) -> str:
    """Statistics under each other, as backtesting.py prints them."""
    with pd.option_context("display.max_rows", len(stats), "display.precision", 5):
        return stats.fillna(np.nan).to_string(na_rep="--")


def _verdict(findings: Findings, width: int) -> str:
    """What the result is worth, line by line; the headline stands in the answer."""
    verdict = findings.verdict
    said = [line for line in (*verdict.lines, *findings.notes) if line != verdict.headline]
    return "\n".join(paragraph(line, width, indent="  ") for line in said)


def _closing(outcome: Outcome, files: Sequence[str], width: int) -> str:
    lines: list[tuple[str, str]] = []
    table = outcome.table
    if len(table) > 1:
        lines.append(("Counted", _counted(outcome)))
    if outcome.rule is not None:
        lines.append(("Kept", kept_text(outcome)))
    if outcome.findings is None:  # Otherwise the verdict tells it, and what more of it would do.
        told = charges_text(outcome.job.account)
        lines.append(("Costs", told or "none charged (--commission, --spread)"))
    if outcome.in_python:
        lines.append(("In Python", in_python_text(outcome)))
    lines.append(("Verified", verification_text(outcome)))
    if outcome.carried.run is not None:
        lines.append(("Run", run_text(outcome)))
    lines.append(("Timings", _timings(outcome)))
    if outcome.memory is not None:
        lines.append(("Memory", _memory(outcome)))
    lines.extend(
        ("" if place else "Cluster", _machine(one)) for place, one in enumerate(outcome.machines)
    )
    if outcome.against_forecast is not None:
        lines.append(("Forecast", _against_forecast(outcome.against_forecast)))
    lines.extend(("Files" if place == 0 else "", name) for place, name in enumerate(files))
    return "\n".join(labelled(label, text, width) for label, text in lines)


def _counted(outcome: Outcome) -> str:
    ties = outcome.table.ties(outcome.choice)
    share = (
        "no combination counts"
        if ties == 0
        else "the best stands alone"
        if ties == 1
        else f"{ties:,} combinations share the best (the first is shown)"
    )
    return f"{share}; {outcome.without_trades:,} without trades"


def in_python_text(outcome: Outcome) -> str:
    """How many combinations of a compiled strategy `backtesting.py` ran, in a line."""
    count = sum(outcome.in_python.values())
    reasons = ", ".join(
        f"{why} ({of:,})" if len(outcome.in_python) > 1 else why
        for why, of in outcome.in_python.most_common()
    )
    return f"{counted(count, 'combination')} left to backtesting.py: {reasons}"


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


def _machine(machine: Machine) -> str:
    text = f"{machine.name}: {counted(machine.tasks, 'slice')}, "
    text += counted(machine.processors, "worker")
    return text + (f", {as_bytes(machine.memory)}" if machine.memory else "")


def _against_forecast(told: dict[str, dict[str, float]]) -> str:
    """What was expected, and what it came to."""
    parts = [
        ("time", as_seconds, told["time_s"]),
        ("memory", as_bytes, told["memory_bytes"]),
        ("shared", as_bytes, told["shared_bytes"]),
        ("disk", as_bytes, told["disk_bytes"]),
    ]
    texts = [f"{what} {say(one['forecast'])}, {say(one['actual'])}" for what, say, one in parts]
    if "search" in told["time_s"]:
        texts[0] += f" ({as_seconds(told['time_s']['search'])} of it the search's own)"
    return "against actual: " + " · ".join(texts)
