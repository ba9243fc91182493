"""The folder that relative paths are meant from: a strategy may leave it, the program does not."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

#: By the module of a strategy, where its import went: it is run there.
_theirs: dict[str, str] = {}


@contextlib.contextmanager
def in_its_folder(module: str) -> Iterator[None]:
    """Run a strategy's code where it expects to be, and come back to where the program is."""
    here = _current()
    if module in _theirs:
        _go(_theirs[module])
    try:
        yield
    finally:
        if here is not None and _current() != here:
            _go(here)


@contextlib.contextmanager
def remembering_its(module: str) -> Iterator[None]:
    """Import a strategy's module, and come back; where it goes, it is run from then on."""
    here = _current()
    try:
        yield
    finally:
        now = _current()
        if here is not None and now != here:
            if now is not None:
                _theirs[module] = now
            _go(here)


def _current() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # It was removed.
        return None


def _go(folder: str) -> None:
    with contextlib.suppress(OSError):
        os.chdir(folder)
