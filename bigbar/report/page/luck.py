"""The winner among all combinations, and against the best that luck finds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bigbar.report.page.chart import WHOLE, Axis, Chart, KeyMark, Layer, LegendEntry, Role, Rule
from bigbar.report.page.landscape import Distribution, Landscape, distribution
from bigbar.report.page.markup import (
    Content,
    Markup,
    definitions,
    details,
    escaped,
    paragraph,
    table,
    tag,
)
from bigbar.report.page.numbers import amount, chance, count, number, percent, share
from bigbar.report.page.subject import Section, Subject
from bigbar.units import agreeing
from bigbar.validation.findings import Bootstrap, DeflatedSharpe, Overfitting
from bigbar.validation.wording import sharpe_name

#: More points than this would only cover each other.
_MOST_SPLITS = 1_500

#: Points of the regression line.
_LINE = 25


def distribution_section(subject: Subject) -> Section | None:
    """All combinations counted, and what luck can do."""
    found = distribution(subject.landscape)
    if found is None:
        return None
    charts = [distribution_chart(subject, found)]
    findings = subject.findings
    if findings is not None and findings.pbo is not None:
        charts.append(_overfitting_chart(findings.pbo, findings.bootstrap))
    both = "charts two" if len(charts) > 1 else None
    parts: list[Content] = [tag("div", [chart.figure() for chart in charts], class_=both)]
    name = "Sharpe"
    if findings is None:
        parts.append(paragraph("Whether luck alone does as well was not tested in this run."))
    else:
        for bootstrap in (findings.bootstrap, findings.sharpe_bootstrap):
            if bootstrap is not None:
                name = sharpe_name(bootstrap)
        if findings.bootstrap is not None:
            parts.append(_bootstrap(findings.bootstrap))
        if findings.sharpe_bootstrap is not None:
            parts.append(details(f"The same by {name}", _bootstrap(findings.sharpe_bootstrap)))
        if findings.deflated_sharpe is not None:
            parts.append(_deflated(findings.deflated_sharpe, name))
    return Section("luck", "All combinations, and luck", escaped(parts), tuple(charts))


# -------------------------------------------------------------------------------- distribution


def distribution_chart(subject: Subject, found: Distribution) -> Chart:
    """How many combinations reached what."""
    landscape = subject.landscape
    unit = landscape.unit
    marks: list[tuple[float, Role, str, str]] = [
        (found.median, "muted", "dashed", f"median: {amount(found.median, unit)}")
    ]
    plateau = subject.plateau
    if plateau is not None and plateau.robust is not None and plateau.robust != subject.best:
        value = landscape.value(plateau.robust)
        marks.append((value, "robust", "dotted", f"robust choice: {amount(value, unit)}"))
    if subject.best is not None:
        value = landscape.value(subject.best)
        if not math.isnan(value):
            marks.append((value, "chosen", "solid", f"chosen: {amount(value, unit)}"))
    columns = {
        "left": found.edges[:-1],
        "right": found.edges[1:],
        "y": found.counts,
        "range": [
            f"{number(low)} to {amount(high, unit)}"
            for low, high in zip(found.edges[:-1], found.edges[1:], strict=True)
        ],
    }
    keys: dict[str, KeyMark] = {"solid": "line", "dashed": "dashed", "dotted": "dotted"}
    return Chart(
        name="distribution",
        title=f"{landscape.name} of all combinations",
        says=_distribution_says(subject, found),
        x=Axis(landscape.name),
        y=Axis("combinations", format=WHOLE),
        layers=[
            Layer("bars", columns, "luck", (("Between", "@range"), ("Combinations", "@y{0,0}")))
        ],
        rules=[Rule(at, "x", role, dash) for at, role, dash, _ in marks],
        keys=[LegendEntry(keys[dash], role, text) for _, role, dash, text in marks],
    )


def _distribution_says(subject: Subject, found: Distribution) -> str:
    landscape = subject.landscape
    counted, unit = landscape.counted, landscape.unit
    some = ""
    if landscape.in_sample is not None:
        some = f"A sample of {count(int(landscape.in_sample.sum()), 'combination')}, of which "
    text = some + (
        f"{count(len(counted), 'combination counts', 'combinations count')}, from "
        f"{amount(counted[0], unit)} to {amount(counted[-1], unit)}; the middle half lies between "
        f"{amount(found.lower, unit)} and {amount(found.upper, unit)}."
    )
    if counted[0] < 0 < counted[-1]:
        text += f" {share(float((counted > 0).mean()))} are above zero."
    is_whole = landscape.in_sample is None
    if subject.best is not None and is_whole and not math.isnan(landscape.value(subject.best)):
        text += _place_of_the_chosen(landscape, subject.best)
    if landscape.infinite:
        text += f" {count(landscape.infinite, 'infinite value')} not drawn."
    return text


def _place_of_the_chosen(landscape: Landscape, best: int) -> str:
    better = landscape.share_better(landscape.value(best))
    if better == 0:
        return " None is better than the chosen one."
    return f" {percent(100 * better)} are better than the chosen one."


# ---------------------------------------------------------------------------------------- luck


def _bootstrap(found: Bootstrap) -> Markup:
    """Luck's best beside the chosen setting, as bars that are also a table."""
    unit = "%" if found.statistic.endswith("[%]") else ""
    rows: list[tuple[str, float, bool]] = [
        ("The chosen setting", found.chosen, True),
        ("Luck’s best, typically", found.luck_typical, False),
        ("Luck’s best, 1 time in 20 above", found.luck_95, False),
        ("The least that this much data could tell from luck", found.smallest_provable, False),
    ]
    what = sharpe_name(found) if found.statistic == "Sharpe Ratio" else found.statistic
    notes = []
    if not found.tests_objective:
        notes.append(
            f" The run optimized {found.objective}, which this test does not follow: it holds for "
            "the chosen setting all the same, but asks more of it than needed."
        )
    if abs(found.autocorrelation) > found.autocorrelation_limit:
        notes.append(
            " Its returns depend on those of the period before (autocorrelation "
            f"{number(found.autocorrelation)}): take the figure with care."
        )
    earlier = ""
    if found.earlier_trials and not math.isnan(found.p_value):
        earlier = (
            f" Counting the {found.earlier_trials:,} settings of earlier runs on the same data as "
            f"well, {chance(found.p_value_all_trials)} of the time."
        )
    tries = ""
    if not math.isnan(found.independent_tries):
        tries = f" They behave like about {found.independent_tries:,.0f} independent tries."
    told = (
        f"With no edge at all, the best of them would be at least as good as the chosen setting "
        f"{chance(found.p_value)} of the time ({count(found.resamples, 'resample')}, "
        f"p = {number(found.p_value, 3)})."
    )
    if math.isnan(found.p_value):
        traded = count(found.traded_periods, "period")
        told = (
            f"The chosen setting earned or lost something in {traded} only: too few to tell "
            "anything from luck."
        )
    return escaped([
        tag("h3", f"Could luck have done it? By {what}"),
        paragraph(
            f"{count(found.combinations, 'setting')} {agreeing(found.combinations, 'was', 'were')} "
            f"tried on {count(found.periods, 'period')}."
            f"{tries} {told}",
            earlier,
            notes,
        ),
        _meters(rows, unit, f"The chosen setting against luck, by {what}"),
    ])  # fmt: skip


