"""The setting for all files, replayed through `backtesting.py` on each of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from bigbar.batch.common import Common
from bigbar.data.read import Bars
from bigbar.errors import VerificationError
from bigbar.job import Job
from bigbar.outcome import Execution
from bigbar.validation.common_choice import OfFile
from bigbar.validation.single import RunReplay, replayed, run_single, whole_span
from bigbar.verification.replay import differences_text

#: Gives the bars of a file, and what was run on them.
Load = Callable[[], tuple[Bars, Job]]


def prove_common(common: Common, files: Mapping[str, Load], execution: Execution) -> Common:
    """Replay the setting on each file, as far as the time for replays reaches.

    Parameters
    ----------
    common : Common
    files : mapping of str to callable
        By the names of the choice.
    execution : Execution
        How many replays were asked for, and how long they may take.

    Returns
    -------
    Common
        With the files on which every statistic and trade was equal; where the strategy answers
        differently each time, nothing can be said.

    Raises
    ------
    VerificationError
        If the engine and `backtesting.py` disagree, or the row is another than before.
    """
    if not execution.verify or common.choice.number is None:
        return common
    equal, left = 0, len(common.choice.names)
    begun = time.monotonic()
    for name, one in zip(common.choice.names, common.choice.of_files, strict=True):
        if time.monotonic() - begun > execution.verify_seconds:
            break
        equal += _prove(name, one, *files[name]())
        left -= 1
    return replace(common, replayed=equal, too_late=left)


def _prove(name: str, one: OfFile, bars: Bars, job: Job) -> bool:
    file = job.spec.columns(bars.frame)
    run = run_single(file, job, one.number, whole_span(file, job))
    found = replayed(file, RunReplay(one.number, run.job, run.row))
    if found.unsteady:
        return False
    if found.differences:
        raise VerificationError(f"{name}: {differences_text(found.differences, run.job.space)}")
    now = {statistic: run.value(statistic) for statistic in one.figures}
    if now != one.figures:
        raise VerificationError(
            f"{name}: the setting for all gives {now} when it is run again, and gave {one.figures}"
        )
    return True
