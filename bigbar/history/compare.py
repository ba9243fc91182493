"""`compare`: two runs side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.choice import Choice
from bigbar.history.answer import Answer
from bigbar.history.listing import done_text
from bigbar.history.rows import choice_of, table_of, winner_of
from bigbar.history.show import axis_text, flat, span_text
from bigbar.history.tables import (
    Column,
    pairs,
    paragraph,
    parameters_text,
    table,
    value_text,
)
from bigbar.parameter import Parameter, is_number, plain_point
from bigbar.pareto import pareto_set
from bigbar.results import ResultTable
from bigbar.store.points import encoded
from bigbar.store.records import Run
from bigbar.store.runs import RunStore

#: The combinations that moved most.
_MOVERS = 5


@dataclass(frozen=True)
class RankInRun:
    """How a combination does in a run.

    Attributes
    ----------
    in_grid : bool
        Whether it is one of the run's.
    value : float
        The objective; NaN where there is none.
    place : int or None
        1 for the best of the run; equal ones share it. None where it does not count.
    """

    in_grid: bool
    value: float
    place: int | None


@dataclass(frozen=True)
class BestOfRun:
    """The best combination of one of the runs, by the run's own objective, and how it does in both.

    Attributes
    ----------
    parameters : dict of str to object
    standings : tuple of two RankInRun
        In the first run and in the second, by the objective that both are compared by.
    """

    parameters: dict[str, Any]
    standings: tuple[RankInRun, RankInRun]


@dataclass(frozen=True)
class Mover:
    """A combination, and its objective in the first run and in the second."""

    parameters: dict[str, Any]
    values: tuple[float, float]


@dataclass(frozen=True)
class Comparison:
    """How two runs differ.

    Attributes
    ----------
    differing : tuple of (str, str, str)
        Setting, and its value in either run.
    objective : str
        That both are compared by: the first one's, and its least number of trades.
    winners : tuple of two BestOfRun or None
        None where nothing counts.
    counting : tuple of (int, int)
        Combinations that count, in either run.
    shared : int
        Combinations of the same parameters.
    in_both, only_first, only_second : int
        Of those, how many count in both runs, or in one only.
    better, worse, same : int
        Of those that count in both, how many are better in the second run.
    rank_correlation : float
        Spearman's, over the same; NaN where it is undefined.
    movers : tuple of Mover
        Of the same, those that moved most.
    identical : bool
        Whether every statistic of every combination is the same, to the last bit.
    pareto : tuple of (int, int, int) or None
        Of several objectives, the first run's: combinations of the Pareto set of either run, and
        how many are in both.
    """

    differing: tuple[tuple[str, str, str], ...]
    objective: str
    winners: tuple[BestOfRun | None, BestOfRun | None]
    counting: tuple[int, int]
    shared: int
    in_both: int
    only_first: int
    only_second: int
    better: int
    worse: int
    same: int
    rank_correlation: float
    movers: tuple[Mover, ...]
    identical: bool
    pareto: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class _Side:
    """A run with its rows, looked at by the common objective."""

    run: Run
    table: ResultTable
    values: NDArray[np.float64]
    scores: NDArray[np.float64]

    @classmethod
    def of(cls, store: RunStore, run: Run, choice: Choice) -> _Side:
        rows, _ = table_of(store, run)
        return cls(run, rows, rows.column(choice.objective.name), rows.scores(choice))

    def standing(self, number: int | None) -> RankInRun:
        """Of one of its combinations; of one that it has not for None."""
        if number is None:
            return RankInRun(False, np.nan, None)
        score = self.scores[number]
        place = None if np.isnan(score) else 1 + int(np.count_nonzero(self.scores > score))
        return RankInRun(True, float(self.values[number]), place)

    def counting(self) -> int:
        """How many of its combinations count."""
        return int(np.count_nonzero(~np.isnan(self.scores)))


def compare_runs(store: RunStore, first: Run, second: Run) -> Comparison:
    """Hold two runs side by side, combination by combination.

    Parameters
    ----------
    store : RunStore
    first, second : Run

    Returns
    -------
    Comparison

    Raises
    ------
    StoreError
        If the rows of one of them are damaged, or of another version.
    """
    choice = choice_of(first)
    # What counts in a run is its own affair; which is better, by the objective of the first.
    sides = tuple(
        _Side.of(store, run, replace(choice, min_trades=choice_of(run).min_trades))
        for run in (first, second)
    )
    numbers = first.grid.shared_with(second.grid)
    scores = [side.scores[shared] for side, shared in zip(sides, numbers, strict=True)]
    counts = [~np.isnan(one) for one in scores]
    both = counts[0] & counts[1]
    result = first.result_sha256
    return Comparison(
        differing=tuple(_differing(first, second)),
        objective=choice.objective.name,
        winners=(_winner(sides, numbers, 0), _winner(sides, numbers, 1)),
        counting=(sides[0].counting(), sides[1].counting()),
        shared=len(both),
        in_both=int(np.count_nonzero(both)),
        only_first=int(np.count_nonzero(counts[0] & ~counts[1])),
        only_second=int(np.count_nonzero(counts[1] & ~counts[0])),
        better=int(np.count_nonzero(scores[1] > scores[0])),
        worse=int(np.count_nonzero(scores[1] < scores[0])),
        same=int(np.count_nonzero(scores[1] == scores[0])),
        rank_correlation=_rank_correlation(scores[0][both], scores[1][both]),
        movers=tuple(_movers(sides, numbers, scores)),
        identical=result is not None and result == second.result_sha256 and _same_grid(sides),
        pareto=_pareto_sets(sides, numbers, choice),
    )


def _pareto_sets(
    sides: tuple[_Side, ...],
    numbers: tuple[NDArray[np.int64], NDArray[np.int64]],
    choice: Choice,
) -> tuple[int, int, int] | None:
    first, second = (pareto_set(side.table, choice) for side in sides)
    if first is None or second is None:
        return None
    in_both = np.isin(numbers[0], first.numbers) & np.isin(numbers[1], second.numbers)
    return len(first), len(second), int(np.count_nonzero(in_both))


def _same_grid(sides: tuple[_Side, ...]) -> bool:
    return sides[0].run.grid == sides[1].run.grid


def _winner(
    sides: tuple[_Side, ...],
    numbers: tuple[NDArray[np.int64], NDArray[np.int64]],
    which: int,
) -> BestOfRun | None:
    """The best of one of the sides, and where it stands in both."""
    best = winner_of(sides[which].run, sides[which].table)
    if best is None:
        return None
    at = np.flatnonzero(numbers[which] == best)
    places: list[int | None] = [int(shared[at[0]]) if len(at) else None for shared in numbers]
    places[which] = best
    return BestOfRun(
        dict(sides[which].run.grid[best]),
        (sides[0].standing(places[0]), sides[1].standing(places[1])),
    )


def _rank_correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Spearman's rank correlation, equal values sharing their mean rank."""
    if len(x) < 3:
        return np.nan
    a, b = (pd.Series(values).rank().to_numpy() for values in (x, y))
    if a.std() == 0 or b.std() == 0:
        return np.nan
    return float(np.corrcoef(a, b)[0, 1])


