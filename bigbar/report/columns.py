"""Tables of combinations that fit the terminal: as many columns, on as few lines, as there is room.

Each row has the parameters that vary and some statistics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bigbar.paragraphs import joined, paragraph
from bigbar.parameter import value_text
from bigbar.printable import one_line
from bigbar.report.console import drawn, wanted_width
from bigbar.report.page.numbers import statistic
from bigbar.results import ResultTable
from bigbar.units import signs

if TYPE_CHECKING:
    from rich.table import Table

#: Columns besides the parameters and what was optimized. Where there is no room for all of them,
#: they are left out from the last but one on: how many trades there were always stays.
COLUMNS = ("Return [%]", "Sharpe Ratio", "Max. Drawdown [%]", "Win Rate [%]", "# Trades")

#: A column's name is written in up to so many lines, so that long names fit.
_HEAD_LINES = 3

#: A column of words is at least so wide.
_WORDS = 24


@dataclass(frozen=True)
class Line:
    """A row.

    Attributes
    ----------
    name : str
        What stands before it.
    point : mapping
        Parameters by name; empty for what is no combination.
    statistics : mapping
        By name.
    after : sequence of str
        What stands behind them.
    """

    name: str
    point: Mapping[str, Any]
    statistics: Mapping[str, Any]
    after: Sequence[str] = ()


@dataclass(frozen=True)
class Heads:
    """What the columns are called.

    Attributes
    ----------
    first : str
    axes, shown : sequence of str
        Parameters and statistics.
    after : sequence of str
        Of the columns behind them.
    """

    first: str
    axes: Sequence[str]
    shown: Sequence[str]
    after: Sequence[str] = ()


def line_of(table: ResultTable, number: int, *, name: str, after: Sequence[str] = ()) -> Line:
    """The row of a combination."""
    return Line(name, table.space[number], table.values_of(number), after)


def axes_of(table: ResultTable) -> list[str]:
    """The parameters that vary; of a single point the first one stands for all."""
    space = table.space
    return [axis.name for axis in space.varying or space.parameters[:1]]


def fitted(heads: Heads, lines: Sequence[Line], *, keep: int, width: int, spare: int = 0) -> str:
    """The table with the most columns and the fewest lines of heads that fits.

    Where not even the fewest columns do, each row has its parameters in words, or is all words.

    Parameters
    ----------
    heads : Heads
    lines : sequence of Line
    keep : int
        The first so many statistics always stay.
    width : int
        Of the terminal, in characters.
    spare : int, optional
        So many of the columns behind, the first ones, may go when nothing else is left to go.
    """
    shown = list(heads.shown)
    while True:
        extra = [name for name in shown[keep:] if name != "# Trades"]
        for left_out in (0, spare) if spare and not extra else (0,):
            few, fewer = _without(heads, lines, left_out)
            for gap in (2, 1):
                for head_lines in range(1, _HEAD_LINES + 1):
                    found = _table(few, fewer, shown, head_lines=head_lines, gap=gap)
                    if wanted_width(found) <= width:
                        return drawn(found, width)
        if not extra:
            return _in_words(heads, lines, shown, width)
        shown.remove(extra[-1])


def _without(heads: Heads, lines: Sequence[Line], count: int) -> tuple[Heads, Sequence[Line]]:
    """Without the first columns behind the statistics."""
    lines = [replace(line, after=line.after[count:]) for line in lines]
    return replace(heads, after=heads.after[count:]), lines


def _in_words(heads: Heads, lines: Sequence[Line], shown: Sequence[str], width: int) -> str:
    bare = replace(heads, axes=())
    found = _table(bare, lines, shown, head_lines=_HEAD_LINES, gap=1)
    if wanted_width(found) + _WORDS <= width:
        found = _table(heads, lines, shown, head_lines=_HEAD_LINES, gap=1, in_words=True)
        return drawn(found, width)
    return "\n".join(paragraph(_said(heads, line, shown), width, indent="  ") for line in lines)


def _said(heads: Heads, line: Line, shown: Sequence[str]) -> str:
    """A row in words."""
    parts = [joined(f"{name} {_cell(line.statistics.get(name))}") for name in shown]
    after = zip(heads.after, line.after, strict=True)
    parts += [joined(f"{name} {cell}") for name, cell in after if cell]
    words = _setting(heads, line)
    return f"{line.name or '–'}: {', '.join([*parts, *([words] if words else [])])}"


def _setting(heads: Heads, line: Line) -> str:
    pairs = (f"{name}={one_line(value_text(line.point[name]))}" for name in heads.axes)
    return ", ".join(pairs) if line.point else ""


def _table(
    heads: Heads,
    lines: Sequence[Line],
    shown: Sequence[str],
    *,
    head_lines: int,
    gap: int,
    in_words: bool = False,
) -> Table:
    from rich.table import Table

    found = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False)
    columns = [heads.first, *([] if in_words else heads.axes), *shown, *heads.after]
    for place, head in enumerate(columns):
        found.add_column(
            _head(head, head_lines),
            justify="left" if place == 0 and not head else "right",
            no_wrap=True,
            vertical="bottom",
        )
    if in_words:
        found.add_column("setting")
    for line in lines:
        values = [
            one_line(value_text(line.point[name])) if line.point else "" for name in heads.axes
        ]
        found.add_row(
            line.name,
            *([] if in_words else values),
            *(_cell(line.statistics.get(name)) for name in shown),
            *line.after,
            *([_setting(heads, line)] if in_words else []),
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
    return statistic("", value)
