"""The Pareto set on the terminal: some of its results, spread evenly, and what luck does."""

from __future__ import annotations

import math

from bigbar.outcome import Outcome
from bigbar.paragraphs import paragraph
from bigbar.pareto import ParetoSet
from bigbar.report.columns import COLUMNS, Heads, Line, axes_of, fitted, line_of
from bigbar.report.figures import held
from bigbar.units import counted
from bigbar.validation.wording import chance_text

#: What the rows of the best by the main objective, and of the compromise, are called.
BEST, COMPROMISE = "best", "compromise"

#: The column of how often luck does as well.
LUCK = "as good by luck"


def front_text(outcome: Outcome, found: ParetoSet, count: int, *, width: int) -> str:
    """The Pareto set: how large it is, and some of its results as a table.

    Parameters
    ----------
    outcome : Outcome
    found : ParetoSet
        Of it.
    count : int
        About so many rows, those named and the best by each objective first.
    width : int
        Of the terminal, in characters.

    Returns
    -------
    str
        Ends without a line break.
    """
    places = found.shown(count)
    parts = (
        paragraph(_lead(outcome, found, len(places)), width),
        _table(outcome, found, places, width),
        paragraph(_names(outcome, found), width),
    )
    return "\n".join(parts)


def _lead(outcome: Outcome, found: ParetoSet, shown: int) -> str:
    results = counted(len(found.starts), "result")
    if len(found) > len(found.starts):
        results += f" ({len(found):,} settings)"
    beats = "in both" if len(found.choice.objectives) == 2 else "in all of them"
    so_far = "" if outcome.complete else " so far"
    some = "" if shown == len(found.starts) else f"; {shown} of these"
    kept = "" if outcome.rule is None else " whose rows were kept"
    return (
        f"Pareto set{so_far} of {counted(outcome.table.reached(), 'combination')}{kept} by "
        f"{found.choice}: {results} that no other beats {beats}{some}:"
    )


def _names(outcome: Outcome, found: ParetoSet) -> str:
    """What the names before the rows mean, and by what luck is told."""
    main, findings = found.choice.objective.name, outcome.findings
    luck = ""
    if findings is not None and findings.pareto_luck and findings.bootstrap is not None:
        luck = f"; {LUCK}: by {findings.bootstrap.statistic}"
    if len(found.starts) == 1:
        return f"{BEST}: by each of them{luck}"
    nearest = f"nearest to the best of {'both' if len(found.choice.objectives) == 2 else 'each'}"
    if found.compromise == 0:
        return f"{BEST}: by {main}, and {nearest}{luck}"
    return f"{BEST}: by {main}; {COMPROMISE}: {nearest}{luck}"


def _table(outcome: Outcome, found: ParetoSet, places: list[int], width: int) -> str:
    table, choice = outcome.table, found.choice
    luck = None if outcome.findings is None else outcome.findings.pareto_luck
    shared = bool((found.sharing[places] > 1).any())
    shown = list(dict.fromkeys((*choice.names, *COLUMNS)))
    after = [*(["shared by"] if shared else []), *([] if luck is None else [LUCK])]
    lines = []
    for place, one in zip(places, found.standings(places), strict=True):
        cells = [f"{one.sharing:,}"] if shared else []
        if luck is not None:
            cells.append(chance_text(luck.get(one.number, math.nan)))
        name = name_of(found, place)
        lines.append(line_of(table, one.number, name=name, after=cells))
    market = held(outcome, int(found.points[0]))
    lines.append(Line("Buy & hold", {}, market, [""] * len(after)))
    heads = Heads("", axes_of(table), shown, after)
    return fitted(heads, lines, keep=len(choice.names), width=width, spare=int(shared))


def name_of(found: ParetoSet, place: int) -> str:
    """What a point of the front is called; most are not."""
    if place == 0:
        return BEST
    return COMPROMISE if place == found.compromise else ""
