"""The options of the commands that draw pages of stored runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def add_report(add: Callable[..., argparse.ArgumentParser], act: object) -> argparse.ArgumentParser:
    """The command that draws a run's page again."""
    command = add(
        "report",
        act,
        "draw the page of a run again",
        "One file, which needs no network. What the run is worth is found out again, by the steps "
        "it took then, which can take as long.",
    )
    command.add_argument("id", metavar="ID", help="number of the run, or last")
    add_page(command, "report-ID.html")
    command.add_argument("--data", metavar="FILE", help="the price file, if it was moved")
    command.add_argument(
        "--strategy",
        metavar="WHICH",
        help="the strategy, if it was moved: file.py:Class or package.module:Class",
    )
    return command


def add_page(command: argparse.ArgumentParser, name: str) -> None:
    """Where a page goes to."""
    command.add_argument(
        "--to", metavar="PATH", help=f"the file (default: {name} in the output folder)"
    )
    command.add_argument(
        "--force",
        action="store_true",
        help="write over a file that is there, though this program did not write it",
    )
