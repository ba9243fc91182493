"""What pages say of a run: numbers, and the words for them, made in one place."""

from __future__ import annotations

import math
import shlex
from datetime import datetime
from typing import Any

from bigbar.dashboard.follower import Moment
from bigbar.errors import SettingsError
from bigbar.history.listing import data_name, done_text, has_ended
from bigbar.history.tables import parameters_named, value_text
from bigbar.parameter import value_text as parameter_text
from bigbar.printable import one_line
from bigbar.statistics import Kind, by_name
from bigbar.store.records import Run
from bigbar.units import as_bytes, as_seconds, as_share, counted
from bigbar.worker_names import worker_name

#: What a state is called.
STATES = {
    "running": "Running",
    "finished": "Finished",
    "interrupted": "Unfinished",
    "failed": "Failed its verification",
}

#: Workers and notes shown at most.
_MOST_WORKERS, _MOST_NOTES = 64, 100


def duration_text(seconds: float | None) -> str:
    """`45 s`, `12 min`, `3.4 h`, `2.1 days`; `–` where it is not known."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    for unit, size, until in (("s", 1, 90), ("min", 60, 5400), ("h", 3600, 172_800)):
        if seconds < until:
            return f"{seconds / size:.{1 if unit == 'h' else 0}f} {unit}"
    return f"{seconds / 86_400:,.1f} days"


def objective_text(name: str, value: float | None) -> str:
    """A value of a statistic, durations as such."""
    if value is None or value != value:
        return "–"
    try:
        kind = by_name(name).kind
    except SettingsError:  # A function from Python.
        kind = Kind.NUMBER
    return duration_text(value / 1e9) if kind is Kind.DURATION else value_text(float(value))


def strategy_name(run: Run) -> str:
    """Name of the class."""
    return one_line(str(run.identity.strategy_name))


def data_path(run: Run) -> str:
    """The price file."""
    return one_line(str(run.data.get("path", "?")))


def begun_text(run: Run) -> str:
    """When it was begun, by the clock of this machine."""
    moment = run.started.astimezone()
    return (
        f"{moment:%Y-%m-%d %H:%M}"
        if moment.year != datetime.now().year
        else f"{moment:%d %b %H:%M}"
    )


def command_text(run: Run) -> str:
    """As it could be typed; empty for a run from Python."""
    return one_line(f"bigbar {shlex.join(run.command)}") if run.command else ""


def summary_of(run: Run) -> dict[str, Any]:
    """A run in a list."""
    ended = has_ended(run)
    at = run.best_parameters if ended else None
    return {
        "id": run.id,
        "state": run.state,
        "says": STATES[run.state],
        "begun": begun_text(run),
        "iso": run.started.isoformat(),
        "strategy": strategy_name(run),
        "data": data_name(run),
        "path": data_path(run),
        "combinations": f"{run.combinations:,}",
        "share": run.done / run.combinations,
        "done": done_text(run),
        "failed": run.failed,
        "seconds": duration_text(run.seconds),
        "objective": one_line(run.objective),
        "best": objective_text(run.objective, run.best_value if ended else None),
        "at": one_line(parameters_named(at)) if at else "",
        "error": None if run.error is None else one_line(run.error),
    }


def facts_of(run: Run) -> list[tuple[str, str]]:
    """What a run was asked for."""
    axes = ", ".join(f"{axis.name} {axis}" for axis in run.grid.parameters)
    return [
        ("Strategy", strategy_name(run)),
        ("Data", data_path(run)),
        ("Grid", one_line(f"{axes}: {counted(run.combinations, 'combination')}")),
        ("Objective", one_line(run.objective)),
        ("Engine", one_line(run.engine)),
        ("Command", command_text(run) or "none, it was run from Python"),
        ("Began", run.started.astimezone().isoformat(sep=" ", timespec="seconds")),
    ]


def values_of(moment: Moment) -> dict[str, Any]:
    """A run that is followed, for its page."""
    run = moment.run
    running = run.state == "running"
    finishing = running and run.done == run.combinations
    return {
        "state": run.state,
        "says": STATES[run.state],
        "share": run.done / run.combinations,
        "percent": done_text(run),
        "done": f"{run.done:,} of {run.combinations:,}",
        "failed": run.failed,
        "error": None if run.error is None else one_line(run.error),
        "stage": _stage(moment, finishing),
        "speed": "–" if not moment.rate else f"{value_text(float(moment.rate))} /s",
        "left": "last steps" if finishing else duration_text(moment.left_s),
        "took": duration_text(moment.seconds),
        "objective": one_line(run.objective),
        "best": objective_text(run.objective, moment.best["value"]) if moment.best else "–",
        "at": _parameters(moment.best["parameters"]) if moment.best else [],
        "memory": as_bytes(moment.vitals.memory) if moment.vitals else "–",
        "busy": _busy(moment),
        "workers": _workers(moment),
        "notes": [
            [f"{datetime.fromtimestamp(at):%H:%M:%S}", one_line(text)]
            for at, text in moment.notes[-_MOST_NOTES:]
        ],
        "problems": [one_line(one) for one in moment.problems],
    }


def _stage(moment: Moment, finishing: bool) -> str:
    if moment.run.state != "running":
        return ""
    if moment.stage in (None, "backtests"):
        return "Last steps" if finishing else "Backtests"
    said = one_line(str(moment.stage))
    return said[:1].upper() + said[1:]


def _parameters(point: dict[str, Any]) -> list[list[str]]:
    return [[one_line(name), one_line(parameter_text(value))] for name, value in point.items()]


def _busy(moment: Moment) -> str:
    """How many workers there are, and how many of them are at work."""
    if moment.vitals is None or not moment.vitals.busy:
        return "–"
    return f"{len(moment.vitals.busy)}"


def _workers(moment: Moment) -> list[dict[str, str]]:
    """Of a run that goes on those that live, of others all that there were."""
    busy = moment.vitals.busy if moment.vitals is not None else {}
    numbers = sorted(set(busy) or set(moment.workers))[:_MOST_WORKERS]
    found = []
    for number in numbers:
        done, seconds = moment.workers.get(number, (0, 0.0))
        found.append(
            {
                "name": worker_name(number),
                "done": f"{done:,}",
                "seconds": duration_text(seconds),
                "each": as_seconds(seconds / done) if done else "–",
                "busy": as_share(busy[number]) if number in busy else "–",
            }
        )
    return found
