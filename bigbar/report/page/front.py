"""The Pareto set: every pair of objectives with its front, and its settings as a table."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bigbar.pareto import ParetoSet
from bigbar.report.front import name_of
from bigbar.report.page.chart import Axis, Chart, Layer, LegendEntry, legend
from bigbar.report.page.cloud import Cloud, clouds, front_shown, values
from bigbar.report.page.landscape import varying
from bigbar.report.page.looked_at import OWN, product_number
from bigbar.report.page.markup import Cell, Content, escaped, paragraph, table, tag
from bigbar.report.page.numbers import amount, count
from bigbar.report.page.subject import TOP_SETTINGS, Section, Subject
from bigbar.report.page.surface import CELL_IN_WORDS
from bigbar.report.page.tables import parameter_cells, statistic_cell
from bigbar.statistics import Better
from bigbar.units import agreeing
from bigbar.validation.wording import STRONG, chance_text

#: Columns of the table besides the parameters and the objectives.
_SHOWN = ("Return [%]", "Sharpe Ratio", "Max. Drawdown [%]", "# Trades")


def front_section(subject: Subject) -> Section | None:
    """What no other combination beats by all objectives; None of a single one."""
    found = subject.outcome.pareto
    if found is None or len(subject.outcome.table) < 2:
        return None
    charts = tuple(_chart(subject, found, cloud) for cloud in clouds(found))
    body = escaped([
        paragraph(_lead(found), class_="lead"),
        paragraph(_of_luck(subject, found)),
        legend(_keys(subject, found)),
        CELL_IN_WORDS,
        tag("div", [chart.figure() for chart in charts],
            class_="charts two" if len(charts) > 1 else "charts"),
        _table(subject, found),
    ])  # fmt: skip
    return Section("pareto", "Pareto set", body, charts)


def _beats(found: ParetoSet) -> str:
    return "in both" if len(found.choice.objectives) == 2 else "in all of them"


def _lead(found: ParetoSet) -> str:
    press = (
        "Press a point, or go along the front with the arrow keys and press Enter, for all "
        "statistics of its setting."
    )
    settings = ""
    if len(found) > len(found.starts):
        settings = f" ({count(len(found), 'setting')})"
    if len(found.starts) == 1:
        return f"One result{settings} is the best by {found.choice}. {press}"
    seeming = ""
    if len(found.choice.objectives) > 2:
        seeming = " What seems to be beaten in one chart is better in another."
    return (
        f"By {found.choice} there is no single best. No other combination beats these "
        f"{count(len(found.starts), 'result')}{settings} {_beats(found)}; whoever takes another "
        f"one gives something away for nothing.{seeming} {press}"
    )


def _of_luck(subject: Subject, found: ParetoSet) -> str:
    """What the verdict says of the set."""
    main = found.choice.objective.name
    text = (
        f"The verdict is about the best by {main}. The others were picked from the same "
        "combinations, so luck had the same chances."
    )
    luck = None if subject.findings is None else subject.findings.pareto_luck
    told = [value for value in (luck or {}).values() if not math.isnan(value)]
    if not told:
        return text
    proven = sum(value <= STRONG for value in told)
    some = "None" if not proven else f"{proven:,}"
    assert subject.findings is not None
    assert subject.findings.bootstrap is not None
    by = subject.findings.bootstrap.statistic
    return (
        f"{text} {some} of {count(len(told), 'result')} that could be tested can be told from it "
        f"(by {by}, luck does as well at most {100 * STRONG:.0f} % of the time)."
    )


def _keys(subject: Subject, found: ParetoSet) -> list[LegendEntry]:
    points = found.points
    keys = [
        LegendEntry("ring", "faint", "combinations, the best of each spot"),
        LegendEntry("ring", "chosen", "the Pareto set"),
        LegendEntry("peak", "ink", f"best by {found.choice.objective.name}: "
                    f"{subject.setting(int(points[0]))}"),
    ]  # fmt: skip
    if found.compromise:
        setting = subject.setting(int(points[found.compromise]))
        keys.append(LegendEntry("robust", "ink", f"compromise: {setting}"))
    return keys


# ----------------------------------------------------------------------------------------- charts


def _chart(subject: Subject, found: ParetoSet, cloud: Cloud) -> Chart:
    names = [found.choice.names[each] for each in (cloud.x, cloud.y)]
    (x, x_unit), (y, y_unit) = (values(found, each) for each in (cloud.x, cloud.y))
    front = front_shown(found)
    layers = [
        Layer(
            "settings",
            _columns(subject, cloud.numbers, x, y) | {"here": cloud.counts},
            "muted",
            style={"size": 5, "alpha": 0.35, "width": 0},
        ),
        *_line(found, cloud, x, y),
        Layer(
            "settings",
            _columns(subject, front, x, y) | _luck(subject, front),
            "chosen",
            style={"size": 9, "outline": "card", "width": 1, "front": True},
        ),
        *_marks(found, x, y),
    ]
    return Chart(
        name=f"pareto-{cloud.x}-{cloud.y}",
        title=f"{names[1]} against {names[0]}",
        says=_says(found, cloud, (x, x_unit), (y, y_unit)),
        x=Axis(_labelled(names[0], x_unit), start=cloud.ends[0][0], end=cloud.ends[0][1]),
        y=Axis(_labelled(names[1], y_unit), start=cloud.ends[1][0], end=cloud.ends[1][1]),
        layers=layers,
        size="tall",
        extra={"settings": OWN, "units": {"x": x_unit, "y": y_unit}},
    )


def _labelled(name: str, unit: str) -> str:
    """With the unit, where the name does not give it."""
    return f"{name} ({unit})" if unit == "days" else name


def _columns(subject: Subject, numbers: Any, x: Any, y: Any) -> dict[str, Any]:
    space = subject.landscape.space
    return {
        "x": x[numbers],
        "y": y[numbers],
        "number": space.in_product(numbers),
        "trades": subject.outcome.table.column("# Trades")[numbers].astype(np.int64),
    }


def _luck(subject: Subject, numbers: Any) -> dict[str, list[str]]:
    luck = None if subject.findings is None else subject.findings.pareto_luck
    if luck is None:
        return {}
    return {"luck": [chance_text(luck.get(number, math.nan)) for number in numbers.tolist()]}


def _line(found: ParetoSet, cloud: Cloud, x: Any, y: Any) -> list[Layer]:
    """The edge of what can be had, of two objectives: in steps, as nothing lies between."""
    if len(found.choice.objectives) != 2:
        return []
    points = found.points[np.isfinite(x[found.points]) & np.isfinite(y[found.points])]
    across, up = x[points], y[points]
    # Between two points stands the worse of either: no more is known to be had there.
    objectives = [found.choice.objectives[each].statistic for each in (cloud.x, cloud.y)]
    corner = [
        (np.maximum if each.better is Better.LOWER else np.minimum)(held[:-1], held[1:])
        for each, held in zip(objectives, (across, up), strict=True)
    ]
    steps = [
        np.insert(held, np.arange(1, len(held)), between)
        for held, between in zip((across, up), corner, strict=True)
    ]
    return [Layer("line", {"x": steps[0], "y": steps[1]}, "chosen", style={"width": 1.5})]


def _marks(found: ParetoSet, x: Any, y: Any) -> list[Layer]:
    layers = []
    if found.compromise:
        number = found.points[found.compromise]
        at = {"x": x[[number]], "y": y[[number]]}
        ring = {"marker": "circle", "size": 20, "hollow": True}
        layers += [
            Layer("points", at, "card", style=ring | {"width": 6}),
            Layer("points", at, "ink", style=ring | {"width": 2.5}),
        ]
    at = {"x": x[found.points[:1]], "y": y[found.points[:1]]}
    peak = {"marker": "diamond", "size": 15, "width": 2, "outline": "card"}
    return [*layers, Layer("points", at, "ink", style=peak)]


def _says(found: ParetoSet, cloud: Cloud, x: tuple[Any, str], y: tuple[Any, str]) -> str:
    names = [found.choice.names[each] for each in (cloud.y, cloud.x)]
    main, points = found.choice.objective.name, found.points

    def at(who: str, number: int) -> str:
        return f"{who}: {' and '.join(amount(float(held[number]), unit) for held, unit in (y, x))}"

    told = [at(f"the best by {main}", int(points[0]))]
    if found.compromise:
        told.append(at("the compromise", int(points[found.compromise])))
    if len(points) > 1 and len(found.choice.objectives) == 2:
        told.append(at(f"the best by {names[1]}", int(points[-1])))
    text = f"{' and '.join(names)} of {'; '.join(told)}"
    beyond = ""
    if cloud.beyond:
        are = agreeing(cloud.beyond, "is", "are")
        beyond = f" {count(cloud.beyond, 'far outlier')} {are} not drawn."
    infinite = int(np.count_nonzero(~np.isfinite(x[0][found.points] + y[0][found.points])))
    if infinite:
        are = agreeing(infinite, "is", "are")
        beyond += f" {count(infinite, 'result')} of the set {are} infinite, and not drawn."
    return f"{text}.{beyond}"


# ------------------------------------------------------------------------------------------ table


def _table(subject: Subject, found: ParetoSet) -> Content:
    outcome, grid = subject.outcome, subject.outcome.job.space
    axes = [grid.parameters[place].name for place in varying(grid)]
    places = found.shown(TOP_SETTINGS)
    shared = bool((found.sharing[places] > 1).any())
    shown = list(dict.fromkeys((*found.choice.names, *_SHOWN)))
    luck = None if subject.findings is None else subject.findings.pareto_luck
    rows: list[list[Content | Cell]] = []
    for place, one in zip(places, found.standings(places), strict=True):
        name = name_of(found, place)
        badge = tag("span", name, class_="badge") if name else None
        held = outcome.table.values_of(one.number)
        rows.append([
            Cell((f"{place + 1}", badge), place, setting=product_number(grid, one.number)),
            *([Cell(f"{one.sharing:,}", one.sharing)] if shared else []),
            *parameter_cells(grid, one.number),
            *(statistic_cell(name, held.get(name)) for name in shown),
            *([] if luck is None else [_luck_cell(luck.get(one.number, math.nan))]),
        ])  # fmt: skip
    some = f"{len(places)} of {count(len(found.starts), 'result')}, spread evenly" if (
        len(places) < len(found.starts)
    ) else "All of it"  # fmt: skip
    heads = ("place", *(["settings"] if shared else []), *axes, *shown,
             *([] if luck is None else ["as good by luck"]))  # fmt: skip
    return (
        paragraph(
            f"{some}; pareto.csv has every setting. The compromise is the one nearest to the best "
            "of each objective, on scales from the worst to the best in the set."
        ),
        table(heads, rows, caption="The Pareto set", sortable=True),
    )


def _luck_cell(value: float) -> Cell:
    return Cell(chance_text(value), value)
