"""What the page is about: one run, with what several sections need of it, computed once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from bigbar.engines.find import build_engine
from bigbar.outcome import Outcome
from bigbar.report.answer import full_statistics
from bigbar.report.page.chart import Chart
from bigbar.report.page.landscape import Heatmap, Landscape, heatmaps, landscape_of, varying
from bigbar.report.page.markup import Content, Markup, details, tag
from bigbar.report.page.numbers import value_text
from bigbar.validation.findings import Findings, Holdout, Plateau

#: Rows of the table of the best.
TOP_SETTINGS = 50


@dataclass(frozen=True)
class Section:
    """A part of the page, with its place in the table of contents.

    Attributes
    ----------
    id : str
        What a link points at.
    title : str
    body : Markup
    charts : tuple of Chart
        Those whose places are in the body.
    folded : bool
        Whether only its heading is seen until it is opened.
    """

    id: str
    title: str
    body: Markup
    charts: tuple[Chart, ...] = ()
    folded: bool = False

    def html(self) -> Markup:
        """The section under its heading."""
        heading = f"{self.id}-heading"
        title = tag("h2", self.title, id=heading)
        held: Content = (title, self.body)
        if self.folded:
            held = details(title, self.body, class_="folded")
        return tag("section", held, id=self.id, aria_labelledby=heading)


@dataclass(frozen=True)
class Subject:
    """A run and what was found about it.

    Attributes
    ----------
    outcome : Outcome
        `outcome.best` is the chosen setting.
    findings : Findings or None
        None where the run was not validated.
    receipt : mapping or None
        What a receipt of the run holds, in the order to be shown in.
    remarks : tuple of str
        What is to be known before all else.
    """

    outcome: Outcome
    findings: Findings | None = None
    receipt: Mapping[str, Any] | None = None
    remarks: tuple[str, ...] = ()

    @property
    def best(self) -> int | None:
        """The chosen setting."""
        return self.outcome.best

    @property
    def holdout(self) -> Holdout | None:
        """What it did on the unseen days."""
        return None if self.findings is None else self.findings.holdout

    @property
    def plateau(self) -> Plateau | None:
        """The robust choice beside the peak."""
        return None if self.findings is None else self.findings.plateau

    @cached_property
    def landscape(self) -> Landscape:
        """The objective over the grid."""
        outcome = self.outcome
        return landscape_of(
            outcome.table, outcome.choice, in_sample=outcome.in_sample, reduced=outcome.reduced
        )

    @cached_property
    def maps(self) -> list[Heatmap]:
        """A heatmap for every pair of parameters that vary."""
        return list(heatmaps(self.landscape))

    @cached_property
    def statistics(self) -> pd.Series:
        """Of the chosen setting, as backtesting.py has them; empty where nothing counts."""
        if self.best is None:
            return pd.Series(dtype=object)
        return full_statistics(self.outcome, self.best)

    @cached_property
    def bars(self) -> pd.DataFrame:
        """The bars that take part."""
        return self.outcome.bars.frame.iloc[self.outcome.job.bars]

    @cached_property
    def equity(self) -> pd.Series | None:
        """Equity of the chosen setting on the bars it was chosen on, by the run's own engine."""
        if self.best is None:
            return None
        job = self.outcome.job
        file = job.spec.columns(self.outcome.bars.frame)
        return build_engine(file, job).equity(self.best)

    @property
    def still_open(self) -> bool:
        """Whether a position is open at the last bar: then the closed trades are not all."""
        if self.equity is None or self.outcome.trades is None:
            return False
        closed = self.cash + float(self.outcome.trades["PnL"].sum())
        last = float(self.equity.iloc[-1])
        return last > 0 and not math.isclose(last, closed, rel_tol=1e-9)

    @cached_property
    def whole_equity(self) -> pd.Series | None:
        """The same, followed by the unseen days as if their profit were earned on top."""
        if self.equity is None or self.holdout is None:
            return self.equity
        unseen = self.holdout.equity
        return pd.concat([self.equity, unseen * (self.equity.iloc[-1] / self.cash)])

    def held(self, equity: pd.Series) -> pd.Series:
        """What the cash would have become in the market, from where backtesting.py buys on."""
        close = self.outcome.bars.frame["Close"].iloc[self.outcome.job.first_bar :]
        close = close.iloc[: len(equity)]
        values = close / close.iloc[self.bought_at]
        bought = np.arange(len(close)) >= self.bought_at
        return self.cash * values.where(bought, 1.0)

    @cached_property
    def bought_at(self) -> int:
        """The bar at whose close backtesting.py buys to hold: the first one with all indicators."""
        close = self.bars["Close"].to_numpy(np.float64)
        returned = float(self.statistics["Buy & Hold Return [%]"]) / 100
        found = np.flatnonzero(np.isclose(close, close[-1] / (1 + returned), rtol=1e-9, atol=0))
        return int(found[0]) if len(found) else 0

    @property
    def bought(self) -> str:
        """The same in words."""
        if self.bought_at == 0:
            return "Buying at the first close"
        return "Buying at the first close with all indicators there"

    @property
    def cash(self) -> float:
        """What a run begins with."""
        return self.outcome.job.account.cash

    def setting(self, number: int) -> str:
        """A combination by the parameters that vary; by all where none does."""
        parameters = self.outcome.job.space[number]
        grid = self.outcome.job.space
        names = [grid.parameters[axis].name for axis in varying(grid)] or list(parameters)
        return ", ".join(f"{name} {value_text(parameters[name])}" for name in names)
