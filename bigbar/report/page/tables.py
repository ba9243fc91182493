"""The best settings, and every statistic of the chosen one."""

from __future__ import annotations

import pandas as pd

from bigbar.report.answer import full_statistics
from bigbar.report.page.landscape import varying
from bigbar.report.page.looked_at import product_number
from bigbar.report.page.markup import Cell, Content, escaped, paragraph, table, tag
from bigbar.report.page.numbers import sort_value, statistic, value_text
from bigbar.report.page.subject import TOP_SETTINGS, Section, Subject
from bigbar.space import Space

#: Its columns, besides the parameters and the objective.
_SHOWN = (
    "Return [%]", "Sharpe Ratio", "Max. Drawdown [%]", "Profit Factor", "Win Rate [%]", "# Trades",
)  # fmt: skip


def top_section(subject: Subject) -> Section | None:
    """The best settings, to be sorted by any column."""
    outcome = subject.outcome
    if subject.best is None or len(outcome.table) < 2:
        return None
    grid, objective = outcome.job.space, outcome.choice.objective.name
    axes = [grid.parameters[place].name for place in varying(grid)]
    shown = list(dict.fromkeys((objective, *_SHOWN)))
    results = outcome.table.top(outcome.choice, TOP_SETTINGS)
    shared = any(one.sharing > 1 for one in results)
    rows: list[list[Content | Cell]] = []
    badge = tag("span", "chosen", class_="badge")
    for rank, one in enumerate(results, 1):
        statistics = outcome.table.values_of(one.number)
        chosen = outcome.table.same_result(one.number, subject.best)
        rows.append([
            Cell(
                (f"{rank}", badge if chosen else None), rank,
                setting=product_number(grid, one.number),
            ),
            *([Cell(f"{one.sharing:,}", one.sharing)] if shared else []),
            *parameter_cells(grid, one.number),
            *(statistic_cell(name, statistics.get(name)) for name in shown),
        ])  # fmt: skip
    title = f"The best {len(results)} results by {objective}"
    once = ""
    if shared:
        once = (
            " Settings with the very same statistics stand in one row, by the first of them; the "
            "second column says how many there are."
        )
    body = escaped([
        paragraph(
            f"{title}; press the name of a column to sort by it. Neighbours that do as well speak "
            f"for a setting.{once}"
        ),
        table(
            ("rank", *(["settings"] if shared else []), *axes, *shown), rows,
            caption=title, sortable=True,
        ),
    ])  # fmt: skip
    return Section("top", "Best settings", body)


def parameter_cells(grid: Space, number: int) -> list[Cell]:
    """The parameters of a combination that vary."""
    point = grid[number]
    return [
        Cell(value_text(point[axis.name]), axis.sort_values[place])
        for axis, place in zip(grid.parameters, grid.places(number), strict=True)
        if len(axis) > 1
    ]


def statistic_cell(name: str, value: object) -> Cell:
    """A statistic, to be sorted by."""
    return Cell(statistic(name, value, with_unit=False), sort_value(value))


def statistics_section(subject: Subject) -> Section | None:
    """All statistics of the chosen setting, beside the others worth a look."""
    if subject.best is None:
        return None
    columns: list[tuple[str, pd.Series]] = [("chosen", subject.statistics)]
    if subject.holdout is not None:
        columns.append(("unseen days", subject.holdout.unseen))
    plateau = subject.plateau
    if plateau is not None:
        for name, number in (
            ("peak", plateau.peak), ("robust choice", plateau.robust), ("median", plateau.median),
        ):  # fmt: skip
            if number is not None and number != subject.best:
                columns.append((name, full_statistics(subject.outcome, number)))
    names = list(subject.statistics.index)
    rows: list[list[Content | Cell]] = [
        [name, *(statistic(name, held.get(name), with_unit=False) for _, held in columns)]
        for name in names
    ]
    body = escaped([
        paragraph(
            "Names and definitions are those of backtesting.py; "
            "its numbers are met to the last digit that its formulas hold."
        ),
        table(
            ("statistic", *(name for name, _ in columns)), rows,
            caption="All statistics of the chosen setting", row_heads=True, class_="whole",
        ),
    ])  # fmt: skip
    return Section("statistics", "All statistics", body, folded=True)
