"""What has to hold of all bars: sound prices, one instrument, one bar a time."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from bigbar.data.names import plain
from bigbar.errors import DataError

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

#: So far a High may lie below another price, relative to it: what is left of a rounded last digit.
ROUNDING = 1e-9
#: Of the rows, that may have the time of another one and say something else. One always may be a
#: partial bar.
_MOST_REPEATED = 0.01

#: Columns that name the instrument, or the length of the bars, also where they hold numbers.
_IDENTITY = frozenset(
    (
        *("symbol", "ticker", "tic", "name", "instrument", "instrumentid", "isin", "code"),
        *("secid", "tscode", "stock", "asset", "pair", "contract", "cusip", "figi", "permno"),
        *("market", "per", "period", "interval", "timeframe", "symbolid", "securityid"),
    )
)
_NO_NAME = re.compile(
    r"|[-+$€£¥₹]*[\d.,'’ \u00a0]*\d[\d.,]*\s*[%KMBT]?|nan?|n/a|null|none|-+|nat|true|false|yes|no"
    r"|.*\d[-/.:]\d.*|\d+\s.*",
    re.IGNORECASE,
)
_MOST_LOOKED_AT = 1000


# ------------------------------------------------------------------------------------- prices


def sound_rows(prices: tuple[Float64, ...]) -> npt.NDArray[np.bool_]:
    """Where all prices are finite and above zero, High is highest and Low is lowest."""
    open_, high, low, close = prices
    sound = (low > 0) & (high < np.inf) & (low <= high)  # NaN compares as False
    for price in (open_, close):
        sound &= (low <= price) & (price <= high)
    return sound


def mend_rounding(
    prices: tuple[Float64, ...],
) -> tuple[tuple[Float64, ...], Int64, Int64]:
    """Raise highs and lower lows that miss another price of their bar by a rounded last digit.

    Returns
    -------
    prices : tuple of 4 ndarrays
        The same ones where there was nothing to mend.
    mended : ndarray of int
        The rows where something was.
    unsound : ndarray of int
        The rows where that was not enough.
    """
    broken = np.flatnonzero(~sound_rows(prices))
    if not len(broken):
        return prices, broken, broken
    bars = np.array([price[broken] for price in prices])
    highest, lowest = bars.max(axis=0), bars.min(axis=0)
    usable = (lowest > 0) & (highest < np.inf)
    usable &= (highest <= bars[1] * (1 + ROUNDING)) & (lowest >= bars[2] * (1 - ROUNDING))
    rows = broken[usable]
    if not len(rows):
        return prices, rows, broken
    open_, high, low, close = prices[0], prices[1].copy(), prices[2].copy(), prices[3]
    high[rows], low[rows] = highest[usable], lowest[usable]
    return (open_, high, low, close), rows, broken[~usable]


def rounding_notes(rows: Int64, place: Callable[[int], str]) -> list[str]:
    """That highs and lows were mended."""
    if not len(rows):
        return []
    return [
        f"{counted(len(rows))} with a high below or a low above another price by a rounded last "
        f"digit, first {place(int(rows[0]))}: set to that price"
    ]


# -------------------------------------------------------------------------------- one instrument


def is_identity(name: str) -> bool:
    """Whether a column of this name says which instrument, or what length of bars, a row is of."""
    return plain(name) in _IDENTITY


def as_written(value: object) -> str:
    """The text of a value; of a whole number that Python does not write, how long it is."""
    try:
        return str(value)
    except ValueError:  # more digits than sys.get_int_max_str_digits()
        return "a number of thousands of digits"


def refuse_several(name: str, values: Iterable[object]) -> None:
    """Refuse a column that is not read and holds several names.

    Parameters
    ----------
    name : str
        Of the column.
    values : iterable
        The different ones that it holds.

    Raises
    ------
    DataError
        The message begins in the middle of a sentence, for the caller to say of what.
    """
    found: list[str] = []
    for looked_at, value in enumerate(values):
        text = "" if value is None or value != value else as_written(value).strip()
        if text and (is_identity(name) or not _NO_NAME.fullmatch(text)) and text not in found:
            found.append(text)
        if len(found) > 1:
            raise DataError(
                f'column "{name}" holds several values ("{found[0][:40]}", "{found[1][:40]}"), and '
                "bars of several instruments are no series. Keep the rows of one value, or remove "
                "the column if all rows belong together."
            )
        if looked_at >= _MOST_LOOKED_AT:
            return


# ------------------------------------------------------------------------------- order and times


def counted(count: int) -> str:
    """As in "1 row" and "2,000 rows"."""
    return f"{count:,} row{'' if count == 1 else 's'}"


@dataclass(frozen=True)
class Ordered:
    """Rows in the order of their times, one a time.

    Attributes
    ----------
    rows : ndarray of int or None
        Positions of the rows to keep; None to keep all as they are.
    notes : list of str
    """

    rows: Int64 | None
    notes: list[str]


def in_order(
    times: Int64,
    values: Float64,
    place: Callable[[int], str],
    telling: Callable[[], str | None] = lambda: None,
    *,
    certain: bool = False,
) -> Ordered:
    """The order of the rows by time, one for each.

    Of rows with one time the last is kept that completes the one before it (the same open, no
    lower high, no higher low, no less volume), as the full bar does a partial one.

    Parameters
    ----------
    times : ndarray of int64, shape (n,)
    values : ndarray, shape (5, n)
        Open, High, Low, Close and Volume.
    place : callable
        Names the row at a position.
    telling : callable, optional
        Names a column that would tell rows of one time apart, if there is one.
    certain : bool, optional
        Whether the user said how the times are written: then they may be in any order.

    Raises
    ------
    DataError
        Too many rows have the time of another one, or so many are out of order that the times must
        have been read as others than they are. The message begins in the middle of a sentence.
    """
    if (np.diff(times) > 0).all():
        return Ordered(None, [])
    notes: list[str] = []
    late = np.flatnonzero(times < np.maximum.accumulate(times))
    if len(late):
        what = "newest first" if (np.diff(times) <= 0).all() else f"{counted(len(late))} out of"
        where = "" if what == "newest first" else f" order, first {place(int(late[0]))}"
        if where and not certain:
            _refuse_disorder(times, late, place)
        notes.append(f"{what}{where}: sorted")
    order = np.argsort(times, kind="stable")
    new = np.diff(times[order], prepend=times[order[0]] - 1) != 0
    if new.all():
        return Ordered(order, notes)
    kept, differing = _kept(order, np.flatnonzero(new), values)
    again = order[~new]
    first = place(int(again.min()))
    most = _MOST_REPEATED * len(times)
    if differing.count > max(1, most) or differing.apart > most:
        column = telling()
        hint = "Give a file with one bar a time, and times as fine as the bars."
        if column is not None:
            hint = f'Column "{column}" tells them apart: one file must hold one value of it.'
        raise DataError(
            f"{counted(differing.count)} of {len(times):,} have the time of another row and "
            f"other prices, the first {place(differing.first)}. {hint}"
        )
    what = f"{counted(len(again))} with a time seen before, first {first}: "
    if differing.count:
        what += (
            "the last is kept where it completes the one before, otherwise the first; prices "
            f"differ by up to {100 * differing.most:.3g} %"
        )
    else:
        what += "dropped, as nothing differs"
    return Ordered(kept, [*notes, what])


def _refuse_disorder(times: Int64, late: Int64, place: Callable[[int], str]) -> None:
    """Refuse times that are out of order because days were read as months, or worse."""
    most = len(times) // 2
    swapped = _swapped(times)
    if swapped is not None:
        steps = np.diff(swapped)
        if not ((steps >= 0).all() or (steps <= 0).all()):
            swapped = None
    out_of_order = len(late)
    if swapped is None:
        if out_of_order <= most:  # as many have to be moved at most
            return
        out_of_order = len(times) - max(_longest_run(times), _longest_run(-times))
        if out_of_order <= most:
            return
    what = f"{counted(out_of_order)} of {len(times):,} are out of order"
    if swapped is not None:
        what += ", and none are if the days are months and the months days"
    raise DataError(
        f"{what}, first {place(int(late[0]))}. The times may be written in another way than they "
        'were read: say how, as in --time-format "%Y-%d-%m %H:%M"; if they are right, sort the '
        "rows."
    )


def _longest_run(times: Int64) -> int:
    """How many rows are in order once the fewest of the others are taken out."""
    lasts: list[int] = []  # of the runs of each length the least last time
    for time in times.tolist():
        at = bisect_right(lasts, time)
        lasts[at : at + 1] = [time]
    return len(lasts)


def _swapped(times: Int64) -> Int64 | None:
    """The times with day and month in each other's place; None where that cannot be."""
    index = pd.DatetimeIndex(times.view("datetime64[ns]"))
    if (index.day > 12).any():
        return None
    days = pd.to_datetime(
        pd.DataFrame({"year": index.year, "month": index.day, "day": index.month})
    )
    return pd.DatetimeIndex(days).as_unit("ns").asi8 + (index - index.normalize()).asi8


