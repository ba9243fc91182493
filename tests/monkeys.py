"""A monkey at the broker: orders of every kind by chance, for `backtesting.py` and for the compiled
broker, and what both say of it.

What it does on each bar stands in a script, a table of numbers that both read.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import backtesting.backtesting
import numpy as np
import pandas as pd
from any_strategies import made_bars
from backtesting import Backtest, Strategy
from backtesting.test import EURUSD, GOOG
from numpy.typing import NDArray

from bigbar.account import Account
from bigbar.compiled.ahead import AFTER_ALL, extremes
from bigbar.compiled.broker.calls import (
    closed_at,
    equity,
    order_at,
    order_place,
    pos_pl,
    pos_pl_pct,
    position_close,
    trade_at,
    trade_pl,
    trade_pl_pct,
    trade_sl,
    trade_tp,
    trade_value,
)
from bigbar.compiled.broker.orders import is_contingent, order_cancel, order_handle, order_of
from bigbar.compiled.broker.state import (
    ACTIVE,
    CLOSE,
    ERR,
    HIGH,
    LOW,
    NCL,
    NORD,
    NSEG,
    NTR,
    OLIM,
    OSIZE,
    OSL,
    OSTOP,
    OTAG,
    OTP,
    PSIZE,
    QUEUE,
    TCLOSED,
    TCOMM,
    TEBAR,
    TENTRY,
    TEPY,
    TEXIT,
    TSIZE,
    TSL,
    TTAG,
    TTP,
    TXBAR,
    TXPY,
    BrokerState,
    new_state,
    reset,
)
from bigbar.compiled.broker.trades import trade_close, trade_set
from bigbar.compiled.hop import hopping
from bigbar.compiled.jit import compiled_entry
from bigbar.compiled.loop import SEGCOLUMNS, ByPointer, compiled_next, fill_equity, run
from bigbar.compiled.pointers import address_of, call_at

# What it does.
NOTHING, ORDER, CLOSE_ALL, MOVE, UNSET, TAKE, CANCEL, CLEAR, TRAIL, FIRST = range(10)
KEEP, KEPT, LOOK = range(10, 13)
# Columns of the script: what, and how. Prices are told by how far they are from the close.
ACT, SIDE, SIZE, LIMIT, STOP, SL, TP, PORTION, SHIFT, TAG, PICK = range(11)
FIELDS = 11
#: So many things it can do on a bar.
HANDS = 2

TAGS = (None, "one", "two", 3)

Floats = NDArray[np.float64]


class Monkey(Strategy):
    """As the script has it."""

    script: Floats

    def init(self):
        self.looked = 0.0
        self.kept = None
        self.rows = self.script.tolist()

    def next(self):
        bar = len(self.data) - 1
        for hand in range(HANDS):
            self.act([column[bar] for column in self.rows[hand * FIELDS : (hand + 1) * FIELDS]])

    def act(self, do):
        what = do[ACT]
        close = self.data.Close[-1]
        side = do[SIDE]
        if what == ORDER:
            limit = close - side * do[LIMIT] if do[LIMIT] else None
            stop = close + side * do[STOP] if do[STOP] else None
            near = limit or stop or close
            sl = near - side * do[SL] if do[SL] else None
            tp = near + side * do[TP] if do[TP] else None
            place = self.buy if side > 0 else self.sell
            self.kept = place(
                size=do[SIZE], limit=limit, stop=stop, sl=sl, tp=tp, tag=TAGS[int(do[TAG])]
            )
        elif what == CLOSE_ALL:
            self.position.close(do[PORTION])
        elif what == MOVE:
            for trade in self.trades:
                if do[PICK] > 4:
                    trade.sl = close - (1 if trade.is_long else -1) * do[SHIFT]
                else:
                    trade.tp = close + (1 if trade.is_long else -1) * do[SHIFT]
        elif what == UNSET:
            for trade in self.trades:
                trade.sl = None
                if do[PICK] > 4:
                    trade.tp = None
        elif what == TAKE:
            for trade in self.trades:
                if trade.pl > 0:
                    trade.close(do[PORTION])
        elif what == CANCEL:
            if self.orders:
                self.orders[int(do[PICK]) % len(self.orders)].cancel()
        elif what == CLEAR:
            for order in self.orders:
                if not order.is_contingent:
                    order.cancel()
        elif what == TRAIL:
            for trade in self.trades:
                if trade.is_long:
                    trade.sl = max(trade.sl or -np.inf, close - do[SHIFT])
                else:
                    trade.sl = min(trade.sl or np.inf, close + do[SHIFT])
        elif what == FIRST:
            if len(self.trades) > 1 and self.equity > 0 and self.position.pl_pct < 3:
                self.trades[0].close()
                self.trades[-1].close(do[PORTION])
        elif what == KEEP:
            if self.orders:
                self.kept = self.orders[int(do[PICK]) % len(self.orders)]
        elif what == KEPT:
            if self.kept is not None and self.kept in self.orders:
                self.kept.cancel()
        elif what == LOOK:
            self.look()

    def look(self):
        """Read whatever there is to read."""
        found = self.looked
        found = found + self.position.size + self.position.pl + self.position.pl_pct + self.equity
        for trade in self.trades:
            found = found + trade.pl + trade.pl_pct + trade.value + (trade.sl or 0.0)
            found = found + (trade.tp or 0.0) + trade.size + trade.entry_bar + trade.entry_price
        for order in self.orders:
            found = found + order.size + (order.limit or 0.0) + (order.stop or 0.0)
            found = found + (order.sl or 0.0) + (order.tp or 0.0) + TAGS.index(order.tag)
            found = found + order.is_contingent
        for trade in self.closed_trades[-2:]:
            found = found + trade.pl + trade.pl_pct + trade.value + (trade.sl or 0.0)
            found = found + (trade.tp or 0.0) + trade.exit_price + trade.exit_bar
        if self.closed_trades:
            found = found + self.closed_trades[-1].size
        if self.trades:
            found = found + self.trades[-1].size
        if self.orders:
            found = found + self.orders[-1].size
        self.looked = found


def monkey_next(f, n, M, I, P, S, T, Ti, i):  # noqa: E741
    """The same, compiled."""
    close = M[CLOSE, i]
    for hand in range(HANDS):
        do = I[hand * FIELDS : (hand + 1) * FIELDS, i]
        what = do[ACT]
        side = do[SIDE]
        if what == ORDER:
            limit = close - side * do[LIMIT] if do[LIMIT] != 0 else 0.0
            stop = close + side * do[STOP] if do[STOP] != 0 else 0.0
            near = limit if limit != 0 else stop if stop != 0 else close
            sl = near - side * do[SL] if do[SL] != 0 else 0.0
            tp = near + side * do[TP] if do[TP] != 0 else 0.0
            o = order_place(f, n, T, Ti, side * do[SIZE], limit, stop, sl, tp, int(do[TAG]))
            if n[ERR]:
                return
            S[1] = order_handle(n, o) + 1
        elif what == CLOSE_ALL:
            position_close(f, n, T, Ti, do[PORTION])
        elif what == MOVE:
            for k in range(n[NTR]):
                t = n[ACTIVE + k]
                way = 1 if T[t, TSIZE] > 0 else -1
                if do[PICK] > 4:
                    trade_set(f, n, T, Ti, t, True, close - way * do[SHIFT])
                else:
                    trade_set(f, n, T, Ti, t, False, close + way * do[SHIFT])
        elif what == UNSET:
            for k in range(n[NTR]):
                trade_set(f, n, T, Ti, n[ACTIVE + k], True, 0.0)
                if do[PICK] > 4:
                    trade_set(f, n, T, Ti, n[ACTIVE + k], False, 0.0)
        elif what == TAKE:
            for k in range(n[NTR]):
                if trade_pl(f, T, n[ACTIVE + k]) > 0:
                    trade_close(f, n, T, Ti, n[ACTIVE + k], do[PORTION])
        elif what == CANCEL:
            if n[NORD]:
                order_cancel(f, n, T, Ti, n[QUEUE + int(do[PICK]) % n[NORD]])
        elif what == CLEAR:
            k = 0
            while k < n[NORD]:
                if is_contingent(n, Ti, n[QUEUE + k]):
                    k += 1
                else:
                    order_cancel(f, n, T, Ti, n[QUEUE + k])
        elif what == TRAIL:
            for k in range(n[NTR]):
                t = n[ACTIVE + k]
                sl = trade_sl(f, n, Ti, t)
                if T[t, TSIZE] > 0:
                    now = close - do[SHIFT]
                    trade_set(f, n, T, Ti, t, True, sl if sl != 0 and sl >= now else now)
                else:
                    now = close + do[SHIFT]
                    trade_set(f, n, T, Ti, t, True, sl if sl != 0 and sl <= now else now)
        elif what == FIRST:
            if n[NTR] > 1 and equity(f, n, T) > 0 and pos_pl_pct(f, n, T) < 3:
                trade_close(f, n, T, Ti, trade_at(n, 0), 1.0)
                trade_close(f, n, T, Ti, trade_at(n, -1), do[PORTION])
        elif what == KEEP:
            if n[NORD]:
                S[1] = order_handle(n, n[QUEUE + int(do[PICK]) % n[NORD]]) + 1
        elif what == KEPT:
            if S[1] != 0:
                o = order_of(n, int(S[1]) - 1)
                if o >= 0:
                    order_cancel(f, n, T, Ti, o)
        elif what == LOOK:
            found = S[0]
            found = found + f[PSIZE] + pos_pl(f, n, T) + pos_pl_pct(f, n, T) + equity(f, n, T)
            for k in range(n[NTR]):
                t = n[ACTIVE + k]
                found = found + trade_pl(f, T, t) + trade_pl_pct(f, T, t) + trade_value(f, T, t)
                found = found + trade_sl(f, n, Ti, t) + trade_tp(f, n, Ti, t) + T[t, TSIZE]
                found = found + Ti[t, TEBAR] + T[t, TENTRY]
            for k in range(n[NORD]):
                o = n[QUEUE + k]
                found = found + f[OSIZE + o] + f[OLIM + o] + f[OSTOP + o]
                found = found + f[OSL + o] + f[OTP + o] + n[OTAG + o]
                found = found + is_contingent(n, Ti, o)
            for k in range(max(n[NCL] - 2, 0), n[NCL]):
                t = Ti[k, TCLOSED]
                found = found + trade_pl(f, T, t) + trade_pl_pct(f, T, t) + trade_value(f, T, t)
                found = found + T[t, TSL] + T[t, TTP] + T[t, TEXIT] + Ti[t, TXBAR]
            if n[NCL]:
                found = found + T[closed_at(n, Ti, -1), TSIZE]
            if n[NTR]:
                found = found + T[trade_at(n, -1), TSIZE]
            if n[NORD]:
                found = found + f[OSIZE + order_at(n, -1)]
            S[0] = found
        if n[ERR]:
            return


#: Machine code is kept by the names of these very lines.
KEPT_AS = f"{__name__}_{hashlib.sha256(Path(__file__).read_bytes()).hexdigest()}"


@cache
def compiled_monkey() -> ByPointer:
    return compiled_next(monkey_next, KEPT_AS)


#: What is compared of each trade.
COLUMNS = (
    "Size", "EntryBar", "ExitBar", "EntryPrice", "ExitPrice", "SL", "TP", "PnL", "Commission",
    "Tag", "entry is Python's", "exit is Python's",
)  # fmt: skip


@dataclass(frozen=True)
class Said:
    """What came of a backtest.

    Attributes
    ----------
    trades : ndarray of float, shape (trades, columns)
        See `COLUMNS`; NaN for None.
    equity : ndarray of float, shape (bars,)
    looked : float
        What the strategy summed up of all it could read.
    """

    trades: Floats
    equity: Floats
    looked: float

    @property
    def ruined(self) -> bool:
        return bool(self.equity[-1] == 0)


@contextmanager
def without_statistics() -> Iterator[None]:
    """`Backtest.run` returns what it would make statistics of."""
    module = backtesting.backtesting
    kept = module.compute_stats, module._tqdm
    module.compute_stats = lambda **given: given
    module._tqdm = lambda bars, **_: bars
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        module.compute_stats, module._tqdm = kept


def theirs(data: pd.DataFrame, strategy: type[Strategy], account: Account) -> Said | Exception:
    """What `backtesting.py` says, or what it raises."""
    with without_statistics():
        try:
            given: Any = Backtest(data, strategy, **account.options).run()
        except (AssertionError, ValueError, OverflowError) as problem:
            return problem
    rows = [_row(trade) for trade in given["trades"]]
    trades = np.array(rows, np.float64).reshape(len(rows), len(COLUMNS))
    looked = getattr(given["strategy_instance"], "looked", 0.0)
    return Said(trades, np.asarray(given["equity"], np.float64), float(looked))


def _row(trade: Any) -> list[float]:
    def number(value: Any) -> float:
        return np.nan if value is None else float(value)

    return [
        trade.size, trade.entry_bar, trade.exit_bar, trade.entry_price, trade.exit_price,
        number(trade.sl), number(trade.tp), trade.pl, trade._commissions, TAGS.index(trade.tag),
        type(trade.entry_price) is float, type(trade.exit_price) is float,
    ]  # fmt: skip


@compiled_entry
def hop(runner, start, loop):  # type: ignore[no-untyped-def]
    """Run what a machine runs, with what `bigbar.compiled.loop.LOOP` says."""
    call_at(runner, address_of(loop), start)


class Player:
    """Runs compiled strategies on some bars.

    Parameters
    ----------
    data : DataFrame
    room : int, optional
        Trades that there is room for.
    """

    def __init__(self, data: pd.DataFrame, room: int = 4000) -> None:
        columns = ["Open", "High", "Low", "Close", "Volume"]
        self.bars = read_only(data[columns].to_numpy(np.float64).T)
        self.state: BrokerState = new_state(room)
        self.segments = np.zeros((len(data), SEGCOLUMNS))
        self.own = np.zeros(4)

    def play(
        self,
        strategy: ByPointer,
        account: Account,
        indicators: Floats,
        start: int = 1,
        *,
        busy: NDArray[np.int64] | None = None,
    ) -> Said | int:
        """What the compiled broker says, or its error.

        All other bars than those on which the strategy is busy are left out, if these are told.
        """
        f, n, T, Ti = self.state
        begin(self.state, account)
        self.own[:] = 0.0
        arguments = (
            strategy.pointer, f, n, self.bars, read_only(indicators), read_only(np.zeros(1)),
            self.own, T, Ti, self.segments,
        )  # fmt: skip
        stop, close = self.bars.shape[1], self.bars[CLOSE]
        if busy is None:
            run(*arguments, start, stop, account.finalize_trades)
        else:
            marked = np.append(busy, AFTER_ALL)
            hop(
                hopping().pointer, start,
                (
                    *arguments, stop, account.finalize_trades, marked, marked,
                    extremes(self.bars[HIGH], highest=True),
                    extremes(self.bars[LOW], highest=False), close.min(), close.max(),
                ),
            )  # fmt: skip
        if n[ERR]:
            return int(n[ERR])
        curve = np.empty(stop)
        fill_equity(curve, self.segments, n[NSEG], close)
        return Said(closed_trades(self.state), curve, float(self.own[0]))


def begin(state: BrokerState, account: Account) -> None:
    """Reset a broker to an account."""
    fixed, relative = account.commission_parts
    reset(
        state.f, state.n, account.cash, account.spread, fixed, relative, account.leverage,
        account.trade_on_close, account.hedging, account.exclusive_orders, len(state.T),
    )  # fmt: skip


def closed_trades(state: BrokerState) -> Floats:
    """See `COLUMNS`."""
    _, n, T, Ti = state
    t = Ti[: n[NCL], TCLOSED]
    size, entry, exit_, paid = (T[t, column] for column in (TSIZE, TENTRY, TEXIT, TCOMM))
    sl, tp = (np.where(T[t, column] == 0, np.nan, T[t, column]) for column in (TSL, TTP))
    profit = size * (exit_ - entry) - paid
    return np.column_stack(
        [size, Ti[t, TEBAR], Ti[t, TXBAR], entry, exit_, sl, tp, profit, paid, Ti[t, TTAG],
         T[t, TEPY], T[t, TXPY]]
    )  # fmt: skip


def read_only(values: NDArray[Any]) -> Floats:
    """As compiled code has it of bars, indicators and parameters."""
    plain = np.ascontiguousarray(values, np.float64).view()
    plain.flags.writeable = False
    return plain


@dataclass(frozen=True)
class Errand:
    """Bars, an account and a script."""

    data: pd.DataFrame
    account: Account
    script: Floats

    @property
    def strategy(self) -> type[Monkey]:
        return type("Scripted", (Monkey,), {"script": self.script})

    @property
    def busy(self) -> NDArray[np.int64]:
        """The bars on which anything is done."""
        return np.flatnonzero((self.script[ACT::FIELDS] != NOTHING).any(axis=0))


def calm_errand(seed: int) -> Errand:
    """An errand like those of most strategies: now and then a market order, or a close of all."""
    one, rng = errand(seed), np.random.default_rng(seed)
    script, count = one.script.copy(), one.script.shape[1]
    for hand in range(HANDS):
        rows = script[hand * FIELDS : (hand + 1) * FIELDS]
        usual = rng.random(count) < 0.9
        rows[ACT, usual] = rng.choice([ORDER, ORDER, CLOSE_ALL], usual.sum())
        rows[ACT, rng.random(count) > rng.uniform(0.03, 0.3) / (1 + hand)] = NOTHING
        rows[LIMIT : STOP + 1, rng.random(count) < 0.9] = 0.0
        rows[PORTION, rng.random(count) < 0.9] = 1.0
    # Most accounts are plain, and turn their position around.
    turns = rng.random() < 0.5
    account = replace(
        one.account, exclusive_orders=turns, hedging=False, trade_on_close=rng.random() < 0.1,
        margin=one.account.margin if rng.random() < 0.2 else 1.0,
    )  # fmt: skip
    return Errand(one.data, account, script)


def errand(seed: int) -> Errand:
    """An errand by chance, the same one for a seed every time."""
    rng = np.random.default_rng(seed)
    data, step, tick = _bars(rng)
    spread = float(rng.choice([0.0, 0.0, 0.0002, 0.01]))
    commission: Any = [0.0, 0.001, (2.0, 0.001), (5.0, 0.0), -0.0005, 0.02][rng.integers(6)]
    cash = float(rng.choice([20.0, 200.0, 10_000.0])) * float(data["Close"].iloc[0])
    flag = [bool(value) for value in rng.integers(0, 2, 3)]
    account = Account(
        cash=cash, spread=spread, commission=commission,
        margin=float(rng.choice([1.0, 0.5, 0.1, 0.02, rng.uniform(0.01, 1)])),
        trade_on_close=flag[0], hedging=flag[1], finalize_trades=flag[2],
        exclusive_orders=bool(rng.random() < 0.2),
    )  # fmt: skip
    # A polite monkey leaves room for the spread; a rude one's orders may be refused.
    room = 1.1 * spread * float(data["High"].max()) if rng.random() < 0.95 else 0.0
    return Errand(data, account, _script(rng, len(data), step, tick, room))


def _bars(rng: np.random.Generator) -> tuple[pd.DataFrame, float, float]:
    """Some bars, how far their prices usually move, and their tick; 0 for none."""
    count = int(rng.integers(2, 160)) if rng.random() < 0.3 else 160
    kind = rng.integers(3)
    if kind < 2:
        whole = (GOOG, EURUSD)[kind]
        first = int(rng.integers(0, len(whole) - count))
        data = whole.iloc[first : first + count]
        return data, (0.02, 0.002)[kind] * float(data["Close"].iloc[0]), 0.0
    level = float(rng.choice([1e-4, 1.0, 100.0, 5e4]))
    data = made_bars(count, int(rng.integers(1 << 30)), level=level)
    if rng.random() < 0.3:
        return data, 0.02 * level, 0.0
    # Prices are ticks, few and without a rounded digit: many are equal.
    tick = 2.0 ** np.round(np.log2(level / 64))
    return (data / tick).round().clip(lower=1) * tick, 0.02 * level, tick


def _script(rng: np.random.Generator, bars: int, step: float, tick: float, room: float) -> Floats:
    busy = rng.uniform(0.05, 0.7)
    kinds = np.array([*[ORDER] * int(rng.integers(2, 12)), *range(CLOSE_ALL, LOOK)])
    hands = []
    for hand in range(HANDS):
        share = busy / (1 + 2 * hand)
        act = np.where(rng.random(bars) < share, rng.choice(kinds, bars), NOTHING)
        act[rng.random(bars) < 0.05] = LOOK
        whole = rng.integers(1, int(rng.choice([3, 20, 200])), bars)
        size = np.where(rng.random(bars) < 0.5, rng.uniform(0.02, 0.98, bars), whole)
        size[rng.random(bars) < 0.1] = Strategy._FULL_EQUITY
        rows = [act, rng.choice([-1.0, 1.0], bars), size]
        for often, least in ((0.3, 0.0), (0.3, 0.0), (0.5, room), (0.5, room), (1.0, 0.0)):
            far = rng.uniform(1e-4, 2.0, bars) * step + least
            if tick:
                far = np.ceil(far / tick) * tick
            rows.append(np.where(rng.random(bars) < often, far, 0.0))
        rows[LIMIT] *= rng.choice([1.0, 1.0, -1.0], bars)
        portion = rng.choice([1.0, 0.5, 0.3, 0.01], bars)
        rows[-1:-1] = [portion]
        rows += [rng.integers(0, len(TAGS), bars), rng.integers(0, 10, bars)]
        hands.append(np.array(rows, np.float64))
    return np.ascontiguousarray(np.vstack(hands))
