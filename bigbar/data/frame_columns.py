"""The columns and the index of a DataFrame: which hold times, and which hold numbers."""

import numbers
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bigbar.data.bar_checks import as_written
from bigbar.data.epochs import TimeKind
from bigbar.data.names import PRICES, Found, find_columns, says_utc
from bigbar.data.reading import Reading
from bigbar.data.time_zones import Local, to_utc
from bigbar.data.times import parse_epochs, read_times
from bigbar.data.zone_columns import with_parts, with_zones
from bigbar.errors import DataError


def one_level(df: pd.DataFrame, source: str) -> pd.DataFrame:
    """The frame with columns of one level, if the others say no more than one name.

    yfinance has the instrument as a second level, of one or of several.
    """
    columns = df.columns
    if columns.nlevels == 1:
        return df
    for level in range(columns.nlevels):
        names = [str(name) for name in columns.get_level_values(level)]
        others = [columns.get_level_values(i) for i in range(columns.nlevels) if i != level]
        single = all(other[other != ""].nunique() <= 1 for other in others)
        if single and len(find_columns(names).prices) == len(PRICES):
            return df.set_axis(pd.Index(names), axis=1)
    raise DataError(
        f"{source} has columns of {columns.nlevels} levels, for several instruments. Select one: "
        "df.xs(name, axis=1, level=1)."
    )


def frame_times(
    df: pd.DataFrame, found: Found, source: str, reading: Reading
) -> tuple[pd.DatetimeIndex, tuple[int, ...]]:
    """The times in nanoseconds, and positions of the columns that they are from.

    Raises
    ------
    DataError
        There are no times, or some of them are missing.
    """
    if isinstance(df.index, pd.DatetimeIndex) and not found.time_given:
        return _localized(_nanoseconds(df.index, source), source, reading), ()
    if not found.times:
        raise DataError(
            f"{source} is indexed by {type(df.index).__name__}, not by times. Use "
            "df.set_index(pd.to_datetime(...)) with the column that holds the times."
        )
    columns = [df.iloc[:, i] for i in found.times]
    stamps = [i for i, column in enumerate(columns) if column.dtype.kind == "M"]
    if stamps and not found.time_given:
        names = [str(df.columns[i]) for i in found.times]
        best = min(stamps, key=lambda i: (_is_naive(columns[i]), not says_utc(names[i])))
        index = pd.DatetimeIndex(columns[best])
        used = found.times[best]
        return _localized(_nanoseconds(index, source), source, reading), (used,)
    return _of_cells(df, columns, found, source, reading)


def _is_naive(column: "pd.Series[Any]") -> bool:
    return getattr(column.dtype, "tz", None) is None


def _of_cells(
    df: pd.DataFrame,
    columns: list["pd.Series[Any]"],
    found: Found,
    source: str,
    reading: Reading,
) -> tuple[pd.DatetimeIndex, tuple[int, ...]]:
    """Times from texts or whole numbers: of one column, or of two."""
    positions = found.times
    finer = [i for i in found.finer if i is not None]
    tries: list[tuple[int, ...]] = [(i,) for i in range(len(columns))]
    if len(columns) > 1:
        tries = [(0, 1), (1, 0), *tries]
    best: tuple[int, str] = (-1, "")
    for tried in tries:
        texts = [_cells(df, positions[i]) for i in tried]
        if len(tried) == 2 and finer:
            texts[1] = with_parts(texts[1], *(_cells(df, i) for i in found.finer))
        nanoseconds, kinds = (
            parse_epochs(columns[tried[0]].to_numpy(np.int64), reading)
            if len(tried) == 1 and columns[tried[0]].dtype.kind == "i" and not reading.time_format
            else read_times(texts, reading)
        )
        if found.zone is not None and reading.zone is None:
            nanoseconds, kinds = with_zones(nanoseconds, kinds, _cells(df, found.zone), reading)
        classes = np.minimum(kinds, TimeKind.EPOCH_S)
        wrong = np.flatnonzero((kinds < TimeKind.NAIVE) | (classes != classes[:1]))
        if not len(wrong):
            index = pd.DatetimeIndex(nanoseconds.view("datetime64[ns]"))
            zoned = len(kinds) and kinds[0] != TimeKind.NAIVE
            used = {*(positions[i] for i in tried), *(finer if len(tried) == 2 else ())}
            used |= set() if found.zone is None else {found.zone}
            return index.tz_localize("UTC") if zoned else index, tuple(sorted(used))
        if int(wrong[0]) > best[0]:
            cell = " ".join(column[wrong[0]] for column in texts)
            best = int(wrong[0]), f'"{cell}" in row {df.index[wrong[0]]}'
    names = ", ".join(repr(str(df.columns[i])) for i in positions)
    raise DataError(
        f"{source}: the times of column {names} cannot be read, such as {best[1]}. Use "
        "df.set_index(pd.to_datetime(...)) with the column that holds the times."
    )


def _cells(df: pd.DataFrame, position: int | None) -> list[str]:
    return [] if position is None else [as_written(cell) for cell in df.iloc[:, position].tolist()]


def _nanoseconds(index: pd.DatetimeIndex, source: str) -> pd.DatetimeIndex:
    if index.hasnans:
        row = int(np.flatnonzero(index.isna())[0])
        raise DataError(f"{source}: row {row} (from 0) has no time (NaT). Remove the row.")
    try:
        return index.as_unit("ns")
    except pd.errors.OutOfBoundsDatetime:
        raise DataError(
            f"{source} has times outside the years 1678 to 2261 ({index.min()} to "
            f"{index.max()}). Correct them."
        ) from None


def _localized(index: pd.DatetimeIndex, source: str, reading: Reading) -> pd.DatetimeIndex:
    """In the zone that the user named, if it has none."""
    if reading.zone is None or index.tz is not None:
        return index
    moments, states = to_utc(index.asi8, reading.zone)
    wrong = np.flatnonzero(states != Local.FOUND)
    if len(wrong):
        row = int(wrong[0])
        what = "was there twice" if states[row] == Local.TWICE else "was left out"
        raise DataError(
            f"{source}: the time {index[row]} {what} in {reading.time_zone} that night, as the "
            "clocks were changed. Give times in UTC."
        )
    utc = pd.DatetimeIndex(moments.view("datetime64[ns]"), tz="UTC")
    return utc.tz_convert(reading.time_zone)


def as_floats(column: "pd.Series[Any]") -> npt.NDArray[np.float64]:
    """The column as float64, NaN where a value is no real number, as times are none."""
    if column.dtype.kind in "bcmM":
        return np.full(len(column), np.nan)
    if column.dtype.kind not in "iuf":
        column = pd.Series([_real(value) for value in column.tolist()], dtype=object)
    found = pd.to_numeric(column, errors="coerce")
    return found.to_numpy(dtype=np.float64, na_value=np.nan)


def _real(value: object) -> object:
    """A number or the text of one; otherwise NaN."""
    if isinstance(value, bool | np.bool_ | np.timedelta64 | np.datetime64):
        return np.nan
    if isinstance(value, str):
        return value
    try:
        return float(value) if isinstance(value, numbers.Real | Decimal) else np.nan
    except OverflowError:  # a whole number or a fraction that no double holds
        return np.inf
    except ValueError:  # a Decimal that signals that it is none
        return np.nan
