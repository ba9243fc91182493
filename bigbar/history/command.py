"""The commands of `bigbar` that look at earlier runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bigbar.command_line import Parser, folder
from bigbar.errors import BigBarError, InputError, Interrupted
from bigbar.history.answer import Answer
from bigbar.history.page_options import add_page, add_report
from bigbar.interrupts import signals_raised
from bigbar.printable import one_line
from bigbar.store.records import NONSENSE, DamagedRun, Run
from bigbar.store.runs import RunStore
from bigbar.store.schema import RUNS
from bigbar.streams import Listened, any_encoding, let_go, open_missing_streams, say
from bigbar.version import __version__

#: What carries out a command.
Act = Callable[[RunStore, argparse.Namespace], Answer]

#: Of the sample that `verify` replays. A run's own seed is 0 unless it was given: with another one
#: other combinations are met.
_SEED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command on the runs of an output folder.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; `sys.argv` by default.

    Returns
    -------
    int
        0 done; 1 a check found a difference; 2 the store or an option cannot be used; 130
        stopped with Ctrl-C, as 128 and the number of another signal.

    Raises
    ------
    SystemExit
        For `--help` and `--version`.
    """
    open_missing_streams()
    any_encoding()
    try:
        with signals_raised():
            return _run(arguments)
    except OSError as problem:
        where = f"{problem.filename}: " if problem.filename else ""
        return _failed(f"{where}{problem.strerror or problem}")
    except MemoryError:
        return _failed("there is not enough memory for the rows of this run")
    except Interrupted as stopped:
        say("stopped")
        return stopped.exit_code
    except KeyboardInterrupt:
        say("stopped")
        return 130
    finally:
        let_go()


def _run(arguments: Sequence[str] | None) -> int:
    try:
        given = make_parser().parse_args(arguments)
        act: Act = given.act
        path = Path(given.output) / RUNS
        if not path.is_file():
            together = path.parents[1] / RUNS
            where = f"--output {path.parents[1]} has those of several files"
            raise InputError(
                f"there is no {path}: runs are kept in the output folder of the optimizer; "
                + (where if together.is_file() else "name it with --output DIR")
            )
        with RunStore(path, read_only=act is not _delete) as store:
            answer = act(store, given)
    except BigBarError as problem:
        return _failed(str(problem))
    except NONSENSE as problem:  # Sealed by somebody else: this program never writes such values.
        return _failed(f"{path} holds values that make no sense ({problem!r})")
    listened = Listened(sys.stdout)
    listened.write(f"{answer.printed(as_json=given.json)}\n")
    listened.flush()
    if listened.lost is not None and not isinstance(listened.lost, BrokenPipeError):
        why = getattr(listened.lost, "strerror", None) or listened.lost
        return _failed(f"the answer could not be written to standard output: {why}")
    return answer.code


def _failed(problem: str) -> int:
    say(f"error: {one_line(problem)}")
    return 2


