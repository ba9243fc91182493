"""How an engine is tried in a worker before a sweep: timed, and compared with `backtesting.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bigbar.slices import RAISED, answer_slice
from bigbar.worker import desk, engine_of

if TYPE_CHECKING:
    from bigbar.engines.general.checked import Checked, Comparison

#: A backtest that takes so long is typical however cold it is; as much is spent on others.
_TYPICAL_S = 1.0


def time_backtests(numbers: Sequence[int]) -> float | None:
    """Seconds that a combination takes here, by its engine.

    Parameters
    ----------
    numbers : sequence of int
        The first one pays for imports and for memory; where it is quick, the others count.

    Returns
    -------
    float or None
        None where the strategy raises.
    """
    spent: list[float] = []
    for number in numbers:
        found = answer_slice(desk().engine, (number, number + 1))
        if found.failures:
            break
        spent.append(found.seconds)
        if sum(spent) >= _TYPICAL_S:
            break
    warm = spent[1:] or spent
    return sum(warm) / len(warm) if warm else None


def check_compiled(task: Comparison | None) -> Checked | None:
    """Run a combination by `backtesting.py` and compiled.

    Parameters
    ----------
    task : Comparison or None
        With None, only the statistics and what runs many are compiled, while another worker
        compiles what such a run takes first.

    Returns
    -------
    Checked or None
        None where the strategy raises.
    """
    if task is None:
        from bigbar.compiled.many import counter, running_many

        running_many()
        counter()
        return None
    from bigbar.engines.general.check import check

    here = desk()
    reference: Any = here.engine
    try:
        compiled: Any = engine_of(replace(here.job, engine="general"))
        return check(task.number, reference, compiled, as_swept=task.as_swept)
    except (Exception, *RAISED):
        return None
