"""Objects whose arrays are large, in shared memory: the arrays in a block, the rest in a pickle."""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.sharing.blocks import Block, BlockHandle, create_block, open_block
from bigbar.sharing.columns import zoned

#: Arrays begin at multiples of this, a line of the processor's cache.
_ALIGNMENT = 64


@dataclass(frozen=True)
class SharedObject:
    """All that another process needs to see a published object; small and picklable.

    Attributes
    ----------
    pickled : bytes
        What is not in a block; from this program's own memory, never from a file.
    spans : tuple of (bool, int, int)
        Of each array: whether it is in the block of the frame, where it begins and ends.
    block : BlockHandle or ndarray or None
        Of the arrays that are not; None if there are none. The bytes themselves where it is carried
        to a process that does not share memory with this one.
    """

    pickled: bytes
    spans: tuple[tuple[bool, int, int], ...]
    block: BlockHandle | NDArray[np.uint8] | None


def share(thing: object, frame: NDArray[np.float64]) -> tuple[SharedObject, Block | None]:
    """Put an object's arrays into a block, except views of a frame that is in one already.

    Parameters
    ----------
    thing : object
        Picklable.
    frame : ndarray
        The frame's block.

    Returns
    -------
    shared : SharedObject
    block : Block or None
        To be closed by the caller.

    Raises
    ------
    BigBarError
        There is room neither in shared memory nor in the folder for temporary files.
    """
    pickles: list[pickle.PickleBuffer] = []
    written = io.BytesIO()
    _Pickler(written, protocol=5, buffer_callback=pickles.append).dump(thing)
    arrays = [np.frombuffer(one.raw(), np.uint8) for one in pickles]
    known: dict[tuple[int, int], tuple[bool, int, int]] = {}  # Views of one array: stored once.
    size = 0
    for array in arrays:
        begin = _address(array) - _address(frame)
        if begin >= 0 and begin + array.nbytes <= frame.nbytes:
            known[_place(array)] = True, begin, begin + array.nbytes
        elif _place(array) not in known:
            known[_place(array)] = False, size, size + array.nbytes
            size += -(-array.nbytes // _ALIGNMENT) * _ALIGNMENT
    spans = tuple(known[_place(array)] for array in arrays)
    block = create_block(size) if size else None
    if block is not None:
        room = memoryview(open_block(block.handle, writable=True))
        for array, (in_frame, begin, end) in zip(arrays, spans, strict=True):
            if not in_frame:
                room[begin:end] = array.data
    handle = None if block is None else block.handle
    return SharedObject(written.getvalue(), spans, handle), block


def load(shared: SharedObject, frame: NDArray[np.float64]) -> Any:
    """The object; its arrays are read-only views that stay valid as long as they are referred to.

    Parameters
    ----------
    shared : SharedObject
    frame : ndarray
        The frame's block, read-only.

    Raises
    ------
    BigBarError
        The block is gone.
    """
    first = frame.data.cast("B")
    second = memoryview(b"")
    if isinstance(shared.block, np.ndarray):
        second = shared.block.data
    elif shared.block is not None:
        second = memoryview(open_block(shared.block))
    views: Sequence[memoryview] = [
        (first if in_frame else second)[begin:end] for in_frame, begin, end in shared.spans
    ]
    return pickle.loads(shared.pickled, buffers=views)


def carried(shared: SharedObject) -> SharedObject:
    """The same with its bytes in place of their name: for processes that share no memory."""
    if not isinstance(shared.block, BlockHandle):
        return shared
    return replace(shared, block=np.frombuffer(open_block(shared.block), np.uint8))


class _Pickler(pickle.Pickler):
    """Pandas writes the times of an index into the pickle, not into a buffer beside it."""

    def reducer_override(self, thing: Any) -> Any:
        if type(thing) is not pd.DatetimeIndex:
            return NotImplemented
        return _index_of, (thing.asi8, thing.dtype, thing.name)


def _index_of(times: NDArray[np.int64], dtype: Any, name: Any) -> pd.DatetimeIndex:
    zone = isinstance(dtype, pd.DatetimeTZDtype)
    index = zoned(times, dtype) if zone else pd.DatetimeIndex(times.view(dtype), copy=False)
    index.name = name
    return index


def _place(array: NDArray[Any]) -> tuple[int, int]:
    return _address(array), array.nbytes


def _address(array: NDArray[Any]) -> int:
    return int(array.ctypes.data)
