"""Which engine runs a strategy: what is said of it, and that the numbers are the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from any_strategies import of_known_versions
from backtesting import Backtest, Strategy
from backtesting.lib import crossover
from backtesting.test import GOOG, SMA
from long import in_a_soak

import bigbar
from bigbar import engine_choice
from bigbar.errors import SettingsError
from bigbar.progress.events import Listener
from bigbar.statistics import NAMES
from bigbar.strategies.sma_cross import SmaCross
from tests import commands

ROOT = Path(__file__).resolve().parents[1]

#: As many as give some trades to each combination; `backtesting.py` takes its time for each bar.
BARS = GOOG.iloc[:700]

MY = '''
import numpy as np
from backtesting import Strategy
from backtesting.lib import crossover
from levels import LEVEL, mean, wide


class Cross(Strategy):
    """Two averages, and a stop."""

    fast = 5
    slow = 20
    stop = 0.05

    def init(self):
        self.a = self.I(mean, self.data.Close, self.fast)
        self.b = self.I(mean, self.data.Close, self.slow)

    def next(self):
        price = self.data.Close[-1]
        if crossover(self.a, self.b) and wide(self.data.High[-1], self.data.Low[-1]) > LEVEL:
            self.buy(size=0.5, sl=price * (1 - self.stop))
        elif crossover(self.b, self.a):
            self.position.close()


class Divides(Cross):
    """Raises a ZeroDivisionError, caught, for one value of its parameter."""

    part = 1

    def next(self):
        super().next()
        try:
            self.share = 1 / self.part
        except ZeroDivisionError:
            self.share = 0
        if self.position.pl_pct > 10 * self.share:
            self.position.close()


class Keeps(Cross):
    """Cannot be compiled."""

    def next(self):
        super().next()
        self.seen = {len(self.data): self.data.Close[-1]}


class Dies(Cross):
    """Kills its process."""

    def next(self):
        import os

        os._exit(7)
'''

LEVELS = """
import numpy as np

LEVEL = 0.01


def wide(high, low):
    return high / low - 1


def mean(x, n):
    return np.convolve(x, np.ones(n) / n)[: len(x)]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    BARS.to_csv(tmp_path / "goog.csv")
    (tmp_path / "my.py").write_text(MY)
    (tmp_path / "levels.py").write_text(LEVELS)
    return tmp_path


