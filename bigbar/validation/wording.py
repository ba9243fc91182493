"""The lines of the verdict: each finding in a sentence or two, with its figures and what to do.

Terminal, page and notebook say what is said here. Sharpe ratios that luck is tested by are not on
`backtesting.py`'s scale, so they are told as multiples of the chosen setting's, whatever the scale.
"""

from __future__ import annotations

import math

import pandas as pd

from bigbar.account import Account
from bigbar.parameter import value_text
from bigbar.space import Space
from bigbar.units import counted, signs
from bigbar.validation.findings import (
    Bootstrap,
    BuyAndHold,
    Conduct,
    Costs,
    Holdout,
    Neighbours,
    Overfitting,
    Plateau,
    WalkForward,
)

#: Luck does as well at most this often: strong evidence, and weak.
STRONG, WEAK = 0.05, 0.20

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
    tried = f"You tried {counted(grid.tried, 'setting')}"
    if bootstrap is None or by_sharpe is None:
        return f"{tried}."
    text = f"{tried} on {periods_text(bootstrap)}."
    if len(grid) == 1 or math.isnan(by_sharpe.independent_tries):
        return text
    chances = _two_digits(by_sharpe.independent_tries)
    if chances >= grid.tried:
        return f"{text} Each was a chance for luck; a smaller grid gives it fewer."
    return (
        f"{text} Many trade alike: luck had about {counted(chances, 'chance')}, and a smaller "
        "grid gives it fewer."
    )


def periods_text(bootstrap: Bootstrap) -> str:
    """`245 days`, `80 weeks`, `682 periods of 3 days`: how much data luck was told by."""
    noun = _noun(bootstrap)
    if noun:
        return counted(bootstrap.periods, noun.removesuffix("s"))
    text = counted(bootstrap.periods, "period")
    for year in (252.0, 365.0):
        days = year / bootstrap.periods_per_year
        if days > 1.5 and abs(days - round(days)) < 1e-6:
            return f"{text} of {round(days)} days"
    return text


def luck(bootstrap: Bootstrap | None) -> str:
    """What luck's best shows on the same grid."""
    if bootstrap is None:
        return ""
    alone = bootstrap.combinations == 1
    who = "Without an edge it" if alone else "If none had an edge, the best"
    return f"{who} would still typically show {_lucky(bootstrap)}."


def _lucky(found: Bootstrap) -> str:
    """What luck's best shows, typically and seldom."""
    if found.statistic != "Sharpe Ratio":
        typical, seldom = _change(found.luck_typical), _change(found.luck_95)
        return f"a return of {typical}, and 1 time in 20 one above {seldom}"
    if found.chosen > 0:
        typical, seldom = _times(found.luck_typical, found), _times(found.luck_95, found)
        return f"{typical} times your Sharpe ratio, and 1 time in 20 over {seldom} times"
    typical, seldom = signs(f"{found.luck_typical:.1f}"), signs(f"{found.luck_95:.1f}")
    return f"an annual {sharpe_name(found)} of {typical}, and 1 time in 20 one above {seldom}"


def _times(value: float, found: Bootstrap) -> str:
    return signs(f"{value / found.chosen:.1f}")


def yours(bootstrap: Bootstrap | None) -> str:
    """The chosen setting against luck, and what would convince."""
    if bootstrap is None:
        return ""
    if math.isnan(bootstrap.p_value):
        traded = f"{bootstrap.traded_periods} of {periods_text(bootstrap)}"
        return f"Yours was made on {traded}: too few to tell; use a longer file."
    often = _against_luck(bootstrap)
    if bootstrap.p_value_all_trials <= STRONG:
        return f"{often} Bars that it has not seen can confirm it."
    return (
        f"{often} At most {100 * STRONG:.0f} % would convince: it takes more bars, or fewer tries."
    )


