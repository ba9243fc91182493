"""Publish a DataFrame once; let any number of processes look at it without a copy.

The numbers go into one block of float64, shape (stored columns, rows), so that every column is
contiguous. Booleans are stored as 0.0 and 1.0. What a float64 cannot hold to the last bit (wide
integers, dates, the time index) is stored as its 64-bit pattern. Everything else (strings,
categories) and how to put the frame together again goes, pickled, into a description: a second
segment, or, where a file takes the place of shared memory, the `Descriptor` itself, because
nothing is ever unpickled from a file.
"""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from bigbar.errors import BigBarError, DataError
from bigbar.sharing.blocks import (
    Block,
    BlockHandle,
    BlockKind,
    create_block,
    create_segment,
    open_block,
)
from bigbar.sharing.columns import Description, decode, encode
from bigbar.sharing.objects import SharedObject, carried, load, share

__all__ = [
    "Attachment",
    "CarriedFrame",
    "Descriptor",
    "Publication",
    "SharedObject",
    "attach",
    "publish",
]


@dataclass(frozen=True)
class Descriptor:
    """All that another process needs to find a published frame; small and picklable.

    Parameters
    ----------
    block : BlockHandle
        The float64 block.
    shape : tuple of int
        (stored columns, rows) of the block; a time index counts as a column.
    description : BlockHandle or bytes
        The segment with the pickled description, or the pickle itself.
    """

    block: BlockHandle
    shape: tuple[int, int]
    description: BlockHandle | bytes

    @property
    def kind(self) -> BlockKind:
        """`"shared_memory"`, or `"file"` for the fallback."""
        return self.block.kind

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the shared-memory segments, or the path of the file."""
        if isinstance(self.description, bytes):
            return (self.block.name,)
        return (self.block.name, self.description.name)


@dataclass(frozen=True, eq=False)
class CarriedFrame:
    """A published frame, carried to processes that do not share memory with this one.

    Attributes
    ----------
    block : ndarray
        The float64 block, shape (stored columns, rows).
    description : bytes
        What turns it back into a frame.
    """

    block: npt.NDArray[np.float64]
    description: bytes


class Publication:
    """A published frame and its owner; leaving the `with` block removes it from the system.

    Attributes
    ----------
    descriptor : Descriptor
        Give this to the processes that shall `attach`.
    kind : {"shared_memory", "file"}
    nbytes : int
        Bytes of the block and its description.
    reason : str or None
        Why a file was taken in place of shared memory, in words.
    """

    def __init__(self, descriptor: Descriptor, blocks: list[Block], nbytes: int) -> None:
        self.descriptor = descriptor
        self.kind: BlockKind = descriptor.kind
        self.nbytes = nbytes
        self.reason = blocks[0].reason
        self._blocks = blocks

    def share(self, thing: object) -> SharedObject:
        """Publish an object beside the frame, once; `Attachment.load` sees it.

        Parameters
        ----------
        thing : object
            Picklable. Arrays in it that are views of the published frame, as an `Attachment` of
            this process has it, are not stored again.

        Raises
        ------
        BigBarError
            There is room neither in shared memory nor in the folder for temporary files.
        """
        shared, block = share(thing, self.attachment.block)
        self.nbytes += len(shared.pickled)
        if block is not None:
            self._blocks.append(block)
            self.nbytes += block.handle.nbytes
            self.reason = self.reason or block.reason
        return shared

    def carried(
        self, shared: SharedObject | None = None
    ) -> tuple[CarriedFrame, SharedObject | None]:
        """The frame, and what was shared beside it, for processes that share no memory with this.

        The arrays are views of what is published: whoever sends them makes the copy.
        """
        frame = CarriedFrame(self.attachment.block, bytes(_description_of(self.descriptor)))
        return frame, None if shared is None else carried(shared)

    @cached_property
    def attachment(self) -> Attachment:
        """The frame as this process sees it."""
        return attach(self.descriptor)

    def close(self) -> None:
        """Remove everything from the system; a second call does nothing."""
        with contextlib.ExitStack() as stack:  # one that refuses must not keep the others
            for block in self._blocks:
                stack.callback(block.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def publish(frame: pd.DataFrame, payload: object = None) -> Publication:
    """Copy a frame into shared memory, once, for any number of processes.

    Parameters
    ----------
    frame : DataFrame
        Columns of any types; their names must be unique.
    payload : object
        Anything picklable that shall travel along (grid, settings).

    Returns
    -------
    Publication

    Raises
    ------
    DataError
        The frame has no rows, no columns, or two columns of the same name.
    BigBarError
        There is room neither in shared memory nor in the folder for temporary files.
    """
    _refuse_unusable(frame)
    stored: list[npt.NDArray[Any]] = []
    columns = [encode(frame.iloc[:, position], stored) for position in range(frame.shape[1])]
    index = encode(frame.index, stored)
    pickled = pickle.dumps(
        Description(
            names=frame.columns,
            columns=columns,
            index=index,
            index_name=frame.index.name,
            frequency=getattr(frame.index, "freq", None),
            payload=payload,
        ),
        protocol=pickle.HIGHEST_PROTOCOL,
    )
    shape = (len(stored), len(frame))
    with contextlib.ExitStack() as undo:
        block = create_block(max(8 * shape[0] * shape[1], 8))
        undo.callback(block.close)
        _fill(block.handle, shape, stored)
        second = _describe_in_shared_memory(pickled) if block.handle.kind != "file" else None
        undo.pop_all()
    described = pickled if second is None else second.handle
    return Publication(
        Descriptor(block.handle, shape, described),
        [block] if second is None else [block, second],
        block.handle.nbytes + len(pickled),
    )


class Attachment:
    """A published frame as seen from any process: read-only and, where possible, zero-copy.

    Views stay valid after `close`, and after the publisher has gone: closing only lets go.

    Attributes
    ----------
    payload : object
        What was published along with the frame.
    names : list
        Column names, in order.
    """

    def __init__(self, block: npt.NDArray[np.float64], description: Description) -> None:
        self._block: npt.NDArray[np.float64] | None = block
        self._description = description
        self.payload = description.payload
        self.names: list[Hashable] = list(description.names)

    def column(self, name: Hashable) -> npt.NDArray[Any]:
        """One column, without a copy.

        Parameters
        ----------
        name : hashable

        Returns
        -------
        ndarray
            Shape (rows,), read-only, contiguous. float64 for anything that float64 holds
            exactly, booleans as 0.0 and 1.0 among them; int64 or uint64 for wider integers;
            datetime64 (UTC for columns with a zone) or timedelta64 for times.

        Raises
        ------
        DataError
            There is no such column, or it is not a number or a time.
        """
        if name not in self.names:
            raise DataError(f"No column {name!r} was published, only {self.names}.")
        recipe = self._description.columns[self.names.index(name)]
        if recipe.row is None:
            raise DataError(f"Column {name!r} holds neither numbers nor times: see frame().")
        row = self.block[recipe.row]
        return row if recipe.raw is None else row.view(recipe.raw)

    def frame(self) -> pd.DataFrame:
        """The frame as it was published: columns, types, index, name, time zone, frequency.

        Returns
        -------
        DataFrame
            float64 columns are views of the shared block and cannot be written to; columns of
            narrower types are copies.
        """
        block, description = self.block, self._description
        index = decode(description.index, block)
        if not isinstance(index, pd.Index):
            index = pd.Index(index, copy=False)
        if description.index.row is not None:
            index.name = description.index_name
            if description.frequency is not None:
                index.freq = description.frequency
        frame = pd.DataFrame(
            {at: decode(recipe, block) for at, recipe in enumerate(description.columns)},
            index=index,
            copy=False,
        )
        frame.columns = description.names
        return frame

    def load(self, shared: SharedObject) -> Any:
        """An object that was published beside the frame; its arrays are read-only views.

        Raises
        ------
        BigBarError
            The publication was closed.
        """
        return load(shared, self.block)

    def close(self) -> None:
        """Let go of the memory; it is unmapped with the last view of it."""
        self._block = None

    @property
    def block(self) -> npt.NDArray[np.float64]:
        """The whole block, shape (stored columns, rows), read-only."""
        if self._block is None:
            raise BigBarError("The shared data was already closed in this process.")
        return self._block

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def attach(descriptor: Descriptor | CarriedFrame) -> Attachment:
    """Look at a published frame, from any process of the same machine and user, or a carried one.

    Parameters
    ----------
    descriptor : Descriptor or CarriedFrame

    Returns
    -------
    Attachment

    Raises
    ------
    BigBarError
        The publication was closed, or its process has ended.
    """
    if isinstance(descriptor, CarriedFrame):
        return Attachment(descriptor.block, pickle.loads(descriptor.description))
    block = _as_table(open_block(descriptor.block), descriptor.shape)
    return Attachment(block, pickle.loads(_description_of(descriptor)))


def _description_of(descriptor: Descriptor) -> bytes:
    if isinstance(descriptor.description, bytes):
        return descriptor.description
    return open_block(descriptor.description)[:]


def _refuse_unusable(frame: pd.DataFrame) -> None:
    rows, columns = frame.shape
    if not rows or not columns:
        raise DataError(
            f"A frame with {rows} rows and {columns} columns cannot be shared: there is nothing "
            "in it."
        )
    if not frame.columns.is_unique:
        doubles = sorted({str(name) for name in frame.columns[frame.columns.duplicated()]})
        raise DataError(f"Columns of the same name cannot be shared: {', '.join(doubles)}.")


def _fill(handle: BlockHandle, shape: tuple[int, int], stored: list[npt.NDArray[Any]]) -> None:
    table = _as_table(open_block(handle, writable=True), shape)
    for row, array in zip(table, stored, strict=True):
        row[:] = array


def _as_table(buffer: Any, shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    return np.frombuffer(buffer, dtype=np.float64, count=shape[0] * shape[1]).reshape(shape)


def _describe_in_shared_memory(pickled: bytes) -> Block | None:
    try:
        block = create_segment(len(pickled))
    except (OSError, ImportError):
        return None  # the last page was taken by the block: the descriptor carries it
    open_block(block.handle, writable=True)[: len(pickled)] = pickled
    return block
