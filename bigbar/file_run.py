"""One price file carried out by the command: read, optimized, written, kept, and told about."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bigbar.data.encoding import named_file
from bigbar.data.read import Bars, read_bars
from bigbar.errors import FailedCombinations, Interrupted, NothingCounts, VerificationError
from bigbar.job import Job
from bigbar.options import Options
from bigbar.outcome import PROOF, Outcome
from bigbar.pipeline import checked_job, optimize_bars
from bigbar.progress.terminal import Terminal, wants_bar
from bigbar.report.answer import answer, differs_from_earlier
from bigbar.report.console import WIDTH, coloured, terminal_width
from bigbar.report.delivery import Delivered
from bigbar.report.details import whole_answer
from bigbar.report.files import OutputError, ending, prepare_folder
from bigbar.report.run_files import PAGE_PART, PLOTS_PART, RunFiles
from bigbar.store.recorder import Recorder
from bigbar.store.recording import StoreRecorder
from bigbar.streams import Listened


@dataclass(frozen=True)
class FileRun:
    """What came of a file.

    Attributes
    ----------
    outcome : Outcome
    delivered : Delivered or None
        Its files; None where it was stopped while they were written.
    text : str
        The answer; empty where there are no files.
    """

    outcome: Outcome
    delivered: Delivered | None
    text: str


def terminal_of(options: Options) -> Terminal:
    """Who is told how it goes."""
    return Terminal(sys.stderr, show_bar=wants_bar(sys.stderr, no_progress=options.no_progress))


def begin(options: Options, sources: Sequence[str], terminal: Terminal) -> None:
    """What comes before any work: refuse to lose settings, and show the dashboard.

    Raises
    ------
    SettingsError
        If the settings would be written over something that is not the program's.
    """
    if options.saving is not None:
        options.saving.check(sources, force=options.force)
    if options.dashboard:
        from bigbar.dashboard.beside import start_beside

        again = shlex.join(["bigbar", "dashboard", "--output", str(options.output)])
        terminal.line(
            "Dashboard",
            start_beside(options.output),
            f"it ends with the run and its last open page; {again} shows the runs again",
        )


def save_settings(options: Options, terminal: Terminal) -> None:
    """Write the settings to the file that is to have them."""
    if options.saving is not None:
        options.saving.write()
        terminal.event(f"the settings are in {options.saving.path}")


class Loaded(NamedTuple):
    """A price file that was read, and the seconds that this took."""

    bars: Bars
    seconds: float


def load(options: Options, path: str) -> Loaded:
    """Read a price file as the options say.

    Raises
    ------
    DataError
        If it cannot be used.
    """
    begun = time.perf_counter()
    bars = read_bars(
        named_file(path),
        reading=options.reading,
        max_memory=options.request.execution.max_memory,
        others=options.request.spec.sees_other_columns,
    )
    return Loaded(bars, time.perf_counter() - begun)


def carry_out_file(
    options: Options,
    files: RunFiles,
    terminal: Terminal,
    *,
    loaded: Loaded | None = None,
    before_run: Callable[[Terminal], None] = lambda _: None,
) -> FileRun:
    """Optimize on a price file, write what came of it, and keep it in the store.

    Parameters
    ----------
    options : Options
    files : RunFiles
        Where to, checked; `files.source` is the price file.
    terminal : Terminal
        Is told how it goes.
    loaded : Loaded, optional
        Where it has been read already.
    before_run : callable, optional
        Is called when it is known that something can come of it.

    Raises
    ------
    BigBarError
        If something of it cannot be done.
    """
    bars, load_s = loaded or load(options, str(files.source))
    files.check_prices(bars.sha256)
    job = checked_job(bars, options.request)
    for folder in dict.fromkeys((files.folder, options.output)):
        prepare_folder(folder)
    before_run(terminal)
    terminal.data(bars, job)
    terminal.grid(job.space, options.chosen_by)
    with _recorder(options, files, terminal) as recorder:
        return _recorded(options, files, terminal, recorder, bars=bars, job=job, load_s=load_s)


def _recorded(
    options: Options,
    files: RunFiles,
    terminal: Terminal,
    recorder: Recorder,
    *,
    bars: Bars,
    job: Job,
    load_s: float,
) -> FileRun:
    outcome = optimize_bars(bars, options.request, job=job, listener=terminal, recorder=recorder)
    outcome.timings = {"load_s": load_s, **outcome.timings}
    outcome.config = options.config
    try:
        delivered = files.write(outcome, terminal.event)
    except Interrupted as stopped:
        terminal.event("stopped while the files were written; run the same command again")
        outcome.stopped_by = stopped.signal_number
        return FileRun(outcome, None, "")
    written = [str(file) for file in delivered.files]
    recorder.finish(
        ending(outcome, whole_answer(outcome, top=options.top, files=written, width=WIDTH))
    )
    width = terminal_width()
    if options.verbose:
        text = whole_answer(outcome, top=options.top, files=written, width=width)
    else:
        text = answer(outcome, files=written, width=width, more=True)
    return FileRun(outcome, delivered, text)


def _recorder(options: Options, files: RunFiles, terminal: Terminal) -> Recorder:
    """What keeps the run: the store in the output folder, or nothing."""
    if options.policy is None:
        return Recorder()
    return StoreRecorder(
        options.output, policy=options.policy, command=files.command, tell=terminal.event
    )


def files_of(
    options: Options,
    *,
    folder: Path | None = None,
    source: str | None = None,
    command: Sequence[str] | None = None,
) -> RunFiles:
    """What is to be written of a file, and where; by default of the one that was named."""
    return RunFiles(
        folder or options.output,
        source=source or options.file,
        force=options.force,
        csv=options.export_csv,
        plot=options.plot,
        command=options.command if command is None else tuple(command),
        front=len(options.request.choice.objectives) > 1,
    )


def tell(text: str, options: Options, terminal: Terminal) -> None:
    """Write the answer to standard output, if anybody listens."""
    listened = Listened(sys.stdout)
    listened.write(coloured(text, listened))
    listened.flush()
    if listened.lost is not None and not isinstance(listened.lost, BrokenPipeError):
        why = getattr(listened.lost, "strerror", None) or listened.lost
        terminal.event(
            f"the answer could not be written to standard output ({why}); "
            f"the files in {options.output} hold the same"
        )


def exit_code(outcome: Outcome) -> int:
    """What the shell is told of a file."""
    if outcome.stopped_by is not None:
        return Interrupted(outcome.stopped_by).exit_code
    if differs_from_earlier(outcome) or PROOF in outcome.broke_off:
        return VerificationError.exit_code
    if {PAGE_PART, PLOTS_PART} & outcome.broke_off.keys():
        return OutputError.exit_code
    if outcome.failures:
        return FailedCombinations.exit_code
    return NothingCounts.exit_code if outcome.best is None else 0
