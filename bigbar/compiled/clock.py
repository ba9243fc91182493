"""How durations are counted: in the unit that pandas gives their column."""

from __future__ import annotations

from typing import NamedTuple


class Clock(NamedTuple):
    """How durations are counted in a column of pandas.

    Attributes
    ----------
    factor, divisor : int
        From the index's unit to the column's: times the one, then by the other, rounded down.
    unit_ns : int
        Nanoseconds in the column's unit.
    round_to : int
        Durations are rounded up to this many units.
    """

    factor: int
    divisor: int
    unit_ns: int
    round_to: int
