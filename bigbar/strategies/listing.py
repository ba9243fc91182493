"""`bigbar strategies`: which strategies can be named, and what each has to be optimized."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Sequence

from bigbar.command_line import Parser
from bigbar.errors import BigBarError
from bigbar.parameter import setting_text
from bigbar.printable import one_line
from bigbar.strategies.find import DEFAULT, Known, known_strategies
from bigbar.streams import printed


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    return Parser(
        prog="bigbar strategies",
        description="List the strategies that come along, and those that packages bring. A "
        "strategy of your own goes by file.py:Class or package.module:Class.",
    )


def main(arguments: Sequence[str]) -> int:
    """List them on standard output.

    Parameters
    ----------
    arguments : sequence of str
        Behind the command's name.

    Returns
    -------
    int
        0; 2 for an option that there is not.
    """

    def listed() -> str:
        make_parser().parse_args(list(arguments))
        return "\n\n".join(map(_told, known_strategies().values())) + "\n"

    return printed(listed)


def _told(known: Known) -> str:
    """Name, what it does, its parameters with their values; or why it cannot be had."""
    marks = ["the default"] if known.name == DEFAULT else []
    if known.brought_by != "bigbar":
        marks.append(f"from {known.brought_by}")
    head = known.name + (f" ({', '.join(marks)})" if marks else "")
    try:
        spec = known.spec()
        does = inspect.getdoc(spec.strategy) or spec.title
        lines = [does.splitlines()[0], setting_text(spec.attributes) or "no parameters"]
    except BigBarError as problem:
        lines = [str(problem)]
    return "\n".join([one_line(head), *(f"  {one_line(line)}" for line in lines)])
