"""Strategies from a few lines of `next`, and whether they compile to what Python does."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
from backtesting import Strategy
from generated_strategies import grid_of, make_strategy
from real_jobs import check_same, job_of
from real_strategies import bars

from bigbar.compiled.translate.lists import SUMS_PLAINLY
from bigbar.engines.runner import RunnerEngine

_MODULE = """
import datetime
import math
import random
import time

import numpy as np
import pandas as pd
from backtesting import Strategy
from backtesting.lib import barssince, cross, crossover

period = 5
COUNTER = [0]


def sma(values, n):
    return pd.Series(values).rolling(n).mean()

{extra}

class Generated({base}):
    n = 10
    k = 2
    width = 0.02
{attrs}

    def init(self):
        self.ma = self.I(sma, self.data.Close, self.n)
        self.mb = self.I(sma, self.data.Close, 3 * self.n)
{init}

    def next(self):
{next}

{methods}

GRID = {grid}
"""

#: What is run where nothing else is told.
GRID = "({'n': 10, 'k': 2}, {'n': 7, 'k': 3})"


class Snippet(NamedTuple):
    """Parts of a strategy.

    Attributes
    ----------
    name : str
    source : str
    in_python : bool
        Whether a combination is left to `backtesting.py`.
    """

    name: str
    source: str
    in_python: bool


def snippet(
    name: str,
    body: str,
    *,
    init: str = "pass",
    extra: str = "",
    attrs: str = "",
    methods: str = "",
    grid: str = GRID,
    base: str = "Strategy",
    in_python: bool = False,
) -> Snippet:
    """A strategy with this body of `next`, and more where it needs that."""

    def indented(text: str, depth: int) -> str:
        return textwrap.indent(textwrap.dedent(text), "    " * depth)

    source = _MODULE.format(
        extra=textwrap.dedent(extra),
        base=base,
        attrs=indented(attrs, 1),
        init=indented(init, 2),
        next=indented(body, 2),
        methods=indented(methods, 1),
        grid=grid,
    )
    return Snippet(name, source, in_python)


def case(name: str, body: str, *, soak: bool = False, plain_sum: bool = False, **more: Any) -> Any:
    """A snippet as a parameter of a test; one with a `sum` that Python 3.12 adds in another way."""
    marks: list[Any] = [pytest.mark.soak] if soak else []
    if plain_sum:
        marks.append(pytest.mark.skipif(not SUMS_PLAINLY, reason="left to Python"))
    return pytest.param(snippet(name, body, **more), id=name, marks=marks)


def engine_of(strategy: type[Strategy], combinations: Sequence[dict[str, Any]], **more: Any) -> Any:
    """A compiled engine for a strategy on GOOG."""
    kind: Callable[..., Any] = pytest.importorskip("bigbar.engines.general.engine").CompiledEngine
    return kind(bars("GOOG"), job_of(strategy, combinations, {"cash": 10_000}), **more)


def check(one: Snippet) -> Any:
    """A snippet compiles, and comes to what Python does, on bars that are left out as well.

    Returns
    -------
    CompiledEngine
        That ran it.
    """
    strategy = make_strategy(one.source)
    grid = grid_of(strategy)
    ours = engine_of(strategy, grid)
    job = job_of(strategy, grid, {"cash": 10_000})
    numbers = range(len(job.space))
    check_same(ours, RunnerEngine(bars("GOOG"), job), numbers)
    assert ours.refused is None, ours.refused
    assert bool(ours.fell_back) is one.in_python, ours.fell_back
    on_every_bar = engine_of(strategy, grid, every_bar=True)
    for number in numbers:
        if number not in ours.fell_back:
            on_every_bar.one(number)
    return ours


def refusal_of(one: Snippet) -> str:
    """Why a snippet cannot be compiled; it is not run."""
    strategy = make_strategy(one.source)
    grid = grid_of(strategy)
    ours = engine_of(strategy, grid)
    ours._ready(dict(grid[0]))
    assert ours.refused is not None, "it compiles"
    refused: str = ours.refused
    return refused
