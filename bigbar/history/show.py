"""`show`: one run as it was."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from bigbar.causes import cause_and_place
from bigbar.history import listing
from bigbar.history.answer import Answer
from bigbar.history.tables import pairs, paragraph, parameters_named, value_text
from bigbar.parameter import Parameter, plain_point
from bigbar.printable import one_line
from bigbar.space import Space
from bigbar.store.records import Run
from bigbar.store.runs import RunStore
from bigbar.store.strategy_code import UNFOLLOWED
from bigbar.units import agreeing, as_bytes, counted

#: Failures that are named where a run came to no answer; all of them are in `--json`.
_FAILURES = 3

_COSTS = ("cash", "commission", "spread", "margin")
_FILLS = ("trade_on_close", "hedging", "exclusive_orders", "finalize_trades")
_SEARCH = ("method", "max_tries", "seed")


def show(store: RunStore, run: Run) -> Answer:
    """What was printed when a run ended, and the facts of its receipt.

    Of one that did not come to an answer: how far it came, the best of what was finished, and what
    failed.

    Raises
    ------
    StoreError
        If it cannot be read.
    """
    said = store.output(run)
    ended = listing.has_ended(run)
    failures = store.failures(run) if run.failed else []
    values = listing.values_of(run) | {
        "answer": said.answer if ended else None,
        "summary": said.summary if ended else None,
        "timings": said.timings,
        "failures": [
            {
                "combination": failure.number,
                "parameters": plain_point(run.grid[failure.number]),
                "reason": failure.reason,
            }
            for failure in failures
        ],
    }
    if said.answer is not None and ended:
        blocks = [said.answer.rstrip(), facts_text(run)]
        if run.state == "failed":  # Found wrong by a later run: not to be read without knowing.
            blocks.insert(0, paragraph(_without_answer(run)))
        return Answer("\n\n".join(blocks), values)
    blocks = [paragraph(_without_answer(run))]
    if run.done > run.failed and run.state != "failed":
        blocks.append(_so_far(store, run))
    if failures:
        grid = run.grid
        blocks.append(
            "\n".join(
                paragraph(
                    f"{parameters_named(grid[failure.number])}\n{cause_and_place(failure.reason)}",
                    first="Failed  ",
                    indent=" " * 8,
                )
                for failure in failures[:_FAILURES]
            )
        )
    return Answer("\n\n".join([*blocks, facts_text(run)]), values)


def _without_answer(run: Run) -> str:
    """Why there is no answer, or none to be used, and what can be had all the same."""
    if run.state == "failed":
        return f"Run {run.id} failed its verification; its rows are not to be used.\n{run.error}"
    how = "is still running" if run.state == "running" else "was interrupted"
    text = (
        f"Run {run.id} {how}: {run.done:,} of {counted(run.combinations, 'combination')} "
        f"{agreeing(run.done, 'is', 'are')} done"
        + (f", {run.failed:,} of them failed." if run.failed else ".")
    )
    if run.done and not listing.rows_to_come(run):
        text += f" 'export {run.id}' writes the rows that there are."
    if run.state == "interrupted":
        text += " The same command continues it."
    return text


def _so_far(store: RunStore, run: Run) -> str:
    """The best of the rows that there are."""
    from bigbar.history.rows import choice_of, table_of
    from bigbar.report.details import printed_statistics

    if listing.rows_to_come(run):
        return paragraph("With --keep the best are stored when it ends: none is there yet.")
    table, _ = table_of(store, run)
    best = table.best(choice_of(run))
    if best is None:
        return f"None of the combinations so far has a {run.objective} that counts."
    value = value_text(float(table.column(choice_of(run).objective.name)[best]))
    reached = table.reached() if run.identity.keep is None else run.done - run.failed
    lead = (
        f"Best of the {counted(reached, 'combination')} so far by {run.objective}: "
        f"{value} at {parameters_named(run.grid[best])}"
    )
    return f"{paragraph(lead)}\n\n{printed_statistics(table.statistics(best))}"


def facts_text(run: Run) -> str:
    """The facts of a run's receipt, aligned."""
    return pairs((name, one_line(value)) for name, value in _facts(run) if value)


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    parts, data = run.identity.parts, run.data
    yield "Run", f"{run.id}, {listing.state_text(run)}"
    yield "Begun", _moment(run.started)
    if run.ended is not None:
        yield "Ended", f"{_moment(run.ended)}, after {run.seconds:,.1f} s at work"
        yield "Ended by", run.error or ""
    yield "Command", shlex.join(run.command) or "none, it was run from Python"
    yield "Data", f"{data.get('path', '?')}, {_rows(data)}"
    yield "File sha256", str(data.get("sha256", ""))
    yield "Bars sha256", run.bars_sha256
    yield "Took part", span_text(run)
    yield "Strategy", strategy_text(run)
    yield "Grid", grid_text(run.grid)
    if (keep := run.identity.keep) is not None:
        rows = "no rows yet; at its end" if listing.rows_to_come(run) else f"{len(run.grid):,} rows"
        yield "Kept", f"{rows}: the {keep['top']:,} best, and a sample (--keep top:{keep['top']})"
    if (search := run.identity.search) is not None:
        yield "Search", ", ".join(f"{name} {search.parts.get(name)}" for name in _SEARCH)
    least = run.settings.get("min_trades", 1)
    asked = run.settings.get("maximize")
    objectives = ", ".join(map(str, asked)) if isinstance(asked, list) else run.objective
    yield "Objective", f"{objectives}, of those with {value_text(least)} or more trades"
    costs = {name: run.settings.get(name) for name in _COSTS}
    own = parts["settings"]
    costs |= own if isinstance(own, dict) else {"settings": own}
    yield "Costs", ", ".join(f"{name} {value}" for name, value in flat("", costs).items())
    fills = [name for name in _FILLS if run.settings.get(name) is True]
    yield "Fills", ", ".join(fills) or "as by default"
    yield "Seed", value_text(run.settings.get("seed"))
    yield "Engine", run.engine
    yield "Code sha256", run.identity.code_sha256
    packages = flat("", parts["packages"])
    yield "Packages", ", ".join(f"{name} {version}" for name, version in packages.items())
    yield "Machine", ", ".join([str(parts["machine"]), *_machine(run.machine)])
    yield "Fingerprint", run.fingerprint
    if run.ended is not None:
        yield "Result sha256", run.result_sha256 or ""


