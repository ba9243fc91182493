"""What an optimization on many files found, for use from Python."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from bigbar.batch.common import Common
from bigbar.optimization import Optimization
from bigbar.parameter import setting_text, value_text
from bigbar.report.console import MARKS
from bigbar.report.page.markup import tag
from bigbar.report.page.numbers import statistic
from bigbar.request import Request
from bigbar.units import counted

#: What a notebook shows of each.
_SHOWN = ("Return [%]", "Sharpe Ratio", "Max. Drawdown [%]", "# Trades", "Buy & Hold Return [%]")


class Optimizations(Mapping[str, Optimization]):
    """What was found on each of several files; a mapping of those with a result.

    Attributes
    ----------
    runs : dict of str to Optimization
        The same, as a dictionary: what `bigbar.optimize` returns for each.
    failed : dict of str to Exception
        Why the others have none.
    common : Common or None
        The one setting for all, where that was asked for and two files have a result:
        `.parameters`, `.verdict`, and `.table()` with what it does on each.
    """

    def __init__(self, request: Request) -> None:
        self.runs: dict[str, Optimization] = {}
        self.failed: dict[str, Exception] = {}
        self.common: Common | None = None
        self._request = request

    def __getitem__(self, name: str) -> Optimization:
        return self.runs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.runs)

    def __len__(self) -> int:
        return len(self.runs)

    def __repr__(self) -> str:
        parts = [f"{counted(len(self), 'file')}: {', '.join(self.runs)}"]
        if self.failed:
            parts.append(f"{len(self.failed)} failed: {', '.join(self.failed)}")
        if self.common is not None and self.common.parameters is not None:
            parts.append(f"for all {setting_text(self.common.parameters)}")
        title, objective = self._request.spec.title, self._request.choice.objective.name
        return f"<Optimizations of {title} for {objective} on {'; '.join(parts)}>"

    def table(self) -> pd.DataFrame:
        """The best setting of each file.

        Returns
        -------
        DataFrame
            A row a file, by its name: the parameters, every statistic under backtesting.py's
            name, and the `light` of its verdict ("none" without one).
        """
        rows = {name: self._row(found) for name, found in self.runs.items()}
        table = pd.DataFrame.from_dict(rows, orient="index").infer_objects()
        table.index.name = "file"
        return table

    def _row(self, found: Optimization) -> dict[str, Any]:
        assert found.best_parameters is not None
        assert found.best_statistics is not None
        findings = found.findings
        light = "none" if findings is None else findings.verdict.light
        return {**found.best_parameters, **found.best_statistics, "light": light}

    def heatmap(self, name: str | None = None) -> pd.DataFrame:
        """A statistic over the grid on each file, as `backtesting.lib.MultiBacktest` gives it.

        Parameters
        ----------
        name : str, optional
            By backtesting.py's name; what was optimized, by default.

        Returns
        -------
        DataFrame
            A row a combination, indexed by the parameters; a column a file.
        """
        return pd.DataFrame({one: found.heatmap(name) for one, found in self.runs.items()})

    def _repr_html_(self) -> str:
        """What a notebook shows: a row a file, what failed, and the one setting for all."""
        cell = "text-align:right;padding:.1em .9em .1em 0;border:0"
        first = "text-align:left;padding:.1em .9em .1em 0;border:0"
        axes = self._request.space.varying or self._request.space.parameters
        heads = ["", *(axis.name for axis in axes), *_SHOWN, ""]
        rows = []
        for name, found in self.runs.items():
            row = self._row(found)
            cells = [value_text(row[axis.name]) for axis in axes]
            cells += [statistic(one, row[one], with_unit=False) for one in _SHOWN]
            light = f"{MARKS.get(row['light'], '')} {row['light']}"
            rows.append(tag(
                "tr", tag("th", name, style=first, scope="row"),
                [tag("td", one, style=cell) for one in (*cells, light)],
            ))  # fmt: skip
        title = f"{self._request.spec.title}: the best of each of {counted(len(self), 'file')}"
        parts = [
            tag("div", tag("b", title), f" for {self._request.choice.objective.name}"),
            tag(
                "table", tag("tr", [tag("th", head, style=cell, scope="col") for head in heads]),
                rows, style="margin:.3em 0",
            ),
            [tag("div", f"{name} failed: {problem}") for name, problem in self.failed.items()],
        ]  # fmt: skip
        if self.common is not None and self.common.parameters is not None:
            *lines, headline = self.common.findings.verdict.lines
            parts += [
                tag("div", tag("b", f"For all: {setting_text(self.common.parameters)}")),
                tag("div", tag("b", headline)),
                [tag("div", line) for line in lines],
            ]
        return tag("div", parts, style="max-width:64em;line-height:1.45")
