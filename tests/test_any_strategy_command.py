"""A trader's own strategy by the command, from a folder of his own: what he gets, and what is said.

The numbers are held against `backtesting.Backtest` with the same options.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from backtesting import Backtest
from backtesting.test import EURUSD
from long import in_a_soak

from bigbar.user_code import load_class
from bigbar.version import __version__
from tests import commands

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "bigbar_multiprocessing_optimized.py"

#: Parameters of every kind, and a column of the file.
MY = '''
import pandas as pd
from backtesting import Strategy
from backtesting.lib import crossover
from helpers import mean


class SmaCross(Strategy):
    """Two averages."""

    fast = 5
    slow = 20
    stop = 0.05
    both = True
    side = "any"
    take = None

    def init(self):
        self.quick = self.I(mean, self.data.Close, self.fast)
        self.calm = self.I(mean, self.data.Close, self.slow)

    def next(self):
        price = self.data.Close[-1]
        if crossover(self.quick, self.calm) and self.side != "short":
            self.position.close()
            self.buy(sl=price * (1 - self.stop),
                     tp=None if self.take is None else price * (1 + self.take))
        elif crossover(self.calm, self.quick) and self.both and self.side != "long":
            self.position.close()
            self.sell(sl=price * (1 + self.stop))


class Follow(Strategy):
    """Does what a column of the file says."""

    least = 0.5
    mood = "bull"

    def init(self):
        pass

    def next(self):
        if self.data["my signal"][-1] > self.least and self.data.Mood[-1] == self.mood:
            self.buy(size=100)
        elif self.position:
            self.position.close()


class Orders(Strategy):
    """Orders on which every option of the broker tells."""

    every = 5

    def init(self):
        pass

    def next(self):
        turn = len(self.data) // self.every
        if len(self.data) % 13 == 0:
            for trade in self.trades:
                trade.close()
        elif len(self.data) % self.every == 0:
            if turn % 3:
                self.buy(size=3)
            else:
                self.sell(size=2)


class Bad(Strategy):
    """With some bad manners."""

    kind = "good"

    def init(self):
        import os, time, warnings
        if self.kind == "raises":
            raise ZeroDivisionError("no such average")
        if self.kind == "prints":
            print("spoken\\x1b[2J")
        if self.kind == "warns":
            warnings.warn("careful")
        if self.kind == "sleeps":
            time.sleep(60)
        if self.kind == "dies":
            os._exit(9)

    def next(self):
        if len(self.data) % 5 == 0:
            self.buy(size=1)
        elif len(self.data) % 7 == 0:
            self.position.close()
'''

HELPERS = """
import pandas as pd

def mean(values, bars):
    return pd.Series(values).rolling(bars).mean()
"""

BARS = EURUSD.iloc[:400].assign(
    **{
        "my signal": [(number * 7919) % 101 / 100 for number in range(400)],
        "Mood": [("bull", "bear")[number // 40 % 2] for number in range(400)],
    }
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A trader's folder: his strategies, what they import, his prices."""
    made = tmp_path_factory.mktemp("trader")
    (made / "my.py").write_text(MY, encoding="utf-8")
    (made / "helpers.py").write_text(HELPERS, encoding="utf-8")
    (made / "package").mkdir()
    (made / "package" / "__init__.py").touch()
    (made / "package" / "module.py").write_text(
        MY.replace("from helpers", "from package.helpers"), encoding="utf-8"
    )
    (made / "package" / "helpers.py").write_text(HELPERS, encoding="utf-8")
    BARS.rename_axis("time").to_csv(made / "prices.csv")
    return made


class Ran:
    """What a command came to."""

    def __init__(self, done: subprocess.CompletedProcess[str], output: Path) -> None:
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.output = output

    @property
    def table(self) -> pd.DataFrame:
        return pd.read_parquet(self.output / "results.parquet")

    @property
    def summary(self) -> dict[str, Any]:
        return json.loads((self.output / "summary.json").read_text(encoding="utf-8"))


