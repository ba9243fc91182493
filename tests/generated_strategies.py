"""Sources of small strategies, written at random from a grammar of what strategies do.

`sources()` is for hypothesis, which makes a source that fails shorter; `source_of(seed)` writes the
same source for the same seed. `make_strategy` makes a class of either, in a module with a file of
its own, as a translator that reads sources needs it. Every source is valid Python and comes to an
end; nearly all of them run without an error, and most of them trade.
"""

from __future__ import annotations

import hashlib
import importlib.util
import random
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from backtesting import Strategy
from grammar.module import CLASS, ModuleWriter
from hypothesis import strategies as st


class _Seeded:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def number(self, low: int, high: int) -> int:
        return self._random.randint(low, high)


class _Drawn:
    def __init__(self, draw: Callable[[Any], Any]) -> None:
        self._draw = draw

    def number(self, low: int, high: int) -> int:
        found: int = self._draw(st.integers(low, high))
        return found


@st.composite
def sources(draw: Callable[[Any], Any]) -> str:
    """Sources of a module with a strategy; see `make_strategy`."""
    return ModuleWriter(_Drawn(draw)).source()


def source_of(seed: int) -> str:
    """The source that belongs to a seed."""
    return ModuleWriter(_Seeded(seed)).source()


def make_strategy(source: str) -> type[Strategy]:
    """The class of a source, from a module that is imported from a file.

    Parameters
    ----------
    source : str
        Of a module with a class named `Generated`.

    Returns
    -------
    type
        The same for the same source.
    """
    name = f"generated_{hashlib.sha256(source.encode()).hexdigest()[:16]}"
    if name not in sys.modules:
        file = _folder() / f"{name}.py"
        file.write_text(source, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    found: type[Strategy] = getattr(sys.modules[name], CLASS)
    return found


def grid_of(strategy: type[Strategy]) -> tuple[dict[str, Any], ...]:
    """The combinations of parameters that its source proposes."""
    found: tuple[dict[str, Any], ...] = sys.modules[strategy.__module__].GRID
    return found


def accounts() -> st.SearchStrategy[dict[str, Any]]:
    """Options of `backtesting.Backtest` besides data and strategy."""
    flags = ("trade_on_close", "hedging", "exclusive_orders", "finalize_trades")
    return st.fixed_dictionaries(
        {
            "cash": st.sampled_from([10_000, 100_000, 2_500.5, 800]),
            "commission": st.sampled_from(
                [0.0, 0.002, (1.0, 0.001), (5, 0), 0.0001, (0.1, 0.01), -0.0002]
            ),
            "spread": st.sampled_from([0.0, 0.0005, 0.01]),
            "margin": st.sampled_from([1.0, 0.5, 0.1, 1 / 30]),
            **{flag: st.booleans() for flag in flags},
        }
    )


def account_of(seed: int) -> dict[str, Any]:
    """An account that belongs to a seed."""
    choose = random.Random(seed)
    flags = ("trade_on_close", "hedging", "exclusive_orders", "finalize_trades")
    return {
        "cash": choose.choice([10_000, 100_000, 2_500.5, 800]),
        "commission": choose.choice([0.0, 0.002, (1.0, 0.001), (5, 0), 0.0001, -0.0002]),
        "spread": choose.choice([0.0, 0.0005, 0.01]),
        "margin": choose.choice([1.0, 0.5, 0.1, 1 / 30]),
        **{flag: choose.random() < 0.3 for flag in flags},
    }


@cache
def _kept_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="generated_strategies_")


def _folder() -> Path:
    return Path(_kept_folder().name)
