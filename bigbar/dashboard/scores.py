"""The scores of a run as they come in, and heatmaps of any two of its parameters that fill up."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bigbar.choice import Choice
from bigbar.parameter import value_text
from bigbar.space import Space
from bigbar.statistics import COLUMN, Better, Kind

#: Cells of a heatmap across and down at most: values of a longer axis share one with neighbours.
MOST_CELLS = 96

#: Digits of a value in a heatmap: more than a colour can tell.
_DIGITS = 6


class Scores:
    """What a grid has been found to be worth so far.

    Parameters
    ----------
    grid : Space
    choice : Choice
        What counts, and what is optimized.

    Attributes
    ----------
    done : ndarray of bool, shape (combinations,)
    best : int or None
        The best so far; of several equal ones the lowest number.
    filled : int
        Goes up with everything that comes in.
    """

    def __init__(self, grid: Space, choice: Choice) -> None:
        self._grid, self._choice = grid, choice
        self._sign = -1.0 if choice.objective.better is Better.LOWER else 1.0
        self._scores = np.full(len(grid), np.nan)
        self.done = np.zeros(len(grid), dtype=bool)
        self.best: int | None = None
        self.filled = 0
        self._maps: dict[tuple[str, str], _Map] = {}

    def add(self, start: int, stop: int, rows: NDArray[np.float64]) -> None:
        """Take rows of statistics, of combinations from one number to the one before another."""
        choice = self._choice
        scores = choice.scores(choice.objective_of(rows), rows[:, COLUMN["# Trades"]])
        self._scores[start:stop] = scores
        self.done[start:stop] = True
        self.filled += 1
        if not np.isnan(scores).all():
            here = start + int(np.argmax(scores == np.nanmax(scores)))
            if self.best is None or (-self._scores[here], here) < (-self.top, self.best):
                self.best = here
        for one in self._maps.values():
            one.add(start, stop, scores)

    @property
    def top(self) -> float:
        """The best score so far, the higher the better; NaN for none."""
        return float("nan") if self.best is None else float(self._scores[self.best])

    @property
    def kind(self) -> Kind:
        """What the objective is counted in."""
        return self._choice.objective.kind

    def value(self) -> float:
        """The objective of the best so far; NaN for none."""
        return self._sign * self.top

    def axes(self) -> list[str]:
        """Parameters that a heatmap can be drawn over, those with most values first."""
        varying = sorted(self._grid.varying, key=lambda axis: -len(axis))
        return [axis.name for axis in varying]

    def heatmap(self, down: str, across: str) -> dict[str, Any] | None:
        """The best of each pair of values so far; None where there is no such pair.

        Returns
        -------
        dict
            `down`, `across`: name and labels of the axes; `cells`: rows of values, None where
            nothing is done yet, False where nothing that is done counts; `known`, `best`.
        """
        names = self.axes()
        if across not in names or (down not in names if len(names) > 1 else down != ""):
            return None
        if down == across:
            return None
        if (down, across) not in self._maps:
            one = self._maps[down, across] = _Map(self._grid, down, across)
            for start in range(0, len(self.done), _BLOCK):
                part = slice(start, min(start + _BLOCK, len(self.done)))
                one.add(part.start, part.stop, self._scores[part], self.done[part])
        return self._maps[down, across].values(self._sign, self.best)


#: Combinations laid out at once.
_BLOCK = 1 << 20


class _Axis:
    """A side of a heatmap; a side without a parameter has one cell."""

    def __init__(self, grid: Space, name: str) -> None:
        self.name = name
        self.place = grid.names.index(name) if name else None
        values = grid.parameters[self.place].values if self.place is not None else ("",)
        self._count = len(values)
        self.cells = min(self._count, MOST_CELLS)
        firsts = np.searchsorted(self._cell(np.arange(self._count)), np.arange(self.cells))
        lasts = [*(firsts[1:] - 1), self._count - 1]
        self.labels = [
            value_text(values[first])
            if first == last
            else f"{value_text(values[first])} … {value_text(values[last])}"
            for first, last in zip(firsts, lasts, strict=True)
        ]

    def _cell(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        return places * self.cells // self._count

    def cells_of(self, places: tuple[NDArray[np.int64], ...], count: int) -> NDArray[np.int64]:
        if self.place is None:
            return np.zeros(count, dtype=np.int64)
        return self._cell(places[self.place])


class _Map:
    """The best score of each cell."""

    def __init__(self, grid: Space, down: str, across: str) -> None:
        self._grid = grid
        self._down, self._across = _Axis(grid, down), _Axis(grid, across)
        shape = self._down.cells, self._across.cells
        self._best = np.full(shape, np.nan)
        self._known = np.zeros(shape, dtype=bool)

    def add(
        self,
        start: int,
        stop: int,
        scores: NDArray[np.float64],
        done: NDArray[np.bool_] | None = None,
    ) -> None:
        places = self._grid.places_from(start, stop)
        cells = tuple(axis.cells_of(places, stop - start) for axis in (self._down, self._across))
        if done is not None:
            cells, scores = (cells[0][done], cells[1][done]), scores[done]
        self._known[cells] = True
        np.fmax.at(self._best, cells, scores)

    def values(self, sign: float, best: int | None) -> dict[str, Any]:
        rounded = _rounded(sign * self._best)
        known = self._known.tolist()
        cells = [
            [
                (False if seen else None) if value != value else value
                for value, seen in zip(row, seen_row, strict=True)
            ]
            for row, seen_row in zip(rounded.tolist(), known, strict=True)
        ]
        at = None
        if best is not None:
            places = self._grid.places_from(best, best + 1)
            at = [int(axis.cells_of(places, 1)[0]) for axis in (self._down, self._across)]
        return {
            "down": {"name": self._down.name, "labels": self._down.labels},
            "across": {"name": self._across.name, "labels": self._across.labels},
            "cells": cells,
            "known": int(np.count_nonzero(self._known)),
            "best": at,
            "higher": sign > 0,
        }


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """To some significant digits; infinities stay."""
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = _DIGITS - 1 - np.floor(np.log10(np.abs(values)))
        scale = 10.0 ** np.clip(digits, -300, 300)
        near = np.round(values * scale) / scale
    return np.where(np.isfinite(near), near, values)
