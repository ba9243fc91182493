"""`compare`: two runs side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bigbar.history.tables import pairs, parameters_text, table, value_text
from bigbar.results import Choice, ResultTable
from bigbar.store.records import Run
from bigbar.store.reuse import shared_combinations
from bigbar.store.runs import RunStore

#: The combinations that moved most.
_MOVERS = 5


@dataclass(frozen=True)
class Comparison:
    """How two runs differ.

    Attributes
    ----------
    differing : list of (str, str, str)
        Setting, and its value in either run.
    objective : str
        That both are compared by: the first one's.
    shared : int
        Combinations of the same parameters.
    correlation : float
        Spearman's, of the objective over those that count in both; NaN where too few do.
    better, worse, same : int
        Of those, how many are better in the second run.
    best_in_other : (float, float)
        The first one's best in the second run, and the other way round; NaN where it has it not.
    movers : list of (dict, float, float)
        Parameters and objective in either run, of those that moved most.
    """

    differing: list[tuple[str, str, str]]
    objective: str
    shared: int
    correlation: float
    better: int
    worse: int
    same: int
    best_in_other: tuple[float, float]
    movers: list[tuple[dict[str, float], float, float]]


def compare_runs(store: RunStore, first: Run, second: Run) -> Comparison:
    """Hold two runs side by side, combination by combination.

    Raises
    ------
    StoreError
        If the rows of one of them are damaged.
    """
    here, there = shared_combinations(first.grid, second.grid)
    choice = Choice.by_name(first.objective, int(first.settings.get("min_trades", 1)))
    scores, natural = [], []
    for run, numbers in ((first, here), (second, there)):
        results = ResultTable(run.grid, store.values(run)[0])
        scores.append(results.scores(choice)[numbers])
        natural.append(results.column(first.objective)[numbers])
    both = ~np.isnan(scores[0]) & ~np.isnan(scores[1])
    moved = np.where(both, scores[1] - scores[0], 0.0)
    order = np.argsort(-np.abs(moved), kind="stable")[:_MOVERS]
    return Comparison(
        differing=_differing(first, second),
        objective=first.objective,
        shared=len(here),
        correlation=_rank_correlation(scores[0][both], scores[1][both]),
        better=int(np.count_nonzero(moved > 0)),
        worse=int(np.count_nonzero(moved < 0)),
        same=int(np.count_nonzero(both & (moved == 0))),
        best_in_other=(
            _value_of(first.best, here, natural[1]),
            _value_of(second.best, there, natural[0]),
        ),
        movers=[
            (dict(vars(first.grid[int(here[at])])), float(natural[0][at]), float(natural[1][at]))
            for at in order
            if moved[at]
        ],
    )


def _value_of(best: int | None, numbers: NDArray[np.int64], values: NDArray[np.float64]) -> float:
    found = values[numbers == (-1 if best is None else best)]
    return float(found[0]) if len(found) else np.nan


def _rank_correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Spearman's rank correlation, equal values sharing their mean rank."""
    if len(x) < 3:
        return np.nan
    a, b = (_ranks(values) for values in (x, y))
    if a.std() == 0 or b.std() == 0:
        return np.nan
    return float(np.corrcoef(a, b)[0, 1])


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse])


def _differing(first: Run, second: Run) -> list[tuple[str, str, str]]:
    """Settings and parts of the identity that are not the same."""
    found = []
    sides = (_facts(first), _facts(second))
    for name in dict.fromkeys([*sides[0], *sides[1]]):
        mine, other = (side.get(name, "--") for side in sides)
        if mine != other:
            found.append((name, mine, other))
    return found


def _facts(run: Run) -> dict[str, str]:
    facts = {name: value_text(value) for name, value in run.settings.items()}
    facts |= {axis.name: str(axis) for axis in run.grid.axes}
    facts["data"] = f"{run.data.get('path', '?')} ({run.bars_sha256[:12]})"
    for name in ("engine", "span", "sources", "packages", "machine"):
        facts[name] = str(run.identity.parts[name])[:60]
    return facts


def compare(store: RunStore, first: Run, second: Run) -> str:
    """What `compare_runs` found, for a person."""
    found = compare_runs(store, first, second)
    names = f"run {first.id}", f"run {second.id}"
    blocks = []
    if found.differing:
        blocks.append(table(("what differs", *names), found.differing))
    else:
        blocks.append("Nothing differs in what was asked for.")
    if first.result_sha256 is not None and first.result_sha256 == second.result_sha256:
        blocks.append("Every statistic of every combination is the same, to the last bit.")
    blocks.append(
        table(
            ("", "best", found.objective, "in the other"),
            [
                (
                    name,
                    parameters_text(run.best_parameters),
                    value_text(run.best_value) if run.objective == found.objective else "--",
                    "--" if np.isnan(other) else value_text(other),
                )
                for name, run, other in zip(
                    names, (first, second), found.best_in_other, strict=True
                )
            ],
            right="  rr",
        )
    )
    facts = [
        ("shared combinations", f"{found.shared:,}"),
        ("better, worse, same", f"{found.better:,}, {found.worse:,}, {found.same:,}"),
    ]
    if not np.isnan(found.correlation):
        facts.append(("rank correlation", f"{found.correlation:.3f}"))
    blocks.append(pairs(facts))
    if found.movers:
        blocks.append(
            table(
                ("moved most", *names),
                [
                    (parameters_text(parameters), value_text(mine), value_text(other))
                    for parameters, mine, other in found.movers
                ],
                right=" rr",
            )
        )
    return "\n\n".join(blocks)


def as_json(store: RunStore, first: Run, second: Run) -> dict[str, Any]:
    """What `compare_runs` found, for machines."""
    found = compare_runs(store, first, second)

    def plain(value: float) -> float | None:
        return None if np.isnan(value) else value

    return {
        "runs": [first.id, second.id],
        "differing": [
            {"name": name, "values": [mine, other]} for name, mine, other in found.differing
        ],
        "objective": found.objective,
        "shared": found.shared,
        "rank_correlation": plain(found.correlation),
        "better": found.better,
        "worse": found.worse,
        "same": found.same,
        "best_in_other": [plain(value) for value in found.best_in_other],
        "movers": [
            {"parameters": parameters, "values": [mine, other]}
            for parameters, mine, other in found.movers
        ],
    }
