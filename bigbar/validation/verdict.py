"""What all the findings come to: a light, a sentence, and nine lines (three more of conduct).

The rule, explained in `docs/validation.md`. p is how often luck alone does as well, counting the
trials of earlier runs on the same data. *Unseen lost*: the setting on the holdout, or the windows
of a walk-forward analysis together. *Unseen convinces*: on the holdout alone the setting earns
something with 95 % confidence, each time the holdout was opened adding to the doubt.

- green: p is at most `STRONG`, or at most `WEAK` and unseen convinces; and nothing speaks against
  it: nothing unseen lost, and the probability of backtest overfitting is at most `MOST_PBO`.
- red, whatever else there is: the strategy sees the future. One that answers differently each
  time it is run is amber at best.
- red: there is no p; or p is above `WEAK` and unseen does not convince; or p is above `STRONG` and
  something unseen lost.
- amber: everything between.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bigbar.calendar import period_returns
from bigbar.space import Space
from bigbar.validation import wording
from bigbar.validation.findings import (
    Bootstrap,
    BuyAndHold,
    Conduct,
    Costs,
    Holdout,
    Overfitting,
    Plateau,
    Verdict,
    WalkForward,
)
from bigbar.validation.sharpe import CONFIDENCE, moments, probabilistic_sharpe
from bigbar.validation.wording import STRONG, WEAK

#: Above this the winner of half the data is, on the other half, rather bad than good.
MOST_PBO = 0.5


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
    sees_future, unsteady : bool
        The strategy does, see `bigbar.validation.conduct`.
    """

    p_value: float
    unseen_lost: bool = False
    unseen_convinces: bool = False
    overfit: bool = False
    where: str = "on unseen days"
    sees_future: bool = False
    unsteady: bool = False

    @property
    def light(self) -> str:
        """The light that the rule gives."""
        if self.sees_future:
            return "red"
        light = self._by_figures
        return "amber" if light == "green" and self.unsteady else light

    @property
    def _by_figures(self) -> str:
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
    conduct: Conduct | None = None,
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
        sees_future=conduct is not None and conduct.sees_future is not None,
        unsteady=conduct is not None and conduct.answers_differently is not None,
    )


#: The findings that are put into words, by their names in `bigbar.validation.findings.Findings`.
WEIGHED = (
    "bootstrap", "sharpe_bootstrap", "pbo", "plateau", "holdout", "walk_forward", "buy_and_hold",
    "costs", "conduct",
)  # fmt: skip


def conclude(
    grid: Space,
    chosen: int | None,
    *,
    trades: int | None = None,
    most_trades: int = 0,
    bootstrap: Bootstrap | None = None,
    sharpe_bootstrap: Bootstrap | None = None,
    pbo: Overfitting | None = None,
    plateau: Plateau | None = None,
    holdout: Holdout | None = None,
    walk_forward: WalkForward | None = None,
    buy_and_hold: BuyAndHold | None = None,
    costs: Costs | None = None,
    conduct: Conduct | None = None,
    assessed: bool = True,
) -> Verdict:
    """Put the findings into words.

    Parameters
    ----------
    grid : Space
        That was tried.
    chosen : int or None
        The setting that was judged.
    trades : int or None
        That it made; None where they are not to be spoken of.
    most_trades : int
        That any setting of the grid made.
    bootstrap, sharpe_bootstrap, pbo, plateau, holdout, walk_forward, buy_and_hold, costs, conduct
        As in `bigbar.validation.findings.Findings`; None for what there is not.
    assessed : bool, optional
        Whether it was to be held against luck at all.

    Returns
    -------
    Verdict
    """
    evidence = weigh(bootstrap, pbo, holdout, walk_forward, conduct)
    headline = f"Verdict: {_headline(evidence, chosen, assessed=assessed)}"
    lines = [
        wording.tries(grid, bootstrap, sharpe_bootstrap or bootstrap),
        wording.luck(bootstrap),
        wording.yours(bootstrap),
        "" if chosen is None else wording.unseen(holdout, walk_forward, pbo),
        wording.holding(buy_and_hold),
        wording.charged(costs),
        wording.few_trades(grid, trades, most_trades),
        wording.robust(grid, plateau, chosen),
        wording.foresight(conduct),
        wording.unsteady(conduct),
        wording.class_changes(conduct),
        headline,
    ]
    light = evidence.light if assessed or evidence.unseen_lost else "none"
    return Verdict(light, headline, tuple(line for line in lines if line))


def _headline(evidence: Evidence, chosen: int | None, *, assessed: bool) -> str:
    if chosen is None:
        return "no combination counts, so there is nothing to judge."
    if evidence.sees_future:
        return "the strategy sees the future, so nobody can trade this result."
    if not assessed:
        also = f" It lost {evidence.where}." if evidence.unseen_lost else ""
        return f"none, because it was not held against luck (--no-validate).{also}"
    if math.isnan(evidence.p_value):
        return "too little data to tell skill from luck."
    if evidence.light == "green":
        return "unlikely to be luck alone, but not proven."
    if evidence.light == "red":
        also = f" It also lost {evidence.where}." if evidence.unseen_lost else ""
        return f"cannot be told apart from luck.{also}"
    if evidence.unseen_lost:
        return f"better than luck where it was optimized, but it lost {evidence.where}: not proven."
    if evidence.unsteady:
        return "the strategy answers differently each time it is run: not proven."
    if evidence.overfit and evidence.p_value <= STRONG:
        return "better than luck, but what wins on one half fails on the other: not proven."
    if evidence.p_value > WEAK:
        return "no better than luck where it was optimized, but good on unseen days: not proven."
    return "some evidence, but not enough to rule out luck: not proven."
