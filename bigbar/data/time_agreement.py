"""Whether two columns of times in one file tell the same."""

from collections.abc import Callable

import numpy as np

from bigbar.data.epochs import TimeKind
from bigbar.data.reading import Reading
from bigbar.data.time_zones import Int64
from bigbar.data.times import read_times
from bigbar.errors import DataError

_NS_PER_DAY = 86_400 * 10**9
#: Clocks of two zones differ by a multiple of this, and by no more than a day and two hours.
_ZONE_STEP_NS = 15 * 60 * 10**9
_MOST_APART_NS = 26 * 3600 * 10**9


def agreement(
    times: Int64,
    cells: list[str],
    names: tuple[str, str],
    place: Callable[[int], str],
    reading: Reading,
) -> list[str]:
    """A note where the columns are clocks of two zones; nothing where they say the same.

    Parameters
    ----------
    times : ndarray of int64, shape (n,)
        The column that is read.
    cells : list of str, length n
        The other one.
    names : tuple of str
        Of both.
    place : callable
        Names the row at a position.
    reading : Reading

    Raises
    ------
    DataError
        They contradict each other. The message begins in the middle of a sentence.
    """
    others, kinds = read_times([cells], reading)
    if (kinds < TimeKind.NAIVE).any():
        return []  # whatever it is, it is no column of times
    apart = others - times
    days = (others % _NS_PER_DAY == 0).all() and (times % _NS_PER_DAY != 0).any()
    if days and (np.abs(apart) < 2 * _NS_PER_DAY).all():
        return []
    steps = np.unique(apart)
    wrong = (np.abs(apart) > _MOST_APART_NS) | (apart % _ZONE_STEP_NS != 0)
    if len(steps) > 2 and not wrong.any():
        wrong = apart != steps[np.argmax(np.bincount(np.searchsorted(steps, apart)))]
    if wrong.any():
        raise DataError(
            f'columns "{names[0]}" and "{names[1]}" tell different times, first in '
            f"{place(int(np.flatnonzero(wrong)[0]))}. Say which is right: --columns "
            f"time={names[0]}"
        )
    if not apart.any():
        return []
    hours = steps[np.argmax(np.abs(steps))] / 3600e9
    return [f'column "{names[1]}" is {hours:+g} h apart from "{names[0]}", which is read']
