"""Optimize the BigBar strategy on a file of price bars; see README.md.

    python bigbar_multiprocessing_optimized.py example.csv
    python bigbar_multiprocessing_optimized.py example.csv --workers 8 --no-progress

The command stands here on one page; `bigbar/pipeline.py` has the run itself.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from bigbar.collector import pause, resume

if __name__ == "__main__":
    pause()

import pandas as pd

from bigbar.api import load_bars
from bigbar.choice import Choice
from bigbar.data.encoding import PriceFile
from bigbar.engines.find import available_engine, build_engine
from bigbar.errors import BigBarError, Interrupted, NothingToRetry, VerificationError
from bigbar.executors.chunks import calculate_adaptive_chunk_size
from bigbar.file_run import (
    begin,
    carry_out_file,
    exit_code,
    files_of,
    save_settings,
    tell,
    terminal_of,
)
from bigbar.given import flag, number, refusal, whole
from bigbar.interrupts import signals_raised
from bigbar.job import Job
from bigbar.machine.other_programs import MOST_WORKERS
from bigbar.machine.resources import usable_processors
from bigbar.options import Options, parse_options
from bigbar.outcome import Execution
from bigbar.pipeline import optimize_bars, time_a_backtest
from bigbar.printable import one_line, printable
from bigbar.progress.events import Listener
from bigbar.progress.terminal import Terminal
from bigbar.request import Request
from bigbar.results import Pairs, ResultTable
from bigbar.sharing.named_frames import (
    cleanup_shared_memory,
    create_shared_memory_dataframe,
    load_from_shared_memory,
)
from bigbar.strategies.big_bar.description import BigBar, check_enough_bars, job_of
from bigbar.strategies.big_bar.parameters import Settings, grid_with, longest_period, parse_grid
from bigbar.streams import answer_apart, any_encoding, let_go, open_missing_streams, say

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
    if options.several is not None:
        from bigbar.batch.command import run_many  # A single file does not wait for it.

        return run_many(options, options.several)
    with answer_apart():
        terminal = terminal_of(options)
        if options.engine_reason:
            terminal.event(options.engine_reason)
        files = files_of(options)
        files.check()
        begin(options, [options.file], terminal)
        found = carry_out_file(options, files, terminal, before_run=partial(save_settings, options))
    if found.delivered is None:
        return exit_code(found.outcome)
    tell(printable(found.text), options, terminal)
    if found.delivered.problem is not None:  # The answer was given all the same.
        raise found.delivered.problem
    return exit_code(found.outcome)


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
    resume()
    sys.exit(main())
