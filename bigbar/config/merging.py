"""The command line before the file, the file before the defaults."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bigbar.command_line import OnceParser, given_twice
from bigbar.config.values import PARAM, Config
from bigbar.errors import SettingsError
from bigbar.machine.other_programs import AUTO
from bigbar.spec import StrategySpec


class _Typed(argparse.Namespace):
    """Holds what was typed: argparse puts no default where something seems to be."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("_"):
            raise AttributeError(name)


def named_config(arguments: Sequence[str]) -> str | None:
    """The file of settings that a command line names.

    Raises
    ------
    SettingsError
        If it names two.
    """
    first = OnceParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    first.add_argument("--config", "--confi", "--conf")  # However short: it is read first.
    try:
        given, _ = first.parse_known_args(list(arguments))
    except argparse.ArgumentError:  # Nothing follows it: the whole parser says so.
        return None
    name: str | None = given.config
    return name


def typed_values(parser: argparse.ArgumentParser, words: Sequence[str]) -> dict[str, Any]:
    """What a command line says, and no default.

    Beside what the parser knows, `--plot=false` switches off what a file switches on.

    Parameters
    ----------
    parser : ArgumentParser
    words : sequence of str

    Raises
    ------
    SettingsError
        If it cannot be read.
    """
    flags = {
        name: action.dest
        for action in parser._actions
        for name in action.option_strings
        if action.nargs == 0 and action.const is True
    }
    left: list[str] = []
    off: dict[str, bool] = {}
    end = words.index("--") if "--" in words else len(words)
    for text in words[:end]:
        name, mark, value = text.partition("=")
        name = _whole_name(name.replace("_", "-"), parser) if mark else name
        if not mark or name not in flags:
            left.append(text)
        elif value.lower() == "true":
            left.append(name)
        elif value.lower() == "false":
            off[flags[name]] = False
        else:
            raise SettingsError(f"{name} is {value!r}, but takes true or false, or no value")
    typed = vars(parser.parse_args([*left, *words[end:]], _Typed()))
    for name, dest in flags.items():
        if dest in off and typed.get(dest):
            raise given_twice(name, "true", "false")
    return off | {dest: value for dest, value in typed.items() if value not in (None, [])}


def _whole_name(name: str, parser: argparse.ArgumentParser) -> str:
    """The option that a name is, or is cut short from; itself where that is none, or several."""
    known = parser._option_string_actions
    meant = [one for one in known if one.startswith(name)] if name.startswith("--") else []
    return meant[0] if name not in known and len(meant) == 1 else name


def unbeaten(
    config: Config, typed: Mapping[str, Any], parser: argparse.ArgumentParser, spec: StrategySpec
) -> Config:
    """The settings of a file that still count beside what was typed: the command line wins.

    Parameters
    ----------
    config : Config
    typed : mapping
        As `typed_values` has it.
    parser : ArgumentParser
    spec : StrategySpec

    Raises
    ------
    SettingsError
        If the file has settings that exclude each other.
    """
    named = _names(typed.get(PARAM, ()))
    beaten = (set(typed) - {PARAM}) | (named & set(spec.default_grid))
    if typed.get("workers", AUTO) != AUTO:
        beaten |= {"min_workers", "max_workers"}
    for group in parser._mutually_exclusive_groups:
        members = {action.dest for action in group._group_actions}
        if any(typed.get(dest) for dest in members):
            beaten |= members
            continue
        both = [dest for dest in config.values if dest in members and config.values[dest]]
        if len(both) > 1 and config.file is not None:
            first, second = (config.keys[dest][-1] for dest in both[:2])
            raise config.file.refusal(
                f"{second} and {first} exclude each other; leave one out", *config.keys[both[1]]
            )
    return config.without(beaten, parameters=named | set(typed))


def merged(
    parser: argparse.ArgumentParser, config: Config, typed: Mapping[str, Any]
) -> argparse.Namespace:
    """Every option with its value: as typed, else as in the file, else the default.

    Parameters stand where the file has them, also those that were typed: the points are numbered
    by that, and of the same ones a run goes on.
    """
    taking = [action for action in parser._actions if action.nargs != 0 or action.const is True]
    found = {action.dest: action.default for action in taking} | {**config.values, **typed}
    params = [*config.values.get(PARAM, ()), *typed.get(PARAM, ())]
    in_file = () if config.file is None else config.file.tables.get(PARAM, ())
    places = {name.strip(): place for place, name in enumerate(in_file)}
    found[PARAM] = sorted(params, key=lambda one: places.get(_name(one), len(places)))
    return argparse.Namespace(**found)


def _names(params: Iterable[str]) -> set[str]:
    return {_name(text) for text in params}


def _name(param: str) -> str:
    return param.partition("=")[0].strip()
