"""The one thing to do next after a run, chosen for what came of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from bigbar.outcome import Outcome
from bigbar.parameter import Parameter, is_number, value_text
from bigbar.spec import StrategySpec
from bigbar.units import counted
from bigbar.validation.findings import Bootstrap, Costs, Findings
from bigbar.validation.wording import FEW_TRADES, basis_points, periods_text

#: More bars than so many times those there are is no advice that anybody can follow.
_MOST_TIMES = 20.0

#: An axis of more values than this is fine enough.
_COARSE = 10


def next_step(outcome: Outcome) -> str:
    """What to do next, in a sentence with the option that does it.

    The first that applies, from what makes the answer worthless to what would confirm it; empty
    where no combination counts, which says itself what to do.
    """
    if outcome.stopped_by is not None:
        kept = outcome.carried.run is not None
        return "Give the same command again" + (": it continues where it stopped." if kept else ".")
    if outcome.failures:
        mend = f"Mend what made {counted(outcome.failed, 'combination')} fail, then give the same "
        if outcome.rule is not None:
            return f"{mend}command."
        return f"{mend}command; with --retry-failed where the strategy stays as it is."
    if outcome.best is None:
        return ""
    findings = outcome.findings
    if findings is None or findings.verdict.light == "none":
        return "Leave --no-validate out: nothing says yet whether this is more than luck."
    return next((step for rule in _RULES for step in rule(outcome, findings)), _DONE)


_DONE = (
    "Trade it on paper, and run it again with --no-optimize on the bars to come: nothing of the "
    "past can say more."
)


def _conduct(_: Outcome, findings: Findings) -> Iterator[str]:
    conduct = findings.conduct
    if conduct is None:
        return
    if conduct.sees_future is not None:
        yield "Mend what looks ahead (centred windows, shift(-1), max or min over all bars)."
    if conduct.answers_differently is not None:
        yield "Give its random numbers a fixed seed in init, and run it again."


def _few_trades(outcome: Outcome, findings: Findings) -> Iterator[str]:
    trades = outcome.table.column("# Trades")
    assert outcome.best is not None
    shown, found = [outcome.best], outcome.pareto
    if found is not None:  # The smallest drawdown is that of a single trade.
        shown.append(int(found.points[found.compromise]))
    if trades[shown].min() >= FEW_TRADES:
        return
    asked = max(FEW_TRADES, outcome.choice.min_trades)
    few = "so few say nothing"
    if findings.verdict.light == "green":
        few = "so few are little to rely on, however good they look"
    if len(outcome.table) > 1 and (trades >= asked).any():
        unseen = ", and hold bars back: --holdout 0.2" if _needs_unseen(outcome, findings) else ""
        yield f"Ask for more trades: --min-trades {asked}{unseen}. {few[0].upper()}{few[1:]}."
    else:
        yield f"Use a longer file: {few}."


def _little_data(_: Outcome, findings: Findings) -> Iterator[str]:
    found = findings.alone or findings.bootstrap
    if found is None or math.isnan(found.p_value):
        yield "Use a longer file: this one is too short to tell skill from luck."


def _needs_unseen(outcome: Outcome, findings: Findings) -> bool:
    """Whether only bars that it has not seen can tell, and there are none yet."""
    return (outcome.asking or outcome.rule) is not None and findings.holdout is None


def _searched(outcome: Outcome, findings: Findings) -> Iterator[str]:
    if _needs_unseen(outcome, findings):
        what = "a search" if outcome.asking is not None else "the best of so many"
        yield (
            f"Check it on bars that it has not seen, for {what} finds what fits these: "
            "--holdout 0.2 keeps the last fifth back."
        )


def _loses(outcome: Outcome, findings: Findings) -> Iterator[str]:
    assert outcome.best is not None
    if outcome.table.column("Return [%]")[outcome.best] < 0:
        yield "Try another idea, or other parameters: even the best of these loses."


def _luck(outcome: Outcome, findings: Findings) -> Iterator[str]:
    found = findings.sharpe_bootstrap or findings.bootstrap
    if findings.verdict.light != "red" or found is None or _lost_unseen(findings):
        return
    times = _times_as_long(found)
    if times > _MOST_TIMES:
        yield "Try another idea, or fewer parameters: no file is long enough to show an edge here."
    elif times > 1.05:
        yield (
            f"Get a longer file: an edge like this takes about {times:.1f} times as many bars to "
            f"tell from luck (these are {periods_text(found)}); or try fewer settings."
        )
    else:
        yield "Try fewer settings, or a longer file: luck had too many chances."


def _times_as_long(found: Bootstrap) -> float:
    """How many times as long a file would have to be: errors shrink with the root of its length."""
    if not found.chosen > 0:
        return math.inf
    return float((found.smallest_provable / found.chosen) ** 2)


def _lost_unseen(findings: Findings) -> bool:
    holdout, walked = findings.holdout, findings.walk_forward
    lost = holdout is not None and float(holdout.unseen["Return [%]"]) < 0.0
    return lost or (walked is not None and walked.total_return < 0.0)


def _unseen(_: Outcome, findings: Findings) -> Iterator[str]:
    if _lost_unseen(findings):
        yield (
            "Leave it, or try another idea on other bars: it lost on bars that it had not seen, "
            "and looking again makes them seen."
        )


def _costs(_: Outcome, findings: Findings) -> Iterator[str]:
    costs = findings.costs
    if costs is None or costs.commission or costs.spread or costs.fixed_commission:
        return
    yield f"Say what your broker takes, --commission or --spread: {_limits(costs)}."


def _limits(costs: Costs) -> str:
    evens = (("spread", costs.break_even_spread), ("commission", costs.break_even_commission))
    known = [f"a {what} of {basis_points(even)}" for what, even in evens if even is not None]
    if not known:
        return "nothing is charged so far"
    return f"nothing is charged so far, and it loses above {' or '.join(known)}"


def _edges(outcome: Outcome, findings: Findings) -> Iterator[str]:
    plateau = findings.plateau
    if plateau is None or outcome.best is None or not plateau.peak_edges:
        return
    if outcome.best != plateau.peak:
        return
    name, point = plateau.peak_edges[0], outcome.job.space[outcome.best]
    option = option_of(outcome.job.spec, name).rstrip(" =")
    yield (
        f"Widen {option}: the best has {name} {value_text(point[name])}"
        ", the end of its range, so better may lie beyond."
    )


def _robust(outcome: Outcome, findings: Findings) -> Iterator[str]:
    plateau = findings.plateau
    if plateau is None or plateau.robust is None or outcome.best != plateau.peak:
        return
    if plateau.robust != plateau.peak:
        yield "Take the setting with the best neighbours, not a lone peak: --choose robust."


def _hold_back(outcome: Outcome, findings: Findings) -> Iterator[str]:
    if findings.holdout is None and len(outcome.table) > 1:
        yield "Check it on bars that it has not seen: --holdout 0.2 keeps the last fifth back."


def _walk(outcome: Outcome, findings: Findings) -> Iterator[str]:
    if findings.walk_forward is None and len(outcome.table) > 1:
        yield "See whether choosing again and again would have worked: --walk-forward 5."


def _finer(outcome: Outcome, _: Findings) -> Iterator[str]:
    assert outcome.best is not None
    point = outcome.job.space[outcome.best]
    finer = [
        f"{option_of(outcome.job.spec, axis.name)}{text}"
        for axis in outcome.job.space.varying
        if (text := around(axis, point[axis.name]))
    ]
    if finer:
        yield f"Look closer around it: {' '.join(finer)}."


def around(axis: Parameter, value: object) -> str:
    """A finer axis from one neighbour of a value to the other; empty where there is none."""
    values = list(axis.values)
    if not axis.is_ordered or len(values) > _COARSE or not all(map(is_number, values)):
        return ""
    place = values.index(value)
    low, high = values[max(place - 1, 0)], values[min(place + 1, len(values) - 1)]
    whole = all(isinstance(one, int) for one in values)
    gap = (high - low) / 8
    step = max(1, round(gap)) if whole else float(f"{gap:.1g}")
    if not step or (whole and high - low <= 2):
        return ""
    return f"{value_text(low)}:{value_text(high)}:{value_text(step)}"


def option_of(spec: StrategySpec, name: str) -> str:
    """`--k-atr ` where a parameter has an option of its own, else `--param fast=`."""
    if name in spec.default_grid:
        return f"--{name.replace('_', '-')} "
    return f"--param {name}="


_RULES: tuple[Callable[[Outcome, Findings], Iterator[str]], ...] = (
    _conduct, _few_trades, _little_data, _loses, _unseen, _searched, _luck, _costs, _edges, _robust,
    _hold_back, _walk, _finer,
)  # fmt: skip
