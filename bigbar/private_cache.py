"""What is kept between runs for this user alone, each file under a digest of its name and contents.

A byte that flipped on the disk is noticed, and a file that is another one's is not taken for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

#: Of SHA-256, before the contents.
_DIGEST_BYTES = 32


class Damaged(Exception):
    """A file does not hold what was kept in it."""


def find_folder(beside: Path, name: str, *, given: str) -> Path | None:
    """Where something can be kept.

    In the folder that is given; else beside the sources, in the user's cache, or, for a user
    without rights or home, in the folder for temporary files.

    Parameters
    ----------
    beside : Path
        The folder beside the sources.
    name : str
        Of the folder in there.
    given : str
        A folder that was asked for; empty for none.

    Returns
    -------
    Path or None
        None where nothing can be written at all.
    """
    places = [Path(given) / "bigbar"] if given else [beside, *_in_the_users_cache()]
    for place in places:
        if _can_be_written(place):
            return place / name
    temporary = Path(tempfile.gettempdir()) / f"bigbar-cache-{_user()}"
    return temporary / name if _is_private(temporary) and _can_be_written(temporary) else None


def read(path: Path, key: str) -> bytes | None:
    """What was kept by a key; None where nothing was.

    Raises
    ------
    Damaged
        If that is not what the file holds.
    """
    try:
        kept = path.read_bytes()
    except OSError:
        return None
    digest, contents = kept[:_DIGEST_BYTES], kept[_DIGEST_BYTES:]
    if digest != _digest(key, contents):
        raise Damaged(str(path))
    return contents


def write(path: Path, key: str, contents: bytes) -> None:
    """Keep something by a key, whole or not at all.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(_digest(key, contents) + contents)
        unfinished.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise


def _in_the_users_cache() -> Iterator[Path]:
    with contextlib.suppress(RuntimeError):  # Nobody knows where this user's home is.
        yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bigbar"


def _can_be_written(place: Path) -> bool:
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return True
    except OSError:
        return False


def _is_private(folder: Path) -> bool:
    """Make a folder that nobody else can put anything into; whether it is one."""
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
    except OSError:
        return False
    if not hasattr(os, "geteuid"):  # On Windows the folder is within the user's own.
        return stat.S_ISDIR(found.st_mode)
    private = not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(found.st_mode) and private and found.st_uid == os.geteuid()


def _user() -> str:
    return str(os.geteuid()) if hasattr(os, "geteuid") else "own"


def _digest(key: str, contents: bytes) -> bytes:
    digest = hashlib.sha256(key.encode())
    digest.update(b"\0")
    digest.update(contents)
    return digest.digest()
