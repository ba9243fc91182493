"""Texts from elsewhere, made fit for a terminal: they are not to steer it, nor to fake a line.

The names of files and columns, what is stored of earlier runs, the messages of exceptions: any of
them may hold escape sequences, which clear the screen or colour it, and marks that turn the
direction of writing around.
"""

from __future__ import annotations

import contextlib
import os
import sys
import unicodedata
from collections.abc import Iterable
from typing import Any, TextIO, cast

#: Control and format characters, halves of surrogate pairs, breaks of lines and of paragraphs.
_STEERING = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))

#: The exceptions: words of Persian and Hindi, and joined pictures, are not written without these.
_JOINERS = frozenset("\u200c\u200d")

_SHOWN = 60

#: So many different lines of a strategy at most are written by a process.
MOST_LINES = 100


def printable(text: str) -> str:
    r"""A text of several lines with control characters written out, `\x1b` for an escape.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Its line breaks stay.
    """
    if text.isprintable():
        return text
    return "".join(c if c == "\n" or not _steers(c) else _written_out(c) for c in text)


def one_line(text: str) -> str:
    r"""As `printable`, in a single line: a line break is written out as well, as `\n`."""
    return text if text.isprintable() else printable(text).replace("\n", r"\n")


def shown(value: object) -> str:
    """A value that somebody gave, as a message shows it: in a line, and not too long."""
    try:
        text = repr(value)
    except Exception:  # Whatever was given, the message about it is to come.
        text = f"<{type(value).__name__}>"
    text = one_line(" ".join(text.split()))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


class PrintableStream:
    """A text stream to which nothing is written that steers a terminal.

    Parameters
    ----------
    stream : TextIO
        Where it goes; all but the writing is its own.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, its control characters written out."""
        self._stream.write(printable(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class OnceStream(PrintableStream):
    """The same, but that a line which was written before is left out, and all after a number.

    What a strategy prints in `init` is then read once, not once a combination; and what it prints
    on every bar does not bury what the program has to say.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._seen: set[str] = set()
        self._begun = ""

    def write(self, text: str) -> int:
        """Write the lines that are ended by a text, if they are new."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            if line in self._seen or len(self._seen) >= MOST_LINES:
                continue
            self._seen.add(line)
            super().write(f"{line}\n")
            if len(self._seen) == MOST_LINES:
                super().write(f"(the strategy has printed {MOST_LINES} different lines; no more)\n")
        return len(text)

    def flush(self) -> None:
        """Have it arrive; a line that has no end yet as well."""
        begun, self._begun = self._begun, ""
        if begun and len(self._seen) < MOST_LINES:
            super().write(begun)
        self._stream.flush()


def print_printable() -> None:
    """Let nothing that this process prints steer the terminal: a strategy may print anything.

    What goes to standard output is written to standard error: the answer alone belongs there.
    """
    stream = sys.stderr
    if stream is not None:
        if not isinstance(sys.stdout, OnceStream):
            sys.stdout = cast(TextIO, OnceStream(stream))
        if not isinstance(stream, PrintableStream):
            sys.stderr = cast(TextIO, PrintableStream(stream))
    with contextlib.suppress(OSError):  # Of libraries that write past Python.
        os.dup2(2, 1)


def _steers(character: str) -> bool:
    return unicodedata.category(character) in _STEERING and character not in _JOINERS


def _written_out(character: str) -> str:
    code = ord(character)
    # Of a name that is no text, Python keeps the bytes like this.
    return rf"\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else ascii(character)[1:-1]
