"""A `Backtest` whose `run` is its own: that runs every combination, in the workers as well."""

from __future__ import annotations

import pickle
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import backtesting
import pandas as pd
from backtesting.backtesting import _Broker

from bigbar.account import Account
from bigbar.by_value import pickled_by_value
from bigbar.errors import SettingsError
from bigbar.spec import StrategySpec

#: What `backtesting.Backtest` hands to its broker.
OF_BROKER = (
    "cash", "spread", "commission", "margin", "trade_on_close", "hedging", "exclusive_orders",
)  # fmt: skip


def has_own_run(backtest: backtesting.Backtest) -> bool:
    """Whether anything but `backtesting.Backtest.run` with its own broker answers."""
    run = getattr(backtest.run, "__func__", None)
    return run is not backtesting.Backtest.run or backtest._broker.func is not _Broker


@dataclass(frozen=True)
class OwnRun(StrategySpec):
    """A strategy under a Backtest that runs it in a way of its own.

    Attributes
    ----------
    template : bytes
        The Backtest without its data, pickled.
    """

    template: bytes = b""

    has_own_backtest: ClassVar[bool] = True

    @classmethod
    def under(cls, backtest: backtesting.Backtest) -> OwnRun:
        """The description of a Backtest's strategy, and of how it is run.

        Raises
        ------
        SettingsError
            If other processes cannot be given it.
        """
        spec = StrategySpec.of(backtest._strategy)
        template = copy(backtest)
        template._results = None
        _give(template, None)
        return cls(spec.path, spec.by_value, pickled_by_value(template))

    def own_backtest(
        self, bars: pd.DataFrame, account: Account, span: tuple[int, int]
    ) -> backtesting.Backtest:
        if span != (0, len(bars)):
            raise SettingsError(
                "a Backtest with a run() of its own runs on all bars only: no holdout and no "
                "walk-forward"
            )
        found: backtesting.Backtest = pickle.loads(self.template)
        broker = found._broker
        given = {name: getattr(account, name) for name in OF_BROKER}
        found._broker = partial(
            broker.func, *broker.args, **{**broker.keywords, **given, "index": bars.index}
        )
        found._finalize_trades = account.finalize_trades
        _give(found, bars)
        return found


def _give(backtest: Any, bars: pd.DataFrame | None) -> None:
    """Put it on some bars."""
    give = getattr(backtest, "_put_on", None)
    if give is None:
        backtest._data = bars
    else:
        give(bars)
