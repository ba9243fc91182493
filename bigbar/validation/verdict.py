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

Of a setting that a search chose there is no p: the points that it asked for are no sample of the
grid. It is green where unseen convinces, with `SEARCH_CONFIDENCE`, and nothing unseen lost; amber
if luck then does as well more often than `WEAK` even if it alone had been tried; red elsewhere.
So it is with the best of a grid of which a part of the rows was kept: in place of it alone stands
luck's best over the sample, and it is amber as well where the probability of overfitting is above
`MOST_PBO` there.
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
    Neighbours,
    Overfitting,
    Plateau,
    Verdict,
    WalkForward,
)
from bigbar.validation.sharpe import CONFIDENCE, moments, probabilistic_sharpe
from bigbar.validation.wording import STRONG, WEAK

#: Above this the winner of half the data is, on the other half, rather bad than good.
MOST_PBO = 0.5

#: How a setting was found that there is no p of.
FOUND_BY_SEARCH = "a search found it"
FOUND_OF_MANY = "it is the best of a grid of which --keep left out rows that luck needs"

#: What a search chose has to convince with more confidence: nothing else holds it against luck. By
#: `benchmarks/search_luck.py` noise does so 4 to 6 times in a hundred; at 95 %, 7 to 12 times.
SEARCH_CONFIDENCE = 0.975


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
    found_by : str
        How the setting was found, in words, where there is no p for that; else empty.
    p_alone : float
        Of such a setting, as if it alone had been tried, or a sample; NaN where there is none.
    has_unseen : bool
        Bars were held back, or walked forward over.
    """

    p_value: float
    unseen_lost: bool = False
    unseen_convinces: bool = False
    overfit: bool = False
    where: str = "on unseen days"
    sees_future: bool = False
    unsteady: bool = False
    found_by: str = ""
    p_alone: float = math.nan
    has_unseen: bool = False

    @property
    def light(self) -> str:
        """The light that the rule gives."""
        if self.sees_future:
            return "red"
        light = self._by_figures
        return "amber" if light == "green" and self.unsteady else light

    @property
    def _by_figures(self) -> str:
        if self.found_by:
            if self.unseen_lost or not self.unseen_convinces:
                return "red"
            return "amber" if self.p_alone > WEAK or self.overfit else "green"
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
    alone: Bootstrap | None = None,
    *,
    found_by: str = "",
) -> Evidence:
    """See the findings as the rule does."""
    lost = holdout is not None and float(holdout.unseen["Return [%]"]) < 0.0
    wanted = SEARCH_CONFIDENCE if found_by else CONFIDENCE
    lost_forward = walk_forward is not None and walk_forward.total_return < 0.0
    return Evidence(
        p_value=math.nan if bootstrap is None else bootstrap.p_value_all_trials,
        unseen_lost=lost or lost_forward,
        unseen_convinces=holdout is not None and unseen_confidence(holdout) >= wanted,
        overfit=pbo is not None and pbo.pbo > MOST_PBO,
        where=Evidence.where if lost or not lost_forward else "walking forward",
        sees_future=conduct is not None and conduct.sees_future is not None,
        unsteady=conduct is not None and conduct.answers_differently is not None,
        found_by=found_by,
        p_alone=math.nan if alone is None else alone.p_value,
        has_unseen=holdout is not None or walk_forward is not None,
    )


#: The findings that are put into words, by their names in `bigbar.validation.findings.Findings`.
WEIGHED = (
    "bootstrap", "sharpe_bootstrap", "pbo", "plateau", "alone", "neighbours", "holdout",
    "walk_forward", "buy_and_hold", "costs", "conduct",
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
    alone: Bootstrap | None = None,
    neighbours: Neighbours | None = None,
    holdout: Holdout | None = None,
    walk_forward: WalkForward | None = None,
    buy_and_hold: BuyAndHold | None = None,
    costs: Costs | None = None,
    conduct: Conduct | None = None,
    assessed: bool = True,
    found_by: str = "",
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
    bootstrap, sharpe_bootstrap, pbo, plateau, alone, neighbours, holdout, walk_forward
    buy_and_hold, costs, conduct
        As in `bigbar.validation.findings.Findings`; None for what there is not.
    assessed : bool, optional
        Whether it was to be held against luck at all.
    found_by : str, optional
        How the setting was found, where luck cannot be held against it as of a whole grid:
        `FOUND_BY_SEARCH` or `FOUND_OF_MANY`.

    Returns
    -------
    Verdict
    """
    evidence = weigh(bootstrap, pbo, holdout, walk_forward, conduct, alone, found_by=found_by)
    headline = f"Verdict: {_headline(evidence, chosen, assessed=assessed)}"
    lines = [
        wording.tries(grid, bootstrap, sharpe_bootstrap or bootstrap),
        wording.luck(bootstrap),
        wording.yours(bootstrap),
        wording.alone(alone),
        "" if chosen is None else wording.unseen(holdout, walk_forward, pbo, plateau),
        wording.holding(buy_and_hold),
        wording.charged(costs),
        wording.few_trades(grid, trades, most_trades),
        wording.robust(grid, plateau, chosen),
        wording.around(neighbours),
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
    if evidence.found_by:
        return _found_headline(evidence)
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


def _found_headline(evidence: Evidence) -> str:
    """Of a setting that a search chose, or that is the best of very many."""
    if evidence.unseen_lost:
        return f"{evidence.found_by}, and it lost {evidence.where}."
    if not evidence.has_unseen:
        return f"{evidence.found_by}, and only bars that it has not seen can tell it from luck."
    if not evidence.unseen_convinces:
        return f"{evidence.found_by}, and the bars it has not seen do not tell it from luck."
    if evidence.light == "green":
        return "unlikely to be luck alone, but not proven."
    if evidence.unsteady:
        return "the strategy answers differently each time it is run: not proven."
    if evidence.overfit and evidence.p_alone <= WEAK:
        return "good on unseen days, but what wins on one half fails on the other: not proven."
    return "no better than luck where it was found, but good on unseen days: not proven."
