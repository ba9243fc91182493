"""The lines of the verdict: each finding in a sentence or two, with its figures."""

from __future__ import annotations

import math

import pandas as pd

from bigbar.account import Account
from bigbar.space import Space, value_text
from bigbar.units import counted
from bigbar.validation.findings import (
    Bootstrap,
    BuyAndHold,
    Conduct,
    Costs,
    Holdout,
    Overfitting,
    Plateau,
    WalkForward,
)

#: Lines are kept this short, so that a terminal of 100 columns breaks none; only a parameter grid
#: or numbers out of the ordinary make a longer one.
WIDTH = 99

#: With fewer trades any figure made of them is mostly the luck of a few.
FEW_TRADES = 30

_PERIODS = {365.0: "days", 252.0: "days", 52.0: "weeks", 12.0: "months", 1.0: "years"}

#: The Sharpe ratio of the luck statistics, which is not backtesting.py's, by its periods. All are
#: annual.
_SHARPES = {
    "days": "daily Sharpe", "weeks": "weekly Sharpe", "months": "monthly Sharpe",
    "years": "yearly Sharpe",
}  # fmt: skip


#: Per cent below which one digit behind the point shows too little, and what is as good as 0.
_SMALL, _LEAST_SHOWN = 0.095, 1e-6


def tries(grid: Space, bootstrap: Bootstrap | None, by_sharpe: Bootstrap | None) -> str:
    """How much was tried, and on how much data."""
    tried = f"You tried {counted(len(grid), 'setting')}"
    if bootstrap is None or by_sharpe is None:
        return f"{tried}."
    on = f"on {bootstrap.periods:,} {_noun(bootstrap)}"
    like = ". They behave like about"
    if bootstrap.earlier_trials:
        tried += f" ({bootstrap.earlier_trials:,} before)"
        like = ", like about"
    if len(grid) == 1 or math.isnan(by_sharpe.independent_tries):
        return f"{tried} {on}."
    tries = _two_digits(by_sharpe.independent_tries)
    return f"{tried} {on}{like} {tries:,} independent {'try' if tries == 1 else 'tries'}."


def luck(bootstrap: Bootstrap | None) -> str:
    """What luck's best shows on the same grid."""
    if bootstrap is None:
        return ""
    what = sharpe_name(bootstrap) if bootstrap.statistic == "Sharpe Ratio" else "return"
    best = "this run's best" if bootstrap.earlier_trials else "the best"
    return (
        f"With no edge {best} typically shows a {what} of "
        f"{_tested(bootstrap, bootstrap.luck_typical)}, and 1 time in 20 above "
        f"{_tested(bootstrap, bootstrap.luck_95)}."
    )


def yours(bootstrap: Bootstrap | None, by_sharpe: Bootstrap | None) -> str:
    """The chosen setting against luck."""
    if bootstrap is None:
        return ""
    yours = f"Yours is {_tested(bootstrap, bootstrap.chosen)}"
    if math.isnan(bootstrap.p_value):
        traded = f"{bootstrap.traded_periods} {_noun(bootstrap)}"
        return f"{yours}, made on {traded}: too few to tell anything."
    sharpe = "" if by_sharpe is None else f"{sharpe_name(by_sharpe)} {by_sharpe.chosen:.1f}; "
    least = (by_sharpe or bootstrap).smallest_provable
    return f"{yours} ({sharpe}it takes {least:.1f} to tell). {_how_often(bootstrap)}."


def sharpe_name(bootstrap: Bootstrap) -> str:
    """What to call the Sharpe ratio of the luck statistics, beside backtesting.py's."""
    return _SHARPES.get(_noun(bootstrap), "Sharpe by periods")


def _how_often(found: Bootstrap) -> str:
    if found.p_value_all_trials * (found.resamples + 1) < 1.5:
        return f"Luck did this well in none of {found.resamples:,} draws"
    often = f"{_percent(found.p_value_all_trials)} of the time"
    return (
        f"By luck, all tries: {often}" if found.earlier_trials else f"Luck does this well {often}"
    )


def unseen(
    holdout: Holdout | None, walk_forward: WalkForward | None, pbo: Overfitting | None
) -> str:
    """What is known from bars that the choice has not seen."""
    if holdout is None:
        parts = ["Nothing was held back (--holdout 0.2 keeps a fifth)."]
    else:
        trades = int(holdout.unseen["# Trades"])
        result = "no trade, so nothing is known"
        if trades:
            result = f"{_change(holdout.unseen['Return [%]'])} in {counted(trades, 'trade')}"
        opened = f", opened {holdout.openings} times" if holdout.openings > 1 else ""
        parts = [
            f"Unseen from {holdout.split:%Y-%m-%d}{opened}: {result} "
            f"(before: {_change(holdout.optimized['Return [%]'])})."
        ]
    if walk_forward is not None:
        t = walk_forward.t_statistic
        told = "no trade" if math.isnan(t) else f"{_change(walk_forward.total_return)}, t {t:.1f}"
        parts.append(f"Walk-forward: {told}.")
    elif pbo is not None:
        parts.append(f"Probability of overfitting: {_percent(pbo.pbo)}.")
    return " ".join(parts)


def holding(found: BuyAndHold | None) -> str:
    """Buy and hold beside the chosen setting."""
    if found is None:
        return ""
    return (
        f"Buy and hold: {_change(found.total_return)} (drawdown {_points(found.max_drawdown)}). "
        f"Yours: {_change(found.chosen_return)} ({_points(found.chosen_max_drawdown)}), invested "
        f"{found.exposure:.0f} % of the time."
    )


