"""The engines there are: `backtesting` for any strategy, and those of a strategy's own."""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import Any

import pandas as pd

from bigbar.engines.contract import Engine, EngineKind
from bigbar.engines.general.kind import KIND as GENERAL
from bigbar.engines.reference import KIND as REFERENCE
from bigbar.errors import DataError, SettingsError
from bigbar.job import Job
from bigbar.spec import StrategySpec

#: Compiled where that can be done and pays, backtesting.py elsewhere.
AUTO = "auto"

#: Engines that run any strategy. A strategy may bring a "compiled" of its own; the one for all is
#: "general" then.
ENGINES: dict[str, EngineKind] = {
    "compiled": GENERAL,
    "backtesting": REFERENCE,
    "general": GENERAL,
}


def engine_names(spec: StrategySpec) -> tuple[str, ...]:
    """The engines that can run a strategy, its own first."""
    general = ("general",) if spec.engines else ()
    others = (name for name in ENGINES if name != "general")
    return tuple(dict.fromkeys((*spec.engines, *others, *general)))


def engine_choices(spec: StrategySpec) -> tuple[str, ...]:
    """What can be asked for: one of the engines, or whichever is best."""
    return (AUTO, *engine_names(spec))


def is_general(spec: StrategySpec, name: str) -> bool:
    """Whether an engine is the one that compiles any strategy, or may turn out to be."""
    own = spec.has_own_backtest and not spec.engines
    return name not in spec.engines and name in (AUTO, "compiled", "general") and not own


def kind_of(spec: StrategySpec, name: str) -> EngineKind:
    """How an engine is made.

    Raises
    ------
    SettingsError
        If the strategy has none of that name.
    """
    if name in ENGINES and name not in spec.engines:
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
    if name not in engine_choices(spec):
        raise SettingsError(
            f"there is no engine {name!r} for {spec.title}; choose from "
            f"{', '.join(engine_choices(spec))}"
        )
    if name == AUTO and spec.engines:
        name = spec.default_engine
    if name == AUTO and spec.has_own_backtest:
        name = "backtesting"
    if name in (AUTO, "compiled", "general"):
        why = _no_compiler()
        if why is not None:
            return "backtesting", why
    return name, None


def _no_compiler() -> str | None:
    """Why nothing can be compiled, in a sentence; None where it can."""
    slower = "so backtesting.py runs every combination, which is tens of thousands of times slower"
    if importlib.util.find_spec("numba") is None:
        return f"numba is not installed, {slower}; 'pip install numba' brings the compiled engine"
    if os.environ.get("NUMBA_DISABLE_JIT", "0").strip() not in ("", "0"):
        return (
            f"NUMBA_DISABLE_JIT is set, {slower}; without it in the environment there is the "
            "compiled engine"
        )
    return None


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
