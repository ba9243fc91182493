"""What a backtest warns of, kept in place of being printed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

#: So many different warnings of a backtest are kept: a broker that cancels an order on every bar
#: says something else each time.
MOST = 100

#: What Python's filters call printing a warning once, in one way or another.
_PRINTED = ("default", "once", "module", "always", "all")


@dataclass
class Warned:
    """What was warned of.

    Attributes
    ----------
    messages : dict of (type, str) to int
        Category and text of each, and how often; the first `MOST` of them.
    more : int
        How many further warnings there were.
    """

    messages: dict[tuple[type[Warning], str], int] = field(default_factory=dict)
    more: int = 0

    def __bool__(self) -> bool:
        return bool(self.messages)

    def note(self, category: type[Warning], text: str) -> None:
        """Keep one more."""
        what = (category, text)
        if what in self.messages:
            self.messages[what] += 1
        elif len(self.messages) < MOST:
            self.messages[what] = 1
        else:
            self.more += 1


@contextmanager
def keeping(warned: Warned) -> Iterator[None]:
    """Keep warnings from being printed.

    What the user's filters ignore is ignored still, and what they make an error is raised. The
    rest is kept every time, also where Python would print it only once.
    """

    def show(message: object, category: type[Warning], *_: object, **__: object) -> None:
        warned.note(category, str(message))

    with warnings.catch_warnings():
        warnings.showwarning = show
        filters: Any = warnings.filters
        kept = [("always" if what in _PRINTED else what, *rest) for what, *rest in filters]
        filters[:] = [*kept, ("always", None, Warning, None, 0)]
        yield
