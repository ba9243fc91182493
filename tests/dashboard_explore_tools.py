"""What the tests of exploring share: a trader's strategy, a run of it, and runs of made rows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from backtesting import Strategy
from dashboard_tools import ROOT, environment
from small_run import small_bars
from store_tools import new_run

from bigbar.account import Account
from bigbar.dashboard.explore.stored import Shelf, StoredTable
from bigbar.job import Job
from bigbar.results import ResultTable
from bigbar.slices import Failure
from bigbar.space import Space
from bigbar.spec import StrategySpec
from bigbar.statistics import COLUMN, NAMES
from bigbar.store.fingerprint import identity_of
from bigbar.store.owner import Owner
from bigbar.store.records import Ending
from bigbar.store.rows import Finished, Slice
from bigbar.store.runs import RunStore
from tests import commands

#: What a trader writes; it prints, too.
CROSS = """
from backtesting import Strategy
from backtesting.lib import crossover
from backtesting.test import SMA


class Cross(Strategy):
    fast, slow, side = 5, 20, "both"

    def init(self):
        print("begun")
        self.quick = self.I(SMA, self.data.Close, self.fast)
        self.calm = self.I(SMA, self.data.Close, self.slow)

    def next(self):
        if crossover(self.quick, self.calm):
            self.position.close()
            self.buy()
        elif crossover(self.calm, self.quick):
            self.position.close()
            if self.side == "both":
                self.sell()
"""


def own_runs(folder: Path) -> Path:
    """A run of 15 combinations of `Cross` in `folder / "out"`, its command given in `folder`."""
    (folder / "Cross.py").write_text(CROSS)
    lines = (ROOT / "example.csv").read_text().splitlines(keepends=True)
    (folder / "bars.csv").write_text("".join(lines[:401]))
    done = commands.run(
        [
            *(sys.executable, "-m", "bigbar", "bars.csv", "--strategy", "Cross.py:Cross"),
            *("--engine", "backtesting", "--param", "fast=4:12:4", "--param", "slow=8:24:8"),
            *("--param", "side=both,long", "--constraint", "fast < slow", "--output", "out"),
            *("--workers", "1", "--no-validate", "--verify", "1", "--min-trades", "3"),
        ],
        cwd=folder, env=environment(), timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "out"


class Anything(Strategy):
    """Parameters of all kinds."""

    n = 1
    x = 0.5
    side = "both"
    on = True

    def init(self):
        pass

    def next(self):
        pass


def mixed_space() -> Space:
    """48 points but those that a constraint leaves out: numbers, text and what is neither."""
    space = Space.of(n=[1, 2, 3, 5], x=[0.1, -0.5], side=["both", "long"], on=[True, False, None])
    return space.where(lambda point: point.n != 5 or point.on is not None)


def made_run(
    folder: Path,
    values: np.ndarray,
    *,
    space: Space | None = None,
    failures: dict[int, str] | None = None,
    done: int | None = None,
    objective: str = "Return [%]",
    **told: Any,
) -> int:
    """Write a run of made rows; its id. With `done` only so many are there: it was interrupted."""
    grid = space or mixed_space()
    spec = StrategySpec.of(Anything)
    identity = identity_of(small_bars().frame, Job(spec, grid, Account(), "backtesting"))
    owner, stop = Owner.of_this_process(), len(values) if done is None else done
    named = [({}, Failure(number, why)) for number, why in (failures or {}).items()]
    with RunStore(folder, create=True) as store:
        number = store.begin(new_run(identity, objective=objective, **told), owner)
        store.rewrite(number, owner, [Finished(Slice(0, stop), values[:stop], named)])
        if done is None:
            ending = Ending("finished", result_sha256=ResultTable(grid, values).sha256())
        else:
            ending = Ending("interrupted")
        store.end(number, owner, ending)
    return number


def made_values(count: int, seed: int = 0) -> np.ndarray:
    """Rows with what statistics can be: some equal, none, infinite; whole numbers of trades."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, len(NAMES))).round(1)
    values[rng.random(values.shape) < 0.1] = np.nan
    values[rng.random(values.shape) < 0.02] = np.inf
    values[:, COLUMN["# Trades"]] = rng.integers(0, 6, count)
    for name in ("Max. Drawdown Duration", "Avg. Trade Duration", "Duration"):
        values[:, COLUMN[name]] = rng.integers(0, 40, count) * 3.6e12
    return values


def table_in(folder: Path, number: int) -> StoredTable:
    """A run in memory."""
    with RunStore(folder, read_only=True) as store:
        return Shelf().table(store, number)
