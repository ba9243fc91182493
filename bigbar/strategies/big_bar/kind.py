"""How BigBar's compiled engine is made, warmed up and timed."""

from __future__ import annotations

import pandas as pd

from bigbar.engines.contract import Engine, EngineKind
from bigbar.job import Job
from bigbar.strategies.big_bar.candidates import Precomputed, precompute
from bigbar.strategies.big_bar.engine import CompiledSweep
from bigbar.strategies.big_bar.market import market_of
from bigbar.strategies.big_bar.warm_up import warm_up


def _precompute(file: pd.DataFrame, job: Job) -> Precomputed:
    market = market_of(file, job.first_bar, job.stop_bar)
    return precompute(market, job.space, job.account)


def _build(file: pd.DataFrame, job: Job, precomputed: Precomputed | None = None) -> Engine:
    return CompiledSweep(_precompute(file, job) if precomputed is None else precomputed, job.space)


#: Combinations of the default grid that share an ATR period, and so their big bars.
_NEIGHBOURS = 1240

KIND = EngineKind(
    _build, sample_slice=_NEIGHBOURS, warm_up=warm_up, compiles="walk_block", prepare=_precompute
)