def _movers(
    sides: tuple[_Side, ...],
    numbers: tuple[NDArray[np.int64], NDArray[np.int64]],
    scores: list[NDArray[np.float64]],
) -> Iterator[Mover]:
    """Those that moved most, the first in grid order of equal ones."""
    with np.errstate(invalid="ignore"):  # Between two infinities there is no distance.
        moved = np.nan_to_num(np.abs(scores[1] - scores[0]), nan=0.0, posinf=np.inf)
    for at in np.argsort(-moved, kind="stable")[:_MOVERS]:
        if moved[at]:
            here, there = (int(shared[at]) for shared in numbers)
            yield Mover(
                dict(sides[0].run.grid[here]),
                (float(sides[0].values[here]), float(sides[1].values[there])),
            )


def _differing(first: Run, second: Run) -> Iterator[tuple[str, str, str]]:
    """What was asked for, or decides the numbers, and is not the same."""
    mine, others = _facts(first), _facts(second)
    for name in dict.fromkeys([*mine, *others]):
        values = mine.get(name, "--"), others.get(name, "--")
        if values[0] != values[1]:
            yield name, *values
    yield from _differing_axes(first, second)


def _facts(run: Run) -> dict[str, str]:
    parts = run.identity.parts
    facts = {"data": str(run.data.get("path", "?")), "bars": run.bars_sha256[:12]}
    facts |= {"took part": span_text(run)}
    facts |= {f"code of {name}": digest[:12] for name, digest in run.identity.strategy_code.items()}
    facts |= flat("", run.settings)
    facts |= {"engine": run.engine, "code": run.identity.code_sha256[:12]}
    return facts | flat("", parts["packages"]) | flat("machine", parts["machine"])


