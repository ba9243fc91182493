"""What is left of the chosen setting under higher costs, and under chance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bigbar.report.page.chart import Axis, Chart, Layer, LegendEntry, Role, Rule
from bigbar.report.page.markup import Content, Markup, details, escaped, paragraph, table, tag
from bigbar.report.page.numbers import number, percent, share
from bigbar.report.page.subject import Section, Subject
from bigbar.validation.findings import Costs, Perturbation
from bigbar.validation.wording import costs_text


def robustness_section(subject: Subject) -> Section | None:
    """Costs and perturbation, as far as they were looked at."""
    findings = subject.findings
    if findings is None or (findings.costs is None and findings.perturbation is None):
        return None
    parts: list[Content] = []
    charts: list[Chart] = []
    tables: list[Content] = []
    if findings.costs is not None:
        chart = _costs_chart(findings.costs)
        parts.append(_costs_lead(findings.costs))
        if chart is not None:
            charts.append(chart)
        tables.append(details("Costs as a table", _costs_table(findings.costs)))
    if findings.perturbation is not None:
        charts.append(_chance_chart(subject, findings.perturbation))
        tables.append(details("Chance as a table", _chance_table(findings.perturbation)))
    both = "charts two" if len(charts) > 1 else None
    parts += [tag("div", [chart.figure() for chart in charts], class_=both), tables]
    return Section("costs", "Costs and chance", escaped(parts), tuple(charts))


# --------------------------------------------------------------------------------------- costs


def _cost(part: float) -> str:
    """A cost as a share of the price, in basis points."""
    return f"{10_000 * part:,.3g} bp"


def _costs_lead(costs: Costs) -> Markup:
    said = []
    for what, even in (
        ("commission", costs.break_even_commission),
        ("spread", costs.break_even_spread),
    ):
        if even is None:
            said.append(f"It does not lose below a {what} of {_cost(costs.limit)}.")
        elif even == 0:
            said.append(f"It loses without any {what} already.")
        else:
            said.append(f"It breaks even at a {what} of {_cost(even)}.")
    charged = costs_text(costs.fixed_commission, costs.commission, costs.spread) or "no costs"
    return paragraph(
        f"Charged in this run: {charged}. {' '.join(said)} Each figure is a run of its own (1 bp "
        "is 0.01 % of the price; commission at entry and exit, spread at entry; the other costs as "
        "in the run).",
        class_="lead",
    )


def _costs_chart(costs: Costs) -> Chart | None:
    """Return against each of the two costs, the other as in the run."""
    ladder = costs.table
    lines: list[tuple[str, Role, str, pd.DataFrame]] = [
        ("commission", "chosen", "solid", ladder[np.isclose(ladder["spread"], costs.spread)]),
        ("spread", "unseen", "dashed", ladder[np.isclose(ladder["commission"], costs.commission)]),
    ]
    lines = [line for line in lines if len(line[3]) > 1]
    if not lines:
        return None
    layers, keys = [], []
    for what, role, dash, held in lines:
        held = held.sort_values(what)
        columns = {
            "x": held[what].to_numpy(np.float64) * 10_000,
            "y": held["Return [%]"].to_numpy(np.float64),
        }
        tips = ((what.capitalize(), "@x{0.00} bp"), ("Return", "@y{0.00} %"))
        marker = "circle" if what == "commission" else "square"
        layers += [
            Layer("line", columns, role, style={"dash": dash, "width": 2}),
            Layer("points", columns, role, tips, {"size": 7, "marker": marker}),
        ]
        keys.append(LegendEntry("line" if dash == "solid" else "dashed", role, f"by {what}"))
    returns = ladder["Return [%]"]
    return Chart(
        name="costs",
        title="Return against costs",
        says=(
            f"From {percent(float(returns.max()))} down to {percent(float(returns.min()))} over "
            f"{len(ladder)} runs, each at costs of its own."
        ),
        x=Axis("cost in basis points (0.01 %) of the price"),
        y=Axis("Return [%]"),
        layers=layers,
        rules=[Rule(0.0, "y", "muted")],
        keys=[*keys, LegendEntry("dashed", "muted", "neither gain nor loss")],
    )


def _costs_table(costs: Costs) -> Markup:
    rows = [
        (
            _cost(row["commission"]),
            _cost(row["spread"]),
            percent(row["Return [%]"], sign=True),
            number(row["Sharpe Ratio"]),
            f"{row['# Trades']:,.0f}",
        )
        for row in costs.table.to_dict("records")
    ]
    return table(
        ("commission", "spread", "Return [%]", "Sharpe Ratio", "trades"),
        rows,
        caption="The chosen setting under a ladder of costs",
    )


# -------------------------------------------------------------------------------------- chance


def _chance_chart(subject: Subject, found: Perturbation) -> Chart:
    """Where the return ends up: the range of the quantiles, thicker towards the middle."""
    column = found.columns.index("Return [%]")
    kinds = (
        ("other trades", found.trade_order[:, column]),
        ("other prices", found.prices[:, column]),
    )
    pairs = len(found.quantiles) // 2
    layers: list[Layer] = []
    for depth in range(pairs):
        held = {
            "x0": np.array([values[depth] for _, values in kinds]),
            "x1": np.array([values[-1 - depth] for _, values in kinds]),
            "y0": [0, 1],
            "y1": [0, 1],
        }
        layers.append(Layer("segments", held, "luck", style={"width": 3 + 7 * depth}))
    middle = [float(np.interp(0.5, found.quantiles, values)) for _, values in kinds]
    tips = (("Median", "@x{0.00} %"), ("From", "@low{0.00} %"), ("To", "@high{0.00} %"))
    held = {
        "x": np.array(middle), "y": [0, 1],
        "low": np.array([values[0] for _, values in kinds]),
        "high": np.array([values[-1] for _, values in kinds]),
    }  # fmt: skip
    layers.append(Layer("points", held, "ink", tips, {"size": 11, "outline": "card", "width": 2}))
    own = float(subject.statistics["Return [%]"])
    low, high = (f"{100 * part:g} %" for part in (found.quantiles[0], found.quantiles[-1]))
    return Chart(
        name="chance",
        title="Return under chance",
        says=(
            f"With trades drawn anew from its own, {found.repetitions:,} times, it loses in "
            f"{share(found.order_loss_share)}. With every price moved at random by "
            f"{share(found.noise, 1)} of its bar’s range, it loses in "
            f"{share(found.prices_loss_share)}. The run itself returned {percent(own)}."
        ),
        x=Axis("Return [%]"),
        y=Axis("", "places", ((0, kinds[0][0]), (1, kinds[1][0])), start=-0.6, end=1.6),
        layers=layers,
        rules=[Rule(0.0, "x", "muted"), Rule(own, "x", "chosen", "solid")],
        keys=[
            LegendEntry("ring", "ink", "median"),
            LegendEntry("band", "luck", f"from {low} to {high} of the repetitions"),
            LegendEntry("line", "chosen", "the run itself"),
            LegendEntry("dashed", "muted", "neither gain nor loss"),
        ],
    )


def _chance_table(found: Perturbation) -> Markup:
    heads = ["quantile", *(f"{name}, {what}" for what in ("trades drawn anew", "other prices")
                           for name in found.columns)]  # fmt: skip
    rows = [
        (
            f"{100 * quantile:g} %",
            *(percent(float(value)) for value in (*found.trade_order[place], *found.prices[place])),
        )
        for place, quantile in enumerate(found.quantiles)
    ]
    return table(
        heads, rows, caption="Quantiles of return and drawdown under chance", row_heads=True
    )
