"""`--keep top:N`: the best rows of a grid, a sample, and exact sums, whatever the order of work."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from history_tools import Asked
from small_run import small_bars

import bigbar
from bigbar.choice import Choice
from bigbar.errors import Interrupted, SettingsError
from bigbar.keeping.packed import packed, unpacked
from bigbar.keeping.reduced import Done, Reduced
from bigbar.keeping.rule import Rule, rows_kept
from bigbar.keeping.sums import PairSums
from bigbar.options import parse_options
from bigbar.progress.events import Listener
from bigbar.report.answer import answer
from bigbar.report.files import summary
from bigbar.report.standings import standings
from bigbar.space import Space
from bigbar.statistics import COLUMN, STATISTICS, by_name
from bigbar.store.runs import RunStore
from bigbar.store.schema import StoreError
from tests import commands

ROOT = Path(__file__).resolve().parents[1]

#: 26 × 31 × 5 × 8 × 1 = 32,240 combinations, more than three times the sample.
GRID = {"atr_period": "5:30:1", "k_atr": "0.5:3.5:0.1"}
TOP = 40
EXAMPLE = ROOT / "example.csv"
QUICK = {"verify": 0, "validate": False, "workers": 2}


class Told(Listener):
    """Notes what is out of the ordinary."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def event(self, what: str) -> None:
        self.events.append(what)


def optimize(**options) -> bigbar.Optimization:
    return bigbar.optimize(small_bars().frame, **GRID | QUICK | options)


@pytest.fixture(scope="module")
def full():
    return optimize()


@pytest.fixture(scope="module")
def kept():
    return optimize(keep=f"top:{TOP}")


def numbers_of(found: bigbar.Optimization) -> np.ndarray:
    """Of the rows of a run, in the product."""
    space = found.outcome.job.space
    return space.in_product(np.arange(len(space)))


def maps_of(found: bigbar.Optimization) -> list[np.ndarray]:
    sums = found.outcome.reduced.sums
    return [each for pair in sums.pairs for each in sums.heatmap(pair)]


def assert_same(one: bigbar.Optimization, other: bigbar.Optimization) -> None:
    """To the last bit, sums among it."""
    assert one.result_sha256 == other.result_sha256 is not None
    assert np.array_equal(numbers_of(one), numbers_of(other))
    assert one.outcome.reduced.counts == other.outcome.reduced.counts
    for mine, its in zip(maps_of(one), maps_of(other), strict=True):
        assert mine.tobytes() == its.tobytes()
    assert one.best_parameters == other.best_parameters


# ----------------------------------------------------------------------------- against the full run


def test_the_best_are_those_of_the_full_run(full, kept):
    scores = full.outcome.table.scores(full.outcome.choice)
    order = np.lexsort((np.arange(len(scores)), -scores))[:TOP]
    assert set(order.tolist()) <= set(numbers_of(kept).tolist())
    assert kept.best_parameters == full.best_parameters
    best = [dict(kept.outcome.job.space[one.number]) for one in _standings(kept)]
    assert best == [dict(full.outcome.job.space[one.number]) for one in _standings(full)]


def _standings(found: bigbar.Optimization) -> list:
    return found.outcome.table.top(found.outcome.choice, 10)


def test_each_row_is_that_of_the_full_run(full, kept):
    numbers = numbers_of(kept)
    assert len(numbers) < len(full) / 3
    rows = full.outcome.table.values[numbers]
    assert rows.tobytes() == kept.outcome.table.values.tobytes()


def test_counts_are_of_all(full, kept):
    table, counts = full.outcome.table, kept.outcome.reduced.counts
    assert counts.tried == kept.outcome.reached == len(full)
    assert counts.without_trades == table.without_trades()
    assert counts.counting == np.count_nonzero(~np.isnan(table.scores(full.outcome.choice)))
    assert counts.most_trades == table.column("# Trades").max()
    assert kept.outcome.complete


