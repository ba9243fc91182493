"""What went wrong in a strategy, in a line: out of a traceback, which is kept as text."""

from __future__ import annotations

import re
from pathlib import Path, PurePath

_HEAD = "Traceback (most recent call last):"

#: Stands between an exception and the one that was raised because of it.
_BECAUSE = "The above exception was the direct cause of the following exception:"

#: A frame of a traceback.
_FRAME = re.compile(r'^  File "(?P<file>[^"<>]+)", line (?P<line>\d+)', re.MULTILINE)

#: In the paths of files that are no trader's own: installed ones, Python's, and these here; and of
#: a notebook's cells, whose names say nothing.
_LIBRARIES = ("/site-packages/", "/dist-packages/", "/lib/python3", "/ipykernel_")
_HERE = Path(__file__).resolve().parent


def cause_of(reason: str) -> str:
    """The cause of a failure: type and first line of the exception that all others came of.

    Parameters
    ----------
    reason : str
        A traceback, or how a worker ended in words.

    Returns
    -------
    str
        In a line. An exception that was raised while another one was handled stands for itself.
    """
    text, parted = _parted(reason)
    return _raised(parted) or (text.splitlines() or ["no reason is known"])[-1]


def cause_and_place(reason: str) -> str:
    """The same, with the line of the trader's own code that it came of, if any did.

    "my.py:20: AttributeError: …"
    """
    below = _parted(reason)[1][-1]
    own = [found for found in _FRAME.finditer(below) if _is_own(found["file"])]
    place = f"{PurePath(own[-1]['file']).name}:{own[-1]['line']}: " if own else ""
    return f"{place}{cause_of(reason)}"


def _is_own(file: str) -> bool:
    plain = file.replace("\\", "/")
    return not (any(one in plain for one in _LIBRARIES) or Path(file).is_relative_to(_HERE))


def _parted(reason: str) -> tuple[str, tuple[str, str, str]]:
    """The text, and what stands before and after the head of the traceback that tells the cause."""
    text = reason.strip()
    parted = text.split(_BECAUSE)[0].rpartition(_HEAD)
    return text, parted if _raised(parted) is not None else text.rpartition(_HEAD)


def _raised(parted: tuple[str, str, str]) -> str | None:
    """The first line below the frames of a traceback: "ValueError: no such level"."""
    _, head, below = parted
    if not head:
        return None
    lines = below.strip("\n").splitlines()
    return next((line for line in lines if line and not line[0].isspace()), None)


def cause_in(problem: BaseException) -> str:
    """The same of an exception that is at hand: "ValueError: no such level"."""
    while problem.__cause__ is not None:
        problem = problem.__cause__
    said = str(problem).strip().splitlines()
    name = type(problem).__name__
    return f"{name}: {said[0]}" if said else name
