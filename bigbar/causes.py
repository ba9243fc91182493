"""What went wrong in a strategy, in a line: out of a traceback, which is kept as text."""

from __future__ import annotations

_HEAD = "Traceback (most recent call last):"

#: Stands between an exception and the one that was raised because of it.
_BECAUSE = "The above exception was the direct cause of the following exception:"


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
    text = reason.strip()
    found = _raised(text.split(_BECAUSE)[0].rpartition(_HEAD))
    if found is None:
        found = _raised(text.rpartition(_HEAD))
    return found or (text.splitlines() or ["no reason is known"])[-1]


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
