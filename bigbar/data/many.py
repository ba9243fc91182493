"""Several price files at once: named one by one, by a folder, or by a pattern."""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bigbar.errors import SettingsError

#: What price files in a folder are called; each of them may be packed as well.
_ENDINGS = (".csv", ".txt", ".tsv", ".parquet", ".feather")
_PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")

_PATTERN = re.compile(r"[*?[]")

#: Not to be in the name of a folder, on one system or another.
_UNFIT = re.compile(r'[<>:"/\\|?*\x00-\x1f]')


@dataclass(frozen=True)
class Source:
    """One of several price files.

    Attributes
    ----------
    path : str
    name : str
        What it goes by: its stem, with a number where another has the same.
    """

    path: str
    name: str


@dataclass(frozen=True)
class Sources:
    """Several price files.

    Attributes
    ----------
    files : tuple of Source
    notes : tuple of str
        What was left out.
    """

    files: tuple[Source, ...]
    notes: tuple[str, ...] = ()


def several(words: Sequence[str]) -> Sources | None:
    """The price files that a command line names; None for one file, named by itself.

    Parameters
    ----------
    words : sequence of str
        Paths, folders (whose price files are meant, not those in folders below), and patterns
        with `*`, `?`, `[a-z]` or `**`.

    Returns
    -------
    Sources or None
        Those of a folder or pattern by their names. The same file twice, under whatever name,
        counts once.

    Raises
    ------
    SettingsError
        If a folder or a pattern has none, or standard input is one of several.
    """
    if len(words) == 1 and not _names_several(words[0]):
        return None
    if "-" in words:
        raise SettingsError("standard input (-) holds one file; name it alone.")
    paths, notes = [], []
    seen: dict[object, str] = {}
    for path in itertools.chain.from_iterable(map(_found, words)):
        which = _which(path)
        if which not in seen:
            seen[which] = path
            paths.append(path)
        elif seen[which] == path:
            notes.append(f"{path} is named twice: it counts once")
        else:
            notes.append(f"{path} is {seen[which]}: it counts once")
    return Sources(tuple(_named(paths)), tuple(notes))


def _names_several(word: str) -> bool:
    return os.path.isdir(word) or (not os.path.lexists(word) and _PATTERN.search(word) is not None)


def _found(word: str) -> Iterator[str]:
    """The files that a word stands for; whether one is there is seen when it is read."""
    if os.path.isdir(word):
        found = sorted(_in_folder(Path(word)))
        if not found:
            raise SettingsError(
                f"{word!r} is a folder without price files ({', '.join(_ENDINGS)}, packed or not). "
                "Name the files, or another folder."
            )
        yield from found
    elif _names_several(word):
        found = sorted(path for path in glob.glob(word, recursive=True) if os.path.isfile(path))
        if not found:
            raise SettingsError(
                f"no file is like {word!r}. Correct the pattern, or name the files."
            )
        yield from found
    else:
        yield word


def _in_folder(folder: Path) -> Iterator[str]:
    """Its price files, without what is hidden."""
    try:
        inside = list(folder.iterdir())
    except OSError as problem:
        raise SettingsError(f"{folder} cannot be looked into: {problem.strerror}.") from None
    for path in inside:
        ending = Path(_unpacked(path.name)).suffix.lower()
        if ending in _ENDINGS and not path.name.startswith(".") and path.is_file():
            yield str(path)


def _unpacked(name: str) -> str:
    stem, ending = os.path.splitext(name)
    return stem if ending.lower() in _PACKED else name


def _which(path: str) -> object:
    """The same for two paths of one file."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return os.path.abspath(path)
    return (found.st_dev, found.st_ino) if found.st_ino else os.path.realpath(path)


def _named(paths: Sequence[str]) -> Iterator[Source]:
    """Each with a name of its own, on systems too that know no capitals."""
    stems = [stem_of(path) for path in paths]
    taken = {stem.casefold() for stem in stems}
    given: set[str] = set()
    for path, stem in zip(paths, stems, strict=True):
        name = stem
        if stem.casefold() in given:
            numbered = (f"{stem}_{number}" for number in itertools.count(2))
            name = next(one for one in numbered if one.casefold() not in given | taken)
        given.add(name.casefold())
        yield Source(path, name)


def stem_of(path: str) -> str:
    """What a file is called without its endings: `EURUSD` of `data/EURUSD.csv.gz`."""
    name = _unpacked(os.path.basename(os.path.normpath(path)))
    stem, ending = os.path.splitext(name)
    stem = _UNFIT.sub("_", stem if ending.lower() in _ENDINGS else name).strip(" .")
    return stem or "file"
