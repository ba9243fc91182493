"""Whose the files in a folder are: what this program did not write, it does not write over.

A file is the program's if the receipt in its folder names it with the digest that it has. A price
file, a store, and whatever is not a regular file are not written over at all, however they are
called: by another name of the same file, or by a link to it.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from bigbar.errors import SettingsError
from bigbar.store.receipt import FILES, RECEIPT, REPLACING, read_receipt
from bigbar.store.schema import APPLICATION_ID, RUNS, StoreError

#: What SQLite keeps beside a file while it is in use.
_COMPANIONS = ("-wal", "-shm", "-journal")


class Ways(NamedTuple):
    """What to do about a folder that cannot be used, in the words of whoever asked.

    Attributes
    ----------
    other : str
        How to name another folder.
    insist : str
        What writes over files that are not the program's.
    """

    other: str
    insist: str


BY_COMMAND = Ways("choose another folder with --output", "--force")
FROM_PYTHON = Ways("choose another folder", "force=True")

_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def sha256_of(path: Path) -> str:
    """Digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def receipt_in(folder: Path) -> dict[str, Any] | None:
    """The receipt of a folder; None where there is none that can be believed."""
    try:
        return read_receipt(folder / RECEIPT)
    except StoreError:
        return None


def named_in(receipt: Mapping[str, Any] | None) -> dict[str, set[str]]:
    """Digests of each file that a receipt names: of what stands there, or is about to."""
    found: dict[str, set[str]] = {}
    for part in (FILES, REPLACING):
        named = {} if receipt is None else receipt.get(part)
        for name, digests in named.items() if isinstance(named, dict) else ():
            texts = [digests] if isinstance(digests, str) else digests
            if isinstance(texts, list):
                found.setdefault(str(name), set()).update(t for t in texts if isinstance(t, str))
    return found


def is_named(path: Path, receipt: Mapping[str, Any] | None) -> bool:
    """Whether a regular file is the program's, by the receipt of its folder; itself included.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    if path.name == RECEIPT:
        return receipt is not None
    digests = named_in(receipt).get(path.name, set())
    return bool(digests) and sha256_of(path) in digests


def is_there(path: Path) -> bool:
    """Whether anything has this name, a link to nothing among it."""
    return os.path.lexists(path)


def kind_of(path: Path) -> str | None:
    """What a path is, in words; None for a regular file."""
    mode = os.lstat(path).st_mode
    return next((words for test, words in _KINDS if test(mode)), None)


def is_same(path: Path, other: os.stat_result | None) -> bool:
    """Whether a path leads to a file, under whatever name."""
    with suppress(OSError):
        return other is not None and os.path.samestat(path.stat(), other)
    return False


def place_of(file: object) -> os.stat_result | None:
    """Where a price file (a path, `-` for standard input) is on disk; None where it is not."""
    with suppress(OSError, ValueError, AttributeError):
        if isinstance(file, (str, os.PathLike)):
            return os.fstat(sys.stdin.fileno()) if file == "-" else os.stat(file)
        return os.fstat(file.fileno())  # type: ignore[attr-defined]
    return None


def is_store(path: Path) -> bool:
    """Whether a file is a store of runs, or what SQLite keeps beside one."""
    for suffix in _COMPANIONS:
        if path.name.endswith(suffix) and is_store(path.with_name(path.name.removesuffix(suffix))):
            return True
    with suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                head = file.read(72)
            return head[:16] == b"SQLite format 3\0" and head[68:] == APPLICATION_ID.to_bytes(4)
    return False


def stores_in(folder: Path) -> Iterator[Path]:
    """The names that belong to the store of a folder."""
    for suffix in ("", *_COMPANIONS):
        yield folder / f"{RUNS}{suffix}"


def refuse_to_lose(path: Path, source: os.stat_result | None, *, advice: str) -> None:
    """Refuse to write a file that may not be replaced, whoever insists.

    Parameters
    ----------
    path : Path
        To be written.
    source : os.stat_result or None
        The price file.
    advice : str
        What to do instead.

    Raises
    ------
    SettingsError
        If it is the price file, a store, or no regular file.
    """
    if is_same(path, source):
        raise SettingsError(f"{path} is the price file, and would be written over; {advice}")
    if is_store(path) or any(is_same(path, place_of(store)) for store in stores_in(path.parent)):
        raise SettingsError(f"{path} is a store of runs, and would be written over; {advice}")
    kind = kind_of(path) if is_there(path) else None
    if kind:
        raise SettingsError(f"cannot write {path}: it is {kind}, not a regular file; {advice}")


def refuse_to_lose_prices(path: Path, digests: Collection[str], *, advice: str) -> None:
    """Refuse to write over prices that are known by their digest only: they came by a pipe.

    Parameters
    ----------
    path : Path
        To be written.
    digests : collection of str
        SHA-256 of price files.
    advice : str
        What to do instead.

    Raises
    ------
    SettingsError
        If it has one of them.
    """
    with suppress(OSError):
        if path.is_file() and sha256_of(path) in digests:
            raise SettingsError(f"{path} is the price file, and would be written over; {advice}")


def check_folder(
    folder: Path,
    names: Iterable[str],
    source: os.stat_result | None,
    *,
    force: bool,
    ways: Ways = BY_COMMAND,
) -> None:
    """Refuse, before any work, an output folder where something would be lost.

    Parameters
    ----------
    folder : Path
        Need not be there.
    names : iterable of str
        Of the files that may be written.
    source : os.stat_result or None
        The price file.
    force : bool
        Whether files that this program did not write may be replaced.
    ways : Ways, optional
        What to say is to be done.

    Raises
    ------
    SettingsError
        With every file that is in the way.
    """
    advice = ways.other
    if is_same(folder, source):
        raise SettingsError(f"the output folder {folder} is the price file; {advice}")
    for store in stores_in(folder):
        if is_same(store, source):
            raise SettingsError(f"{store} is the price file, and the store's name; {advice}")
    paths = [folder / name for name in names]
    for path in paths:
        refuse_to_lose(path, source, advice=advice)
    receipt = receipt_in(folder)
    try:
        foreign = [p for p in paths if is_there(p) and not force and not is_named(p, receipt)]
    except OSError as problem:
        raise SettingsError(
            f"{problem.filename} cannot be read, so nobody knows whose it is "
            f"({problem.strerror}); {advice}"
        ) from None
    if foreign:
        raise SettingsError(_whose(folder, foreign, receipt, ways))


def _whose(folder: Path, paths: list[Path], receipt: Mapping[str, Any] | None, ways: Ways) -> str:
    names = ", ".join(path.name for path in paths)
    if receipt is not None and FILES not in receipt:
        return (
            f"{folder} holds a run of version {receipt.get('optimizer')}, whose receipt does not "
            f"name its files ({names}); write over them with {ways.insist}, or {ways.other}"
        )
    were = "was" if len(paths) == 1 else "were"
    it = "it" if len(paths) == 1 else "them"
    return (
        f"{names} in {folder} {were} not written by this program, or changed since; move {it} "
        f"away, {ways.other}, or write over {it} with {ways.insist}"
    )