def test_sums_are_those_of_the_full_run(full, kept):
    table, sums = full.outcome.table, kept.outcome.reduced.sums
    counts = ~np.isnan(table.scores(full.outcome.choice))
    values = table.column("Return [%]")[counts]
    places = [place[counts] for place in table.space.all_places()]
    assert len(sums.pairs) == 6
    for one, other in sums.pairs:
        of_cell = pd.Series(values).groupby([places[one], places[other]])
        scores, means, numbers = sums.heatmap((one, other))
        best, mean, first = of_cell.max(), of_cell.mean(), of_cell.idxmax()
        where = tuple(np.array(best.index.tolist()).T)
        assert np.array_equal(scores[where], best)
        assert means[where] == pytest.approx(mean.to_numpy(), rel=1e-12, abs=1e-12)
        assert np.array_equal(numbers[where], np.flatnonzero(counts)[first])
        assert np.count_nonzero(~np.isnan(scores)) == len(best)


def test_the_sample_is_fair(full, kept):
    """Of the size that was said, and its mean where chance puts it."""
    values = full.outcome.table.column("Return [%]")
    drawn = numbers_of(kept)[kept.outcome.in_sample]
    assert len(drawn) == 10_000
    error = values.std() / np.sqrt(len(drawn))
    assert abs(values[drawn].mean() - values.mean()) < 4 * error
    halves = np.histogram(drawn, bins=8, range=(0, len(values)))[0]
    assert halves.min() > 0.9 * len(drawn) / 8


def test_another_seed_draws_another_sample(kept):
    other = optimize(keep=f"top:{TOP}", seed=7)
    drawn = [set(numbers_of(one)[one.outcome.in_sample].tolist()) for one in (kept, other)]
    assert len(drawn[0] & drawn[1]) < 0.5 * len(drawn[0])
    assert other.best_parameters == kept.best_parameters


# ------------------------------------------------------------------------------------- equal bits


@pytest.mark.parametrize(
    "how", [{"workers": 1}, {"workers": 3}, {"workers": 2, "start_method": "spawn"}]
)
def test_the_same_for_any_workers(kept, how):
    assert_same(kept, optimize(keep=f"top:{TOP}", **how))


class Interrupter(Listener):
    """Sends Ctrl-C once so many combinations have been counted."""

    def __init__(self, after: int) -> None:
        self.after, self.done = after, 0

    @contextmanager
    def progress(self, total: int, done: int = 0, in_flight: float = 0.0):
        self.done = done
        yield self

    def update(self, n: int) -> None:
        self.after -= n
        if self.after <= 0:
            self.after = 10**9
            signal.raise_signal(signal.SIGINT)

    def set_postfix_str(self, s: str, refresh: bool) -> None:
        pass


@pytest.mark.slow
def test_interrupted_and_continued_it_is_the_same(kept, tmp_path):
    for _ in range(2):
        with pytest.raises(Interrupted):
            optimize(keep=f"top:{TOP}", store=tmp_path, listener=Interrupter(9_000))
    with RunStore(tmp_path) as store:
        (run,) = store.runs()
        values, done = store.values(run)
        assert run.state == "interrupted"
        assert done.all()
        assert len(values) == len(run.grid) < run.done
        assert 18_000 <= run.done < run.combinations == 32_240
    resumed = optimize(keep=f"top:{TOP}", store=tmp_path)
    assert resumed.outcome.resumed == run.done
    assert_same(kept, resumed)
    with RunStore(tmp_path) as store:
        (run,) = store.runs()
        assert run.state == "finished"
        assert (run.done, run.combinations) == (32_240, 32_240)


def command(folder: Path) -> list[str]:
    words = [f"--{name.replace('_', '-')}={values}" for name, values in GRID.items()]
    return [
        *(sys.executable, str(ROOT / "bigbar_multiprocessing_optimized.py"), "prices.csv", *words),
        *("--workers", "2", "--keep", f"top:{TOP}", "--output", str(folder), "--no-progress"),
    ]


