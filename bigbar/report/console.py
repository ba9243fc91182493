"""How wide the terminal is, tables that fit into it, and colour where it is wanted."""

from __future__ import annotations

import io
import os
import re
import shutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

#: Where nothing else is known: a pipe without `COLUMNS`.
WIDTH = 80

#: In narrower terminals lines are broken no further, and in wider ones no later.
_LEAST, _MOST = 40, 120

#: What stands before a verdict, by its light: told by its shape where there is no colour.
MARKS = {"red": "✗", "amber": "!", "green": "✓"}

_COLOURS = {"✗": "bold red", "!": "bold yellow", "✓": "bold green"}

#: Lines about what went wrong begin with one of these.
_TROUBLE = r"^(Failed|Note|Stopped|Not verified)\b"


def terminal_width() -> int:
    """Characters in a line, by `COLUMNS` or the terminal, as far as they are used."""
    return min(_MOST, max(_LEAST, shutil.get_terminal_size((WIDTH, 24)).columns))


def drawn(what: RenderableType, width: int) -> str:
    """What `rich` makes of a table, as plain text; without empty lines around it."""
    console = _plain(width)
    console.print(what)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def wanted_width(what: RenderableType) -> int:
    """How wide a table would like to be."""
    console = _plain(10_000)
    return console.measure(what).maximum


def _plain(width: int) -> Console:
    from rich.console import Console

    return Console(
        file=io.StringIO(), width=width, color_system=None, highlight=False, markup=False,
        emoji=False, legacy_windows=False,
    )  # fmt: skip


def coloured(text: str, stream: Any) -> str:
    """An answer with colours, where a stream is a terminal that has them.

    `NO_COLOR`, `TERM=dumb`, and `CI` say that they are not wanted.

    Parameters
    ----------
    text : str
        Fit for a terminal: without control characters.
    stream : file object
        Where it will be written to.
    """
    if os.environ.get("CI") or not stream.isatty():
        return text
    from rich.console import Console
    from rich.text import Text

    found = Console(file=stream)
    if found.color_system is None or found.no_color:
        return text
    styled = Text(text, end="")
    for mark, style in _COLOURS.items():
        styled.highlight_regex(rf"(?m)^{re.escape(mark)} Verdict:[^\n]*", style)
    styled.highlight_regex(rf"(?m){_TROUBLE}", "bold yellow")
    styled.highlight_regex(r"(?m)^(Best|Robust choice|One combination)[^\n]*", "bold")
    styled.highlight_regex(r"(?m)^(Next|Report|Verified|More)\b", "cyan")
    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard")
    console.print(styled, soft_wrap=True, end="")
    result: str = console.file.getvalue()  # type: ignore[attr-defined]
    return result
