"""The family of errors a user can meet, each with the exit code that the command ends with.

Library code raises these; only the command turns them into a message and an exit code.
"""

from __future__ import annotations

import linecache
import os
import traceback
from typing import Any


def told(problem: BaseException) -> list[str]:
    """What a notebook shows of an exception whose message says it all: no pages of traceback.

    Returns
    -------
    list of str
        The user's line, and the message.
    """
    message = str(problem)
    name = type(problem).__name__
    return [*_line_of_the_user(problem), f"{name}: {message}" if message else name]


class Told:
    """An exception that IPython shows as `told`, in place of a traceback."""

    def _render_traceback_(self) -> list[str]:
        assert isinstance(self, BaseException)
        return told(self)


def _line_of_the_user(problem: BaseException) -> list[str]:
    """The last line that was run before the program's own; nothing where there is none."""
    before = None
    for frame, line in traceback.walk_tb(problem.__traceback__):
        if str(frame.f_globals.get("__name__")).partition(".")[0] == __package__:
            break
        before = frame, line
    if before is None:
        return []
    frame, line = before
    file = frame.f_code.co_filename
    text = linecache.getline(file, line, frame.f_globals).strip()
    # A cell of a notebook has the name of a file that is not there.
    where = f"{os.path.basename(file)}, line {line}" if os.path.isfile(file) else f"Line {line}"
    return [f"{where}: {text}"] if text else [where]


class BigBarError(Told, Exception):
    """Something went wrong that the user should read about; the message stands on its own."""

    exit_code = 1


class InputError(BigBarError):
    """The file or an option cannot be used as it is: what was found, where, and what to do."""

    exit_code = 2


class DataError(InputError):
    """The price file (or the given DataFrame) cannot be used."""


class SettingsError(InputError):
    """An option or a setting has a value that makes no sense."""


class NothingCounts(InputError):
    """Every combination was run, and none counts: no trade, too few, or no value to compare.

    Parameters
    ----------
    message : str
        Why, and which option to change.
    found : object, optional
        What the run has all the same: from `bigbar.optimize` the `Optimization`, with its table.
    """

    def __init__(self, message: str, found: Any = None) -> None:
        super().__init__(message)
        self.found = found


class NothingToRetry(BigBarError):
    """Combinations that failed were to be run again, and none has failed; nothing was touched."""

    exit_code = 0


class SettingsValueError(SettingsError, ValueError):
    """Where `backtesting.py` raises a ValueError."""


class SettingsTypeError(SettingsError, TypeError):
    """Where `backtesting.py` raises a TypeError."""


class SettingsAttributeError(SettingsError, AttributeError):
    """Where `backtesting.py` raises an AttributeError."""


class VerificationError(BigBarError):
    """The engine and `backtesting.py` disagree: the result must not be used."""

    exit_code = 1


class WorkersLostError(BigBarError):
    """Worker processes could not be started, or kept dying without a combination to blame."""

    exit_code = 1


class FailedCombinations(BigBarError):
    """The run finished, but some combinations raised or killed their worker."""

    exit_code = 3


class Interrupted(Told, BaseException):
    """Ctrl-C or a termination signal asked the run to stop.

    Derives from `BaseException`, like `KeyboardInterrupt`, so that no handler for ordinary
    errors swallows it on its way out.

    Parameters
    ----------
    signal_number : int
        The signal received; the exit code is 128 plus this number, as shells expect.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by signal {signal_number}")
        self.signal_number = signal_number
        #: What there is all the same: from `bigbar.optimize_many` the files that were finished.
        self.found: Any = None
        self.exit_code = 128 + signal_number
