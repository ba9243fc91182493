"""The verdict: every branch of the rule, and the words."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from made_findings import (
    bootstrap,
    costs,
    holding,
    holdout,
    overfitting,
    plateau,
    walk_forward,
)
from made_returns import grid_of

from bigbar.strategies.big_bar.parameters import parse_grid
from bigbar.validation import wording
from bigbar.validation.findings import Findings, Verdict
from bigbar.validation.verdict import (
    MOST_PBO,
    STRONG,
    WEAK,
    WEIGHED,
    Evidence,
    conclude,
    unseen_confidence,
    weigh,
)
from bigbar.validation.wording import FEW_TRADES, periods_text, sharpe_name, why

CHARGE = "Say what your broker takes: --commission, --spread."

NONE, BAD, GOOD = {}, {"unseen_lost": True}, {"unseen_convinces": True}


# ---------------------------------------------------------------------------------- the rule


@pytest.mark.parametrize(
    ("p_value", "more", "light"),
    [
        # Strong evidence where it was optimized.
        (0.001, NONE, "green"),
        (STRONG, NONE, "green"),
        (STRONG, GOOD, "green"),
        (STRONG, BAD, "amber"),
        (STRONG, {"overfit": True}, "amber"),
        (STRONG, {"overfit": True, **BAD}, "amber"),
        # Weak evidence.
        (0.0501, NONE, "amber"),
        (WEAK, NONE, "amber"),
        (WEAK, GOOD, "green"),
        (WEAK, {"overfit": True, **GOOD}, "amber"),
        (WEAK, BAD, "red"),
        (WEAK, {**BAD, **GOOD}, "red"),  # The holdout won, and the walk-forward lost.
        # None.
        (0.2001, NONE, "red"),
        (0.9, BAD, "red"),
        (0.9, GOOD, "amber"),
        (0.9, {**BAD, **GOOD}, "red"),
        # Nothing to go by.
        (math.nan, NONE, "red"),
        (math.nan, GOOD, "red"),
    ],
)
def test_the_light(p_value, more, light):
    assert Evidence(p_value, **more).light == light


def test_what_is_weighed():
    found = weigh(bootstrap(p_value=0.03, p_value_all_trials=0.3))
    assert found == Evidence(0.3)  # Earlier runs on the same data count.
    assert math.isnan(weigh(None).p_value)
    assert weigh(bootstrap(), overfitting(MOST_PBO)).overfit is False
    assert weigh(bootstrap(), overfitting(0.51)).overfit is True
    assert weigh(bootstrap(), holdout=holdout(-0.1)).unseen_lost is True
    assert weigh(bootstrap(), holdout=holdout(0.0, trades=0)).unseen_lost is False
    assert weigh(bootstrap(), walk_forward=walk_forward(-3.0)).unseen_lost is True
    assert weigh(bootstrap(), walk_forward=walk_forward(3.0)).unseen_lost is False
    both = weigh(bootstrap(), holdout=holdout(2.0), walk_forward=walk_forward(-3.0))
    assert both.unseen_lost is True


def steady(mean: float) -> np.ndarray:
    random = np.random.default_rng(4)
    values = random.standard_normal(50)
    return 0.01 * (values - values.mean()) / values.std() + 0.01 * mean


def test_when_the_unseen_days_convince():
    """A daily Sharpe ratio of 0.3 on 50 days is 2.1 standard errors; of 0.1, 0.7."""
    assert weigh(bootstrap(), holdout=holdout(9.0, returns=steady(0.3))).unseen_convinces is True
    assert weigh(bootstrap(), holdout=holdout(3.0, returns=steady(0.1))).unseen_convinces is False


def test_each_opening_of_the_holdout_adds_to_the_doubt():
    once, thrice, often = (
        unseen_confidence(holdout(9.0, returns=steady(0.3), openings=n)) for n in (1, 3, 1000)
    )
    assert 1 - thrice == pytest.approx(3 * (1 - once))
    assert often == 0.0


def test_a_holdout_without_a_trade_has_no_confidence():
    assert math.isnan(unseen_confidence(holdout(0.0, trades=0, returns=np.zeros(40))))


# ---------------------------------------------------------------------------------- the words


def concluded(**findings) -> Verdict:
    """On the default grid."""
    return conclude(parse_grid(), 5, **findings)


def test_as_in_the_guide():
    found = concluded(bootstrap=bootstrap(), pbo=overfitting(), plateau=plateau(robust=20_000))
    assert found.lines == (
        "You tried 112,840 settings on 100 days. Many trade alike: luck had about 1,400 chances, "
        "and a smaller grid gives it fewer.",
        "If none had an edge, the best would still typically show 1.2 times your Sharpe ratio, and "
        "1 time in 20 over 1.6 times.",
        "Luck does as well as yours 82 % of the time. At most 5 % would convince: it takes more "
        "bars, or fewer tries.",
        "No bars were held back to check it on: --holdout 0.2 keeps a fifth. Of the best on half "
        "of the days, 48 % did worse than most on the other half (probability of overfitting).",
        "Robust: atr_period 26, k_atr 1.4, uptail_max_ratio 0.5, previous_weight 0.1 "
        "(3.90; best 4.40). --choose robust takes it.",
        "Verdict: cannot be told apart from luck.",
    )
    assert found.headline == found.lines[-1]
    assert found.light == "red"


def test_where_the_return_was_tested():
    tested = bootstrap(
        statistic="Return [%]", chosen=1234.5, luck_typical=3.4, luck_95=8.44, p_value=0.346
    )
    found = concluded(bootstrap=tested, sharpe_bootstrap=bootstrap(chosen=1.66))
    assert "luck had about 1,400 chances" in found.lines[0]
    assert found.lines[1] == (
        "If none had an edge, the best would still typically show a return of +3.4 %, and 1 time "
        "in 20 one above +8.4 %."
    )
    assert found.lines[2].startswith("Yours shows +1,234.5 %: luck does as well 35 % of the time.")
    assert not any("Sharpe" in line for line in found.lines)  # One scale is enough.


def test_the_reason_in_short():
    tested = bootstrap(
        statistic="Return [%]", chosen=4.6, luck_typical=3.4, luck_95=8.44, p_value=0.346
    )
    assert why(112_840, tested) == (
        "If none of the 112,840 settings had an edge, the best would still typically show a return "
        "of +3.4 %, and 1 time in 20 one above +8.4 %, on these 100 days. Yours shows +4.6 %: luck "
        "does as well 35 % of the time."
    )
    assert why(112_840, None) == ""
    alone = why(1, replace(tested, combinations=1))
    assert alone.startswith("Without an edge it would still typically show a return of +3.4 %")
    lost = why(112_840, bootstrap(chosen=-0.3, p_value=0.99))
    assert "typically show an annual daily Sharpe of 5.4" in lost
    assert "Yours shows −0.3: luck does as well 99 % of the time." in lost
    little = why(112_840, bootstrap(p_value=math.nan, traded_periods=3))
    assert little == "Yours was made on 3 of 100 days: too few to tell; use a longer file."


@pytest.mark.parametrize(
    ("findings", "headline"),
    [
        ({"p_value": 0.6}, "cannot be told apart from luck."),
        ({"p_value": 0.1}, "some evidence, but not enough to rule out luck: not proven."),
        ({"p_value": 0.01}, "unlikely to be luck alone, but not proven."),
        ({"p_value": math.nan}, "too little data to tell skill from luck."),
    ],
)
def test_headlines_by_luck_alone(findings, headline):
    assert concluded(bootstrap=bootstrap(**findings)).headline == f"Verdict: {headline}"


@pytest.mark.parametrize(
    ("p_value", "more", "light", "words"),
    [
        (0.6, {"holdout": holdout(-1.0)}, "red", "luck. It also lost on unseen days."),
        (0.01, {"holdout": holdout(-1.0)}, "amber", "but it lost on unseen days: not proven."),
        (0.01, {"pbo": overfitting(0.7)}, "amber", "one half fails on the other: not proven."),
        (0.01, {"holdout": holdout(1.0)}, "green", "unlikely to be luck alone, but not proven."),
        (
            0.6,
            {"holdout": holdout(9.0, returns=steady(0.4))},
            "amber",
            "but good on unseen days: not proven.",
        ),
        (0.15, {"holdout": holdout(9.0, returns=steady(0.4))}, "green", "but not proven."),
        (0.15, {"walk_forward": walk_forward(-1.0)}, "red", "It also lost walking forward."),
    ],
)
def test_headlines_with_unseen_days(p_value, more, light, words):
    found = concluded(bootstrap=bootstrap(p_value=p_value), **more)
    assert found.light == light
    assert found.headline.endswith(words)


def test_headlines_just_at_the_limits():
    """The words go with the light: strong and weak evidence include their limits."""
    found = concluded(bootstrap=bootstrap(p_value=WEAK))
    assert found.light == "amber"
    assert found.headline.endswith("some evidence, but not enough to rule out luck: not proven.")
    found = concluded(bootstrap=bootstrap(p_value=STRONG), pbo=overfitting(0.7))
    assert found.light == "amber"
    assert found.headline.endswith("one half fails on the other: not proven.")


@pytest.mark.parametrize(
    ("tries", "words"),
    [(0.3, "about 1 chance,"), (1.4, "about 1 chance,"), (1.6, "about 2 chances,"),
     (987.0, "about 990 chances,")],
)  # fmt: skip
def test_independent_tries_have_two_digits(tries, words):
    assert words in concluded(bootstrap=bootstrap(independent_tries=tries)).lines[0]


def test_settings_of_which_none_are_alike():
    found = conclude(grid_of(4, 5), 9, bootstrap=bootstrap(independent_tries=24.0))
    assert found.lines[0] == (
        "You tried 20 settings on 100 days. Each was a chance for luck; a smaller grid gives it "
        "fewer."
    )


def test_a_second_opening_is_told():
    assert (
        ", looked at 2 times, so less unseen each time:"
        in concluded(holdout=holdout(1.0, openings=2)).lines[1]
    )
    assert "looked at" not in concluded(holdout=holdout(1.0, openings=1)).lines[1]


def test_an_axis_of_two_values_is_named():
    found = conclude(grid_of(2, 1, 5), 5, plateau=plateau(robust=9))
    assert "Robust: atr_period 2, uptail_max_ratio 5 (" in found.lines[2]


def test_nothing_is_ever_called_proven():
    """Of all evidence there can be."""
    for p_value in (0.001, 0.05, 0.1, 0.2, 0.5, math.nan):
        for unseen in (None, holdout(-1.0), holdout(1.0), holdout(9.0, returns=steady(0.4))):
            for pbo in (None, overfitting(0.9)):
                found = concluded(bootstrap=bootstrap(p_value=p_value), holdout=unseen, pbo=pbo)
                text = found.headline.lower()
                assert text.count("proven") == text.count("not proven")
                assert found.light == "red" or "not proven" in text


def test_luck_that_never_did_as_well():
    found = concluded(bootstrap=bootstrap(p_value=1 / 1001))
    assert found.lines[2] == (
        "Luck does as well as yours in none of 1,000 draws. Bars that it has not seen can confirm "
        "it."
    )


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.8161, "82 %"), (0.0996, "10 %"), (0.0342, "3.4 %"), (0.002, "0.2 %"), (0.996, "over 99 %")],
)
def test_shares_for_people(share, text):
    found = concluded(bootstrap=bootstrap(p_value=share))
    assert f"Luck does as well as yours {text} of the time" in found.lines[2]


def test_probabilities_at_the_ends_are_round():
    for pbo, text in ((0.0, "0 %"), (1.0, "100 %"), (0.0001, "under 0.1 %")):
        found = concluded(bootstrap=bootstrap(), pbo=overfitting(pbo), plateau=plateau(robust=5))
        assert f"half of the days, {text} did worse" in found.lines[3]
        assert found.lines[3].endswith("; prefer the robust choice.") is (pbo > 0.5)


@pytest.mark.parametrize("there_is", [None, plateau(robust=None)])
def test_a_robust_choice_that_cannot_be_had_is_no_advice(there_is):
    found = concluded(bootstrap=bootstrap(), pbo=overfitting(1.0), plateau=there_is)
    assert "robust" not in str(found)


def test_earlier_runs_are_told_and_counted():
    found = concluded(
        bootstrap=bootstrap(p_value=0.03, p_value_all_trials=0.42, earlier_trials=1000)
    )
    assert found.lines[2].startswith(
        "Luck does as well as yours 3.0 % of the time; with 1,000 other settings that earlier "
        "runs tried on these bars, 42 % of the time."
    )
    assert found.light == "red"


def test_a_choice_that_hardly_traded():
    found = concluded(bootstrap=bootstrap(p_value=math.nan, traded_periods=3))
    assert found.lines[2] == (
        "Yours was made on 3 of 100 days: too few to tell; use a longer file."
    )
    assert found.headline == "Verdict: too little data to tell skill from luck."


@pytest.mark.parametrize(
    ("per_year", "text"),
    [(252, "100 days"), (365, "100 days"), (52, "100 weeks"), (126, "100 periods of 2 days"),
     (365 / 4, "100 periods of 4 days"), (99, "100 periods")],
)  # fmt: skip
def test_periods_that_are_no_days(per_year, text):
    by_luck = bootstrap(periods_per_year=float(per_year))
    assert periods_text(by_luck) == text
    assert f"on {text}." in concluded(bootstrap=by_luck).lines[0]
    assert periods_text(replace(by_luck, periods=1)) == text.replace("100", "1").replace(
        "periods", "period"
    ).replace("1 days", "1 day").replace("1 weeks", "1 week")


@pytest.mark.parametrize(
    ("per_year", "name"),
    [
        (252, "daily Sharpe"), (365, "daily Sharpe"), (52, "weekly Sharpe"),
        (12, "monthly Sharpe"), (1, "yearly Sharpe"), (126, "Sharpe by periods"),
    ],
)  # fmt: skip
def test_the_sharpe_ratio_of_the_luck_test_has_a_name_of_its_own(per_year, name):
    """It is named where it is told: elsewhere it would stand beside backtesting.py's."""
    by_sharpe = bootstrap(periods_per_year=float(per_year), chosen=-1.0)
    assert sharpe_name(by_sharpe) == name
    assert f"show an annual {name} of 5.4" in concluded(bootstrap=by_sharpe).lines[1]