def _meters(rows: list[tuple[str, float, bool]], unit: str, caption: str) -> Markup:
    largest = max((value for _, value, _ in rows if value > 0), default=1.0)
    cells = []
    for name, value, own in rows:
        width = 0.0 if math.isnan(value) else 100 * max(value, 0.0) / largest
        bar = tag(
            "div",
            tag("span", style=f"width:{width:.1f}%"),
            class_="meter chosen-bar" if own else "meter",
            aria_hidden="true",
        )
        cells.append((tag("strong", name) if own else name, amount(value, unit), bar))
    return table(
        ("best", "value", "to scale"), cells, caption=caption, row_heads=True, class_="meters"
    )  # fmt: skip


def _overfitting_chart(found: Overfitting, tested: Bootstrap | None) -> Chart:
    step = -(-len(found.in_sample) // _MOST_SPLITS)
    known = np.isfinite(found.in_sample) & np.isfinite(found.out_of_sample)
    annual = _Annual.of(tested)
    inside, outside = found.in_sample[known][::step], found.out_of_sample[known][::step]
    # A line per period is a curve per year, where returns compound.
    along = np.linspace(inside.min(), inside.max(), _LINE) if len(inside) else np.zeros(2)
    fitted = [annual.of_period(line) for line in (along, found.intercept + found.slope * along)]
    points = {"x": annual.of_period(inside), "y": annual.of_period(outside)}
    digits = "0.00"
    tips = (
        ("Where chosen", f"@x{{{digits}}}{annual.unit}"),
        ("On the other half", f"@y{{{digits}}}{annual.unit}"),
    )
    thinned = f" Every {step}th is drawn." if step > 1 else ""
    return Chart(
        name="overfitting",
        title="Does the winner of one half win on the other?",
        says=(
            f"The days were cut into {found.blocks} blocks and halved in {found.splits:,} ways. "
            f"In {share(found.pbo)} the winner of one half was in the worse half of all settings "
            "on the other (the probability of backtest overfitting; with no edge it is about "
            f"50 %, give or take 20). In {share(found.loss_share)} it lost money there. The line "
            f"has slope {number(found.slope)}: below zero, the better a winner looked, the worse "
            f"it did.{thinned}"
        ),
        x=Axis(f"where it was chosen, {annual.label}"),
        y=Axis(f"on the other half, {annual.label}"),
        layers=[
            Layer("points", points, "luck", tips, {"size": 6, "alpha": 0.55}),
            Layer("line", dict(zip("xy", fitted, strict=True)), "chosen", style={"width": 2}),
        ],
        rules=[Rule(0.0, "y", "muted")],
        keys=[
            LegendEntry("ring", "luck", "a way of halving the days"),
            LegendEntry("line", "chosen", "regression"),
            LegendEntry("dashed", "muted", "neither gain nor loss"),
        ],
    )


@dataclass(frozen=True)
class _Annual:
    """How performance per period is told per year.

    Attributes
    ----------
    label : str
        Of an axis.
    unit : str
        After a figure.
    periods : float
        In a year.
    compounds : bool
        Whether it is a mean log return; a Sharpe ratio otherwise.
    """

    label: str
    unit: str
    periods: float
    compounds: bool

    @classmethod
    def of(cls, tested: Bootstrap | None) -> _Annual:
        """By the test that ran on the same returns; per period where none did."""
        if tested is None:
            return cls("per period", "", 1.0, compounds=False)
        if tested.statistic == "Sharpe Ratio":
            return cls("annual Sharpe ratio", "", tested.periods_per_year, compounds=False)
        return cls("% a year", " %", tested.periods_per_year, compounds=True)

    def of_period(self, values: np.ndarray) -> np.ndarray:
        """Per year, from what it is per period."""
        if self.compounds:
            return 100.0 * np.expm1(values * self.periods)
        return values * math.sqrt(self.periods)


def _deflated(found: DeflatedSharpe, name: str) -> Markup:
    """The deflated ratio; `name` says which Sharpe ratio it is made of."""
    trials = f"{found.trials:,}"
    if found.earlier_trials:
        trials += f" and {found.earlier_trials:,} of earlier runs on the same data"
    facts = (
        (f"{name[:1].upper()}{name[1:]}: of one period, annual", f"{number(found.sharpe, 3)}, "
                                           f"{number(found.annual_sharpe)}"),
        ("Skewness, kurtosis (3 is normal)", f"{number(found.skewness)}, {number(found.kurtosis)}"),
        ("Trials", trials),
        ("Expected best of so many without an edge, per period", number(found.threshold, 3)),
        ("Probability that the true ratio is above 0 (PSR)", share(found.psr, 1)),
        ("Probability that it is above that best (DSR)", share(found.dsr, 1)),
        ("Periods needed to be 95 % sure of more than 0",
         number(found.track_record, 0) + f" (there are {found.periods:,})"),
    )  # fmt: skip
    return details(
        f"{name[:1].upper()}{name[1:]}, deflated by the number of trials",
        tag("div", definitions(facts), class_="card"),
    )
