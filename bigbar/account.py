"""Money, costs and how orders are filled: what `backtesting.Backtest` is told besides the bars."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from bigbar import given
from bigbar.by_value import ByValue
from bigbar.errors import SettingsError

#: A share of the order's value, a fixed amount and a share, or a function of size and price.
Commission = float | tuple[float, float] | Callable[[float, float], float]


@dataclass(frozen=True)
class Account:
    """Money, costs and fills, each with the meaning and default it has in `backtesting.Backtest`.

    Attributes
    ----------
    cash : float
        Starting cash, above 0.
    commission : float, tuple of (float, float), or callable
        Share of the order's value, or `(fixed, share)`; paid at entry and at exit. A callable
        gets size and price and returns an amount.
    spread : float
        Bid-ask spread as a share of the price, from 0 to below 1; paid at entry.
    margin : float
        Margin requirement, above 0 and at most 1; leverage is its inverse.
    trade_on_close : bool
        Fill market orders at the close of the bar they are placed on, not at the next open.
    hedging : bool
        Allow trades in both directions at the same time.
    exclusive_orders : bool
        Let each order close what is open.
    finalize_trades : bool
        Close what is open on the last bar.

    Raises
    ------
    SettingsError
        If a value is outside what `backtesting.py`'s broker accepts.
    """

    cash: float = 10_000.0
    commission: Commission = 0.0
    spread: float = 0.0
    margin: float = 1.0
    trade_on_close: bool = False
    hedging: bool = False
    exclusive_orders: bool = False
    finalize_trades: bool = False

    def __post_init__(self) -> None:
        if callable(self.commission) and not isinstance(self.commission, ByValue):
            object.__setattr__(self, "commission", ByValue(self.commission))
        for name in ("cash", "spread", "margin"):
            object.__setattr__(self, name, given.number(name, getattr(self, name)))
        for name in ("trade_on_close", "hedging", "exclusive_orders", "finalize_trades"):
            object.__setattr__(self, name, given.flag(name, getattr(self, name)))
        checks = [
            ("cash", self.cash, 0 < self.cash < math.inf, "a positive amount"),
            ("spread", self.spread, 0 <= self.spread < 1, "a share from 0 to below 1"),
            ("margin", self.margin, 0 < self.margin <= 1, "a share above 0 and at most 1"),
        ]
        relative = 0.0
        if not callable(self.commission):
            object.__setattr__(self, "commission", _commission(self.commission))
            fixed, relative = self.commission_parts
            checks += [
                ("fixed commission", fixed, 0 <= fixed < math.inf, "an amount of at least 0"),
                ("commission", relative, -0.1 <= relative < 0.1, "a share from -0.1 to below 0.1"),
            ]
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
        """The commission as `(fixed amount per order, share of the order's value)`.

        Raises
        ------
        SettingsError
            If it is a function, which has no such parts.
        """
        if callable(self.commission):
            raise SettingsError("a commission that is a function has no fixed amount and share")
        return self.commission if isinstance(self.commission, tuple) else (0.0, self.commission)

    @property
    def leverage(self) -> float:
        """Largest position value per unit of equity, computed as the broker computes it."""
        return 1 / self.margin

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of `backtesting.Backtest`."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def described(self) -> dict[str, Any]:
        """As JSON holds it; a function by its name."""
        named = self.options
        if callable(self.commission):
            named["commission"] = getattr(self.commission, "__qualname__", repr(self.commission))
        return named


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
