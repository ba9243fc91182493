"""What is to be computed, as a frozen value that any process can be given."""

from __future__ import annotations

from dataclasses import dataclass

from bigbar.account import Account
from bigbar.errors import SettingsError
from bigbar.space import Space
from bigbar.spec import StrategySpec

#: A trade needs a bar to enter on and a later bar on which the order is filled.
LEAST_TRADING_BARS = 2


@dataclass(frozen=True)
class Job:
    """What is to be computed: the points of a space, for a strategy, by one of the engines.

    Attributes
    ----------
    spec : StrategySpec
    space : Space
    account : Account
    engine : str
        One of the strategy's, see `bigbar.engines.find`.
    span : tuple of (int, int), optional
        The bars of the file that take part: the first, and the one after the last. Indicators
        are computed on the whole file all the same. Not given: from the first bar on which all
        that the strategy needs is defined, to the end of the file.

    Raises
    ------
    SettingsError
        If the span begins before the strategy is warm, or
        holds too few bars to trade.
    """

    spec: StrategySpec
    space: Space
    account: Account
    engine: str
    span: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        self.spec.check(self.space, self.account)
        if self.span is None:
            return
        first, stop = self.span
        warm = self.spec.warm_up(self.space)
        if first < warm:
            raise SettingsError(
                f"a span from bar {first} begins before the indicators are defined: "
                f"{self.spec.warm_up_text(self.space)}"
            )
        if stop - first < LEAST_TRADING_BARS:
            raise SettingsError(
                f"a span from bar {first} to bar {stop} is too short to trade in: it needs at "
                f"least {LEAST_TRADING_BARS} bars"
            )

    @property
    def first_bar(self) -> int:
        """Bars of the file before this one only warm up the indicators."""
        return self.spec.warm_up(self.space) if self.span is None else self.span[0]

    @property
    def stop_bar(self) -> int | None:
        """The bar after the last that takes part; None for the end of the file."""
        return None if self.span is None else self.span[1]

    @property
    def bars(self) -> slice:
        """The bars of the file that take part, as a slice of it."""
        return slice(self.first_bar, self.stop_bar)
