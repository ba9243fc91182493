"""How a run goes, as a person reads it on standard error: short aligned lines, and the bar."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any, TextIO

from bigbar.data.read import Bars
from bigbar.executors.contract import Machine
from bigbar.job import Job
from bigbar.machine.budget import Budget
from bigbar.paragraphs import LABEL, paragraph
from bigbar.printable import one_line
from bigbar.progress.events import Listener, Progress
from bigbar.sharing.frames import Publication
from bigbar.space import Space
from bigbar.streams import Listened
from bigbar.units import agreeing, as_bytes, as_seconds, counted

#: The bar is drawn anew this often, in seconds.
REFRESH_S = 0.1

#: A part of the validation that is done sooner has no bar, in seconds.
VALIDATED_S = 1.0


class Terminal(Listener):
    """Tells how a run goes, in short aligned lines, and shows the bar.

    Parameters
    ----------
    stream : TextIO or None
        Where to; standard error as a rule. When nobody listens there any more, the run goes on.
    show_bar : bool
        Whether to draw a bar; without it no control character is written. Those of what is told
        never are.
    """

    #: What stands before the bar.
    bar_title = "Optimization Progress"

    def __init__(self, stream: TextIO | None, *, show_bar: bool) -> None:
        self._stream = Listened(stream)
        self._show_bar = show_bar

    def line(self, label: str, *texts: str) -> None:
        """Write a labelled line, and further lines under the first."""
        for text in texts:
            self._stream.write(self._fitted(label, one_line(text)) + "\n")
            label = ""
        self._stream.flush()

    def _fitted(self, label: str, text: str) -> str:
        """A labelled text, broken between words where a terminal, or `COLUMNS`, is too narrow."""
        first = f"{label:<{LABEL}}"
        if not (self._stream.isatty() or os.environ.get("COLUMNS", "").isdigit()):
            return first + text
        width = max(3 * LABEL, shutil.get_terminal_size().columns)
        return paragraph(text, width, first=first, indent=" " * LABEL)

    def data(self, bars: Bars, job: Job) -> None:
        """The bars that were read."""
        frame = bars.frame
        used = frame.index[job.bars]
        held_back = len(frame) - job.first_bar - len(used)
        taking_part = f"{len(used):,} take part"
        if job.first_bar:
            taking_part = f"the first {job.first_bar:,} warm up the indicators, {taking_part}"
        if held_back:
            taking_part += f", {held_back:,} from {frame.index[-held_back]} on are held back"
        self.line(
            "Data",
            f"{bars.source} · {len(frame):,} bars · {frame.index[0]} to {frame.index[-1]}",
            *([taking_part] if len(used) < len(frame) else []),
            *bars.notes,
        )

    def grid(self, grid: Space, chosen_by: str) -> None:
        """The grid, as a product; of a part of it the options that choose which are named."""
        named = [
            f"{axis.name} {axis}" + (f" ({len(axis)})" if len(axis) > 1 else "")
            for axis in grid.parameters
        ]
        product = " × ".join(str(count) for count in grid.shape)
        whole = counted(len(grid), "combination")
        if not named:
            whole = f"{whole}: the strategy as its class has it"
        elif grid.is_whole:
            whole = f"{product} = {whole}" if len(grid.shape) > 1 else whole
        elif grid.is_sample:
            tried = f"{len(grid):,} {agreeing(len(grid), 'is', 'are')}"
            whole = f"{product} = {grid.product:,}, of which {tried} to be tried ({chosen_by})"
        else:
            whole = f"{product} = {grid.product:,}, of which the constraint leaves {whole}"
        self.line("Grid", *named, whole)

    def shared(self, publication: Publication, workers: int) -> None:
        where = "shared memory" if publication.kind == "shared_memory" else "a memory-mapped file"
        saved = publication.nbytes * (workers - 1)
        text = f"{as_bytes(publication.nbytes)} once in {where} for {counted(workers, 'worker')}"
        if saved > 0:
            text += f"; a copy each would take {as_bytes(saved)} more"
        self.line("Shared", text)

    def machines(self, publication: Publication, machines: Sequence[Machine]) -> None:
        workers = sum(machine.processors for machine in machines)
        self.line(
            "Cluster",
            f"{counted(len(machines), 'machine')} with {counted(workers, 'worker')} so far; "
            f"{as_bytes(publication.nbytes)} once in the object store of each",
        )

    def forecast(self, budget: Budget) -> None:
        expected = budget.forecast
        text = (
            f"about {as_seconds(expected.seconds)} in all, {as_bytes(expected.memory)} of memory "
            f"({as_bytes(expected.shared)} of it shared)"
        )
        if expected.disk:
            text += f", {as_bytes(expected.disk)} on disk"
        if budget.method is not None:
            text += f"; the time in which {budget.method} chooses comes on top"
        self.line("Forecast", text)
        for note in budget.notes:
            self.event(note)

    def engine(self, name: str, reason: str) -> None:
        self.line("Engine", reason)

    def compiling(self) -> None:
        self.line("Compile", "what runs it, once on a machine: ten to twenty seconds …")

    def estimated(self, seconds: float, chunk_size: int, chunks: int) -> None:
        self.line(
            "Estimate",
            f"{as_seconds(seconds)} per backtest; "
            + (
                f"{counted(chunks, 'chunk')} of up to {counted(chunk_size, 'combination')}"
                if chunks
                else "nothing is left to run"
            ),
        )

    def searching(self, method: str, seconds: float, left_s: float) -> None:
        self.line(
            "Estimate",
            f"{method} takes about {as_seconds(seconds)} to choose all combinations; with their "
            f"backtests, about {as_seconds(left_s)} are left",
        )

    def resuming(self, run: int, begun: datetime, done: int, total: int) -> None:
        share = 100 * done // total
        self.line(
            "Resume",
            f"resuming run {run} of {begun.astimezone():%Y-%m-%d %H:%M}: {share} % already done "
            f"({done:,} of {total:,})",
        )

    def retrying(self, run: int, count: int) -> None:
        self.line("Retry", f"run {run}: {counted(count, 'combination')} that failed")

    def reusing(self, rows: int, there: int, runs: Sequence[int]) -> None:
        text = f"reusing {counted(rows, 'row')} of run {' and '.join(map(str, runs))}"
        if rows < there:
            left = there - rows
            text += f"; {left:,} more {agreeing(left, 'is', 'are')} there, but quicker run again"
        self.line("Reuse", text)

    @contextmanager
    def progress(self, total: int, done: int = 0, in_flight: float = 0.0) -> Iterator[Progress]:
        from bigbar.progress.bar import Bar, Lines

        if not self._show_bar:
            with Lines(self.running, in_flight=in_flight, total=total, initial=done) as lines:
                yield lines
            return
        with Bar(
            in_flight=in_flight,
            total=total,
            initial=done,
            desc=self.bar_title,
            unit="backtest",
            **self._drawn(),
        ) as bar:
            yield bar

    @contextmanager
    def validated(self, total: int) -> Iterator[Progress]:
        from bigbar.progress.bar import Bar, Lines

        if not self._show_bar:
            with Lines(self.running, in_flight=0.0, total=total) as lines:
                yield lines
            return
        with Bar(
            in_flight=0.0, total=total, desc="Validation Progress", unit="backtest", leave=False,
            delay=VALIDATED_S, **self._drawn(),
        ) as bar:  # fmt: skip
            yield bar

    def _drawn(self) -> dict[str, Any]:
        """How all bars are drawn."""
        return {
            "mininterval": REFRESH_S,
            "miniters": 1,
            # The speed since the start: chunks go out so that it stands for the rest.
            "smoothing": 0,
            "unit_scale": False,
            "dynamic_ncols": True,
            "file": self._stream,
        }

    def running(self, text: str) -> None:
        """How far it has come, now and then where there is no bar."""
        self.line("Running", text)

    def event(self, what: str) -> None:
        if self._show_bar:
            from tqdm import tqdm

            tqdm.write(self._fitted("Note", one_line(what)), file=self._stream)
        else:
            self.line("Note", what)

    def verifying(self, wanted: int) -> None:
        self.line(
            "Verify", f"replaying up to {counted(wanted, 'combination')} through backtesting.py …"
        )

    def validating(self, what: str) -> None:
        self.line("Validate", f"{what} …")


def wants_bar(stream: TextIO | None, *, no_progress: bool) -> bool:
    """Whether a bar may be drawn: on a terminal, unless it was switched off."""
    return not no_progress and Listened(stream).isatty()


class BarOnly(Listener):
    """Draws the bar, and tells only what is out of the ordinary: for use from Python."""

    def __init__(self) -> None:
        self._terminal = Terminal(sys.stderr, show_bar=True)

    def progress(
        self, total: int, done: int = 0, in_flight: float = 0.0
    ) -> AbstractContextManager[Progress]:
        return self._terminal.progress(total, done, in_flight)

    def validated(self, total: int) -> AbstractContextManager[Progress]:
        return self._terminal.validated(total)

    def event(self, what: str) -> None:
        self._terminal.event(what)
