"""A DataFrame in shared memory by the name of its segment, for scripts that hand out names only."""

from __future__ import annotations

import base64
import pickle
import re

import numpy as np
import numpy.typing as npt
import pandas as pd

from bigbar.errors import DataError, SettingsError
from bigbar.given import refusal, whole
from bigbar.printable import shown
from bigbar.sharing.blocks import (
    BlockHandle,
    remove_block,
)
from bigbar.sharing.frames import Descriptor, Publication, attach, publish

# What the names of the first version of this program hold on to, by the name of the block.
_published: dict[str, Publication] = {}

_INLINE = "inline:"

#: Names of segments, and paths of the files that take their place.
_OURS = re.compile(r"bigbar_\w+|(?P<file>.*[/\\]bigbar_\w+[/\\]block)", re.DOTALL)

_AS_RETURNED = "as create_shared_memory_dataframe returned it"


def create_shared_memory_dataframe(
    df: pd.DataFrame,
) -> tuple[str, tuple[int, int], np.dtype[np.float64], str]:
    """Publish a frame and return the names by which `load_from_shared_memory` finds it.

    It stays until `cleanup_shared_memory`, or until this process ends.

    Parameters
    ----------
    df : DataFrame

    Returns
    -------
    name : str
        Name of the segment, or path of the file that takes its place.
    shape : tuple of int
        Of the block: (stored columns, rows); a time index counts as a column.
    dtype : dtype
        float64.
    metadata_name : str
        Name of the segment with the description, or the description itself.
    """
    if not isinstance(df, pd.DataFrame):
        raise DataError(f"df is {shown(df)}, but must be a DataFrame")
    publication = publish(df)
    found = publication.descriptor
    _published[found.block.name] = publication
    if isinstance(found.description, bytes):
        metadata_name = _INLINE + base64.b64encode(found.description).decode("ascii")
    else:
        metadata_name = found.description.name
    return found.block.name, found.shape, np.dtype(np.float64), metadata_name


def load_from_shared_memory(
    name: str, shape: tuple[int, int], dtype: npt.DTypeLike, metadata_name: str
) -> pd.DataFrame:
    """The frame that `create_shared_memory_dataframe` published, in any process.

    Parameters
    ----------
    name, shape, dtype, metadata_name
        As `create_shared_memory_dataframe` returned them.

    Returns
    -------
    DataFrame
        All columns and the index. It stays valid for as long as it is referred to, even after
        `cleanup_shared_memory`.

    Raises
    ------
    BigBarError
        The data is gone.
    SettingsError
        Something is not as `create_shared_memory_dataframe` returned it.
    """
    if not isinstance(shape, tuple | list) or len(shape) != 2:
        raise refusal("shape", shape, f"a pair of numbers, {_AS_RETURNED}")
    columns, rows = (whole("a number of the shape", size) for size in shape)
    if not _is_float64(dtype):
        raise refusal("dtype", dtype, f"float64, {_AS_RETURNED}")
    block = _handle("name", name, max(8 * columns * rows, 8))
    descriptor = Descriptor(block, (columns, rows), _description_of(metadata_name))
    try:
        return attach(descriptor).frame()
    except (OSError, ValueError, LookupError, TypeError, pickle.UnpicklingError) as problem:
        raise SettingsError(
            f"{shown(name)} is not of the shape {shape}, or {shown(metadata_name)} does not "
            f"describe it; give both {_AS_RETURNED}"
        ) from problem


def _is_float64(dtype: object) -> bool:
    try:
        return isinstance(dtype, np.dtype | str | type) and np.dtype(dtype) == np.float64
    except TypeError:
        return False


def cleanup_shared_memory(name: str, metadata_name: str) -> None:
    """Remove what `create_shared_memory_dataframe` published; a second call does nothing.

    Parameters
    ----------
    name, metadata_name : str
        As `create_shared_memory_dataframe` returned them, in this process or another.

    Raises
    ------
    SettingsError
        They are not: nothing is removed then.
    """
    block = _handle("name", name, 0)
    description = _description_of(metadata_name)
    publication = _published.pop(name, None)
    if publication is not None:
        publication.close()
        return
    remove_block(block)
    if isinstance(description, BlockHandle):
        remove_block(description)


def _handle(what: str, name: str, nbytes: int) -> BlockHandle:
    """The block of a name, if it can be one of ours: removed with its folder, it is gone."""
    found = _OURS.fullmatch(name) if isinstance(name, str) else None
    if found is None:
        raise refusal(what, name, f"a name {_AS_RETURNED}")
    return BlockHandle("file" if found["file"] else "shared_memory", name, nbytes)


def _description_of(metadata_name: str) -> BlockHandle | bytes:
    if isinstance(metadata_name, str) and metadata_name.startswith(_INLINE):
        try:
            return base64.b64decode(metadata_name.removeprefix(_INLINE), validate=True)
        except ValueError as problem:
            raise refusal("metadata_name", metadata_name, f"a name {_AS_RETURNED}") from problem
    return _handle("metadata_name", metadata_name, 0)
