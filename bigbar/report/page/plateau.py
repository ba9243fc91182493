"""The peak of the grid beside the plateau."""

from __future__ import annotations

import numpy as np

from bigbar.report.page.landscape import varying
from bigbar.report.page.markup import Content, paragraph, table, tag
from bigbar.report.page.numbers import amount, share, value_text
from bigbar.report.page.subject import Subject
from bigbar.validation.findings import Plateau


def plateau_table(subject: Subject) -> Content:
    """Both with their neighbours, and the median combination; None where that was not found."""
    plateau = subject.plateau
    if plateau is None:
        return None
    landscape, grid = subject.landscape, subject.outcome.job.space
    axes = [grid.parameters[place].name for place in varying(grid)]
    choices = [
        ("Peak", plateau.peak, plateau.peak_value, plateau.peak_cross_mean,
         plateau.peak_worst_neighbour, plateau.peak_edges),
        ("Robust choice", plateau.robust, plateau.robust_value, plateau.robust_cross_mean,
         plateau.robust_worst_neighbour, plateau.robust_edges),
        ("Median combination", plateau.median, plateau.median_value, np.nan, np.nan, ()),
    ]  # fmt: skip
    rows = [
        (
            name,
            *(value_text(grid[number][axis]) for axis in axes),
            *(amount(value, landscape.unit) for value in values),
            ", ".join(edges) or "no",
        )
        for name, number, *values, edges in choices
        if number is not None
    ]
    return (
        tag("h3", "Peak and plateau"),
        paragraph(_says(plateau)),
        table(
            ("choice", *axes, landscape.name, "mean with neighbours", "worst neighbour",
             "at the grid’s edge"),
            rows,
            caption=f"Peak, robust choice and median combination by {landscape.name}",
            row_heads=True,
        ),
    )  # fmt: skip


def _says(plateau: Plateau) -> str:
    text = (
        f"{share(plateau.profitable_share)} of the combinations that traded made a profit. The "
        "robust choice has the best mean over itself and its neighbours, one step along each "
        "parameter. A plateau helps to choose; it is no evidence of an edge."
    )
    if plateau.peak_edges:
        text += (
            f" The peak is at the edge of the grid ({', '.join(plateau.peak_edges)}): the best "
            "value may lie outside."
        )
    return text
