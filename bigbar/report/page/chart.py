"""What a chart shows, in plain values; `assets/charts.js` draws it with BokehJS in the browser.

Making the charts in Python would take seconds (some twenty figures, and the import of Bokeh);
their description takes milliseconds, and the browser can draw it in light and in dark colours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from bigbar.calendar import utc_nanoseconds
from bigbar.report.page.markup import Content, Markup, tag

#: How things are drawn; see `Layer`.
Mark = Literal["line", "band", "area", "bars", "points", "segments", "candles", "cells", "settings"]

#: Colours by what they stand for; the style sheet gives each a light and a dark shade.
Role = Literal["chosen", "unseen", "luck", "robust", "good", "bad", "ink", "muted", "faint", "card"]

#: How things are listed in a legend.
KeyMark = Literal["line", "dashed", "dotted", "band", "bar", "peak", "robust", "up", "down", "ring"]

Scale = Literal["linear", "log", "time", "places"]

#: Format of an axis of whole numbers: nothing between two of them is marked.
WHOLE = "0,0"

#: The charts of the account and of the bars, which are moved and zoomed together.
TIME = "time"

#: Digits that are kept of drawn values: more than a screen shows, or a tooltip says.
_DIGITS = 8


@dataclass(frozen=True)
class Axis:
    """An axis of a chart.

    Attributes
    ----------
    label : str
    kind : {"linear", "log", "time", "places"}
        "places": whole numbers from 0 on, with the names in `ticks`.
    ticks : tuple of (float, str)
        Where the axis is marked, and with what; empty for the usual numbers.
    format : str
        Of its numbers, in the notation of numbro; `WHOLE` for an axis of whole numbers.
    start, end : float or None
        Its ends; None to fit what is drawn.
    """

    label: str = ""
    kind: Scale = "linear"
    ticks: tuple[tuple[float, str], ...] = ()
    format: str = "0,0.[00]"
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True)
class Layer:
    """One thing drawn: a line, a band, bars …

    Attributes
    ----------
    mark : Mark
        line: x, y. band: x, low, high. area: x, y, filled down to 0. bars: left, right, y, up
        from 0. points: x, y. segments: x0, y0, x1, y1. candles: x, open, high, low, close,
        and how many bars of the file each is. cells: x, y, and a value for each variant of the
        chart. settings: points with the number of a setting, that can be pressed.
    columns : mapping of str to sequence or ndarray
        All of one length; whatever tooltips need besides may stand here too.
    color : Role
    tooltips : sequence of (str, str)
        Name and field, such as "@y{0,0.00}", of what is shown when pointed at.
    style : mapping
        `width`, `dash` ("solid", "dashed", "dotted"), `marker`, `size`, `hollow`.
    """

    mark: Mark
    columns: Mapping[str, Any]
    color: Role = "chosen"
    tooltips: Sequence[tuple[str, str]] = ()
    style: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """A straight line across the chart at one value of an axis."""

    at: float
    along: Literal["x", "y"]
    color: Role
    dash: str = "dashed"


@dataclass(frozen=True)
class Shade:
    """A stretch of x with a background of its own; an end of None reaches as far as the chart."""

    start: float | None
    end: float | None
    color: Role


@dataclass(frozen=True)
class LegendEntry:
    """An entry of the legend: how a thing is drawn, and what it is."""

    mark: KeyMark
    color: Role
    text: Content


@dataclass(frozen=True)
class Chart:
    """A chart with all that is said about it.

    Attributes
    ----------
    name : str
        Unique on the page.
    title : str
    says : Content
        What the chart shows, in a sentence with the figures: read by everybody, and all there is
        for those who do not see the chart.
    x, y : Axis
    layers, rules, shades, keys : sequence
        What is drawn, back to front, and the legend.
    size : {"tall", "medium", "low"}
    zoom : bool
        Whether x can be moved and zoomed; y follows.
    together : str
        Charts of the same name here are moved and zoomed together; empty for a chart alone.
    extra : mapping
        Further values for the script, by the chart's own names.
    """

    name: str
    title: str
    says: Content
    x: Axis
    y: Axis
    layers: Sequence[Layer]
    rules: Sequence[Rule] = ()
    shades: Sequence[Shade] = ()
    keys: Sequence[LegendEntry] = ()
    size: Literal["tall", "medium", "low"] = "medium"
    zoom: bool = False
    together: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def figure(
        self, more_controls: Content = None, below: Content = None, *, moves: bool = True
    ) -> Markup:
        """The place of the chart on the page, with its title, legend, controls and sentence.

        Parameters
        ----------
        more_controls : Content, optional
            After the buttons that move and zoom.
        below : Content, optional
            Under the sentence, such as a table of what is drawn.
        moves : bool, optional
            Whether it has buttons of its own, where it can be zoomed: one that goes along with
            another needs none.
        """
        title, says = f"{self.name}-title", f"{self.name}-says"
        return tag(
            "figure",
            tag("h3", self.title, id=title),
            legend(self.keys),
            tag("div", class_=f"plot {self.size}", data_chart=self.name, role="img",
                aria_labelledby=title, aria_describedby=says),
            controls(self.name, self.title, more_controls) if self.zoom and moves else None,
            tag("figcaption", tag("p", self.says, id=says), below),
            class_="chart",
        )  # fmt: skip

    def spec(self) -> dict[str, Any]:
        """The chart as plain values for JSON."""
        return {
            "x": _plain(self.x),
            "y": _plain(self.y),
            "layers": [
                {
                    **_plain(layer),
                    "columns": {name: numbers(held) for name, held in layer.columns.items()},
                }
                for layer in self.layers
            ],
            "rules": [_plain(rule) for rule in self.rules],
            "shades": [_plain(shade) for shade in self.shades],
            "zoom": self.zoom,
            **({"together": self.together} if self.together else {}),
            **self.extra,
        }


def _plain(part: Axis | Layer | Rule | Shade) -> dict[str, Any]:
    """A part's fields, without those that say nothing."""
    held = {name: value for name, value in vars(part).items() if name != "columns"}
    return {name: value for name, value in held.items() if value not in (None, (), {}, "")}


