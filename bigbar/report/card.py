"""What a notebook shows of an optimization: its light, the setting, key figures, the verdict.

Without a style sheet or a script, in the notebook's own colours, light or dark.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.outcome import Outcome
from bigbar.paragraphs import as_arguments
from bigbar.parameter import setting_text, value_text
from bigbar.report.answer import full_statistics, why_nothing
from bigbar.report.page.markup import Markup, tag
from bigbar.report.page.numbers import number, statistic
from bigbar.report.page.verdict import KEY_FIGURES, LIGHTS, label
from bigbar.units import counted
from bigbar.validation.findings import Findings

#: Colours of the lights, to be seen on white and on black.
_COLOURS = {"red": "#d1453b", "amber": "#c98500", "green": "#2e9e57", "none": "#8a8f98"}

_WIDTH, _HEIGHT = 320, 56


def card_html(outcome: Outcome, findings: Findings | None, *, to_come: bool) -> str:
    """An optimization in a few lines of HTML.

    Parameters
    ----------
    outcome : Outcome
    findings : Findings or None
        As far as they are known.
    to_come : bool
        Whether they are found out when they are first looked at.

    Returns
    -------
    str
        An element; text in it is escaped.
    """
    if outcome.best is None:
        return tag("div", _title(outcome, "none"), tag("div", why_nothing(outcome)))
    light = "none" if findings is None else findings.verdict.light
    parts = [
        _title(outcome, light),
        tag("div", tag("b", setting_text(outcome.job.space[outcome.best])), style="margin:.3em 0"),
        _figures(full_statistics(outcome, outcome.best)),
        _front(outcome),
        _sparkline(outcome.trades),
        _verdict(findings, to_come=to_come),
        tag("div", _run(outcome), style="opacity:.7;margin-top:.4em"),
    ]
    return tag("div", parts, style="max-width:56em;line-height:1.45")


class FrontTable(pd.DataFrame):
    """A Pareto set with figures as a notebook shows all of them; what is made of it is a plain one.

    Columns are those of `bigbar.pareto.ParetoSet.frame`.

    Attributes
    ----------
    parameters : tuple of str
        Columns that hold parameters: every digit of these is shown.
    """

    _metadata: ClassVar[list[str]] = ["parameters"]
    parameters: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        options = pd.options.display
        return self.to_html(
            formatters={
                name: value_text
                if name in self.parameters
                else partial(statistic, name, with_unit=False)
                for name in self.columns
            },
            max_rows=options.max_rows,
            max_cols=options.max_columns,
            show_dimensions=True,
        )


def _title(outcome: Outcome, light: str) -> Markup:
    meaning = LIGHTS[light][0] if light in LIGHTS else "not held against luck"
    style = f"color:{_COLOURS[light]};font-size:1.2em"
    dot = tag("span", "●", style=style, title=meaning, role="img", aria_label=meaning)
    objective = outcome.choice.objective.name
    sought = f"best of {counted(outcome.total, 'combination')} for {objective}"
    return tag("div", dot, " ", tag("b", outcome.job.spec.title), f": {sought}")


def _front(outcome: Outcome) -> Markup:
    """Of several objectives how many results no other beats, and the compromise."""
    found = outcome.pareto
    if found is None:
        return Markup()
    compromise = setting_text(outcome.job.space[int(found.points[found.compromise])])
    what = f"Pareto set by {found.choice}: {counted(len(found.starts), 'result')}, compromise "
    return tag("div", what, tag("b", compromise), style="margin:.3em 0")


def _figures(row: pd.Series) -> Markup:
    cell = "text-align:right;padding:.1em .9em .1em 0;border:0"
    heads = [tag("th", label(name), style=cell, scope="col") for name in KEY_FIGURES]
    cells = [tag("td", statistic(name, row[name]), style=cell) for name in KEY_FIGURES]
    return tag("table", tag("tr", heads), tag("tr", cells), style="margin:0")


def _sparkline(trades: pd.DataFrame | None) -> Markup:
    """Profit after each closed trade, from left to right by time."""
    if trades is None or len(trades) < 2:
        return Markup()
    closed = trades.sort_values("ExitBar", kind="stable")
    bars = np.append(closed["EntryBar"].min(), closed["ExitBar"].to_numpy(np.float64))
    profit = np.append(0.0, closed["PnL"].to_numpy(np.float64).cumsum())
    if not np.isfinite(profit).all():
        return Markup()
    zero = _scaled(np.append(profit, 0.0))[-1]
    points = zip(_across(bars), _scaled(profit), strict=True)
    line = tag(
        "polyline", fill="none", stroke="currentColor", stroke_width="1.5",
        points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points),
    )  # fmt: skip
    axis = tag(
        "line", x1=0, x2=_WIDTH, y1=f"{zero:.1f}", y2=f"{zero:.1f}", stroke="currentColor",
        opacity=".25",
    )  # fmt: skip
    end = number(float(profit[-1]), sign=True)
    what = f"Profit after each of {counted(len(trades), 'trade')}, {end} in the end"
    return tag(
        "svg", tag("title", what), axis, line, width=_WIDTH, height=_HEIGHT, role="img",
        aria_label=what, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", style="display:block;margin:.5em 0",
    )  # fmt: skip


def _across(bars: NDArray[np.float64]) -> NDArray[np.float64]:
    return _WIDTH * (bars - bars[0]) / max(float(np.ptp(bars)), 1.0)


def _scaled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places from the top, the highest value at 3 and the lowest at 3 from the bottom."""
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    return 3.0 + (_HEIGHT - 6.0) * (high - values) / max(high - low, 1e-300)


def _verdict(findings: Findings | None, *, to_come: bool) -> Markup:
    if findings is None:
        text = "Not held against luck yet: .verdict does so, and is shown here then."
        return tag("div", text) if to_come else Markup()
    *lines, headline = map(as_arguments, findings.verdict.lines)
    return tag(
        "div",
        tag("div", tag("b", headline), style="margin:.3em 0"),
        [tag("div", line) for line in lines],
    )


def _run(outcome: Outcome) -> str:
    found = outcome.verification
    parts = [outcome.engine_reason] if outcome.engine_reason else []
    if found is not None and found.ok and found.combinations:
        parts.append(f"{counted(found.combinations, 'combination')} equal to backtesting.py")
    if outcome.failures:
        parts.append(f"{counted(outcome.failed, 'combination')} failed")
    if outcome.carried.run is not None:
        parts.append(f"run {outcome.carried.run}")
    return " · ".join(parts)
