"""How often a setting that a search found is taken for an edge where there is none.

Grids of noise, see `luck.py`, are searched as a run does, on the first four fifths of their days.
Then the setting is judged in two ways: as if its points were a sample of the grid, which is what
the verdict leaves out, and by the days that were held back, which it goes by. The table stands in
benchmarks/README.md.

    python benchmarks/search_luck.py
    python benchmarks/search_luck.py --simulations 50   # quicker and coarser
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import common
import numpy as np
from luck_noise import Sample, engine_noise, field_noise

from bigbar.machine.resources import usable_processors
from bigbar.results import Choice, ResultTable
from bigbar.search.find import Asking
from bigbar.search.tries import Tries
from bigbar.validation.bootstrap import LEVEL
from bigbar.validation.luck import assess_luck
from bigbar.validation.searched import held_alone
from bigbar.validation.sharpe import CONFIDENCE, moments, probabilistic_sharpe
from bigbar.validation.verdict import SEARCH_CONFIDENCE

#: Days of the grids, share of them that is held back, and tries of a search.
_DAYS, _HELD_BACK, _TRIES = (125, 315), 0.2, 200

_CHOICE = Choice.by_name("Sharpe Ratio")

_MADE: dict[str, Callable[[int, int], Sample]] = {"engine": engine_noise, "field": field_noise}

Found = dict[str, float]


def judged(name: str, days: int, seed: int) -> Found:
    """A search on noise, and what is said of its setting."""
    sample = _MADE[name](days, seed)
    split = days - round(_HELD_BACK * days)
    seen = Sample(sample.grid, np.ascontiguousarray(sample.returns[:, :split]))
    table = seen.table()
    scores = table.scores(_CHOICE)
    asking = Asking("local", _TRIES, seed, sample.grid)
    tries = Tries(asking.searcher(), np.zeros(_TRIES, np.int64))
    while len(places := tries.ask()):
        tries.tell(places, scores[tries.numbers[places.start : places.stop]])
    tried = tries.numbers[: tries.count]
    chosen = int(tried[np.nanargmax(tries.scores[: tries.count])])
    part = ResultTable(sample.grid.only(tried), table.values[tried])
    as_sample = assess_luck(
        np.ascontiguousarray(seen.returns[tried]), part, _CHOICE, part.best(_CHOICE),
        periods_per_year=252.0, seed=seed,
    )  # fmt: skip
    alone, _ = held_alone(
        seen.returns[[chosen]], table, _CHOICE, chosen, periods_per_year=252.0, seed=seed
    )
    held_back = sample.returns[chosen, split:].astype(np.float64)
    boot, pbo = as_sample.bootstrap, as_sample.pbo
    convinced = probabilistic_sharpe(moments(held_back))
    return {
        "p <= 5 % as if the points were a sample": boot is not None and boot.p_value <= LEVEL,
        "probability of overfitting, as if they were": np.nan if pbo is None else pbo.pbo,
        "p <= 5 % as if alone": alone is not None and alone.p_value <= LEVEL,
        "held-back days convince at 95 %": convinced >= CONFIDENCE,
        "and as the verdict has it: green or amber": convinced >= SEARCH_CONFIDENCE,
        "share of the grid's best that was found": float(scores[chosen] / np.nanmax(scores)),
    }


def main() -> int:
    given = common.arguments(
        __doc__ or "", simulations=("--simulations", 300, "of each kind and length")
    )
    report = common.Report("False positives of a search", given)
    with ProcessPoolExecutor(usable_processors()) as pool:
        for name in _MADE:
            for days in _DAYS:
                search = partial(judged, name, days)
                found = list(pool.map(search, range(given.simulations), chunksize=5))
                for what in found[0]:
                    values = np.array([float(one[what]) for one in found])
                    error = np.nanstd(values) / np.sqrt(len(values))
                    report.line(
                        f"{name}, {days} days: {what}",
                        f"{100 * np.nanmean(values):.1f} % ± {100 * error:.1f}",
                    )
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