def charged(found: Costs | None) -> str:
    """What was charged, and where costs turn the result to loss."""
    if found is None:
        return ""
    told = costs_text(found.fixed_commission, found.commission, found.spread)
    free = told is None
    own = "No costs charged" if free else f"Charged {told}"
    evens = {"spread": found.break_even_spread, "commission": found.break_even_commission}
    if found.total_return < 0:
        if free:
            return f"{own}, and it loses all the same."
        known = [
            f"a {what} of {basis_points(found.limit if even is None else even)}"
            for what, even in evens.items()
            if even != 0
        ]
        if not known:
            return f"{own}: it loses, and with either of them left out as well."
        return f"{own}: it loses; it would not with {' or '.join(known)}."
    known = [
        f"a {what} of {basis_points(even)}" for what, even in evens.items() if even is not None
    ]
    if not known:
        return f"{own}; no spread or commission up to {basis_points(found.limit)} makes it lose."
    unit = " (1 bp: 0.01 %)" if free else ""
    return f"{own}; it loses above {' or '.join(known)}{unit}."


def costs_text(fixed: float, commission: float, spread: float) -> str | None:
    """`commission 5 + 0.5 bp, spread 1 bp`: what is charged; None where nothing is."""
    parts = []
    if commission or fixed:
        both = [f"{fixed:,g}"] if fixed else []
        both += [basis_points(commission)] if commission else []
        parts.append(f"commission {' + '.join(both)}")
    if spread:
        parts.append(f"spread {basis_points(spread)}")
    return ", ".join(parts) or None


def charges_text(account: Account) -> str | None:
    """What an account is charged, see `costs_text`; a commission that is a function by its name."""
    if not callable(account.commission):
        return costs_text(*account.commission_parts, account.spread)
    spread = costs_text(0.0, 0.0, account.spread)
    return ", ".join(filter(None, (f"commission by {account.described['commission']}", spread)))


def basis_points(cost: float) -> str:
    """A share of the price in hundredths of a per cent, with two digits."""
    return f"{float(f'{10_000 * cost:.2g}'):,g} bp"


def few_trades(grid: Space, trades: int | None, most: int) -> str:
    """That there are few, and how to ask for more, where some setting has more."""
    if trades is None or trades >= FEW_TRADES:
        return ""
    text = f"Only {counted(trades, 'trade')}: too few for any figure made of them to hold"
    if len(grid) == 1 or most < FEW_TRADES:
        return f"{text}; use a longer file."
    return f"{text}; --min-trades {FEW_TRADES} asks for more."


def foresight(found: Conduct | None) -> str:
    """That the strategy sees the future, and where that shows."""
    if found is None or found.sees_future is None:
        return ""
    return f"Sees the future: {found.sees_future}."


def unsteady(found: Conduct | None) -> str:
    """That the strategy answers differently each time."""
    if found is None or found.answers_differently is None:
        return ""
    return (
        f"Run again it answers differently ({found.answers_differently}): random numbers, or the "
        "clock."
    )


def class_changes(found: Conduct | None) -> str:
    """That the strategy changes its class."""
    if found is None or not found.changed_class_attributes:
        return ""
    return (
        f"A run changes {', '.join(found.changed_class_attributes)} of the class; it is put back "
        "before the next."
    )


def robust(grid: Space, plateau: Plateau | None, chosen: int | None) -> str:
    """The choice that is good together with its neighbours."""
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


def _parameters(grid: Space, number: int) -> str:
    values = grid[number]
    return ", ".join(
        f"{axis.name} {value_text(values[axis.name])}" for axis in grid.parameters if len(axis) > 1
    )


def _noun(bootstrap: Bootstrap) -> str:
    """Of several days each, on long files, they have no name."""
    return _PERIODS.get(bootstrap.periods_per_year, "periods")


def _two_digits(number: float) -> int:
    """An estimate has no more digits than that."""
    whole = max(1, round(number))
    return round(whole, 2 - len(str(whole)))


def _percent(share: float) -> str:
    """82 %, 3.4 %, 0.2 %: never a round 0 or 100 for what is neither."""
    if share >= 0.0995:
        return "over 99 %" if 0.995 <= share < 1.0 else f"{100 * share:.0f} %"
    return "under 0.1 %" if 0.0 < share < 0.0005 else f"{100 * share:.1f} %" if share else "0 %"


def _change(value: float) -> str:
    """A return in per cent, with its sign."""
    return f"{value:+,.{_digits(value)}f} %"


def _points(value: float) -> str:
    """The amount of a value in per cent."""
    return f"{abs(value):,.{_digits(value)}f} %"


def _digits(value: float) -> int:
    """Digits behind the point: one, or what shows two digits of a small value."""
    if not _LEAST_SHOWN <= abs(value) < _SMALL:
        return 1
    return 1 - math.floor(math.log10(abs(value)))


def _tested(bootstrap: Bootstrap, value: float) -> str:
    """A value of what was tested: a Sharpe ratio, or a return in per cent."""
    if math.isnan(value):
        return "none"
    return f"{value:.1f}" if bootstrap.statistic == "Sharpe Ratio" else _change(value)


def _value(statistic: str, value: float) -> str:
    """An objective's value, in its own unit."""
    if math.isnan(value):
        return "none"
    if statistic.endswith("Duration"):
        return str(pd.Timedelta(int(value), unit="ns"))
    if statistic.endswith("[%]"):
        return f"{value:,.{_digits(value)}f} %"
    return f"{value:,.0f}" if statistic.endswith("[$]") else f"{value:,.2f}"
