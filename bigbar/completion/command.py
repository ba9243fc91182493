"""The command `bigbar --completion bash|zsh|fish`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from bigbar.command_line import Parser
from bigbar.completion import bash, fish, zsh
from bigbar.completion.model import all_commands, program
from bigbar.parser import SHELLS
from bigbar.streams import printed

_SCRIPTS = {"bash": bash.script, "zsh": zsh.script, "fish": fish.script}


def make_parser() -> argparse.ArgumentParser:
    """The parser: the option alone."""
    parser = Parser(prog=program(), add_help=False)
    parser.add_argument("--completion", choices=SHELLS, required=True)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Print the script of a shell.

    Parameters
    ----------
    arguments : sequence of str
        The option and the shell, and nothing else.

    Returns
    -------
    int
        0; 2 for a shell that there is not, or for anything else beside it.
    """

    def script() -> str:
        shell = make_parser().parse_args(list(arguments)).completion
        return _SCRIPTS[shell](all_commands())

    return printed(script)
