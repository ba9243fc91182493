"""How far costs can rise before a setting loses: by running it again, not by formula.

More cost is less profit, but not strictly: trades are of whole units, so a little more cost can
mean one unit less of a losing trade, and where no unit can be paid any more there is no loss
either. So the largest cost that does not lose is looked for from below: the costs of a scan, each
twice the one before, up to the first that loses; then by halves between that and the one before.
Every cost of the scan below the answer did not lose.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pandas as pd

from bigbar.account import Account
from bigbar.engines.find import build_engine
from bigbar.errors import SettingsError
from bigbar.job import Job
from bigbar.statistics import COLUMN
from bigbar.validation.findings import Costs
from bigbar.validation.single import single_job, whole_span

#: A hundredth of the price is more than any broker takes.
LIMIT = 0.01

#: The scan begins at a ten-thousandth of the limit.
_SCAN_STEPS = 13

#: The answer is this close, as a share of it; below a ten-millionth of the limit it is none.
_CLOSE, _NOTHING = 0.005, 1e-7

#: Rungs of the table, in break-even costs.
_RUNGS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)

#: And what stands for one where there is no break-even to climb to: a basis point.
_SMALL = 1e-4

_COLUMNS = ("Return [%]", "Sharpe Ratio", "# Trades")


@dataclass
class _Setting:
    """One combination under any costs; each pair of them is run once."""

    file: pd.DataFrame
    job: Job
    number: int
    known: dict[tuple[float, float], tuple[float, ...]] = field(default_factory=dict)

    def run(self, commission: float, spread: float) -> tuple[float, ...]:
        """Return, Sharpe ratio and trades, see `_COLUMNS`."""
        costs = commission, spread
        if costs not in self.known:
            account = with_costs(self.job.account, commission=commission, spread=spread)
            span = whole_span(self.file, self.job)
            engine = build_engine(self.file, single_job(self.job, self.number, span, account))
            row = engine.run(0, 1)[0]
            self.known[costs] = tuple(float(row[COLUMN[name]]) for name in _COLUMNS)
        return self.known[costs]

    def loses(self, commission: float, spread: float) -> bool:
        """Whether less is left than there was."""
        return self.run(commission, spread)[0] < 0


def with_costs(account: Account, *, commission: float, spread: float) -> Account:
    """An account with another relative commission and spread; a fixed fee stays."""
    fixed, _ = account.commission_parts
    both: float | tuple[float, float] = (fixed, commission) if fixed else commission
    return replace(account, commission=both, spread=spread)


def _accepted(account: Account, commission: float, spread: float) -> bool:
    """Whether the broker takes such costs: twice what a run was charged may be more than that."""
    try:
        with_costs(account, commission=commission, spread=spread)
    except SettingsError:
        return False
    return True


def find_costs(file: pd.DataFrame, job: Job, number: int, *, limit: float = LIMIT) -> Costs:
    """Find the commission and the spread at which a combination breaks even.

    Parameters
    ----------
    file : DataFrame
        The whole file with its indicators.
    job : Job
        What was optimized, on which of the bars.
    number : int
        The combination.
    limit : float, optional
        The largest cost to try, as a share of the price.

    Returns
    -------
    Costs
    """
    setting = _Setting(file, job, number)
    account = job.account
    (fixed, commission), spread = account.commission_parts, float(account.spread)
    even_commission = break_even(lambda cost: setting.loses(cost, spread), limit)
    even_spread = break_even(lambda cost: setting.loses(commission, cost), limit)
    costs = {(commission, spread)}
    costs |= {(cost, spread) for cost in _ladder(even_commission, commission, limit)}
    costs |= {(commission, cost) for cost in _ladder(even_spread, spread, limit)}
    table = pd.DataFrame(
        [(*one, *setting.run(*one)) for one in sorted(costs) if _accepted(account, *one)],
        columns=["commission", "spread", *_COLUMNS],
    ).astype({"# Trades": int})
    return Costs(
        commission=commission,
        spread=spread,
        fixed_commission=fixed,
        total_return=setting.run(commission, spread)[0],
        break_even_commission=even_commission,
        break_even_spread=even_spread,
        limit=limit,
        table=table,
    )


def break_even(loses: Callable[[float], bool], limit: float) -> float | None:
    """The largest cost that does not lose, looked for from below.

    Parameters
    ----------
    loses : callable
        Whether a cost loses.
    limit : float
        The largest cost to try.

    Returns
    -------
    float or None
        0 where no cost at all loses already; None where none loses up to the limit. The costs of
        the scan below the answer do not lose; just above it, one does.
    """
    if loses(0.0):
        return 0.0
    good = 0.0
    for step in range(_SCAN_STEPS, -1, -1):
        bad = limit / 2**step
        if loses(bad):
            break
        good = bad
    else:
        return None
    while bad - good > max(_CLOSE * bad, _NOTHING * limit):
        middle = (good + bad) / 2
        if loses(middle):
            bad = middle
        else:
            good = middle
    return good


def _ladder(even: float | None, own: float, limit: float) -> list[float]:
    """Costs up to and beyond break-even, where there is one."""
    if even is None:
        return [rung * limit for rung in _RUNGS if rung <= 1]
    step = even or max(own, 0.0) or _SMALL
    return [rung * step for rung in _RUNGS]
