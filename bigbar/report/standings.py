"""The best results as a table that fits the terminal: equal ones once, with who shares them."""

from __future__ import annotations

import itertools

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
        first of them stands for all, and a last column says how many there are, unless --keep has
        left out some that could be among them.
    """
    table, choice = outcome.table, outcome.choice
    held = table.top(choice, count)
    if outcome.rule is not None:  # Behind the best that were kept, only some are known.
        before = itertools.accumulate((one.sharing for one in held), initial=0)
        held = [one for one, rows in zip(held, before, strict=False) if rows < outcome.rule.top]
    shared = outcome.rule is None and any(one.sharing > 1 for one in held)
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
