"""Returns month by month."""

from __future__ import annotations

import numpy as np

from bigbar.report.page.equity import monthly_returns
from bigbar.report.page.markup import Cell, Content, escaped, paragraph, table, tag, tint
from bigbar.report.page.numbers import count, number, percent
from bigbar.report.page.subject import Section, Subject

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def months_section(subject: Subject) -> Section | None:
    """Returns by calendar month."""
    equity = subject.whole_equity
    if equity is None:
        return None
    returns = monthly_returns(equity)
    known = returns.drop(columns="Year").to_numpy().ravel()
    known = known[~np.isnan(known)]
    largest = float(np.abs(known).max())
    first_unseen = None if subject.holdout is None else subject.holdout.split
    rows = []
    for year, row in returns.iterrows():
        cells: list[Content | Cell] = [str(year)]
        for month in range(1, 13):
            value = float(row[month])
            unseen = first_unseen is not None and (int(str(year)), month) >= (
                first_unseen.year, first_unseen.month,
            )  # fmt: skip
            text = number(value, sign=True) + ("°" if unseen and not np.isnan(value) else "")
            cells.append(tint(text if not np.isnan(value) else "", value, largest))
        cells.append(Cell(tag("strong", number(float(row["Year"]), sign=True))))
        rows.append(cells)
    gains, losses = int((known > 0).sum()), int((known < 0).sum())
    text = (
        f"{count(gains, 'month')} with a gain, {losses} with a loss; the best "
        f"{percent(float(known.max()), sign=True)}, the worst "
        f"{percent(float(known.min()), sign=True)}. The first and the last month may be partial."
    )
    if first_unseen is not None:
        text += " ° has unseen days in it."
    body = escaped([
        paragraph(text),
        table(
            ("Return [%]", *_MONTHS, "Year"), rows,
            caption="Returns by calendar month, in per cent",
            row_heads=True, class_="tinted",
        ),
    ])  # fmt: skip
    return Section("months", "Month by month", body)
