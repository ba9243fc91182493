"""What can be typed, as the parsers have it."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass

from bigbar.dashboard.command import make_parser as dashboard_parser
from bigbar.explanation import make_parser as explain_parser
from bigbar.history.command import make_parser as history_parser
from bigbar.machine.other_programs import AUTO
from bigbar.parser import make_parser
from bigbar.program import PROGRAM
from bigbar.statistics import STATISTICS, Better
from bigbar.strategies.find import BUILT_IN
from bigbar.strategies.listing import make_parser as strategies_parser

#: Placeholders that stand for a run.
_RUNS = ("ID", "A", "B")

#: What a placeholder of the help stands for, where its words are known.
_WORDS = {
    "STAT": tuple(s.name for s in STATISTICS if s.better in (Better.HIGHER, Better.LOWER)),
    "WHICH": tuple(BUILT_IN),
    "STRATEGY": tuple(BUILT_IN),
    **dict.fromkeys(_RUNS, ("last",)),
}

#: What an option may take, where its placeholder says less: a word, or an example of its form.
_OF_OPTION = {
    "keep": ("all", "top:1000"),
    "workers": (AUTO,),
    "cluster": (AUTO, "local:2"),
    "time_format": ("s", "ms", "us", "ns"),
}

#: Placeholders that stand for a path, or may.
_FILES = frozenset({"FILE.csv", "FILE.toml", "FILE", "PATH", "WHICH", "STRATEGY"})
_FOLDERS = frozenset({"DIR"})


@dataclass(frozen=True)
class Value:
    """What may stand in a place.

    Attributes
    ----------
    name : str
        A placeholder for it.
    words : tuple of str
    files, folders : bool
        Whether a path of such a kind may.
    runs : bool
        Whether the number of a run may, of those in the folder that `--output` names.
    """

    name: str
    words: tuple[str, ...] = ()
    files: bool = False
    folders: bool = False
    runs: bool = False


@dataclass(frozen=True)
class Option:
    """An option.

    Attributes
    ----------
    names : tuple of str
    text : str
        What it does, in a few words.
    value : Value or None
        What follows it; None for nothing.
    """

    names: tuple[str, ...]
    text: str
    value: Value | None


@dataclass(frozen=True)
class Command:
    """What can be typed after a word; after the program's name where that is empty."""

    name: str
    text: str
    options: tuple[Option, ...]
    places: tuple[Value, ...]


#: Finds the numbers in what `history --json` prints, which has a line for each.
IDS = r"""sed -n 's/^    "id": \([0-9]*\),*$/\1/p'"""


def program() -> str:
    """The name that is completed."""
    return PROGRAM


def all_commands() -> tuple[Command, ...]:
    """The command itself, then those that optimize nothing."""
    found = [_command("", make_parser())]
    for action in history_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            found += [_command(name, parser) for name, parser in action.choices.items()]
    for parser in (dashboard_parser(), strategies_parser(), explain_parser()):
        found.append(_command(parser.prog.rpartition(" ")[2], parser))
    return tuple(found)


def _command(name: str, parser: argparse.ArgumentParser) -> Command:
    text = _first(str(parser.description))
    options = tuple(
        Option(tuple(action.option_strings), _help(parser, action), _value(action))
        for action in parser._actions
        if action.option_strings
    )
    places = [_value(action) for action in parser._actions if not action.option_strings]
    return Command(name, text, options, tuple(place for place in places if place is not None))


def _value(action: argparse.Action) -> Value | None:
    if action.nargs == 0:
        return None
    name = str(action.metavar or action.dest)
    of_option = _OF_OPTION.get(action.dest) or _WORDS.get(name, ())
    words = tuple(map(str, action.choices or ())) or of_option
    if name == "all":  # --help all
        words = (name,)
    return Value(name, words, name in _FILES, name in _FOLDERS, name in _RUNS)


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    return _first(parser._get_formatter()._expand_help(action))


def _first(text: str) -> str:
    """What is said first: up to a default, an aside, or the end of a sentence."""
    return re.split(r" \(default|; |\. |: ", " ".join(text.split()))[0].rstrip(".")