def result_of(folder: Path) -> dict:
    return json.loads((folder / "summary.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_killed_after_the_last_slice_and_continued_it_is_the_same(tmp_path):
    """By SIGKILL, while what it found is looked at; nothing of the grid is run again."""
    small_bars().frame.rename_axis("Date").to_csv(tmp_path / "prices.csv")
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    with commands.Command(
        command(killed), cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        for line in process.stderr:
            if line.startswith("Verify"):
                process.kill()
    assert process.returncode == -signal.SIGKILL
    with RunStore(killed) as store:
        (run,) = store.runs()
        assert (run.state, run.done) == ("interrupted", run.combinations)
    resumed = commands.run(command(killed), cwd=tmp_path, check=True)
    assert "resuming run 1" in resumed.stderr
    commands.run(command(whole), cwd=tmp_path, check=True)
    once, again = result_of(whole), result_of(killed)
    assert again["run"]["resumed_rows"] == run.combinations
    assert again["run"]["id"] == 1
    for name in ("result_sha256", "best", "keep", "completed", "verdict"):
        assert again[name] == once[name]
    assert again["keep"] is not None
    rows = [pd.read_parquet(one / "results.parquet") for one in (whole, killed)]
    pd.testing.assert_frame_equal(*rows)


@pytest.fixture(scope="module")
def killed_midway(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run whose process was killed while it swept."""
    folder = tmp_path_factory.mktemp("midway")
    small_bars().frame.rename_axis("Date").to_csv(folder / "prices.csv")
    words = [*command(folder), "--engine", "backtesting"]
    deadline = time.monotonic() + 60
    with commands.Command(
        words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while time.monotonic() < deadline and not _done(folder):
            time.sleep(0.05)
        process.kill()
    assert 0 < _done(folder) < 32_240
    return folder


def _done(folder: Path) -> int:
    try:
        with RunStore(folder, read_only=True) as store:
            return sum(run.done for run in store.runs())
    except StoreError:
        return 0  # It is not there yet.


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["show"], 0, "The same command continues it. With --keep the best are stored when it "),
        (["export"], 0, "With --keep they are stored when it ends: the same command continues it"),
        (["report"], 2, "with --keep the best are stored when it ends: the same command continues"),
    ],
)
def test_of_one_killed_midway_it_is_said_how_to_go_on(capsys, killed_midway, words, code, said):
    asked = Asked(capsys, killed_midway, *words, "1")
    told = " ".join((asked.out + asked.err).split())
    assert asked.code == code
    assert said.lower() in told.lower()
    assert "interrupted" in told
    assert "that counts" not in told


def test_a_grid_that_the_sample_would_hold_is_kept_whole_and_that_is_said():
    told = Told()
    found = optimize(k_atr="0.5:1:0.1", keep="top:5", listener=told)
    assert told.events == [
        "--keep top:5 leaves no row out: all of up to 10,000 are kept, and there are 6,240"
    ]
    assert found.outcome.rule is None
    assert len(found.table()) == 26 * 6 * 5 * 8


def test_the_table_ends_with_the_best_that_were_kept(full):
    few = optimize(keep="top:3")
    shown = standings(few.outcome, 10, width=120).splitlines()
    whole = standings(full.outcome, 10, width=120).splitlines()
    rows = [line.split() for line in shown if line.lstrip()[:1].isdigit()]
    assert 1 <= len(rows) <= 3
    theirs = [line.split() for line in whole if line.lstrip()[:1].isdigit()]
    for mine, its in zip(rows, theirs, strict=False):
        assert mine == its[: len(mine)]
    assert "shared" not in shown[0]


# --------------------------------------------------------------------------------- what comes of it


@pytest.fixture(scope="module")
def validated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    found = bigbar.optimize(
        EXAMPLE, **GRID, keep="top:20", workers=2, verify=3, holdout=0.2, store=folder
    )
    found.save(folder)
    return folder, found


@pytest.mark.slow
def test_it_is_proved_and_judged(validated):
    _, found = validated
    assert found.verification.ok
    assert found.verification.combinations == 4
    findings = found.findings
    assert findings.plateau is None
    assert findings.bootstrap is None
    assert findings.pbo is not None
    assert findings.neighbours.combinations > 0
    assert findings.alone.combinations > 1_000
    assert "only bars" in found.verdict or "unseen" in found.verdict
    assert any("--keep top:20" in note for note in findings.notes)
    assert "32,240 settings" in found.verdict


def test_neighbours_are_run_where_they_were_not_kept(validated):
    """Their mean is that of the full run's rows; bars held back aside."""
    _, found = validated
    whole = bigbar.optimize(EXAMPLE, **GRID | QUICK, holdout=0.2)
    space = whole.outcome.job.space
    best = whole.outcome.best
    here = space.places(best)
    around = []
    for axis, length in enumerate(space.shape):
        for step in (-1, 1):
            if length > 1 and 0 <= here[axis] + step < length:
                place = (*here[:axis], here[axis] + step, *here[axis + 1 :])
                around.append(int(np.ravel_multi_index(place, space.shape)))
    scores = whole.outcome.table.scores(whole.outcome.choice)[around]
    assert found.findings.neighbours.combinations == len(around)
    assert found.findings.neighbours.mean == pytest.approx(np.nanmean(scores))


def test_its_files_say_what_was_kept(validated):
    folder, found = validated
    told = result_of(folder)
    assert told["settings"]["keep"] == "top:20"
    assert told["grid"]["combinations"] == told["completed"] == 32_240
    assert told["keep"]["tried"] == 32_240
    assert told["keep"]["rows"] == len(found) == len(pd.read_parquet(folder / "results.parquet"))
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "A sample of 10,000 combinations" in page


def test_the_store_holds_no_more_than_that(validated):
    folder, found = validated
    assert (folder / "runs.sqlite").stat().st_size < 600 * len(found) + 400_000


@pytest.mark.parametrize("words", [["show"], ["verify"], ["export"], ["report"]])
def test_it_is_shown_again(validated, words, tmp_path):
    folder, _ = validated
    done = commands.run(
        [sys.executable, "-m", "bigbar", *words, "1", "--output", str(folder)],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    if words == ["show"]:
        assert "32,240" in done.stdout


# ---------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("given", ["top", "top:0", "top:x", "best:3", "", "top:1000001"])
def test_what_makes_no_sense_is_refused(given):
    with pytest.raises(SettingsError, match="--keep is"):
        rows_kept(given)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"choose": "robust"}, "looks at what stands around"),
        ({"method": "local", "max_tries": 50}, "local is a search, and all that it tries is kept"),
    ],
)
def test_what_needs_every_row_is_refused(options, said):
    with pytest.raises(SettingsError, match=said):
        optimize(keep="top:5", **options)


def test_a_method_that_was_not_named_is_not_advised_about():
    line = ["f", "--max-tries", "50", "--keep", "top:5"]
    with pytest.raises(SettingsError) as caught:
        parse_options(line)
    said = str(caught.value)
    assert said == (
        "--keep is for grids: --max-tries without --method random is a search, and all that it "
        "tries is kept; leave --keep out, or use --method random"
    )
    assert parse_options([*line, "--method", "random"]).request.keep == 5


def test_several_files_are_compared_where_every_row_is_kept(tmp_path):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).touch()
    files = [str(tmp_path / "a.csv"), str(tmp_path / "b.csv"), "--common", "worst"]
    with pytest.raises(SettingsError, match="--keep keeps a part of them"):
        parse_options([*files, "--keep", "top:5"])
    few = parse_options([*files, "--keep", "top:5", "--atr-period", "10,20"])
    assert few.request.rule(few.request.space) is None


