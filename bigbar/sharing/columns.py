"""How a column or an index of any type becomes a row of float64, or a pickle, and back again."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

# Integers up to here are exact in a float64, whose mantissa has 53 bits.
_EXACT_INTEGER = 2**53


@dataclass(frozen=True)
class Recipe:
    """How one column, or the index, comes back.

    Parameters
    ----------
    row : int or None
        Its row in the float64 block; None if it was pickled.
    dtype : dtype
        The numpy or pandas type to give back.
    raw : numpy.dtype or None
        The row holds 64-bit patterns of this type; None if it holds plain numbers.
    pickled : Index or array
        The thing itself, if it is in no row.
    """

    row: int | None = None
    dtype: Any = None
    raw: np.dtype[Any] | None = None
    pickled: Any = None


@dataclass(frozen=True)
class Description:
    """What turns the float64 block back into a frame; pickled beside the block."""

    names: pd.Index
    columns: list[Recipe]
    index: Recipe
    index_name: Hashable
    frequency: Any
    payload: object


def encode(values: Any, rows: list[npt.NDArray[Any]]) -> Recipe:
    """Decide how a column or an index is kept.

    Parameters
    ----------
    values : Series or Index
    rows : list of ndarray
        What goes into the block is added here: plain numbers of any type that float64 can hold
        exactly, or 64-bit patterns seen as float64, which are only ever copied.

    Returns
    -------
    Recipe
    """
    dtype = values.dtype
    if isinstance(values, pd.RangeIndex):
        return Recipe(pickled=values)
    if isinstance(dtype, pd.DatetimeTZDtype):
        index = pd.DatetimeIndex(values)
        return _keep_bits(np.asarray(index.tz_convert("UTC").tz_localize(None)), dtype, rows)
    if not isinstance(dtype, np.dtype) or dtype.kind not in "bfiumM" or dtype.itemsize > 8:
        return Recipe(pickled=values if isinstance(values, pd.Index) else values.array)
    array = np.asarray(values)
    if dtype.kind in "mM" or (dtype.kind in "iu" and not _exact_in_float(array)):
        return _keep_bits(array.astype(dtype.newbyteorder("="), copy=False), dtype, rows)
    rows.append(array)
    return Recipe(len(rows) - 1, dtype)


def decode(recipe: Recipe, block: npt.NDArray[np.float64]) -> Any:
    """The column or index that `encode` saw; a view of the block for float64, bits and times.

    Parameters
    ----------
    recipe : Recipe
    block : ndarray
        Shape (stored columns, rows).

    Returns
    -------
    ndarray, Index or ExtensionArray
    """
    if recipe.row is None:
        return recipe.pickled
    row = block[recipe.row]
    if recipe.raw is None:
        return row.astype(recipe.dtype, copy=False)
    if isinstance(recipe.dtype, pd.DatetimeTZDtype):
        return zoned(row.view(np.int64), recipe.dtype)
    return row.view(recipe.raw).astype(recipe.dtype, copy=False)


def zoned(times: npt.NDArray[np.int64], dtype: pd.DatetimeTZDtype) -> pd.DatetimeIndex:
    """Times with a zone, without a copy: integers are taken to be UTC, in the type's unit."""
    return pd.DatetimeIndex(times, dtype=dtype, copy=False)


def _keep_bits(array: npt.NDArray[Any], dtype: Any, rows: list[npt.NDArray[Any]]) -> Recipe:
    rows.append(np.ascontiguousarray(array).view(np.float64))
    return Recipe(len(rows) - 1, dtype, array.dtype)


def _exact_in_float(array: npt.NDArray[Any]) -> bool:
    return int(array.min()) >= -_EXACT_INTEGER and int(array.max()) <= _EXACT_INTEGER
