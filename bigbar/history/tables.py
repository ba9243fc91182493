"""Tables, facts and paragraphs that fit the terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bigbar.parameter import is_number
from bigbar.printable import one_line

#: Between columns.
_GAP = "  "


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    head : str
    right : bool
        Whether its cells are aligned right, as numbers are.
    least : int
        Where the terminal is too narrow it is cut down to so many characters; 0: never, because
        half a number is a wrong number.
    """

    head: str
    right: bool = False
    least: int = 0


def terminal_width() -> int:
    """Characters in a line of the terminal; 80 where that is not known."""
    return shutil.get_terminal_size().columns


def fits(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether a table fits, once the columns that may be are cut."""
    wanted = _widths(columns, rows)
    least = [
        min(size, column.least) if column.least else size
        for size, column in zip(wanted, columns, strict=True)
    ]
    return sum(least) + len(_GAP) * (len(columns) - 1) <= width


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], *, width: int | None = None
) -> str:
    """Rows under their heads; where they do not fit, each as a block of its own.

    Parameters
    ----------
    columns : sequence of Column
    rows : sequence of sequence of str
        As many cells as there are columns, each.
    width : int, optional
        Of the terminal.

    Returns
    -------
    str
        Without a line break at its end.
    """
    room = terminal_width() if width is None else width
    heads = [column.head for column in columns]
    if not fits(columns, rows, room):
        blocks = [pairs(list(zip(heads, row, strict=True)), width=room) for row in rows]
        return "\n\n".join(blocks)
    widths = _widths(columns, rows)
    while sum(widths) + len(_GAP) * (len(columns) - 1) > room:
        _, widest = max(
            (widths[place], place)
            for place, column in enumerate(columns)
            if column.least and widths[place] > column.least
        )
        widths[widest] -= 1
    lines = (
        _GAP.join(
            _padded(_cut(cell, size), size, right=column.right)
            for cell, size, column in zip(line, widths, columns, strict=True)
        )
        for line in (heads, *rows)
    )
    return "\n".join(line.rstrip() for line in lines)


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    cells = zip([column.head for column in columns], *rows, strict=True)
    return [max(_wide(cell) for cell in column) for column in cells]


def _wide(text: str) -> int:
    """Columns of the terminal that a text takes: two for each character of Chinese or Japanese."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _padded(text: str, size: int, *, right: bool) -> str:
    space = " " * (size - _wide(text))
    return space + text if right else text + space


def _cut(text: str, size: int) -> str:
    """Out of the middle: the end of a path says which file it is."""
    if _wide(text) <= size:
        return text
    tail = _beginning(text[::-1], (size - 1) // 2)[::-1]
    return f"{_beginning(text, size - 1 - _wide(tail))}…{tail}"


def _beginning(text: str, size: int) -> str:
    """As much of a text as fits into so many columns."""
    end = len(text)
    while _wide(text[:end]) > size:
        end -= 1
    return text[:end]


def pairs(facts: Iterable[tuple[str, str]], *, width: int | None = None) -> str:
    """Names and values, aligned; values too long for a line go on in the next one."""
    room = terminal_width() if width is None else width
    known = list(facts)
    size = max(_wide(name) for name, _ in known) + len(_GAP)
    return "\n".join(
        paragraph(value, width=room, first=_padded(name, size, right=False), indent=" " * size)
        for name, value in known
    )


def paragraph(text: str, *, width: int | None = None, first: str = "", indent: str = "") -> str:
    """A text broken between words; `first` stands before its first line, `indent` before others.

    Line breaks in the text are kept.
    """
    room = terminal_width() if width is None else width
    lines: list[str] = []
    for line in text.splitlines() or [""]:
        lines += textwrap.wrap(
            line,
            max(room, len(indent) + 10),
            initial_indent=indent if lines else first,
            subsequent_indent=indent,
            break_on_hyphens=False,
        ) or [indent if lines else first]
    return "\n".join(line.rstrip() for line in lines)


def value_text(value: Any) -> str:
    """A number with few digits, anything else as it is; `--` for none."""
    if value is None or value != value:
        return "--"
    if isinstance(value, float):
        return f"{value:,.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:,.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def parameters_text(parameters: Mapping[str, Any] | None) -> str:
    """`22 1.3 0.5 0.3 0.01`: the parameters' values in grid order."""
    if parameters is None:
        return "--"
    return " ".join(map(_short, parameters.values())) or "as it is"


def parameters_named(parameters: Mapping[str, Any]) -> str:
    """`atr_period 22, k_atr 1.3, …`."""
    return ", ".join(f"{name} {_short(value)}" for name, value in parameters.items()) or "as it is"


def _short(value: Any) -> str:
    return f"{value:g}" if is_number(value) else one_line(str(value))
