"""Whether a run can find anything at all: told before the sweep, or why it was nothing after it.

Several things decide on which bars BigBar may trade, and each can leave none: the warm-up, the
edges of the weeks, the cash, the least number of trades. A sweep over such bars would end in
thousands of combinations that did nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.account import Account
from bigbar.choice import Choice
from bigbar.data.read import Bars
from bigbar.errors import DataError, SettingsError
from bigbar.spec import Task
from bigbar.strategies.big_bar.indicators import restricted_bars, with_indicators
from bigbar.strategies.big_bar.parameters import Settings
from bigbar.units import counted

#: Where more than this share of the bars is out of bounds, that is told.
_MUCH = 0.5

_DAY_S, _HOUR_S, _MINUTE_S = 86_400, 3_600, 60

#: From so many days from bar to bar on.
_LONG_BARS = ((360, "yearly"), (80, "quarterly"), (27, "monthly"), (6, "weekly"))


def check_feasible(bars: Bars, job: Task, choice: Choice, *, edge: int) -> None:
    """Refuse what no combination could trade on, or not often enough.

    Parameters
    ----------
    bars : Bars
    job : Task
        With the bars that take part; those after its span are held back.
    choice : Choice
        Whose least number of trades has to be within reach.

    Raises
    ------
    DataError
        If all bars lie at the edges of weeks, or no unit could ever be bought.
    SettingsError
        If not even the most trades that fit in are as many as have to be made.
    """
    free = _free(bars, edge)
    taking_part = job.bars
    if not free[taking_part].any():
        raise DataError(_all_at_edges(bars, job, free, edge))
    held_back = free[len(free) if job.stop_bar is None else job.stop_bar :]
    if len(held_back) and not held_back.any():
        raise DataError(
            f"{bars.source}: the {counted(len(held_back), 'bar')} held back all lie within "
            f"{_edges(edge)}, where BigBar stays out: hold back more with --holdout, or "
            f"use {_fewer_edges(bars, edge)}"
        )
    check_affordable(bars.frame.iloc[taking_part][free[taking_part]], job.account)
    most, bars_in = most_trades(free[taking_part]), int(np.count_nonzero(free[taking_part]))
    if choice.min_trades > most:
        raise SettingsError(
            f"--min-trades {choice.min_trades:,} is out of reach: no more than "
            f"{counted(most, 'trade')} fit into the {counted(bars_in, 'bar')} on which BigBar may "
            "trade; lower --min-trades or use a longer file"
        )


def check_affordable(bars: pd.DataFrame, account: Account) -> None:
    """Refuse bars on which not one unit could ever be bought or sold.

    Raises
    ------
    DataError
        With the lowest price and the cash.
    """
    lowest = float(bars["Close"].min())
    fixed, relative = account.commission_parts
    # What the broker asks for a short, the cheaper side: it is filled below the price.
    asked = lowest * (1 - account.spread + relative) + fixed
    if asked <= account.cash * account.leverage:
        return
    with_margin = f" at margin {account.margin:g}" if account.margin < 1 else ""
    what = f"the lowest close is {lowest:,.10g}"
    way_out = "raise --cash above the price, or give prices per smaller unit"
    if lowest <= account.cash * account.leverage:
        what += f", {asked:,.10g} with commission and spread"
        way_out = "raise --cash, or lower --commission"
    raise DataError(
        f"not one unit can be bought: {what}, the cash is {account.cash:,.10g}{with_margin}, and "
        f"backtesting.py trades whole units; {way_out}"
    )


def most_trades(free: NDArray[np.bool_]) -> int:
    """The most trades that fit in: the bar after an entry is the earliest to leave on.

    Parameters
    ----------
    free : ndarray of bool, shape (bars,)
        Bars on which a position may be entered.
    """
    edges = np.flatnonzero(np.diff(free, prepend=False, append=False))
    return int(((edges[1::2] - edges[::2] + 1) // 2).sum())


def edge_note(bars: Bars, job: Task, *, edge: int) -> str | None:
    """What to say where most of the bars lie at the edges of weeks; None where they do not."""
    free = _free(bars, edge)[job.bars]
    out = int(np.count_nonzero(~free))
    if out <= _MUCH * len(free):
        return None
    return (
        f"{bar_name(bars.frame.index)} bars: {out:,} of {len(free):,} lie within "
        f"{_edges(edge)}, where BigBar stays out; {_fewer_edges(bars, edge)} "
        "leaves more of them"
    )


def why_no_trade(bars: Bars, job: Task, *, edge: int) -> str:
    """Which of the strategy's conditions no bar met, and the option that loosens it.

    To be asked when no combination traded. Conditions are looked at in their loosest form, one
    after the other, so that the first that leaves nothing is named.
    """
    file = with_indicators(bars.frame, edge).iloc[job.bars]
    held = {name: file[name].to_numpy(np.float64) for name in ("Open", "High", "Low", "Close")}
    rising, falling = held["Close"] > held["Open"], held["Close"] < held["Open"]
    axes = {axis.name: axis.values for axis in job.space.parameters}
    least_lean, longest_tail = axes["previous_weight"][0], axes["uptail_max_ratio"][-1]
    lean = file["Momentum"].to_numpy(np.float64)
    leaning = (rising & (lean >= least_lean)) | (falling & (lean <= -least_lean))
    leaning &= ~file["Restricted"].to_numpy(np.bool_)
    if not leaning.any():
        return (
            f"on no bar do the three before it lean as far as previous_weight {least_lean:g}; "
            "lower --previous-weight"
        )
    tails = np.where(rising, held["High"] - held["Close"], held["Close"] - held["Low"])
    short = leaning & (tails < longest_tail * (held["High"] - held["Low"]))
    if not short.any():
        return (
            f"no bar has a tail below uptail_max_ratio {longest_tail:g} of its range; "
            "raise --uptail-max-ratio"
        )
    text = f"of the {counted(int(np.count_nonzero(short)), 'bar')} that would do but for their size"
    k_atr = axes["k_atr"][0]
    if k_atr == 0:
        return f"{text} none could be paid for, and left again; use a longer file or more --cash"
    return f"{text} none is as large as k_atr {k_atr:g}; a lower --k-atr lets more bars through"


def bar_name(index: Any) -> str:
    """`daily`, `4-hour`, `5-minute`: the bars by the time from one to the next.

    Where that changes, as overnight, it is the time inside a session: the lower quartile.
    """
    seconds = np.diff(index.as_unit("ns").asi8) / 1e9
    step = float(np.quantile(seconds, 0.25, method="lower"))
    days = step / _DAY_S
    for least, name in _LONG_BARS:
        if days >= least:
            return name
    if days >= 0.8:  # A day of 23 hours, when clocks go forward.
        return "daily" if days < 1.5 else f"{days:.0f}-day"
    if step >= _HOUR_S:
        return "hourly" if step < 1.5 * _HOUR_S else f"{step / _HOUR_S:.0f}-hour"
    return f"{step / _MINUTE_S:.0f}-minute" if step >= _MINUTE_S else f"{step:g}-second"


def _free(bars: Bars, edge: int) -> NDArray[np.bool_]:
    """Bars of the file that do not lie at the edge of a week."""
    index: Any = bars.frame.index
    return ~restricted_bars(index, edge)


def _all_at_edges(bars: Bars, job: Task, free: NDArray[np.bool_], edge: int) -> str:
    kind = bar_name(bars.frame.index)
    which = f"all {len(free):,}"
    if free.any():
        which = f"all {len(free[job.bars]):,} that take part"
    return (
        f"{bars.source}: {kind} bars: {which} lie within {_edges(edge)}, where BigBar "
        f"stays out; use {_fewer_edges(bars, edge)}"
    )


def _edges(edge: int) -> str:
    return f"{counted(edge, 'bar')} of a week edge"


def _fewer_edges(bars: Bars, edge: int) -> str:
    """The option with a number that leaves most of the bars: the usual one, where it does."""
    usual = Settings.week_edge_bars
    if edge > usual and _free(bars, Settings().week_edge_bars).mean() > 1 - _MUCH:
        return f"--week-edge-bars {usual}"
    return "--week-edge-bars 0"
