"""The command line as values that a run takes, checked before any work."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bigbar.data.reading import Reading, parse_columns
from bigbar.engines.find import available_engine
from bigbar.errors import SettingsError
from bigbar.machine.budget import Files
from bigbar.machine.other_programs import worker_range
from bigbar.machine.resources import usable_processors
from bigbar.outcome import Execution, replays_asked_for
from bigbar.parser import make_parser
from bigbar.printable import shown
from bigbar.request import Request
from bigbar.results import Choice
from bigbar.store.recording import ReusePolicy
from bigbar.strategy_options import (
    account_of,
    described_by,
    named_strategy,
    space_of,
    strategy_of,
)
from bigbar.streams import answer_apart
from bigbar.validation.plan import Plan


@dataclass(frozen=True)
class Options:
    """A validated command line.

    Attributes
    ----------
    file : str
        The price file.
    reading : Reading
        How it is to be read.
    request : Request
        What is wanted, and how it is carried out.
    engine_reason : str or None
        Why the engine is another than was asked for.
    optimize : bool
        False for a single backtest.
    top : int
    plot : bool
    export_csv : bool
    output : Path
    force : bool
        Whether files there that this program did not write may be replaced.
    no_progress : bool
    verbose : bool
        Whether to print all that there is to say, not just the answer.
    dashboard : bool
        Whether the run is shown in a browser while it goes on.
    policy : ReusePolicy or None
        What to do about earlier runs; None to keep none.
    command : tuple of str
        As it was typed, without the program's name.
    """

    file: str
    reading: Reading
    request: Request
    engine_reason: str | None
    optimize: bool
    top: int
    plot: bool
    export_csv: bool
    output: Path
    force: bool
    no_progress: bool
    verbose: bool
    dashboard: bool
    policy: ReusePolicy | None
    command: tuple[str, ...]


def parse_options(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; `sys.argv` by default.

    Returns
    -------
    Options

    Raises
    ------
    SettingsError
        If a value makes no sense, or an option is none.
    SystemExit
        For `--help` and `--version`.
    """
    words = _words(arguments)
    name = named_strategy(words)
    with answer_apart():  # Its import may print.
        spec = strategy_of(name, words)
    given = make_parser(spec).parse_args(words)
    if given.strategy != name:  # The option was cut short.
        with answer_apart():
            spec = strategy_of(given.strategy, words)
        given = make_parser(spec).parse_args(words)
    spec = described_by(spec, given)
    engine, reason = available_engine(spec, given.engine)
    return Options(
        file=given.file,
        reading=Reading(
            columns=parse_columns(given.columns) if given.columns is not None else {},
            time_format=given.time_format,
            time_zone=given.time_zone,
            date_order=given.date_order,
        ),
        request=Request(
            spec=spec,
            space=space_of(spec, given),
            account=account_of(spec, given),
            engine=engine,
            choice=Choice.by_name(given.maximize, given.min_trades),
            execution=_execution(given),
            plan=Plan(
                assess=not given.no_validate,
                holdout=given.holdout,
                choose=given.choose,
                thorough=given.thorough,
                walk_forward=given.walk_forward,
                anchored=given.anchored,
                matrix=given.walk_forward_matrix,
            ),
        ),
        engine_reason=reason,
        optimize=not given.no_optimize,
        top=given.top,
        plot=given.plot,
        export_csv=given.export == "csv",
        output=Path(given.output),
        force=given.force,
        no_progress=given.no_progress,
        verbose=given.verbose,
        dashboard=_dashboard(given),
        policy=None
        if given.no_store
        else ReusePolicy(given.fresh, given.resume, given.retry_failed),
        command=tuple(words),
    )


def _dashboard(given: argparse.Namespace) -> bool:
    if given.dashboard and given.no_store:
        raise SettingsError("--dashboard shows what is stored; leave --no-store out")
    return bool(given.dashboard)


def _execution(given: argparse.Namespace) -> Execution:
    workers, least = worker_range(
        given.workers, given.min_workers, given.max_workers, usable=usable_processors()
    )
    return Execution(
        workers=workers,
        least_workers=least,
        timeout=given.timeout_per_backtest,
        start_method=given.start_method,
        seed=given.seed,
        max_memory=given.max_memory,
        files=Files(Path(given.output), csv=given.export == "csv", plot=given.plot),
        **replays_asked_for(given.verify),
    )


def _words(arguments: Sequence[str] | None) -> list[str]:
    """The command line in words; a path among them may be a `Path`."""
    if arguments is None:
        return sys.argv[1:]
    if isinstance(arguments, str | bytes) or not isinstance(arguments, Sequence):
        raise SettingsError(
            f"the arguments are {shown(arguments)}, but must be a list of words, such as "
            "['example.csv', '--top', '5']"
        )
    return [str(word) for word in arguments]
