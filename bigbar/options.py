"""The command line: what can be asked for, with the defaults shown, checked before any work."""

from __future__ import annotations

import argparse
import math
import multiprocessing
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bigbar.command_line import Parser, at_least, number
from bigbar.data.days import ORDERS
from bigbar.data.reading import Reading, parse_columns
from bigbar.engines.find import available_engine, engine_names
from bigbar.errors import SettingsError
from bigbar.machine.budget import Files
from bigbar.machine.other_programs import AUTO, worker_range
from bigbar.machine.resources import usable_processors
from bigbar.outcome import Execution, replays_asked_for
from bigbar.printable import shown
from bigbar.request import Request
from bigbar.results import Choice
from bigbar.space import setting_text
from bigbar.spec import StrategySpec
from bigbar.store.recording import ReusePolicy
from bigbar.strategies.find import DEFAULT, find_strategy
from bigbar.strategy_options import (
    account_of,
    add_account,
    add_strategy,
    described_by,
    named_strategy,
    space_of,
    strategy_of,
)
from bigbar.units import parse_size
from bigbar.validation.plan import CHOICES, Plan
from bigbar.version import __version__

PROGRAM = "bigbar"


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
    spec = strategy_of(name, words)
    given = make_parser(spec).parse_args(words)
    if given.strategy != name:  # The option was cut short.
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
        policy=None
        if given.no_store
        else ReusePolicy(given.fresh, given.resume, given.retry_failed),
        command=tuple(words),
    )


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


def make_parser(spec: StrategySpec | None = None) -> argparse.ArgumentParser:
    """The parser, with the options in groups; for the default strategy where none is given."""
    spec = spec or find_strategy(DEFAULT)
    parser = Parser(
        prog=PROGRAM,
        description=(
            "Run every combination of a strategy's parameters on a file of price bars, with "
            "exactly the numbers of backtesting.py, and say which to use. Without --strategy it "
            "is BigBar."
        ),
        epilog=(
            "Exit codes: 0 done; 1 not written, or the verification failed; 2 the file or an "
            "option cannot be used; 3 some combinations failed; 129, 130, 131 or 143 stopped "
            "(closed terminal, Ctrl-C, SIGQUIT, SIGTERM)."
        ),
    )
    parser.add_argument(
        "file",
        metavar="FILE.csv",
        help="price bars: time, open, high, low, close; also packed, .parquet or .feather; - for "
        "standard input",
    )
    parser.add_argument("--version", action="version", version=f"BigBar optimizer {__version__}")
    _add_reading(parser)
    _add_search(parser, spec)
    add_strategy(parser, spec)
    add_account(parser, spec)
    _add_validation(parser)
    _add_running(parser, spec)
    _add_keeping(parser)
    _add_output(parser)
    return parser