def make_parser() -> argparse.ArgumentParser:
    """The parser, a command each."""
    parser = Parser(
        prog="bigbar",
        description="Look at what is kept of earlier runs, compare them, and check them.",
        epilog="A run is named by its number, or last. 'COMMAND --help' says more. Exit codes: 0 "
        "done; 1 verify found a difference; 2 the store or an option cannot be used; "
        "130 stopped.",
    )
    parser.add_argument("--version", action="version", version=f"BigBar optimizer {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, act: Act, text: str, more: str = "") -> argparse.ArgumentParser:
        said = f"{text[0].upper()}{text[1:]}."
        command = commands.add_parser(name, help=text, description=f"{said} {more}".strip())
        command.set_defaults(act=act)
        return command

    added = (
        add("history", _history, "list all runs, the newest last"),
        _add_show(add),
        _add_compare(add),
        add_report(add, _report),
        _add_export(add),
        _add_delete(add),
        _add_verify(add),
        _add_profile(add),
    )
    for command in added:
        command.add_argument(
            "--output",
            metavar="DIR",
            type=folder,
            default="bigbar_output",
            help="the output folder of the runs (default: %(default)s)",
        )
        command.add_argument("--json", action="store_true", help="answer with JSON, for machines")
    return parser


#: Adds a command by its name, what carries it out, and what it does.
_Add = Callable[..., argparse.ArgumentParser]


def _add_show(add: _Add) -> argparse.ArgumentParser:
    command = add(
        "show",
        _show,
        "print one run as it was",
        "The answer that it gave, and the facts of its receipt; of a run that gave none, how far "
        "it came and the best so far.",
    )
    command.add_argument("id", metavar="ID", help="number of the run, or last")
    return command


def _add_compare(add: _Add) -> argparse.ArgumentParser:
    command = add(
        "compare",
        _compare,
        "put two runs side by side",
        "What was asked for differently, where the best of each stands in the other, and how the "
        "same combinations moved, by the objective of A.",
    )
    command.add_argument("a", metavar="A", help="number of a run, or last")
    command.add_argument("b", metavar="B", help="number of the other run, or last")
    command.add_argument(
        "--html", action="store_true", help="write a page with both side by side as well"
    )
    add_page(command, "compare-A-B.html")
    return command


def _add_export(add: _Add) -> argparse.ArgumentParser:
    command = add(
        "export",
        _export,
        "write the rows of a run to a file",
        "Parameters and statistics of every combination that was answered, in grid order.",
    )
    command.add_argument("id", metavar="ID", help="number of the run, or last")
    command.add_argument(
        "--format",
        choices=("parquet", "csv", "json"),
        default="parquet",
        help="kind of file (default: %(default)s)",
    )
    command.add_argument(
        "--to", metavar="PATH", help="the file (default: run-ID.FORMAT in the output folder)"
    )
    command.add_argument(
        "--force",
        action="store_true",
        help="write over a file that is there, though no export wrote it",
    )
    return command


def _add_delete(add: _Add) -> argparse.ArgumentParser:
    command = add(
        "delete",
        _delete,
        "remove runs, and give their room back to the disk",
        "Nothing asks back. A run that is running is not deleted, and then no other is.",
    )
    command.add_argument("ids", metavar="ID", nargs="+", help="numbers of runs, or last")
    return command


def _add_verify(add: _Add) -> argparse.ArgumentParser:
    command = add(
        "verify",
        _verify,
        "check a run against backtesting.py and its price file",
        "Replays the best and a random sample, and compares every statistic with the stored one; "
        "checks that the bars are those of the run and that the rows have the stored hash. The "
        "exit code is 1 where something differs.",
    )
    command.add_argument("id", metavar="ID", help="number of the run, or last")
    command.add_argument(
        "--sample",
        metavar="N",
        type=_count,
        default=10,
        help="combinations to replay besides the best (default: %(default)s)",
    )
    command.add_argument(
        "--seed",
        metavar="N",
        type=_count,
        default=_SEED,
        help="seed of the sample (default: %(default)s)",
    )
    command.add_argument("--data", metavar="FILE", help="the price file, if it was moved")
    command.add_argument(
        "--strategy",
        metavar="WHICH",
        help="the strategy, if it was moved: file.py:Class or package.module:Class",
    )
    return command


def _add_profile(add: _Add) -> argparse.ArgumentParser:
    command = add(
        "profile",
        _profile,
        "print where a run's time and memory went",
        "With a verdict on what held it up.",
    )
    command.add_argument("id", metavar="ID", help="number of the run, or last")
    return command


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 999,999,999")
    return int(text)


def _named(store: RunStore, text: str) -> Run:
    """The run that somebody means."""
    if text == "last":
        newest = store.newest()
        if newest is None:
            raise InputError(f"there is no run yet in {store.path}")
        return newest
    return store.run(_number(text))


def _to_delete(store: RunStore, text: str) -> Run | DamagedRun:
    """The run that somebody wants to be rid of, however damaged it is."""
    try:
        return _named(store, text)
    except DamagedRun as problem:
        return problem


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):  # SQLite counts so far.
        raise InputError(f"{text!r} is no run; give its number, as `history` lists it, or last")
    return int(text)


# Each command imports what it needs, when it is asked for: a list of runs waits for no pandas.


def _history(store: RunStore, _: argparse.Namespace) -> Answer:
    from bigbar.history.listing import list_runs

    return list_runs(store)


def _show(store: RunStore, given: argparse.Namespace) -> Answer:
    from bigbar.history.show import show

    return show(store, _named(store, given.id))


def _compare(store: RunStore, given: argparse.Namespace) -> Answer:
    from bigbar.history.compare import compare

    runs = _named(store, given.a), _named(store, given.b)
    if not given.html:
        if given.to is not None or given.force:
            raise InputError("--to and --force are about the page: they need --html")
        return compare(store, *runs)
    from bigbar.history.redraw import draw_both

    return draw_both(
        store, *runs, to=None if given.to is None else Path(given.to), force=given.force
    )


def _report(store: RunStore, given: argparse.Namespace) -> Answer:
    from bigbar.history.redraw import redraw

    to = None if given.to is None else Path(given.to)
    return redraw(
        store,
        _named(store, given.id),
        to=to,
        force=given.force,
        data=given.data,
        strategy=given.strategy,
    )


def _export(store: RunStore, given: argparse.Namespace) -> Answer:
    from bigbar.history.export import export

    to = None if given.to is None else Path(given.to)
    run = _named(store, given.id)
    return export(store, run, kind=given.format, to=to, force=given.force)


def _delete(store: RunStore, given: argparse.Namespace) -> Answer:
    from bigbar.history.delete import delete

    runs = [_to_delete(store, text) for text in given.ids]
    return delete(store, list({run.id: run for run in runs}.values()))


def _verify(store: RunStore, given: argparse.Namespace) -> Answer:
    from bigbar.history.verify import verify

    run = _named(store, given.id)
    return verify(
        store,
        run,
        count=given.sample,
        seed=given.seed,
        data=given.data,
        strategy=given.strategy,
    )


def _profile(store: RunStore, given: argparse.Namespace) -> Answer:
    from bigbar.history.profile import profile

    return profile(store, _named(store, given.id))