def test_unseen_days_are_told():
    found = concluded(bootstrap=bootstrap(), holdout=holdout(1.25, trades=1), pbo=overfitting())
    assert found.lines[3] == (
        "Unseen from 2024-03-03: +1.2 % in 1 trade (before: +10.0 %). Of the best on half of the "
        "days, 48 % did worse than most on the other half (probability of overfitting)."
    )
    again = concluded(bootstrap=bootstrap(), holdout=holdout(0.0, trades=0, openings=3))
    assert again.lines[3] == (
        "Unseen from 2024-03-03, looked at 3 times, so less unseen each time: no trade, so nothing "
        "is known (before: +10.0 %)."
    )


def test_a_walk_forward_analysis_is_told():
    found = concluded(
        bootstrap=bootstrap(), holdout=holdout(), walk_forward=walk_forward(), pbo=overfitting()
    )
    assert found.lines[3] == (
        "Unseen from 2024-03-03: +1.2 % in 12 trades (before: +10.0 %). "
        "Walk-forward: +3.1 % (t 1.2; above 2 is strong)."
    )


def test_a_walk_forward_analysis_without_a_trade():
    flat = replace(walk_forward(0.0), t_statistic=math.nan)
    found = concluded(bootstrap=bootstrap(), walk_forward=flat)
    assert found.lines[3].endswith("Walk-forward: no trade.")


