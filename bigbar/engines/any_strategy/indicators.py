"""Indicators once per distinct input, over all combinations that one process runs.

Most combinations of a grid share most of their indicators: a grid of 20 by 30 averages has 600
combinations and 50 averages. `IndicatorMemo` stands in for `Strategy.I` while `init` runs, and
keeps what calls with the same key (see `bigbar.engines.any_strategy.keys`) gave. Now and then a
call is made all the same; a function that then gives something else is not kept any more.
"""

from __future__ import annotations

import functools
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from backtesting import Strategy
from backtesting._util import _Indicator

from bigbar.engines.any_strategy.keys import Digests, Key, KeyMaker, NoKey

#: Bytes of indicators kept in a process, unless told otherwise.
DEFAULT_BYTES = 128 * 2**20

#: So many times in a row may telling what a call depends on take longer than the call itself, and
#: so many seconds, which a digest of a very long table does.
_PATIENCE, _SLOW_S = 8, 2e-3

#: What an entry takes besides its array: key, name, and their places in tables.
_ENTRY_BYTES = 2000


@dataclass
class _Entry:
    """What a call gave."""

    values: np.ndarray
    writeable: bool
    name: Any
    overlay: Any
    seconds: float

    @property
    def bytes(self) -> int:
        return self.values.nbytes + _ENTRY_BYTES


class IndicatorMemo:
    """What indicators came to, by what they depend on; the least recently used go first.

    Parameters
    ----------
    most_bytes : int
        How much may be kept; 0 keeps nothing.

    Attributes
    ----------
    hits, misses, passed : int
        Calls answered from here; computed and kept; computed because it cannot be told what they
        depend on, or because they must not be kept.
    distrusted : dict of str to str
        Functions that are not kept any more, by name, and why: a checking call gave something
        else. Earlier answers may have been wrong.
    """

    def __init__(self, most_bytes: int = DEFAULT_BYTES) -> None:
        self._most = most_bytes
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._bytes = 0
        self._digests: list[tuple[pd.DataFrame, Digests]] = []
        self._distrusted: set[Any] = set()
        self._too_slow: dict[Any, int] = {}
        self._used: dict[Any, int] = {}
        self.hits = self.misses = self.passed = 0
        self.distrusted: dict[str, str] = {}

    def digests_of(self, frame: pd.DataFrame) -> Digests:
        """Digests of a file's columns, the same for all that run on it."""
        for known, digests in self._digests:
            if known is frame:
                return digests
        self._digests = [*self._digests[-3:], (frame, Digests(frame))]
        return self._digests[-1][1]

    @contextmanager
    def serving(self, strategy: Strategy, digests: Digests | None) -> Iterator[None]:
        """Answer a strategy's calls of `self.I` while its `init` runs.

        A strategy with an `I` of its own is left alone, and so is every one without digests.
        """
        if digests is None or not self._most or type(strategy).I is not Strategy.I:
            yield
            return
        served = _Served(self, strategy, digests)
        vars(strategy)["I"] = served  # Past whatever its class does where attributes are set.
        try:
            yield
        finally:
            served.is_over = True
            if vars(strategy).get("I") is served:
                del vars(strategy)["I"]

    def _known(self, key: Key) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def _keep(self, key: Key, entry: _Entry) -> None:
        if entry.bytes > self._most:
            return
        self._entries[key] = entry
        self._bytes += entry.bytes
        while self._bytes > self._most:
            _, oldest = self._entries.popitem(last=False)
            self._bytes -= oldest.bytes

    def _distrust(self, key: Key, function: Any) -> None:
        self._bytes -= self._entries.pop(key).bytes
        self._distrusted.add(_identity(function))
        name = getattr(function, "__qualname__", type(function).__qualname__)
        self.distrusted[name] = "gave something else for the same input"

    def _is_passed(self, function: Any) -> bool:
        """Whether a function's calls are made without looking here."""
        one = _identity(function)
        return one in self._distrusted or self._too_slow.get(one, 0) >= _PATIENCE

    def _is_to_be_checked(self, function: Any) -> bool:
        """Whether a known call is made all the same: a function's 1st, 2nd, 4th, 8th …"""
        one = _identity(function)
        used = self._used[one] = self._used.get(one, 0) + 1
        return used & (used - 1) == 0

    def _note_time(self, function: Any, entry: _Entry, seconds: float) -> None:
        """Learn what telling the key of a call that is known has taken."""
        one = _identity(function)
        if seconds > max(entry.seconds, _SLOW_S):
            self._too_slow[one] = self._too_slow.get(one, 0) + 1
        else:
            self._too_slow.pop(one, None)


