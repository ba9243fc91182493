"""What the trades come to: long against short, by what they returned, by hour and weekday."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from bigbar.report.page.chart import WHOLE, Axis, Chart, KeyMark, Layer, LegendEntry, Role, Rule
from bigbar.report.page.markup import Content, escaped, table, tag
from bigbar.report.page.numbers import count, number, percent, share

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

#: Bars of the histogram, about.
_BINS = 40

#: How each side is drawn: colour, mark of the legend, line.
_STYLES: dict[str, tuple[Role, KeyMark, str]] = {
    "long": ("chosen", "line", "solid"),
    "short": ("unseen", "dashed", "dashed"),
}

#: Of fewer trades no picture says more than their list.
_LEAST = 3


def trade_figures(trades: pd.DataFrame) -> tuple[Content, tuple[Chart, ...]]:
    """A table by side, and charts of returns and times.

    Parameters
    ----------
    trades : DataFrame
        As backtesting.py lists them, with `long` and `gain`.

    Returns
    -------
    shown : Content
    charts : tuple of Chart
        Those whose places are in it.
    """
    if not len(trades):
        return None, ()
    charts: list[Chart] = []
    if len(trades) >= _LEAST:
        charts = [_sides_chart(trades), _histogram(trades), *_times(trades)]
    shown = (
        _sides_table(trades),
        tag("div", [chart.figure() for chart in charts], class_="charts two") if charts else None,
    )
    return escaped(shown), tuple(charts)


# ------------------------------------------------------------------------------------------ sides


def _sides(trades: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    parts = [("long", trades[trades["long"]]), ("short", trades[~trades["long"]])]
    return [(name, part) for name, part in parts if len(part)]


def _sides_table(trades: pd.DataFrame) -> Content:
    rows = []
    sides = _sides(trades)
    for name, part in [*sides, *([("all", trades)] if len(sides) > 1 else [])]:
        profit, returns = part["PnL"], 100 * part["ReturnPct"]
        lost = -float(profit[profit < 0].sum())
        factor = float(profit[profit > 0].sum()) / lost if lost else math.nan
        rows.append(
            (
                name,
                f"{len(part):,}",
                share(float(part["gain"].mean()), 1),
                number(float(profit.sum()), sign=True),
                number(factor),
                percent(float(returns.mean()), 3, sign=True),
                percent(float(returns.max()), sign=True),
                percent(float(returns.min()), sign=True),
            )
        )
    heads = ("side", "trades", "with a gain", "profit", "profit factor", "mean return", "best",
             "worst")  # fmt: skip
    return (
        tag("h3", "Long against short"),
        table(heads, rows, caption="Trades by side", row_heads=True),
    )


def _sides_chart(trades: pd.DataFrame) -> Chart:
    """What each side has earned so far, trade by trade."""
    layers, keys, ends = [], [], []
    for name, part in _sides(trades):
        role, key, dash = _STYLES[name]
        part = part.sort_values("exit", kind="stable")
        earned = part["PnL"].cumsum().to_numpy(np.float64)
        columns = {
            "x": np.insert(part["exit"].to_numpy(), 0, trades["entry"].min()),
            "y": np.insert(earned, 0, 0.0),
        }
        tips = (("Until", "@x{%F %H:%M}"), (f"Profit, {name}", "@y{0,0.00}"))
        layers.append(Layer("line", columns, role, tips, {"dash": dash, "width": 2}))
        keys.append(LegendEntry(key, role, name))
        ends.append(f"{name} {number(float(earned[-1]), sign=True)}")
    return Chart(
        name="sides",
        title="Profit of each side so far",
        says=f"At the end: {', '.join(ends)}, in money, costs included.",
        x=Axis(kind="time"),
        y=Axis(),
        layers=layers,
        rules=[Rule(0.0, "y", "muted")],
        keys=keys,
        size="low",
    )


# ---------------------------------------------------------------------------------------- returns


def _histogram(trades: pd.DataFrame) -> Chart:
    """Trades by what they returned; zero is an edge, so no bar has gains and losses in it."""
    returns = 100 * trades["ReturnPct"].to_numpy(np.float64)
    low, high = np.quantile(returns, (0.005, 0.995))
    step = _nice_step((max(high, 0.0) - min(low, 0.0)) / _BINS)
    first, last = math.floor(low / step), max(math.ceil(high / step), math.floor(low / step) + 1)
    edges = step * np.arange(min(first, 0), max(last, 0) + 1)
    counts, _ = np.histogram(np.clip(returns, edges[0], edges[-1]), edges)
    digits = max(0, -math.floor(math.log10(step)))
    lost = edges[1:] <= step / 2
    layers = []
    parts: tuple[tuple[Role, np.ndarray], ...] = (("bad", lost), ("good", ~lost))
    for role, which in parts:
        some = which & (counts > 0)
        columns = {
            "left": edges[:-1][some],
            "right": edges[1:][some],
            "y": counts[some],
            "range": [
                f"{number(a, digits)} to {percent(b, digits)}"
                for a, b in zip(edges[:-1][some], edges[1:][some], strict=True)
            ],
        }
        tips = (("Return", "@range"), ("Trades", "@y{0,0}"))
        layers.append(Layer("bars", columns, role, tips))
    middle = float(np.median(returns))
    beyond = int(np.count_nonzero((returns < edges[0]) | (returns > edges[-1])))
    says = (
        f"Half of the trades returned less than {percent(middle, 3, sign=True)}; the best "
        f"{percent(float(returns.max()), sign=True)}, the worst "
        f"{percent(float(returns.min()), sign=True)}."
    )
    if beyond:
        says += f" {count(beyond, 'trade')} beyond the ends {'is' if beyond == 1 else 'are'} in "
        says += "the outermost bars."
    return Chart(
        name="returns",
        title="Trades by return",
        says=says,
        x=Axis("return of a trade in %", start=float(edges[0]), end=float(edges[-1])),
        y=Axis("trades", format=WHOLE, start=0),
        layers=layers,
        keys=[LegendEntry("bar", "good", "gains"), LegendEntry("bar", "bad", "losses")],
        size="low",
    )


def _nice_step(least: float) -> float:
    """1, 2 or 5 times a power of ten, the next above: so marks of the axis meet edges of bars."""
    if not least > 0 or not math.isfinite(least):
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * 0.999)


# ------------------------------------------------------------------------------------------ times


def _times(trades: pd.DataFrame) -> list[Chart]:
    """By hour and by weekday of the entry, as far as these differ."""
    times = pd.DatetimeIndex(trades["EntryTime"])
    charts = []
    if times.hour.nunique() > 1:
        names = [f"{hour}" for hour in range(24)]
        charts.append(_by("hour", "Profit by hour of entry", names, times.hour.to_numpy(), trades))
    if times.day_of_week.nunique() > 1:
        last = max(5, int(times.day_of_week.max()) + 1)
        charts.append(
            _by("weekday", "Profit by weekday of entry", list(_WEEKDAYS[:last]),
                times.day_of_week.to_numpy(), trades)
        )  # fmt: skip
    return charts


def _by(what: str, title: str, names: list[str], at: np.ndarray, trades: pd.DataFrame) -> Chart:
    """Bars of profit, one a name, gains and losses in colours of their own."""
    places = np.arange(len(names))
    profit = np.bincount(at, trades["PnL"].to_numpy(np.float64), len(names))
    counts = np.bincount(at, minlength=len(names))
    gains = np.bincount(at, trades["gain"].to_numpy(np.float64), len(names))
    layers = []
    lost = (profit <= 0) & (counts > 0)
    parts: tuple[tuple[Role, np.ndarray], ...] = (("good", profit > 0), ("bad", lost))
    for role, which in parts:
        columns = {
            "left": places[which] - 0.4,
            "right": places[which] + 0.4,
            "y": profit[which],
            "at": [names[place] for place in places[which]],
            "trades": counts[which],
            "won": [share(gains[place] / counts[place]) for place in places[which]],
        }
        tips = (
            (what.capitalize(), "@at"),
            ("Profit", "@y{0,0.00}"),
            ("Trades", "@trades{0,0}"),
            ("With a gain", "@won"),
        )
        layers.append(Layer("bars", columns, role, tips))
    best, worst = int(profit.argmax()), int(profit.argmin())
    step = 3 if len(names) > 12 else 1
    on, after = ("at", ":00") if what == "hour" else ("on", "")
    says = (
        f"Most was earned {on} {names[best]}{after} ({number(float(profit[best]), sign=True)}, "
        f"{count(int(counts[best]), 'trade')}), least {on} {names[worst]}{after} "
        f"({number(float(profit[worst]), sign=True)}, {count(int(counts[worst]), 'trade')}). "
        f"Of so many {what}s the best and the worst differ by luck alone."
    )
    return Chart(
        name=f"by-{what}",
        title=title,
        says=says,
        x=Axis("", "places", tuple((place, names[place]) for place in range(0, len(names), step)),
               start=-0.6, end=len(names) - 0.4),
        y=Axis("profit"),
        layers=layers,
        rules=[Rule(0.0, "y", "muted", "solid")],
        keys=[LegendEntry("bar", "good", "gain"), LegendEntry("bar", "bad", "loss")],
        size="low",
    )  # fmt: skip
