"""How far each search comes, on grids of which every combination is known.

The whole grid is run first; a search is then answered with its rows, so that what counts is how
many combinations it asks for, not how long one takes. One search goes through the pipeline, and
must come to the same rows. Processor time of asking and telling is measured for two of them.

    python benchmarks/search.py                     # an hour and a half, most of it in Optuna
    python benchmarks/search.py --methods random,local,sambo
    python benchmarks/search.py --kept folder       # what other packages' searches came to is kept
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import common
import numpy as np
import pandas as pd
from backtesting.test import EURUSD, GOOG
from example_strategies import Sma4Cross
from made_data import made_bars
from numpy.typing import NDArray
from searched_strategy import Bands

import bigbar
from bigbar.results import Choice
from bigbar.search.find import SEARCHES, Asking
from bigbar.search.random import draw
from bigbar.search.tries import Tries
from bigbar.space import Space

#: Combinations that a search may try, and an earlier moment at which it is looked at.
_TRIES, _EARLY = 1000, 200

#: A Gaussian process takes ever longer for each point: it is looked at early only.
_SLOWEST = "optuna:gp"

#: Within this share of the best there is, it has been found.
_NEAR = 0.01

#: Processor seconds a point that asking and telling may take.
_MOST_S = 0.0002

_BANDS = {
    "length": range(5, 101, 5), "width": "0.5:3.5:0.1", "trend": range(20, 201, 20),
    "follow": [False, True], "side": ["both", "long", "short"],
}  # fmt: skip
_AVERAGES = {
    "n1": range(10, 106, 5), "n2": range(20, 211, 10), "n_enter": range(5, 41, 5),
    "n_exit": range(5, 41, 5),
}  # fmt: skip

Curve = NDArray[np.float64]


@dataclass(frozen=True)
class Known:
    """A grid whose scores are all known.

    Attributes
    ----------
    name : str
    space : Space
    scores : ndarray of float, shape (combinations,)
        The higher the better; NaN where a combination does not count.
    """

    name: str
    space: Space
    scores: NDArray[np.float64]

    @property
    def best(self) -> float:
        return float(np.nanmax(self.scores))


def whole(bars: pd.DataFrame | str, strategy: Any = None, **axes: Any) -> bigbar.Optimization:
    """Every combination."""
    engine = None if strategy is None else "compiled"
    return bigbar.optimize(
        bars, strategy, engine=engine, method="grid", verify=0, validate=False, **axes
    )


def grids() -> list[Known]:
    """BigBar on two files by two objectives, two other strategies by two."""
    cases = [
        ("BigBar, example.csv", whole(str(common.ROOT / "example.csv")), 1),
        ("BigBar, made bars", whole(made_bars(20_000)), 1),
        ("four averages, GOOG", whole(GOOG, Sma4Cross, **_AVERAGES), 1),
        ("bands, EUR/USD", whole(EURUSD, Bands, **_BANDS), 30),
    ]
    return [
        Known(
            f"{name}, {objective.partition(' [')[0]}",
            found.outcome.job.space,
            found.outcome.table.scores(Choice.by_name(objective, least)),
        )
        for name, found, least in cases
        for objective in ("Return [%]", "Sharpe Ratio")
    ]


def tries_of(method: str) -> int:
    """How many combinations a search may try."""
    return _EARLY if method == _SLOWEST else _TRIES


def curve(known: Known, numbers: NDArray[np.int64], tries: int) -> Curve:
    """The best score after so many tries; that of the last from where a search has ended."""
    scores = np.full(tries, -np.inf)
    scores[: len(numbers)] = np.nan_to_num(known.scores[numbers], nan=-np.inf)
    return np.maximum.accumulate(scores)


def searched(method: str, known: Known, seed: int) -> Curve:
    """A search answered with rows that are known."""
    if method == "random":
        drawn = draw(known.space, _TRIES, seed=seed).in_product(np.arange(_TRIES))
        return curve(known, np.random.default_rng(seed).permutation(drawn), _TRIES)
    most = tries_of(method)
    asking = Asking(method, most, seed, known.space)
    tries = Tries(asking.searcher(), np.zeros(most, np.int64))
    while len(places := tries.ask()):
        tries.tell(places, known.scores[tries.numbers[places.start : places.stop]])
    return curve(known, tries.numbers[: tries.count], most)


class Kept:
    """What searches of other packages came to, in a folder: they take an hour, and do not change.

    Parameters
    ----------
    folder : Path or None
        None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def curves(self, method: str, known: Known, seeds: int) -> list[Curve]:
        """A curve for each seed; those that are there are not searched again."""
        file = self._file(method, known)
        curves = [] if file is None or not file.exists() else list(np.load(file))
        for seed in range(len(curves), seeds):
            curves.append(searched(method, known, seed))
            if file is not None:
                np.save(file, curves)
        return curves[:seeds]

    def _file(self, method: str, known: Known) -> Path | None:
        """Named after all that decides the curves."""
        package = method.partition(":")[0]
        if self._folder is None or package not in ("optuna", "sambo"):
            return None
        module = SEARCHES[method].partition(":")[0]
        source = (common.ROOT / f"{module.replace('.', '/')}.py").read_bytes()
        digest = hashlib.sha256(known.scores.tobytes() + source)
        digest.update(
            f"{method} {version(package)} {known.space.shape} {tries_of(method)}".encode()
        )
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / f"{method.replace(':', '-')}-{digest.hexdigest()[:16]}.npy"


