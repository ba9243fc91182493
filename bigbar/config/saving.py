"""Settings written to a file, that `--config` reads back to the same run."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bigbar.config.values import ACCOUNT, BACKTEST, DATA, NOT_SETTINGS, PARAM
from bigbar.errors import SettingsError
from bigbar.parameter import is_number, literal
from bigbar.report.files import OutputError, write_whole
from bigbar.report.ownership import is_same, is_there, place_of, refuse_to_lose
from bigbar.spec import StrategySpec
from bigbar.user_code import is_file, split_path
from bigbar.version import __version__

#: What is about this one run: whose rows it takes, and what it may write over.
OF_ONE_RUN = frozenset({"fresh", "resume", "retry_failed", "force"})

#: Written though nobody asked for it: they decide the answer, and defaults may change.
_DECIDING = frozenset({"strategy", "maximize", "min_trades", *ACCOUNT[:4]})

_DIGEST = re.compile(rb"# sha256 of what follows: ([0-9a-f]{64})\r?\n")

_ADVICE = "choose another file with --save-config"


@dataclass(frozen=True)
class Saving:
    """A file of settings to be written.

    Attributes
    ----------
    path : Path
    text : str
        What it is to hold.
    """

    path: Path
    text: str

    def check(self, sources: Iterable[str], *, force: bool) -> None:
        """Refuse, before any work, to write over what is not the program's.

        Parameters
        ----------
        sources : iterable of str
            The price files.
        force : bool
            Whether a file of settings may be replaced that this program did not write, or that
            was changed since.

        Raises
        ------
        SettingsError
            What it is, and what to do.
        """
        for source in sources:
            refuse_to_lose(self.path, place_of(source), advice=_ADVICE)
        if is_there(self.path) and not force and not _is_ours(self.path):
            raise SettingsError(
                f"{self.path} was not written by this program, or changed since; {_ADVICE}, or "
                "write over it with --force"
            )

    def write(self) -> None:
        """Write it whole, or not at all.

        Raises
        ------
        bigbar.report.files.OutputError
            If it cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise OutputError(
                f"cannot write {self.path}: {problem.strerror or problem}; {_ADVICE}"
            ) from problem
        write_whole(self.path, lambda part: part.write_bytes(self.text.encode()))


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.readline()
            digest, rest = _DIGEST.fullmatch(file.readline()), file.read()
    except OSError as problem:
        raise SettingsError(f"{path} cannot be read: {problem.strerror}; {_ADVICE}") from None
    return digest is not None and digest[1].decode() == hashlib.sha256(rest).hexdigest()


def saving_of(
    given: argparse.Namespace, spec: StrategySpec, parser: argparse.ArgumentParser
) -> Saving | None:
    """What `--save-config` is to write; None where that was not asked for.

    Parameters
    ----------
    given : Namespace
        Every option with its value.
    spec : StrategySpec
    parser : ArgumentParser
        Of the strategy.

    Raises
    ------
    SettingsError
        If the file is not called `.toml`, or a setting cannot be written as text.
    """
    if given.save_config is None:
        return None
    path = Path(given.save_config)
    if path.suffix.lower() != ".toml":
        raise SettingsError(f"--save-config {given.save_config!r}: name a file that ends in .toml")
    where = split_path(given.strategy)[0]
    if any(is_same(path, place_of(one)) for one in (where, *given.files)):
        raise SettingsError(f"{path} would be written over; {_ADVICE}")
    try:
        body = "".join(f"{line}\n" for line in _lines(given, spec, parser, path.parent))
        raw = body.encode()
    except UnicodeEncodeError as problem:
        raise SettingsError(
            f"--save-config: {problem.object!r} is no valid text, so no file of settings can hold "
            "it; rename the file"
        ) from None
    head = f"# Settings of BigBar optimizer {__version__}, by --save-config.\n"
    digest = f"# sha256 of what follows: {hashlib.sha256(raw).hexdigest()}\n"
    return Saving(path, head + digest + body)


def _lines(
    given: argparse.Namespace,
    spec: StrategySpec,
    parser: argparse.ArgumentParser,
    folder: Path,
) -> Iterator[str]:
    """The settings, in the order of the help; those of Backtest and the parameters at the end."""
    files = [file if file == "-" else _from(file, folder) for file in given.files]
    yield f"{DATA} = {_toml(files[0] if len(files) == 1 else files)}"
    account = []
    for action in parser._actions:
        if action.dest in NOT_SETTINGS | OF_ONE_RUN | {"files", PARAM}:
            continue
        value = _to_write(action, given, spec, folder)
        if value is not None and action.dest in ACCOUNT:
            account.append(f"{action.dest} = {_toml(value)}")
        elif value is not None:
            yield f"{action.dest.replace('_', '-')} = {_toml(value)}"
    yield from ("", f"[{BACKTEST}]", *account)
    if given.param:
        yield from ("", f"[{PARAM}]")
    for typed in given.param or ():
        name, _, text = typed.partition("=")
        yield f"{_key(name.strip())} = {_toml(_plain(text))}"


def _to_write(
    action: argparse.Action, given: argparse.Namespace, spec: StrategySpec, folder: Path
) -> Any:
    """A setting's value; None where the default will do."""
    value = getattr(given, action.dest)
    if action.dest in spec.default_grid:
        named = {typed.partition("=")[0].strip() for typed in given.param or ()}
        if value is None and not given.no_optimize and action.dest not in named:
            value = spec.default_grid[action.dest]
        return None if value is None else _plain(value)
    if value == action.default and action.dest not in _DECIDING | set(spec.settings):
        return None
    if action.dest == "output":
        return _from(value, folder)
    if action.dest == "strategy":
        where, name = split_path(value)
        if is_file(where):
            path = _from(where, folder)
            path = path if is_file(path) else f"./{path}"
            return f"{path}:{name}" if name else path
    if action.dest == "maximize" and isinstance(value, list) and len(value) == 1:
        return value[0]
    return _plain(value) if action.dest == "commission" else value


def _from(path: str, folder: Path) -> str:
    """A path as the file has it: from its folder where it is in there, else from the root."""
    whole, base = os.path.abspath(path), os.path.abspath(folder)
    inside = whole.startswith(os.path.join(base, ""))
    text = Path(os.path.relpath(whole, base) if inside else whole).as_posix()
    return f"./{text}" if text.startswith(("~", "-")) else text


def _plain(text: str) -> Any:
    """A number where the text is just that, written in the same way; else the text."""
    value = literal(text)
    return value if is_number(value) and repr(value) == text else text


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, int | float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
