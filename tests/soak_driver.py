"""The real command, with an engine that can be slow or misbehave, and a note of each stage.

The soak of faults runs it as a program. Environment: `SOAK_STAGES` is the file that gets the
stages, a line each; `SOAK_SECONDS` what a combination takes; `SOAK_BAD` a combination that
misbehaves, as in `raise:17`.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import bigbar.outcome
import bigbar_multiprocessing_optimized as command
from bigbar.engines.contract import EngineKind
from bigbar.engines.find import ENGINES
from bigbar.job import Job
from bigbar.strategies.big_bar.kind import KIND as COMPILED

SECONDS = float(os.environ.get("SOAK_SECONDS", "0"))
KIND, _, NUMBER = os.environ.get("SOAK_BAD", "").partition(":")


class Unhurried:
    """The compiled engine, in no hurry, and with one combination that may misbehave."""

    def __init__(self, file: pd.DataFrame, job: Job) -> None:
        self._good = COMPILED.build(file, job)

    def __getattr__(self, name: str) -> object:
        return getattr(self._good, name)

    def run(self, start: int, stop: int) -> np.ndarray:
        if KIND and start <= int(NUMBER) < stop:
            misbehave(KIND)
        time.sleep(SECONDS * (stop - start))
        return self._good.run(start, stop)


def misbehave(kind: str) -> None:
    if kind == "raise":
        raise ZeroDivisionError("a combination that cannot be run")
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    taken = []
    while True:
        if kind == "allocate":
            taken.append(bytearray(16 << 20))
        elif kind == "sleep":
            time.sleep(60)


ENGINES["unhurried"] = EngineKind(Unhurried, sample_slice=1, warm_up=COMPILED.warm_up)


def note(stage: str) -> None:
    with open(os.environ["SOAK_STAGES"], "a", encoding="utf-8") as file:
        file.write(f"{stage}\n")


def told(function, stage):
    """The same function, with a note that its stage has begun."""

    @functools.wraps(function)
    def call(*arguments, **options):
        note(stage)
        return function(*arguments, **options)

    return call


def main() -> int:
    timed = bigbar.outcome.Outcome.timed

    @contextmanager
    def noted(outcome: bigbar.outcome.Outcome, stage: str) -> Iterator[None]:
        note(stage.removesuffix("_s"))
        with timed(outcome, stage):
            yield

    bigbar.outcome.Outcome.timed = noted  # type: ignore[method-assign]
    command.read_bars = told(command.read_bars, "load")
    command.answer = told(command.answer, "answer")
    return command.main()


if __name__ == "__main__":
    sys.exit(main())
