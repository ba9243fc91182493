"""Which segments and folders still have an owner, and taking away those that have none.

A process that is killed removes nothing. Python's resource tracker and the workers clean up after
it, but all of them can be killed with it. So an owner locks what it makes (`flock`), and the
system opens the lock when the last process that holds it has gone. That tells the dead from the
living whatever their process ids: one that was given to another process since, or that means
nothing here because the owner lives in another container that shares `/dev/shm`.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # On Windows a segment goes with its last user.
    fcntl = None  # type: ignore[assignment]

#: Leftovers are recognizable by this prefix, in /dev/shm and in the folder for temporary files.
PREFIX = "bigbar_"

#: Of names whose owner holds a lock; what has none says nothing about its owner by being unlocked.
_LOCKED = "k"

#: With process id and random part a name stays under the 31 characters that macOS allows.
_SEGMENT = re.compile(rf"{PREFIX}\d+_{_LOCKED}[0-9a-f]{{10}}")
_FOLDER = re.compile(rf"{PREFIX}\d+_{_LOCKED}[a-z0-9_]{{8}}")

#: Where Linux shows segments and semaphores as files.
SHARED_MEMORY = Path("/dev/shm")


def new_segment_name() -> str:
    """A name that nobody has, for a segment that is going to be locked."""
    return f"{PREFIX}{os.getpid()}_{_LOCKED}{secrets.token_hex(5)}"


def new_folder() -> tuple[Path, int | None]:
    """A folder for temporary files that only this user may enter, and its lock.

    Returns
    -------
    folder : Path
    descriptor : int or None
        The folder is locked until this is closed, here and in every process forked from this one.
        None where the system has no locks of this kind.

    Raises
    ------
    OSError
        There is no place for one.
    """
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}_{_LOCKED}"))
        if fcntl is None:
            return folder, None
        with contextlib.suppress(FileNotFoundError):  # Taken for a leftover before it was locked.
            descriptor = os.open(folder, os.O_RDONLY)
            if lock(descriptor, folder):
                return folder, descriptor
            os.close(descriptor)


def remove_folder(folder: Path, descriptor: int | None) -> None:
    """Remove what `new_folder` made."""
    shutil.rmtree(folder, ignore_errors=True)
    if descriptor is not None:
        os.close(descriptor)


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for the block; the next run removes it if this process is killed meanwhile."""
    folder, descriptor = new_folder()
    try:
        yield folder
    finally:
        remove_folder(folder, descriptor)


def lock(descriptor: int, path: Path) -> bool:
    """Mark what was just made as having an owner, until the descriptor is closed everywhere.

    Returns
    -------
    bool
        False if it was taken for a leftover, and removed, before it could be marked. Where locks
        are not to be had it cannot be, and the answer is True.
    """
    if fcntl is None or descriptor < 0 or not path.parent.is_dir():
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:
        return True
    return _is_at(descriptor, path)


def remove_leftovers() -> int:
    """Remove this user's segments, semaphores and folders whose owner has gone.

    Returns
    -------
    int
        How many there were.
    """
    if fcntl is None:
        return 0
    removed = 0
    for path in _named(SHARED_MEMORY, _SEGMENT):
        with _if_it_has_no_owner(path) as free:
            if free:
                for semaphore in semaphores_of(path.name):
                    semaphore.unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    path.unlink()
                    removed += 1
    for path in _named(Path(tempfile.gettempdir()), _FOLDER):
        with _if_it_has_no_owner(path) as free:
            if free:
                shutil.rmtree(path, ignore_errors=True)
                removed += not path.exists()
    return removed


def semaphores_of(segment: str) -> list[Path]:
    """The semaphores that are named after a segment, where the system shows them as files.

    They cannot be locked themselves. Their names begin with that of the segment and a hyphen.
    """
    return _named(SHARED_MEMORY, re.compile(rf"sem\.{re.escape(segment)}-.+"))


def made_by(pid: int, name: str) -> bool:
    """Whether a segment, or the file of a folder, was made by a process that is known to us."""
    path = Path(name)
    return (path.name if path.parent == Path() else path.parent.name).startswith(f"{PREFIX}{pid}_")


def has_no_owner(path: Path) -> bool:
    """Whether a segment or a folder is there, and ours, and its owner has gone for certain.

    A process forked from the owner holds the lock as well: this is for others to ask.
    """
    with _if_it_has_no_owner(path) as free:
        return free


def _named(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if pattern.fullmatch(path.name)]
    except OSError:
        return []


@contextlib.contextmanager
def _if_it_has_no_owner(path: Path) -> Iterator[bool]:
    """Hold the lock meanwhile: nobody else removes it, and no owner can take it for its own."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # Gone, a link, or somebody else's.
        yield False
        return
    try:
        yield _is_free(descriptor, path)
    finally:
        os.close(descriptor)


def _is_free(descriptor: int, path: Path) -> bool:
    found = os.fstat(descriptor)
    ours = found.st_uid == os.geteuid()
    if not ours or not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return _is_at(descriptor, path)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False
