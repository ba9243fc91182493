"""Standard streams whose listener may have gone: a closed pipe, a closed terminal, a full disk.

What a run has to say then goes nowhere; the run goes on. A stream may also be missing from the
start (`>&-`, `pythonw`, some services): Python then has None in its place.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, TextIO, cast

from bigbar.errors import BigBarError
from bigbar.printable import PrintableStream, one_line


class Listened:
    """A stream to write text to for as long as somebody listens.

    Parameters
    ----------
    stream : TextIO or None

    Attributes
    ----------
    lost : OSError or ValueError or None
        Why nobody listens any more; None while somebody does, and where nobody ever did.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.lost: OSError | ValueError | None = None

    def write(self, text: str) -> int:
        """Write, or lose, a text; its length."""
        self._attempt("write", text)
        return len(text)

    def flush(self) -> None:
        """Have it arrive."""
        self._attempt("flush")

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return bool(self._attempt("isatty"))

    def __getattr__(self, name: str) -> Any:
        """All else, such as `encoding`, is the stream's own."""
        return getattr(self._stream, name)

    def _attempt(self, what: str, *arguments: str) -> Any:
        if self._stream is None or self.lost is not None:
            return None
        try:
            return getattr(self._stream, what)(*arguments)
        except (
            BlockingIOError
        ):  # A pipe that is full for now, and does not wait: this text is lost.
            return None
        except (OSError, ValueError) as lost:  # ValueError: somebody closed it.
            self.lost = lost
            return None


def open_missing_streams() -> None:
    """Open the null device in place of standard streams that the shell has closed.

    Otherwise the next files that are opened get their numbers, and the store would hold what the
    C library, or a process that crashes, has to say. And `print` takes standard output where
    standard error is None.
    """
    with contextlib.suppress(OSError):  # No null device, no place for it.
        for number in range(3):
            try:
                os.fstat(number)
            except OSError:
                os.open(os.devnull, os.O_RDWR)  # Gets the lowest number that is free.
                os.set_inheritable(number, True)
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:
                nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - to the end
                setattr(sys, name, nowhere)


#: What stands for signs that an encoding does not know: a minus may not become a question mark.
_PLAIN_SIGNS = {
    "−": "-", "–": "-", "×": "x", "·": "|", "…": "...", "✗": "x", "✓": "+", "µ": "u", "\u00a0": " ",
}  # fmt: skip


def _plain_sign(problem: UnicodeError) -> tuple[str, int]:
    if not isinstance(problem, UnicodeEncodeError):
        raise problem
    unknown = problem.object[problem.start : problem.end]
    return "".join(_PLAIN_SIGNS.get(sign, "?") for sign in unknown), problem.end


def any_encoding() -> None:
    """Have what a standard stream's encoding does not know arrive as the nearest that it does."""
    codecs.register_error("bigbar.plain", _plain_sign)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="bigbar.plain")


@contextlib.contextmanager
def answer_apart() -> Iterator[None]:
    """Have whatever is printed meanwhile go to standard error, by Python or past it.

    Standard output is for the answer. It is there again afterwards, even if somebody closed it.
    """
    stream, number = sys.stdout, -1
    with contextlib.suppress(OSError, ValueError, AttributeError):
        stream.flush()
        number = stream.fileno()
    kept = -1
    with contextlib.suppress(OSError, ValueError, AttributeError):
        kept = os.dup(number) if number >= 0 else -1
        if kept >= 0:
            os.dup2(sys.stderr.fileno(), number)
    try:
        with contextlib.redirect_stdout(cast(TextIO, PrintableStream(sys.stderr))):
            yield
    finally:
        if kept >= 0:
            os.dup2(kept, number)
            os.close(kept)


def say(text: str) -> None:
    """Write a line to standard error, if anybody listens."""
    stream = Listened(sys.stderr)
    stream.write(f"{text}\n")
    stream.flush()


def let_go() -> None:
    """Give up what standard streams could not deliver, at the end of a command.

    Otherwise the interpreter tries again when it ends, complains, and changes the exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        listened = Listened(stream)
        listened.flush()
        if listened.lost is not None:
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)


def printed(make: Callable[[], str]) -> int:
    """Carry out a small command: print what it makes, or the sentence of the error that it raises.

    Returns
    -------
    int
        The exit code.
    """
    open_missing_streams()
    any_encoding()
    try:
        text = make()
        listened = Listened(sys.stdout)
        listened.write(text)
        listened.flush()
    except BigBarError as problem:
        say(f"error: {one_line(str(problem))}")
        return problem.exit_code
    finally:
        let_go()
    return 0
