"""What the best setting over several files is worth.

p is how often luck alone does as well: the same test as of a single file (see
`bigbar.validation.bootstrap`), of the one account that trades every file with the same setting, at
equal risk. All files are drawn anew by the same days, so what they have in common is no proof by
itself; and the best of each draw is of all settings that could have been chosen, so p holds
whatever the rule of choosing was. *Left out lost*: what the other files choose made money on less
than half of the files.

- green: p is at most `STRONG`, and left out did not lose.
- red, whatever else there is: the strategy sees the future. One that answers differently each time
  is amber at best.
- red: there is no p; or p is above `WEAK`; or it is above `STRONG` and left out lost.
- amber: everything between.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bigbar.space import Space
from bigbar.units import counted
from bigbar.validation import wording
from bigbar.validation.bootstrap import LEAST_PERIODS
from bigbar.validation.common_choice import CommonChoice
from bigbar.validation.findings import Bootstrap, Verdict
from bigbar.validation.luck import sharpe_test
from bigbar.validation.pooled_returns import PooledReturns
from bigbar.validation.verdict import Evidence


@dataclass(frozen=True)
class LeftOut:
    """How settings do on files that had no say in choosing them.

    Attributes
    ----------
    files : int
        That have such a setting.
    better_than : float
        The mean share of the other settings that it beats there; 0.5 is chance.
    made_money : int
        On how many files it did.
    """

    files: int
    better_than: float
    made_money: int

    @property
    def lost(self) -> bool:
        """Whether it made money on less than half of them."""
        return self.made_money < self.files / 2


def left_out_of(choice: CommonChoice) -> LeftOut | None:
    """How the settings that the other files choose do on the one left out; None for one file."""
    found = [one for one in choice.left_out if one is not None]
    if not found:
        return None
    return LeftOut(
        files=len(found),
        better_than=sum(one.better_than for one in found) / len(found),
        made_money=sum(one.figures["Return [%]"] > 0.0 for one in found),
    )


@dataclass(frozen=True)
class CommonFindings:
    """What the common setting is worth.

    Attributes
    ----------
    verdict : Verdict
    bootstrap : Bootstrap or None
        Of all files side by side; None where it cannot be had.
    left_out : LeftOut or None
    notes : tuple of str
        Why something could not be had.
    """

    verdict: Verdict
    bootstrap: Bootstrap | None
    left_out: LeftOut | None
    notes: tuple[str, ...] = ()


def examine_common(
    choice: CommonChoice,
    pooled: PooledReturns | None,
    grid: Space,
    *,
    objective: str,
    earlier_trials: int = 0,
    sees_future: bool = False,
    unsteady: bool = False,
    seed: int = 0,
) -> CommonFindings:
    """Hold the common setting against luck.

    Parameters
    ----------
    choice : CommonChoice
    pooled : PooledReturns or None
        Of the same files; None where they were not to be held against luck.
    grid : Space
        That was tried.
    objective : str
    earlier_trials : int, optional
        Combinations that earlier runs tried on the same bars, of the file where they are most.
    sees_future, unsteady : bool, optional
        The strategy does, on any of the files; see `bigbar.validation.conduct`.
    seed : int, optional
        Of the draws.
    """
    bootstrap: Bootstrap | None = None
    notes: tuple[str, ...] = ()
    if pooled is not None and choice.number is not None:
        why = _why_untested(choice, pooled)
        if why is None:
            bootstrap = sharpe_test(
                pooled.sums,
                choice.counting,
                choice.number,
                objective=objective,
                periods_per_year=pooled.periods_per_year,
                earlier_trials=earlier_trials,
                seed=seed,
            )
            why = None if bootstrap else "the common setting has no returns that could be tested"
        notes = () if why is None else (why,)
    left_out = left_out_of(choice)
    evidence = Evidence(
        p_value=math.nan if bootstrap is None else bootstrap.p_value_all_trials,
        unseen_lost=left_out is not None and left_out.lost,
        sees_future=sees_future,
        unsteady=unsteady,
    )
    assessed = pooled is not None
    headline = f"Verdict: {_headline(evidence, choice, assessed=assessed)}"
    lines = [
        _tries(grid, choice, bootstrap),
        wording.luck(bootstrap),
        wording.yours(bootstrap),
        _left_out(left_out),
        *notes,
        headline,
    ]
    light = evidence.light if assessed or sees_future else "none"
    verdict = Verdict(light, headline, tuple(line for line in lines if line))
    return CommonFindings(verdict, bootstrap, left_out, notes)


def _why_untested(choice: CommonChoice, pooled: PooledReturns) -> str | None:
    if pooled.files != len(choice.names):
        return "not every file could be held against luck, so neither can all of them together"
    periods = pooled.sums.shape[1]
    if periods < LEAST_PERIODS:
        return f"{periods} periods are too few to tell luck from skill ({LEAST_PERIODS})"
    return None


def _tries(grid: Space, choice: CommonChoice, bootstrap: Bootstrap | None) -> str:
    tried = f"You tried {counted(len(grid), 'setting')} on {counted(len(choice.names), 'file')}"
    if bootstrap is None:
        return f"{tried}."
    return (
        f"{tried}, held against luck side by side, at equal risk, on "
        f"{wording.periods_text(bootstrap)}."
    )


def _left_out(found: LeftOut | None) -> str:
    if found is None:
        return ""
    return (
        "What the other files choose, on the one left out, beats "
        f"{100 * found.better_than:.0f} % of the settings (50 % is chance) and makes money on "
        f"{found.made_money} of {found.files}."
    )


def _headline(evidence: Evidence, choice: CommonChoice, *, assessed: bool) -> str:
    if choice.number is None:
        return "no combination counts on every file, so there is nothing to judge."
    if evidence.sees_future:
        return "the strategy sees the future, so nobody can trade this result."
    if not assessed:
        return "none, because it was not held against luck (--no-validate)."
    if math.isnan(evidence.p_value):
        return "too little data to tell skill from luck."
    lost = evidence.unseen_lost
    if evidence.light == "green":
        return "unlikely to be luck alone, but not proven."
    if evidence.light == "red":
        also = " It also lost on files left out." if lost else ""
        return f"cannot be told apart from luck.{also}"
    if lost:
        return "better than luck where it was chosen, but it lost on files left out: not proven."
    if evidence.unsteady:
        return "the strategy answers differently each time it is run: not proven."
    return "some evidence, but not enough to rule out luck: not proven."
