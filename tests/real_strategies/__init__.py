"""Strategies as traders write them, in the proportions in which they use what there is.

`CASES` has them all; `features` counts what they use.
"""

from __future__ import annotations

from real_strategies import (
    columns,
    frames,
    grown,
    helpers,
    levels,
    managed,
    pandas_ta_ones,
    plain,
    sized,
    sloppy,
    states,
    studied,
    talib_ones,
    times,
)
from real_strategies.bars import bars
from real_strategies.case import Case

_MODULES = (
    plain, levels, sized, states, talib_ones, pandas_ta_ones, managed, helpers, times, frames,
    sloppy, columns, grown, studied,
)  # fmt: skip

#: Every strategy of the corpus.
CASES: tuple[Case, ...] = tuple(one for module in _MODULES for one in module.CASES)

__all__ = ["CASES", "Case", "bars"]
