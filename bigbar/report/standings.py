"""The best results as a table that fits the terminal: equal ones once, with who shares them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bigbar.outcome import Outcome
from bigbar.paragraphs import paragraph
from bigbar.printable import one_line
from bigbar.report.console import drawn, wanted_width
from bigbar.results import Standing
from bigbar.space import value_text
from bigbar.units import signs

if TYPE_CHECKING:
    from rich.table import Table

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
    title = f"Top {len(held)}"
    if any(one.sharing > 1 for one in held):
        title += "; equal results once, with the number of settings that share them"
    return f"{paragraph(f'{title}:', width)}\n{drawn(_fitting(outcome, held, width), width)}"


def _fitting(outcome: Outcome, held: Sequence[Standing], width: int) -> Table:
    """The table with the most columns and the fewest lines of heads that fits.

    Where not even the fewest columns do, each row has its parameters in words.
    """
    shown = list(dict.fromkeys((outcome.choice.objective.name, *_COLUMNS)))
    while True:
        for gap in (2, 1):
            for lines in range(1, _HEAD_LINES + 1):
                found = _table(outcome, held, shown, lines=lines, gap=gap)
                if wanted_width(found) <= width:
                    return found
        extra = [name for name in shown[1:] if name != "# Trades"]
        if not extra:
            return _table(outcome, held, shown, lines=_HEAD_LINES, gap=2, in_words=True)
        shown.remove(extra[-1])


def _table(
    outcome: Outcome,
    held: Sequence[Standing],
    shown: Sequence[str],
    *,
    lines: int,
    gap: int,
    in_words: bool = False,
) -> Table:
    from rich.table import Table

    space = outcome.table.space
    # Of a single point the first parameter stands for all.
    axes = [axis.name for axis in space.varying or space.parameters[:1]]
    shared = any(one.sharing > 1 for one in held)
    found = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False)
    heads = ["#", *([] if in_words else axes), *shown, *(["shared by"] if shared else [])]
    for head in heads:
        found.add_column(_head(head, lines), justify="right", no_wrap=True, vertical="bottom")
    if in_words:
        found.add_column("setting")
    for rank, one in enumerate(held, 1):
        point, statistics = space[one.number], outcome.table.statistics(one.number)
        values = {name: one_line(value_text(point[name])) for name in axes}
        found.add_row(
            str(rank),
            *([] if in_words else values.values()),
            *(_cell(statistics.get(name, 0.0)) for name in shown),
            *([f"{one.sharing:,}"] if shared else []),
            *([", ".join("=".join(pair) for pair in values.items())] if in_words else []),
        )
    return found


def _head(name: str, lines: int) -> str:
    """A column's name in so many lines at most."""
    mark = " " if " " in name else "_"
    words = name.split(mark)
    words = [word + mark.strip() for word in words[:-1]] + words[-1:]
    while len(words) > lines:  # The two neighbours that are shortest together.
        place = min(range(len(words) - 1), key=lambda i: len(words[i]) + len(words[i + 1]))
        words[place : place + 2] = [f"{words[place]}{' ' if mark == ' ' else ''}{words[place + 1]}"]
    return "\n".join([""] * (lines - len(words)) + words)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "–" if np.isnan(value) else signs(f"{value:,.3f}")
    if isinstance(value, int):
        return f"{value:,}"
    return "–" if pd.isna(value) else signs(str(value))  # type: ignore[call-overload]
