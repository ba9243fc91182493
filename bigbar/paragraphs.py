"""Text for who reads it: broken to fit the terminal; of arguments, not options, in Python."""

from __future__ import annotations

import functools
import re
import textwrap
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from bigbar.errors import InputError

_P = ParamSpec("_P")
_Answer = TypeVar("_Answer")

#: Labels stand in a column of this many characters.
LABEL = 11

#: No line is broken here, as at no space before a unit.
_JOINT = "\u00a0"

_UNIT = re.compile(r"(?<=\d) (?=%|bp\b|days?\b|times?\b|trades?\b)")


def joined(text: str) -> str:
    """A text in which no line is broken."""
    return text.replace(" ", _JOINT)


def paragraph(text: str, width: int, *, first: str = "", indent: str = "") -> str:
    """A text in lines of a width.

    Parameters
    ----------
    text : str
        In one line.
    width : int
        A word that is longer stands in a line alone.
    first, indent : str, optional
        What stands before the first line, and before the others.
    """
    return textwrap.fill(
        _UNIT.sub(_JOINT, text),
        width,
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    ).replace(_JOINT, " ")


#: What has a name and a text.
_PARAMETER = re.compile(r"--param (\w+)=([^\s,;]+)")

#: An option; or what is quoted, such as another program's command.
_OPTION = re.compile(r"'[^']*'|(?<![\w-])--(no-)?([a-z][a-z-]*[a-z])(?: ([\d.]*\d|robust|peak))?")


def as_arguments(text: str) -> str:
    """A text for somebody in Python: `--holdout 0.2` is `holdout=0.2` there."""

    def argument(found: re.Match[str]) -> str:
        denied, name, value = found.groups()
        if name is None:
            return found[0]
        name = name.replace("-", "_")
        if denied:
            return f"{name}=False"
        if value is None:
            return name
        return f"{name}={value!r}" if value.isalpha() else f"{name}={value}"

    return _OPTION.sub(argument, _PARAMETER.sub(r'\1="\2"', text))


def refusing_in_python(function: Callable[_P, _Answer]) -> Callable[_P, _Answer]:
    """Have what a function refuses speak of arguments, not of options.

    It stands between the function and its caller: `stacklevel` counts it as well.
    """

    @functools.wraps(function)
    def called(*given: _P.args, **named: _P.kwargs) -> _Answer:
        try:
            return function(*given, **named)
        except InputError as problem:
            problem.args = tuple(
                as_arguments(one) if isinstance(one, str) else one for one in problem.args
            )
            raise

    return called
