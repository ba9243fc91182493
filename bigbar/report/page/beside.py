"""Beside the verdict: the chosen setting against buy and hold, drawn small, and what costs do."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bigbar.report.page.chart import LegendEntry, legend
from bigbar.report.page.markup import Markup, paragraph, tag
from bigbar.report.page.numbers import percent
from bigbar.report.page.subject import Subject
from bigbar.report.page.thinning import spans_tenfold
from bigbar.validation import wording
from bigbar.validation.findings import Findings

#: Points of each line.
_POINTS = 160

#: Of the picture, in units of its own: it is stretched to the width that there is.
_WIDTH, _HEIGHT = 300, 100


def told_beside(findings: Findings | None) -> tuple[str, str]:
    """What the card says of buy and hold, and of costs: it need not be said twice."""
    if findings is None:
        return "", ""
    return wording.holding(findings.buy_and_hold), wording.charged(findings.costs)


def buy_and_hold_card(subject: Subject) -> Markup | None:
    """Both lines, drawn without JavaScript, with their sentences; None where nothing counts."""
    equity = subject.whole_equity
    if equity is None:
        return None
    held = subject.held(equity)
    chosen, buying = (
        percent(100 * (line.iloc[-1] / subject.cash - 1), sign=True) for line in (equity, held)
    )
    holding, charged = told_beside(subject.findings)
    charges = wording.charges_text(subject.outcome.job.account)
    return tag(
        "div",
        tag("h3", "Against buy and hold"),
        _lines(equity, held, f"The chosen setting {chosen}, buy and hold {buying}"),
        legend([
            LegendEntry("line", "chosen", ("chosen setting ", tag("strong", chosen))),
            LegendEntry("dotted", "ink", ("buy and hold ", tag("strong", buying))),
        ]),
        paragraph(holding) if holding else None,
        paragraph(charged or f"Charged: {charges or 'no costs'}."),
        class_="card beside",
    )  # fmt: skip


def _lines(equity: pd.Series, held: pd.Series, says: str) -> Markup:
    values = [line.to_numpy(np.float64) for line in (held, equity)]
    if spans_tenfold(values):
        values = [np.log(line) for line in values]
    low = min(float(np.nanmin(line)) for line in values)
    high = max(float(np.nanmax(line)) for line in values)
    drawn = [
        tag("polyline", points=_polyline(line, low, high), class_=name)
        for line, name in zip(values, ("held", "own"), strict=True)
    ]
    return tag("svg", *drawn, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", preserveAspectRatio="none",
               role="img", aria_label=says, class_="lines")  # fmt: skip


def _polyline(values: np.ndarray, low: float, high: float) -> str:
    """Points of a line, thinned evenly; the last is the last."""
    at = np.unique(np.linspace(0, len(values) - 1, min(len(values), _POINTS)).astype(np.int64))
    across = at / max(len(values) - 1, 1) * _WIDTH
    # A picture needs some room for the width of a line.
    down = 2 + (_HEIGHT - 4) * (high - values[at]) / ((high - low) or 1.0)
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))
