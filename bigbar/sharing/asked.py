"""Points that a search asks for while a run goes on, where every worker sees them.

Workers of other machines see none of that memory: they have room of their own, and what is to be
run of it goes with each task.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from bigbar.errors import BigBarError
from bigbar.parameter import Parameter
from bigbar.sharing.blocks import Block, BlockHandle, create_block, open_block
from bigbar.space import Space

#: Of this process, where the block is on another machine, by the block's name.
_rooms: WeakValueDictionary[str, NDArray[np.int64]] = WeakValueDictionary()


class AskedSpace(Space):
    """A space whose points are filled in while a run goes on; sent to a worker, the same one.

    Where the block cannot be seen, a worker has the same room of its own.

    Parameters
    ----------
    parameters : sequence of Parameter
    handle : BlockHandle
        Of the numbers that its points have in the product, an int64 each.
    room : int
        Points at most; those that are not filled in yet stand for the first of the product.
    writable : bool, optional
        For whoever fills them in.

    Attributes
    ----------
    numbers : ndarray of int64, shape (room,)
        To be filled in, each before it is run.
    """

    def __init__(
        self,
        parameters: Sequence[Parameter],
        handle: BlockHandle,
        room: int,
        *,
        writable: bool = False,
    ) -> None:
        self._handle, self._room = handle, room
        self.numbers = _room_of(handle, room, writable=writable)
        super().__init__(parameters, self.numbers, is_sample=True)

    def __reduce__(self) -> tuple[Any, ...]:
        return AskedSpace, (self.parameters, self._handle, self._room)

    @property
    def _key(self) -> tuple[Any, ...]:
        return self._handle.name, self._room

    def fill(self, start: int, numbers: NDArray[np.int64]) -> None:
        """Have some points, in a worker that does not see where they are filled in."""
        if self.numbers.flags.writeable:
            self.numbers[start : start + len(numbers)] = numbers

    def so_far(self, count: int) -> Space:
        """The first of its points, for good."""
        return Space(self.parameters, self.numbers[:count].copy(), is_sample=True)


def _room_of(handle: BlockHandle, room: int, *, writable: bool) -> NDArray[np.int64]:
    """The numbers in a block, read-only as a rule; room of this process if that is elsewhere."""
    try:
        return np.frombuffer(open_block(handle, writable=writable), np.int64, room)
    except BigBarError:
        own = _rooms.get(handle.name)
        if own is None:
            own = _rooms[handle.name] = np.zeros(room, np.int64)
        return own


def room_for(parameters: Sequence[Parameter], room: int) -> tuple[AskedSpace, Block]:
    """A space for so many points, and the block that holds their numbers, to be closed."""
    block = create_block(8 * room)
    try:
        return AskedSpace(parameters, block.handle, room, writable=True), block
    except BaseException:
        block.close()
        raise
