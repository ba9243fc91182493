"""What happens in a run while it goes on, in a small file beside the store: notes and stages.

Whoever watches the run reads it there. It goes when the run comes to its end, whose own answer says
what is worth saying; of a run that was killed it stays until that is continued or deleted.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bigbar.store.owner import Owner
from bigbar.store.schema import storable

Kind = Literal["note", "stage"]

#: Of a file that anybody may have written, so many bytes are read; a run writes some hundreds.
_MOST_BYTES = 256 * 1024

#: Characters of a note at most.
_MOST_TEXT = 1000


@dataclass(frozen=True)
class Entry:
    """Something that happened.

    Attributes
    ----------
    kind : {"note", "stage"}
        Out of the ordinary; or what the run does from now on.
    at : float
        Seconds since 1970.
    text : str
    """

    kind: Kind
    at: float
    text: str


def journal_path(folder: Path, run: int) -> Path:
    """The file of a run."""
    return folder / f"run-{run}.live"


class Journal:
    """Writes what happens; whatever goes wrong with the file, the run does not mind.

    Parameters
    ----------
    folder : Path
        The output folder.
    run : int
    owner : Owner
        Of the run: entries of an attempt before this one are not taken for its own.
    """

    def __init__(self, folder: Path, run: int, owner: Owner) -> None:
        self._path = journal_path(folder, run)
        self._file = -1
        with contextlib.suppress(OSError):
            # Not through a link that somebody put there.
            self._path.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
            self._file = os.open(self._path, flags, 0o600)
            self._write({"owner": owner.token})

    def add(self, kind: Kind, text: str) -> None:
        """Write an entry."""
        with contextlib.suppress(OSError):
            self._write({"kind": kind, "at": time.time(), "text": storable(text[:_MOST_TEXT])})

    def _write(self, values: dict[str, object]) -> None:
        if self._file >= 0:
            os.write(self._file, f"{json.dumps(values)}\n".encode())

    def close(self, *, keep: bool = False) -> None:
        """Write no more, and remove the file unless it is to be kept."""
        if self._file >= 0:
            with contextlib.suppress(OSError):
                os.close(self._file)
                if not keep:
                    self._path.unlink(missing_ok=True)
            self._file = -1


def read_journal(folder: Path, run: int, owner: Owner) -> list[Entry]:
    """What a run wrote in the attempt of this owner; nothing where that cannot be had.

    Lines that make no sense are left out: the file may come from anybody.
    """
    path = journal_path(folder, run)
    try:
        if not path.is_file():  # A pipe, say, would never be read.
            return []
        with path.open("rb") as file:
            lines = file.read(_MOST_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    if not lines or _values(lines[0]).get("owner") != owner.token:
        return []
    return [entry for line in lines[1:] if (entry := _entry(_values(line))) is not None]


def _values(line: str) -> dict[str, object]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _entry(values: dict[str, object]) -> Entry | None:
    kind, at, text = (values.get(name) for name in ("kind", "at", "text"))
    if isinstance(at, int | float) and isinstance(text, str) and 0 < at < 1e11:
        text = text[:_MOST_TEXT]
        if kind == "note":
            return Entry("note", float(at), text)
        if kind == "stage":
            return Entry("stage", float(at), text)
    return None
