"""`bigbar dashboard`: the runs of an output folder in a browser."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from bigbar.command_line import Parser, at_least, folder
from bigbar.dashboard.access import LOOPBACK, access_for, address_of, listening
from bigbar.errors import BigBarError, InputError
from bigbar.printable import one_line
from bigbar.store.schema import RUNS
from bigbar.streams import Listened, any_encoding, let_go, open_missing_streams, say

_HIGHEST_PORT = 65535


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Behind `bigbar dashboard`.

    Returns
    -------
    int
        0 when it was ended, by Ctrl-C or SIGTERM; 2 if it cannot listen, or an option is wrong.

    Raises
    ------
    SystemExit
        For `--help`.
    """
    open_missing_streams()
    any_encoding()
    try:
        _run(make_parser().parse_args(arguments))
    except BigBarError as problem:
        say(f"error: {one_line(str(problem))}")
        return problem.exit_code
    except KeyboardInterrupt:  # Before anybody could look.
        return 130
    finally:
        let_go()
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The parser."""
    parser = Parser(
        prog="bigbar dashboard",
        description="Show the runs of an output folder in a browser, live: progress, the best so "
        "far, heatmaps, earlier runs. It only reads, and answers this machine only, whoever has "
        "the address that it prints. Ctrl-C ends it; runs go on.",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=folder,
        default="bigbar_output",
        help="the output folder of the runs (default: %(default)s)",
    )
    parser.add_argument(
        "--port",
        metavar="N",
        type=at_least(0),
        default=0,
        help="to listen on (default: a free one)",
    )
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    parser.add_argument(
        "--allow-changes",
        action="store_true",
        help="let runs be stopped, resumed and deleted from the pages",
    )
    parser.add_argument(
        "--host",
        metavar="NAME",
        default="127.0.0.1",
        help="let other machines look: listen on this name or address, 0.0.0.0 for all of this "
        "machine's (default: %(default)s)",
    )
    return parser


def _run(given: argparse.Namespace) -> None:
    folder = Path(given.output)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--output: {folder} is no folder")
    if given.port > _HIGHEST_PORT:
        raise InputError(f"--port: {given.port} is above {_HIGHEST_PORT}, the highest")
    listener = listening(given.host, given.port)
    access = access_for(given.host, listener.getsockname()[1], allow_changes=given.allow_changes)
    address = address_of(given.host, access)
    # At once, before anything is imported that takes its time: connections wait meanwhile.
    out = Listened(sys.stdout)
    out.write(f"{address}\n")
    out.flush()
    if given.host not in LOOPBACK:
        say(
            "warning: other machines can reach this, and what goes over the network is not "
            "encrypted; whoever has the address sees all runs"
            + (", and may stop, resume and delete them" if given.allow_changes else "")
        )
    if not (folder / RUNS).exists():
        say(f"there are no runs in {one_line(str(folder))} yet; they appear as they begin")
    if sys.stderr.isatty():
        say("Ctrl-C ends the dashboard; runs go on")
    from bigbar.dashboard.serve import serve

    if given.open:
        import webbrowser

        # A browser in the terminal is waited for, and itself waits for an answer.
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    serve(listener, folder, access)
