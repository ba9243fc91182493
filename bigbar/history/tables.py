"""Tables that fit the terminal."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any

#: Between columns.
_GAP = "  "

#: A column is not made narrower than this; what is cut ends with an ellipsis.
_NARROWEST = 6


def terminal_width() -> int:
    """Characters in a line of the terminal; 80 where that is not known."""
    return shutil.get_terminal_size().columns


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: str = "",
    cut: str = "",
    width: int | None = None,
) -> str:
    """Rows under their heads; some columns are cut where the terminal is too narrow.

    Parameters
    ----------
    heads : sequence of str
    rows : sequence of sequence of str
        As many cells as there are heads, each.
    right : str, optional
        For each column "r" to align it right, anything else for left; left where it is too short.
    cut : str, optional
        Heads of the columns to cut first, between spaces; then any, the widest first.
    width : int, optional
        Of the terminal.

    Returns
    -------
    str
        Without a line break at its end.
    """
    lines = [list(heads), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    room = (terminal_width() if width is None else width) - len(_GAP) * (len(heads) - 1)
    for columns in ([heads.index(head) for head in cut.split()], range(len(heads))):
        while sum(widths) > room and columns:
            widest = max(columns, key=widths.__getitem__)
            if widths[widest] <= _NARROWEST:
                break
            widths[widest] -= 1
    sides = right.ljust(len(heads))
    return "\n".join(
        _GAP.join(
            _cut(cell, size).rjust(size) if side == "r" else _cut(cell, size).ljust(size)
            for cell, size, side in zip(line, widths, sides, strict=True)
        ).rstrip()
        for line in lines
    )


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[: size - 1] + "…"


def pairs(facts: Sequence[tuple[str, str]]) -> str:
    """Names and values, aligned."""
    width = max(len(name) for name, _ in facts)
    return "\n".join(f"{name:<{width}}  {value}".rstrip() for name, value in facts)


def value_text(value: Any) -> str:
    """A number with few digits, anything else as it is; `--` for none."""
    if value is None:
        return "--"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e6 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def parameters_text(parameters: dict[str, float] | None) -> str:
    """`22 1.3 0.5 0.3 0.01`: the five parameters in grid order."""
    return "--" if parameters is None else " ".join(f"{value:g}" for value in parameters.values())