def _against_luck(found: Bootstrap) -> str:
    """How often luck does as well, and what the trials of earlier runs have to do with it."""
    often = _often(found, found.p_value)
    if found.earlier_trials:
        others = counted(found.earlier_trials, "other setting")
        often += (
            f"; with {others} that earlier runs tried on these bars, "
            f"{_often(found, found.p_value_all_trials)}"
        )
    if found.statistic == "Sharpe Ratio" and found.chosen > 0:
        return f"Luck does as well as yours {often}."
    value = f"{found.chosen:.1f}" if found.statistic == "Sharpe Ratio" else _change(found.chosen)
    return f"Yours shows {signs(value)}: luck does as well {often}."


def alone(found: Bootstrap | None) -> str:
    """A setting against luck as if no other had been tried, or only a sample of them."""
    if found is None or math.isnan(found.p_value):
        return ""
    often = _often(found, found.p_value)
    if found.combinations > 1:
        return (
            f"Against luck's best of {found.combinations - 1:,} settings by chance: luck does as "
            f"well {often}; that so many more were tried only adds to that."
        )
    return (
        f"Had it alone been tried, luck would do as well {often}; what the search looked at only "
        "adds to that."
    )


def around(found: Neighbours | None) -> str:
    """What stands one step from a setting whose neighbours were run for it."""
    if found is None or not found.counting:
        return ""
    what = counted(found.counting, "neighbour")
    mean, worst = (_value(found.statistic, one) for one in (found.mean, found.worst))
    text = f"One step away in a parameter {what}: {mean} on average, the worst {worst}"
    edges = f"; it stands at the edge of {' and '.join(found.edges)}" if found.edges else ""
    return f"{text} (yours {_value(found.statistic, found.value)}){edges}."


def sharpe_name(bootstrap: Bootstrap) -> str:
    """What to call the Sharpe ratio of the luck statistics, beside backtesting.py's."""
    return _SHARPES.get(_noun(bootstrap), "Sharpe by periods")


def _often(found: Bootstrap, p_value: float) -> str:
    if p_value * (found.resamples + 1) < 1.5:
        return f"in none of {counted(found.resamples, 'draw')}"
    return f"{_percent(p_value)} of the time"


def why(settings: int, bootstrap: Bootstrap | None) -> str:
    """The verdict's reason in short: the chosen setting of so many against luck, and the data."""
    if bootstrap is None:
        return ""
    if math.isnan(bootstrap.p_value):
        return yours(bootstrap)
    who = "Without an edge it" if settings == 1 else (
        f"If none of the {settings:,} settings had an edge, the best"
    )  # fmt: skip
    return (
        f"{who} would still typically show {_lucky(bootstrap)}, on these "
        f"{periods_text(bootstrap)}. {_against_luck(bootstrap)}"
    )


def unseen(
    holdout: Holdout | None,
    walk_forward: WalkForward | None,
    pbo: Overfitting | None,
    plateau: Plateau | None,
) -> str:
    """What is known from bars that the choice has not seen; `plateau` has the robust choice."""
    if holdout is None:
        parts = ["No bars were held back to check it on: --holdout 0.2 keeps a fifth."]
    else:
        parts = [on_unseen(holdout)]
    if walk_forward is not None:
        parts.append(walked(walk_forward))
    elif pbo is not None:
        has_robust = plateau is not None and plateau.robust is not None
        advice = "; prefer the robust choice" if pbo.pbo > 0.5 and has_robust else ""
        parts.append(
            f"Of the best on half of the days, {_percent(pbo.pbo)} did worse than most on the "
            f"other half (probability of overfitting){advice}."
        )
    return " ".join(parts)


def walked(found: WalkForward) -> str:
    """What optimizing again and again, and trading on what came next, would have made."""
    t = found.t_statistic
    if math.isnan(t):
        return "Walk-forward: no trade."
    made = _change(found.total_return)
    return f"Walk-forward: {made} (t {signs(f'{t:.1f}')}; above 2 is strong)."


