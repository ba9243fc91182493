"""Blocks of bytes that several processes see: shared memory, or a mapped file in its place.

Mappings are never closed by hand: an array keeps the mapping it looks at alive through its base,
so a view can never outlive its memory, and the memory goes with the last view.
"""

from __future__ import annotations

import contextlib
import importlib
import mmap
import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bigbar.errors import BigBarError
from bigbar.interrupts import signals_deferred
from bigbar.sharing.leftovers import (
    SHARED_MEMORY,
    lock,
    made_by,
    new_folder,
    new_segment_name,
    remove_folder,
    semaphores_of,
)
from bigbar.sharing.tracker import forget, forget_as_orphan, register

if TYPE_CHECKING:
    from multiprocessing.shared_memory import SharedMemory

BlockKind = Literal["shared_memory", "file"]

# What this process has looked at, by name: what a worker must remove when its parent was killed and
# can no longer clean up. A forked worker knows what its parent had looked at.
_looked_at: dict[str, BlockHandle] = {}


class SharedMemoryInUse:
    """How much shared memory this process has reserved.

    Attributes
    ----------
    now, most : int
        Bytes at this moment, and at most since `begin`.
    """

    def __init__(self) -> None:
        self.now = self.most = 0

    def begin(self) -> None:
        """Look for the most from here on."""
        self.most = self.now

    def change(self, handle: BlockHandle, sign: int) -> None:
        """A block was made (1) or removed (-1); one that is a file does not count."""
        if handle.kind == "shared_memory":
            self.now += sign * handle.nbytes
            self.most = max(self.most, self.now)


SHARED_MEMORY_IN_USE = SharedMemoryInUse()


@dataclass(frozen=True)
class BlockHandle:
    """Where a block of bytes can be found: small, picklable, valid in any process.

    Parameters
    ----------
    kind : {"shared_memory", "file"}
    name : str
        The segment's name, or the file's path.
    nbytes : int
        Bytes asked for; the system may have rounded the segment up to whole pages. To open a
        block, 0 stands for all of it.
    """

    kind: BlockKind
    name: str
    nbytes: int


class Block:
    """A block of shared bytes and its owner: whoever closes it removes it from the system.

    A block that nobody closed is removed when it is garbage collected or the interpreter ends;
    when the process is killed, by its workers or by multiprocessing's resource tracker; when all
    of these are killed, by the next run (see `bigbar.sharing.leftovers`). A process forked from the
    owner does not remove it while the owner lives.

    Attributes
    ----------
    handle : BlockHandle
    reason : str or None
        Why it is a file and not shared memory, in words.
    """

    def __init__(
        self, handle: BlockHandle, release: Callable[[], None], *, reason: str | None = None
    ) -> None:
        self.handle = handle
        self.reason = reason
        SHARED_MEMORY_IN_USE.change(handle, 1)
        self._release = weakref.finalize(self, _release_in_owner, os.getpid(), handle, release)

    def close(self) -> None:
        """Remove the block from the system; a second call does nothing.

        Mappings that exist stay valid, here and in other processes.
        """
        with signals_deferred():
            self._release()


def create_block(nbytes: int) -> Block:
    """Reserve shared memory, or a file in a private temporary folder where it cannot be had.

    Parameters
    ----------
    nbytes : int
        Size in bytes, at least 1. All of it is reserved now: writing cannot fail later.

    Returns
    -------
    Block
        Zero-filled.

    Raises
    ------
    BigBarError
        There is room neither in shared memory nor in the folder for temporary files.
    """
    try:
        return create_segment(nbytes)
    except (OSError, ImportError) as refused:
        reason = f"no shared memory could be had for {nbytes:,} bytes ({refused})"
    try:
        return _create_file(nbytes, reason)
    except OSError as refused:
        raise BigBarError(
            f"There is no room for the data: {reason}, and a temporary file of that size could "
            f"not be made either ({refused}). Free some space in {tempfile.gettempdir()}, or set "
            "TMPDIR to a folder that has some."
        ) from refused


def create_segment(nbytes: int) -> Block:
    """Reserve shared memory and nothing else.

    Raises
    ------
    OSError, ImportError
        It cannot be had: too small, not permitted, not there.
    """
    # Imported late: a Python built without shared memory fails here, and a file takes its place.
    from multiprocessing.shared_memory import SharedMemory

    with signals_deferred():  # between making it and noting it down, nobody would clean it up
        locked = False
        while not locked:
            name = new_segment_name()
            # Before it is there: `SharedMemory` does it afterwards, and a process that is killed in
            # between leaves what nobody knows of. To be told twice does not matter to the tracker.
            register("/" + name, "shared_memory")
            try:
                memory = SharedMemory(name, create=True, size=nbytes)
            except BaseException:
                forget("/" + name, "shared_memory")  # Or forgets it once more.
                raise
            locked = lock(getattr(memory, "_fd", -1), SHARED_MEMORY / name)
            if not locked:
                _remove_segment(memory)
        try:
            # On Linux any size can be created, and the first write beyond the end of the file
            # system kills the process (SIGBUS): only asking for the pages tells.
            _reserve(getattr(memory, "_fd", -1), nbytes)
        except BaseException:
            _remove_segment(memory)
            raise
        handle = BlockHandle("shared_memory", name, nbytes)
        return Block(handle, partial(_remove_segment, memory))


