"""Blocks of bytes that several processes see: shared memory, or a mapped file in its place.

Mappings are never closed by hand: an array keeps the mapping it looks at alive through its base,
so a view can never outlive its memory, and the memory goes with the last view.
"""

from __future__ import annotations

import contextlib
import importlib
import mmap
import os
import secrets
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bigbar._signals import signals_deferred
from bigbar.errors import BigBarError

if TYPE_CHECKING:
    from multiprocessing.shared_memory import SharedMemory

Kind = Literal["shared_memory", "file"]

# Leftovers are recognizable by this prefix, in /dev/shm and in the folder for temporary files.
# With process id and random part a name stays under the 31 characters that macOS allows.
PREFIX = "bigbar_"

# What a worker must do when its parent was killed and can no longer clean up (see `bigbar.pool`).
ORPHAN_HOOKS: list[Callable[[], object]] = []

_folders_with_a_hook: set[Path] = set()


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

    kind: Kind
    name: str
    nbytes: int


class Block:
    """A block of shared bytes and its owner: whoever closes it removes it from the system.

    A block that nobody closed is removed when it is garbage collected or the interpreter ends;
    a shared-memory one also when the process is killed, by multiprocessing's resource tracker.
    A process forked from the owner never removes it.

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

    name = _new_name()
    with signals_deferred():  # between making it and noting it down, nobody would clean it up
        memory = SharedMemory(name, create=True, size=nbytes)
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
    if handle.kind == "file":
        _remove_when_orphaned(Path(handle.name).parent)
    return mapping


def remove_block(handle: BlockHandle) -> None:
    """Remove a block whose owner is another process; nothing happens if it is gone."""
    if handle.kind == "file":
        shutil.rmtree(Path(handle.name).parent, ignore_errors=True)
    elif sys.platform != "win32":  # elsewhere a segment goes with its last user
        posix = importlib.import_module("_posixshmem")

        with contextlib.suppress(FileNotFoundError):
            posix.shm_unlink("/" + handle.name)


def _create_file(nbytes: int, reason: str) -> Block:
    with signals_deferred():
        folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}_"))  # mode 0700
        path = folder / "block"
        try:
            with path.open("xb") as file:
                file.truncate(nbytes)
                _reserve(file.fileno(), nbytes)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        release = partial(shutil.rmtree, folder, ignore_errors=True)
        return Block(BlockHandle("file", str(path), nbytes), release, reason=reason)


def _reserve(descriptor: int, nbytes: int) -> None:
    if hasattr(os, "posix_fallocate") and descriptor >= 0:
        os.posix_fallocate(descriptor, 0, nbytes)


def _new_name() -> str:
    return f"{PREFIX}{os.getpid()}_{secrets.token_hex(6)}"


def _remove_segment(memory: SharedMemory) -> None:
    memory.close()
    try:
        memory.unlink()
    except FileNotFoundError:
        # Somebody was faster. The tracker must forget it all the same, or it complains at exit.
        from multiprocessing import resource_tracker

        resource_tracker.unregister("/" + memory.name, "shared_memory")


def _release_in_owner(owner: int, handle: BlockHandle, release: Callable[[], None]) -> None:
    if os.getpid() == owner:
        SHARED_MEMORY_IN_USE.change(handle, -1)
        release()


def _remove_when_orphaned(folder: Path) -> None:
    if folder not in _folders_with_a_hook:
        _folders_with_a_hook.add(folder)
        ORPHAN_HOOKS.append(partial(shutil.rmtree, folder, ignore_errors=True))
