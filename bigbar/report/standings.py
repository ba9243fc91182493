"""The best results as a table that fits the terminal: equal ones once, with who shares them."""

from __future__ import annotations

from bigbar.outcome import Outcome
from bigbar.paragraphs import paragraph
from bigbar.report.columns import COLUMNS, Heads, axes_of, fitted, line_of


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
    shared = any(one.sharing > 1 for one in held)
    title = f"Top {len(held)}"
    if shared:
        title += "; equal results once, with the number of settings that share them"
    shown = list(dict.fromkeys((choice.objective.name, *COLUMNS)))
    heads = Heads("#", axes_of(table), shown, ["shared by"] if shared else [])
    lines = [
        line_of(
            table,
            one.number,
            name=str(rank),
            after=[f"{one.sharing:,}"] if shared else [],
        )
        for rank, one in enumerate(held, 1)
    ]
    return f"{paragraph(f'{title}:', width)}\n{fitted(heads, lines, keep=1, width=width)}"
