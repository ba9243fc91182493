"""What an optimization found, for use from Python."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, overload

import pandas as pd

from bigbar import given
from bigbar.errors import DataError, NothingCounts, SettingsError
from bigbar.interrupts import passed_on
from bigbar.outcome import Outcome
from bigbar.paragraphs import as_arguments
from bigbar.parameter import setting_text
from bigbar.pipeline import validate_later
from bigbar.report.answer import full_statistics, why_nothing
from bigbar.report.files import PAGE, page_path, receipt_of
from bigbar.report.ownership import FROM_PYTHON
from bigbar.report.run_files import RunFiles
from bigbar.report.showing import in_notebook, show_page
from bigbar.results import Pairs
from bigbar.sharing.leftovers import temporary_folder
from bigbar.slices import Failure
from bigbar.units import counted
from bigbar.validation.findings import Findings
from bigbar.validation.plan import Plan
from bigbar.verification.replay import Verification


class Optimization:
    """What an optimization found.

    Parameters
    ----------
    outcome : Outcome
        Of the run.
    engine_reason : str, optional
        Why the engine is another than was asked for.
    later : Plan, optional
        What is to be found out about the result when the findings are first looked at.
    """

    def __init__(
        self, outcome: Outcome, engine_reason: str | None = None, *, later: Plan | None = None
    ) -> None:
        self.outcome = outcome
        #: Why this engine ran it; None where there was nothing to choose.
        self.engine_reason = engine_reason or outcome.engine_reason or None
        self._later = later

    def __repr__(self) -> str:
        best = self.best_parameters
        return (
            f"<Optimization of {self.outcome.job.spec.title} for "
            f"{self.outcome.choice}: {counted(self.outcome.total, 'combination')}, "
            f"{'none counts' if best is None else 'best ' + setting_text(best)}>"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows; nothing is run for it."""
        from bigbar.report.card import card_html  # Only notebooks need it.

        known = None if self._later is not None else self.outcome.findings
        return card_html(self.outcome, known, to_come=self._later is not None)

    def __len__(self) -> int:
        return len(self.outcome.table)

    @property
    def best_parameters(self) -> dict[str, Any] | None:
        """The winning combination; None where none counts."""
        best = self.outcome.best
        return None if best is None else dict(self.outcome.job.space[best])

    @property
    def best_statistics(self) -> pd.Series | None:
        """Its statistics under backtesting.py's names, Start and End included."""
        best = self.outcome.best
        return None if best is None else full_statistics(self.outcome, best)

    @property
    def pareto(self) -> pd.DataFrame | None:
        """Every combination that no other beats by all objectives, the best by the first one first.

        Indexed by the combination: `Place on Front` from 1, equal for those with the same
        objectives, and `Shared By`, how many these are; the parameters, objectives that are
        functions, and every statistic. None of a single objective, or where none counts.
        """
        from bigbar.report.card import FrontTable

        found = self.outcome.pareto
        if found is None:
            return None
        table = FrontTable(found.frame())
        table.parameters = self.outcome.job.space.names
        return table

    @property
    def compromise_parameters(self) -> dict[str, Any] | None:
        """The setting of the Pareto set that is nearest to the best of each objective.

        With each on a scale from its worst to its best in the set. None of a single objective, or
        where none counts.
        """
        found = self.outcome.pareto
        if found is None:
            return None
        return dict(self.outcome.job.space[int(found.points[found.compromise])])

    @property
    def trades(self) -> pd.DataFrame | None:
        """Its closed trades, columns as in backtesting.py's `_trades`."""
        return self.outcome.trades

    @property
    def verification(self) -> Verification | None:
        """How the replays through `backtesting.py` compare; None where there were none."""
        return self.outcome.verification

    @property
    def findings(self) -> Findings | None:
        """What the result is worth; None with `validate=False` and nothing else asked for.

        After `Backtest.optimize` they are found out when first looked at, which starts workers
        again; None as well where no combination counts.

        Raises
        ------
        SettingsError
            If the bars were changed since.
        KeyboardInterrupt
            By Ctrl-C; to be looked at again later.
        """
        if self._later is not None:
            before = len(self.broke_off)
            with passed_on():
                validate_later(self.outcome, self._later)
            self._later = None
            for sentence in self.broke_off[before:]:
                warnings.warn(sentence, RuntimeWarning, stacklevel=2)
        return self.outcome.findings

    @property
    def verdict(self) -> str | None:
        """What the result comes to, in lines of text; None where there are no findings."""
        findings = self.findings
        return None if findings is None else as_arguments(str(findings.verdict))

    @property
    def engine(self) -> str:
        """What ran it."""
        return self.outcome.job.engine

    @property
    def failures(self) -> list[Failure]:
        """Combinations that raised or that their worker did not survive; their rows are NaN."""
        return self.outcome.failures

    @property
    def broke_off(self) -> list[str]:
        """What failed after the sweep, each in a sentence: the result stands without it."""
        return list(self.outcome.broke_off.values())

    @property
    def run(self) -> int | None:
        """Its number in the store; None where it was not kept."""
        return self.outcome.carried.run

    @property
    def result_sha256(self) -> str | None:
        """Digest of every combination's statistics: equal for equal bars, settings and code."""
        return self.outcome.result_sha256

    @property
    def results(self) -> Pairs:
        """Every combination as `(parameters, statistics)`, each pair made when asked for."""
        return Pairs(self.outcome.table)

    @overload
    def report(self, path: str | os.PathLike[str], *, show: bool = False) -> Path: ...

    @overload
    def report(self, path: None = None, *, show: bool = True) -> Path | None: ...

    def report(
        self, path: str | os.PathLike[str] | None = None, *, show: bool | None = None
    ) -> Path | None:
        """The page about it: one file, which needs no network, and is shown.

        Parameters
        ----------
        path : path, optional
            The file (`.html`), or a folder for a `report.html`. By default the page is embedded
            in a notebook, without a file; elsewhere it stands in a new folder `bigbar_report`
            here, or with a number after it where there is one already, or in a temporary one
            where nothing can be written here.
        show : bool, optional
            Whether to show it: embedded in a notebook, where it can touch nothing around it, in
            the browser elsewhere, if there is a screen. By default where no path is given.

        Returns
        -------
        Path or None
            Of the page; None where it has no file.

        Raises
        ------
        NothingCounts
            If no combination counts: there is nothing to show.
        DataError
            If the bars have no dates.
        SettingsError
            If the path is no place for a page.
        bigbar.report.files.OutputError
            If it cannot be written.
        """
        self._check_shown()

        def write(place: Path) -> Path:
            findings = self.findings
            from bigbar.report.page.report import write_report  # It takes a while.

            receipt = receipt_of(self.outcome, ())
            return write_report(place, self.outcome, findings, receipt=receipt)

        return self._show(path, write, show)

    def plot_pareto(
        self, path: str | os.PathLike[str] | None = None, *, show: bool | None = None
    ) -> Path | None:
        """A page of the Pareto set alone: each pair of objectives, and its settings.

        Parameters
        ----------
        path, show : optional
            As of `report`.

        Returns
        -------
        Path or None
            As of `report`.

        Raises
        ------
        SettingsError
            If there is one objective only, or one combination.
        bigbar.errors.BigBarError
            As of `report`.
        """
        self._check_shown()
        if self.outcome.pareto is None or len(self) < 2:
            raise SettingsError(
                "there is no Pareto set: optimize several combinations for several objectives, "
                "such as maximize=['Sharpe Ratio', 'Max. Drawdown [%]']"
            )

        def write(place: Path) -> Path:
            from bigbar.report.page.report import write_front  # It takes a while.

            known = None if self._later is not None else self.outcome.findings
            return write_front(place, self.outcome, known)

        return self._show(path, write, show)

    def _check_shown(self) -> None:
        """Refuse to show what no page can."""
        if self.outcome.best is None:
            raise NothingCounts(why_nothing(self.outcome), self)
        if not isinstance(self.outcome.bars.frame.index, pd.DatetimeIndex):
            raise DataError(
                "the page tells a result by its dates, and the bars have none; give their frame "
                "a DatetimeIndex"
            )

    def _show(
        self,
        path: str | os.PathLike[str] | None,
        write: Callable[[Path], Path],
        show: bool | None,
    ) -> Path | None:
        """Write a page, and show it where that is wanted; see `report`."""
        shown = path is None if show is None else given.flag("show", show)
        if path is not None or not in_notebook():
            page = write(page_path(path))
            if shown:
                show_page(page)
            return page
        with temporary_folder() as folder:
            page = write(folder / PAGE)
            if shown:
                show_page(page)
        return None

    def plot(self, **options: Any) -> Any:
        """Plot the winner: what `Backtest.plot` shows of it, embedded in a notebook.

        Parameters
        ----------
        **options
            Of `backtesting.Backtest.plot`: `filename`, `plot_width`, `resample`, `open_browser`
            and so on.

        Returns
        -------
        bokeh.models.GridPlot
            As `Backtest.plot` returns it.

        Raises
        ------
        NothingCounts
            If no combination counts: there is nothing to plot.
        """
        best = self.outcome.best
        if best is None:
            raise NothingCounts(why_nothing(self.outcome), self)
        from bigbar.engines.reference import BacktestingEngine

        job = self.outcome.job
        engine = BacktestingEngine(job.spec.columns(self.outcome.bars.frame), job)
        stats = engine.stats(best)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Jupyter Notebook detected")  # As is wanted.
            return engine.backtest.plot(results=stats, **options)

    def save(
        self,
        folder: str | os.PathLike[str],
        *,
        csv: bool = False,
        plot: bool = False,
        force: bool = False,
    ) -> list[Path]:
        """Write the files that the command writes, as it writes them.

        `summary.json`, `results.parquet` (a row a combination), `pareto.csv` of several objectives,
        `trades.csv` of the best, `report.html` (of bars with dates) and `receipt.json`. Those of an
        earlier run there are replaced; what this program did not write is not.

        Parameters
        ----------
        folder : path
            Made where there is none.
        csv : bool, optional
            The table as `results.csv` too.
        plot : bool, optional
            `plot.html` and `heatmaps.html` too.
        force : bool, optional
            Write over files that this program did not write.

        Returns
        -------
        list of Path
            The files.

        Raises
        ------
        SettingsError
            If something would be lost: with the files that are in the way.
        bigbar.report.files.OutputError
            If a file cannot be written.
        """
        source = self.outcome.bars.source
        files = RunFiles(
            Path(given.path("folder", folder, "a folder's path")),
            source=source if os.path.isfile(source) else None,
            force=given.flag("force", force),
            csv=given.flag("csv", csv),
            plot=given.flag("plot", plot),
            front=len(self.outcome.choice.objectives) > 1,
            ways=FROM_PYTHON,
        )
        files.check()
        files.check_prices(self.outcome.bars.sha256)
        _ = self.findings  # They are part of what is written.
        delivered, told = files.deliver(self.outcome)
        for sentence in told:
            warnings.warn(sentence, RuntimeWarning, stacklevel=2)
        return delivered

    def table(self) -> pd.DataFrame:
        """A row a combination in grid order: the parameters, then every statistic."""
        return self.outcome.table.frame()

    def heatmap(self, statistic: str | None = None) -> pd.Series:
        """A statistic over the grid, as `Backtest.optimize(return_heatmap=True)` gives it.

        Parameters
        ----------
        statistic : str, optional
            By backtesting.py's name; what was optimized, by default.

        Returns
        -------
        Series
            Indexed by the parameters; NaN where there were no trades.
        """
        return self.outcome.table.heatmap(statistic or self.outcome.choice.objective.name)