class _Served:
    """`Strategy.I` of one strategy, answered from a memo where that is safe."""

    def __init__(self, memo: IndicatorMemo, strategy: Strategy, digests: Digests) -> None:
        self._memo, self._strategy, self._digests = memo, strategy, digests
        #: Whether `init` has come to its end; somebody may still call, who keeps this as `I`.
        self.is_over = False

    def __call__(
        self,
        func: Callable,
        *args: Any,
        name: Any = None,
        plot: Any = True,
        overlay: Any = None,
        color: Any = None,
        scatter: Any = False,
        **kwargs: Any,
    ) -> np.ndarray:
        memo = self._memo
        shown = {"plot": plot, "overlay": overlay, "color": color, "scatter": scatter}

        def compute() -> Any:
            return Strategy.I(self._strategy, func, *args, name=name, **shown, **kwargs)

        if self.is_over:
            return compute()
        begun = time.perf_counter()
        key, maker = self._key(func, args, kwargs, name, overlay)
        taken = time.perf_counter() - begun
        entry = None if key is None else memo._known(key)
        if key is None or maker is None:
            memo.passed += 1
            return compute()
        if entry is None:
            return self._computed(key, maker, compute, (func, args, kwargs, name, overlay))
        memo._note_time(func, entry, taken)
        if memo._is_to_be_checked(func):
            found = compute()
            if not _agrees(entry, found):
                memo._distrust(key, func)
            return found
        memo.hits += 1
        return self._answer(entry, shown)

    def _key(
        self, func: Any, args: tuple, kwargs: dict, name: Any, overlay: Any
    ) -> tuple[Key | None, KeyMaker | None]:
        if self._memo._is_passed(func):
            return None, None
        maker = KeyMaker(self._strategy, self._digests)
        try:
            call = maker.of_call(func, args, kwargs)
            shown = (maker.of(name), maker.of(overlay))
            return (call, shown, self._digests.shown_with), maker
        except (NoKey, RecursionError):
            return None, None

    def _computed(
        self, key: Key, maker: KeyMaker, compute: Callable[[], Any], call: tuple
    ) -> np.ndarray:
        """Make the call, and keep what came of it unless the call changed what it depends on."""
        begun = time.perf_counter()
        found = compute()
        taken = time.perf_counter() - begun
        values = np.asarray(found)
        after, _ = self._key(*call)
        shared = any(
            np.may_share_memory(values, one)
            for one in maker.arrays
            if not self._digests.is_ours(one)
        )
        if after != key or shared or values.dtype.hasobject:
            self._memo.passed += 1
            return found
        kept = np.array(values, order="K")
        kept.flags.writeable = False
        title = list(found.name) if isinstance(found.name, list) else found.name
        overlay = found._opts["overlay"]
        self._memo._keep(key, _Entry(kept, values.flags.writeable, title, overlay, taken))
        self._memo.misses += 1
        return found

    def _answer(self, entry: _Entry, shown: dict[str, Any]) -> np.ndarray:
        """An indicator as `Strategy.I` would have made it, with memory of its own."""
        values = np.array(entry.values, order="K").view()
        values.flags.writeable = entry.writeable
        strategy = self._strategy
        options = {**shown, "overlay": entry.overlay, "index": strategy.data.index}
        name = list(entry.name) if isinstance(entry.name, list) else entry.name
        indicator = _Indicator(values, name=name, **options)
        strategy._indicators.append(indicator)
        return indicator


def _agrees(entry: _Entry, found: Any) -> bool:
    values = np.asarray(found)
    return bool(
        values.dtype == entry.values.dtype
        and values.shape == entry.values.shape
        and np.array_equal(values, entry.values, equal_nan=values.dtype.kind in "fcmM")
        and found.name == entry.name
        and found._opts["overlay"] == entry.overlay
    )


def _identity(function: Any) -> Any:
    """What a function has in common with others from the same place in the code."""
    while isinstance(function, functools.partial):
        function = function.func
    function = getattr(function, "__func__", function)
    return getattr(function, "__code__", None) or id(function)