def run(folder: Path, output: Path, *words: str, by: str = "module", strategy: str = "") -> Ran:
    """The command in the trader's folder, by the module or by the script."""
    program = ["-m", "bigbar"] if by == "module" else [str(SCRIPT)]
    chosen = ["--strategy", strategy] if strategy else []
    done = commands.run(
        [sys.executable, *program, "prices.csv", *chosen, *words,
         "--output", str(output), "--workers", "2", "--no-progress"],
        cwd=folder, timeout=250,
        env={**os.environ, "PYTHONPATH": str(ROOT) if by == "module" else ""},
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return Ran(done, output)


QUICK = ("--no-validate", "--no-store", "--verify", "0")


def by_backtesting(
    folder: Path, name: str, point: dict[str, Any], options: dict[str, Any]
) -> pd.Series:
    """The statistics that `Backtest.run` gives, on the frame as a trader reads it."""
    bars = pd.read_csv(folder / "prices.csv", index_col=0, parse_dates=True)
    strategy = load_class(f"{folder / 'my.py'}:{name}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Backtest(bars, strategy, **options).run(**point)


def same(row: pd.Series, stats: pd.Series) -> None:
    """A row of the table has the numbers of these statistics."""
    for name, value in stats.items():
        if name in ("Start", "End", "Duration") or str(name).startswith("_"):
            continue
        found = row[name]
        if isinstance(value, pd.Timedelta):
            assert found == value, name
        else:
            assert found == pytest.approx(value, rel=1e-12, nan_ok=True), name


# ------------------------------------------------------------------------------ it is optimized

GRID = (
    "--param", "fast=3,5", "--param", "slow=5:15:5", "--param", "side=any,long",
    "--param", "take=None,0.002", "--param", "both=True,False", "--param", "stop=0.01,0.05",
    "--constraint", "fast < slow and (side == 'any' or both) and stop > 0.02",
    "--engine", "backtesting",
)  # fmt: skip


@pytest.fixture(scope="module")
def optimized(folder, tmp_path_factory) -> Ran:
    output = tmp_path_factory.mktemp("out")
    return run(folder, output, *GRID, "--verify", "5", strategy="my.py:SmaCross")


@pytest.mark.slow
def test_it_runs_and_says_what_it_found(optimized):
    assert optimized.code == 0, optimized.err
    assert re.search(r"^Best of 30 combinations by Return \[%\]:$", optimized.out, re.MULTILINE)
    assert "Verdict: " in optimized.out
    assert "take None, 0.002 (2)" in optimized.err
    assert "2 × 3 × 2 × 2 × 2 × 2 = 96, of which the constraint leaves 30 combinations" in \
        " ".join(optimized.err.split())  # fmt: skip
    assert "warm up" not in optimized.err
    best = optimized.summary["best"]["parameters"]
    for name, value in best.items():
        assert f"{name} {value}" in optimized.out
    page = (optimized.output / "report.html").read_text(encoding="utf-8")
    assert "SmaCross" in page
    assert "BigBar" not in re.sub(rf"BigBar optimizer|BigBar {__version__}", "", page)


def test_columns_of_parameters_are_typed_and_in_the_order_given(optimized):
    table = optimized.table
    assert list(table.columns[:6]) == ["fast", "slow", "side", "take", "both", "stop"]
    assert table["fast"].dtype == table["slow"].dtype == "int64"
    assert table["stop"].dtype == "float64"
    assert table["both"].dtype == "bool"
    assert set(table["side"]) == {"any", "long"}
    assert table["take"].isna().sum() == len(table) / 2


def test_every_number_is_that_of_backtest(folder, optimized):
    table = optimized.table
    assert (table["# Trades"] > 3).any()
    for number in range(0, len(table), 7):
        row = table.iloc[number]
        point = {name: row[name] for name in table.columns[:6]}
        point["take"] = None if pd.isna(point["take"]) else point["take"]
        same(row, by_backtesting(folder, "SmaCross", point, {}))


@pytest.mark.slow
def test_the_run_is_kept_and_can_be_looked_at(folder, optimized):
    for words in (["history"], ["show", "1"], ["verify", "1"], ["export", "1"]):
        done = commands.run(
            [sys.executable, "-m", "bigbar", *words, "--output", str(optimized.output)],
            cwd=folder, timeout=100,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        if words == ["verify", "1"]:
            assert "Run 1 is as it was." in done.stdout


@pytest.mark.slow
def test_a_larger_grid_takes_the_rows_that_are_there(folder, optimized, tmp_path):
    output = Path(shutil.copytree(optimized.output, tmp_path / "out"))
    more = [word.replace("slow=5:15:5", "slow=5:20:5") for word in GRID]
    found = run(folder, output, *more, "--no-validate", strategy="my.py:SmaCross")
    assert found.code == 0, found.err
    assert found.summary["run"]["reused_rows"] == 30
    known = found.table[found.table["slow"] <= 15].reset_index(drop=True)
    pd.testing.assert_frame_equal(known, optimized.table)


@pytest.mark.slow
def test_a_change_of_what_it_imports_is_noticed(folder, optimized, tmp_path):
    """No row is taken that another indicator has made."""
    changed = Path(shutil.copytree(folder, tmp_path / "changed"))
    output = Path(shutil.copytree(optimized.output, tmp_path / "out"))
    helpers = changed / "helpers.py"
    helpers.write_text(HELPERS.replace("mean()", "median()"), encoding="utf-8")
    found = run(changed, output, *GRID, "--no-validate", strategy="my.py:SmaCross")
    assert found.code == 0, found.err
    assert found.summary["run"]["reused_rows"] == 0
    assert not found.table.equals(optimized.table)


@pytest.mark.parametrize(
    ("by", "strategy"),
    [("script", "my.py:SmaCross"), ("module", "package.module:SmaCross"), ("module", "absolute")],
)
def test_the_same_however_it_is_named(folder, optimized, tmp_path, by, strategy):
    strategy = f"{folder / 'my.py'}:SmaCross" if strategy == "absolute" else strategy
    other = run(folder, tmp_path / "out", *GRID, *QUICK, by=by, strategy=strategy)
    assert other.code == 0, other.err
    pd.testing.assert_frame_equal(other.table, optimized.table)


@pytest.mark.parametrize("method", ["spawn", *in_a_soak("forkserver")])
def test_the_same_however_workers_start(folder, optimized, tmp_path, method):
    other = run(folder, tmp_path / "out", *GRID, *QUICK, "--start-method", method,
                strategy="my.py:SmaCross")  # fmt: skip
    assert other.code == 0, other.err
    pd.testing.assert_frame_equal(other.table, optimized.table)


def test_columns_of_the_file_reach_it(folder, tmp_path):
    found = run(folder, tmp_path / "out", "--param", "least=0.3,0.9", "--param", "mood=bull,bear",
                *QUICK, strategy="my.py:Follow")  # fmt: skip
    assert found.code == 0, found.err
    assert "other columns, for the strategy to see: my signal, Mood" in found.err
    table = found.table
    assert table["Return [%]"].nunique() == 4
    for _, row in table.iterrows():
        point = {"least": row["least"], "mood": row["mood"]}
        same(row, by_backtesting(folder, "Follow", point, {}))


# ------------------------------------------------------------------------- options of Backtest

OPTIONS = {
    "nothing": ([], {}),
    "trade on close": (["--trade-on-close"], {"trade_on_close": True}),
    "exclusive orders": (["--exclusive-orders"], {"exclusive_orders": True}),
    "hedging": (["--hedging"], {"hedging": True}),
    "finalize trades": (["--finalize-trades"], {"finalize_trades": True}),
    "cash": (["--cash", "5"], {"cash": 5}),
    "commission": (["--commission", "0.002"], {"commission": 0.002}),
    "fixed commission": (["--commission", "0.1,0.001"], {"commission": (0.1, 0.001)}),
    "spread": (["--spread", "0.001"], {"spread": 0.001}),
    "margin": (["--cash", "5", "--margin", "0.1"], {"cash": 5, "margin": 0.1}),
}


@pytest.fixture(scope="module")
def tables(folder, tmp_path_factory) -> dict[str, pd.DataFrame]:
    found = {}
    for name, (words, _) in OPTIONS.items():
        ran = run(folder, tmp_path_factory.mktemp("out"), "--param", "every=4,9",
                  *words, "--no-validate", "--no-store", "--verify", "1",
                  strategy="my.py:Orders")  # fmt: skip
        assert ran.code == 0, ran.err
        found[name] = ran.table
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_does_what_it_does_there(folder, tables, name):
    _, options = OPTIONS[name]
    for _, row in tables[name].iterrows():
        same(row, by_backtesting(folder, "Orders", {"every": int(row["every"])}, options))
    others = [tables[other] for other in OPTIONS if other != name]
    assert not any(tables[name].equals(other) for other in others), "it changed nothing"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "point"), [([], {}), (["--param", "fast=7", "--no-validate"], {"fast": 7})]
)
def test_one_backtest(folder, tmp_path, words, point):
    found = run(folder, tmp_path / "out", "--no-optimize", *words, strategy="my.py:SmaCross")
    assert found.code == 0, found.err
    assert "One combination:" in found.out
    assert len(found.table) == 1
    same(found.table.iloc[0], by_backtesting(folder, "SmaCross", point, {}))
    assert found.summary["best"]["parameters"] == point


# ------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("strategy", "words", "said"),
    [
        ("my.py:SmaCross", [], "SmaCross needs --param, once for each parameter to optimize. Its "
         "attributes: fast = 5, slow = 20, stop = 0.05, both = True, side = 'any', take = None"),
        ("my.py:SmaCross", ["--param", "fsat=3"], "no parameter 'fsat'; did you mean fast?"),
        ("my.py:SmaCross", ["--k-atr", "2"], "--k-atr belongs to BigBar"),
        ("my.py:SmaCros", ["--param", "fast=3"], "did you mean SmaCross?"),
        ("my.py", ["--param", "fast=3"],
         "my.py holds 4 strategies (SmaCross, Follow, Orders, Bad); name one: my.py:SmaCross"),
        ("yours.py:A", ["--param", "fast=3"], "yours.py is no such file"),
        ("helpers.py:mean", ["--param", "fast=3"], "is a function, not a class"),
        ("my.py:SmaCross", ["--param", "fast=3", "--constraint", "fast > 5"],
         "of 1 combination none meets it"),
    ],
)  # fmt: skip
def test_refused_in_a_sentence(folder, tmp_path, strategy, words, said):
    found = run(folder, tmp_path / "out", *words, strategy=strategy)
    assert found.code == 2
    assert found.err.startswith("error: ")
    assert found.err.count("\n") == 1
    assert said in found.err
    assert found.out == ""
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_line_to_start_from_starts(folder, tmp_path):
    said = run(folder, tmp_path / "out", strategy="my.py:SmaCross").err
    line = said.split("To start from: ")[1].split()
    words = ["--fast" if word is None else word for word in line[2:]]
    kept = [part for pair in zip(words[::2], words[1::2], strict=True) for part in pair][:4]
    found = run(folder, tmp_path / "out", *kept, *QUICK, strategy=line[1])
    assert found.code == 0, found.err
    assert len(found.table) > 10


