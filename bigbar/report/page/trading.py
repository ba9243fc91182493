"""Every trade on the bars it was made on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bigbar.report.page.chart import (
    TIME,
    Axis,
    Chart,
    Layer,
    LegendEntry,
    Role,
    Shade,
    second,
    seconds,
)
from bigbar.report.page.markup import Cell, Content, Markup, details, escaped, table, tag
from bigbar.report.page.numbers import count, minute, number, percent, sort_value
from bigbar.report.page.subject import Section, Subject
from bigbar.report.page.thinning import MOST_BARS, around, join_bars
from bigbar.report.page.trade_figures import trade_figures
from bigbar.units import agreeing

#: Rows of the list of trades on the page; all of them are in trades.csv.
MOST_LISTED = 500

#: Trades marked on the chart; more would cover it.
MOST_MARKED = 3_000

PRICES = ("Open", "High", "Low", "Close")

_PRICE = "0,0.[00000]"

_ENDS = ("EntryBar", "ExitBar")

#: Bars before an entry and after an exit that stay single, however long the file is: what made
#: the strategy trade, and what came of it.
_ROOM = 12


def trades_section(subject: Subject) -> Section | None:
    """Trades on the chart of prices, counted by side, size and hour, and listed."""
    if subject.outcome.trades is None:
        return None
    trades = _as_drawn(subject, subject.outcome.trades)
    chart = _price_chart(subject, trades)
    stepping: list[Content] = []
    if len(trades):
        stepping = [
            tag("button", "‹ Previous trade", type="button", data_step="-1"),
            tag("button", "Next trade ›", type="button", data_step="1"),
        ]
    stepping.append(tag("output", aria_live="polite"))
    shown, figures = trade_figures(trades)
    body = escaped([chart.figure(stepping), shown, _list(trades)])
    return Section("trades", "Trades", body, (chart, *figures))


def _as_drawn(subject: Subject, trades: pd.DataFrame) -> pd.DataFrame:
    """With times in seconds, and which way each went."""
    index: Any = subject.bars.index
    times = np.asarray(seconds(index))
    return trades.assign(
        entry=times[trades["EntryBar"].to_numpy(np.int64)],
        exit=times[trades["ExitBar"].to_numpy(np.int64)],
        long=trades["Size"] > 0,
        gain=trades["PnL"] > 0,
    ).reset_index(drop=True)


def _price_chart(subject: Subject, trades: pd.DataFrame) -> Chart:
    marked = trades.iloc[-MOST_MARKED:]
    bars = _drawn_bars(subject, marked)
    times = seconds(pd.DatetimeIndex(bars.index))
    candles = {
        "x": times,
        **{name.lower(): bars[name].to_numpy(np.float64) for name in PRICES},
        "bars": bars["Bars"].to_numpy(),
    }
    tips = (
        ("Time", "@x{%F %H:%M}"),
        *((name, f"@{name.lower()}{{{_PRICE}}}") for name in PRICES),
        ("High − low", f"@range{{{_PRICE}}}"),
        ("Bars of the file", "@bars{0,0}"),
    )
    layers = [Layer("candles", candles, "faint", tips)]
    layers += _marks(marked[marked["gain"]], "good", "solid")
    layers += _marks(marked[~marked["gain"]], "bad", "dashed")
    shades: tuple[Shade, ...] = ()
    holdout = subject.holdout
    if holdout is not None:
        shades = (Shade(second(holdout.split), None, "unseen"),)
    return Chart(
        name="prices",
        title="Trades on the bars",
        says=_prices_say(subject, trades, marked, bars),
        x=Axis(kind="time"),
        y=Axis(format=_PRICE),
        layers=layers,
        shades=shades,
        keys=[
            LegendEntry("up", "good", "long, gain"),
            LegendEntry("down", "good", "short, gain"),
            LegendEntry("up", "bad", "long, loss"),
            LegendEntry("down", "bad", "short, loss"),
            LegendEntry("line", "good", "to the exit, gain"),
            LegendEntry("dashed", "bad", "to the exit, loss"),
        ],
        size="tall",
        zoom=True,
        together=TIME,
        extra={
            "barTime": float(np.median(np.diff(seconds(_index(subject))))),
            "trades": [
                [row["entry"], row["exit"], _words(number, len(trades), row)]
                for number, row in enumerate(
                    marked.to_dict("records"), 1 + len(trades) - len(marked)
                )
            ],
        },
    )


def _index(subject: Subject) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(subject.outcome.bars.frame.index)


def _drawn_bars(subject: Subject, marked: pd.DataFrame) -> pd.DataFrame:
    """All bars of a short file; of a long one those around trades, the others joined."""
    frame, job = subject.outcome.bars.frame, subject.outcome.job
    whole = frame.iloc[job.first_bar :] if subject.holdout is not None else subject.bars
    first, last = (marked[name].to_numpy(np.int64) - job.first_bar for name in _ENDS)
    near = around(first, last, count=len(whole), room=_ROOM, most=MOST_BARS // 2)
    return join_bars(whole, keep=near)


def _prices_say(
    subject: Subject, trades: pd.DataFrame, marked: pd.DataFrame, bars: pd.DataFrame
) -> str:
    says = (
        f"{count(len(trades), 'trade')} on {count(len(subject.bars), 'bar')}: "
        f"{trades['long'].sum():,} long, {(~trades['long']).sum():,} short; "
        f"{trades['gain'].sum():,} with a gain. "
    )
    if subject.still_open:
        says += "A position is still open at the last bar: in the equity, but not in this list. "
    if len(marked) < len(trades):
        are = agreeing(len(marked), "is", "are")
        says += f"The last {count(len(marked), 'trade')} {are} marked. "
    if subject.holdout is not None:
        says += "Trades on the unseen days are not listed. "
    joined = int(bars["Bars"].max())
    if joined > 1:
        says += (
            f"Away from trades each bar drawn joins {joined} bars of the file, to keep this page "
            "small. "
        )
    return says + "Hollow bars rose, filled ones fell; zoom in until each bar stands alone."


def _marks(trades: pd.DataFrame, role: Role, dash: str) -> list[Layer]:
    """Lines from entry to exit, and triangles at the entries: up for long, down for short."""
    if not len(trades):
        return []
    lines = {
        "x0": trades["entry"].to_numpy(),
        "y0": trades["EntryPrice"].to_numpy(np.float64),
        "x1": trades["exit"].to_numpy(),
        "y1": trades["ExitPrice"].to_numpy(np.float64),
    }
    layers = [Layer("segments", lines, role, style={"dash": dash, "width": 2})]
    for is_long, marker, word in (
        (True, "triangle", "Long"),
        (False, "inverted_triangle", "Short"),
    ):
        some = trades[trades["long"] == is_long]
        if not len(some):
            continue
        columns = {
            "x": some["entry"].to_numpy(),
            "y": some["EntryPrice"].to_numpy(np.float64),
            "exit": [minute(moment) for moment in some["ExitTime"]],
            "out": some["ExitPrice"].to_numpy(np.float64),
            "gain": [percent(100 * value, sign=True) for value in some["ReturnPct"]],
            "size": [f"{abs(value):,}" for value in some["Size"]],
        }
        tips = (
            (word, "@size units"),
            ("Entry", f"@x{{%F %H:%M}} at @y{{{_PRICE}}}"),
            ("Exit", f"@exit at @out{{{_PRICE}}}"),
            ("Return", "@gain"),
        )
        drawn = {"marker": marker, "size": 10, "outline": "card"}
        layers.append(Layer("points", columns, role, tips, drawn))
    return layers


def _words(place: int, total: int, trade: dict[Any, Any]) -> str:
    """One trade in a sentence, for the control that steps through them."""
    return (
        f"Trade {place:,} of {total:,}: {'long' if trade['long'] else 'short'} "
        f"{abs(trade['Size']):,} units, {minute(trade['EntryTime'])} to "
        f"{minute(trade['ExitTime'])}, "
        f"{percent(100 * trade['ReturnPct'], sign=True)}"
    )


def _list(trades: pd.DataFrame) -> Markup:
    shown = trades.iloc[-MOST_LISTED:]
    first = len(trades) - len(shown)
    rows = [
        (
            Cell(f"{place:,}", place),
            Cell("long" if trade["long"] else "short"),
            Cell(minute(trade["EntryTime"]), sort_value(trade["EntryTime"])),
            Cell(minute(trade["ExitTime"]), sort_value(trade["ExitTime"])),
            Cell(f"{abs(trade['Size']):,}", abs(trade["Size"])),
            Cell(number(trade["EntryPrice"], 5), trade["EntryPrice"]),
            Cell(number(trade["ExitPrice"], 5), trade["ExitPrice"]),
            Cell(number(trade["PnL"], sign=True), trade["PnL"]),
            Cell(percent(100 * trade["ReturnPct"], sign=True), trade["ReturnPct"]),
        )
        for place, trade in enumerate(shown.to_dict("records"), first + 1)
    ]  # fmt: skip
    which = f"The last {len(shown):,} of {len(trades):,} trades" if first else "All trades"
    heads = ("#", "side", "entry", "exit", "units", "entry price", "exit price", "profit", "return")
    return details(
        f"{which} as a table", table(heads, rows, caption=f"{which} as a table", sortable=True)
    )
