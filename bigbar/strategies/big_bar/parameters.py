"""BigBar's five parameters, the values that each can take, and the account that it is run with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice, pairwise
from typing import Any

import numpy as np

from bigbar import given
from bigbar.account import Account
from bigbar.errors import SettingsError
from bigbar.parameter import MOST_VALUES, Parameter, decimal, is_number, stepped
from bigbar.space import Space

#: The parameters in grid order (the first varies slowest), with the default grid as typed.
DEFAULT_GRID = {
    "atr_period": "10:100:1",
    "k_atr": "1.0:4.0:0.1",
    "uptail_max_ratio": "0.5:0.9:0.1",
    "previous_weight": "0.1:0.8:0.1",
    "buffer_ratio": "0.01",
}

#: What each of them means.
HELP = {
    "atr_period": "period of the average true range, in bars",
    "k_atr": "a big bar's range is at least this many ATRs",
    "uptail_max_ratio": "its tail is less than this share of its range",
    "previous_weight": "least momentum of the three bars before it",
    "buffer_ratio": "room under the first stop, as a share of its range",
    "week_edge_bars": "flat over the first and last N bars of a trading week",
}

#: Orders are filled at the close of the bar that decides, and nothing else of the broker is used.
FILLS = {
    "trade_on_close": True,
    "hedging": False,
    "exclusive_orders": False,
    "finalize_trades": False,
}


@dataclass(frozen=True)
class Parameters:
    """One combination of the strategy's five parameters; the defaults are the single-run ones.

    Attributes
    ----------
    atr_period : int
        Period of Wilder's average true range, in bars, at least 1.
    k_atr : float
        A big bar's range is at least this many ATRs.
    uptail_max_ratio : float
        The tail on the side of the close is less than this share of the range.
    previous_weight : float
        Least momentum of the three bars before, in bodies of the big bar.
    buffer_ratio : float
        Room under the first stop, as a share of the entry bar's range.
    """

    atr_period: int = 20
    k_atr: float = 2.0
    uptail_max_ratio: float = 0.7
    previous_weight: float = 0.1
    buffer_ratio: float = 0.01


def big_bar_account(
    cash: float = 100_000.0,
    commission: float | tuple[float, float] = 0.0,
    spread: float = 0.0,
    margin: float = 1.0,
) -> Account:
    """Money and costs as BigBar is run with them; see `bigbar.account.Account`."""
    return Account(cash, commission, spread, margin, **FILLS)


@dataclass(frozen=True)
class Settings:
    """Everything besides the bars and the grid that decides the numbers of a run of BigBar.

    Attributes
    ----------
    account : Account
        Money and costs.
    week_edge_bars : int
        How many bars at each end of a trading week are restricted, at least 0.
    """

    account: Account = big_bar_account()  # noqa: RUF009 - frozen
    week_edge_bars: int = 6

    def __post_init__(self) -> None:
        bars = given.whole("week-edge bars", self.week_edge_bars)
        object.__setattr__(self, "week_edge_bars", bars)


def parse_parameter(name: str, text: str) -> Parameter:
    """Read one of the parameters as typed: `start:stop:step` (ends included), `a,b,c`, one value.

    A list may come in any order and is sorted.

    Raises
    ------
    SettingsError
        If the text is no such thing, or the parameter cannot take a value, naming it.
    """
    if name not in DEFAULT_GRID:
        raise SettingsError(f"unknown parameter {name!r}; there are {', '.join(DEFAULT_GRID)}")
    parts = [part.strip() for part in text.split(":")]
    if len(parts) not in (1, 3):
        raise SettingsError(_how_to_write(name, text))
    values: Sequence[int | float | Decimal]
    if len(parts) == 3:
        values = stepped(name, *(_typed(name, text, part) for part in parts))
    else:
        values = [decimal(name, _typed(name, text, part)) for part in text.split(",")]
    if name == "atr_period":
        fractional = next((value for value in values if value != int(value)), None)
        if fractional is not None:
            raise SettingsError(f"atr_period takes whole numbers, found {fractional}")
        return _checked(Parameter(name, tuple(sorted({int(value) for value in values}))))
    # Repeats can come of rounding, too: 0.1 and 0.1000000000000000000001 are one double.
    return _checked(Parameter(name, tuple(sorted({float(value) for value in values}))))


def _typed(name: str, text: str, part: str) -> str:
    """A part of an axis, known to be a number."""
    try:
        decimal(name, part.strip())
    except SettingsError:
        raise SettingsError(_how_to_write(name, text)) from None
    return part.strip()


def _how_to_write(name: str, text: str) -> str:
    option = "--" + name.replace("_", "-")
    return (
        f"{option} {text!r} is no axis; write start:stop:step (ends included), "
        f"a list a,b,c or one value, for example {option} {DEFAULT_GRID[name]}"
    )


def _checked(parameter: Parameter) -> Parameter:
    check_values(parameter)
    return parameter


def check_values(parameter: Parameter) -> None:
    """Refuse values that a parameter cannot take.

    Raises
    ------
    SettingsError
        Naming the parameter.
    """
    name, values = parameter.name, parameter.values
    if not all(is_number(value) for value in values):
        raise SettingsError(f"{name} holds a value that is not a finite number")
    if any(b <= a for a, b in pairwise(values)):
        raise SettingsError(f"the values of {name} must be ascending, without repeats")
    low = values[0]
    if name == "atr_period" and (low < 1 or any(value != int(value) for value in values)):
        raise SettingsError("atr_period takes whole numbers of bars, from 1 up")
    if name in ("k_atr", "uptail_max_ratio") and low < 0:
        raise SettingsError(f"{name} cannot be negative, found {low}")


def parse_grid(**texts: str) -> Space:
    """The grid with these parameters as typed, the others as by default.

    Raises
    ------
    SettingsError
        For an unknown parameter or one that cannot be read.
    """
    _refuse_unknown(texts)
    typed = DEFAULT_GRID | texts
    return Space([parse_parameter(name, typed[name]) for name in DEFAULT_GRID])


def grid_with(**values: Any) -> Space:
    """The grid with these values of parameters, one or several; the others as by default.

    Raises
    ------
    SettingsError
        For an unknown parameter or values it cannot take.
    """
    _refuse_unknown(values)
    parameters = {each.name: each for each in parse_grid().parameters}
    for name, asked in values.items():
        several = np.unique(_numbers(name, asked)).tolist()
        if not several:
            raise SettingsError(f"{name} has no values")
        whole = name == "atr_period" and all(value.is_integer() for value in several)
        parameters[name] = _checked(
            Parameter(name, tuple(int(v) for v in several) if whole else tuple(several))
        )
    return Space(list(parameters.values()))


def _refuse_unknown(names: Iterable[str]) -> None:
    unknown = next((name for name in names if name not in DEFAULT_GRID), None)
    if unknown is not None:
        raise SettingsError(f"unknown axis {unknown!r}; there are {', '.join(DEFAULT_GRID)}")


def _numbers(name: str, values: Any) -> list[float]:
    """The values of an axis, given as a number or as anything that can be gone through."""
    wanted = "a number, several of them, or text such as '1:4:0.1'"
    if given.is_number(values):
        return [given.number(name, values, wanted)]
    if isinstance(values, str | bytes | Mapping):
        raise given.refusal(name, values, wanted)
    try:
        several = iter(values)
    except TypeError:
        raise given.refusal(name, values, wanted) from None
    # One more, so that too many are noticed, also where there is no end of them.
    found = [given.number(f"a value of {name}", one) for one in islice(several, MOST_VALUES + 1)]
    if len(found) > MOST_VALUES:
        raise SettingsError(f"{name} has more than {MOST_VALUES:,} values")
    return found


def single_point(parameters: Parameters) -> Space:
    """The grid of one combination."""
    return grid_with(**vars(parameters))


def longest_period(space: Space) -> int:
    """The largest ATR period: it decides how many bars the indicators need to warm up."""
    return int(space.parameters[0].values[-1])