@dataclass
class _Differing:
    """Rows of one time that say different things.

    Attributes
    ----------
    count : int
    apart : int
        Those of them that are not the same bar a while earlier or later.
    first : int
        Position of the first; -1 if there is none.
    most : float
        How far prices differ, relative to the price.
    """

    count: int = 0
    apart: int = 0
    first: int = -1
    most: float = 0.0


def _kept(order: Int64, starts: Int64, values: Float64) -> tuple[Int64, _Differing]:
    """The row to keep of each time, and what the others had."""
    kept = order[starts].copy()
    differing = _Differing()
    sizes = np.diff(starts, append=len(order))
    for group in np.flatnonzero(sizes > 1).tolist():
        rows = order[starts[group] : starts[group] + sizes[group]].tolist()
        best = rows[0]
        for row in rows[1:]:
            before, now = values[:, best], values[:, row]
            if np.array_equal(before, now, equal_nan=True):
                continue
            differing.count += 1
            differing.first = row if differing.first < 0 else min(differing.first, row)
            apart = float(np.max(np.abs(now[:4] / before[:4] - 1)))
            differing.most = max(differing.most, apart)
            if _completes(before, now):
                best = row
            elif not _completes(now, before):  # newest first, the full bar comes first
                differing.apart += 1
        kept[group] = best
    return kept, differing


def _completes(before: Float64, now: Float64) -> bool:
    """Whether a bar is the same one a while later."""
    less = now[4] < before[4]  # a missing volume is not less
    return bool(now[0] == before[0] and now[1] >= before[1] and now[2] <= before[2] and not less)


def telling_column(times: Int64, names: dict[str, object]) -> str | None:
    """The column that would make repeated times distinct, if there is one.

    Parameters
    ----------
    times : ndarray of int64, shape (n,)
    names : dict of str to sequence, length n
        Columns that are not read.
    """
    for name, cells in names.items():
        texts = [as_written(cell) for cell in pd.Series(cells, dtype=object)]
        pairs = pd.DataFrame({"time": times, "cell": texts})
        if name and not pairs.duplicated().any():
            return name
    return None