def on_unseen(holdout: Holdout) -> str:
    """The chosen setting on the bars that were held back."""
    trades = int(holdout.unseen["# Trades"])
    result = "no trade, so nothing is known"
    if trades:
        result = f"{_change(holdout.unseen['Return [%]'])} in {counted(trades, 'trade')}"
    opened = ""
    if holdout.openings > 1:
        opened = f", looked at {counted(holdout.openings, 'time')}, so less unseen each time"
    return (
        f"Unseen from {holdout.split:%Y-%m-%d}{opened}: {result} "
        f"(before: {_change(holdout.optimized['Return [%]'])})."
    )


def holding(found: BuyAndHold | None) -> str:
    """Buy and hold beside the chosen setting."""
    if found is None:
        return ""
    than = "more" if found.chosen_return > found.total_return else "less"
    return (
        f"Buy and hold made {_change(found.total_return)} (drawdown "
        f"{_points(found.max_drawdown)}); yours {than}, {_change(found.chosen_return)} "
        f"({_points(found.chosen_max_drawdown)}), in the market {found.exposure:.0f} % of the time."
    )


#: What to do where nothing was charged.
CHARGE = "Say what your broker takes: --commission, --spread"


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
        none = f"{own}; no spread or commission up to {basis_points(found.limit)} makes it lose."
        return f"{none} {CHARGE}." if free else none
    return f"{own}; it loses above {' or '.join(known)}" + (
        f" (1 bp is 0.01 %). {CHARGE}." if free else "."
    )


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
    return signs(f"{float(f'{10_000 * cost:.2g}'):,g} bp")


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
        return (
            "The best is also the robust choice; one step away in a parameter the worst result is "
            f"{worst}."
        )
    taken = plateau.robust == chosen
    word = "Robust (taken)" if taken else "Robust"
    text = f"{word}: {_parameters(grid, plateau.robust)}"
    value = _value(plateau.statistic, plateau.robust_value)
    best = _value(plateau.statistic, plateau.peak_value)
    advice = "" if taken else " --choose robust takes it."
    return f"{text} ({value}; best {best}).{advice}"


def _parameters(grid: Space, number: int) -> str:
    values = grid[number]
    return ", ".join(
        f"{axis.name} {value_text(values[axis.name])}" for axis in grid.parameters if len(axis) > 1
    )


def _noun(bootstrap: Bootstrap) -> str:
    """Nothing where they have no name: of several days each, on long files."""
    return _PERIODS.get(bootstrap.periods_per_year, "")


def _two_digits(number: float) -> int:
    """An estimate has no more digits than that."""
    whole = max(1, round(number))
    return round(whole, 2 - len(str(whole)))


def chance_text(p_value: float) -> str:
    """How often luck does as well, for a table."""
    return "–" if math.isnan(p_value) else _percent(p_value)


def _percent(share: float) -> str:
    """82 %, 3.4 %, 0.2 %: never a round 0 or 100 for what is neither."""
    if share >= 0.0995:
        return "over 99 %" if 0.995 <= share < 1.0 else f"{100 * share:.0f} %"
    return "under 0.1 %" if 0.0 < share < 0.0005 else f"{100 * share:.1f} %" if share else "0 %"


def _change(value: float) -> str:
    """A return in per cent, with its sign."""
    if math.isnan(value):
        return "none"
    text = f"{value:+,.{_digits(value)}f} %"
    return signs(text) if any(one in text for one in "123456789") else text[1:]


def _points(value: float) -> str:
    """The amount of a value in per cent."""
    return f"{abs(value):,.{_digits(value)}f} %"


def _digits(value: float) -> int:
    """Digits behind the point: one, or what shows two digits of a small value."""
    if not _LEAST_SHOWN <= abs(value) < _SMALL:
        return 1
    return 1 - math.floor(math.log10(abs(value)))


def _value(statistic: str, value: float) -> str:
    """An objective's value, in its own unit."""
    if math.isnan(value):
        return "none"
    if statistic.endswith("Duration"):
        return str(pd.Timedelta(int(value), unit="ns"))
    if statistic.endswith("[%]"):
        return signs(f"{value:,.{_digits(value)}f} %")
    return signs(f"{value:,.0f}" if statistic.endswith("[$]") else f"{value:,.2f}")
