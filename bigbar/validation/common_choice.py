"""One setting for several files: the best over all, by mean rank or by the worst case.

The results of the files are taken in one after the other. In memory is what has been added up;
each file's own results wait on disk, for the look at the files one by one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from bigbar.choice import Choice
from bigbar.results import best_of
from bigbar.statistics import Better

Floats = NDArray[np.float64]

#: What the best over all is found by.
CRITERIA = ("mean-rank", "worst")

#: Statistics that are kept of every combination, besides the objective.
FIGURES = ("Return [%]", "Sharpe Ratio", "Max. Drawdown [%]", "# Trades")


def ranks_of(scores: Floats) -> Floats:
    """Ranks of combinations, 1 for the best; equal ones share the mean of theirs.

    Parameters
    ----------
    scores : ndarray of float, shape (combinations,)
        The higher the better; NaN where it does not count: those share the last ranks.

    Returns
    -------
    ndarray of float, shape (combinations,)
    """
    counts = ~np.isnan(scores)
    counting = int(np.count_nonzero(counts))
    ranks = np.full(len(scores), (counting + 1 + len(scores)) / 2.0)
    _, groups, sizes = np.unique(-scores[counts], return_inverse=True, return_counts=True)
    ranks[counts] = (np.cumsum(sizes) - (sizes - 1) / 2.0)[groups]
    return ranks


class _Criterion(Protocol):
    """What is added up over the files."""

    def add(self, scores: Floats) -> None:
        """Take in one more file."""
        ...

    def merits(self, scores: Floats | None, place: int) -> Floats:
        """The merit of every combination, the higher the better: over all files, or all but one.

        Parameters
        ----------
        scores : ndarray of float or None
            Of the file that is left out; None for none.
        place : int
            Of that file, by the order of `add`.
        """
        ...


class _MeanRank:
    def __init__(self, combinations: int) -> None:
        self._sum = np.zeros(combinations)

    def add(self, scores: Floats) -> None:
        self._sum += ranks_of(scores)

    def merits(self, scores: Floats | None, place: int) -> Floats:
        return -self._sum if scores is None else ranks_of(scores) - self._sum


class _Worst:
    """The lowest score of each combination, of which file it is, and the lowest but one."""

    def __init__(self, combinations: int) -> None:
        self._lowest, self._second = np.full((2, combinations), np.inf)
        self._place = np.full(combinations, -1)
        self._files = 0

    def add(self, scores: Floats) -> None:
        known = np.where(np.isnan(scores), np.inf, scores)
        lower = (known < self._lowest) | (self._place < 0)
        self._second = np.where(lower, self._lowest, np.minimum(self._second, known))
        self._lowest = np.where(lower, known, self._lowest)
        self._place[lower] = self._files
        self._files += 1

    def merits(self, scores: Floats | None, place: int) -> Floats:
        if scores is None:
            return self._lowest
        return np.where(self._place == place, self._second, self._lowest)


@dataclass(frozen=True)
class OfFile:
    """A combination in the results of one file.

    Attributes
    ----------
    number : int
        The combination.
    rank : float
        1 is the best; equal ones share the mean of theirs.
    better_than : float
        The share of the other combinations that it beats there, equal ones by half.
    counts : bool
        Whether it counts there.
    value : float
        The objective.
    figures : dict of str to float
        `FIGURES`, by backtesting.py's names.
    """

    number: int
    rank: float
    better_than: float
    counts: bool
    value: float
    figures: dict[str, float]


@dataclass(frozen=True)
class CommonChoice:
    """The setting that is best over several files.

    Attributes
    ----------
    criterion : {"mean-rank", "worst"}
    names : tuple of str
        Of the files.
    combinations : int
    counting : ndarray of bool, shape (combinations,)
        Which count on every file: only these can be chosen.
    number : int or None
        The setting; of several equal ones the first. None where none counts on every file.
    value : float
        Its mean rank, or its objective where that is worst; NaN for none.
    of_files : tuple of OfFile
        What it does on each.
    left_out : tuple of OfFile or None
        For each file the setting that the others choose, on that file; None where they have none.
    """

    criterion: str
    names: tuple[str, ...]
    combinations: int
    counting: NDArray[np.bool_]
    number: int | None
    value: float
    of_files: tuple[OfFile, ...]
    left_out: tuple[OfFile | None, ...]


class ResultsOfFiles:
    """The results of several files on the same combinations; use it in a `with` block.

    Parameters
    ----------
    combinations : int
    choice : Choice
        Which combinations count, and what was optimized.
    criterion : {"mean-rank", "worst"}
    folder : Path, optional
        On whose disk the results of each file wait; that of temporary files by default.
    """

    def __init__(
        self, combinations: int, choice: Choice, criterion: str, *, folder: Path | None = None
    ) -> None:
        self.combinations = combinations
        self._choice, self._criterion = choice, criterion
        kinds: dict[str, type[_MeanRank] | type[_Worst]] = dict(
            zip(CRITERIA, (_MeanRank, _Worst), strict=True)
        )
        self._merits: _Criterion = kinds[criterion](combinations)
        self._counted = np.zeros(combinations, np.int64)
        self._names: list[str] = []
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - to the end of this

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    @property
    def names(self) -> tuple[str, ...]:
        """Of the files so far."""
        return tuple(self._names)

    def add(self, name: str, values: Floats, figures: Sequence[Floats]) -> None:
        """Take in the results of one more file.

        Parameters
        ----------
        name : str
        values : ndarray of float, shape (combinations,)
            The objective; NaN for a combination that failed.
        figures : sequence of ndarray of float, shape (combinations,)
            `FIGURES`, in their order.
        """
        columns = np.array([values, *figures], dtype=np.float64)
        scores = self._scores(columns)
        self._file.seek(0, 2)
        self._file.write(columns.tobytes())
        self._merits.add(scores)
        self._counted += ~np.isnan(scores)
        self._names.append(name)

    def choose(self) -> CommonChoice:
        """Find the best over all files, and for each file what the others choose."""
        everywhere = self._counted == len(self._names)
        merits = self._merits.merits(None, -1)
        number = best_of(np.where(everywhere, merits, np.nan))
        of_files, left_out = [], []
        for place in range(len(self._names)):
            columns = self._columns(place)
            scores = self._scores(columns)
            counts = ~np.isnan(scores)
            on_others = self._counted - counts == len(self._names) - 1
            other = None
            if len(self._names) > 1:
                others = self._merits.merits(scores, place)
                other = best_of(np.where(on_others, others, np.nan))
            ranks = ranks_of(scores)
            left_out.append(None if other is None else _on_file(other, columns, ranks, counts))
            if number is not None:
                of_files.append(_on_file(number, columns, ranks, counts))
        return CommonChoice(
            criterion=self._criterion,
            names=self.names,
            combinations=self.combinations,
            counting=everywhere,
            number=number,
            value=self._value(of_files),
            of_files=tuple(of_files),
            left_out=tuple(left_out),
        )

    def _value(self, of_files: Sequence[OfFile]) -> float:
        if not of_files:
            return float("nan")
        if self._criterion == CRITERIA[0]:
            return float(np.mean([one.rank for one in of_files]))
        worst = max if self._choice.objective.better is Better.LOWER else min
        return float(worst(one.value for one in of_files))

    def _columns(self, place: int) -> Floats:
        shape = 1 + len(FIGURES), self.combinations
        size = 8 * shape[0] * shape[1]
        self._file.seek(size * place)
        return np.frombuffer(self._file.read(size), np.float64).reshape(shape)

    def _scores(self, columns: Floats) -> Floats:
        return self._choice.scores(columns[0], columns[1 + FIGURES.index("# Trades")])


def _on_file(number: int, columns: Floats, ranks: Floats, counts: NDArray[np.bool_]) -> OfFile:
    others = len(ranks) - 1
    return OfFile(
        number=number,
        rank=float(ranks[number]),
        better_than=float((len(ranks) - ranks[number]) / others) if others else 0.5,
        counts=bool(counts[number]),
        value=float(columns[0, number]),
        figures={
            name: float(value) for name, value in zip(FIGURES, columns[1:, number], strict=True)
        },
    )
