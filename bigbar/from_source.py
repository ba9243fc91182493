"""A trader's own modules, compiled from what their files say now.

Python keeps bytecode beside a file and takes it again where the size and the second of the file are
those of then, and never reads again a module that a process has. Either way an edit may go unseen,
and another strategy be run than the one that is there to be read. So what lies in the folders of
strategies is always compiled from its text, and imported anew where any of it has changed.
"""

from __future__ import annotations

import hashlib
import linecache
import os
import sys
import sysconfig
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

#: Folders of packages that were installed: their files are not edited.
_INSTALLED = {"site-packages", "dist-packages"}

#: Nor are Python's own, and this program's, wherever the program is started.
_NOT_THEIRS = tuple(
    os.path.join(os.path.realpath(folder), "")
    for folder in (sysconfig.get_path("stdlib"), Path(__file__).parent)
)

#: By the name of a module that was compiled here, its file and a digest of what it said.
_read: dict[str, tuple[str, bytes]] = {}


class _FromSource(SourceFileLoader):
    """Compiles a module from its text, whatever bytecode there is, and keeps none."""

    def path_stats(self, path: str) -> dict[str, Any]:
        """Not told: without it no bytecode is looked for."""
        raise OSError("bytecode is not used")

    def source_to_code(  # type: ignore[override]  # of what get_code gives it
        self, data: bytes, path: str, *, _optimize: int = -1
    ) -> CodeType:
        """Compile it, and remember what it said."""
        _read[self.name] = path, _digest(data)
        code: CodeType = super().source_to_code(data, path)
        return code


class _Finder(MetaPathFinder):
    """Finds what lies in the folders of strategies, in the order in which Python would."""

    def __init__(self) -> None:
        self.folders: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a module is, if it is in one of them."""
        if not self._may_be_here(fullname, path):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None or not self._is_here(spec.origin):
            return None
        return _from_source(spec)

    def _may_be_here(self, fullname: str, path: Sequence[str] | None) -> bool:
        if path is not None:
            return any(map(self._is_here, path))
        places = [os.path.join(folder, fullname) for folder in self.folders]
        return any(os.path.isfile(f"{place}.py") or os.path.isdir(place) for place in places)

    def _is_here(self, place: str) -> bool:
        full = os.path.realpath(place)
        if os.path.join(full, "").startswith(_NOT_THEIRS):
            return False
        for folder in self.folders:
            if full.startswith(os.path.join(folder, "")):
                return _INSTALLED.isdisjoint(Path(full).relative_to(folder).parts)
        return False


_finder = _Finder()


def import_from_source_in(folder: str) -> None:
    """Have modules of a folder, and of folders below it, compiled from their text from now on."""
    _finder.folders.add(os.path.realpath(folder))
    if _finder not in sys.meta_path:
        places = [at for at, one in enumerate(sys.meta_path) if one is PathFinder]
        sys.meta_path.insert(places[0] if places else len(sys.meta_path), _finder)


def spec_of_file(name: str, file: Path) -> ModuleSpec | None:
    """How a file is imported under a name; None where it holds no Python."""
    spec = spec_from_file_location(name, file)
    return None if spec is None else _from_source(spec)


def _from_source(spec: ModuleSpec) -> ModuleSpec | None:
    """The same, compiled from its text; None where that is not what it is made of."""
    if type(spec.loader) is not SourceFileLoader:
        return None
    spec.loader = _FromSource(spec.loader.name, spec.loader.path)
    spec.cached = None
    return spec


def forget_edited() -> None:
    """Where any of these modules was edited, have all of them imported anew when next asked for."""
    if all(_says(file) == digest for file, digest in _read.values()):
        return
    for name, (file, _) in _read.items():
        sys.modules.pop(name, None)
        linecache.cache.pop(file, None)  # Where the translator and tracebacks have the text from.
    _read.clear()


def _says(file: str) -> bytes | None:
    try:
        return _digest(Path(file).read_bytes())
    except OSError:  # It has gone: whoever imports it is told.
        return None


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()