def figures(curves: list[Curve], best: float) -> tuple[float, int, float, float]:
    """Tries until the best is near, seeds that got there, shares of it early and at the end.

    The last is NaN where a search was looked at early only.
    """
    near = best - _NEAR * abs(best)
    there = np.array([int(np.argmax(each >= near)) + 1 if each[-1] >= near else np.inf
                      for each in curves])  # fmt: skip
    early, late = (
        float(np.median([each[at - 1] if len(each) >= at else np.nan for each in curves]))
        for at in (_EARLY, _TRIES)
    )
    return float(np.median(there)), int(np.isfinite(there).sum()), early / best, late / best


def through_the_pipeline(known: Known) -> bool:
    """Whether a run of the command comes to the points and scores that are known."""
    found = bigbar.optimize(
        str(common.ROOT / "example.csv"), method="local", max_tries=_EARLY, seed=7, verify=0,
        validate=False, workers=2,
    )  # fmt: skip
    kept = found.outcome.job.space.kept
    assert kept is not None
    scores = found.outcome.table.scores(found.outcome.choice)
    same = np.array_equal(scores, known.scores[kept], equal_nan=True)
    return same and float(np.nanmax(scores)) == searched("local", known, 7)[_EARLY - 1]


def seconds_a_point(search: Callable[[], int]) -> float:
    """Processor seconds, the best of three."""
    spent = []
    for _ in range(3):
        begun = time.process_time()
        points = search()
        spent.append((time.process_time() - begun) / points)
    return min(spent)


def asked(known: Known) -> int:
    searched("local", known, 0)
    return _TRIES


def drawn(known: Known) -> int:
    return len(draw(known.space, _TRIES))


def main() -> int:
    names = "random,local,sambo,optuna:nsga2,optuna:cmaes,optuna:tpe"
    given = common.arguments(
        __doc__ or "",
        methods=("--methods", names, "which, with commas between them"),
        seeds=("--seeds", 30, "of each"),
        slow=("--slow-seeds", 30, "of Optuna's"),
        slowest=("--slowest-seeds", 5, f"of {_SLOWEST}, which needs torch"),
        kept=("--kept", None, "folder for what searches of other packages come to"),
    )
    report = common.Report("Searches on grids that are known", given)
    known = grids()
    report.check("rows of a run with the rows of the grid", through_the_pipeline(known[0]))
    kept = Kept(None if given.kept is None else Path(given.kept))
    found: dict[tuple[str, str], tuple[float, int, float, float]] = {}
    for method in given.methods.split(","):
        seeds = given.slow if method.startswith("optuna") else given.seeds
        seeds = given.slowest if method == _SLOWEST else seeds
        for each in known:
            curves = kept.curves(method, each, seeds)
            tries, there, early, late = found[method, each.name] = figures(curves, each.best)
            tries_text = f"{tries:,.0f}" if np.isfinite(tries) else f"> {len(curves[0]):,}"
            shares = ", ".join(f"{one:.2f}" for one in (early, late) if not np.isnan(one))
            report.line(
                f"{method}: {each.name}", f"{tries_text} tries ({there} of {seeds}); best {shares}"
            )
    if {"local", "sambo", "optuna:tpe"} <= {method for method, _ in found}:
        tell_rows(report, known, found)
    for name, search in (("random", drawn), ("local", asked)):
        seconds = seconds_a_point(lambda search=search: search(known[0]))  # type: ignore[misc]
        report.line(
            f"asking and telling, {name}", f"{1e3 * seconds:.3f} ms a point",
            f"under {1e3 * _MOST_S:g} ms", seconds < _MOST_S,
        )  # fmt: skip
    return report.finish()


def tell_rows(
    report: common.Report,
    known: list[Known],
    found: dict[tuple[str, str], tuple[float, int, float, float]],
) -> None:
    """On how many rows `local` is as good as the better of the two others.

    A row in which no search gets near is not counted there.
    """
    kinds: dict[str, Callable[[tuple[float, int, float, float]], float]] = {
        "tries until near": lambda one: -one[0],
        f"best after {_EARLY}": lambda one: one[2],
        f"best after {_TRIES:,}": lambda one: one[3],
    }
    for kind, of in kinds.items():
        rows = []
        for each in known:
            ours = of(found["local", each.name])
            theirs = max(of(found[other, each.name]) for other in ("sambo", "optuna:tpe"))
            if np.isfinite(max(ours, theirs)):
                rows.append(ours >= theirs)
        report.line(
            f"local at least as good as SAMBO and TPE, {kind}",
            f"{sum(rows)} of {len(rows)} rows", "most", 2 * sum(rows) > len(rows),
        )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
