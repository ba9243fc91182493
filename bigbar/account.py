"""What a run is told: money, costs, week edges and the five parameters, validated at the edge."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from bigbar import given
from bigbar.errors import SettingsError


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


def _commission(value: Any) -> float | tuple[float, float]:
    """A share of the order's value, or a fixed amount and a share."""
    wanted = "a share or (fixed amount, share)"
    several = isinstance(value, tuple | list) or (isinstance(value, np.ndarray) and value.ndim)
    if not several:
        return given.number("commission", value, wanted)
    if len(value) != 2:
        raise given.refusal("commission", value, wanted)
    fixed, relative = (given.number("commission", part, wanted) for part in value)
    return fixed, relative


@dataclass(frozen=True)
class Account:
    """Money and costs, each with the meaning it has in `backtesting.Backtest`.

    Attributes
    ----------
    cash : float
        Starting cash, above 0.
    commission : float or tuple of (float, float)
        Share of the order's value, or `(fixed, share)`; paid at entry and at exit.
    spread : float
        Bid-ask spread as a share of the price, from 0 to below 1; paid at entry.
    margin : float
        Margin requirement, above 0 and at most 1; leverage is its inverse.

    Raises
    ------
    SettingsError
        If a value is outside what `backtesting.py`'s broker accepts.
    """

    cash: float = 100_000.0
    commission: float | tuple[float, float] = 0.0
    spread: float = 0.0
    margin: float = 1.0

    def __post_init__(self) -> None:
        for name in ("cash", "spread", "margin"):
            object.__setattr__(self, name, given.number(name, getattr(self, name)))
        object.__setattr__(self, "commission", _commission(self.commission))
        fixed, relative = self.commission_parts
        checks = (
            ("cash", self.cash, 0 < self.cash < math.inf, "a positive amount"),
            ("spread", self.spread, 0 <= self.spread < 1, "a share from 0 to below 1"),
            ("margin", self.margin, 0 < self.margin <= 1, "a share above 0 and at most 1"),
            ("fixed commission", fixed, 0 <= fixed < math.inf, "an amount of at least 0"),
            ("commission", relative, -0.1 <= relative < 0.1, "a share from -0.1 to below 0.1"),
        )
        for name, value, ok, wanted in checks:
            if not ok:
                raise SettingsError(f"{name} is {value!r}, but must be {wanted}")
        if 1 - self.spread + relative <= 0:
            raise SettingsError(
                f"spread {self.spread} and commission {relative} together would pay for the "
                "position; make the spread smaller"
            )

    @property
    def commission_parts(self) -> tuple[float, float]:
        """The commission as `(fixed amount per order, share of the order's value)`."""
        return self.commission if isinstance(self.commission, tuple) else (0.0, self.commission)

    @property
    def leverage(self) -> float:
        """Largest position value per unit of equity, computed as the broker computes it."""
        return 1 / self.margin


@dataclass(frozen=True)
class Settings:
    """Everything besides the bars and the grid that decides the numbers of a run.

    Attributes
    ----------
    account : Account
        Money and costs.
    week_edge_bars : int
        How many bars at each end of a trading week are restricted, at least 0.
    """

    account: Account = Account()
    week_edge_bars: int = 6

    def __post_init__(self) -> None:
        bars = given.whole("week-edge bars", self.week_edge_bars)
        object.__setattr__(self, "week_edge_bars", bars)
