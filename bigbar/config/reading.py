"""A file of settings as TOML has it, and where in it a setting stands."""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bigbar.errors import SettingsError
from bigbar.user_code import is_file, split_path

#: A larger file is something else, or a mistake.
_MOST_BYTES = 256 * 1024

#: `tomllib` takes memory by the square of the parts of a key: a.b.c has three.
_MOST_PARTS = 32

#: Strings and comments, also those that do not end.
_STRINGS = re.compile(
    r'"""(?:[\s\S]*?"""|[\s\S]*)|'
    r"'''(?:[\s\S]*?'''|[\s\S]*)|"
    r'"(?:\\.|[^"\\\n])*"?|'
    r"'[^'\n]*'?|#[^\n]*"
)

#: The line of a syntax error, at the end of what `tomllib` says.
_AT_LINE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")

#: What a table's line looks like.
_HEAD = re.compile(r"\s*\[{1,2}\s*(.*?)\s*\]{1,2}\s*(?:#.*)?$")


@dataclass(frozen=True)
class ConfigFile:
    """A file of settings that is TOML; whether its settings make sense is not known yet.

    Attributes
    ----------
    path : str
        As it was named.
    sha256 : str
        Of its bytes.
    text : str
    tables : dict
        What it holds.
    """

    path: str
    sha256: str
    text: str
    tables: Mapping[str, Any]

    @property
    def strategy(self) -> str | None:
        """What it names as the strategy, a file from where the settings are; None for nothing."""
        found = self.tables.get("strategy")
        if isinstance(found, str) and found.strip():
            return self.strategy_from_here(found)
        return None

    def from_here(self, path: str) -> str:
        """A path that stands in the file: relative ones begin in its folder."""
        return os.path.join(os.path.dirname(self.path), os.path.expanduser(path))

    def strategy_from_here(self, path: str) -> str:
        """The same for `file.py:Class`; names and modules stay."""
        where, name = split_path(path)
        if not is_file(where):
            return path
        return f"{self.from_here(where)}:{name}" if name else self.from_here(where)

    def line_of(self, *keys: str) -> int | None:
        """The line of a setting, its tables before it; None where that cannot be told."""
        lines = self.text.split("\n")
        whole, last = _written(keys), _written(keys[-1:])
        in_table = ""
        for number, line in enumerate(lines, 1):
            if head := _HEAD.match(line):
                in_table = head[1]
                if re.fullmatch(whole, in_table):
                    return number
            elif re.match(rf"\s*{last if _is_in(in_table, keys[:-1]) else whole}\s*[=.]", line):
                return number
        return self.line_of(*keys[:-1]) if len(keys) > 1 else None

    def refusal(self, what: str, *keys: str) -> SettingsError:
        """The error that names the file, the line of a setting if there is one, and what is wrong.

        Parameters
        ----------
        what : str
        *keys : str
            The setting, its tables before it.
        """
        line = self.line_of(*keys) if keys else None
        return SettingsError(f"{self.path}: {f'line {line}: ' if line else ''}{what}")


def _written(keys: tuple[str, ...]) -> str:
    """A pattern of how a key may be written."""
    parts = ["|".join((re.escape(k), f'"{re.escape(k)}"', f"'{re.escape(k)}'")) for k in keys]
    return r"\s*\.\s*".join(f"(?:{part})" for part in parts)


def _is_in(table: str, keys: tuple[str, ...]) -> bool:
    return bool(re.fullmatch(_written(keys), table)) if keys else not table


def read_config(path: str) -> ConfigFile:
    """Read a file of settings.

    Parameters
    ----------
    path : str

    Raises
    ------
    SettingsError
        If it cannot be read, is too large, or is no TOML, with the line.
    """
    try:
        with open(path, "rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as problem:
        why = getattr(problem, "strerror", None) or problem
        raise SettingsError(f"--config: {path} cannot be read: {why}") from problem
    if len(raw) > _MOST_BYTES:
        raise SettingsError(
            f"--config: {path} holds more than {_MOST_BYTES // 1024} kB, and so no settings"
        )
    text = _decoded(path, raw)
    return ConfigFile(path, hashlib.sha256(raw).hexdigest(), text, _parsed(path, text))


def _decoded(path: str, raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as problem:
        line = raw.count(b"\n", 0, problem.start) + 1
        raise SettingsError(
            f"{path}: line {line}: byte 0x{raw[problem.start]:02x} is no UTF-8, in which TOML is "
            "written; save the file as UTF-8"
        ) from None


def _hint(line: str) -> str:
    """How to write a line that is none of TOML, where its value only lacks quotes."""
    key, _, rest = line.partition("=")
    key, value = key.strip(), rest.partition("#")[0].strip()
    if not re.fullmatch(r"[\w.\-]+", key) or not re.fullmatch(r"[^\s\"'\[{][^\"']*", value):
        return ""
    with suppress(ValueError, RecursionError):
        tomllib.loads(f"value = {value}")
        return ""  # Something else is wrong.
    if value in ("True", "False"):
        return f"; write {key} = {value.lower()}"
    quote = "'" if "\\" in value else '"'
    return f"; write it in quotes: {key} = {quote}{value}{quote}"


def _parsed(path: str, text: str) -> dict[str, Any]:
    words = re.split(r"[^\w.\- \t]+", _STRINGS.sub("s", text))
    if any(word.count(".") >= _MOST_PARTS for word in words):
        raise SettingsError(f"{path}: it is nested too deeply to be settings")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise SettingsError(f"{path}: it is nested too deeply to be settings") from None
    except tomllib.TOMLDecodeError as problem:
        at = _AT_LINE.search(str(problem))
        line = at[1] if at and at[1] else str(text.count("\n") + 1)
        what = _AT_LINE.sub("", str(problem))
        hint = _hint(text.split("\n")[int(line) - 1])
        raise SettingsError(f"{path}: line {line}: this is no TOML: {what}{hint}") from None
    except ValueError:  # More digits than Python makes a number of.
        raise SettingsError(f"{path}: it holds a number of too many digits") from None
