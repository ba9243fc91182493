"""A heatmap of the objective for every pair of parameters, and the plateau beside the peak."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bigbar.report.page.chart import Axis, Chart, Layer, LegendEntry, legend, ticks
from bigbar.report.page.landscape import Heatmap, Landscape, heatmaps, varying
from bigbar.report.page.markup import Content, Markup, escaped, paragraph, table, tag
from bigbar.report.page.numbers import amount, share, value_text
from bigbar.report.page.subject import Section, Subject
from bigbar.space import Parameter as Values
from bigbar.validation.findings import Plateau

Floats = NDArray[np.float64]

#: What a cell of a heatmap can show, over all parameters that are not on its axes.
VARIANTS = ("mean", "best")

#: Cells of so few along an axis are wide enough to hold a mark.
_FEW_CELLS = 20


def heatmap_section(subject: Subject) -> Section | None:
    """Every pair of parameters, with the peak and the robust choice marked."""
    landscape = subject.landscape
    if not len(landscape.counted):
        return None
    maps = list(heatmaps(landscape))
    if not maps:
        text = "No heatmap: fewer than two parameters have more than one value in this grid."
        return Section("heatmaps", "Heatmaps", paragraph(text))
    ranges = {name: _range([getattr(each, name) for each in maps], landscape) for name in VARIANTS}
    charts = tuple(_heatmap_chart(subject, each, ranges) for each in maps)
    body = escaped([
        paragraph(
            f"{landscape.name} over each pair of parameters. Broad areas of good cells are worth "
            "more than single ones: a small change of a parameter then changes little.",
            class_="lead",
        ),
        _choice_of_variant(len(varying(landscape.space)) > 2),
        _scale(ranges),
        _marks(subject),
        tag("div", [chart.figure() for chart in charts], class_="charts"),
        _plateau_table(subject),
    ])  # fmt: skip
    return Section("heatmaps", "Heatmaps", body, charts)


def _range(values: list[Floats], landscape: Landscape) -> dict[str, Any]:
    """The lowest and highest value of all heatmaps: they share one scale of colours."""
    low = float(min(np.nanmin(each) for each in values))
    high = float(max(np.nanmax(each) for each in values))
    return {
        "low": low,
        # A scale needs a length, even where all values are one.
        "high": high if high > low else low + 1e-9 * max(abs(low), 1.0),
        "from": amount(low, landscape.unit),
        "to": amount(high, landscape.unit),
        "lowerIsBetter": landscape.lower_is_better,
    }


def _choice_of_variant(over_others: bool) -> Content:
    if not over_others:
        return None  # With two parameters nothing is left to take a mean over.
    said = {
        "mean": "the mean over all other parameters",
        "best": "the best over all other parameters",
    }
    return tag(
        "fieldset",
        tag("legend", "Each cell shows"),
        [
            tag("label", tag("input", type="radio", name="cells", value=name,
                             checked=name == "mean"), text)
            for name, text in said.items()
        ],
    )  # fmt: skip


def _scale(ranges: dict[str, dict[str, Any]]) -> Markup:
    return tag(
        "div",
        tag("span", ranges["mean"]["from"], class_="from"),
        tag("span", tag("span", class_="bar"), tag("span", "0", class_="zero", hidden=True),
            class_="between", aria_hidden="true"),
        tag("span", ranges["mean"]["to"], class_="to"),
        class_="scale",
        data_scale=json.dumps(ranges),
    )  # fmt: skip


def _marks(subject: Subject) -> Content:
    keys = [
        LegendEntry("peak", "ink", ["peak: ", _named(subject, peak)])
        for peak in (_peak(subject),)
        if peak is not None
    ]
    plateau = subject.plateau
    if plateau is not None and plateau.robust is not None:
        keys.append(
            LegendEntry("robust", "ink", ["robust choice: ", _named(subject, plateau.robust)])
        )
    return legend(keys)


def _named(subject: Subject, number: int) -> Content:
    landscape = subject.landscape
    return (subject.setting(number), " (", amount(landscape.value(number), landscape.unit), ")")


def _peak(subject: Subject) -> int | None:
    """The best of all by the objective, whichever setting was chosen."""
    if subject.plateau is not None:
        return subject.plateau.peak
    return subject.outcome.table.best(subject.outcome.choice)


def _heatmap_chart(subject: Subject, heatmap: Heatmap, ranges: dict[str, dict[str, Any]]) -> Chart:
    landscape, (x, y) = subject.landscape, (heatmap.x, heatmap.y)
    rows, columns = heatmap.mean.shape
    x_names, y_names = (
        _names(axis, size) for axis, size in zip((x, y), heatmap.group, strict=True)
    )
    place_y, place_x = np.divmod(np.arange(rows * columns), columns)
    unit = " " + landscape.unit if landscape.unit not in ("", "$") else ""
    cells = Layer(
        "cells",
        {
            "x": place_x,
            "y": place_y,
            "mean": heatmap.mean.ravel(),
            "best": heatmap.best.ravel(),
            "x_at": x_names * rows,
            "y_at": [name for name in y_names for _ in range(columns)],
        },
        tooltips=(
            (x.name, "@x_at"),
            (y.name, "@y_at"),
            ("Mean", "@mean{0,0.00}" + unit),
            ("Best", "@best{0,0.00}" + unit),
        ),
    )
    marks = [
        layer
        for number, style in ((_robust(subject), "robust"), (_peak(subject), "peak"))
        if number is not None
        for layer in _mark(landscape, heatmap, number, style)
    ]
    return Chart(
        name=f"heatmap-{x.name}-{y.name}",
        title=f"{x.name} × {y.name}",
        says=_heatmap_says(landscape, heatmap, (x_names, y_names)),
        x=_cell_axis(x.name, x_names, 6),
        y=_cell_axis(y.name, y_names, 8),
        layers=(cells, *marks),
        extra={"variants": ranges},
    )


def _cell_axis(name: str, cells: list[str], most_ticks: int) -> Axis:
    """An axis of cells; where they are narrow it leaves room for a mark at its ends."""
    room = 0.5 + (0.045 * len(cells) if len(cells) > _FEW_CELLS else 0.0)
    return Axis(name, "places", ticks(cells, most_ticks), start=-room, end=len(cells) - 1 + room)


def _robust(subject: Subject) -> int | None:
    return None if subject.plateau is None else subject.plateau.robust


def _names(axis: Values, size: int) -> list[str]:
    """What the cells along an axis stand for: a value, or the first of a group."""
    values = axis.values[::size]
    return [value_text(value) + (" …" if size > 1 else "") for value in values]


def _mark(landscape: Landscape, heatmap: Heatmap, number: int, style: str) -> list[Layer]:
    """A mark with a rim, so that it stands out from any colour of cell."""
    by_name = dict(
        zip(
            (axis.name for axis in landscape.space.parameters),
            landscape.places(number),
            strict=True,
        )
    )
    at = {
        "x": [by_name[heatmap.x.name] // heatmap.group[0]],
        "y": [by_name[heatmap.y.name] // heatmap.group[1]],
    }
    if style == "peak":
        drawn = {"marker": "diamond", "size": 15, "width": 2, "outline": "card"}
        return [Layer("points", at, "ink", style=drawn)]
    ring = {"marker": "circle", "size": 20, "hollow": True}
    return [
        Layer("points", at, "card", style=ring | {"width": 6}),
        Layer("points", at, "ink", style=ring | {"width": 2.5}),
    ]


def _heatmap_says(
    landscape: Landscape, heatmap: Heatmap, names: tuple[list[str], list[str]]
) -> str:
    best = heatmap.peak(lower_is_better=landscape.lower_is_better)
    if best is None:
        return "No cell has a value."
    column, row = best
    value = amount(float(heatmap.mean[row, column]), landscape.unit)
    text = (
        f"The best mean, {value}, is at {heatmap.x.name} {names[0][column]} and "
        f"{heatmap.y.name} {names[1][row]}."
    )
    known = heatmap.mean[~np.isnan(heatmap.mean)]
    if known.min() < 0 < known.max():
        text += f" {share(float((known > 0).mean()))} of the cells are above zero on average."
    if max(heatmap.group) > 1:
        joined = " by ".join(str(size) for size in heatmap.group)
        text += f" Each cell joins {joined} neighbouring values."
    return text


def _plateau_table(subject: Subject) -> Content:
    plateau = subject.plateau
    if plateau is None:
        return None
    landscape, grid = subject.landscape, subject.outcome.job.space
    axes = [grid.parameters[place].name for place in varying(grid)]
    choices = [
        ("Peak", plateau.peak, plateau.peak_value, plateau.peak_cross_mean,
         plateau.peak_worst_neighbour, plateau.peak_edges),
        ("Robust choice", plateau.robust, plateau.robust_value, plateau.robust_cross_mean,
         plateau.robust_worst_neighbour, plateau.robust_edges),
        ("Median combination", plateau.median, plateau.median_value, np.nan, np.nan, ()),
    ]  # fmt: skip
    rows = [
        (
            name,
            *(value_text(grid[number][axis]) for axis in axes),
            *(amount(value, landscape.unit) for value in values),
            ", ".join(edges) or "no",
        )
        for name, number, *values, edges in choices
        if number is not None
    ]
    return (
        tag("h3", "Peak and plateau"),
        paragraph(_plateau_says(plateau)),
        table(
            ("choice", *axes, landscape.name, "mean with neighbours", "worst neighbour",
             "at the grid’s edge"),
            rows,
            caption=f"Peak, robust choice and median combination by {landscape.name}",
            row_heads=True,
        ),
    )  # fmt: skip


def _plateau_says(plateau: Plateau) -> str:
    text = (
        f"{share(plateau.profitable_share)} of the combinations that traded made a profit. The "
        "robust choice has the best mean over itself and its neighbours, one step along each "
        "parameter. A plateau helps to choose; it is no evidence of an edge."
    )
    if plateau.peak_edges:
        text += (
            f" The peak is at the edge of the grid ({', '.join(plateau.peak_edges)}): the best "
            "value may lie outside."
        )
    return text