# --------------------------------------------------------------------------------- bad manners


@pytest.mark.slow
def test_some_combinations_with_bad_manners(folder, tmp_path):
    words = ("--param", "kind=good,raises,prints,warns,sleeps,dies", "--no-validate",
             "--timeout-per-backtest", "1")  # fmt: skip
    found = run(folder, tmp_path / "out", *words, strategy="my.py:Bad")
    assert found.code == 3, found.err
    table = found.table.set_index("kind")
    failed = ["raises", "sleeps", "dies"]
    assert table.loc[failed].isna().all(axis=None)
    assert table.drop(index=failed)["# Trades"].nunique() == 1
    failures = {one["parameters"]["kind"]: one["reason"] for one in found.summary["failures"]}
    assert list(failures) == failed
    assert len(found.summary["failures"]) == 3
    assert "ZeroDivisionError: no such average" in failures["raises"]
    assert 'my.py", line' in failures["raises"]
    assert "took longer than 1 s" in failures["sleeps"]
    assert "ended" in failures["dies"]
    assert "kind=raises" in found.out
    assert "\x1b" not in found.out + found.err
    assert "careful" not in found.err
    retried = run(folder, tmp_path / "out", *words, "--retry-failed", strategy="my.py:Bad")
    assert retried.code == 3
    assert len(retried.summary["failures"]) == 3


