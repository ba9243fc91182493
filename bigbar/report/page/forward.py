"""Walk-forward: the joined curve, the windows, how the parameters drift, and the matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bigbar.parameter import Parameter
from bigbar.report.page.chart import (
    Axis,
    Chart,
    Layer,
    LegendEntry,
    Rule,
    Shade,
    second,
    seconds,
    ticks,
)
from bigbar.report.page.landscape import varying
from bigbar.report.page.markup import Cell, Content, Markup, escaped, paragraph, table, tag, tint
from bigbar.report.page.numbers import count, day, number, percent, share, sort_value, value_text
from bigbar.report.page.subject import Section, Subject
from bigbar.report.page.thinning import telling_points
from bigbar.validation.findings import WalkForward, WalkForwardMatrix

NOT_WALKED = (
    "Not run. ",
    tag("code", "--walk-forward 8"),
    " optimizes the whole grid on each of eight training windows and runs each winner on the bars "
    "that follow.",
)


def forward_section(subject: Subject) -> Section | None:
    """The whole grid optimized again and again; how to get it where it was not run."""
    if subject.best is None:
        return None
    findings = subject.findings
    walked = None if findings is None else findings.walk_forward
    matrix = None if findings is None else findings.walk_forward_matrix
    charts: tuple[Chart, ...] = ()
    parts: list[Content] = []
    if walked is None:
        parts.append(paragraph(*NOT_WALKED))
    else:
        curve, drifts = _curve_chart(walked, subject.cash), _drift_charts(subject, walked)
        charts = (curve, *drifts)
        parts += [
            _lead(walked),
            curve.figure(),
            _passes(walked),
            _windows(subject, walked),
            tag("h3", "How the chosen parameters drift") if drifts else None,
            tag("div", [chart.figure() for chart in drifts], class_="charts four"),
        ]
    if matrix is not None:
        parts.append(_matrix(matrix))
    elif walked is not None:
        parts.append(
            paragraph(
                tag("code", "--walk-forward-matrix"),
                " repeats this over numbers of windows and shares out of sample.",
            )
        )
    return Section("walk-forward", "Walk-forward", escaped(parts), charts)


def _lead(walked: WalkForward) -> Markup:
    efficiency = (
        "is not defined, because the training windows made no profit"
        if walked.efficiency is None
        else f"is {share(walked.efficiency)}"
    )
    return paragraph(
        f"Out of sample, the winners of {count(len(walked.windows), 'window')} returned "
        f"{percent(walked.total_return, sign=True)} together, with a t-statistic of "
        f"{number(walked.t_statistic)} (2 is worth a second look). Efficiency, the annual return "
        f"out of sample ({percent(walked.annual_return)}) over that in training "
        f"({percent(walked.in_sample_annual_return)}), {efficiency}. "
        f"{count(walked.replayed, 'replay')} of winners through backtesting.py, all equal.",
        class_="lead",
    )


def _curve_chart(walked: WalkForward, cash: float) -> Chart:
    equity = walked.equity
    values = equity.to_numpy(np.float64)
    shown = telling_points(values)
    times = seconds(pd.DatetimeIndex(equity.index[shown]))
    tips = (("Time", "@x{%F %H:%M}"), ("Equity", "@y{0,0.00}"))
    shades = [
        Shade(second(window.test_times[0]), second(window.test_times[1]), "luck")
        for window in walked.windows[1::2]
    ]
    way = "begin with the file" if walked.anchored else "move along"
    return Chart(
        name="walk-forward",
        title="Equity out of sample",
        says=(
            f"{number(values[0])} became {number(values[-1])} between {day(equity.index[0])} and "
            f"{day(equity.index[-1])}; {walked.profitable_windows} of "
            f"{count(len(walked.windows), 'window')} made a profit. Training windows {way}. All "
            "test windows joined, each traded by the winner of the bars before it."
        ),
        x=Axis(kind="time"),
        y=Axis(),
        layers=[Layer("line", {"x": times, "y": values[shown]}, "unseen", tips, {"width": 2})],
        rules=[Rule(cash, "y", "muted")],
        shades=shades,
        keys=[
            LegendEntry("line", "unseen", "equity out of sample"),
            LegendEntry("dashed", "muted", "starting cash"),
            LegendEntry("band", "luck", "every second test window"),
        ],
        zoom=True,
    )


def _passes(walked: WalkForward) -> Markup:
    marks = (
        tag("li", tag("span", "✓ " if passed else "✗ ", class_="mark", aria_hidden="true"),
            tag("strong", "passed: " if passed else "failed: "), wording)
        for wording, passed in walked.passes.items()
    )  # fmt: skip
    return tag("ul", marks, class_="passes card")


def _windows(subject: Subject, walked: WalkForward) -> Markup:
    grid = subject.outcome.job.space
    axes = [(which, grid.parameters[which]) for which in varying(grid)]
    names = [axis.name for _, axis in axes]
    heads = ("window", "trained from", "tested from", "to", *names, "return in training",
             "return out of sample", "trades")  # fmt: skip
    rows = []
    for place, window in enumerate(walked.windows, 1):
        at = window.places
        rows.append((
            Cell(f"{place}", place),
            *(
                Cell(day(moment), sort_value(moment))
                for moment in (window.train_times[0], *window.test_times)
            ),
            *(
                Cell(value_text(axis.values[at[which]]), axis.sort_values[at[which]])
                if at
                else Cell("flat", np.nan)
                for which, axis in axes
            ),
            Cell(percent(window.train_return, sign=True), window.train_return),
            Cell(percent(window.test_return, sign=True), window.test_return),
            Cell(f"{window.test_trades:,}", window.test_trades),
        ))  # fmt: skip
    return escaped([
        tag("h3", "The windows"),
        table(heads, rows, caption="Walk-forward windows with their winners", sortable=True),
    ])  # fmt: skip


def _drift_charts(subject: Subject, walked: WalkForward) -> tuple[Chart, ...]:
    grid = subject.outcome.job.space
    winners = [
        (place, window.places) for place, window in enumerate(walked.windows, 1) if window.places
    ]
    if not winners:
        return ()
    charts = []
    for which in varying(grid):
        axis, met = grid.parameters[which], [at[which] for _, at in winners]
        # Numbers at their height; whatever else there is in its place, under its name.
        values = np.array([axis.sort_values[at] for at in met])
        places = [float(place) for place, _ in winners]
        columns = {"x": places, "y": values, "at": [value_text(axis.values[at]) for at in met]}
        tips = (("Window", "@x{0}"), (axis.name, "@at"))
        changes = int(np.count_nonzero(np.diff(values)))
        charts.append(
            Chart(
                name=f"drift-{axis.name}",
                title=axis.name,
                says=(
                    f"{_range_said(axis, met)}; "
                    f"{count(changes, 'change')} between {count(len(values), 'window')}."
                ),
                x=Axis("window", "places", tuple((place, f"{place:g}") for place in places),
                       start=0.5, end=len(walked.windows) + 0.5),
                y=Axis() if axis.are_numbers else _axis_of_names(axis),
                layers=[
                    Layer("line", columns, "muted", style={"dash": "dotted"}),
                    Layer("points", columns, "chosen", tips, {"size": 9}),
                ],
                size="low",
            )
        )  # fmt: skip
    return tuple(charts)


def _axis_of_names(axis: Parameter) -> Axis:
    names = [value_text(value) for value in axis.values]
    return Axis("", "places", ticks(names, 8), start=-0.5, end=len(names) - 0.5)


def _range_said(axis: Parameter, met: Sequence[int]) -> str:
    """Which of its values a parameter had, by their places."""
    values = [axis.values[at] for at in met]
    if axis.are_numbers:
        return (
            f"Between {value_text(min(values))} and {value_text(max(values))} on a grid "
            f"from {value_text(axis.values[0])} to {value_text(axis.values[-1])}"
        )
    known = dict.fromkeys(map(value_text, values))
    return f"{', '.join(known)}, of {', '.join(map(value_text, axis.values))}"


def _matrix(matrix: WalkForwardMatrix) -> Markup:
    heads = ("windows", *(f"{share(part)} out of sample" for part in matrix.shares))
    largest = float(np.nanmax(np.abs(matrix.total_return), initial=1e-12))
    rows: list[Sequence[Content | Cell]] = [
        (
            f"{windows}",
            *(
                _tinted(value, largest, efficiency)
                for value, efficiency in zip(returns, efficiencies, strict=True)
            ),
        )
        for windows, returns, efficiencies in zip(
            matrix.windows, matrix.total_return, matrix.efficiency, strict=True
        )
    ]
    known = matrix.total_return[~np.isnan(matrix.total_return)]
    profitable = int((known > 0).sum())
    return escaped([
        tag("h3", "Walk-forward matrix"),
        paragraph(
            f"Total return out of sample, and efficiency below it, over numbers of windows and "
            f"shares out of sample. {profitable} of {count(len(known), 'variant')} made a profit. "
            "An edge should not hang on how the windows were cut."
        ),
        table(
            heads, rows, caption="Return and efficiency out of sample",
            row_heads=True, class_="tinted",
        ),
    ])  # fmt: skip


def _tinted(value: float, largest: float, efficiency: float) -> Cell:
    shown = (
        percent(value, sign=True),
        tag("br"),
        tag("small", "efficiency ", "n/a" if np.isnan(efficiency) else share(efficiency)),
    )
    return tint(shown, value, largest)