def test_the_best_may_be_robust_itself():
    found = concluded(bootstrap=bootstrap(), plateau=plateau(robust=5))
    assert found.lines[4] == (
        "The best is also the robust choice; one step away in a parameter the worst result is 0.30."
    )


def test_the_robust_choice_may_have_been_taken():
    found = conclude(grid_of(4, 5), 9, bootstrap=bootstrap(), plateau=plateau())
    assert found.lines[4] == ("Robust (taken): atr_period 2, k_atr 5 (3.90; best 4.40).")


@pytest.mark.parametrize(
    ("statistic", "value", "text"),
    [
        ("Return [%]", 12.34, "12.3 %"),
        ("Equity Final [$]", 123_456.7, "123,457"),
        ("Avg. Drawdown Duration", 3 * 86_400e9, "3 days 00:00:00"),
        ("SQN", 1.234, "1.23"),
        ("SQN", math.nan, "none"),
    ],
)
def test_values_in_their_own_unit(statistic, value, text):
    found = concluded(plateau=plateau(statistic=statistic, robust=5, peak_worst_neighbour=value))
    assert found.lines[2] == (
        "The best is also the robust choice; one step away in a parameter the worst result is "
        f"{text}."
    )


def test_a_single_setting():
    found = conclude(
        grid_of(), 0, bootstrap=bootstrap(combinations=1), plateau=plateau(peak=0, robust=0)
    )
    assert found.lines[0] == "You tried 1 setting on 100 days."
    assert not any("obust" in line for line in found.lines)


