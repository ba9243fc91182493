"""Optimize the BigBar strategy on a file of price bars; see README.md.

    python bigbar_multiprocessing_optimized.py example.csv
    python bigbar_multiprocessing_optimized.py example.csv --workers 8 --no-progress

The command stands here on one page; `bigbar/pipeline.py` has the run itself.
"""

from __future__ import annotations

import itertools
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from bigbar.api import load_bars
from bigbar.choice import Choice
from bigbar.data.encoding import PriceFile, named_file
from bigbar.data.read import read_bars
from bigbar.engines.find import available_engine, build_engine
from bigbar.errors import (
    BigBarError,
    FailedCombinations,
    Interrupted,
    NothingCounts,
    NothingToRetry,
    VerificationError,
)
from bigbar.executors.chunks import calculate_adaptive_chunk_size
from bigbar.given import flag, number, refusal, whole
from bigbar.interrupts import signals_raised
from bigbar.job import Job
from bigbar.machine.other_programs import MOST_WORKERS
from bigbar.machine.resources import usable_processors
from bigbar.options import Options, parse_options
from bigbar.outcome import PROOF, Execution, Outcome
from bigbar.pipeline import checked_job, optimize_bars, time_a_backtest
from bigbar.printable import one_line, printable
from bigbar.progress.events import Listener
from bigbar.progress.terminal import Terminal, wants_bar
from bigbar.report.answer import answer, differs_from_earlier
from bigbar.report.console import WIDTH, coloured, terminal_width
from bigbar.report.delivery import Delivered
from bigbar.report.details import whole_answer
from bigbar.report.files import OutputError, ending, prepare_folder
from bigbar.report.run_files import PAGE_PART, PLOTS_PART, RunFiles
from bigbar.request import Request
from bigbar.results import Pairs, ResultTable
from bigbar.sharing.named_frames import (
    cleanup_shared_memory,
    create_shared_memory_dataframe,
    load_from_shared_memory,
)
from bigbar.store.recorder import Recorder
from bigbar.store.recording import StoreRecorder
from bigbar.strategies.big_bar.description import BigBar, check_enough_bars, job_of
from bigbar.strategies.big_bar.parameters import Settings, grid_with, longest_period, parse_grid
from bigbar.streams import Listened, answer_apart, any_encoding, let_go, open_missing_streams, say

