"""Equity and drawdown of the chosen setting, beside luck's band and on the unseen days."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bigbar.report.page.chart import TIME, Axis, Chart, Layer, LegendEntry, Shade, second, seconds
from bigbar.report.page.equity import drawdown
from bigbar.report.page.markup import Content, Markup, escaped, paragraph, table, tag
from bigbar.report.page.numbers import count, day, duration, number, percent, statistic
from bigbar.report.page.subject import Section, Subject
from bigbar.report.page.thinning import spans_tenfold, telling_points
from bigbar.validation.findings import Holdout

#: Compared between the bars that were optimized on and the unseen ones.
COMPARED = (
    "Return [%]", "Return (Ann.) [%]", "Sharpe Ratio", "Sortino Ratio", "Max. Drawdown [%]",
    "Profit Factor", "Win Rate [%]", "# Trades", "Buy & Hold Return [%]",
)  # fmt: skip

NOTHING_HELD_BACK = (
    "Nothing was held back: the setting was chosen on these very bars. ",
    tag("code", "--holdout 0.2"),
    " puts the last fifth away before anything is optimized, and opens it once.",
)

_TIME = "@x{%F %H:%M}"

#: Points of the line of buy and hold at most.
_HELD_POINTS = 300


def curve_section(subject: Subject) -> Section | None:
    """Equity, drawdown and the unseen days; None where nothing counts."""
    equity = subject.whole_equity
    if equity is None:
        return None
    charts = (_equity_chart(subject, equity), _drawdown_chart(subject, equity))
    unseen = _not_opened(subject) if subject.holdout is None else _unseen(subject.holdout)
    figures = charts[0].figure(), charts[1].figure(moves=False)
    body = escaped([_lead(subject, equity), unseen, figures])
    return Section("equity", "Equity", body, charts)


def _lead(subject: Subject, equity: pd.Series) -> Markup:
    seen = subject.equity
    assert seen is not None
    text = (
        f"{number(subject.cash)} became {number(seen.iloc[-1])} on the bars that the setting was "
        f"chosen on: {percent(100 * (seen.iloc[-1] / subject.cash - 1), sign=True)}."
    )
    if subject.holdout is not None:
        unseen = statistic("Return [%]", subject.holdout.unseen["Return [%]"])
        text += f" On the unseen days that followed it returned {unseen}."
    return paragraph(text, class_="lead")


def _points(equity: pd.Series) -> tuple[pd.DatetimeIndex, np.ndarray, np.ndarray]:
    """Times, equity and drawdown of the points that are drawn."""
    values = equity.to_numpy(np.float64)
    below = drawdown(values)
    shown = np.union1d(telling_points(values), telling_points(below))
    return pd.DatetimeIndex(equity.index[shown]), values[shown], below[shown]


def _shades(subject: Subject) -> tuple[Shade, ...]:
    if subject.holdout is None:
        return ()
    return (Shade(second(subject.holdout.split), None, "unseen"),)


def _unseen_key(subject: Subject) -> tuple[LegendEntry, ...]:
    if subject.holdout is None:
        return ()
    return (LegendEntry("band", "unseen", f"unseen days, from {day(subject.holdout.split)}"),)


def _equity_chart(subject: Subject, equity: pd.Series) -> Chart:
    times, values, _ = _points(equity)
    held = subject.held(equity)
    keys = [
        LegendEntry("line", "chosen", "chosen setting"),
        LegendEntry("dotted", "ink", "buy and hold"),
    ]
    layers = []
    if (band := _luck_band(subject)) is not None:
        layers += band
        keys += [
            LegendEntry("band", "luck", "luck’s best setting, 9 times in 10"),
            LegendEntry("dashed", "luck", "luck’s best setting, typically"),
        ]
    tips = (("Time", _TIME), ("Equity", "@y{0,0.00}"), ("Buy and hold", "@held{0,0.00}"))
    columns = {"x": seconds(times), "y": values, "held": held.reindex(times).to_numpy(np.float64)}
    layers += [
        _holding_layer(held),
        Layer("line", columns, tooltips=tips, style={"width": 2}),
    ]
    lowest, highest = int(equity.argmin()), int(equity.argmax())
    says = (
        f"Equity moved between {number(equity.iloc[lowest])} ({day(equity.index[lowest])}) and "
        f"{number(equity.iloc[highest])} ({day(equity.index[highest])}) and ended at "
        f"{number(equity.iloc[-1])}."
    )
    if subject.holdout is not None:
        says += " The unseen days go on from where the others ended."
    says += f" {subject.bought} and holding on ended at {number(held.iloc[-1])}."
    if band is not None and subject.findings is not None:
        luck = subject.findings.luck_band
        assert luck is not None
        ended = luck.iloc[-1]
        says += (
            f" With no edge at all, the best setting of such a grid typically ends at "
            f"{number(ended['typical'])}, and 9 times in 10 between {number(ended['low'])} and "
            f"{number(ended['high'])}."
        )
    names = ("y", "low", "high")
    on_logs = spans_tenfold([
        layer.columns[name] for layer in layers for name in names if name in layer.columns
    ])  # fmt: skip
    if on_logs:
        says += " The scale is logarithmic: equal distances are equal gains in per cent."
    if len(times) < len(equity):
        says += f" Drawn from {len(times):,} of {len(equity):,} points; no extreme is left out."
    return Chart(
        name="equity",
        title="Equity",
        says=says,
        x=Axis(kind="time"),
        y=Axis(kind="log" if on_logs else "linear"),
        layers=layers,
        shades=_shades(subject),
        keys=(*keys, *_unseen_key(subject)),
        size="tall",
        zoom=True,
        together=TIME,
    )


def _holding_layer(held: pd.Series) -> Layer:
    """Dotted, and so of few points: dots along every wiggle of a price are a cloud."""
    values = held.to_numpy(np.float64)
    shown = np.unique(np.linspace(0, len(held) - 1, min(len(held), _HELD_POINTS)).astype(np.int64))
    times = seconds(pd.DatetimeIndex(held.index[shown]))
    style = {"width": 1.5, "dash": "dotted"}
    return Layer("line", {"x": times, "y": values[shown]}, "ink", style=style)


def _luck_band(subject: Subject) -> list[Layer] | None:
    if subject.findings is None or (luck := subject.findings.luck_band) is None:
        return None
    held = {name: luck[name].to_numpy(np.float64) for name in ("low", "typical", "high")}
    if len(luck) > 1:
        shown = telling_points(held["typical"])
        held = {name: values[shown] for name, values in held.items()}
        luck = luck.iloc[shown]
    times = seconds(pd.DatetimeIndex(luck.index))
    return [
        Layer("band", {"x": times, "low": held["low"], "high": held["high"]}, "luck"),
        Layer("line", {"x": times, "y": held["typical"]}, "luck", style={"dash": "dashed"}),
    ]


def _drawdown_chart(subject: Subject, equity: pd.Series) -> Chart:
    times, _, below = _points(equity)
    whole = drawdown(equity.to_numpy(np.float64))
    deepest = int(whole.argmin())
    tips = (("Time", _TIME), ("Below the high", "@y{0.00} %"))
    if whole[deepest] < 0:
        high = int(equity.iloc[: deepest + 1].to_numpy().argmax())
        says = (
            f"At its deepest, on {day(equity.index[deepest])}, equity was "
            f"{percent(-whole[deepest])} below its high of {day(equity.index[high])}. "
            + _time_under_water(equity)
        )
    else:
        says = "Equity was never below an earlier high."
    return Chart(
        name="drawdown",
        title="Drawdown",
        says=says,
        x=Axis(kind="time"),
        y=Axis(format="0.0[00]", label="% below the high", end=0),
        layers=[Layer("area", {"x": seconds(times), "y": below}, "bad", tooltips=tips)],
        shades=_shades(subject),
        keys=(LegendEntry("band", "bad", "below the highest equity so far"), *_unseen_key(subject)),
        size="low",
        zoom=True,
        together=TIME,
    )


def _time_under_water(equity: pd.Series) -> str:
    """The longest stretch without a new high."""
    values = equity.to_numpy(np.float64)
    at_high = np.flatnonzero(values >= np.maximum.accumulate(values))
    ends = np.append(at_high[1:], len(values) - 1)
    waits = equity.index[ends] - equity.index[at_high]
    longest = int(waits.argmax())
    began, lasted = equity.index[at_high[longest]], waits[longest]
    so_far = " so far" if ends[longest] == len(values) - 1 and values[-1] < values.max() else ""
    return f"The longest wait for a new high is {duration(lasted)}{so_far}, from {day(began)}."


def _not_opened(subject: Subject) -> Markup:
    """Why nothing is said about unseen days."""
    stop = subject.outcome.job.stop_bar
    index = subject.outcome.bars.frame.index
    if stop is None or stop == len(index):
        return paragraph(*NOTHING_HELD_BACK)
    return paragraph(
        f"The last {count(len(index) - stop, 'bar')}, from {day(index[stop])} on, were put away "
        "before anything was optimized. This run has not looked at them."
    )


def _unseen(holdout: Holdout) -> Markup:
    """What the setting did on the bars that were put away."""
    times = {1: "once", 2: "twice"}.get(holdout.openings, f"{holdout.openings:,} times")
    warning: Content = None
    if holdout.openings > 1:
        warning = tag("strong", " Each look makes unseen days worth less.")
    rows = [
        (
            name,
            statistic(name, holdout.optimized.get(name), with_unit=False),
            statistic(name, holdout.unseen.get(name), with_unit=False),
        )
        for name in COMPARED
    ]
    return escaped([
        tag("h3", "On the unseen days"),
        paragraph(
            f"The last {count(holdout.unseen_bars, 'bar')}, from {day(holdout.split)} on, were put "
            f"away before anything was optimized. They have been looked at {times} by now.",
            warning,
        ),
        table(
            ("statistic", "optimized on", "unseen"),
            rows,
            caption="The chosen setting on the bars it was chosen on, and on the unseen ones",
            row_heads=True,
        ),
    ])  # fmt: skip
