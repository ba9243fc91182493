"""What the settings of a file come to: checked against the options of the parser."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

from bigbar.command_line import did_you_mean
from bigbar.config.reading import ConfigFile
from bigbar.errors import SettingsError
from bigbar.printable import shown
from bigbar.strategy_options import FILLS, option

#: The names of the tables, and what may stand in the second: arguments of `backtesting.Backtest`.
PARAM, BACKTEST = "param", "backtest"
ACCOUNT = ("cash", "commission", "spread", "margin", *FILLS)

#: The price file.
DATA = "data"

#: Options that are about this command alone; the file would name itself, or stop the run.
NOT_SETTINGS = frozenset({"help", "version", "config", "save_config", "completion"})

#: Options that may be given several times, which in a file may be a list of texts; an example.
_TEXTS = {"constraint": "fast < slow", "maximize": "Sharpe Ratio"}

#: What to write where nothing was written, for settings that take text.
_EXAMPLES = _TEXTS | {
    DATA: "prices.csv",
    "strategy": "my.py:SmaCross",
    "output": "results",
    "columns": "time=Date,close=Last",
    "keep": "top:1000",
}

#: Options that take text of numbers, which in a file may be numbers or a list of them.
_NUMBERS = "a number, a list of numbers, or text as on the command line"


@dataclass(frozen=True)
class Config:
    """The settings of a file, as the parser's options hold them.

    Attributes
    ----------
    file : ConfigFile or None
        None where there is none.
    values : dict
        By the name that an option has in what is parsed.
    keys : dict
        How each is called in the file: its tables, and itself.
    """

    file: ConfigFile | None
    values: Mapping[str, Any]
    keys: Mapping[str, tuple[str, ...]]

    @property
    def named(self) -> dict[str, str] | None:
        """The file and the digest of its bytes, as JSON holds it."""
        return None if self.file is None else {"path": self.file.path, "sha256": self.file.sha256}

    def placed(self, problem: SettingsError) -> SettingsError:
        """A problem of settings, with the line of the file that it speaks of, if it does."""
        if self.file is None:
            return problem
        message = str(problem)
        for dest, keys in self.keys.items():
            value = self.values.get(dest)
            texts = value if isinstance(value, list) else [value]
            quoted = any(isinstance(one, str) and repr(one) in message for one in texts)
            # A bare word such as `output` may be a part of any sentence.
            names = [option(keys[-1])] + [keys[-1]] * (
                len(keys) > 1 or dest in ACCOUNT or "_" in dest
            )
            if quoted or any(_says(message, name) for name in names):
                return self.file.refusal(message, *keys)
        return problem

    def without(self, beaten: Set[str], *, parameters: Set[str]) -> Config:
        """The rest, where some options and parameters do not count."""
        lost = beaten | {_parameter(name) for name in parameters}
        values = {dest: value for dest, value in self.values.items() if dest not in lost}
        if PARAM in values:
            kept = [one for one in values[PARAM] if one.partition("=")[0] not in parameters]
            values[PARAM] = kept
        keys = {dest: key for dest, key in self.keys.items() if dest not in lost}
        return Config(self.file, values, keys)


def _says(message: str, name: str) -> bool:
    return bool(re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", message))


def _parameter(name: str) -> str:
    """What a parameter is called beside the options, among which there may be one of its name."""
    return f"{PARAM} {name}"


#: Where no file was named.
NO_CONFIG = Config(None, {}, {})


def config_of(file: ConfigFile, parser: argparse.ArgumentParser) -> Config:
    """The settings of a file.

    Parameters
    ----------
    file : ConfigFile
    parser : ArgumentParser
        Of its strategy.

    Raises
    ------
    SettingsError
        With file and line: for a key that is none, with the nearest; for one that is given twice;
        for a value of another type, or one that the option refuses.
    """
    actions = {action.dest: action for action in parser._actions if action.dest != "files"}
    settings = {dest: one for dest, one in actions.items() if dest not in NOT_SETTINGS}
    values: dict[str, Any] = {}
    keys: dict[str, tuple[str, ...]] = {}
    for given, found in _flat(file, settings):
        dest = given[-1].replace("-", "_")
        if dest in keys:
            raise file.refusal(f"{_called(given)} is given twice", *given)
        keys[dest] = given
        if found != [] or dest != "constraint":  # There may well be no condition.
            _refuse_empty(file, given, found)
        if dest == DATA:
            several = found if isinstance(found, list) else [found]
            paths = [_text(file, given, one) for one in several]
            values["files"] = [one if one == "-" else file.from_here(one) for one in paths]
        else:
            values[dest] = _value(file, given, found, settings[dest], parser)
    if DATA in keys:
        keys["files"] = keys.pop(DATA)
    if PARAM in file.tables:
        values[PARAM], named = _parameters(file)
        keys |= named
    return Config(file, values, keys)


def _flat(
    file: ConfigFile, settings: Mapping[str, argparse.Action]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every setting with its tables, parameters aside."""
    for key, found in file.tables.items():
        dest = key.replace("-", "_")
        if key in (PARAM, BACKTEST):
            if not isinstance(found, dict):
                raise file.refusal(f"{key} must be a table: [{key}]", key)
            for name, value in found.items() if key == BACKTEST else ():
                if name.replace("-", "_") not in ACCOUNT:
                    outside = name.replace("-", "_") in (*settings, DATA)
                    hint = f"; it goes above [{BACKTEST}]" if outside else ""
                    near = hint or did_you_mean(name, ACCOUNT) or f"; it has {', '.join(ACCOUNT)}"
                    raise file.refusal(f"there is no setting {name!r} in [{key}]{near}", key, name)
                yield (key, name), value
        elif dest == DATA or (dest in settings and dest != PARAM):
            yield (key,), found
        else:
            raise _unknown(file, key, dest, settings)


