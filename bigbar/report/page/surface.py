"""A heatmap of the objective for every pair of parameters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bigbar.parameter import Parameter as Values
from bigbar.report.page.chart import Axis, Chart, Layer, LegendEntry, legend, ticks
from bigbar.report.page.landscape import Heatmap, Landscape, Variant, varying
from bigbar.report.page.looked_at import OWN, of_product
from bigbar.report.page.markup import Content, Markup, escaped, paragraph, tag
from bigbar.report.page.numbers import amount, share, value_text
from bigbar.report.page.plateau import plateau_table
from bigbar.report.page.subject import Section, Subject

Floats = NDArray[np.float64]

VARIANTS: tuple[Variant, ...] = ("mean", "best")

#: The scale of colours of each variant, for all heatmaps.
Ranges = dict[Variant, dict[str, Any]]

#: Cells of so few along an axis are wide enough to hold a mark.
_FEW_CELLS = 20


def heatmap_section(subject: Subject) -> Section | None:
    """Every pair of parameters, with the peak and the robust choice marked."""
    landscape = subject.landscape
    if not len(landscape.counted):
        return None
    maps = subject.maps
    if not maps:
        text = "No heatmap: fewer than two parameters have more than one value in this grid."
        return Section("heatmaps", "Heatmaps", paragraph(text))
    ranges = ranges_of(maps, landscape)
    charts = tuple(heatmap_chart(subject, each, ranges) for each in maps)
    over_others = len(varying(landscape.space)) > 2
    kept = "" if landscape.sums is None else " where its row was kept"
    body = escaped([
        paragraph(
            f"{landscape.name} over each pair of parameters. Broad areas of good cells are worth "
            "more than single ones: a small change of a parameter then changes little. Press a "
            "cell, or go there with the arrow keys and press Enter, for all statistics of its best "
            f"setting{kept}.",
            class_="lead",
        ),
        tag("div", choice_of_variant(over_others), scale(ranges), class_="above"),
        _marks(subject),
        CELL_IN_WORDS,
        tag("div", [chart.figure() for chart in charts], class_="charts"),
        plateau_table(subject),
    ])  # fmt: skip
    return Section("heatmaps", "Heatmaps", body, charts)


#: Where the cell that the keyboard is on is told.
CELL_IN_WORDS = tag("output", class_="cell", aria_live="polite", hidden=True)


def ranges_of(maps: Sequence[Heatmap], landscape: Landscape) -> Ranges:
    """The scales of colours that heatmaps share, one for what the cells can show each."""
    return {name: _range([getattr(each, name) for each in maps], landscape) for name in VARIANTS}


def _range(values: list[Floats], landscape: Landscape) -> dict[str, Any]:
    """The lowest and highest value of all heatmaps: they share the scales of colours."""
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


def choice_of_variant(over_others: bool) -> Content:
    """What each cell shows; None where that is one and the same."""
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


def scale(ranges: Ranges) -> Markup:
    """The colours with their ends, zero in the middle where there are losses and gains."""
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


def heatmap_chart(
    subject: Subject, heatmap: Heatmap, ranges: Ranges, *, settings: str = OWN
) -> Chart:
    """A heatmap of a run; `settings` names its settings on the page."""
    landscape, (x, y) = subject.landscape, (heatmap.x, heatmap.y)
    x_names, y_names = (
        _names(axis, size) for axis, size in zip((x, y), heatmap.group, strict=True)
    )
    numbers = heatmap.numbers.ravel()
    places = np.where(numbers >= 0, of_product(landscape.space, numbers), -1)
    some = places >= 0
    trades = np.zeros(len(numbers))
    trades[some] = subject.outcome.table.column("# Trades")[places[some]]
    # Of the best of a cell whose row was not kept the trades are not known.
    traded = () if landscape.sums is not None else (("Trades", "@trades{0,0}"),)
    cells = Layer(
        "cells",
        {
            "mean": heatmap.mean.ravel(),
            "best": heatmap.best.ravel(),
            "number": numbers,
            "trades": trades.astype(np.int64),
        },
        tooltips=(
            (x.name, "@x_at"),
            (y.name, "@y_at"),
            *_values_said(landscape, heatmap),
            ("With", "@setting"),
            *traded,
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
        extra={"variants": ranges, "names": {"x": x_names, "y": y_names}, "settings": settings},
    )


def _single(landscape: Landscape, heatmap: Heatmap) -> bool:
    """Whether each cell is one combination: its mean is its best."""
    return len(varying(landscape.space)) < 3 and max(heatmap.group) == 1


def _values_said(landscape: Landscape, heatmap: Heatmap) -> tuple[tuple[str, str], ...]:
    unit = " " + landscape.unit if landscape.unit not in ("", "$") else ""
    best = "@best{0,0.00}" + unit
    if _single(landscape, heatmap):
        return ((landscape.name, best),)
    return ((f"Mean {landscape.name}", "@mean{0,0.00}" + unit), ("Best", best))


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
) -> Content:
    """A sentence for what the cells can show each; the browser shows the one that is chosen."""
    if _single(landscape, heatmap):
        return _variant_says(landscape, heatmap, names, "best")
    return [
        tag("span", _variant_says(landscape, heatmap, names, variant), data_variant=variant,
            hidden=variant != VARIANTS[0])
        for variant in VARIANTS
    ]  # fmt: skip


def _variant_says(
    landscape: Landscape, heatmap: Heatmap, names: tuple[list[str], list[str]], variant: Variant
) -> str:
    peak = heatmap.peak(variant, lower_is_better=landscape.lower_is_better)
    if peak is None:
        return "No cell has a value."
    column, row = peak
    values = heatmap.mean if variant == "mean" else heatmap.best
    value = amount(float(values[row, column]), landscape.unit)
    text = (
        f"The {'best mean' if variant == 'mean' else 'best'}, {value}, is at {heatmap.x.name} "
        f"{names[0][column]} and {heatmap.y.name} {names[1][row]}."
    )
    known = values[~np.isnan(values)]
    if known.min() < 0 < known.max():
        average = " on average" if variant == "mean" else ""
        text += f" {share(float((known > 0).mean()))} of the cells are above zero{average}."
    if max(heatmap.group) > 1:
        joined = " by ".join(str(size) for size in heatmap.group)
        text += f" Each cell joins {joined} neighbouring values."
    return text
