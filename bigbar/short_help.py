"""The help of the command: examples first, what most runs need, and everything where asked for."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

#: What the help begins with, in place of a list of all options.
EXAMPLES = """\
bigbar FILE.csv [FILE.csv ...] [options]

examples:
  bigbar prices.csv
  bigbar prices.csv --strategy my.py:SmaCross --param fast=5:50:5
  bigbar prices.csv --maximize "Sharpe Ratio" --min-trades 50 --holdout 0.2
  bigbar eurusd.csv gbpusd.csv usdjpy.csv --common mean-rank"""

COMMANDS = (
    "Commands: 'bigbar history' lists the earlier runs in a folder; show, compare, report, export, "
    "delete, verify and profile are about them, dashboard shows them in a browser; strategies "
    "lists the strategies that can be named, and explain says what of a strategy is compiled. "
    "'bigbar COMMAND --help' says more. "
)

#: What most runs need, by their names in what is parsed: all that the short help shows.
_ESSENTIAL = frozenset(
    {
        *("files", "help", "strategy", "param", "constraint", "maximize", "min_trades"),
        *("commission", "spread", "holdout", "walk_forward", "workers", "verbose", "output"),
    }
)


class Help(argparse.Action):
    """Prints the help: what most runs need, or with `all` behind it everything."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs="?", metavar="all", help=help)

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> NoReturn:
        """Print it, and end."""
        if values != "all":
            _leave_essential(parser)
        parser.print_help()
        parser.exit()


def _leave_essential(parser: argparse.ArgumentParser) -> None:
    """Take everything else out of the help, and the groups that are empty then."""
    for group in parser._action_groups:
        for action in group._group_actions:
            if action.dest not in _ESSENTIAL:
                action.help = argparse.SUPPRESS
        if all(action.help == argparse.SUPPRESS for action in group._group_actions):
            group.description = None
    parser.epilog = f"Every option, and the exit codes: 'bigbar --help all'. {COMMANDS}"
