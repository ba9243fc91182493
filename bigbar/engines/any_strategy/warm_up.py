"""The bars that a strategy's indicators warm up."""

from __future__ import annotations

import numpy as np
from backtesting import Strategy
from backtesting._util import _indicator_warmup_nbars, _strategy_indicators
from numpy.typing import NDArray

#: Values in which the first number mostly is.
_SOME = 512


def warm_up_bars(strategy: Strategy, *, known: bool) -> int:
    """The first bar on which every indicator has a number.

    As `backtesting.py` has it; if this is a `known` version, without a copy of every indicator.
    """
    if not known:
        return int(_indicator_warmup_nbars(strategy))
    bars = 0
    for _, indicator in _strategy_indicators(strategy):
        if not indicator._opts["scatter"]:
            values = np.asarray(indicator)
            if values.dtype != np.float64:
                values = values.astype(float)
            rows = values.reshape(-1, values.shape[-1])
            bars = max(bars, max(map(_first_number, rows), default=0))
    return bars


def _first_number(values: NDArray[np.float64]) -> int:
    """Place of the first value that is a number; 0 where none is."""
    missing = np.isnan(values[:_SOME])
    first = int(missing.argmin())
    return first if not missing[first] else int(np.isnan(values).argmin())
