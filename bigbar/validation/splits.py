"""Where the bars are cut: what is put away before anything is optimized, and walk-forward windows.

Every cut is where the strategy's description allows one (`StrategySpec.cuts`): at any bar, or only
where the strategy is flat, so that no trade is cut in two.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bigbar.errors import DataError, SettingsError
from bigbar.job import LEAST_TRADING_BARS
from bigbar.spec import StrategySpec
from bigbar.units import counted

#: Bars of the file: the first, and the one after the last.
Span = tuple[int, int]

#: Parts are fractions of fractions here: what is a whole number but for rounding is one.
_FUZZ = 1e-9


def length(span: Span) -> int:
    """How many bars a span holds."""
    return span[1] - span[0]


@dataclass(frozen=True)
class WindowSplit:
    """The bars of one step of a walk-forward analysis.

    Attributes
    ----------
    train, test : tuple of (int, int)
        What is optimized, and what the winner is run on; the second begins where the first ends.
    """

    train: Span
    test: Span


def holdout_split(spec: StrategySpec, index: pd.DatetimeIndex, span: Span, share: float) -> int:
    """The first bar to put away before anything is optimized.

    Parameters
    ----------
    spec : StrategySpec
        Says where the bars may be cut.
    index : DatetimeIndex
        Times of the whole file.
    span : tuple of (int, int)
        The bars that take part.
    share : float
        Of these bars, from the end, above 0 and below 1.

    Returns
    -------
    int
        The place to cut that is nearest to that share.

    Raises
    ------
    SettingsError
        If the share is none.
    DataError
        If there is no place to cut.
    """
    _check_share("the share to hold back", share)
    first, stop = span
    edges = spec.cuts(index, span)
    inner = edges[(edges - first >= LEAST_TRADING_BARS) & (stop - edges >= LEAST_TRADING_BARS)]
    if not len(inner):
        raise DataError(
            f"to hold back unseen days {_taking_part(spec, span, len(edges) - 1)}: use a longer "
            "file, or leave out --holdout"
        )
    return int(inner[np.argmin(np.abs(inner - (stop - share * (stop - first))))])


def walk_forward_splits(
    spec: StrategySpec,
    index: pd.DatetimeIndex,
    span: Span,
    *,
    windows: int,
    share: float,
    anchored: bool,
) -> tuple[WindowSplit, ...]:
    """The training and test windows of a walk-forward analysis.

    The test windows follow each other without a gap, and cover all that comes after the first
    training window. With a share s and N windows, a test window is one part in (1 - s) / s + N
    of all units between places to cut (bars, or trading weeks), a training window (1 - s) / s such
    parts, both rounded to whole units. Where a part is less than a unit, test windows are of one,
    and training windows shorter for it, down to half of what the share asks for.

    Parameters
    ----------
    spec : StrategySpec
        Says where the bars may be cut.
    index : DatetimeIndex
        Times of the whole file.
    span : tuple of (int, int)
        The bars that take part.
    windows : int
        Number of steps, at least 1.
    share : float
        What the test window is of a training window and its test window together.
    anchored : bool
        Whether every training window begins with the span. Otherwise it moves with the test
        window, and keeps its length in units.

    Returns
    -------
    tuple of WindowSplit

    Raises
    ------
    SettingsError
        If the number or the share makes no sense.
    DataError
        If there are too few units, saying how many there are and how many are needed.
    """
    if windows < 1:
        raise SettingsError(f"walk-forward needs at least 1 window, not {windows}")
    _check_share("the share out of sample", share)
    edges = spec.cuts(index, span)
    units = len(edges) - 1
    ratio = (1 - share) / share
    needed = windows + max(1, math.ceil(ratio / 2 - _FUZZ))
    if units < needed:
        raise DataError(
            f"{counted(windows, 'walk-forward window')} with {share:.0%} out of sample "
            f"{'needs' if windows == 1 else 'need'} {needed:,} {spec.cut_unit}, and "
            f"{_bars_in(spec, span, units)}"
        )
    part = units / (windows + ratio)
    train = max(part * ratio, 1.0) if part >= 1.0 else float(units - windows)
    test = (units - train) / windows
    bounds = [math.floor(train + i * test + 0.5 + _FUZZ) for i in range(windows + 1)]
    found = tuple(
        WindowSplit(
            (int(edges[0 if anchored else begin - bounds[0]]), int(edges[begin])),
            (int(edges[begin]), int(edges[end])),
        )
        for begin, end in itertools.pairwise(bounds)
    )
    shortest = min(stop - first for one in found for first, stop in (one.train, one.test))
    if shortest < LEAST_TRADING_BARS:
        raise DataError(
            f"a window of {counted(windows, 'walk-forward window')} would have {shortest} bar, and "
            f"nothing can be traded in fewer than {LEAST_TRADING_BARS}"
        )
    return found


def _taking_part(spec: StrategySpec, span: Span, units: int) -> str:
    """How many units there must be to hold some back, and how many there are."""
    if not spec.cut_unit_means:
        return (
            f"at least {2 * LEAST_TRADING_BARS} bars are needed, and {_bars_in(spec, span, units)}"
        )
    return (
        f"the bars must be in at least 2 {spec.cut_unit} ({spec.cut_unit_means}); "
        f"{_bars_in(spec, span, units)}"
    )


def _bars_in(spec: StrategySpec, span: Span, units: int) -> str:
    if not spec.cut_unit_means:
        return f"{length(span):,} take part"
    return f"the {length(span):,} bars that take part are in {units:,}"


def _check_share(what: str, share: float) -> None:
    if not 0 < share < 1:
        raise SettingsError(f"{what} is {share!r}, but must be above 0 and below 1, such as 0.2")
