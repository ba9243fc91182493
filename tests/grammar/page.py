"""Where choices come from, and lines go to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Chooser(Protocol):
    """Where choices come from."""

    def number(self, low: int, high: int) -> int:
        """A whole number, both ends included; the lower, the simpler."""
        ...


class Page:
    """The lines of one source, and what is known of it where the next one is written."""

    def __init__(self, choose: Chooser) -> None:
        self._choose = choose
        self._lines: list[str] = []
        self._indent = 0
        #: Local variables that have a value here, by kind: price, number, truth.
        self._locals: dict[str, list[str]] = {}
        #: Indicators by kind: price, swing (0 to 100), range; and pairs of rows.
        self._indicators: dict[str, list[str]] = {"price": [], "swing": [], "range": []}
        self._pairs: list[str] = []
        self._states: set[str] = set()
        self._helpers: set[str] = set()
        self._parameters: dict[str, tuple[Any, Any]] = {}
        self._in_loop = False
        self._names = 0
        self._orders = 0

    # ---------------------------------------------------------------------------------- choosing

    def _chance(self, percent: int) -> bool:
        return self._choose.number(0, 99) >= 100 - percent

    def _pick(self, options: Sequence[T]) -> T:
        return options[self._choose.number(0, len(options) - 1)]

    def _pick_by(self, *weighted: tuple[int, Callable[[], T]]) -> T:
        """One of some functions, the first being the simplest."""
        place = self._choose.number(0, sum(weight for weight, _ in weighted) - 1)
        for weight, make in weighted:
            place -= weight
            if place < 0:
                return make()
        raise AssertionError("a place beyond all weights")

    # ----------------------------------------------------------------------------------- writing

    def _line(self, text: str = "") -> None:
        self._lines.append("    " * self._indent + text if text else "")

    @contextmanager
    def _block(self, head: str) -> Iterator[None]:
        """What is written inside is indented, and its local variables end with it."""
        self._line(head)
        self._indent += 1
        before, length = self._locals, len(self._lines)
        self._locals = {kind: list(names) for kind, names in before.items()}
        yield
        if len(self._lines) == length:
            self._line("pass")
        self._locals = before
        self._indent -= 1

    def _new(self, kind: str, text: str) -> str:
        """A new local variable."""
        self._names += 1
        name = f"{kind[0]}{self._names}"
        self._line(f"{name} = {text}")
        self._locals.setdefault(kind, []).append(name)
        return name
