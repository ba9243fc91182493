"""What the benchmarks share: arguments, the machine in words, medians, and the report.

Importing it makes `bigbar` importable from the source tree.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from made_data import made_file
from numpy.typing import ArrayLike, NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

#: The command that the benchmarks run as a user would.
COMMAND = ROOT / "bigbar_multiprocessing_optimized.py"

#: Answers agree when they differ by no more than this share.
TOLERANCE = 1e-9

_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Line:
    """One measured figure.

    Attributes
    ----------
    what : str
        What was measured.
    figure : str
        As a person reads it.
    target : str
        What it is measured against; empty where there is none.
    met : bool or None
        None where there is no target.
    """

    what: str
    figure: str
    target: str = ""
    met: bool | None = None


class Report:
    """Prints a benchmark's findings as they come, and keeps them.

    Parameters
    ----------
    title : str
        What is compared with what.
    arguments : argparse.Namespace
        From `arguments`.
    """

    def __init__(self, title: str, arguments: argparse.Namespace) -> None:
        self.title = title
        self._json: Path | None = arguments.json
        self._markdown: Path | None = arguments.markdown
        self._lines: list[Line] = []
        self._checks: list[tuple[str, bool]] = []
        print(f"{title}\n{machine()}\n{versions()}\n{load()}", flush=True)

    def check(self, what: str, ok: bool) -> None:
        """The answers agree, or not; then the benchmark fails, whatever the timings."""
        self._checks.append((what, bool(ok)))
        print(f"{'agree' if ok else 'DIFFER'}: {what}", flush=True)

    def line(self, what: str, figure: str, target: str = "", met: bool | None = None) -> None:
        """A figure, and whether it meets its target."""
        line = Line(what, figure, target, None if met is None else bool(met))
        self._lines.append(line)
        verdict = "" if line.met is None else " met" if line.met else " MISSED"
        aimed = f"   [target {target}:{verdict}]" if target else ""
        print(f"  {what:<62} {figure}{aimed}", flush=True)

    def ratio(self, what: str, ratio: float, least: float, aim: float | None = None) -> None:
        """How many times faster, against the least wanted."""
        target = f"{least:,g} ×" + (f", aim {aim:,g} ×" if aim else "")
        self.line(what, f"{_rounded(ratio)} ×", target, ratio >= least)

    def finish(self) -> int:
        """Write the findings where asked to, and return the exit code."""
        if self._markdown:
            rows = [f"| {one.what} | {one.figure} | {one.target} |" for one in self._lines]
            text = "\n".join(["| what | figure | wanted |", "|---|---:|---|", *rows])
            self._markdown.write_text(f"{text}\n", encoding="utf-8")
        if self._json:
            found = {
                "title": self.title,
                "machine": machine(),
                "versions": versions(),
                "checks": self._checks,
                "lines": [asdict(line) for line in self._lines],
            }
            self._json.write_text(json.dumps(found, indent=1), encoding="utf-8")
        return 0 if all(ok for _, ok in self._checks) else 1


def arguments(description: str, **more: tuple[str, object, str]) -> argparse.Namespace:
    """The command line of a benchmark.

    Parameters
    ----------
    description : str
        For `--help`.
    **more : tuple of (str, default, str)
        Further options: destination to (option, default, help).

    Returns
    -------
    argparse.Namespace
        With `data`, `json` and `markdown`, each a Path or None.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, metavar="FILE", help="price bars instead of made ones")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the findings to a file")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write them as a table")
    for name, (option, default, text) in more.items():
        kind = type(default) if default is not None else str
        parser.add_argument(option, dest=name, default=default, type=kind, help=text)
    return parser.parse_args()


def data_file(given: Path | None, rows: int) -> Path:
    """The file given, or made bars of so many rows."""
    return given if given is not None else made_file(rows)


def machine() -> str:
    """Processor, how many this process may use, memory, system."""
    import psutil

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = psutil.virtual_memory().total / 2**30
    return f"{_processor()}, {usable} usable, {memory:.0f} GiB, {platform.system()}"


def load() -> str:
    """How busy the machine is already: on a busy one the figures say little."""
    if not hasattr(os, "getloadavg"):
        return "load unknown"
    return f"load {os.getloadavg()[0]:.1f} over the last minute"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass  # Not Linux: what the standard library knows will do.
    return platform.processor() or platform.machine()


def versions(*more: str) -> str:
    """Python and the packages whose speed counts here."""
    names = ("numpy", "pandas", "numba", "backtesting", *more)
    return ", ".join(
        [f"Python {platform.python_version()}"]
        + [f"{name} {importlib.metadata.version(name)}" for name in names]
    )


def spread_over(total: int, count: int) -> NDArray[np.int64]:
    """Combination numbers that stand for a grid: spread evenly, by the golden ratio.

    Returns
    -------
    ndarray of int64, shape (at most count,)
        Ascending, without repeats.
    """
    places = np.arange(1, count + 1) * _GOLDEN % 1
    return np.unique((places * total).astype(np.int64))


def agree(ours: ArrayLike, theirs: ArrayLike, *, tolerance: float = TOLERANCE) -> bool:
    """Whether two arrays of answers are equal within a relative tolerance, NaN where NaN is.

    Near zero the tolerance is absolute: a return of 1e-6 % is a difference of two nearly equal
    amounts of money, and holds fewer digits.
    """
    return bool(np.allclose(ours, theirs, rtol=tolerance, atol=tolerance, equal_nan=True))


def seconds(function: Callable[[], object]) -> float:
    """How long a call takes."""
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def alternating(
    sides: Sequence[Callable[[], float]], rounds: int
) -> tuple[list[float], list[list[float]]]:
    """Measure several sides in turns, every other round backwards, so that none is favoured.

    Parameters
    ----------
    sides : sequence of callable
        Each returns what it measured, in seconds.
    rounds : int
        How often.

    Returns
    -------
    medians : list of float
        Of each side.
    all_seconds : list of list of float
        Each side's, in time order.
    """
    found: list[list[float]] = [[] for _ in sides]
    for number in range(rounds):
        order = range(len(sides)) if number % 2 == 0 else reversed(range(len(sides)))
        for side in order:
            found[side].append(sides[side]())
    return [statistics.median(one) for one in found], found


def duration(seconds_: float) -> str:
    """Seconds as a person reads them."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if abs(seconds_) >= scale:
            return f"{seconds_ / scale:.3g} {unit}"
    return f"{seconds_ / 1e-9:.3g} ns"


def megabytes(count: float) -> str:
    """Bytes as megabytes."""
    return f"{count / 1e6:,.1f} MB"


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
