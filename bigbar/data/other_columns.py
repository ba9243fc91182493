"""A file's columns besides time, prices and volume: an indicator, a signal, a name of a regime.

They are what `pandas.read_csv` makes of them, as in a frame that a trader reads by himself.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bigbar.data.bar_checks import is_identity
from bigbar.data.diagnosis import Columns
from bigbar.data.layout import Dialect
from bigbar.data.names import PRICES
from bigbar.data.quick import EXACT

_TAKEN = frozenset((*PRICES, "Volume"))


def kept_positions(names: Sequence[str], ignored: Iterable[int]) -> dict[int, str]:
    """Which of the columns that are no bars can be had by their names, and the names.

    One without a name cannot, nor the second of a name.
    """
    found: dict[int, str] = {}
    for position in ignored:
        name = names[position]
        if name.strip() and name not in _TAKEN and name not in found.values():
            found[position] = name
    return found


def of_text(data: bytes, dialect: Dialect, columns: Columns) -> dict[str, pd.Series[Any]]:
    """Those columns of a text file, a value a row of `columns`.

    Parameters
    ----------
    data : bytes
        The text, in UTF-8.
    dialect : Dialect
    columns : Columns
        What was read of it.
    """
    positions = kept_positions(dialect.names, dialect.ignored)
    if not positions:
        return {}
    if columns.lines is None:  # All rows that are not blank are bars.
        frame = _read(data[dialect.body_offset :], dialect, len(dialect.names), blanks=False)
    else:
        cells = [columns.others[position] for position in positions]
        frame = _read(_written(zip(*cells, strict=True)), dialect, len(cells), blanks=True)
        frame.columns = pd.Index(list(positions))
    return {name: frame[position] for position, name in positions.items()}


def _read(data: bytes, dialect: Dialect, count: int, *, blanks: bool) -> pd.DataFrame:
    return pd.read_csv(
        io.BytesIO(data),
        header=None,
        names=list(range(count)),
        sep="," if blanks else dialect.delimiter,
        decimal=dialect.decimal,
        skip_blank_lines=not blanks,
        engine="c",
        low_memory=False,
        **EXACT,
    )


def _written(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def beside(
    frame: pd.DataFrame,
    others: Mapping[str, pd.Series[Any]],
    rows: npt.NDArray[np.int64] | None,
) -> pd.DataFrame:
    """The bars with other columns behind the five, of the rows that were kept, or of all."""
    if not others:
        return frame
    taken = {
        name: (column if rows is None else column.take(rows)).array
        for name, column in others.items()
    }
    return pd.concat([frame, pd.DataFrame(taken, index=frame.index)], axis=1)


def notes_with(notes: Sequence[str], names: Iterable[str]) -> list[str]:
    """The notes, in which these columns are not ignored."""
    shown = ", ".join(names)
    if not shown:
        return list(notes)
    kept = [note for note in notes if not note.startswith("ignored column")]
    return [*kept, f"other columns, for the strategy to see: {shown}"]


def may_hold_instruments(name: str, *, seen: bool) -> bool:
    """Whether several texts in a column mean several instruments.

    In one that the strategy sees, only where its name says so: else they are what it is there for.
    """
    return not seen or is_identity(name)
