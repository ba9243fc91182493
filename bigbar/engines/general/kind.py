"""How the engine for any strategy that can be compiled is made."""

from __future__ import annotations

import pandas as pd

from bigbar.account import Account
from bigbar.engines.contract import Engine, EngineKind
from bigbar.job import Job
from bigbar.without_charts import import_backtesting

#: Combinations that are timed together: they are run in one call, and one by itself takes many
#: times as long.
_TOGETHER = 8


def _build(file: pd.DataFrame, job: Job) -> Engine:
    import_backtesting()
    from bigbar.engines.general.engine import CompiledEngine

    return CompiledEngine(file, job)


def _warm_up(account: Account) -> None:
    """Compile the broker and the loop, or load them."""
    import_backtesting()
    from bigbar.engines.general.engine import warm_up

    warm_up()


KIND = EngineKind(
    _build, sample_slice=_TOGETHER, returns_come_along=True, warm_up=_warm_up, compiles="_run_many"
)
