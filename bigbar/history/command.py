"""The command line of `python -m bigbar`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bigbar.errors import BigBarError, InputError
from bigbar.store.records import Run
from bigbar.store.runs import RunStore
from bigbar.store.schema import RUNS
from bigbar.version import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command on the runs of an output folder.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; `sys.argv` by default.

    Returns
    -------
    int
        0 done; 1 a check found a difference; 2 the store or an option cannot be used.
    """
    given = make_parser().parse_args(arguments)
    act: Callable[[RunStore, argparse.Namespace], tuple[str, Any, int]] = given.act
    try:
        text, told, code = _with_store(given, act)
    except BigBarError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return max(problem.exit_code, 2)
    try:
        print(json.dumps(told, indent=2, ensure_ascii=False) if given.json else text)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has seen enough; the interpreter would complain about it once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _with_store(
    given: argparse.Namespace, act: Callable[[RunStore, argparse.Namespace], tuple[str, Any, int]]
) -> tuple[str, Any, int]:
    path = Path(given.output) / RUNS
    if not path.is_file():
        raise InputError(
            f"there is no {path}: runs are kept in the output folder of the optimizer; name it "
            "with --output DIR"
        )
    with RunStore(path, read_only=given.act is not _delete) as store:
        return act(store, given)


def make_parser() -> argparse.ArgumentParser:
    """The parser, a command each."""
    parser = argparse.ArgumentParser(
        prog="python -m bigbar",
        description="Look at what is kept of earlier runs, compare them, and check them.",
        epilog="A run is named by its number, or `last`. Exit codes: 0 done; 1 a check found a "
        "difference; 2 the store or an option cannot be used.",
    )
    parser.add_argument("--version", action="version", version=f"BigBar optimizer {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, act: object, text: str, *runs: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        for run in runs:
            command.add_argument(run, metavar=run.upper(), help="number of a run, or last")
        command.add_argument(
            "--output",
            metavar="DIR",
            default="bigbar_output",
            help="folder of the runs (default: %(default)s)",
        )
        command.add_argument("--json", action="store_true", help="for machines")
        command.set_defaults(act=act)
        return command

    add("history", _history, "list all runs, the newest last")
    add("show", _show, "print one run as it was", "id")
    add("compare", _compare, "put two runs side by side", "a", "b")
    export = add("export", _export, "write the rows of a run to a file", "id")
    export.add_argument(
        "--format",
        choices=("parquet", "csv", "json"),
        default="parquet",
        help="(default: %(default)s)",
    )
    export.add_argument(
        "--to", metavar="PATH", help="the file (default: run-ID.FORMAT in the folder of the runs)"
    )
    delete = add("delete", _delete, "remove runs, and give their room back to the disk")
    delete.add_argument("ids", metavar="ID", nargs="+", help="numbers of runs, or last")
    verify = add(
        "verify", _verify, "replay a run's winner and a sample through backtesting.py", "id"
    )
    verify.add_argument(
        "--sample",
        metavar="N",
        type=_count,
        default=10,
        help="combinations besides the winner (default: %(default)s)",
    )
    verify.add_argument("--data", metavar="FILE", help="the price file, if it was moved")
    add("profile", _profile, "print where a run's time and memory went", "id")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 up")
    return int(text)


def _named(store: RunStore, text: str) -> Run:
    """The run that somebody means."""
    if text == "last":
        runs = store.runs()
        if not runs:
            raise InputError(f"there is no run yet in {store.path}")
        return runs[0]
    if not text.isdecimal():
        raise InputError(f"{text!r} is no run; give its number, as `history` lists it, or last")
    return store.run(int(text))


def _history(store: RunStore, _: argparse.Namespace) -> tuple[str, Any, int]:
    from bigbar.history import listing

    return listing.list_runs(store), [listing.as_json(run) for run in store.runs()], 0


def _show(store: RunStore, given: argparse.Namespace) -> tuple[str, Any, int]:
    from bigbar.history import show

    run = _named(store, given.id)
    return show.show(store, run), show.as_json(store, run), 0


def _compare(store: RunStore, given: argparse.Namespace) -> tuple[str, Any, int]:
    from bigbar.history import compare

    runs = _named(store, given.a), _named(store, given.b)
    if given.json:
        return "", compare.as_json(store, *runs), 0
    return compare.compare(store, *runs), None, 0


def _export(store: RunStore, given: argparse.Namespace) -> tuple[str, Any, int]:
    from bigbar.history.export import export

    run = _named(store, given.id)
    to = Path(given.to or store.path.parent / f"run-{run.id}.{given.format}")
    path, rows = export(store, run, kind=given.format, to=to)
    part = "" if rows == run.combinations else f" of {run.combinations:,}: run {run.state}"
    return f"{path}: {rows:,} combinations{part}", {"path": str(path), "rows": rows}, 0


def _delete(store: RunStore, given: argparse.Namespace) -> tuple[str, Any, int]:
    numbers = list(dict.fromkeys(_named(store, text).id for text in given.ids))
    before = store.path.stat().st_size
    for number in numbers:
        store.delete(number)
    freed = max(0, before - store.path.stat().st_size)
    names = ", ".join(map(str, numbers))
    from bigbar.quantities import as_bytes

    return (
        f"deleted run{'' if len(numbers) == 1 else 's'} {names}; {as_bytes(freed)} given back",
        {"deleted": numbers, "freed_bytes": freed},
        0,
    )


def _verify(store: RunStore, given: argparse.Namespace) -> tuple[str, Any, int]:
    from bigbar.history.verify import verify

    run = _named(store, given.id)
    found = verify(store, run, count=given.sample, data=given.data)
    lines = [f"run {run.id}: {found.replayed} combinations replayed through backtesting.py"]
    if found.problems:
        lines += found.problems
    else:
        lines[0] += f", all equal (largest relative difference {found.largest:.0e})"
    if found.changed:
        lines.append(f"not as it was: {', '.join(found.changed)}")
    return "\n".join(lines), found.as_json(), 1 if found.problems else 0


def _profile(store: RunStore, given: argparse.Namespace) -> tuple[str, Any, int]:
    from bigbar.metrics import describe, from_json

    run = _named(store, given.id)
    told = store.told(run.id).metrics
    if told is None:
        raise InputError(
            f"run {run.id} has no profile: it is {run.state}, and one is kept when a run ends"
        )
    return describe(from_json(told)), told, 0