def test_nothing_counts():
    found = conclude(parse_grid(), None, plateau=plateau(peak=None, robust=None, median=None))
    assert found.light == "red"
    assert found.lines == (
        "You tried 112,840 settings.",
        "Verdict: no combination counts, so there is nothing to judge.",
    )


# ------------------------------------------------------------ buy and hold, costs, few trades


def line_of(**findings) -> str:
    """The one line that a finding makes."""
    lines = concluded(**findings).lines
    assert len(lines) == 4
    return lines[2]


def test_buy_and_hold_stands_beside_the_choice():
    assert line_of(buy_and_hold=holding()) == (
        "Buy and hold made +12.8 % (drawdown 5.5 %); yours less, +4.6 % (1.8 %), in the market "
        "20 % of the time."
    )
    assert line_of(buy_and_hold=holding(total_return=-1234.5, max_drawdown=0.0)).startswith(
        "Buy and hold made −1,234.5 % (drawdown 0.0 %); yours more, +4.6 %"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "No costs charged; it loses above a commission of 2 bp (1 bp is 0.01 %). " + CHARGE),
        (
            {"break_even_spread": 1.526e-4, "break_even_commission": 7.64e-5},
            "No costs charged; it loses above a spread of 1.5 bp or a commission of 0.76 bp "
            "(1 bp is 0.01 %). " + CHARGE,
        ),
        (
            {"break_even_commission": None},
            "No costs charged; no spread or commission up to 100 bp makes it lose. " + CHARGE,
        ),
        (
            {"break_even_spread": 0.0},
            "No costs charged; it loses above a spread of 0 bp or a commission of 2 bp "
            "(1 bp is 0.01 %). " + CHARGE,
        ),
        (
            {"commission": 5e-5, "spread": 1e-4, "break_even_spread": 0.00231},
            "Charged commission 0.5 bp, spread 1 bp; it loses above a spread of 23 bp or a "
            "commission of 2 bp.",
        ),
        (
            {"fixed_commission": 5.0, "break_even_commission": None},
            "Charged commission 5; no spread or commission up to 100 bp makes it lose.",
        ),
        (
            {"fixed_commission": 5.0, "commission": 1e-4},
            "Charged commission 5 + 1 bp; it loses above a commission of 2 bp.",
        ),
        ({"commission": -1e-4}, "Charged commission −1 bp; it loses above a commission of 2 bp."),
        ({"total_return": -0.1}, "No costs charged, and it loses all the same."),
        ({"total_return": 0.0}, "No costs charged; it loses above a commission of 2 bp "
                                "(1 bp is 0.01 %). " + CHARGE),
        (
            {"total_return": -1.0, "spread": 3e-4, "break_even_spread": 2e-4,
             "break_even_commission": 0.0},
            "Charged spread 3 bp: it loses; it would not with a spread of 2 bp.",
        ),
        (
            {"total_return": -1.0, "spread": 0.02, "break_even_commission": 0.0},
            "Charged spread 200 bp: it loses; it would not with a spread of 100 bp.",
        ),
        (
            {"total_return": -1.0, "spread": 3e-4, "break_even_spread": 0.0,
             "break_even_commission": 0.0},
            "Charged spread 3 bp: it loses, and with either of them left out as well.",
        ),
    ],
)  # fmt: skip
def test_costs_are_told(changes, words):
    assert line_of(costs=replace(costs(), **changes)) == words


