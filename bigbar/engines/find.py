"""The engines there are: `backtesting` for any strategy, and those of a strategy's own."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import pandas as pd

from bigbar.engines.contract import Engine, EngineKind
from bigbar.engines.reference import KIND as REFERENCE
from bigbar.errors import DataError, SettingsError
from bigbar.job import Job
from bigbar.spec import StrategySpec

#: Engines that run any strategy; one that a strategy brings comes after these.
ENGINES: dict[str, EngineKind] = {"backtesting": REFERENCE}


def engine_names(spec: StrategySpec) -> tuple[str, ...]:
    """The engines that can run a strategy, its own first."""
    return tuple(dict.fromkeys((*spec.engines, *ENGINES)))


def kind_of(spec: StrategySpec, name: str) -> EngineKind:
    """How an engine is made.

    Raises
    ------
    SettingsError
        If the strategy has none of that name.
    """
    if name in ENGINES:
        return ENGINES[name]
    if name not in spec.engines:
        raise SettingsError(
            f"{spec.title} has no engine {name!r}; it has {', '.join(engine_names(spec))}"
        )
    module, _, attribute = spec.engines[name].partition(":")
    kind: EngineKind = getattr(importlib.import_module(module), attribute)
    return kind


def available_engine(spec: StrategySpec, name: str | None = None) -> tuple[str, str | None]:
    """The engine to use where one is asked for, and the reason where it is another one.

    Parameters
    ----------
    spec : StrategySpec
    name : str, optional
        What was asked for; the strategy's default by default.

    Returns
    -------
    name : str
    reason : str or None
        A sentence for the user where that one cannot be had.

    Raises
    ------
    SettingsError
        If there is no engine of that name.
    """
    name = spec.default_engine if name is None else name
    if name not in engine_names(spec):
        raise SettingsError(
            f"there is no engine {name!r} for {spec.title}; choose from "
            f"{', '.join(engine_names(spec))}"
        )
    if name == "compiled" and importlib.util.find_spec("numba") is None:
        return "backtesting", (
            "numba is not installed, so backtesting.py runs every combination, which is tens of "
            "thousands of times slower; 'pip install numba' brings the compiled engine"
        )
    return name, None


def build_engine(file: pd.DataFrame, job: Job, prepared: Any = None) -> Engine:
    """Make the engine that a job asks for.

    Parameters
    ----------
    file : DataFrame
        The whole file with the strategy's columns, see `StrategySpec.columns`.
    job : Job
    prepared : object, optional
        From `prepare`, of the same file and job; the engine makes its own where it is not given.

    Returns
    -------
    Engine

    Raises
    ------
    DataError
        If the job's span goes beyond the end of the file.
    """
    _check_span(file, job)
    build = kind_of(job.spec, job.engine).build
    return build(file, job) if prepared is None else build(file, job, prepared)


def warm_up(job: Job) -> None:
    """Compile what the job's engine runs, or load it, where it compiles at all."""
    kind = kind_of(job.spec, job.engine)
    if kind.warm_up is not None:
        kind.warm_up(job.account)


def prepare(file: pd.DataFrame, job: Job) -> Any:
    """What all engines of a job can share, in this process and others; None if that is nothing.

    Parameters and errors as of `build_engine`.
    """
    _check_span(file, job)
    kind = kind_of(job.spec, job.engine)
    return None if kind.prepare is None else kind.prepare(file, job)


def _check_span(file: pd.DataFrame, job: Job) -> None:
    if job.stop_bar is not None and job.stop_bar > len(file):
        raise DataError(f"a span to bar {job.stop_bar} of a file of {len(file)} bars")
