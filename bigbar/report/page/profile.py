"""The objective along each parameter, over all others."""

from __future__ import annotations

import numpy as np

from bigbar.parameter import Parameter as Values
from bigbar.report.page.chart import Axis, Chart, Layer, LegendEntry, Rule, ticks
from bigbar.report.page.landscape import Landscape, Profile, profiles
from bigbar.report.page.markup import escaped, paragraph, tag
from bigbar.report.page.numbers import amount, count, value_text
from bigbar.report.page.subject import Section, Subject


def profile_section(subject: Subject) -> Section | None:
    """The objective against each parameter."""
    landscape = subject.landscape
    made = tuple(_profile_chart(subject, each) for each in profiles(landscape))
    if not made or not len(landscape.counted):
        return None
    sample = "" if landscape.in_sample is None else ", by the sample that was kept"
    body = escaped([
        paragraph(
            f"{landscape.name} at each value of a parameter, over all values of the others: the "
            f"best, and where the middle half of the combinations lies{sample}. The best tells "
            "what can be had with hindsight, the middle what to expect of a setting picked "
            "blindly.",
            class_="lead",
        ),
        tag("div", [chart.figure() for chart in made], class_="charts two"),
    ])  # fmt: skip
    return Section("parameters", "Parameters", body, made)


def _profile_chart(subject: Subject, profile: Profile) -> Chart:
    axis, landscape = profile.axis, subject.landscape
    names = [value_text(value) for value in axis.values]
    places = np.arange(len(names))
    unit = " " + landscape.unit if landscape.unit not in ("", "$") else ""
    columns = {
        "x": places, "best": profile.best, "y": profile.median, "low": profile.lower,
        "high": profile.upper, "at": names,
    }  # fmt: skip
    tips = (
        (axis.name, "@at"),
        ("Best", "@best{0,0.00}" + unit),
        ("Upper quartile", "@high{0,0.00}" + unit),
        ("Median", "@y{0,0.00}" + unit),
        ("Lower quartile", "@low{0,0.00}" + unit),
    )
    layers = [
        Layer("band", columns, "luck"),
        Layer("line", {"x": places, "y": profile.best}, "chosen", style={"width": 2}),
        Layer("line", columns, "ink", tips, {"dash": "dashed"}),
    ]
    keys = [
        LegendEntry("line", "chosen", "best"),
        LegendEntry("dashed", "ink", "median"),
        LegendEntry("band", "luck", "middle half"),
    ]
    rules = []
    if subject.best is not None:
        place = landscape.places(subject.best)[_number(landscape, axis)]
        rules.append(Rule(float(place), "x", "robust", "dotted"))
        keys.append(LegendEntry("dotted", "robust", f"chosen: {names[place]}"))
    return Chart(
        name=f"profile-{axis.name}",
        title=axis.name,
        says=_profile_says(landscape, profile, names),
        x=Axis("", "places", ticks(names, 8), start=-0.5, end=len(names) - 0.5),
        y=Axis(landscape.name),
        layers=layers,
        rules=rules,
        keys=keys,
        size="low",
    )


def _number(landscape: Landscape, axis: Values) -> int:
    return next(i for i, each in enumerate(landscape.space.parameters) if each.name == axis.name)


def _profile_says(landscape: Landscape, profile: Profile, names: list[str]) -> str:
    if np.isnan(profile.median).all():
        return "No combination counts."
    pick = np.nanargmin if landscape.lower_is_better else np.nanargmax
    best, middle = int(pick(profile.best)), int(pick(profile.median))
    return (
        f"Best at {names[best]} ({amount(float(profile.best[best]), landscape.unit)}); the median "
        f"is best at {names[middle]} ({amount(float(profile.median[middle]), landscape.unit)}) and "
        f"ranges over {count(len(names), 'value')} from "
        f"{amount(float(np.nanmin(profile.median)), landscape.unit)} to "
        f"{amount(float(np.nanmax(profile.median)), landscape.unit)}."
    )
