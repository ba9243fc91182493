"""The loop over the bars: what `Backtest.run` does from the first bar on which `next` runs.

On most bars no order can be filled. There the broker only looks up the equity, and the quick loop
does that for it; every other bar is the broker's own. What the strategy finds (its indicators and
data, cut to the bars seen so far) is the same either way, made with less ado.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from backtesting._util import _Array, _Data, _Indicator, _strategy_indicators, try_
from backtesting.backtesting import Strategy, _Broker, _OutOfMoneyError

#: Bars that show which columns of the data `next` reads on most bars, and how many are most.
_PROBED, _MOST = 32, 20

_LEFT_OPEN = (
    "Some trades remain open at the end of backtest. Use "
    "`Backtest(..., finalize_trades=True)` to close them and "
    "include them in stats."
)


class Bars(NamedTuple):
    """Prices of each bar as the broker reads them: lists where nobody can write into the arrays."""

    high: Sequence[Any]
    low: Sequence[Any]
    close: Sequence[Any]


def bars_of(data: _Data) -> Bars:
    """The prices of a strategy's data, bar by bar."""
    return Bars(*(_one_by_one(data._Data__arrays[name]) for name in ("High", "Low", "Close")))


def _one_by_one(column: _Array) -> Any:
    array = np.asarray(column)
    return array if array.flags.writeable else list(array)


class _Bare(np.ndarray):
    """An array whose slices are made without asking Python; they change class afterwards."""


class _Gradual(NamedTuple):
    """An array that is revealed bar by bar."""

    name: str
    bare: _Bare
    kind: type
    title: Any
    options: Any


def play(
    strategy: Strategy,
    broker: _Broker,
    data: _Data,
    *,
    start: int,
    finalize: bool,
    bars: Bars | None,
) -> None:
    """Run a strategy from bar `start` to the end of its data, or to its ruin.

    Parameters
    ----------
    strategy : Strategy
        After its `init`.
    broker : _Broker
    data : _Data
        The strategy's and the broker's.
    start : int
        The first bar on which `next` runs.
    finalize : bool
        Close what is open after the last bar.
    bars : Bars, optional
        For the quick loop; None runs the broker on every bar.
    """
    count = len(data)
    # Comparisons with NaN are not invalid, they are False.
    with np.errstate(invalid="ignore"):
        try:
            if bars is None:
                _every_bar(strategy, broker, data, range(start, count))
            else:
                _quickly(strategy, broker, data, range(start, count), bars)
        except _Ruined:
            pass
        else:
            _end(strategy, broker, ran=start < count, finalize=finalize)
        data._set_length(count)


class _Ruined(Exception):
    """The account is empty: not one more bar."""


def _end(strategy: Strategy, broker: _Broker, *, ran: bool, finalize: bool) -> None:
    """What `Backtest.run` does after the last bar."""
    if finalize:
        for trade in reversed(broker.trades):
            trade.close()
        if ran:  # The orders to close are filled at the prices of the last bar.
            try_(broker.next, exception=_OutOfMoneyError)
    elif broker.trades:
        warnings.warn(_LEFT_OPEN, stacklevel=2)


def _every_bar(strategy: Strategy, broker: _Broker, data: _Data, bars: Iterable[int]) -> None:
    """The loop as `backtesting.py` has it."""
    indicators = _strategy_indicators(strategy)
    for bar in bars:
        data._set_length(bar + 1)
        for name, indicator in indicators:
            setattr(strategy, name, indicator[..., : bar + 1])
        _ask(broker)
        strategy.next()


def _ask(broker: _Broker) -> None:
    try:
        broker.next()
    except _OutOfMoneyError:
        raise _Ruined from None


def _quickly(strategy: Strategy, broker: _Broker, data: _Data, bars: range, prices: Bars) -> None:
    found = _strategy_indicators(strategy)
    if any(type(indicator) is not _Indicator for _, indicator in found):
        return _every_bar(strategy, broker, data, bars)
    indicators = [_gradual(name, indicator) for name, indicator in found]
    seen: Counter[str] = Counter()
    probed, rest = bars[:_PROBED], bars[_PROBED:]
    _bars_quickly(strategy, broker, data, probed, prices, indicators, [], seen.update)
    columns = [
        _gradual(name, data._Data__arrays[name])
        for name, count in seen.items()
        if count >= _MOST and type(data._Data__arrays[name]) is _Array
    ]
    return _bars_quickly(strategy, broker, data, rest, prices, indicators, columns, None)


def _gradual(name: str, array: Any) -> _Gradual:
    return _Gradual(name, np.asarray(array).view(_Bare), type(array), array.name, array._opts)


def _bars_quickly(
    strategy: Strategy,
    broker: _Broker,
    data: _Data,
    bars: range,
    prices: Bars,
    indicators: list[_Gradual],
    columns: list[_Gradual],
    note: Callable[[Iterable[str]], object] | None,
) -> None:
    """Run `next` on each of some bars; `columns` of the data are cut in advance.

    `note` is told which columns the strategy has asked for in a bar.
    """
    high, low, close = prices
    read = data._Data__cache
    of_broker = broker.__dict__
    equity_curve = broker._equity
    for bar in bars:
        stop = bar + 1
        data._Data__len = stop
        read.clear()
        for name, bare, kind, title, options in columns:
            view = bare[:stop]
            view.__class__ = kind
            view.name, view._opts = title, options  # type: ignore[attr-defined]
            read[name] = view
        for name, bare, kind, title, options in indicators:
            view = bare[..., :stop]
            view.__class__ = kind
            view.name, view._opts = title, options  # type: ignore[attr-defined]
            setattr(strategy, name, view)
        orders, trades = broker.orders, broker.trades
        if orders and _can_fill(orders, high[bar], low[bar]):
            _ask(broker)
        else:
            if not trades:
                put_in: Any = 0
            elif len(trades) == 1:
                put_in = 0 + trades[0]._Trade__size * trades[0]._Trade__entry_price
            else:
                put_in = sum(trade.size * trade.entry_price for trade in trades)
            profit = close[bar] * broker._position_size - put_in
            equity = broker._cash + profit
            if equity <= 0:
                _ask(broker)
            else:
                of_broker["_position_unrealized_pl"] = profit
                broker._i = bar
                equity_curve[bar] = equity
        strategy.next()
        if note is not None:
            note(tuple(read))


def _can_fill(orders: Iterable[Any], high: Any, low: Any) -> bool:
    """Whether the broker would do anything about an order in a bar with these prices."""
    for order in orders:
        stop = order._Order__stop_price
        if stop:
            if (high >= stop) if order._Order__size > 0 else (low <= stop):
                return True
        else:
            limit = order._Order__limit_price
            if not limit or ((low <= limit) if order._Order__size > 0 else (high >= limit)):
                return True
    return False
