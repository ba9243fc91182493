"""What is told of a strategy of the corpus besides its code."""

from __future__ import annotations

from typing import Any, NamedTuple

from backtesting import Strategy


class Case(NamedTuple):
    """A strategy of the corpus, and what it is run with.

    Attributes
    ----------
    name : str
    strategy : type
    data : str
        GOOG, EURUSD, BTCUSD or made; see `bars`.
    parameters : tuple of dict
        Combinations to run, all with the same names.
    account : dict
        Options of `backtesting.Backtest`.
    compiles : bool or None
        Whether a translator of `next` should manage; None where that is open.
    needs : str
        A package without which it cannot run; empty for none.
    """

    name: str
    strategy: type[Strategy]
    data: str
    parameters: tuple[dict[str, Any], ...]
    account: dict[str, Any]
    compiles: bool | None
    needs: str = ""


def case(
    strategy: type[Strategy],
    data: str,
    *parameters: dict[str, Any],
    compiles: bool | None = True,
    needs: str = "",
    **account: Any,
) -> Case:
    """An entry, named as its class is; without parameters it runs once."""
    return Case(strategy.__name__, strategy, data, parameters or ({},), account, compiles, needs)
