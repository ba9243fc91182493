"""What was found out about a result before: a run that comes to the very same one takes it over.

Replays and validation follow from the result, the bars and the code alone. So where a finished run
in the store has the same fingerprint and the same digest of every statistic, they need not be made
again. They are kept in the user's own cache, not in the store: what is unpickled must be nobody
else's.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
from functools import cache
from pathlib import Path
from typing import Any

from bigbar import private_cache

_HERE = Path(__file__).resolve().parent

#: Code that finds it out: modules, and folders of them. What makes the rows is in the fingerprint.
_SOURCES = (
    "choice.py", "series.py", "results.py", "pareto.py", "slices.py", "worker.py", "constraint.py",
    "validation", "verification",
)  # fmt: skip

#: So many files are kept, the last ones used.
_MOST = 200

_ENDING = ".known"


class KnownResult:
    """What is known of one result.

    Parameters
    ----------
    key : str
        Of everything that it follows from, the code of this module's `_SOURCES` aside.
    recalls : bool
        Whether earlier runs may be believed; else it only keeps.
    """

    def __init__(self, key: str, *, recalls: bool) -> None:
        self._key, self._recalls = f"{key} {_code()}", recalls

    def recall(self, part: str) -> Any:
        """What was kept; None where nothing was, or it has decayed."""
        path = self._path(part) if self._recalls else None
        if path is None:
            return None
        with contextlib.suppress(private_cache.Damaged, OSError):
            contents = private_cache.read(path, f"{self._key} {part}")
            if contents is not None:
                os.utime(path)
                return pickle.loads(contents)
        return None

    def keep(self, part: str, found: object) -> None:
        """Keep something; where that cannot be done, the next run finds it out again."""
        path = self._path(part)
        if path is None:
            return
        with contextlib.suppress(OSError):
            private_cache.write(path, f"{self._key} {part}", pickle.dumps(found))
            _forget(path.parent)

    def _path(self, part: str) -> Path | None:
        folder = _folder()
        named = hashlib.sha256(f"{self._key} {part}".encode()).hexdigest()[:32]
        return None if folder is None else folder / f"{named}{_ENDING}"


@cache
def _folder() -> Path | None:
    given = os.environ.get("NUMBA_CACHE_DIR", "")
    return private_cache.find_folder(_HERE / "__pycache__", "known", given=given)


@cache
def _code() -> str:
    digest = hashlib.sha256()
    for name in _SOURCES:
        place = _HERE / name
        for source in [place] if place.is_file() else sorted(place.glob("*.py")):
            digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _forget(folder: Path) -> None:
    """Remove what has not been used for longest."""
    with contextlib.suppress(OSError):  # Another run may be doing the same.
        kept = sorted(folder.glob(f"*{_ENDING}"), key=lambda path: path.stat().st_mtime)
        for path in kept[:-_MOST]:
            path.unlink(missing_ok=True)