def _unknown(
    file: ConfigFile, key: str, dest: str, settings: Mapping[str, argparse.Action]
) -> SettingsError:
    if dest in NOT_SETTINGS:
        return file.refusal(f"{key} goes on the command line, not into a file of settings", key)
    names = {one: one.replace("_", "-") for one in (*settings, DATA) if one != PARAM}
    tables = {PARAM: f"[{PARAM}]", BACKTEST: f"[{BACKTEST}]"}
    near = did_you_mean(dest, [*names, *tables])
    for one, written in (names | tables).items():
        near = near.replace(f"did you mean {one}?", f"did you mean {written}?")
    near = near or f"; parameters of the strategy go into [{PARAM}], options are in --help all"
    return file.refusal(f"there is no setting {key!r}{near}", key)


def _called(keys: tuple[str, ...]) -> str:
    return keys[0] if len(keys) == 1 else f"[{keys[0]}] {keys[1]}"


def _wrong(file: ConfigFile, keys: tuple[str, ...], found: Any, wanted: str) -> SettingsError:
    kinds = {bool: "true or false", dict: "a table", list: "a list", str: "text"}
    kind = kinds.get(type(found), "a number" if isinstance(found, int | float) else "a date")
    plain = str(found).lower() if isinstance(found, bool) else str(found)
    value = plain if isinstance(found, bool) or kind == "a date" else shown(found)
    return file.refusal(f"{_called(keys)} is {value} ({kind}), but takes {wanted}", *keys)


def _refuse_empty(file: ConfigFile, keys: tuple[str, ...], found: Any) -> None:
    """Refuse what says nothing: an empty text or list, or an empty text in a list.

    Raises
    ------
    SettingsError
        With the line, and what to write.
    """
    if isinstance(found, str) and not found.strip():
        what = "an empty text"
    elif isinstance(found, list) and not found:
        what = "an empty list"
    elif isinstance(found, list) and any(isinstance(one, str) and not one.strip() for one in found):
        what = "a list with an empty text"
    else:
        return
    example = _EXAMPLES.get(keys[0]) if len(keys) == 1 else None
    write = "give it a value" if example is None else f'write {keys[-1]} = "{example}"'
    raise file.refusal(f"{_called(keys)} is {what}; {write}, or leave the line out", *keys)


def _text(file: ConfigFile, keys: tuple[str, ...], found: Any) -> str:
    if not isinstance(found, str):
        raise _wrong(file, keys, found, "text in quotes")
    if "\0" in found:
        raise _wrong(file, keys, found, "text without a character of number 0")
    return found


def _value(
    file: ConfigFile,
    keys: tuple[str, ...],
    found: Any,
    action: argparse.Action,
    parser: argparse.ArgumentParser,
) -> Any:
    """What an option would hold if this were typed."""
    if action.nargs == 0:
        if not isinstance(found, bool):
            raise _wrong(file, keys, found, "true or false")
        return found
    if action.dest in _TEXTS:
        several = found if isinstance(found, list) else [found]
        if not all(isinstance(one, str) for one in several):
            raise _wrong(
                file, keys, found, f"text or a list of texts, such as {_TEXTS[action.dest]!r}"
            )
        return several
    if action.dest == "strategy":
        return file.strategy_from_here(_text(file, keys, found))
    if action.dest == "output":
        return file.from_here(_text(file, keys, found))
    if action.metavar == "AXIS" or action.dest == "commission":
        return _numbers(file, keys, found)
    if action.type is None:
        text = _text(file, keys, found)
    elif isinstance(found, str) and not _is_number(found):
        text = found
    elif isinstance(found, int | float) and not isinstance(found, bool):
        text = _typed_as(file, keys, found)
    else:
        raise _wrong(file, keys, found, "a number, without quotes")
    try:
        value = parser._get_value(action, text)
        parser._check_value(action, value)
    except argparse.ArgumentError as problem:
        raise file.refusal(f"{_called(keys)}: {problem.message}", *keys) from None
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numbers(file: ConfigFile, keys: tuple[str, ...], found: Any, wanted: str = _NUMBERS) -> str:
    """Values as they would be typed."""
    several = found if isinstance(found, list) else [found]
    if not all(isinstance(one, str | int | float) for one in several):
        raise _wrong(file, keys, found, wanted)
    if len(several) > 1 and any(isinstance(one, str) and "," in one for one in several):
        raise _wrong(file, keys, found, "no text with a comma beside other values")
    return ",".join(_typed_as(file, keys, one) for one in several)


def _typed_as(file: ConfigFile, keys: tuple[str, ...], one: str | int | float) -> str:
    try:
        return one if isinstance(one, str) else repr(one)
    except ValueError:  # Hexadecimal digits without end.
        raise file.refusal(f"{_called(keys)} is a number of too many digits", *keys) from None


def _parameters(file: ConfigFile) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """`[param]` as it would be typed, and how each is called."""
    typed: list[str] = []
    keys: dict[str, tuple[str, ...]] = {}
    for name, found in file.tables[PARAM].items():
        where = (PARAM, name)
        if not name.strip() or "=" in name:
            raise file.refusal(f"{name!r} in [{PARAM}] is no name of a parameter", *where)
        _refuse_empty(file, where, found)
        typed.append(
            f"{name.strip()}={_numbers(file, where, found, 'a value, a list or start:stop:step')}"
        )
        keys[_parameter(name.strip())] = where
    return typed, keys
