"""Parameters as people write them, and their values as text, numbers and JSON."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bigbar.errors import SettingsError

#: More values than this of one parameter is a typing mistake (such as 0:1:1e-9), not a grid.
MOST_VALUES = 100_000


@dataclass(frozen=True)
class Parameter:
    """One parameter and the values it takes, in the order given.

    Attributes
    ----------
    name : str
        As the strategy spells it.
    values : tuple
        At least one: numbers, truth values, text, None, or whatever the strategy takes.
    """

    name: str
    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise SettingsError(f"{self.name} has no values")

    @classmethod
    def parse(cls, name: str, text: str, *, as_text: bool = False) -> Parameter:
        """Read a parameter as typed: `start:stop:step` (ends included), `a,b,c`, or one value.

        Decimal steps give the doubles nearest to their printed decimals, so that the same value
        typed by hand is the same value.

        Parameters
        ----------
        name : str
        text : str
        as_text : bool, optional
            Whether the strategy has text there: then values are taken as they stand.

        Returns
        -------
        Parameter
            Values are of the type of their literal: `5`, `0.5`, `True`, `None`; else text.

        Raises
        ------
        SettingsError
            If the text is no such thing, naming the part that is not.
        """
        parts = [part.strip() for part in text.split(":")]
        if len(parts) == 3 and not as_text:
            return cls(name, tuple(stepped(name, *parts)))
        if len(parts) == 2 and not as_text and all(is_number(literal(part)) for part in parts):
            raise SettingsError(
                f"{name} {text!r} has no step; write {parts[0]}:{parts[1]}:1 (start:stop:step, "
                "ends included)"
            )
        values = [part.strip() for part in text.split(",")]
        if not all(values):
            raise SettingsError(
                f"{name} {text!r} has an empty value; write start:stop:step (ends included), a "
                "list a,b,c or one value"
            )
        return cls(name, tuple(values if as_text else map(literal, values)))

    def __len__(self) -> int:
        return len(self.values)

    def __str__(self) -> str:
        shown = [value_text(value) for value in self.values]
        if len(shown) > 3 or (len(shown) == 3 and self.is_ordered):
            return f"{shown[0]} … {shown[-1]}"
        return ", ".join(shown)

    @cached_property
    def are_numbers(self) -> bool:
        """Whether all values are finite numbers."""
        return all(is_number(value) for value in self.values)

    @cached_property
    def is_ordered(self) -> bool:
        """Whether values next to each other are near each other: numbers that only rise or fall."""
        if not self.are_numbers:
            return False
        steps = {b > a for a, b in itertools.pairwise(self.values) if a != b}
        return len(steps) <= 1 and len(set(self.values)) == len(self.values)

    @cached_property
    def sort_values(self) -> tuple[float, ...]:
        """What to sort a table by, for each value: itself, or its place where any is no number."""
        if self.are_numbers:
            return tuple(float(value) for value in self.values)
        return tuple(float(place) for place in range(len(self)))

    @cached_property
    def array(self) -> NDArray[Any]:
        """The values, typed as a column: int64, float64, bool, or objects."""
        kinds = {_kind(value) for value in self.values}
        if kinds == {"int"} and all(abs(int(value)) < 2**63 for value in self.values):
            return np.array([int(value) for value in self.values], np.int64)
        if kinds <= {"int", "float"}:
            return np.array([float(value) for value in self.values], np.float64)
        if kinds == {"bool"}:
            return np.array(self.values, np.bool_)
        found = np.empty(len(self.values), object)
        found[:] = self.values
        return found


def is_number(value: object) -> bool:
    """Whether a value is a finite number; truth values are none."""
    return _kind(value) in ("int", "float") and math.isfinite(value)  # type: ignore[arg-type]


def _kind(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return "bool"
    if isinstance(value, int | np.integer):
        return "int"
    return "float" if isinstance(value, float | np.floating) else "other"


def value_text(value: object) -> str:
    """A value as a person writes it."""
    return f"{value:.12g}" if _kind(value) == "float" else str(value)


def plain_point(point: Mapping[str, object]) -> dict[str, Any]:
    """A point as JSON holds it: numbers, truth values, text, null; others as a person has them."""
    return {name: plain_value(value) for name, value in point.items()}


def plain_value(value: object) -> Any:
    """A value as JSON holds it; see `plain_point`."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    return value if isinstance(value, float) and math.isfinite(value) else value_text(value)


