"""Two runs side by side, on one page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from bigbar.report.page.chart import TIME, Axis, Chart, Layer, LegendEntry, Role, legend, seconds
from bigbar.report.page.document import document
from bigbar.report.page.equity import drawdown
from bigbar.report.page.landscape import Heatmap, distribution, heatmap_of, varying
from bigbar.report.page.looked_at import looked_at
from bigbar.report.page.luck import distribution_chart
from bigbar.report.page.markup import Content, definitions, escaped, paragraph, table, tag
from bigbar.report.page.numbers import count, day, percent, statistic
from bigbar.report.page.subject import Section, Subject
from bigbar.report.page.surface import (
    CELL_IN_WORDS,
    choice_of_variant,
    heatmap_chart,
    ranges_of,
    scale,
)
from bigbar.report.page.thinning import telling_points
from bigbar.report.page.verdict import KEY_FIGURES, NOT_VALIDATED, chosen_card, verdict_card

#: How each is drawn: colour, line.
_STYLES: tuple[tuple[Role, str], ...] = (("chosen", "solid"), ("unseen", "dashed"))


@dataclass(frozen=True)
class Side:
    """One of the two runs.

    Attributes
    ----------
    key : str
        Short and unique on the page.
    name : str
        Such as "Run 3".
    subject : Subject
        With a best setting.
    """

    key: str
    name: str
    subject: Subject


@dataclass(frozen=True)
class Differences:
    """What is said of both together.

    Attributes
    ----------
    settings : sequence of (str, str, str)
        What was asked for differently, and its value in either.
    moves : sequence of (str, str)
        How the combinations of both moved: a name, and a sentence.
    """

    settings: Sequence[tuple[str, str, str]]
    moves: Sequence[tuple[str, str]]


def pair_html(sides: tuple[Side, Side], differences: Differences) -> str:
    """The page as text.

    Parameters
    ----------
    sides : tuple of two Side
    differences : Differences
    """
    made = (
        _verdicts(sides),
        _differing(sides, differences),
        _curves(sides),
        _heatmaps(sides),
        _distributions(sides),
        _statistics(sides),
    )
    names = [side.name.lower() for side in sides]
    what = " · ".join(map(_described, sides))
    settings = {side.key: looked_at(side.subject) for side in sides}
    title = f"{sides[0].name} and {names[1]}"
    sections = [section for section in made if section is not None]
    return document(title, title, what, sections, settings)


def _described(side: Side) -> str:
    outcome = side.subject.outcome
    return (
        f"{side.name}: {outcome.job.spec.title} on {Path(outcome.bars.source).name}, "
        f"{count(outcome.total, 'combination')} for {outcome.choice}"
    )


def _beside(sides: tuple[Side, Side], make: Callable[[Side], Content]) -> Content:
    return tag("div", [make(side) for side in sides], class_="charts two")


def _verdicts(sides: tuple[Side, Side]) -> Section:
    def one(side: Side) -> Content:
        subject = side.subject
        findings = subject.findings
        verdict = NOT_VALIDATED if findings is None else findings.verdict
        assert subject.best is not None
        return tag(
            "div",
            tag("h3", side.name),
            [paragraph(tag("strong", "Note: "), text, class_="warning")
             for text in subject.remarks],
            verdict_card(verdict, None),
            chosen_card(subject, subject.best),
            class_="side",
        )  # fmt: skip

    body = escaped([_beside(sides, one), _figures(sides, KEY_FIGURES, "Key figures")])
    return Section("verdict", "Verdicts", body)


def _figures(sides: tuple[Side, Side], names: Sequence[str], caption: str) -> Content:
    rows = [
        (
            name,
            *(
                statistic(name, side.subject.statistics.get(name), with_unit=False)
                for side in sides
            ),
        )
        for name in names
    ]
    heads = ("statistic", *(side.name.lower() for side in sides))
    return table(heads, rows, caption=f"{caption} of the chosen settings", row_heads=True)


def _differing(sides: tuple[Side, Side], differences: Differences) -> Section:
    names = [side.name.lower() for side in sides]
    parts: list[Content] = []
    if differences.settings:
        heads = ("what differs", *names)
        parts.append(
            table(heads, differences.settings, caption="What differs", row_heads=True)
        )  # fmt: skip
    else:
        parts.append(paragraph("Nothing differs in what was asked for."))
    if differences.moves:
        parts.append(tag("div", definitions(differences.moves), class_="card"))
    return Section("differs", "What differs", escaped(parts))


# ----------------------------------------------------------------------------------------- curves


def _curves(sides: tuple[Side, Side]) -> Section:
    charts = (
        _lines(
            sides, "equity", "Return so far", "% of the cash",
            lambda subject, equity: 100 * (equity / subject.cash - 1), "tall",
        ),
        _lines(
            sides, "drawdown", "Drawdown", "% below the high",
            lambda _, equity: drawdown(equity), "low",
        ),
    )  # fmt: skip
    figures = [charts[0].figure(), charts[1].figure(moves=False)]
    return Section("equity", "Equity", escaped(figures), charts)


def _lines(
    sides: tuple[Side, Side],
    name: str,
    title: str,
    label: str,
    values: Callable[[Subject, np.ndarray], np.ndarray],
    size: str,
) -> Chart:
    layers, keys, said = [], [], []
    for side, (role, dash) in zip(sides, _STYLES, strict=True):
        equity = side.subject.equity
        assert equity is not None
        drawn = values(side.subject, equity.to_numpy(np.float64))
        shown = telling_points(drawn)
        times = pd.DatetimeIndex(equity.index[shown])
        tips = (("Time", "@x{%F %H:%M}"), (side.name, "@y{0,0.00} %"))
        style = {"width": 2, "dash": dash}
        layers.append(
            Layer("line", {"x": seconds(times), "y": drawn[shown]}, role, tips, style)
        )  # fmt: skip
        keys.append(LegendEntry("line" if dash == "solid" else "dashed", role, side.name.lower()))
        said.append(
            f"{side.name}: from {percent(float(drawn.min()))} to {percent(float(drawn.max()))}, "
            f"{percent(float(drawn[-1]), sign=True)} at the end ({day(equity.index[-1])})."
        )
    return Chart(
        name=name,
        title=title,
        says=" ".join(said),
        x=Axis(kind="time"),
        y=Axis(label),
        layers=layers,
        keys=keys,
        size="tall" if size == "tall" else "low",
        zoom=True,
        together=TIME,
    )


# --------------------------------------------------------------------------------------- heatmaps


def _heatmaps(sides: tuple[Side, Side]) -> Section | None:
    """The pairs of parameters that both have; one scale of colours for one objective."""
    landscapes = [side.subject.landscape for side in sides]
    chosen = _shared_maps(sides)
    if not chosen[0] or not all(len(one.counted) for one in landscapes):
        return None
    if landscapes[0].name == landscapes[1].name:
        ranges = [ranges_of(list(chain(*chosen)), landscapes[0])] * 2
        scales: Content = scale(ranges[0])
    else:
        ranges = [ranges_of(held, one) for held, one in zip(chosen, landscapes, strict=True)]
        scales = [
            (paragraph(f"{side.name}, {one.name}"), scale(each))
            for side, one, each in zip(sides, landscapes, ranges, strict=True)
        ]
    charts = [
        _named(side, heatmap_chart(side.subject, held[place], own, settings=side.key))
        for place in range(len(chosen[0]))
        for side, held, own in zip(sides, chosen, ranges, strict=True)
    ]
    over_others = any(len(varying(one.space)) > 2 for one in landscapes)
    body = escaped([
        tag("div", choice_of_variant(over_others), scales, class_="above"),
        legend([LegendEntry("peak", "ink", "the best of the run")]),
        CELL_IN_WORDS,
        tag("div", [chart.figure() for chart in charts], class_="charts two"),
    ])  # fmt: skip
    return Section("heatmaps", "Heatmaps", body, tuple(charts))


def _shared_maps(sides: tuple[Side, Side]) -> tuple[list[Heatmap], list[Heatmap]]:
    """Of the pairs of parameters that vary in both, the axes as they are in the first."""
    other = sides[1].subject.landscape
    axes = {other.space.parameters[number].name: number for number in varying(other.space)}
    first = [each for each in sides[0].subject.maps if {each.x.name, each.y.name} <= set(axes)]
    return first, [heatmap_of(other, axes[each.x.name], axes[each.y.name]) for each in first]


def _named(side: Side, chart: Chart) -> Chart:
    return replace(chart, name=f"{side.key}-{chart.name}", title=f"{side.name}: {chart.title}")


def _distributions(sides: tuple[Side, Side]) -> Section | None:
    found = [distribution(side.subject.landscape) for side in sides]
    charts = [
        _named(side, distribution_chart(side.subject, each))
        for side, each in zip(sides, found, strict=True)
        if each is not None
    ]
    if not charts:
        return None
    body = tag("div", [chart.figure() for chart in charts], class_="charts two")
    return Section("luck", "All combinations", body, tuple(charts))


def _statistics(sides: tuple[Side, Side]) -> Section:
    names = list(dict.fromkeys(chain(*(side.subject.statistics.index for side in sides))))
    body = escaped([_figures(sides, names, "All statistics")])
    return Section("statistics", "All statistics", body, folded=True)
