"""The best results as a table that fits the terminal: equal ones once, with who shares them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd

from bigbar.outcome import Outcome
from bigbar.space import value_text

#: Columns besides the parameters and the objective. Where there is no room for all of them, they
#: are left out from the last but one on: how many trades there were always stays.
_COLUMNS = ("Return [%]", "Sharpe Ratio", "Max. Drawdown [%]", "Win Rate [%]", "# Trades")

#: A column's name is written in up to so many lines, so that long names fit.
_HEAD_LINES = 3


def standings(outcome: Outcome, count: int, *, width: int) -> str:
    """The best results, a row each.

    Parameters
    ----------
    outcome : Outcome
    count : int
        Rows at most.
    width : int
        Of the terminal, in characters.

    Returns
    -------
    str
        Ends without a line break. Where several combinations have the very same statistics, the
        first of them stands for all, and a last column says how many there are.
    """
    table, choice = outcome.table, outcome.choice
    held = table.top(choice, count)
    # Of a single point the first parameter stands for all.
    axes = [each.name for each in table.space.varying or table.space.parameters[:1]]
    shared = any(one.sharing > 1 for one in held)
    shown = list(dict.fromkeys((choice.objective.name, *_COLUMNS)))
    while True:
        heads = [_head(name) for name in ("#", *axes, *shown, *(["shared by"] if shared else []))]
        rows = [[head[line] for head in heads] for line in range(_HEAD_LINES)]
        for rank, one in enumerate(held, 1):
            parameters, statistics = table.space[one.number], table.statistics(one.number)
            rows.append(
                [str(rank)]
                + [value_text(parameters[name]) for name in axes]
                + [_cell(statistics.get(name, 0.0)) for name in shown]
                + ([f"{one.sharing:,}"] if shared else [])
            )
        lines = _aligned([row for row in rows if any(row)], width)
        extra = [name for name in shown[1:] if name != "# Trades"]
        if len(lines[-1]) <= width or not extra:
            break
        shown.remove(extra[-1])
    title = f"Top {len(held)}"
    if shared:
        title += "; equal results once, with the number of settings that share them"
    return "\n".join([*textwrap.wrap(f"{title}:", width), *lines])


def _aligned(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Cells under each other, two spaces apart, or one where that would be too wide."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    gap = "  " if sum(widths) + 2 * (len(widths) - 1) <= width else " "
    return [
        gap.join(cell.rjust(size) for cell, size in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _head(name: str) -> list[str]:
    """A column's name in lines, the last one at the bottom."""
    mark = " " if " " in name else "_"
    words = name.split(mark)
    words = [word + mark.strip() for word in words[:-1]] + words[-1:]
    while len(words) > _HEAD_LINES:  # The two neighbours that are shortest together.
        place = min(range(len(words) - 1), key=lambda i: len(words[i]) + len(words[i + 1]))
        words[place : place + 2] = [f"{words[place]}{' ' if mark == ' ' else ''}{words[place + 1]}"]
    return [""] * (_HEAD_LINES - len(words)) + words


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "--" if np.isnan(value) else f"{value:,.3f}"
    if isinstance(value, int):
        return f"{value:,}"
    return "--" if pd.isna(value) else str(value)  # type: ignore[call-overload]
