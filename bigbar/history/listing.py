"""`history`: the runs of a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from bigbar.history.answer import Answer
from bigbar.history.tables import (
    Column,
    fits,
    paragraph,
    parameters_named,
    parameters_text,
    table,
    terminal_width,
    value_text,
)
from bigbar.history.verdicts import MEANINGS, Light, light_of
from bigbar.parameter import plain_point
from bigbar.printable import one_line
from bigbar.report.console import MARKS
from bigbar.store.records import DamagedRun, Run
from bigbar.store.runs import RunStore
from bigbar.units import counted

#: Those up to `at` are always there; the last three can stand below the table if they are the same
#: in all of it. The one without a head has the mark of the verdict on the best.
_COLUMNS = (
    Column("id", right=True),
    Column("begun"),
    Column("state"),
    Column("grid", right=True),
    Column("seconds", right=True),
    Column(""),
    Column("best", right=True),
    Column("at"),
    Column("strategy", least=8),
    Column("objective", least=9),
    Column("data", least=10),
)


def list_runs(store: RunStore) -> Answer:
    """All runs, the newest last, where the eye is."""
    runs, damaged = store.survey()
    runs, damaged = runs[::-1], damaged[::-1]
    if not runs and not damaged:
        return Answer("no runs yet", [])
    lights = {run.id: light_of(store, run) for run in runs}
    blocks = [list_text(runs, lights, width=terminal_width())] if runs else []
    blocks += [paragraph(f"{_damaged_text(one)}.") for one in damaged]
    listed = [values_of(run) | {"light": lights[run.id].light} for run in runs]
    listed += [_damaged_values(one) for one in damaged]
    return Answer("\n\n".join(blocks), sorted(listed, key=lambda one: one["id"]))


def _damaged_text(one: DamagedRun) -> str:
    said = str(one)
    return f"{said[0].upper()}{said[1:]} and is not used any more; 'delete {one.id}' removes it"


def _damaged_values(one: DamagedRun) -> dict[str, Any]:
    return {"id": one.id, "state": "damaged", "error": str(one)}


def list_text(runs: Sequence[Run], lights: Mapping[int, Light], *, width: int) -> str:
    """Runs as a table, or, where the terminal is too narrow for one, as a paragraph each.

    Parameters
    ----------
    runs : sequence of Run
    lights : mapping of int to Light
        By the numbers of the runs.
    width : int
        Of the terminal.
    """
    parts = _runs_text(runs, lights, width), _legend(lights, width)
    return "\n\n".join(part for part in parts if part)


def _legend(lights: Mapping[int, Light], width: int) -> str:
    """What the marks mean that are there."""
    there = {light.light for light in lights.values()}
    meanings = [f"{MARKS[one]} {MEANINGS[one]}" for one in MEANINGS if one in there]
    if not meanings:
        return ""
    return paragraph(f"{', '.join(meanings)}; 'show' has the whole verdict.", width=width)


def _runs_text(runs: Sequence[Run], lights: Mapping[int, Light], width: int) -> str:
    this_year = all(_local(run.started).year == datetime.now().year for run in runs)
    begun = "%b %d %H:%M" if this_year else "%Y-%m-%d %H:%M"
    rows = [
        (
            str(run.id),
            _local(run.started).strftime(begun),
            state_text(run),
            f"{run.combinations:,}",
            f"{run.seconds:,.1f}",
            lights[run.id].mark,
            value_text(_best_value(run)),
            parameters_text(_best_parameters(run)),
            strategy_name(run),
            run.objective,
            data_name(run),
        )
        for run in runs
    ]
    if fits(_COLUMNS, rows, width):
        return table(_COLUMNS, rows, width=width)
    same = len({row[-3:] for row in rows}) == 1
    if same and fits(_COLUMNS[:-3], [row[:-3] for row in rows], width):
        drawn = table(_COLUMNS[:-3], [row[:-3] for row in rows], width=width)
        strategy, objective, data = rows[0][-3:]
        told = f"All of {strategy} by {objective}, on {data}."
        return f"{drawn}\n\n{paragraph(told, width=width)}"
    size = len(str(runs[-1].id))
    return "\n".join(
        paragraph(
            _in_words(run, begun, lights[run.id]),
            width=width,
            first=f"{run.id:>{size}}  ",
            indent=" " * (size + 2),
        )
        for run in runs
    )


def _in_words(run: Run, begun: str, light: Light) -> str:
    at = _best_parameters(run)
    found = (
        f"{run.objective} {value_text(run.best_value)} at {parameters_named(at)}"
        if at
        else f"no best by {run.objective}"
    )
    if light.mark:
        found = f"{light.mark} {found}"
    return (
        f"{_local(run.started).strftime(begun)} · {state_text(run)} · "
        f"{counted(run.combinations, 'combination')} · {run.seconds:,.1f} s · "
        f"{strategy_name(run)} on {data_name(run)}\n"
        f"{found}"
    )


def has_ended(run: Run) -> bool:
    """Whether a run came to its end, and what is stored of its best and its answer holds.

    One that is continued has those of the attempt before, perhaps by another objective, until it
    ends again.
    """
    return run.ended is not None


def rows_to_come(run: Run) -> bool:
    """Whether the rows are still to come: which are kept (`--keep`) is known when all were run."""
    return run.identity.keep is not None and not len(run.grid)


def going_on(run: Run) -> str:
    """What there is to do about a run that is not finished."""
    if run.state == "running":
        return "wait for its end"
    return "the same command continues it"


def _best_value(run: Run) -> float | None:
    return run.best_value if has_ended(run) else None


def _best_parameters(run: Run) -> dict[str, Any] | None:
    return run.best_parameters if has_ended(run) else None


def data_name(run: Run) -> str:
    """Name of the price file."""
    return one_line(Path(str(run.data.get("path", "?"))).name)


def strategy_name(run: Run) -> str:
    """The strategy as a person calls it: its class."""
    where = str(run.settings.get("strategy", run.identity.strategy_name))
    return one_line(where.rpartition(":")[2])


def state_text(run: Run) -> str:
    """The state, with how far it came and what failed."""
    text: str = run.state
    if run.state in ("running", "interrupted"):
        text += f" {done_text(run)}"
    if run.failed:
        text += f", {run.failed:,} failed"
    return text


def done_text(run: Run) -> str:
    """`61%`: never 100 before the last one is done."""
    return f"{100 * run.done // run.combinations}%"


def _local(moment: datetime) -> datetime:
    return moment.astimezone()


def values_of(run: Run) -> dict[str, Any]:
    """What is known of a run, as JSON holds it."""
    at = _best_parameters(run)
    return {
        "id": run.id,
        "state": run.state,
        "started": run.started.isoformat(),
        "ended": None if run.ended is None else run.ended.isoformat(),
        "seconds": run.seconds,
        "combinations": run.combinations,
        "done": run.done,
        "failed": run.failed,
        "objective": run.objective,
        "best": run.best if has_ended(run) else None,
        "best_parameters": None if at is None else plain_point(at),
        "best_value": _best_value(run),
        "result_sha256": run.result_sha256 if has_ended(run) else None,
        "fingerprint": run.fingerprint,
        "error": run.error,
        "settings": run.settings,
        "data": run.data,
        "machine": run.machine,
        "command": list(run.command),
        "identity": run.identity.parts,
    }
