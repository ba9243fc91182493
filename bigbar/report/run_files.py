"""The files of a run in its folder: which there are, and how they are written together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from bigbar.outcome import Outcome
from bigbar.report.delivery import Delivered, Delivery
from bigbar.report.files import (
    CSV_EXPORT,
    HEATMAPS,
    PAGE,
    PARETO,
    PLOT,
    RESULTS,
    SUMMARY,
    TRADES,
    OutputError,
    prepare_folder,
    receipt_of,
    write_csv,
    write_pareto,
    write_results,
    write_summary,
    write_trades,
)
from bigbar.report.ownership import (
    BY_COMMAND,
    Ways,
    check_folder,
    place_of,
    refuse_to_lose_prices,
)
from bigbar.store.receipt import RECEIPT

#: What the page and the plots are called where they break off: then they are not written.
PAGE_PART, PLOTS_PART = "the report page", "drawing the plots"

#: What is timed of the writing.
_STAGES = ("write_s", "page_s", "plot_s")


@dataclass(frozen=True)
class RunFiles:
    """What is to be written of a run, and where.

    Attributes
    ----------
    folder : Path
    source : object
        The price file, which is never removed or replaced: a path, `-`, or what was open.
    force : bool
        Whether files that this program did not write may be replaced.
    csv, plot : bool
        Whether the table is written as text too, and whether the plots are drawn.
    command : tuple of str
        What began the run, for its receipt.
    front : bool
        Whether there are several objectives, and so a Pareto set.
    ways : Ways
        What to say is to be done about a folder that cannot be used.
    """

    folder: Path
    source: object = None
    force: bool = False
    csv: bool = False
    plot: bool = False
    command: tuple[str, ...] = ()
    front: bool = False
    ways: Ways = BY_COMMAND

    @property
    def names(self) -> list[str]:
        """Of the files that may be written."""
        names = [SUMMARY, RESULTS, TRADES, PAGE, RECEIPT]
        names += [PARETO] if self.front else []
        names += [CSV_EXPORT] if self.csv else []
        return names + ([PLOT, HEATMAPS] if self.plot else [])

    def check(self) -> None:
        """Refuse a folder where something would be lost.

        Raises
        ------
        SettingsError
            With every file that is in the way.
        """
        place = place_of(self.source)
        check_folder(self.folder, self.names, place, force=self.force, ways=self.ways)

    def check_prices(self, sha256: str) -> None:
        """Refuse to write over the prices, known by their digest.

        Raises
        ------
        SettingsError
            If a file that may be written has it.
        """
        for name in self.names:
            refuse_to_lose_prices(self.folder / name, {sha256}, advice=self.ways.other)

    def deliver(self, outcome: Outcome) -> tuple[list[Path], list[str]]:
        """Make the folder, and write all files into it.

        Returns
        -------
        files : list of Path
        told : list of str
            What is not as asked.

        Raises
        ------
        OutputError
            If one cannot be written.
        """
        prepare_folder(self.folder, ways=self.ways)
        told: list[str] = []
        delivered = self.write(outcome, told.append)
        if delivered.problem is not None:
            raise delivered.problem
        return delivered.files, told

    def write(self, outcome: Outcome, tell: Callable[[str], Any]) -> Delivered:
        """Write all files, as far as they can be, and put them in place together.

        Parameters
        ----------
        outcome : Outcome
        tell : callable
            Is told what is not as asked.
        """
        receipt = receipt_of(outcome, self.command)
        for stage in _STAGES:  # It may have been written before.
            outcome.timings.pop(stage, None)
        for part in (PAGE_PART, PLOTS_PART):
            outcome.broke_off.pop(part, None)
        with Delivery(
            self.folder, source=self.source, force=self.force, ways=self.ways
        ) as delivery:
            unwritten: OutputError | None = None
            try:
                self._write_aside(outcome, delivery, receipt, tell)
            except OutputError as problem:
                unwritten = problem
            # Untimed: the summary is written by now.
            delivered = delivery.put_in_place(receipt, whole=unwritten is None)
        for note in delivered.notes:
            tell(note)
        return delivered if unwritten is None else replace(delivered, problem=unwritten)

    def _write_aside(
        self,
        outcome: Outcome,
        delivery: Delivery,
        receipt: dict[str, Any],
        tell: Callable[[str], Any],
    ) -> None:
        """Write the files; the summary last, because it tells of the others."""
        with outcome.timed("write_s"):
            written = self._write_tables(outcome, delivery)
        written += self._write_pages(outcome, delivery, receipt, tell)
        outcome.written_bytes = written
        if outcome.execution.files is not None:
            outcome.written_bytes += outcome.execution.files.store_bytes() - outcome.kept_bytes
        delivery.add(SUMMARY, lambda path: write_summary(path.parent, outcome))

    def _write_tables(self, outcome: Outcome, delivery: Delivery) -> int:
        """Write what other programs read; its bytes."""
        trades = outcome.trades
        written = delivery.add(RESULTS, lambda path: write_results(path, outcome.table))
        if self.csv:
            written += delivery.add(CSV_EXPORT, lambda path: write_csv(path, outcome.table))
        if (found := outcome.pareto) is not None:
            written += delivery.add(PARETO, lambda path: write_pareto(path, found))
        if trades is not None:
            written += delivery.add(TRADES, lambda path: write_trades(path.parent, trades))
        return written

    def _write_pages(
        self,
        outcome: Outcome,
        delivery: Delivery,
        receipt: dict[str, Any],
        tell: Callable[[str], Any],
    ) -> int:
        """Write what is looked at in a browser; its bytes."""
        written = 0
        dated = isinstance(outcome.bars.frame.index, pd.DatetimeIndex)
        if outcome.best is not None and dated:
            with outcome.timed("page_s"), outcome.apart(PAGE_PART, tell, but=OutputError):
                from bigbar.report.page.report import write_report

                written += delivery.add(
                    PAGE,
                    lambda path: write_report(path, outcome, outcome.findings, receipt=receipt),
                )
        if self.plot and outcome.best is not None:
            with outcome.timed("plot_s"), outcome.apart(PLOTS_PART, tell, but=OutputError):
                written += _draw(outcome, delivery)
        return written


def _draw(outcome: Outcome, delivery: Delivery) -> int:
    """Draw the best's equity and trades, and the heatmaps of the grid; bytes of both."""
    from bigbar.engines.reference import BacktestingEngine
    from bigbar.report.plots import plot_backtest, plot_heatmaps

    job, best = outcome.job, outcome.best
    assert best is not None
    engine = BacktestingEngine(job.spec.columns(outcome.bars.frame), job)
    backtest, stats, name = engine.backtest, engine.stats(best), job.spec.title
    title = f"{name}: best of {outcome.total:,} combinations" if outcome.total > 1 else name
    heatmap = outcome.table.heatmap(outcome.choice.objective.name)
    drawn = delivery.add(PLOT, lambda path: plot_backtest(backtest, stats, path, title=title))
    maps = f"{name}: heatmaps of the grid"
    return drawn + delivery.add(HEATMAPS, lambda path: plot_heatmaps(heatmap, path, title=maps))
