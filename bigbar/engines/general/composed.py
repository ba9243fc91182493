"""Strategies put together from pieces that other combinations' `init` has made."""

from __future__ import annotations

import types
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from backtesting import Strategy
from backtesting._util import _Indicator

from bigbar.engines.any_strategy.warm_up import warm_up_bars
from bigbar.engines.general.pieces import Piece, Pieces, pieces_of
from bigbar.engines.general.ran import Ran
from bigbar.equality import exact_key, same

#: Bytes of arrays that are kept in a process.
_MOST_BYTES = 128 * 2**20


@dataclass(frozen=True)
class Made:
    """What a piece came to.

    Attributes
    ----------
    values : tuple
        Of its attributes.
    warm_up : int
        Bars that its indicators warm up: of the whole file.
    first_bar : int
        The same, of the bars that take part.
    """

    values: tuple[Any, ...]
    warm_up: int
    first_bar: int

    @property
    def bytes(self) -> int:
        return sum(one.nbytes for one in self.values if isinstance(one, np.ndarray))


@dataclass(frozen=True)
class Composed:
    """A strategy as its `init` would have left it.

    Attributes
    ----------
    strategy : Strategy
    warm_up, first_bar : int
        See `Made`.
    """

    strategy: Strategy
    warm_up: int
    first_bar: int


class Composer:
    """Learns what pieces of `init` come to, and puts strategies together.

    Now and then the real `init` is asked for all the same; one that then comes to something else
    is not put together any more.

    Parameters
    ----------
    ran : Ran
        What was learned is looked at again only once the trader's code has run.

    Attributes
    ----------
    composed : int
        How many strategies were put together so far.
    unchecked : int
        How many more may be, before the real `init` is to be run again: the 1st, 2nd, 6th, 22nd …
        is held against it.
    """

    def __init__(self, ran: Ran) -> None:
        self._ran, self._looked = ran, ran.times
        self._all: Pieces | None = None
        self._known = False
        self._made: OrderedDict[Any, Made] = OrderedDict()
        self._bytes = 0
        self._base: dict[str, Any] = {}
        self._kind: type[Strategy] = Strategy
        self.composed = self.unchecked = self._granted = 0

    def give_up(self) -> None:
        """Put nothing together any more."""
        self._known, self._all = True, None
        self.forget()

    def forget(self) -> None:
        """Learn everything anew."""
        self._made.clear()
        self._bytes = 0

    def warm_ups(self, strategy: Strategy, parameters: Mapping[str, Any]) -> tuple[int, ...]:
        """Bars that each piece's indicators warm up, right after `init`."""
        if not self._known:
            self._known = True
            self._all = pieces_of(strategy, frozenset(parameters))
        return tuple(_warm_up(strategy, piece) for piece in self.pieces)

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """What `init` is made of; empty where nothing is put together."""
        return () if self._all is None else self._all.pieces

    def made(self, piece: Piece, parameters: Mapping[str, Any]) -> Made | None:
        """What a piece has come to with some parameters; None where that is not known."""
        key = _key(piece, parameters)
        return None if key is None else self._made.get(key)

    def learn(
        self,
        strategy: Strategy,
        parameters: Mapping[str, Any],
        warm_ups: tuple[int, ...],
        seen: set[str],
    ) -> None:
        """Take in what a real `init` has come to.

        Parameters
        ----------
        strategy : Strategy
            Ready for its first `next`.
        parameters : mapping
        warm_ups : tuple of int
            From `warm_ups`.
        seen : set of str
            Parameters that `init` has looked at.
        """
        if self._all is None:
            return
        attributes = vars(strategy)
        names = {name for piece in self.pieces for name in piece.names}
        reads = {name for piece in self.pieces for name in piece.reads}
        others = set(attributes) - names - set(parameters) - _OF_EVERY_STRATEGY
        if others or not names <= set(attributes) or not seen <= reads:
            self.give_up()  # More was done than the source says.
            return
        self._kind = type(strategy)
        self._base = {name: attributes[name] for name in _OF_EVERY_STRATEGY & set(attributes)}
        for piece, warm_up in zip(self.pieces, warm_ups, strict=True):
            key = _key(piece, parameters)
            if key is not None and key not in self._made:
                values = tuple(attributes[name] for name in piece.names)
                made = Made(values, warm_up, _warm_up(strategy, piece))
                self._made[key] = made
                self._bytes += made.bytes
        while self._bytes > _MOST_BYTES:
            _, oldest = self._made.popitem(last=False)
            self._bytes -= oldest.bytes

    def strategy(self, parameters: Mapping[str, Any]) -> Composed | None:
        """The strategy for a combination; None where a piece of it is not known yet."""
        if not self.pieces or not self._made:
            return None
        found = []
        for piece in self.pieces:
            made = self.made(piece, parameters)
            if made is None:
                return None
            found.append(made)
        strategy = object.__new__(self._kind)
        attributes = vars(strategy)
        attributes.update(self._base)
        attributes.update(parameters)
        attributes["_params"] = dict(parameters)
        for piece, made in zip(self.pieces, found, strict=True):
            attributes.update(zip(piece.names, made.values, strict=True))
        indicators = [one for made in found for one in made.values if isinstance(one, _Indicator)]
        attributes["_indicators"] = indicators
        warm_up = max(made.warm_up for made in found)
        return Composed(strategy, warm_up, max(made.first_bar for made in found))

    def is_stale(self) -> bool:
        """Whether what was learned was of functions or values that are others now: it is gone."""
        now = self._ran.times
        if now == self._looked or self._all is None:
            return False
        if self._all.are_stale():
            self._known = False
            self.forget()
            return True
        self._looked = now
        return False

    def use(self, count: int) -> None:
        """So many were put together without a look at the real `init`."""
        self.unchecked -= count
        self.composed += count

    def check(self, composed: Composed, strategy: Strategy, warm_ups: tuple[int, ...]) -> bool:
        """Whether the real `init` has come to the same; else nothing is put together any more."""
        ours, theirs = vars(composed.strategy), vars(strategy)
        agrees = (
            max(warm_ups, default=0) == composed.warm_up
            and set(ours) == set(theirs)
            and all(same(ours[name], theirs[name]) for name in set(ours) - _OF_EVERY_STRATEGY)
        )
        if not agrees:
            self.give_up()
            return False
        self.composed += 1
        self.unchecked, self._granted = self._granted, 4 * self._granted + 3
        return True


#: Attributes that every strategy has.
_OF_EVERY_STRATEGY = frozenset({"_broker", "_data", "_indicators", "_params"})


def _key(piece: Piece, parameters: Mapping[str, Any]) -> Any:
    try:
        return (piece.names, *(exact_key(parameters[name]) for name in piece.reads))
    except TypeError:
        return None


def _warm_up(strategy: Strategy, piece: Piece) -> int:
    values = {name: vars(strategy).get(name) for name in piece.names}
    return warm_up_bars(types.SimpleNamespace(**values), known=True)
