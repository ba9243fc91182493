"""`history`: the runs of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bigbar.history.tables import parameters_text, table, value_text
from bigbar.store.records import Run
from bigbar.store.runs import RunStore

_HEADS = ("id", "begun", "state", "grid", "seconds", "objective", "value", "best", "data")


def list_runs(store: RunStore) -> str:
    """All runs, the newest last, where the eye is."""
    rows = [
        (
            str(run.id),
            run.started.astimezone().strftime("%y-%m-%d %H:%M"),
            state_text(run),
            f"{run.combinations:,}",
            f"{run.seconds:,.1f}",
            run.objective,
            value_text(run.best_value),
            parameters_text(run.best_parameters),
            Path(str(run.data.get("path", "?"))).name,
        )
        for run in reversed(store.runs())
    ]
    if not rows:
        return "no runs yet"
    return table(_HEADS, rows, right="r  rr r", cut="objective best data")


def state_text(run: Run) -> str:
    """The state, with how far it came and what failed."""
    text: str = run.state
    if run.state in ("running", "interrupted"):
        text += f" at {run.done / run.combinations:.0%}"
    if run.failed:
        text += f", {run.failed:,} failed"
    return text


def as_json(run: Run) -> dict[str, Any]:
    """What is known of a run, as JSON holds it."""
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
        "best": run.best,
        "best_parameters": run.best_parameters,
        "best_value": run.best_value,
        "result_sha256": run.result_sha256,
        "fingerprint": run.fingerprint,
        "error": run.error,
        "settings": run.settings,
        "data": run.data,
        "machine": run.machine,
        "command": list(run.command),
        "identity": run.identity.parts,
    }
