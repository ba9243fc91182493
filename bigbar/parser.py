"""The parser of the command line: every option with its default and what it does."""

from __future__ import annotations

import argparse
import math
import multiprocessing

from bigbar.command_line import Parser, Several, at_least, folder, number
from bigbar.data.days import ORDERS
from bigbar.engines.find import engine_choices
from bigbar.errors import SettingsError
from bigbar.machine.other_programs import AUTO
from bigbar.machine.resources import usable_processors
from bigbar.outcome import CLUSTER_WAIT_S, Execution
from bigbar.parameter import setting_text
from bigbar.program import PROGRAM
from bigbar.search.find import METHODS
from bigbar.short_help import COMMANDS, EXAMPLES, Help
from bigbar.spec import StrategySpec
from bigbar.strategies.find import DEFAULT, find_strategy
from bigbar.strategy_options import (
    add_account,
    add_strategy,
)
from bigbar.units import parse_size
from bigbar.validation.common_choice import CRITERIA
from bigbar.validation.plan import CHOICES
from bigbar.version import __version__

#: Shells that can complete the command.
SHELLS = ("bash", "zsh", "fish")


def make_parser(spec: StrategySpec | None = None) -> Parser:
    """The parser, with the options in groups; for the default strategy where none is given."""
    spec = spec or find_strategy(DEFAULT)
    parser = Parser(
        prog=PROGRAM,
        usage=EXAMPLES,
        add_help=False,
        description=(
            "Run every combination of a strategy's parameters on a file of price bars, with "
            "exactly the numbers of backtesting.py, and say which to use. Without --strategy it "
            "is BigBar."
        ),
        epilog=(
            COMMANDS
            + "Exit codes: 0 done; 1 not written, or the verification failed; 2 the file or an "
            "option cannot be used, or nothing counts; 3 some combinations, or files, failed; 129, "
            "130, 131 or 143 stopped (closed terminal, Ctrl-C, SIGQUIT, SIGTERM)."
        ),
    )
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE.csv",
        help="price bars: time, open, high, low, close; also packed, .parquet or .feather; - for "
        "standard input. Several files, folders or patterns: each is optimized by itself",
    )
    parser.add_argument(
        "-h",
        "--help",
        action=Help,
        help="show what most runs need and exit; --help all shows every option",
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
    _add_files_of_settings(parser)
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
        action=Several,
        default="Return [%]",
        help="statistic by backtesting.py's name; volatility, commissions and drawdown durations "
        "are made small instead; once for each of several: then also what no other beats in all of "
        "them, the Pareto set, the best by the first one (default: %(default)s)",
    )
    group.add_argument(
        "--min-trades",
        metavar="N",
        type=at_least(0),
        default=1,
        help="combinations with fewer trades do not count (default: %(default)s)",
    )
    group.add_argument(
        "--common",
        choices=CRITERIA,
        help="of several files: also find the one setting that is best over all, by its mean rank "
        "or by its worst result (default: none)",
    )
    group.add_argument(
        "--max-tries",
        metavar="N",
        type=at_least(1),
        help="try no more than N of the combinations; without --method all of a grid that takes "
        "under a minute (default: all)",
    )
    group.add_argument(
        "--method",
        choices=METHODS,
        help="grid tries every combination, random N of them, spread evenly, the others search: "
        "each try goes by those before (default: grid; local with --max-tries, unless the whole "
        "grid takes under a minute)",
    )
    group.add_argument(
        "--keep",
        metavar="ROWS",
        default="all",
        help="all rows, or top:N of a grid whose rows cannot all be kept: the N best, a sample, "
        "and the heatmaps (default: %(default)s)",
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
        "--cluster",
        metavar="ADDRESS",
        help="run on the machines of a Ray cluster: HOST:PORT, auto for the one that this machine "
        "is part of, or local:N to try it with N workers here (default: processes of this machine)",
    )
    group.add_argument(
        "--cluster-wait",
        metavar="SECONDS",
        type=_seconds,
        help="how long to wait for a machine when the last one is gone; the run can be continued "
        f"then (default: {CLUSTER_WAIT_S:g})",
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
        choices=engine_choices(spec),
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
        help="of the samples timed and verified, and of --method (default: %(default)s)",
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
        "-v",
        "--verbose",
        action="store_true",
        help="also print all statistics, the best, costs, timings, memory and the files; "
        "'bigbar show' prints them later",
    )
    group.add_argument(
        "--top",
        metavar="N",
        type=at_least(0),
        default=10,
        help="rows in the table of the best, with -v (default: %(default)s)",
    )
    group.add_argument(
        "--output",
        metavar="DIR",
        type=folder,
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
        "--dashboard",
        action="store_true",
        help="show the run in a browser while it goes on, at the address that is printed; "
        "'bigbar dashboard' does so at any time",
    )
    group.add_argument(
        "--plot", action="store_true", help="also draw the best's equity and trades, and heatmaps"
    )


def _add_files_of_settings(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "settings in a file, and the shell",
        "The command line wins over the file; --plot=false switches off what it switches on.",
    )
    group.add_argument(
        "--config",
        metavar="FILE.toml",
        help="read settings from this file: options by their names, data for the price file, "
        "tables [param] and [backtest] (default: none)",
    )
    group.add_argument(
        "--save-config",
        metavar="FILE.toml",
        help="write the settings of this command to this file, then run it (default: none)",
    )
    group.add_argument(
        "--completion",
        choices=SHELLS,
        help="print the completion script of a shell, and nothing else (default: none)",
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