def open_block(handle: BlockHandle, *, writable: bool = False) -> mmap.mmap:
    """Map an existing block; the mapping lives as long as something refers to it.

    Nothing is registered with the resource tracker. (Opening a `SharedMemory` does that before
    Python 3.13, and the tracker of an unrelated process then removes what is not its own.)

    Parameters
    ----------
    handle : BlockHandle
    writable : bool
        Otherwise the pages are read-only, for the operating system too.

    Raises
    ------
    BigBarError
        The block is gone.
    """
    access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
    if sys.platform == "win32" and handle.kind == "shared_memory":
        from multiprocessing.shared_memory import SharedMemory

        nbytes = handle.nbytes or SharedMemory(handle.name).size
        return mmap.mmap(-1, nbytes, tagname=handle.name, access=access)
    flags = os.O_RDWR if writable else os.O_RDONLY
    try:
        if handle.kind == "shared_memory":
            posix = importlib.import_module("_posixshmem")

            descriptor = posix.shm_open("/" + handle.name, flags, mode=0o600)
        else:
            descriptor = os.open(handle.name, flags)
    except FileNotFoundError as gone:
        raise BigBarError(
            f"The shared data {handle.name!r} is gone: the process that published it has closed "
            "it or has ended."
        ) from gone
    try:
        mapping = mmap.mmap(descriptor, handle.nbytes, access=access)
    finally:
        os.close(descriptor)
    _looked_at[handle.name] = handle
    return mapping


def remove_block(handle: BlockHandle) -> None:
    """Remove a block whose owner is another process; nothing happens if it is gone."""
    if handle.kind == "file":
        shutil.rmtree(Path(handle.name).parent, ignore_errors=True)
    elif sys.platform != "win32":  # elsewhere a segment goes with its last user
        posix = importlib.import_module("_posixshmem")

        with contextlib.suppress(FileNotFoundError):
            posix.shm_unlink("/" + handle.name)


def remove_orphaned_blocks(owner: int) -> None:
    """Remove what a process that has been killed had given to this one to look at."""
    for handle in list(_looked_at.values()):
        if not made_by(owner, handle.name):
            continue
        if handle.kind == "file":
            remove_block(handle)
        else:
            remove_orphaned_segment(handle.name)


def remove_orphaned_segment(name: str) -> None:
    """Remove a segment of a process that has been killed, and the semaphores named after it."""
    if sys.platform == "win32":  # There it goes with its last user.
        return
    posix = importlib.import_module("_posixshmem")

    for semaphore in semaphores_of(name):
        with contextlib.suppress(FileNotFoundError):
            semaphore.unlink()
            forget_as_orphan("/" + semaphore.name.removeprefix("sem."), "semaphore")
    with contextlib.suppress(FileNotFoundError):
        posix.shm_unlink("/" + name)
        forget_as_orphan("/" + name, "shared_memory")


def _create_file(nbytes: int, reason: str) -> Block:
    with signals_deferred():
        folder, descriptor = new_folder()
        path = folder / "block"
        try:
            with path.open("xb") as file:
                file.truncate(nbytes)
                _reserve(file.fileno(), nbytes)
        except BaseException:
            remove_folder(folder, descriptor)
            raise
        release = partial(remove_folder, folder, descriptor)
        return Block(BlockHandle("file", str(path), nbytes), release, reason=reason)


def _reserve(descriptor: int, nbytes: int) -> None:
    if hasattr(os, "posix_fallocate") and descriptor >= 0:
        os.posix_fallocate(descriptor, 0, nbytes)


def _remove_segment(memory: SharedMemory) -> None:
    with signals_deferred():  # The garbage collector, too, is to remove it and have it forgotten.
        register("/" + memory.name, "shared_memory")
        memory.close()
        try:
            memory.unlink()
        except FileNotFoundError:
            # Somebody was faster. The tracker must forget it all the same, or it complains at exit.
            forget("/" + memory.name, "shared_memory")


def _release_in_owner(owner: int, handle: BlockHandle, release: Callable[[], None]) -> None:
    if os.getpid() == owner:
        _looked_at.pop(handle.name, None)
        SHARED_MEMORY_IN_USE.change(handle, -1)
        release()
