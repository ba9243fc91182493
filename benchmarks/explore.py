"""What the dashboard's page of all combinations costs: reading a run, and every question about it.

The default grid and one of a million combinations, stored by the command as a user's are. First the
answers are held against pandas. Then each question is asked with a filter that nobody has asked
with before, and the processor time of its answer, as JSON, is told.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import common
import numpy as np
import pandas as pd

from bigbar.dashboard.explore.combination import combination
from bigbar.dashboard.explore.pages import QUESTIONS
from bigbar.dashboard.explore.stored import Shelf, StoredTable
from bigbar.dashboard.handler import json_text
from bigbar.store.runs import RunStore


@dataclass(frozen=True)
class Grid:
    """A grid, and how long an answer about it may take.

    Attributes
    ----------
    name : str
    options : tuple of str
        Of the command.
    seconds : float
        Of processor time.
    """

    name: str
    options: tuple[str, ...]
    seconds: float


GRIDS = (
    Grid("default grid", (), 0.3),
    Grid("a million", ("--k-atr", "1:4:0.01"), 2.0),
)

#: Answers to each question; the median is told.
_ROUNDS = 7

_OTHERS = ["s:Return [%]", "s:Sharpe Ratio", "s:Max. Drawdown [%]", "s:# Trades"]


def stored_in(folder: Path, file: Path, options: tuple[str, ...]) -> None:
    """Run the command, for its rows alone."""
    line = [sys.executable, str(common.COMMAND), str(file), "--no-progress", "--no-validate"]
    done = subprocess.run(
        [*line, "--verify", "0", "--output", str(folder), *options], capture_output=True, text=True
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(line)} failed:\n{done.stderr}")


def read(folder: Path) -> tuple[StoredTable, float]:
    """The run in memory, and the processor time that reading it took."""
    with RunStore(folder, read_only=True) as store:
        begun = time.process_time()
        stored = Shelf().table(store, store.runs()[0].id)
        return stored, time.process_time() - begun


def check(report: common.Report, stored: StoredTable, what: str) -> None:
    """A page of the table and a heatmap against pandas."""
    frame = stored.table.frame()
    axes = [parameter.name for parameter in stored.table.space.varying][:2]
    kept = frame[(frame["# Trades"] >= 1) & (frame["Return [%]"] >= 0.5)]
    filters = {"s:# Trades": {"least": 1}, "s:Return [%]": {"least": 0.5}}
    best = kept.sort_values("Sharpe Ratio", ascending=False, kind="stable").index[:200]
    page = QUESTIONS["rows"](stored, {"filters": filters, "sort": "s:Sharpe Ratio", "count": 200})
    report.check(f"{what}: {page['total']:,} rows filtered", page["total"] == len(kept))
    report.check(f"{what}: sorted as by pandas", page["numbers"] == best.tolist())
    asked = {"filters": filters, "x": f"p:{axes[0]}", "y": f"p:{axes[1]}"}
    found = QUESTIONS["heatmap"](stored, asked)
    groups = [
        pd.Series(stored.places[stored.columns[f"p:{name}"].axis or 0][kept.index] // size)
        for name, size in zip(axes, found["group"], strict=True)
    ]
    wanted = pd.Series(kept["Return [%]"].to_numpy()).groupby(groups).mean()
    values = {(cell[0], cell[1]): cell[2] for cell in found["cells"]}
    report.check(
        f"{what}: {len(values):,} cells of a heatmap as by pandas",
        len(values) == len(wanted)
        and common.agree(np.array([values[place] for place in wanted.index]), wanted.to_numpy()),
    )


def questions(stored: StoredTable) -> dict[str, Callable[[dict[str, Any]], Any]]:
    """Every question, to be asked with filters."""
    keys = [f"p:{parameter.name}" for parameter in stored.table.space.varying]

    def ask(name: str, **asked: Any) -> Callable[[dict[str, Any]], Any]:
        return lambda filters: QUESTIONS[name](stored, {"filters": filters, **asked})

    heat = {"x": keys[0], "y": keys[1]}
    return {
        "overview": lambda _: QUESTIONS["overview"](stored, {}),
        "a page of the table, sorted": ask("rows", sort="s:Sharpe Ratio"),
        "a page from the middle": ask("rows", offset=50_000),
        "scatter": ask("scatter", x="s:Max. Drawdown [%]", y="s:Return [%]"),
        "parallel coordinates": ask("parallel", columns=[*keys, *_OTHERS]),
        **{f"heatmap, {show}": ask("heatmap", **heat, show=show) for show in ("mean", "best")},
        "one combination": lambda _: combination(stored, len(stored) // 2),
    }


def measure(report: common.Report, stored: StoredTable, grid: Grid) -> None:
    """Ask all, each time with another filter."""
    slowest = 0.0
    for name, ask in questions(stored).items():
        spent = []
        for turn in range(_ROUNDS):
            filters = {"s:# Trades": {"least": 1}, "s:Return [%]": {"least": 0.1 + 1e-6 * turn}}
            begun = time.process_time()
            json_text(ask(filters))
            spent.append(time.process_time() - begun)
        median = statistics.median(spent)
        slowest = max(slowest, median)
        report.line(f"{grid.name}: {name}", common.duration(median))
    begun = time.process_time()
    QUESTIONS["plateau"](stored, {})
    plateau = time.process_time() - begun
    report.line(f"{grid.name}: plateau", common.duration(plateau))
    slowest = max(slowest, plateau)
    target = f"below {grid.seconds:g} s"
    report.line(
        f"{grid.name}: the slowest", common.duration(slowest), target, slowest < grid.seconds
    )


def main() -> int:
    """Store, check, measure, report."""
    arguments = common.arguments(__doc__ or "")
    report = common.Report("Exploring a stored run (processor time)", arguments)
    file = arguments.data or common.ROOT / "example.csv"
    for grid in GRIDS:
        with tempfile.TemporaryDirectory() as name:
            stored_in(Path(name), file, grid.options)
            stored, seconds = read(Path(name))
            check(report, stored, grid.name)
            report.line(f"{grid.name}: combinations", f"{len(stored):,}")
            report.line(f"{grid.name}: in memory", common.megabytes(stored.nbytes))
            report.line(f"{grid.name}: reading the run, once", common.duration(seconds))
            measure(report, stored, grid)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