@pytest.mark.parametrize(
    ("trades", "most", "words"),
    [
        (1, 400, "Only 1 trade: too few for any figure made of them to hold; --min-trades 30 asks "
                 "for more."),
        (29, 30, "Only 29 trades: too few for any figure made of them to hold; --min-trades 30 "
                 "asks for more."),
        # No advice that cannot be followed.
        (12, 29, "Only 12 trades: too few for any figure made of them to hold; use a longer file."),
    ],
)  # fmt: skip
def test_few_trades_are_told(trades, most, words):
    assert line_of(trades=trades, most_trades=most) == words


def test_enough_trades_are_not_spoken_of():
    assert FEW_TRADES == 30
    for trades in (None, 30, 305):
        assert len(concluded(trades=trades, most_trades=500).lines) == 3
    alone = conclude(grid_of(), 0, trades=3, most_trades=400)
    assert alone.lines[2].endswith("use a longer file.")  # One setting has no other.


def test_nine_lines_at_most():
    everything = {
        "bootstrap": bootstrap(statistic="Return [%]", chosen=-99.9, earlier_trials=1000),
        "sharpe_bootstrap": bootstrap(chosen=-12.3),
        "pbo": overfitting(),
        "plateau": plateau(statistic="Return [%]", robust=112_839),
        "holdout": holdout(-12.3, trades=1234),
        "walk_forward": walk_forward(-12.3),
        "buy_and_hold": holding(total_return=-99.9, max_drawdown=-99.9, chosen_return=123.4),
        "costs": replace(costs(), break_even_spread=1.5e-4),
        "trades": 29,
        "most_trades": 30,
    }
    found = concluded(**everything)
    assert len(found.lines) == 9
    of_a_search = {"alone", "neighbours"}  # In place of four of these.
    assert set(WEIGHED) - {"conduct"} - of_a_search <= set(everything)  # BigBar's conduct is not.


def test_what_was_not_held_against_luck_gets_no_verdict_about_it():
    found = conclude(grid_of(4, 5), 9, assessed=False)
    assert found.headline == (
        "Verdict: none, because it was not held against luck (--no-validate)."
    )
    assert found.light == "none"


def test_a_verdict_is_printed_as_its_lines():
    found = concluded(bootstrap=bootstrap())
    assert str(found).splitlines() == list(found.lines)
    assert repr(found) == str(found), "as a notebook and a prompt show it"
    assert repr(Findings(found)) == f"<Findings, {found.light}: {found.headline}>"


@pytest.mark.parametrize(
    ("value", "text"),
    [(4.62, "+4.6 %"), (-0.04, "−0.040 %"), (0.0999, "+0.1 %"), (0.00312, "+0.0031 %"),
     (0.0, "0.0 %"), (-1e-9, "0.0 %"), (math.nan, "none"),
     (12_345.6, "+12,345.6 %"), (0.0949, "+0.095 %"),
     (-0.095, "−0.1 %")],
)  # fmt: skip
def test_small_returns_are_not_shown_as_none(value, text):
    assert wording._change(value) == text