def test_all_combinations_with_bad_manners(folder, tmp_path):
    found = run(folder, tmp_path / "out", "--param", "kind=raises", strategy="my.py:Bad")
    assert found.code == 3
    assert found.summary["failed"] == 1
    assert "ZeroDivisionError: no such average" in found.out


def test_one_fails_and_the_other_does_not_count(folder, tmp_path):
    words = ("--param", "kind=good,raises", "--min-trades", "100000")
    found = run(folder, tmp_path / "out", *words, strategy="my.py:Bad")
    assert found.code == 3
    assert found.summary["best"] is None


# ------------------------------------------------------------------------------- the rest of it


@pytest.mark.slow
def test_help_and_the_list_of_strategies(folder):
    for words, said in (
        (["--help"], "usage: bigbar "),
        (["strategies"], "big_bar (the default)\n"),
        (["--version"], "BigBar optimizer "),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "bigbar", *words], cwd=folder, capture_output=True, text=True,
            check=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert done.stdout.startswith(said)
        assert done.stderr == ""


WANDERS = """
import os
os.chdir(os.path.dirname(os.path.abspath(__file__)))
from backtesting import Strategy

class Wanders(Strategy):
    n = 5

    def init(self):
        with open("level.txt") as file:  # Beside the strategy.
            self.level = float(file.read())
        os.chdir("..")

    def next(self):
        if len(self.data) % self.n == 0 and self.data.Close[-1] > self.level:
            self.buy(size=1)
        elif len(self.data) % 7 == 0:
            self.position.close()
"""


