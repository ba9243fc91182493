"""Equity and its peak, bar by bar, and the drawdowns between one peak and the next."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bigbar.compiled.jit import compiled_inner


class Drawdowns(NamedTuple):
    """Equity and its peak, and the drawdowns that are over.

    Attributes
    ----------
    peak : float
    peak_bar : int
        The last bar at the peak.
    lowest : float
        Since then; infinity at the peak.
    deepest, depths : float
        The deepest, and the sum of the deepest of each, as shares of the peak.
    number : int
    longest, lengths : int
        Longest, and the sum of all, in units of the bars' times.
    """

    peak: float
    peak_bar: int
    lowest: float
    deepest: float
    depths: float
    number: int
    longest: int
    lengths: int


@compiled_inner
def one_over(past, bar, times):  # type: ignore[no-untyped-def]
    """With one drawdown more, from the peak to a bar."""
    length = times[bar] - times[past.peak_bar]
    depth = 1.0 - past.lowest / past.peak
    return Drawdowns(
        past.peak, past.peak_bar, past.lowest, max(past.deepest, depth), past.depths + depth,
        past.number + 1, max(past.longest, length), past.lengths + length,
    )  # fmt: skip


@compiled_inner
def at_peak_since(past, bar, peak):  # type: ignore[no-untyped-def]
    """At the peak at a bar, whatever was before."""
    return Drawdowns(
        peak, np.int64(bar), np.inf, past.deepest, past.depths, past.number, past.longest,
        past.lengths,
    )  # fmt: skip


@compiled_inner
def met(past, bar, equity, times):  # type: ignore[no-untyped-def]
    """With a bar's equity: a new peak, which ends a drawdown, or perhaps a new low."""
    if not equity >= past.peak:
        return Drawdowns(
            past.peak, past.peak_bar, min(past.lowest, equity), past.deepest, past.depths,
            past.number, past.longest, past.lengths,
        )  # fmt: skip
    if bar > past.peak_bar + 1:
        past = one_over(past, bar, times)
    return at_peak_since(past, bar, equity)


@compiled_inner
def lasting_to_the_end(past, bars, times):  # type: ignore[no-untyped-def]
    """With the drawdown that is not over at the last bar, if there is one."""
    if past.peak_bar >= bars - 1:
        return past
    if bars - 1 > past.peak_bar + 1:
        return one_over(past, bars - 1, times)
    depth = 1.0 - past.lowest / past.peak
    # backtesting.py knows no period of one bar. Where there is no other, it averages the bars below
    # the peak instead.
    return Drawdowns(
        past.peak, past.peak_bar, past.lowest, max(past.deepest, depth),
        depth if past.number == 0 else past.depths, past.number, past.longest, past.lengths,
    )  # fmt: skip