def _add_reading(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the price file", "What it does not tell by itself.")
    group.add_argument(
        "--columns",
        metavar="FIELD=COLUMN,...",
        help="which column is time, open, high, low, close or volume, by its name or its number "
        "from 1; time=DATE+CLOCK for two (default: by their names)",
    )
    group.add_argument(
        "--time-format",
        metavar="FORMAT",
        help='how times are written, as for strptime, such as "%%d.%%m.%%Y %%H:%%M"; or s, ms, us '
        "or ns for epochs (default: found out)",
    )
    group.add_argument(
        "--time-zone",
        metavar="ZONE",
        help="of times that say none, such as America/New_York (default: UTC)",
    )
    group.add_argument(
        "--date-order",
        choices=tuple(ORDERS),
        help="of 03/04/2024: day or month first; ymd for years of two digits in front "
        "(default: by a number above 12 in the file)",
    )


def _add_search(parser: argparse.ArgumentParser, spec: StrategySpec) -> None:
    group = parser.add_argument_group("what to look for")
    group.add_argument(
        "--maximize",
        metavar="STAT",
        default="Return [%]",
        help="statistic by backtesting.py's name; volatility, commissions and drawdown durations "
        "are made small instead (default: %(default)s)",
    )
    group.add_argument(
        "--min-trades",
        metavar="N",
        type=at_least(0),
        default=1,
        help="combinations with fewer trades do not count (default: %(default)s)",
    )
    group.add_argument(
        "--no-optimize",
        action="store_true",
        help="one backtest with the given parameters, the rest as in "
        + (setting_text(spec.attributes) or "the class"),
    )


def _add_validation(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "what it is worth",
        "Every run is held against luck, costs and chance; see docs/validation.md.",
    )
    group.add_argument(
        "--holdout",
        metavar="SHARE",
        type=number,
        default=None,
        help="keep this share of the bars unseen, and look once at the end (default: none)",
    )
    group.add_argument(
        "--choose",
        choices=CHOICES,
        default=CHOICES[0],
        help="the answer is the best setting, or the one with the best neighbourhood "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--walk-forward",
        metavar="N",
        type=at_least(0),
        default=0,
        help="optimize on N windows, each winner run on the bars that follow "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--anchored", action="store_true", help="all training windows begin with the file"
    )
    group.add_argument(
        "--walk-forward-matrix",
        action="store_true",
        help="walk forward over several numbers of windows and shares",
    )
    group.add_argument(
        "--thorough", action="store_true", help="more splits for the probability of overfitting"
    )
    group.add_argument(
        "--no-validate", action="store_true", help="no verdict: only what was asked for above"
    )


def _add_running(parser: argparse.ArgumentParser, spec: StrategySpec) -> None:
    group = parser.add_argument_group("running")
    group.add_argument(
        "--workers",
        metavar="N",
        type=_number_or_auto,
        default=usable_processors(),
        help="worker processes, or auto: fewer at work as other programs take the processors, "
        "more as they leave (default: the processors this process may use, here %(default)s)",
    )
    group.add_argument(
        "--min-workers",
        metavar="N",
        type=at_least(1),
        help="of --workers auto: always at work (default: 1)",
    )
    group.add_argument(
        "--max-workers",
        metavar="N",
        type=at_least(1),
        help="of --workers auto: at work when nothing else is "
        "(default: the processors this process may use)",
    )
    group.add_argument(
        "--timeout-per-backtest",
        metavar="SECONDS",
        type=_seconds,
        help="a combination that takes longer has failed, and the run goes on without it "
        "(default: none)",
    )
    group.add_argument(
        "--max-memory",
        metavar="SIZE",
        type=_size,
        help="of all processes together, such as 800M or 2G: fewer workers, or no run, rather "
        "than more (default: none)",
    )
    group.add_argument(
        "--engine",
        choices=engine_names(spec),
        default=spec.default_engine,
        help="compiled is exact and fast, backtesting is backtesting.py itself "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--start-method",
        choices=multiprocessing.get_all_start_methods(),
        default=None,
        help="how worker processes start (default: Python's own)",
    )
    group.add_argument(
        "--verify",
        metavar="N",
        type=at_least(0),
        help="replay the winner and N others through backtesting.py, however long it takes; 0 for "
        f"none (default: {Execution.verify}, as far as {Execution.verify_seconds:g} seconds reach)",
    )
    group.add_argument(
        "--seed",
        metavar="N",
        type=at_least(0),
        default=0,
        help="of the samples timed and verified (default: %(default)s)",
    )
    group.add_argument(
        "--no-progress", action="store_true", help="no bar: plain lines only, as CI logs want them"
    )


def _add_keeping(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "earlier runs",
        "Runs are kept in the output folder; a command that was interrupted continues.",
    ).add_mutually_exclusive_group()
    group.add_argument(
        "--fresh", action="store_true", help="start over: take no rows from earlier runs"
    )
    group.add_argument(
        "--resume",
        metavar="ID",
        type=at_least(1),
        help="continue this run (default: the last run of this command, if it is unfinished)",
    )
    group.add_argument(
        "--retry-failed",
        action="store_true",
        help="run again just the combinations that failed in the last run of this command",
    )
    group.add_argument(
        "--no-store", action="store_true", help="keep nothing of this run but its files"
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument(
        "--top",
        metavar="N",
        type=at_least(0),
        default=10,
        help="rows in the table of the best (default: %(default)s)",
    )
    group.add_argument(
        "--output",
        metavar="DIR",
        default="bigbar_output",
        help="folder for the files (default: %(default)s)",
    )
    group.add_argument(
        "--force",
        action="store_true",
        help="write over files there that the optimizer did not write",
    )
    group.add_argument("--export", choices=("csv",), help="also write the whole table as text")
    group.add_argument(
        "--plot", action="store_true", help="also draw the best's equity and trades, and heatmaps"
    )


def _number_or_auto(text: str) -> int | str:
    if text.strip().lower() == AUTO:
        return AUTO
    try:
        return at_least(1)(text)
    except argparse.ArgumentTypeError as problem:
        raise argparse.ArgumentTypeError(f"{problem}, nor is it {AUTO}") from None


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except SettingsError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (seconds > 0 and math.isfinite(seconds)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds
