"""What is told of blocks of closes: the same as bar by bar."""

from __future__ import annotations

import math

import numpy as np
import pytest
from any_strategies import made_bars
from backtesting.test import EURUSD, GOOG

from bigbar.compiled.blocks import (
    MOST_ARGUMENT,
    CloseBlocks,
    block_term,
    close_blocks,
    outer_extremes,
)
from bigbar.compiled.jit import compiled_entry

CLOSES = {
    "EURUSD": EURUSD["Close"].to_numpy(),
    "GOOG": GOOG["Close"].to_numpy(),
    "made": made_bars(3000, 5, level=5e4)["Close"].to_numpy(),
    "fallen": np.concatenate(
        [made_bars(700, 6, level=100.0)["Close"], made_bars(700, 7, level=0.0005)["Close"]]
    ),
    "split": np.concatenate([EURUSD["Close"][:900] * 1000.0, EURUSD["Close"][900:1800]]),
    "three": np.array([10.0, 10.01, 10.02]),
    "one": np.array([10.0]),
    "even": np.full(200, 7.0),
}


@compiled_entry
def term_of(blocks, b, first, end, a):  # type: ignore[no-untyped-def]
    return block_term(blocks, b, first, end, a)


@compiled_entry
def extremes_of(blocks, first, end):  # type: ignore[no-untyped-def]
    return outer_extremes(blocks, first, end)


def prepared(close) -> tuple[CloseBlocks, np.ndarray]:
    moves = np.zeros(len(close))
    if len(close) > 1:
        moves[1:] = np.diff(np.log(close))
        moves[1:] -= moves[1:].mean()
    return close_blocks(close, moves), moves


@pytest.mark.parametrize("close", CLOSES.values(), ids=CLOSES)
def test_sums_of_log_returns(close):
    blocks, moves = prepared(close)
    rng, width, known = np.random.default_rng(1), 1 << blocks.shift, 0
    for _ in range(2_000):
        b = int(rng.integers(len(blocks.firsts)))
        least = max(b * width, 1)
        stop = min((b + 1) * width, len(close))
        if least >= stop:
            continue
        first = int(rng.integers(least, stop))
        end = int(rng.integers(first + 1, stop + 1))
        # As of a position with any leverage, long or short.
        a = float(close[first] * rng.choice([0.0, 3.0, -0.9, -2.0, -5.0, rng.normal()]))
        found, total = term_of(blocks, b, first, end, a)
        if not found:
            assert blocks.reach[b] > MOST_ARGUMENT * abs(blocks.firsts[b] + a)
            continue
        known += 1
        terms = [
            math.log1p((close[i] - close[i - 1]) / (close[i - 1] + a)) * moves[i]
            for i in range(first, end)
        ]
        # Other bars of the block are rounded, too, but none outside of it.
        others = moves[b * width : (b + 1) * width]
        allowed = 1e-12 * sum(map(abs, terms)) + 1e-15 * float(others @ others)
        assert abs(total - math.fsum(terms)) <= allowed
    assert known > (0 if len(close) > 1 else -1)


@pytest.mark.parametrize("close", CLOSES.values(), ids=CLOSES)
def test_extremes_hold_those_of_the_bars(close):
    blocks, _ = prepared(close)
    rng, width = np.random.default_rng(2), 1 << blocks.shift
    for _ in range(500):
        first = int(rng.integers(len(close)))
        end = int(rng.integers(first + 1, len(close) + 1))
        low, high = extremes_of(blocks, first, end)
        around = close[first // width * width : -(-end // width) * width]
        assert (low, high) == (around.min(), around.max())