def legend(keys: Iterable[LegendEntry]) -> Markup | None:
    """The legend as a list: shape and words, never colour alone."""
    entries = [
        tag(
            "li",
            tag("span", class_=f"key {key.mark} of-{key.color}", aria_hidden="true"),
            tag("span", key.text),
        )
        for key in keys
    ]
    return tag("ul", *entries, class_="legend") if entries else None


_MOVES = (
    ("earlier", "←", "Earlier"), ("later", "→", "Later"), ("nearer", "+", "Zoom in"),
    ("farther", "−", "Zoom out"), ("all", "All", "All of the time"),
)  # fmt: skip


def controls(name: str, title: str, more: Content = None) -> Markup:
    """Buttons that move and zoom a chart, for keyboard, finger and mouse alike."""
    buttons = [
        tag("button", sign, type="button", data_move=move, aria_label=label, title=label)
        for move, sign, label in _MOVES
    ]
    return tag(
        "div",
        buttons,
        more,
        class_="controls",
        data_controls=name,
        role="group",
        aria_label=f"Move and zoom: {title}",
    )


def seconds(times: pd.DatetimeIndex) -> list[float]:
    """Times as seconds since 1970 UTC, whole numbers where they are."""
    nanoseconds = utc_nanoseconds(times)
    if (nanoseconds % 1_000_000_000 == 0).all():
        return (nanoseconds // 1_000_000_000).tolist()
    return (nanoseconds / 1e9).tolist()


def second(moment: pd.Timestamp) -> float:
    """One time as seconds since 1970 UTC."""
    return seconds(pd.DatetimeIndex([moment]))[0]


def numbers(held: Any) -> list[Any]:
    """An array as JSON can hold it: rounded to what can be seen, nothing for NaN.

    Lists are taken as they are.
    """
    if not isinstance(held, np.ndarray):
        return list(held)
    if held.dtype.kind != "f":
        return list(held.tolist())
    finite = np.isfinite(held)
    largest = float(np.abs(held[finite]).max(initial=0.0))
    decimals = _DIGITS - 1 - int(np.floor(np.log10(largest))) if largest > 0 else 0
    rounded = np.round(held, min(max(decimals, 0), 15))
    if finite.all():
        return list(rounded.tolist())
    return [value if known else None for value, known in zip(rounded.tolist(), finite, strict=True)]


def ticks(names: Sequence[str], most: int = 7) -> tuple[tuple[float, str], ...]:
    """Marks of an axis of places: all, or every second, fifth, tenth … where there are many."""
    steps = (factor * 10**power for power in range(9) for factor in (1, 2, 5))
    step = next(step for step in steps if -(-len(names) // step) <= most)
    return tuple((place, names[place]) for place in range(0, len(names), step))
