"""All statistics of the settings that can be pressed: the best of each cell, and of the table.

They are texts already, as the tables have them: the browser only puts them into a column.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.report.page.cloud import clouds, front_shown
from bigbar.report.page.numbers import duration, numbers, value_text
from bigbar.report.page.subject import TOP_SETTINGS, Subject
from bigbar.space import Space
from bigbar.statistics import STATISTICS, Kind, Statistic

#: What a page of one run calls its settings.
OWN = "own"

Integers = NDArray[np.int64]

#: Settings whose statistics are on the page, the best of the cells. A cell beyond these tells its
#: setting, its objective and its trades only.
MOST_SETTINGS = 5_000


def looked_at(subject: Subject) -> dict[str, Any]:
    """What each setting is, and its statistics.

    Returns
    -------
    dict
        `axes`: name and values of each parameter, in order. `numbers`: settings by their place in
        the whole product, ascending. `names`, `texts`: of each statistic, and a text a setting.
        `chosen`: the chosen setting.
    """
    outcome, space = subject.outcome, subject.landscape.space
    numbers = _settings(subject)
    rows = of_product(space, numbers)
    names, texts = [], []
    objectives = [each.statistic for each in outcome.choice.objectives]
    own = [each for each in objectives if each not in STATISTICS]  # Functions of the trader's.
    for each in (*own, *STATISTICS):
        column = outcome.table.column(each.name)[rows]
        # As in a table of one setting: nothing that there is none of, and no commissions of zero.
        free = each.name == "Commissions [$]" and not column.any()
        if not (free or np.isnan(column).all()):
            names.append(each.name)
            texts.append(_texts(each, column))
    return {
        "axes": [
            {"name": axis.name, "values": list(map(value_text, axis.values))}
            for axis in space.parameters
        ],
        "numbers": numbers.tolist(),
        "names": names,
        "texts": texts,
        "chosen": None if subject.best is None else product_number(space, subject.best),
    }


def _settings(subject: Subject) -> Integers:
    """By their places in the product: the chosen, those of tables, and the best of the cells."""
    outcome, landscape, plateau = subject.outcome, subject.landscape, subject.plateau
    always = [one.number for one in outcome.table.top(outcome.choice, TOP_SETTINGS)]
    marked = () if plateau is None else (plateau.peak, plateau.robust)
    always += [number for number in (subject.best, *marked) if number is not None]
    of_cells = np.unique([number for each in subject.maps for number in each.numbers.flat])
    of_cells = of_cells[of_cells >= 0].astype(np.int64)
    of_cells = of_cells[of_product(landscape.space, of_cells) >= 0]  # Not all rows may be kept.
    if outcome.pareto is not None:
        always += front_shown(outcome.pareto).tolist()
        beside = np.concatenate([each.numbers for each in clouds(outcome.pareto)])
        of_cells = np.union1d(of_cells, landscape.space.in_product(beside))
    values = landscape.values[of_product(landscape.space, of_cells)]
    order = np.argsort(values if landscape.lower_is_better else -values, kind="stable")
    kept = [product_number(landscape.space, number) for number in always]
    return np.union1d(np.array(kept, np.int64), of_cells[order][:MOST_SETTINGS])


def _texts(of: Statistic, column: NDArray[np.float64]) -> list[str]:
    """As the tables of the page have them; what is there often is put into words once."""
    values, at = np.unique(column, return_inverse=True)
    if of.kind is Kind.DURATION:
        spans: Any = pd.to_timedelta(values, unit="ns")
        texts = list(map(duration, spans))
    else:
        texts = numbers(values, 0 if of.kind is Kind.COUNT else 2)
    return [texts[place] for place in at.tolist()]


def product_number(space: Space, number: int) -> int:
    """Where a combination stands in the whole product."""
    return int(space.in_product(np.array(number)))


def of_product(space: Space, numbers: Integers) -> Integers:
    """Which combinations stand at places of the whole product."""
    return space.from_product(numbers)
