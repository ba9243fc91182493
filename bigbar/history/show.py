"""`show`: one run as it was."""

from __future__ import annotations

from typing import Any

from bigbar.history import listing
from bigbar.history.tables import pairs
from bigbar.store.records import Run
from bigbar.store.runs import RunStore


def show(store: RunStore, run: Run) -> str:
    """What was printed when it ended, and the facts of its receipt."""
    told = store.told(run.id)
    facts = pairs(
        [
            ("run", f"{run.id}, {listing.state_text(run)}"),
            ("begun", run.started.isoformat(timespec="seconds")),
            ("ended", "--" if run.ended is None else run.ended.isoformat(timespec="seconds")),
            ("seconds", f"{run.seconds:,.1f}"),
            ("command", " ".join(run.command) or "(from Python)"),
            ("data", f"{run.data.get('path', '?')}, sha256 {run.data.get('sha256', '?')}"),
            ("engine", run.engine),
            ("fingerprint", run.fingerprint),
            ("result", run.result_sha256 or "--"),
            *([("error", run.error)] if run.error else []),
        ]
    )
    if told.answer is None:
        return (
            f"{facts}\n\nIt did not come to an answer; export {run.id} writes the rows there are."
        )
    return f"{told.answer.rstrip()}\n\n{facts}"


def as_json(store: RunStore, run: Run) -> dict[str, Any]:
    """The same for machines, with the summary as it was written."""
    told = store.told(run.id)
    return listing.as_json(run) | {
        "answer": told.answer,
        "summary": told.summary,
        "timings": told.timings,
        "failures": [
            {
                "combination": failure.number,
                "parameters": vars(run.grid[failure.number]),
                "reason": failure.reason,
            }
            for failure in store.failures(run.id)
        ],
    }