def strategy_text(run: Run) -> str:
    """Where a strategy is had from, and the modules that it is built on."""
    where = str(run.settings.get("strategy", run.identity.strategy_name))
    code = run.identity.strategy_code
    if UNFOLLOWED in code:
        return f"{where}, whose code could not be followed"
    modules = [name for name in code if not name.startswith(".")]
    return f"{where}, of {', '.join(modules)}" if modules else where


def grid_text(grid: Space) -> str:
    """All axes, and their product."""
    axes = [f"{axis.name} {axis_text(axis)}" for axis in grid.parameters]
    return f"{', '.join(axes)}: {counted(grid.tried, 'combination')}"


def axis_text(axis: Parameter) -> str:
    """`1 … 4 (31)`: the ends, and how many values there are."""
    return f"{axis} ({len(axis)})" if len(axis) > 2 else str(axis)


def flat(name: str, value: Any) -> dict[str, str]:
    """Names and values of nested settings, with every digit; those of a list are joined."""
    if isinstance(value, dict):
        found: dict[str, str] = {}
        for key, item in value.items():
            found |= flat(f"{name}.{key}" if name else str(key), item)
        return found
    if isinstance(value, list):
        return {name: " + ".join(map(_exact, value))}
    return {name: _exact(value)}


def _exact(value: Any) -> str:
    return f"{value:,.15g}" if isinstance(value, float) else value_text(value)


def _moment(moment: datetime) -> str:
    return moment.astimezone().isoformat(sep=" ", timespec="seconds")


def _rows(data: dict[str, Any]) -> str:
    first, last = data.get("first_time", "?"), data.get("last_time", "?")
    return f"{value_text(data.get('rows'))} bars from {first} to {last}"


def span_text(run: Run) -> str:
    """`bars 101 to 5,000`: those of the file that took part, counted from 1."""
    span = run.identity.parts["span"]
    if isinstance(span, list) and [type(end) for end in span] == [int, int]:
        return f"bars {span[0] + 1:,} to {span[1]:,}"
    return value_text(span)


def _machine(machine: dict[str, Any]) -> Iterator[str]:
    for name in ("processor", "system", "host"):
        if machine.get(name):
            yield str(machine[name])
    if isinstance(machine.get("memory_bytes"), int):
        yield as_bytes(machine["memory_bytes"])