__all__ = [
    "calculate_adaptive_chunk_size",
    "cleanup_shared_memory",
    "create_shared_memory_dataframe",
    "estimate_backtest_duration",
    "generate_parameter_combinations",
    "load_data",
    "load_from_shared_memory",
    "main",
    "parallel_optimize_strategy_shared",
    "run_backtest_single_param_shared",
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        The command line without the program's name; `sys.argv` by default.

    Returns
    -------
    int
        The exit code: see `--help`.
    """
    open_missing_streams()
    any_encoding()
    try:
        with signals_raised():
            return run(parse_options(arguments))
    except NothingToRetry as told:
        say(str(told))
        return told.exit_code
    except BigBarError as problem:
        # Only what differs is told in several lines; nothing from elsewhere is to fake one.
        safely = printable if isinstance(problem, VerificationError) else one_line
        say(f"error: {safely(str(problem))}")
        return problem.exit_code
    except Interrupted as stopped:
        say("stopped before any combination was finished")
        return stopped.exit_code
    except KeyboardInterrupt:
        say("stopped")
        return 130
    finally:
        let_go()


def run(options: Options) -> int:
    """Carry out a validated command line: read, optimize, write, report."""
    with answer_apart():
        outcome, delivered, text, terminal = _carried_out(options)
    if delivered is None:
        return exit_code(outcome)
    tell(printable(text), options, terminal)
    if delivered.problem is not None:  # The answer was given all the same.
        raise delivered.problem
    return exit_code(outcome)


def _carried_out(options: Options) -> tuple[Outcome, Delivered | None, str, Terminal]:
    """What came of it, its files, the answer, and whom to tell; no files where it was stopped."""
    terminal = Terminal(sys.stderr, show_bar=wants_bar(sys.stderr, no_progress=options.no_progress))
    if options.engine_reason:
        terminal.event(options.engine_reason)
    files = files_of(options)
    files.check()
    if options.saving is not None:
        options.saving.check(options.file, force=options.force)
    if options.dashboard:
        show_dashboard(options, terminal)
    begun = time.perf_counter()
    bars = read_bars(
        named_file(options.file),
        reading=options.reading,
        max_memory=options.request.execution.max_memory,
        others=options.request.spec.sees_other_columns,
    )
    load_s = time.perf_counter() - begun
    files.check_prices(bars.sha256)
    job = checked_job(bars, options.request)
    prepare_folder(options.output)
    if options.saving is not None:
        options.saving.write()
        terminal.event(f"the settings are in {options.saving.path}")
    terminal.data(bars, job)
    terminal.grid(job.space)
    with recorder_for(options, terminal) as recorder:
        outcome = optimize_bars(
            bars, options.request, job=job, listener=terminal, recorder=recorder
        )
        outcome.timings = {"load_s": load_s, **outcome.timings}
        outcome.config = options.config
        try:
            delivered = files.write(outcome, terminal.event)
        except Interrupted as stopped:
            terminal.event("stopped while the files were written; run the same command again")
            outcome.stopped_by = stopped.signal_number
            return outcome, None, "", terminal
        written = [str(file) for file in delivered.files]
        recorder.finish(
            ending(outcome, whole_answer(outcome, top=options.top, files=written, width=WIDTH))
        )
        width = terminal_width()
        if options.verbose:
            text = whole_answer(outcome, top=options.top, files=written, width=width)
        else:
            text = answer(outcome, files=written, width=width, more=True)
    return outcome, delivered, text, terminal


def show_dashboard(options: Options, terminal: Terminal) -> None:
    """Have the run shown in a browser, and say where."""
    from bigbar.dashboard.beside import start_beside

    again = shlex.join(["bigbar", "dashboard", "--output", str(options.output)])
    terminal.line(
        "Dashboard",
        start_beside(options.output),
        f"it ends with the run and its last open page; {again} shows the runs again",
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


def recorder_for(options: Options, terminal: Terminal) -> Recorder:
    """What keeps the run: the store in the output folder, or nothing."""
    if options.policy is None:
        return Recorder()
    return StoreRecorder(
        options.output, policy=options.policy, command=options.command, tell=terminal.event
    )


def files_of(options: Options) -> RunFiles:
    """What is to be written, and where."""
    return RunFiles(
        options.output,
        source=options.file,
        force=options.force,
        csv=options.export_csv,
        plot=options.plot,
        command=options.command,
        front=len(options.request.choice.objectives) > 1,
    )


def exit_code(outcome: Outcome) -> int:
    """What the shell is told."""
    if outcome.stopped_by is not None:
        return Interrupted(outcome.stopped_by).exit_code
    if differs_from_earlier(outcome) or PROOF in outcome.broke_off:
        return VerificationError.exit_code
    if {PAGE_PART, PLOTS_PART} & outcome.broke_off.keys():
        return OutputError.exit_code
    if outcome.failures:
        return FailedCombinations.exit_code
    return NothingCounts.exit_code if outcome.best is None else 0


# The functions below keep the names under which earlier versions documented them.


def load_data(filepath: PriceFile) -> pd.DataFrame:
    """Read a price file: Open, High, Low, Close, Volume by time.

    Raises
    ------
    bigbar.errors.DataError
        If it cannot be used, naming line and column.
    """
    return load_bars(filepath).frame


def estimate_backtest_duration(df: pd.DataFrame, sample_size: int = 10) -> float:
    """Seconds per backtest of the default grid on these bars.

    Parameters
    ----------
    df : DataFrame
        Open, High, Low, Close and optionally Volume by time.
    sample_size : int, optional
        Backtests to time at least.

    Raises
    ------
    bigbar.errors.DataError, bigbar.errors.SettingsError
        If the bars or the number cannot be used.
    """
    size = whole("sample_size", sample_size, least=1)
    return time_a_backtest(load_bars(df), _default_job(), sample_size=size)


def _default_job() -> Job:
    return job_of(parse_grid(), Settings(), available_engine(BigBar())[0])


def generate_parameter_combinations() -> list[tuple[float, ...]]:
    """The default grid: 112,840 tuples in grid order.

    Returns
    -------
    list of tuple
        `(atr_period, k_atr, uptail_max_ratio, previous_weight, buffer_ratio)`.
    """
    return list(itertools.product(*(axis.values for axis in parse_grid().parameters)))


def run_backtest_single_param_shared(
    param_tuple: tuple[tuple[float, ...], str, tuple[int, ...], Any, str],
) -> tuple[dict[str, float], pd.Series]:
    """One backtest on bars in shared memory, on the bars that the default grid is judged on.

    Parameters
    ----------
    param_tuple : tuple
        `(combination, name, shape, dtype, metadata_name)`: a combination from
        `generate_parameter_combinations`, and what `create_shared_memory_dataframe` returned.

    Returns
    -------
    parameters : dict of str to float
    stats : Series
        Under backtesting.py's names.

    Raises
    ------
    bigbar.errors.DataError, bigbar.errors.SettingsError
        If the bars or the combination cannot be used.
    """
    if not isinstance(param_tuple, tuple | list) or len(param_tuple) != 5:
        raise refusal(
            "param_tuple", param_tuple, "(combination, name, shape, dtype, metadata_name)"
        )
    combination, *shared = param_tuple
    names = [axis.name for axis in parse_grid().parameters]
    if not isinstance(combination, tuple | list) or len(combination) != len(names):
        raise refusal("the combination", combination, f"five numbers: {', '.join(names)}")
    asked = {name: number(name, value) for name, value in zip(names, combination, strict=True)}
    alone = grid_with(**asked)
    values = dict(alone[0])
    file = load_bars(load_from_shared_memory(*shared)).frame
    # The grid's longest period goes along, so that the same bars take part as in the sweep.
    periods = sorted({values["atr_period"], longest_period(parse_grid())})
    grid = grid_with(**values | {"atr_period": periods})
    place = periods.index(values["atr_period"])
    check_enough_bars(len(file), longest_period(grid), "df")
    job = replace(_default_job(), space=grid)
    engine = build_engine(job.spec.columns(file), job)
    table = ResultTable(alone, engine.run(place, place + 1))
    return values, table.statistics(0)


def parallel_optimize_strategy_shared(
    filepath: PriceFile,
    workers: int | None = None,
    use_progress_bar: bool = True,
) -> tuple[tuple[dict[str, float], pd.Series] | None, Pairs]:
    """Optimize the default grid on a file.

    Parameters
    ----------
    filepath : path or file object
        Price bars.
    workers : int, optional
        Processes; the processors this process may use, by default.
    use_progress_bar : bool, optional
        Whether to draw a bar on standard error.

    Returns
    -------
    best : (dict, Series) or None
        Parameters and statistics of the winner; None where no combination traded.
    results : sequence of (dict, Series)
        Every combination in grid order, each pair made when asked for.

    Raises
    ------
    bigbar.errors.DataError, bigbar.errors.SettingsError
        If the file or a setting cannot be used.
    """
    show_bar = flag("use_progress_bar", use_progress_bar)
    if workers is None:
        workers = usable_processors()
    job = _default_job()
    outcome = optimize_bars(
        load_bars(filepath),
        Request(
            job.spec,
            job.space,
            job.account,
            job.engine,
            Choice.by_name("Return [%]"),
            Execution(workers=whole("workers", workers, least=1, most=MOST_WORKERS)),
        ),
        listener=Terminal(sys.stderr, show_bar=True) if show_bar else Listener(),
    )
    if outcome.stopped_by is not None:
        raise Interrupted(outcome.stopped_by)
    results = Pairs(outcome.table)
    return None if outcome.best is None else results[outcome.best], results


if __name__ == "__main__":
    sys.exit(main())
