"""Calls with room below them on the interpreter's stack of frames."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import TypeVar

_Answer = TypeVar("_Answer")


def _call(function: Callable[[], _Answer]) -> _Answer:
    return function()


#: Calls a function so that a thousand calls inside of it find room for their frames at hand.
#:
#: Python takes the memory for frames in pieces of 16 kB and gives each back as soon as it is
#: left, so a loop that happens to call across the edge of one has the system map and unmap it at
#: every turn: a million times in a compilation, for a third of its time. A frame that claims half
#: of a megabyte makes the piece it stands in twice as large; what is not used is never touched.
with_room: Callable[[Callable[[], _Answer]], _Answer] = FunctionType(
    _call.__code__.replace(co_stacksize=70_000), globals(), "with_room"
)