def _differing_axes(first: Run, second: Run) -> Iterator[tuple[str, str, str]]:
    mine, others = ({axis.name: axis for axis in run.grid.parameters} for run in (first, second))
    for name in dict.fromkeys([*mine, *others]):
        axis, other = mine.get(name), others.get(name)
        if axis is None or other is None:
            texts = ["--" if one is None else axis_text(one) for one in (axis, other)]
            yield name, texts[0], texts[1]
        elif repr(_typed(axis)) != repr(_typed(other)):
            text, its_text = axis_text(axis), axis_text(other)
            if text == its_text:  # The same ends and as many: what is between is not the same.
                text += _only_in(axis, other)
                its_text += _only_in(other, axis)
            yield name, text, its_text


def _typed(axis: Parameter) -> list[Any]:
    """The values as the store has them: 1, 1.0 and True are three."""
    return [encoded(value) for value in axis.values]


def _only_in(axis: Parameter, other: Parameter) -> str:
    known = list(map(repr, _typed(other)))
    values = [value for value in axis.values if repr(encoded(value)) not in known]
    shown = [f"{value:.15g}" if is_number(value) else repr(value) for value in values[:3]]
    return f" with {', '.join(shown)}" + (" …" if len(values) > 3 else "")


def compare(store: RunStore, first: Run, second: Run) -> Answer:
    """What `compare_runs` found."""
    found = compare_runs(store, first, second)
    values = {"runs": [first.id, second.id], **asdict(found)}
    for one in (*values["winners"], *values["movers"]):
        if one is not None:
            one["parameters"] = plain_point(one["parameters"])
    values["differing"] = [
        {"name": name, "values": [mine, other]} for name, mine, other in found.differing
    ]
    return Answer("\n\n".join(_blocks(found, first, second)), values)


def _blocks(found: Comparison, first: Run, second: Run) -> Iterator[str]:
    names = f"run {first.id}", f"run {second.id}"
    for run in (first, second):
        if run.state != "finished":
            yield paragraph(
                f"Run {run.id} is {run.state} at {done_text(run)}: what it has not finished does "
                "not count."
                if run.state != "failed"
                else f"Run {run.id} failed its verification: its rows are not to be trusted."
            )
    if found.differing:
        heads = Column("what differs"), *(Column(name, least=16) for name in names)
        yield table(heads, found.differing)
    else:
        yield "Nothing differs in what was asked for."
    if found.identical:
        yield "Every statistic of every combination is the same, to the last bit."
    yield _winners(found, names)
    if second.objective != found.objective:
        yield paragraph(
            f"By {found.objective}, which run {first.id} was to find; run {second.id} was to find "
            f"{second.objective}, and its best is the best by that."
        )
    yield pairs(moves(found, names))
    if found.movers:
        heads = Column("moved most"), *(Column(name, right=True) for name in names)
        yield table(
            heads,
            [
                (parameters_text(one.parameters), *(value_text(value) for value in one.values))
                for one in found.movers
            ],
        )


def _winners(found: Comparison, names: tuple[str, str]) -> str:
    """Where the best of either run stands in both."""
    columns = [Column("best of"), Column("at")]
    for name in names:
        columns += [Column(f"in {name}", right=True), Column("place", right=True)]
    rows = []
    for name, winner in zip(names, found.winners, strict=True):
        if winner is None:
            rows.append((name, "none counts", *[""] * 4))
            continue
        cells = [name, parameters_text(winner.parameters)]
        for standing in winner.standings:
            cells.append(value_text(standing.value) if standing.in_grid else "not in it")
            cells.append("--" if standing.place is None else f"{standing.place:,}")
        rows.append(tuple(cells))
    return f"{found.objective}:\n{table(columns, rows)}"


def moves(found: Comparison, names: tuple[str, str]) -> Iterator[tuple[str, str]]:
    """How the combinations of both moved: names and sentences."""
    yield "count", f"{found.counting[0]:,} in {names[0]}, {found.counting[1]:,} in {names[1]}"
    yield (
        "shared combinations",
        f"{found.shared:,}: {found.in_both:,} count in both, {found.only_first:,} in {names[0]} "
        f"only, {found.only_second:,} in {names[1]} only",
    )
    yield (
        f"in {names[1]}",
        f"{found.better:,} better, {found.worse:,} worse, {found.same:,} the same",
    )
    if not np.isnan(found.rank_correlation):
        yield "rank correlation", f"{found.rank_correlation:.3f}"
    if found.pareto is not None:
        first, second, both = found.pareto
        yield "Pareto set", f"{first:,} in {names[0]}, {second:,} in {names[1]}, {both:,} in both"
