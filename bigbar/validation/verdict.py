"""What all the findings come to: a light, a sentence, and six lines at most.

The rule, explained in `docs/validation.md`. p is how often luck alone does as well, counting the
trials of earlier runs on the same data. *Unseen lost*: the setting on the holdout, or the windows
of a walk-forward analysis together. *Unseen convinces*: on the holdout alone the setting earns
something with 95 % confidence, each time the holdout was opened adding to the doubt.

- green: p is at most `STRONG`, or at most `WEAK` and unseen convinces; and nothing speaks against
  it: nothing unseen lost, and the probability of backtest overfitting is at most `MOST_PBO`.
- red: there is no p; or p is above `WEAK` and unseen does not convince; or p is above `STRONG` and
  something unseen lost.
- amber: everything between.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from bigbar.grid import Grid
from bigbar.periods import period_returns
from bigbar.validation.findings import (
    Bootstrap,
    Holdout,
    Overfitting,
    Plateau,
    Verdict,
    WalkForward,
)
from bigbar.validation.sharpe import CONFIDENCE, moments, probabilistic_sharpe

#: Luck does as well at most this often: strong evidence, and weak.
STRONG, WEAK = 0.05, 0.20

#: Above this the winner of half the data is, on the other half, rather bad than good.
MOST_PBO = 0.5

#: Lines are kept this short, so that a terminal of 100 columns breaks none; only a parameter grid
#: or numbers out of the ordinary make a longer one.
WIDTH = 99

_PERIODS = {365.0: "days", 252.0: "days", 52.0: "weeks", 12.0: "months", 1.0: "years"}


@dataclass(frozen=True)
class Evidence:
    """The findings as the rule sees them.

    Attributes
    ----------
    p_value : float
        Counting earlier trials; NaN where there is none.
    unseen_lost : bool
        On the holdout, or over the windows of the walk-forward analysis.
    unseen_convinces : bool
        The holdout alone shows a profit with 95 % confidence.
    overfit : bool
    where : str
        It lost, in words.
    """

    p_value: float
    unseen_lost: bool = False
    unseen_convinces: bool = False
    overfit: bool = False
    where: str = "on unseen days"

    @property
    def light(self) -> str:
        """The light that the rule gives."""
        strong, weak = self.p_value <= STRONG, self.p_value <= WEAK
        evidence = strong or (weak and self.unseen_convinces)
        if evidence and not self.unseen_lost and not self.overfit:
            return "green"
        if math.isnan(self.p_value) or (self.unseen_lost and not strong):
            return "red"
        return "amber" if weak or self.unseen_convinces else "red"


def unseen_confidence(holdout: Holdout) -> float:
    """Confidence that the setting earns something, by its unseen days alone.

    Returns
    -------
    float
        The probabilistic Sharpe ratio of the days' returns, its doubt multiplied by how often
        these days have been looked at; NaN without a trade or with fewer than three days.
    """
    psr = probabilistic_sharpe(moments(period_returns(holdout.equity)))
    return psr if math.isnan(psr) else max(0.0, 1.0 - (1.0 - psr) * holdout.openings)


def weigh(
    bootstrap: Bootstrap | None,
    pbo: Overfitting | None = None,
    holdout: Holdout | None = None,
    walk_forward: WalkForward | None = None,
) -> Evidence:
    """See the findings as the rule does."""
    lost = holdout is not None and float(holdout.unseen["Return [%]"]) < 0.0
    lost_forward = walk_forward is not None and walk_forward.total_return < 0.0
    return Evidence(
        p_value=math.nan if bootstrap is None else bootstrap.p_value_all_trials,
        unseen_lost=lost or lost_forward,
        unseen_convinces=holdout is not None and unseen_confidence(holdout) >= CONFIDENCE,
        overfit=pbo is not None and pbo.pbo > MOST_PBO,
        where=Evidence.where if lost or not lost_forward else "walking forward",
    )


def conclude(
    grid: Grid,
    chosen: int | None,
    *,
    bootstrap: Bootstrap | None = None,
    sharpe_bootstrap: Bootstrap | None = None,
    pbo: Overfitting | None = None,
    plateau: Plateau | None = None,
    holdout: Holdout | None = None,
    walk_forward: WalkForward | None = None,
) -> Verdict:
    """Put the findings into words.

    Parameters
    ----------
    grid : Grid
        That was tried.
    chosen : int or None
        The setting that was judged.
    bootstrap, sharpe_bootstrap, pbo, plateau, holdout, walk_forward
        As in `bigbar.validation.findings.Findings`; None for what there is not.

    Returns
    -------
    Verdict
    """
    evidence = weigh(bootstrap, pbo, holdout, walk_forward)
    headline = f"Verdict: {_headline(evidence, chosen)}"
    lines = [
        _tries(grid, bootstrap, sharpe_bootstrap or bootstrap),
        _luck(bootstrap),
        _yours(bootstrap, sharpe_bootstrap),
        "" if chosen is None else _unseen(holdout, walk_forward, pbo),
        _robust(grid, plateau, chosen),
        headline,
    ]
    return Verdict(evidence.light, headline, tuple(line for line in lines if line))


def _headline(evidence: Evidence, chosen: int | None) -> str:
    if chosen is None:
        return "no combination counts, so there is nothing to judge."
    if math.isnan(evidence.p_value):
        return "too little data to tell skill from luck."
    if evidence.light == "green":
        return "unlikely to be luck alone, but not proven."
    if evidence.light == "red":
        also = f" It also lost {evidence.where}." if evidence.unseen_lost else ""
        return f"cannot be told apart from luck.{also}"
    if evidence.unseen_lost:
        return f"better than luck where it was optimized, but it lost {evidence.where}: not proven."
    if evidence.overfit and evidence.p_value <= STRONG:
        return "better than luck, but what wins on one half fails on the other: not proven."
    if evidence.p_value > WEAK:
        return "no better than luck where it was optimized, but good on unseen days: not proven."
    return "some evidence, but not enough to rule out luck: not proven."


def _tries(grid: Grid, bootstrap: Bootstrap | None, by_sharpe: Bootstrap | None) -> str:
    tried = f"You tried {_count(len(grid), 'setting')}"
    if bootstrap is None or by_sharpe is None:
        return f"{tried}."
    on = f"on {bootstrap.periods:,} {_noun(bootstrap)}"
    like = ". They behave like about"
    if bootstrap.earlier_trials:
        tried += f" ({bootstrap.earlier_trials:,} before)"
        like = ", like about"
    if len(grid) == 1 or math.isnan(by_sharpe.independent_tries):
        return f"{tried} {on}."
    tries = _count(_two_digits(by_sharpe.independent_tries), "independent try")
    return f"{tried} {on}{like} {tries}."


def _luck(bootstrap: Bootstrap | None) -> str:
    if bootstrap is None:
        return ""
    what = "a Sharpe" if bootstrap.statistic == "Sharpe Ratio" else "a return"
    return (
        f"With no edge the best typically shows {what} of "
        f"{_tested(bootstrap, bootstrap.luck_typical)}, and 1 time in 20 above "
        f"{_tested(bootstrap, bootstrap.luck_95)}."
    )


def _yours(bootstrap: Bootstrap | None, by_sharpe: Bootstrap | None) -> str:
    if bootstrap is None:
        return ""
    yours = f"Yours is {_tested(bootstrap, bootstrap.chosen)}"
    if math.isnan(bootstrap.p_value):
        traded = f"{bootstrap.traded_periods} {_noun(bootstrap)}"
        return f"{yours}, made on {traded}: too few to tell anything."
    if by_sharpe is not None:
        yours += f" (Sharpe {by_sharpe.chosen:.1f})"
    least = (by_sharpe or bootstrap).smallest_provable
    return f"{yours}. {_how_often(bootstrap)}; it takes Sharpe {least:.1f} to tell."


def _how_often(found: Bootstrap) -> str:
    if found.p_value_all_trials * (found.resamples + 1) < 1.5:
        return f"Luck did this well in none of {found.resamples:,} draws"
    return f"Luck does this well {_percent(found.p_value_all_trials)} of the time"


def _unseen(
    holdout: Holdout | None, walk_forward: WalkForward | None, pbo: Overfitting | None
) -> str:
    if holdout is None:
        parts = ["Nothing was held back (--holdout 0.2 keeps a fifth)."]
    else:
        trades = int(holdout.unseen["# Trades"])
        result = f"{holdout.unseen['Return [%]']:+.1f} % in {_count(trades, 'trade')}"
        opened = f", opened {holdout.openings} times" if holdout.openings > 1 else ""
        parts = [
            f"Unseen from {holdout.split:%Y-%m-%d}{opened}: {result if trades else 'no trade'} "
            f"(before: {holdout.optimized['Return [%]']:+.1f} %)."
        ]
    if walk_forward is not None:
        parts.append(
            f"Walk-forward: {walk_forward.total_return:+.1f} %, t {walk_forward.t_statistic:.1f}."
        )
    elif pbo is not None:
        parts.append(f"Probability of overfitting: {_percent(pbo.pbo)}.")
    return " ".join(parts)


def _robust(grid: Grid, plateau: Plateau | None, chosen: int | None) -> str:
    if plateau is None or plateau.robust is None or len(grid) == 1:
        return ""
    if plateau.robust == plateau.peak:
        worst = _value(plateau.statistic, plateau.peak_worst_neighbour)
        return f"The best is also the robust choice; its worst neighbour has {worst}."
    word = "Robust (taken)" if plateau.robust == chosen else "Robust"
    text = f"{word}: {_parameters(grid, plateau.robust)}"
    value = _value(plateau.statistic, plateau.robust_value)
    best = _value(plateau.statistic, plateau.peak_value)
    longer = f"{text} ({value}; best {best})."
    return longer if len(longer) <= WIDTH else f"{text}."


def _parameters(grid: Grid, number: int) -> str:
    values = vars(grid[number])
    return ", ".join(f"{axis.name} {values[axis.name]:g}" for axis in grid.axes if len(axis) > 1)


def _noun(bootstrap: Bootstrap) -> str:
    """Of several days each, on long files, they have no name."""
    return _PERIODS.get(bootstrap.periods_per_year, "periods")


def _count(number: int, noun: str) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") and noun != "day" else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def _two_digits(number: float) -> int:
    """An estimate has no more digits than that."""
    whole = max(1, round(number))
    return round(whole, 2 - len(str(whole)))


def _percent(share: float) -> str:
    """82 %, 3.4 %, 0.2 %: never a round 0 or 100 for what is neither."""
    if share >= 0.0995:
        return "over 99 %" if 0.995 <= share < 1.0 else f"{100 * share:.0f} %"
    return "under 0.1 %" if 0.0 < share < 0.0005 else f"{100 * share:.1f} %" if share else "0 %"


def _tested(bootstrap: Bootstrap, value: float) -> str:
    """A value of what was tested: a Sharpe ratio, or a return in per cent."""
    if math.isnan(value):
        return "none"
    return f"{value:.1f}" if bootstrap.statistic == "Sharpe Ratio" else f"{value:+,.1f} %"


def _value(statistic: str, value: float) -> str:
    """An objective's value, in its own unit."""
    if math.isnan(value):
        return "none"
    if statistic.endswith("Duration"):
        return str(pd.Timedelta(int(value), unit="ns"))
    if statistic.endswith("[%]"):
        return f"{value:,.1f} %"
    return f"{value:,.0f}" if statistic.endswith("[$]") else f"{value:,.2f}"
