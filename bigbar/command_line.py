"""The reading of command lines: what was mistyped is named, with what was likely meant."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from typing import Any, NoReturn

from bigbar.errors import SettingsError
from bigbar.given import MOST

#: What stands for a number, or an axis of numbers, though it begins like an option.
_NEGATIVE = re.compile(r"-\.?\d")

#: What argparse says, and the same in plain words. An option of several names goes by its last.
_IN_PLAIN_WORDS = (
    (r"the following arguments are required: (.+)", r"\1 is missing; --help says what it is"),
    (r"(?:\S+/)?(\S+): expected one argument", r"\1 needs a value; --help says which"),
    (r"(?:\S+/)?(\S+): ignored explicit argument (.+)", r"\1 is \2, but takes no value"),
    (
        r"(?:\S+/)?(\S+): not allowed with argument (?:\S+/)?(\S+)",
        r"\1 and \2 exclude each other; leave one out",
    ),
    (r"ambiguous option: ([^\s=]+).* could match (.+)", r"\1 may be \2; write it out"),
)


class Several(argparse.Action):
    """An option that may be given several times; a list of what was given, else its default."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        held = getattr(namespace, self.dest, None)
        setattr(namespace, self.dest, [*(held if isinstance(held, list) else []), values])


class OnceParser(argparse.ArgumentParser):
    """A parser that refuses an option of one value that is given twice: neither would be sure.

    What is meant to be repeated has another action than argparse's usual one.

    Raises
    ------
    SettingsError
        With both values.
    """

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse's."""
        self._texts: dict[str, str] = {}
        found: tuple[argparse.Namespace, list[str]] = super().parse_known_args(args, namespace)
        return found

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        if action.option_strings and isinstance(action, argparse._StoreAction):
            text = arg_strings[-1]
            if action.dest in self._texts:
                name = max(action.option_strings, key=len)
                raise given_twice(name, self._texts[action.dest], text)
            self._texts[action.dest] = text
        return super()._get_values(action, arg_strings)


def given_twice(name: str, first: str, second: str) -> SettingsError:
    """The error that names both values of what holds one."""
    return SettingsError(f"{name} is given twice, as {first!r} and as {second!r}; leave one out")


class Parser(OnceParser):
    """A parser that refuses by `SettingsError`, without its usage, and with the nearest name.

    Options may be written with underscores, as Python has them: `--k_atr` is `--k-atr`. A value
    may begin with a minus: `--previous-weight -0.1:0.8:0.1`.

    Raises
    ------
    SettingsError
        For what cannot be read.
    """

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse's, but that nothing is left over.

        An option that there is not is looked for first: what is missing may be missing for that.
        """
        given = self._understood(list(sys.argv[1:] if args is None else args))
        for name in _options_in(given):
            self._check_name(name)
        for name in _options_in(given[:1]):
            if not any(one.startswith(name) for one in self._option_string_actions):
                self.error(f"{name} goes behind the command")
        found: argparse.Namespace
        found, left = super().parse_known_args(given, namespace)
        several = [one for one in self._actions if not one.option_strings and one.nargs == "*"]
        if several:  # Those behind an option are left over by argparse.
            dest = several[0].dest
            if "--" in left:
                left.remove("--")
            setattr(found, dest, [*(getattr(found, dest) or ()), *left])
        elif left:
            places = [str(one.metavar) for one in self._actions if not one.option_strings]
            self.error(
                f"{left[0]!r} is one too many: besides options there is "
                + (f"just {', '.join(places)}" if places else "nothing to name")
            )
        return found, []

    def options_of(self, args: Sequence[str], *, without: Set[str] = frozenset()) -> list[str]:
        """The words of a command line that are options and their values: nothing else.

        Parameters
        ----------
        args : sequence of str
        without : set of str, optional
            Options to leave out, with their values, by their names in what is parsed.
        """
        kept: list[str] = []
        takes_value = wanted = False
        for text in args:
            if text == "--":
                break
            if takes_value:
                takes_value = False
            elif text.startswith("-") and text != "-":
                name, mark, value = text.partition("=")
                name = name.replace("_", "-") if name.startswith("--") else name
                takes_value = self._takes_value(name + mark + value)
                meant = {one.dest for key, one in self._named().items() if key.startswith(name)}
                wanted = not (meant and meant <= without)
            else:
                continue
            if wanted:
                kept.append(text)
        return kept

    def error(self, message: str) -> NoReturn:
        """Refuse."""
        message = message.removeprefix("argument ")
        for theirs, plain in _IN_PLAIN_WORDS:
            if found := re.fullmatch(theirs, message, re.DOTALL):
                raise SettingsError(found.expand(plain))
        raise SettingsError(message)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            names = [str(choice) for choice in action.choices]
            raise argparse.ArgumentError(
                action,
                f"{value!r} is none of {', '.join(names)}{did_you_mean(str(value), names)}",
            )

    def _understood(self, args: list[str]) -> list[str]:
        """With hyphens in the names, and values that begin with a minus tied to theirs."""
        found: list[str] = []
        takes_value = False
        for place, text in enumerate(args):
            if text == "--":
                return found + args[place:]
            if takes_value and _NEGATIVE.match(text):
                found[-1] += f"={text}"
                takes_value = False
                continue
            if text.startswith("--"):
                name, mark, value = text.partition("=")
                text = name.replace("_", "-") + mark + value
            takes_value = self._takes_value(text)
            found.append(text)
        return found

    def _takes_value(self, text: str) -> bool:
        if not text.startswith("--") or "=" in text:
            return False
        meant = [action for name, action in self._named().items() if name.startswith(text)]
        return bool(meant) and all(action.nargs != 0 for action in meant)

    def _named(self) -> dict[str, argparse.Action]:
        """Every option by its name, those of the commands below among them."""
        named: dict[str, argparse.Action] = {}
        for action in self._actions:
            named |= dict.fromkeys(action.option_strings, action)
            if isinstance(action, argparse._SubParsersAction):
                for parser in action.choices.values():
                    named |= parser._named()
        return named

    def _check_name(self, name: str) -> None:
        known = self._named()
        if name in known or (name.startswith("--") and any(one.startswith(name) for one in known)):
            return
        near = did_you_mean(f"--{name.lstrip('-')}", [one for one in known if one[:2] == "--"])
        self.error(f"there is no option {name!r}{near or '; --help lists all'}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about a name that there is not: the nearest that there is, if any.

    Parameters
    ----------
    name : str
        What was given.
    known : iterable of str
        What could have been.

    Returns
    -------
    str
        `; did you mean --k-atr?`, or nothing where none is near.
    """
    by_lower = {one.lower(): one for one in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f"; did you mean {by_lower[near[0]]}?" if near else ""


def _options_in(args: Sequence[str]) -> Iterator[str]:
    """Names that are given as options: before `--`, and no numbers."""
    for text in args:
        if text == "--":
            return
        if len(text) > 1 and text[0] == "-" and not _NEGATIVE.match(text):
            yield text.partition("=")[0]


def at_least(least: int) -> Callable[[str], int]:
    """A converter for argparse of whole numbers, that refuses those below the least."""

    def checked(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"{text} is below {least}")
        if value > MOST:
            raise argparse.ArgumentTypeError(f"{text} is too large")
        return value

    return checked


def number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def folder(text: str) -> str:
    """The name of a folder; a variable of the shell that is not set names none."""
    if not text.strip() or "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} names no folder; '.' is this one")
    return text
