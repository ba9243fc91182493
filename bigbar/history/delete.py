"""`delete`: runs removed, and their room given back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bigbar.errors import SettingsError
from bigbar.history.answer import Answer
from bigbar.store.records import DamagedRun, Run
from bigbar.store.runs import RunStore
from bigbar.units import as_bytes, counted


def delete(store: RunStore, runs: Sequence[Run | DamagedRun]) -> Answer:
    """Remove runs with their rows; all of them, or none where one cannot be.

    Parameters
    ----------
    store : RunStore
    runs : sequence of Run or DamagedRun

    Returns
    -------
    Answer

    Raises
    ------
    SettingsError
        If one of them is running.
    StoreError
        If the file cannot be written.
    """
    known = [run for run in runs if isinstance(run, Run)]
    running = [str(run.id) for run in known if run.state == "running"]
    if running:
        raise SettingsError(
            f"run {', '.join(running)} is running; stop it before deleting it. Nothing was deleted"
        )
    before = _size(store.path)
    for run in runs:
        store.delete(run.id)
    freed = max(0, before - _size(store.path))
    rows = sum(run.done for run in known)
    numbers = [run.id for run in runs]
    named = f"run{'' if len(runs) == 1 else 's'} {', '.join(map(str, numbers))}"
    return Answer(
        f"deleted {named} with {counted(rows, 'row')}; {as_bytes(freed)} given back to the disk",
        {"deleted": numbers, "rows": rows, "freed_bytes": freed},
    )


def _size(path: Path) -> int:
    """Bytes on disk of the file and of its log."""
    log = path.with_name(f"{path.name}-wal")
    return sum(one.stat().st_size for one in (path, log) if one.exists())
