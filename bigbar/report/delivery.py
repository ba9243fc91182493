"""Files on their way into a folder: all written aside first, then put in place together.

The receipt comes before them and names, for each, the digest that is about to stand there and the
one that stood there before. So a file can be told to be the program's whenever the process is
killed, and the next run may replace it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bigbar.report.files import (
    CSV_EXPORT,
    HEATMAPS,
    PAGE,
    PARETO,
    PLOT,
    RESULTS,
    SUMMARY,
    TRADES,
    OutputError,
    aside,
    write_receipt,
)
from bigbar.report.ownership import (
    BY_COMMAND,
    Ways,
    is_named,
    is_same,
    is_there,
    kind_of,
    named_in,
    place_of,
    receipt_in,
    sha256_of,
)
from bigbar.store.receipt import FILES, RECEIPT, REPLACING

#: Every file that a run may write, in the order in which they are told.
RUN_FILES = (SUMMARY, RESULTS, CSV_EXPORT, PARETO, TRADES, RECEIPT, PAGE, PLOT, HEATMAPS)


@dataclass(frozen=True)
class Delivered:
    """What came of putting files in place.

    Attributes
    ----------
    files : list of Path
        That are there now, in the order of `RUN_FILES`.
    notes : list of str
        What was removed, or stands there although it is not of this run.
    problem : OutputError or None
        Why something is not in place.
    """

    files: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problem: OutputError | None = None


class Delivery:
    """The files of a run, or of an export, on their way into a folder.

    Parameters
    ----------
    folder : Path
    source : str or None
        The price file, which is never removed or replaced.
    force : bool
        Whether files that this program did not write may be replaced.
    ways : Ways, optional
        What to say is to be done about those that may not.
    """

    def __init__(
        self,
        folder: Path,
        *,
        source: object = None,
        force: bool = False,
        ways: Ways = BY_COMMAND,
    ) -> None:
        self.folder = folder
        self._source, self._force, self._ways = place_of(source), force, ways
        self._room = aside(folder / "files")
        self._aside: dict[str, Path] = {}

    def __enter__(self) -> Self:
        with _explained(self.folder):
            self._room.mkdir()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _value: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """What was not put in place is removed."""
        shutil.rmtree(self._room, ignore_errors=True)

    def add(self, name: str, write: Callable[[Path], Path | None]) -> int:
        """Write a file aside.

        Parameters
        ----------
        name : str
            That it will have.
        write : callable
            Writes a file of this name in another folder, at the path it is given; gives None
            where there is nothing to write.

        Returns
        -------
        int
            Its bytes.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        part = self._room / name
        try:
            if write(part) is None:
                return 0
        except OutputError as problem:
            raise OutputError(str(problem).replace(str(part), str(self.folder / name))) from problem
        self._aside[name] = part
        return part.stat().st_size

    def put_in_place(self, receipt: Mapping[str, Any], *, whole: bool = True) -> Delivered:
        """Give all files their names, remove those of an earlier run, and leave the receipt.

        Nothing is touched where no file could be written.

        Parameters
        ----------
        receipt : mapping
            Of the run.
        whole : bool, optional
            Whether all files could be written. If not, those of an earlier run stay as they are:
            no folder has some files of one run and some of another.
        """
        if not self._aside:
            return Delivered()
        if not whole and receipt_in(self.folder) is not None:
            said = f"{self.folder} still holds the files of an earlier run"
            return Delivered(notes=[f"not all files could be written, so {said}"])
        try:
            with _explained(self.folder), _alone(self.folder):
                return self._put_in_place(receipt)
        except OutputError as problem:
            return Delivered(problem=problem)

    def _put_in_place(self, receipt: Mapping[str, Any]) -> Delivered:
        earlier = receipt_in(self.folder)
        refused = self._refused(earlier)
        if self.folder / RECEIPT in refused:
            return Delivered(problem=_in_the_way(refused, self._ways))
        old, strange = self._leftovers(earlier)
        kept = {
            name: digest
            for name, digest in _files_in(earlier).items()
            if name not in RUN_FILES and is_there(self.folder / name)
        }
        files = self._replace(receipt, earlier, kept, old)
        notes = []
        if old:
            notes.append(f"{_listed(old)} of an earlier run: removed")
        if strange:
            notes.append(f"{_listed(strange)}: not of this run, nor written by this program")
        files.sort(key=lambda path: RUN_FILES.index(path.name))
        return Delivered(files, notes, _in_the_way(refused, self._ways) if refused else None)

    def amend(self) -> None:
        """Give the files their names, beside those that a receipt which is there names.

        Raises
        ------
        OutputError
            If one cannot be put in place.
        """
        with _explained(self.folder), _alone(self.folder):
            earlier = receipt_in(self.folder)
            refused = self._refused(earlier) - {self.folder / RECEIPT}
            if refused:
                raise _in_the_way(refused, self._ways)
            if earlier is None:
                self._give_names()
            else:
                self._replace(earlier, earlier, _files_in(earlier), ())

    def _replace(
        self,
        receipt: Mapping[str, Any],
        earlier: Mapping[str, Any] | None,
        kept: Mapping[str, str],
        old: Iterable[Path],
    ) -> list[Path]:
        files = {**kept, **{name: sha256_of(part) for name, part in self._aside.items()}}
        before = {name: sorted(digests) for name, digests in named_in(earlier).items()}
        plain = {key: value for key, value in receipt.items() if key not in (FILES, REPLACING)}
        # All that takes room on the disk comes before the first file is replaced.
        last = write_receipt(self._room, {**plain, FILES: files})
        write_receipt(self.folder, {**plain, FILES: files, REPLACING: before})
        placed = self._give_names()
        for path in old:
            path.unlink(missing_ok=True)
        return [*placed, last.replace(self.folder / RECEIPT)]

    def _give_names(self) -> list[Path]:
        placed = []
        for name in list(self._aside):
            placed.append(self._aside[name].replace(self.folder / name))
            del self._aside[name]
        return placed

    def _refused(self, earlier: Mapping[str, Any] | None) -> set[Path]:
        """What is not to be replaced; what was written to replace it is given up."""
        names = [*self._aside, RECEIPT]
        refused = {self.folder / n for n in names if not self._may_replace(n, earlier)}
        for path in refused:
            if path.name in self._aside:
                self._aside.pop(path.name).unlink()
        return refused

    def _may_replace(self, name: str, earlier: Mapping[str, Any] | None) -> bool:
        path = self.folder / name
        if not is_there(path):
            return True
        if kind_of(path) is not None or is_same(path, self._source):
            return False
        return self._force or is_named(path, earlier)

    def _leftovers(self, earlier: Mapping[str, Any] | None) -> tuple[list[Path], list[Path]]:
        """Files that a run writes and this one did not: the program's, and those of others."""
        old: list[Path] = []
        strange: list[Path] = []
        for path in (self.folder / name for name in RUN_FILES):
            written = path.name in self._aside or path.name == RECEIPT
            if written or not is_there(path) or is_same(path, self._source):
                continue
            ours = kind_of(path) is None and is_named(path, earlier)
            (old if ours else strange).append(path)
        return old, strange


def _files_in(receipt: Mapping[str, Any] | None) -> dict[str, str]:
    files = {} if receipt is None else receipt.get(FILES)
    return dict(files) if isinstance(files, dict) else {}


def _listed(paths: Iterable[Path]) -> str:
    return ", ".join(str(path) for path in sorted(paths))


def _in_the_way(paths: Iterable[Path], ways: Ways) -> OutputError:
    return OutputError(
        f"cannot write {_listed(paths)}: somebody else wrote there meanwhile; move it away and "
        f"try again, or write over it with {ways.insist}"
    )


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise OutputError(
            f"cannot write {problem.filename or folder}: {problem.strerror or problem}"
        ) from problem


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No two processes put files into a folder at the same time, where the system can see to it."""
    try:
        import fcntl

        place = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        with contextlib.suppress(OSError):  # a network drive without locks
            fcntl.flock(place, fcntl.LOCK_EX)
        yield
    finally:
        os.close(place)