def test_where_every_row_is_kept_the_robust_choice_is_had():
    few = {"k_atr": "1:2:0.5", "atr_period": "10:20:5"}
    robust = optimize(**few, choose="robust")
    assert optimize(**few, keep="top:5", choose="robust").best_parameters == robust.best_parameters


FAILS = """
from backtesting import Strategy

class Fails(Strategy):
    a, b = 1, 1
    def init(self):
        if self.a % 2:
            raise ValueError(f"odd {self.a}")
    def next(self):
        if len(self.data) % (self.b + 2) == 0:
            self.buy(size=0.1)
        else:
            self.position.close()
"""


@pytest.mark.slow
def test_what_fails_is_counted_and_some_of_it_told(tmp_path, monkeypatch):
    (tmp_path / "fails.py").write_text(FAILS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    found = bigbar.optimize(
        small_bars().frame.iloc[:60], "fails.py:Fails", a="1:210:1", b="1:50:1", keep="top:3",
        engine="backtesting", store=tmp_path / "o", **QUICK,
    )  # fmt: skip
    assert found.outcome.failed == 5_250
    assert found.outcome.reached == 5_250
    assert found.outcome.complete
    assert "odd" in found.failures[0].reason
    assert all(found.outcome.job.space[one.number]["a"] % 2 for one in found.failures)
    told = summary(found.outcome)
    listed = len(told["failures"])
    assert 0 < listed < told["failed"] == told["keep"]["failed"] == 5_250
    said = f"5,250 combinations, {listed:,} of them in summary.json; the first:"
    assert said in answer(found.outcome, files=[])


# ------------------------------------------------------------------------------------------- parts

SPACE = Space.of(a=range(70), b=range(30), c=("x", "y"), d=range(130))


def reduced_of(cuts: list[int], rule: Rule) -> Reduced:
    """The space reduced in slices, each by itself, added up in a shuffled order."""
    parts = []
    for start, stop in itertools.pairwise(cuts):
        one = Reduced(rule, SPACE)
        values, reasons = made(start, stop)
        one.add(start, values, reasons)
        parts.append(one.part())
    whole = Reduced(rule, SPACE)
    for place in np.random.default_rng(len(cuts)).permutation(len(parts)):
        whole.merge(parts[place])
    return whole


def made(start: int, stop: int) -> tuple[np.ndarray, dict[int, str]]:
    """Rows with ties, infinities, rows that do not count and rows that failed."""
    numbers = np.arange(start, stop)
    values = np.ones((stop - start, len(STATISTICS)))
    values[:, COLUMN["Return [%]"]] = np.sin(numbers) * 10.0 ** (numbers % 9)
    values[numbers % 50 == 0, COLUMN["Return [%]"]] = 7.5e8
    values[numbers % 997 == 1, COLUMN["Return [%]"]] = np.inf
    values[:, COLUMN["# Trades"]] = numbers % 5
    failed = numbers % 311 == 4
    values[failed] = np.nan
    return values, {int(number): f"why {number}" for number in numbers[failed]}


@pytest.mark.parametrize("step", [1_000, 4_096, 33_333])
def test_slices_add_up_alike(step):
    rule = Rule(25, Choice.of("Return [%]"), len(SPACE), seed=3, sample=500)
    whole = reduced_of([0, len(SPACE)], rule)
    parts = reduced_of([*range(0, len(SPACE), step), len(SPACE)], rule)
    assert parts.counts == whole.counts
    assert whole.counts.infinite > 0
    for one, other in zip(parts.kept(), whole.kept(), strict=True):
        assert one.tobytes() == other.tobytes()
    for pair in whole.sums.pairs:
        for one, other in zip(whole.sums.heatmap(pair), parts.sums.heatmap(pair), strict=True):
            assert one.tobytes() == other.tobytes()
    numbers, _ = whole.kept()
    assert len(numbers) <= rule.most_rows
    assert sum(number in whole.reasons for number in numbers.tolist()) >= 100


def test_a_long_axis_is_counted_in_groups_of_neighbours():
    sums = PairSums(SPACE, by_name("Return [%]"))
    assert sums.groups == (1, 1, 1, 2)
    assert sums.heatmap((0, 3))[0].shape == (70, 65)


@pytest.mark.parametrize("name", ["Return [%]", "Avg. Trade Duration"])
def test_sums_hold_what_floats_lose(name):
    """A large value and its opposite leave exactly what stands between them."""
    sums = PairSums(Space.of(a=range(2), b=range(2)), by_name(name))
    large = 3e12 if name == "Return [%]" else 1e17
    values = np.array([large, 0.25, -large, 0.5])
    assert sums.fits(values).all()
    assert not sums.fits(np.array([np.inf, -np.inf, np.nan, 1e300])).any()
    zero = np.zeros(4, np.int64)
    sums.add([zero, zero], values, values, np.arange(4))
    assert sums.heatmap((0, 1))[1][0, 0] == 0.75 / 4


def test_sums_of_billions_carry():
    sums = PairSums(Space.of(a=range(2), b=range(2)), by_name("Return [%]"))
    zero = np.zeros(1, np.int64)
    sums.add([zero, zero], np.array([123.456]), np.array([1.0]), zero)
    for doubled in range(34):  # What there is, added to itself: 2 ** 34 points.
        sums.merge(sums.cells(), 1 << doubled)
    assert sums.counts[0] == 1 << 34
    assert sums.heatmap((0, 1))[1][0, 0] == pytest.approx(123.456, rel=1e-13)


def test_what_is_done_is_kept_as_stretches():
    done, order = Done(), np.random.default_rng(1).permutation(200)
    for place in order[:150].tolist():
        done.add(10 * place, 10 * place + 10)
    known = np.zeros(2_000, np.bool_)
    for start, stop in zip(done.starts, done.stops, strict=True):
        assert not known[start:stop].any()
        known[start:stop] = True
    assert len(done) == 1_500 == np.count_nonzero(known)
    assert sum(stop - start for start, stop in done.left(2_000)) == 500
    for place in order[150:].tolist():
        done.add(10 * place, 10 * place + 10)
    assert (done.starts, done.stops) == ([0], [2_000])
    assert done.left(2_000) == []


def test_it_is_packed_without_loss():
    rule = Rule(25, Choice.of("Return [%]"), len(SPACE), sample=500)
    whole, done = reduced_of([0, 30_000], rule), Done([0], [30_000])
    again, its = unpacked(packed(whole, done), rule, SPACE)
    assert its == done
    assert again.counts == whole.counts
    again.merge(whole.part())
    assert again.counts.tried == 60_000
    for content in (b"", b"nonsense", packed(whole, Done([5], [10])), packed(whole, done)[:-9]):
        with pytest.raises(ValueError, match=r"."):
            unpacked(content, rule, SPACE)


def test_nothing_is_as_large_as_the_grid():
    """A grid of ten billion: its sample and its cells are known by the point."""
    space = Space.of(**{name: range(100) for name in "abcde"})
    rule = Rule(10, Choice.of("Return [%]"), space.count)
    assert rule.total == 10**10
    found = Reduced(rule, space)
    values, _ = made(0, 1_000)
    found.add(9_999_990_000, values, {})
    assert found.counts.tried == 1_000
    assert found.best.numbers.min() >= 9_999_990_000
    assert space.count_shared(space) == 10**10
    drawn = sum(
        np.count_nonzero(rule.drawn(np.arange(start, start + 1_000_000)))
        for start in range(0, 10**10, 10**9)
    )
    assert 0 <= drawn < 60
