"""Text broken between words, so that it fits the terminal."""

from __future__ import annotations

import re
import textwrap

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


_OPTION = re.compile(r"--(no-)?([a-z][a-z-]*[a-z])(?: ([\d.]*\d|robust))?")


def as_arguments(text: str) -> str:
    """A text for somebody in Python: `--holdout 0.2` is `holdout=0.2` there."""

    def argument(found: re.Match[str]) -> str:
        denied, name, value = found.groups()
        name = name.replace("-", "_")
        if denied:
            return f"{name}=False"
        if value is None:
            return name
        return f"{name}={value!r}" if value.isalpha() else f"{name}={value}"

    return _OPTION.sub(argument, text)
