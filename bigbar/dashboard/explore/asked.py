"""Questions as pages send them: JSON, of which nothing is believed."""

from __future__ import annotations

import json
import math
from typing import Any

from bigbar.errors import InputError

#: Longer questions are no questions: filters of all columns take a tenth of it.
MOST_CHARACTERS = 50_000


def question_in(text: str | None) -> dict[str, Any]:
    """A question from its JSON; none at all is an empty one.

    Raises
    ------
    InputError
        If it is something else.
    """
    if not text:
        return {}
    if len(text) > MOST_CHARACTERS:
        raise InputError(f"a question of {len(text):,} characters; {MOST_CHARACTERS:,} at most")
    try:
        found = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as problem:
        raise InputError(f"the question is no JSON ({problem})") from None
    if not isinstance(found, dict):
        raise InputError(f"the question is {_kind(found)}, not an object")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def known_only(given: dict[str, Any], known: tuple[str, ...], what: str) -> None:
    """Refuse names that mean nothing: they are typing mistakes."""
    for name in given:
        if name not in known:
            raise InputError(f"{what} has no {name!r:.60}; it has {', '.join(known)}")


def whole(given: dict[str, Any], name: str, default: int, *, least: int, most: int) -> int:
    """A whole number of a question.

    Raises
    ------
    InputError
        If it is none, or out of bounds.
    """
    value = given.get(name, default)
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    raise InputError(f"{name} is {shown(value)}, no whole number from {least:,} to {most:,}")


def number(value: object, what: str) -> float:
    """A finite number.

    Raises
    ------
    InputError
        If it is none.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
        if math.isfinite(found):
            return found
    raise InputError(f"{what} is {shown(value)}, no finite number")


def flag(given: dict[str, Any], name: str, default: bool) -> bool:
    """A truth value of a question."""
    value = given.get(name, default)
    if isinstance(value, bool):
        return value
    raise InputError(f"{name} is {shown(value)}, neither true nor false")


def one_of(given: dict[str, Any], name: str, known: tuple[str, ...]) -> str:
    """One of some words, the first by default."""
    value = given.get(name, known[0])
    if isinstance(value, str) and value in known:
        return value
    raise InputError(f"{name} is {shown(value)}; choose from {', '.join(known)}")


def shown(value: object) -> str:
    """A value for a message, as JSON has it, and not too much of it."""
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _kind(value: object) -> str:
    return {list: "a list", str: "text", bool: "a truth value"}.get(type(value), "a number")