def command(folder: Path, *words: str, code: int = 0) -> tuple[str, dict[str, Any]]:
    """What a run says on standard error, and its summary."""
    output = folder / "out"
    workers = () if "--workers" in words else ("--workers", "2")
    done = commands.run(
        [sys.executable, "-m", "bigbar", "goog.csv", *words, "--no-progress", "--no-validate",
         *workers, "--output", "out", "--force"],
        timeout=200, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    path = output / "summary.json"
    return done.stderr, json.loads(path.read_text()) if path.exists() else {}


def rows(folder: Path) -> np.ndarray:
    return pd.read_parquet(folder / "out" / "results.parquet")[list(NAMES)].to_numpy(np.float64)


_begun: set[int] = set()


class FirstIsSlow(Strategy):
    """The first backtest of each process takes far longer, as imports do."""

    one = 1

    def init(self):
        time.sleep(0.02 if os.getpid() in _begun else 0.5)
        _begun.add(os.getpid())

    def next(self):
        if len(self.data) % 10 == 3:
            self.buy(size=1)
        elif len(self.data) % 10 == 6:
            self.position.close()


class Refused(FirstIsSlow):
    """Cannot be compiled either."""

    def next(self):
        super().next()
        self.seen = {len(self.data): self.data.Close[-1]}


class Told(Listener):
    """What is said of time in advance."""

    def __init__(self) -> None:
        self.forecast_s = self.estimate_s = 0.0
        self.engine_said = ""

    def engine(self, name, reason) -> None:
        self.engine_said = reason

    def forecast(self, budget) -> None:
        self.forecast_s = budget.forecast.seconds

    def estimated(self, seconds, chunk_size, chunks) -> None:
        self.estimate_s = seconds


@pytest.mark.slow
@pytest.mark.parametrize(("strategy", "engine"), [(FirstIsSlow, "backtesting"), (Refused, "auto")])
def test_what_is_told_of_time_agrees_whichever_engine_runs(strategy, engine) -> None:
    """By a backtest that has not to pay for what only the first one does."""
    told, count = Told(), 200
    bigbar.optimize(
        BARS.iloc[:200], strategy=strategy, one=range(1, count + 1), engine=engine, workers=2,
        verify=0, validate=False, listener=told,
    )  # fmt: skip
    # A sleep takes no less than it is asked for, and the first one would make it 50 s.
    least_s = count * 0.02 / 2
    assert least_s < count * told.estimate_s / 2 < 20
    assert least_s < told.forecast_s < 20
    if engine == "auto":
        # That it cannot be compiled; or, before anything is, that this is not worth a try.
        said = float(told.engine_said.split("about ")[1].split(" s")[0])
        assert said == pytest.approx(told.forecast_s - 2.5, rel=0.05, abs=0.1)


@pytest.mark.parametrize(("count", "timed"), [(5, False), (400, True)])
def test_a_backtest_is_timed_in_advance_where_that_is_worth_it(monkeypatch, count, timed) -> None:
    asked: list[int] = []
    monkeypatch.setattr(
        engine_choice, "_seconds", lambda answers, numbers, execution: asked.append(1)
    )
    bigbar.optimize(
        BARS.iloc[:200], strategy=SmaCross, fast=range(2, 2 + count // 5), slow=range(100, 105),
        engine="backtesting", workers=1, verify=0, validate=False,
    )  # fmt: skip
    assert bool(asked) is timed


GRID = ("--param", "fast=5:20:5", "--param", "slow=40,60", "--param", "stop=0.02,0.05")


@pytest.mark.slow
@of_known_versions
def test_compiled_and_not_are_the_same(folder: Path) -> None:
    said, compiled = command(folder, "--strategy", "my.py:Cross", *GRID, "--engine", "compiled")
    assert compiled["engine"] == "compiled"
    assert compiled["engine_reason"].startswith("compiled: 5 lines of next() translated in ")
    assert "equal to backtesting.py's in every trade" in said.replace("\n           ", " ")
    assert compiled["in_python"] == {}
    assert compiled["verification"]["ok"] is True
    ours = rows(folder)
    _, plain = command(folder, "--strategy", "my.py:Cross", *GRID, "--engine", "backtesting")
    assert (plain["engine"], plain["engine_reason"]) == ("backtesting", "")
    np.testing.assert_allclose(ours, rows(folder), rtol=1e-9, atol=1e-12)


EDITS = [("LEVEL = 0.01", "LEVEL = 0.03"), ("high / low - 1", "high / low - 1.005")]


@pytest.mark.slow
@of_known_versions
@pytest.mark.parametrize("edit", [EDITS[0], *in_a_soak(EDITS[1])], ids=["constant", "function"])
def test_an_edit_of_a_helper_is_never_answered_by_old_machine_code(
    folder: Path, edit: tuple[str, str]
) -> None:
    words = ("--strategy", "my.py:Cross", "--param", "fast=5,10", "--param", "slow=40,60")
    words += ("--verify", "0", "--workers", "1")
    command(folder, *words, "--engine", "compiled")
    before = rows(folder)
    text = (folder / "levels.py").read_text()
    (folder / "levels.py").write_text(text.replace(*edit))
    command(folder, *words, "--engine", "compiled")
    after = rows(folder)
    assert not np.array_equal(before, after, equal_nan=True)
    command(folder, *words, "--engine", "backtesting")
    np.testing.assert_allclose(after, rows(folder), rtol=1e-9, atol=1e-12)


@pytest.mark.slow
@of_known_versions
def test_what_raises_is_left_to_python_and_counted(folder: Path) -> None:
    words = ("--strategy", "my.py:Divides", "--param", "part=0:3:1", "--engine", "compiled")
    _, compiled = command(folder, *words)
    assert compiled["in_python"] == {"a division by zero": 1}
    assert compiled["failures"] == []
    ours = rows(folder)
    command(folder, *words[:-1], "backtesting")
    np.testing.assert_allclose(ours, rows(folder), rtol=1e-9, atol=1e-12)


@pytest.mark.slow
@of_known_versions
def test_what_cannot_be_compiled(folder: Path) -> None:
    words = ("--strategy", "my.py:Keeps", "--param", "fast=5,10")
    said, _ = command(folder, *words, "--engine", "compiled", code=2)
    assert "error: my.py:" in said
    _, plain = command(folder, *words)
    assert plain["engine"] == "backtesting"


def test_a_few_combinations_are_not_worth_compiling(folder: Path) -> None:
    _, plain = command(folder, "--strategy", "my.py:Cross", "--param", "fast=5,10")
    assert plain["engine"] == "backtesting"
    assert plain["engine_reason"].endswith("too little to try compiling for")


@pytest.mark.slow
def test_a_strategy_that_kills_its_process_is_not_run_in_ours(folder: Path) -> None:
    said, plain = command(
        folder, "--strategy", "my.py:Dies", "--param", "fast=5,10", "--engine", "compiled", code=3
    )
    assert len(plain["failures"]) == 2
    assert plain["engine"] == "backtesting"
    assert plain["engine_reason"].startswith("no combination of the sample could be compared")
    assert "ended 2 workers on its own" in said


def a_broker_that_takes_a_commission_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    from bigbar.engines.general import machine

    real = machine.reset

    def wrong(f: Any, n: Any, cash: float, spread: float, fixed: float, *rest: Any) -> None:
        real(f, n, cash, spread, fixed + 1.0, *rest)

    monkeypatch.setattr(machine, "reset", wrong)


def statistics_of_the_sweep_that_are_a_little_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    from bigbar.engines.general import engine

    real = engine.curves_of

    def wrong(*given: Any) -> Any:
        curves = real(*given)
        assert curves is not None
        moves = curves.market.market * 1.000001
        moves.flags.writeable = False
        return curves._replace(market=curves.market._replace(market=moves))

    monkeypatch.setattr(engine, "curves_of", wrong)


@pytest.mark.slow
@of_known_versions
@pytest.mark.parametrize(
    "make_wrong",
    [a_broker_that_takes_a_commission_twice, statistics_of_the_sweep_that_are_a_little_wrong],
)
def test_an_engine_that_is_wrong_is_found_out(
    make_wrong: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Noticed before the sweep, and not used."""
    make_wrong(monkeypatch)
    told: list[str] = []

    class Hears(Listener):
        def event(self, what: str) -> None:
            told.append(what)

    found = bigbar.optimize(
        BARS, Sma, n1=[5, 10], n2=[20, 40], engine="compiled", workers=2,
        listener=Hears(), start_method="fork", validate=False,
    )  # fmt: skip
    assert found.engine == "backtesting"
    assert any("compiled is not what backtesting.py runs" in one for one in told)
    assert any("Please report this" in one for one in told)
    assert found.verification is not None
    assert found.verification.ok


class Sma(Strategy):
    """Two averages."""

    n1 = 10
    n2 = 30

    def init(self) -> None:
        self.a = self.I(SMA, self.data.Close, self.n1)
        self.b = self.I(SMA, self.data.Close, self.n2)

    def next(self) -> None:
        if crossover(self.a, self.b):
            self.position.close()
            self.buy()
        elif crossover(self.b, self.a):
            self.position.close()
            self.sell()


@pytest.mark.slow
@of_known_versions
def test_from_python() -> None:
    parameters = {"n1": [5, 10, 15], "n2": [30, 60]}
    found = bigbar.optimize(BARS, Sma, **parameters, engine="compiled", workers=2, validate=False)
    assert found.engine == "compiled"
    assert found.engine_reason is not None
    assert found.engine_reason.startswith("compiled: ")
    made = bigbar.Backtest(BARS, Sma)
    made.optimize(**parameters, engine="compiled", workers=2)
    assert made.last.engine == "compiled"
    pd.testing.assert_frame_equal(made.last.table(), found.table())

    with pytest.raises(SettingsError, match=r"^test_engine_choice\.py:\d+: "):
        bigbar.optimize(BARS, Grows, n=[5, 10], engine="compiled", workers=2)


class Grows(Sma):
    """Cannot be compiled."""

    n = 5

    def next(self) -> None:
        self.table = {len(self.data): 1}
        if len(self.table) > self.n:
            self.buy()


def test_explained(tmp_path: Path) -> None:
    told = bigbar.explain(Sma)
    assert told.compiles
    assert told.hops
    assert {one.what for one in told.lines} == {"", "compiled"}
    told = bigbar.explain(Grows, BARS)
    assert not told.compiles
    assert told.reason.startswith("test_engine_choice.py:")
    line = next(one for one in told.lines if one.what == "in the way")
    assert line.code.strip() == "self.table = {len(self.data): 1}"
    assert str(line.line) in str(told)


def test_all_that_is_in_the_way_is_explained(tmp_path: Path) -> None:
    file = tmp_path / "several.py"
    file.write_text(
        "from backtesting import Strategy\nclass Several(Strategy):\n    def init(self): pass\n"
        "    def next(self):\n        with open('x') as f: pass\n        self.o = self.buy()\n"
        "        for t in self.trades[::2]: t.close()\n        if len(self.data) > 3: self.buy()\n"
    )
    told = bigbar.explain(f"{file}:Several")
    assert [line.what for line in told.lines] == ["", *3 * ["in the way"], "compiled"]


def test_explained_by_the_command(folder: Path) -> None:
    def explain(*words: str) -> subprocess.CompletedProcess[str]:
        return commands.run(
            [sys.executable, "-m", "bigbar", "explain", *words],
            timeout=60, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    done = explain("my.py:Cross", "goog.csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Cross compiles; bars on which nothing can happen are left out\n")
    done = explain("my.py:Keeps")
    assert done.returncode == 1
    assert "in the way" in done.stdout
    done = explain("my.py:Nothing")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")


class Counts(Sma):
    """Its class knows how often `init` has run."""

    seen: ClassVar[list[int]] = []

    def init(self) -> None:
        self.seen.append(self.n1)
        self.a = self.I(SMA, self.data.Close, self.n1)
        self.b = self.I(SMA, self.data.Close, self.n2 + 10 * len(self.seen))


@pytest.mark.slow
@of_known_versions
@pytest.mark.filterwarnings("ignore:Some trades remain open")
def test_translating_it_here_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers would find the class as the `init` in this process has left it."""
    monkeypatch.setattr(engine_choice, "_QUICK_S", 1e9)
    found = bigbar.optimize(
        BARS, Counts, n1=[5, 10], n2=[20, 40], engine="compiled", workers=2, start_method="fork",
        validate=False, verify=0, progress=False,
    )  # fmt: skip
    assert found.engine == "compiled"
    rows = found.table().set_index(["n1", "n2"])
    for n1, n2 in ((5, 20), (10, 40)):
        Counts.seen.clear()
        expected = Backtest(BARS, Counts).run(n1=n1, n2=n2)
        assert rows.loc[(n1, n2), "Return [%]"] == pytest.approx(expected["Return [%]"], abs=1e-9)


@of_known_versions
def test_what_was_compared_in_a_process_is_not_compared_again(monkeypatch) -> None:
    options = {"fast": [5, 10], "slow": [20, 40], "engine": "compiled", "workers": 1}
    options |= {"validate": False}
    first = bigbar.optimize(BARS, SmaCross, **options)
    monkeypatch.setattr("bigbar.engine_choice._checked", lambda *_, **__: 1 / 0)
    second = bigbar.optimize(BARS, SmaCross, **options)
    assert second.engine == "compiled"
    assert second.engine_reason == first.engine_reason
    assert second.outcome.result_sha256 == first.outcome.result_sha256
    # Another grid, other bars and other costs are compared on their own.
    for other in ({"fast": [5, 12]}, {"commission": 0.001}):
        with pytest.raises(ZeroDivisionError):
            bigbar.optimize(BARS, SmaCross, **options | other)
    with pytest.raises(ZeroDivisionError):
        bigbar.optimize(BARS.iloc[5:], SmaCross, **options)
