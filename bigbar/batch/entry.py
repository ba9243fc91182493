"""A price file among several, and what came of it: a row of the table across them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bigbar.parameter import value_text
from bigbar.units import counted

#: The lights that a verdict can have, the best first.
LIGHTS = ("green", "amber", "red", "none")


@dataclass(frozen=True)
class Entry:
    """What came of a file.

    Attributes
    ----------
    name : str
        What it goes by.
    path : str
    folder : Path or None
        Where its files are; None where nothing was written.
    summary : dict or None
        As its `summary.json` has it; None where there is no result.
    problem : str or None
        Why there is no result, or not a whole one.
    exit_code : int
        That it alone would have ended with.
    taken : bool
        Whether it was done before, and nothing was run.
    unproven : bool
        Whether `backtesting.py`, or an earlier run of the same, disagrees.
    """

    name: str
    path: str
    folder: Path | None
    summary: dict[str, Any] | None
    problem: str | None = None
    exit_code: int = 0
    taken: bool = False
    unproven: bool = False

    @property
    def best(self) -> dict[str, Any] | None:
        """The chosen combination, with its parameters and statistics."""
        return None if self.summary is None else self.summary["best"]

    @property
    def objective(self) -> str:
        """What was optimized; of several objectives the main one."""
        named = "" if self.summary is None else self.summary["settings"]["maximize"]
        return str(named[0] if isinstance(named, list) else named)

    @property
    def light(self) -> str:
        """Of its verdict."""
        verdict = None if self.summary is None else self.summary["verdict"]
        return "none" if verdict is None else str(verdict["light"])

    @property
    def tested_by(self) -> str | None:
        """The statistic that it was held against luck by; None where it was not."""
        found = None if self.summary is None else self.summary["bootstrap"]
        return None if found is None else str(found["statistic"])

    @property
    def bars(self) -> int | None:
        """In the file."""
        return None if self.summary is None else int(self.summary["data"]["rows"])

    @property
    def failed_combinations(self) -> int:
        """How many of them failed."""
        return 0 if self.summary is None else int(self.summary["failed"])

    @property
    def told_problem(self) -> str:
        """The problem with the file that it is about; empty for none."""
        problem = self.problem or ""
        return problem if problem.startswith(self.path) else f"{self.path}: {problem}"

    def statistic(self, name: str) -> float:
        """A number of the best, by backtesting.py's name; NaN where there is none."""
        return number_of(None if self.best is None else self.best["statistics"].get(name))

    def values(self, names: Iterable[str]) -> list[str]:
        """The best's values of some parameters, as text."""
        return [] if self.best is None else [
            value_text(self.best["parameters"][name]) for name in names
        ]  # fmt: skip


def number_of(value: object) -> float:
    """A number as JSON holds it; NaN for what is none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        return float(str(value)) if value in ("inf", "-inf") else math.nan
    except ValueError:
        return math.nan


def varying(entries: Iterable[Entry]) -> list[str]:
    """The parameters that have more than one value, in the order of the grid."""
    for entry in entries:
        if entry.summary is not None:
            axes = entry.summary["grid"]["axes"]
            return [name for name, values in axes.items() if len(values) > 1] or list(axes)
    return []


def with_result(entries: Iterable[Entry]) -> list[Entry]:
    """Those that have a best setting."""
    return [entry for entry in entries if entry.best is not None]


def lights_text(entries: Iterable[Entry]) -> str:
    """`1 green, 2 red`, by what luck was told, and what of it chance would give."""
    good = with_result(entries)
    found = [entry.light for entry in good]
    told = [light for light in found if light != "none"]
    if not told:
        return ""
    named = ", ".join(f"{told.count(light)} {light}" for light in LIGHTS if light in told)
    tested = (entry.tested_by for entry in good)
    by = " or ".join(dict.fromkeys(name for name in tested if name is not None))
    named += f", held against luck by {by}" if by else ""
    if len(told) < 2:
        return named
    by_luck = f"{0.05 * len(told):.1f}"
    return (
        f"{named}; of {counted(len(told), 'file')} without an edge about {by_luck} would be green"
    )
