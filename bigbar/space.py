"""The parameter grid: axes as people write them, and combination number to parameter values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any

import numpy as np

from bigbar.account import Parameters
from bigbar.errors import SettingsError
from bigbar.given import is_number, number, refusal

#: The axes in grid order (the first varies slowest), with the default grid as a user types it.
DEFAULT_AXES = {
    "atr_period": "10:100:1",
    "k_atr": "1.0:4.0:0.1",
    "uptail_max_ratio": "0.5:0.9:0.1",
    "previous_weight": "0.1:0.8:0.1",
    "buffer_ratio": "0.01",
}

#: More values than this on one axis is a typing mistake (such as 0:1:1e-9), not a grid.
MOST_VALUES = 100_000

#: A larger product is one as well: the table of a row a combination would take 25 GB.
MOST_COMBINATIONS = 100_000_000


@dataclass(frozen=True)
class Axis:
    """One parameter and the values it takes, ascending and without repeats.

    Attributes
    ----------
    name : str
        One of the strategy's parameters.
    values : tuple of int or float
        At least one value; whole numbers for `atr_period`.
    """

    name: str
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.name not in DEFAULT_AXES:
            raise SettingsError(
                f"unknown parameter {self.name!r}; the strategy has {', '.join(DEFAULT_AXES)}"
            )
        if not self.values:
            raise SettingsError(f"{self.name} has no values")
        if any(not math.isfinite(value) for value in self.values):
            raise SettingsError(f"{self.name} holds a value that is not a finite number")
        if any(b <= a for a, b in zip(self.values, self.values[1:], strict=False)):
            raise SettingsError(f"the values of {self.name} must be ascending, without repeats")
        self._check_range()

    def _check_range(self) -> None:
        low = self.values[0]
        if self.name == "atr_period" and (
            low < 1 or any(value != int(value) for value in self.values)
        ):
            raise SettingsError("atr_period takes whole numbers of bars, from 1 up")
        if self.name in ("k_atr", "uptail_max_ratio") and low < 0:
            raise SettingsError(f"{self.name} cannot be negative, found {low}")

    @classmethod
    def parse(cls, name: str, text: str) -> Axis:
        """Read an axis as typed: `start:stop:step` (ends included), `a,b,c`, or one value.

        A decimal axis holds the doubles nearest to its printed decimals, so that the same
        combination typed by hand is the same combination.

        Parameters
        ----------
        name : str
            The parameter.
        text : str
            The axis as typed; a list may come in any order and is sorted.

        Returns
        -------
        Axis

        Raises
        ------
        SettingsError
            If the text is no such axis, naming the part that is not.
        """
        parts = text.split(":")
        if len(parts) == 3:
            values = _steps(name, text, *(_decimal(name, text, part) for part in parts))
        elif len(parts) == 1:
            values = [_decimal(name, text, part) for part in text.split(",")]
        else:
            raise SettingsError(_axis_help(name, text))
        if name == "atr_period":
            fractional = next((value for value in values if value != int(value)), None)
            if fractional is not None:
                raise SettingsError(f"atr_period takes whole numbers, found {fractional}")
            return cls(name, tuple(sorted({int(value) for value in values})))
        # Repeats can come of rounding, too: 0.1 and 0.1000000000000000000001 are one double.
        return cls(name, tuple(sorted({float(value) for value in values})))

    def __len__(self) -> int:
        return len(self.values)

    def __str__(self) -> str:
        if len(self.values) == 1:
            return f"{self.values[0]:g}"
        ends = f"{self.values[0]:g} … {self.values[-1]:g}"
        return ends if len(self.values) > 2 else f"{self.values[0]:g}, {self.values[1]:g}"


def _axis_help(name: str, text: str) -> str:
    option = "--" + name.replace("_", "-")
    return (
        f"{option} {text!r} is no axis; write start:stop:step (ends included), "
        f"a list a,b,c or one value, for example {option} {DEFAULT_AXES[name]}"
    )


def _decimal(name: str, text: str, part: str) -> Decimal:
    try:
        value = Decimal(part.strip())
    except InvalidOperation:
        raise SettingsError(_axis_help(name, text)) from None
    if not (value.is_finite() and math.isfinite(float(value))):
        raise SettingsError(_axis_help(name, text))
    return value


def _steps(name: str, text: str, start: Decimal, stop: Decimal, step: Decimal) -> list[Decimal]:
    if step <= 0 or stop < start:
        raise SettingsError(
            f"{name} {text!r}: the step must be above 0 and the stop not below the start"
        )
    # Not (stop - start) / step: no decimal holds the quotient of 1e300 and 1e-999999.
    if stop - start >= step * MOST_VALUES:
        raise SettingsError(f"{name} {text!r} has more than {MOST_VALUES:,} values")
    count = int((stop - start) / step) + 1
    return [start + step * i for i in range(count)]


def _refuse_unknown(names: Iterable[str]) -> None:
    unknown = next((name for name in names if name not in DEFAULT_AXES), None)
    if unknown is not None:
        raise SettingsError(f"unknown axis {unknown!r}; there are {', '.join(DEFAULT_AXES)}")


def _numbers(name: str, values: Any) -> list[float]:
    """The values of an axis, given as a number or as anything that can be gone through."""
    wanted = "a number, several of them, or text such as '1:4:0.1'"
    if is_number(values):
        return [number(name, values, wanted)]
    if isinstance(values, str | bytes | Mapping):
        raise refusal(name, values, wanted)
    try:
        several = iter(values)
    except TypeError:
        raise refusal(name, values, wanted) from None
    # One more, so that too many are noticed, also where there is no end of them.
    found = [number(f"a value of {name}", one) for one in islice(several, MOST_VALUES + 1)]
    if len(found) > MOST_VALUES:
        raise SettingsError(f"{name} has more than {MOST_VALUES:,} values")
    return found


@dataclass(frozen=True)
class Grid:
    """The product of five axes; a combination is a number, `atr_period` varying slowest.

    Attributes
    ----------
    axes : tuple of Axis
        In the order of `DEFAULT_AXES`.
    """

    axes: tuple[Axis, ...]

    def __post_init__(self) -> None:
        names = tuple(axis.name for axis in self.axes)
        if names != tuple(DEFAULT_AXES):
            raise SettingsError(f"a grid needs the axes {', '.join(DEFAULT_AXES)}, not {names}")
        if len(self) > MOST_COMBINATIONS:
            product = " × ".join(str(count) for count in self.shape)
            raise SettingsError(
                f"the grid has {product} = {len(self):,} combinations, more than "
                f"{MOST_COMBINATIONS:,}; give an axis fewer values or a larger step"
            )

    @classmethod
    def parse(cls, **texts: str) -> Grid:
        """Build a grid from axes as typed; an axis not named keeps its default.

        Raises
        ------
        SettingsError
            For an unknown axis or one that cannot be read.
        """
        _refuse_unknown(texts)
        typed = DEFAULT_AXES | texts
        return cls(tuple(Axis.parse(name, typed[name]) for name in DEFAULT_AXES))

    @classmethod
    def from_values(cls, **values: float | Iterable[float]) -> Grid:
        """Build a grid from numbers: for each axis one value or several; the rest default.

        Several may come in any order and in anything that can be gone through.

        Raises
        ------
        SettingsError
            For an unknown axis or values the parameter cannot take.
        """
        _refuse_unknown(values)
        axes = {axis.name: axis for axis in cls.parse().axes}
        for name, wished in values.items():
            several = np.unique(_numbers(name, wished)).tolist()
            whole = name == "atr_period" and all(value.is_integer() for value in several)
            axes[name] = Axis(name, tuple(int(v) for v in several) if whole else tuple(several))
        return cls(tuple(axes.values()))

    @classmethod
    def single(cls, parameters: Parameters) -> Grid:
        """The grid of one combination."""
        return cls.from_values(**vars(parameters))

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each axis, in grid order."""
        return tuple(len(axis) for axis in self.axes)

    @property
    def max_atr_period(self) -> int:
        """The largest ATR period: it decides how many bars the indicators need to warm up."""
        return int(self.axes[0].values[-1])

    def __len__(self) -> int:
        return math.prod(self.shape)

    def __getitem__(self, number: int) -> Parameters:
        if not 0 <= number < len(self):
            raise IndexError(f"combination {number} of a grid of {len(self)}")
        places = np.unravel_index(number, self.shape)
        return Parameters(
            *(axis.values[int(i)] for axis, i in zip(self.axes, places, strict=True))  # type: ignore[arg-type]
        )

    def __iter__(self) -> Iterator[Parameters]:
        return (self[number] for number in range(len(self)))

    def count_shared(self, other: Grid) -> int:
        """How many combinations another grid has as well."""
        return math.prod(
            len(set(mine.values) & set(its.values))
            for mine, its in zip(self.axes, other.axes, strict=True)
        )

    def columns(self) -> dict[str, np.ndarray]:
        """The parameter values of every combination, a column an axis, in grid order."""
        places = np.unravel_index(np.arange(len(self)), self.shape)
        return {
            axis.name: np.asarray(axis.values)[place]
            for axis, place in zip(self.axes, places, strict=True)
        }
