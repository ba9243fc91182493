"""Strategies after their `init`, each made once for all combinations that it does not tell apart.

Most of a grid's combinations differ in parameters that `init` never looks at: a stop, a size. Which
it looks at is watched; two combinations with the same values of these have the same `init`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from backtesting import Strategy
from backtesting.backtesting import _Broker

from bigbar.engines.any_strategy.run import StrategyRunner
from bigbar.engines.any_strategy.warm_up import warm_up_bars
from bigbar.engines.any_strategy.warned import Warned, keeping
from bigbar.engines.general.composed import Composed, Composer
from bigbar.engines.general.ran import Ran
from bigbar.equality import exact_key

#: Strategies kept in a process; combinations next to each other have most in common.
_KEPT = 256

#: Attributes that tell all parameters at once.
_TELL_ALL = frozenset({"__dict__", "_params", "__str__", "__repr__"})


@dataclass
class Start:
    """A strategy that is ready for its first `next`.

    Attributes
    ----------
    strategy : Strategy
        After its `init`; what a combination has of its own is set on it.
    first_bar : int
        Bars that its indicators warm up.
    start : int
        The bar on which `next` begins.
    own : frozenset of str
        Parameters that `init` did not look at, nor assign.
    more : dict
        What else is known of it.
    """

    strategy: Strategy
    first_bar: int
    start: int
    own: frozenset[str]
    more: dict[str, Any] = field(default_factory=dict)


class Starts:
    """Makes and keeps strategies after their `init`.

    Parameters
    ----------
    runner : StrategyRunner
    ran : Ran
        Is told of every `init`.

    Attributes
    ----------
    composer : Composer
        Puts together what needs no `init` of its own.
    """

    def __init__(self, runner: StrategyRunner, ran: Ran) -> None:
        self._runner, self._ran = runner, ran
        self._looked_at: set[str] = set()
        self._kept: OrderedDict[Any, Start] = OrderedDict()
        self.composer = Composer(ran)

    def of(self, parameters: Mapping[str, Any]) -> Start | None:
        """The strategy for a combination; None where its broker is none of `backtesting.py`'s.

        Raises
        ------
        Exception
            Whatever the strategy raises.
        """
        if self.composer.is_stale():
            self._kept.clear()
        key = self._key(parameters)
        start = self._kept.get(key) if key is not None else None
        if start is None:
            start = self._composed(parameters) or self._made(parameters)
            if start is None:
                return None
            key = self._key(parameters)
            if key is not None and not self._runner.changed_class_attributes:
                self._kept[key] = start
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        attributes = vars(start.strategy)
        for name in start.own:
            attributes[name] = parameters[name]
        return start

    def check(self, parameters: Mapping[str, Any], wanted: int) -> None:
        """Hold a strategy against its real `init`, if more are to be put together unchecked."""
        if self.composer.unchecked < wanted:
            found = self.composer.strategy(parameters)
            if found is not None:
                self._made(parameters, found)

    def forget(self) -> None:
        """Make every strategy anew from here on."""
        self._kept.clear()
        self.composer.forget()

    def _key(self, parameters: Mapping[str, Any]) -> Any:
        """What of a combination `init` depends on; None where that cannot be compared."""
        names = sorted(self._looked_at & set(parameters))
        try:
            return tuple((name, exact_key(parameters[name])) for name in names)
        except TypeError:
            return None

    def _composed(self, parameters: Mapping[str, Any]) -> Start | None:
        """A strategy without an `init` of its own; None where something of it is not known."""
        found = self.composer.strategy(parameters)
        if found is None:
            return None
        if not self.composer.unchecked:
            return self._made(parameters, found)
        self.composer.use(1)
        start = self._runner.first_next(found.warm_up)
        return Start(found.strategy, found.first_bar, start, self._own(parameters))

    def _own(self, parameters: Mapping[str, Any]) -> frozenset[str]:
        return frozenset(set(parameters) - self._looked_at)

    def _made(
        self, parameters: Mapping[str, Any], composed: Composed | None = None
    ) -> Start | None:
        """A strategy by its own `init`, with which one that was put together is compared."""
        seen: set[str] = set()
        warm_ups: tuple[int, ...] = ()
        passed = self._runner.memo.passed
        self._ran.again()

        def init(strategy: Strategy) -> None:
            nonlocal warm_ups
            with _watched(strategy, set(parameters), seen):
                strategy.init()
            warm_ups = self.composer.warm_ups(strategy, parameters)

        with keeping(Warned()):
            strategy, broker, _, start = self._runner.ready(parameters, init)
        if type(broker) is not _Broker:
            return None
        attributes = vars(strategy)
        assigned = {
            name for name, value in parameters.items() if attributes.get(name, _NONE) is not value
        }
        looked_at = set(parameters) if seen & _TELL_ALL else (seen | assigned) & set(parameters)
        if not looked_at <= self._looked_at:
            self._looked_at |= looked_at
            self._kept.clear()  # Their keys leave out what has turned out to matter.
        if self._runner.memo.passed > passed or self._runner.changed_class_attributes:
            self.composer.give_up()  # It cannot be told what an indicator depends on.
        elif composed is None or self.composer.check(composed, strategy, warm_ups):
            self.composer.learn(strategy, parameters, warm_ups, looked_at)
        first_bar = warm_up_bars(strategy, known=True)
        return Start(strategy, first_bar, start, self._own(parameters))


_NONE = object()


@contextmanager
def _watched(strategy: Strategy, names: set[str], seen: set[str]) -> Iterator[None]:
    """Note which attributes of these a strategy is asked for."""
    kind = type(strategy)
    watched = names | _TELL_ALL

    class Watched(kind):  # type: ignore[misc, valid-type]
        def __getattribute__(self, name: str) -> Any:
            if name in watched:
                seen.add(name)
            return super().__getattribute__(name)

    Watched.__name__, Watched.__qualname__ = kind.__name__, kind.__qualname__
    Watched.__module__ = kind.__module__
    try:
        strategy.__class__ = Watched
    except TypeError:  # Of a layout of its own.
        seen |= names
        yield
        return
    try:
        yield
    finally:
        strategy.__class__ = kind