@pytest.mark.parametrize("engine", ["auto", *in_a_soak("backtesting")])
def test_a_strategy_that_changes_the_folder_takes_nothing_along(folder, tmp_path, engine):
    theirs = tmp_path / "strategies"
    theirs.mkdir()
    (theirs / "wanders.py").write_text(WANDERS, encoding="utf-8")
    (theirs / "level.txt").write_text("1.0", encoding="utf-8")
    shutil.copy(folder / "prices.csv", tmp_path / "prices.csv")
    found = run(
        tmp_path, Path("out"), "--no-validate", "--param", "n=3:6:1", "--engine", engine,
        strategy="strategies/wanders.py",
    )  # fmt: skip
    assert (found.code, found.err.count("error")) == (0, 0), found.err
    assert "Report     out/report.html" in found.out
    assert sorted(path.name for path in (tmp_path / "out").iterdir())[0] == "receipt.json"
    assert len(pd.read_parquet(tmp_path / "out" / "results.parquet")) == 4


TALKS = """
import os
print("imported")
from backtesting import Strategy

class Talks(Strategy):
    n = 5

    def init(self):
        print("hello")
        os.write(1, b"past Python\\n")
        os.close(1)

    def next(self):
        if len(self.data) % self.n == 0:
            self.buy(size=1)
        elif len(self.data) % 7 == 0:
            self.position.close()
"""


@pytest.mark.parametrize("engine", ["auto", *in_a_soak("backtesting")])
def test_what_a_strategy_prints_is_no_part_of_the_answer(folder, tmp_path, engine):
    (tmp_path / "talks.py").write_text(TALKS.replace("os.close(1)", ""), encoding="utf-8")
    found = run(
        folder, tmp_path / "out", *QUICK, "--param", "n=3:20:1", "--engine", engine,
        strategy=f"{tmp_path}/talks.py",
    )  # fmt: skip
    assert found.code == 0
    assert found.out.startswith("Best of 18 combinations")
    assert not any(word in found.out for word in ("imported", "hello", "past Python"))
    assert "imported" in found.err
    assert "past Python" in found.err
    assert 1 <= found.err.count("hello") <= 6  # Two workers, and the program itself.


def test_a_strategy_that_closes_standard_output_takes_no_answer(folder, tmp_path):
    careful = "import contextlib\n        with contextlib.suppress(OSError): os.close(1)"
    text = TALKS.replace("os.close(1)", careful).replace('os.write(1, b"past Python\\n")', "")
    (tmp_path / "talks.py").write_text(text, encoding="utf-8")
    found = run(
        folder, tmp_path / "out", *QUICK, "--param", "n=3:8:1", strategy=f"{tmp_path}/talks.py"
    )
    assert found.code == 0, found.err
    assert found.out.startswith("Best of 6 combinations")


LEAVES = """
from backtesting import Strategy

class Leaves(Strategy):
    n = 5

    def init(self):
        if self.n == 4:
            raise KeyboardInterrupt("why not")
        if self.n == 5:
            raise GeneratorExit

    def next(self):
        if len(self.data) % self.n == 0:
            self.buy(size=1)
        elif len(self.data) % 7 == 0:
            self.position.close()
"""


@pytest.mark.parametrize("engine", ["auto", *in_a_soak("backtesting")])
def test_a_strategy_that_raises_what_is_no_error_has_failed(folder, tmp_path, engine):
    (tmp_path / "leaves.py").write_text(LEAVES, encoding="utf-8")
    found = run(
        folder, tmp_path / "out", *QUICK, "--param", "n=3:6:1", "--engine", engine,
        strategy=f"{tmp_path}/leaves.py",
    )  # fmt: skip
    assert found.code == 3
    assert "KeyboardInterrupt: why not" in found.out
    reasons = [one["reason"] for one in found.summary["failures"]]
    assert len(reasons) == 2
    assert "GeneratorExit" in reasons[1]


@pytest.mark.slow
def test_one_combination_is_spoken_of_as_one(folder, tmp_path):
    one = run(folder, tmp_path / "one", *QUICK, "--param", "fast=5", strategy="my.py:SmaCross")
    assert one.code == 0
    assert "0 chunks" not in one.err
    assert "1 = 1" not in one.err
    failed = run(folder, tmp_path / "bad", *QUICK, "--param", "kind=raises", strategy="my.py:Bad")
    assert "The combination failed" in failed.out
    some = run(folder, tmp_path / "some", *QUICK, "--param", "fast=5,6", strategy="my.py:SmaCross")
    assert " 2 combinations" in some.err
    assert "2 = 2" not in some.err