def setting_text(point: Mapping[str, object]) -> str:
    """`n1=10, n2=20`: a point as a person reads it."""
    return ", ".join(f"{name}={value_text(value)}" for name, value in point.items())


_WORDS = {"true": True, "false": False, "none": None}


def literal(text: str) -> Any:
    """A value of the type that its literal has; text where it is none."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    return text


def decimal(name: str, text: str) -> Decimal:
    """A finite number as typed.

    Raises
    ------
    SettingsError
        If it is none.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("nan")
    if not (value.is_finite() and math.isfinite(float(value))):
        raise SettingsError(f"{name}: {text!r} is not a number")
    return value


def stepped(name: str, start: str, stop: str, step: str) -> list[int] | list[float]:
    """The values from start to stop, both included; whole numbers where all three are.

    Raises
    ------
    SettingsError
        If they are no numbers, or make no range.
    """
    first, last, by = (decimal(name, part) for part in (start, stop, step))
    text = f"{start}:{stop}:{step}"
    if by <= 0 or last < first:
        raise SettingsError(
            f"{name} {text!r}: the step must be above 0 and the stop not below the start"
        )
    # Not (stop - start) / step: no decimal holds the quotient of 1e300 and 1e-999999.
    if last - first >= by * MOST_VALUES:
        raise SettingsError(f"{name} {text!r} has more than {MOST_VALUES:,} values")
    values = [first + by * i for i in range(int((last - first) / by) + 1)]
    if all(isinstance(literal(part), int) for part in (start, stop, step)):
        return [int(value) for value in values]
    # Repeats can come of rounding: 0.1 and 0.1000000000000000000001 are one double.
    return list(dict.fromkeys(float(value) for value in values))


def several(given: Any) -> tuple[Any, ...]:
    """The values of what was given for a parameter: a sequence's items, or the one value."""
    if isinstance(given, str | bytes) or not isinstance(
        given, Sequence | np.ndarray | range | Iterator
    ):
        listed = getattr(given, "tolist", None)
        return tuple(given) if listed is not None and np.ndim(given) else (given,)
    return tuple(given)


#: What was told by `warn_of_ranges`: warnings by themselves come again in a loop.
_told: set[tuple[str, tuple[Any, ...]]] = set()


def warn_of_ranges(values: Mapping[str, Any], *, as_text: bool) -> None:
    """Say once of a tuple that looks like `(start, stop, step)` that it is a list of values.

    Parameters
    ----------
    values : mapping
        What a caller of the caller gave for each parameter.
    as_text : bool
        Whether a range may be given as typed.
    """
    for name, given in values.items():
        if not (isinstance(given, tuple) and len(given) == 3 and all(map(is_number, given))):
            continue
        start, stop, step = given
        if not (start < stop and 0 < step <= stop - start) or step > stop:
            continue
        if (name, given) in _told:
            continue
        _told.add((name, given))
        listed = ", ".join(map(value_text, given))
        if as_text:
            instead = repr(":".join(map(value_text, given)))
        elif all(_kind(value) == "int" for value in given):
            instead = f"range({start}, {stop + 1}, {step})"
        else:
            instead = f"numpy.arange({start}, {value_text(stop + step / 2)}, {step})"
        warnings.warn(
            f"{name}={given} is a list of the values {listed}; for a range write {name}={instead}",
            stacklevel=4,
        )
