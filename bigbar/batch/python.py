"""Many files or DataFrames from Python: each optimized by itself, and one setting for all."""

from __future__ import annotations

import inspect
import os
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.api import Asked, asked_for, carry_out, optimize
from bigbar.batch.common import Common, CommonSearch
from bigbar.batch.optimizations import Optimizations
from bigbar.batch.proof import Load, prove_common
from bigbar.batch.returns_again import returns_again
from bigbar.data.encoding import PriceFile
from bigbar.data.many import several
from bigbar.errors import Interrupted, NothingCounts, SettingsError
from bigbar.given import refusal
from bigbar.optimization import Optimization
from bigbar.paragraphs import refusing_in_python
from bigbar.parameter import warn_of_ranges
from bigbar.progress.events import Listener
from bigbar.progress.noted import Noted
from bigbar.report.answer import why_nothing
from bigbar.report.files import summary
from bigbar.request import Request
from bigbar.spec import StrategySpec
from bigbar.store.fingerprint import bars_sha256
from bigbar.validation.common_choice import CRITERIA

#: A table of more bytes waits on disk when its file is done.
_LARGE = 8_000_000

#: What is optimized on.
Data = PriceFile | pd.DataFrame


class _Gathering(Noted):
    """Passes everything on, and the returns of each file to whoever gathers them, too."""

    def __init__(self, listener: Listener, take: Callable[..., None]) -> None:
        super().__init__(listener, lambda kind, text: None)
        self._take = take

    def returns(self, returns: NDArray[np.float32], times: pd.DatetimeIndex, annual: float) -> None:
        self._take(returns, times, annual)
        super().returns(returns, times, annual)


@refusing_in_python
def optimize_many(
    data: Mapping[str, Data] | Iterable[str | os.PathLike[str]] | str | os.PathLike[str],
    strategy: type | str | StrategySpec | None = None,
    *,
    common: str | None = None,
    **options: Any,
) -> Optimizations:
    """Run every combination of a strategy's parameters on each of several files.

    One after the other, each with all workers; what goes wrong with one ends no other.

    Parameters
    ----------
    data : mapping, or paths
        What each goes by, and its price file or DataFrame: `{"EURUSD": frame, "GOOG":
        "goog.csv"}`; or paths, a folder or a pattern, as on the command line.
    strategy : type, str or StrategySpec, optional
        As of `optimize`.
    common : {"mean rank", "worst"}, optional
        Also find the one setting that is best over all: by its mean rank, or by its worst
        objective.
    **options
        All others of `optimize`, and the strategy's parameters. A `store` keeps all runs.

    Returns
    -------
    Optimizations

    Raises
    ------
    bigbar.errors.SettingsError
        If a setting makes no sense, whatever the bars.
    Exception
        What was raised for the first file, where none has a result.
    bigbar.errors.Interrupted
        By Ctrl-C and other signals; in its `found` what there is by then.
    """
    given = inspect.signature(optimize).bind(None, strategy, **options)
    given.apply_defaults()
    warn_of_ranges(given.arguments["parameters"], as_text=True)
    asked = asked_for(given.arguments)
    named = _named(data)
    criterion = _criterion(common)
    if criterion is not None and len(asked.request.choice.objectives) > 1:
        raise SettingsError("common finds the best setting by one objective; maximize one")
    with ExitStack() as stack:
        search = None
        if criterion is not None:
            asked = replace(asked, request=asked.request.on_the_same_points())
            search = stack.enter_context(_search(asked.request, criterion))
        found = _run_all(asked, named, search)
        if search is not None:
            found.common = _proved(search.found(), found, asked)
    for name, problem in found.failed.items():
        warnings.warn(f"{name}: {problem}", RuntimeWarning, stacklevel=3)
    return found


def _proved(common: Common | None, found: Optimizations, asked: Asked) -> Common | None:
    if common is None:
        return None

    def loader(one: Optimization) -> Load:
        return lambda: (one.outcome.bars, one.outcome.job)

    files = {name: loader(one) for name, one in found.runs.items()}
    return prove_common(common, files, asked.request.execution)


def _named(data: Any) -> dict[str, Data]:
    if isinstance(data, Mapping):
        named = dict(data)
    else:
        one = isinstance(data, str | os.PathLike)
        if not one and (isinstance(data, pd.DataFrame) or not isinstance(data, Iterable)):
            raise refusal(
                "data", data, "a mapping such as {'EURUSD': frame}, or paths of price files"
            )
        words = [os.fspath(path) for path in ([data] if one else data)]
        found = several(words)
        named = {} if found is None else {source.name: source.path for source in found.files}
        if found is None and words:
            raise SettingsError(
                f"{words[0]!r} is one file; bigbar.optimize takes it, or name it: "
                "{'EURUSD': 'eurusd.csv'}"
            )
    if not named:
        raise SettingsError("there is nothing in the data; name at least one file or DataFrame")
    if not all(isinstance(name, str) and name for name in named):
        raise refusal("data", data, "a mapping from names, which are text")
    return named


def _criterion(common: object) -> str | None:
    if common is None:
        return None
    name = common.replace(" ", "-").replace("_", "-") if isinstance(common, str) else common
    if name not in CRITERIA:
        raise refusal("common", common, "'mean-rank' or 'worst'")
    return str(name)


def _search(request: Request, criterion: str) -> CommonSearch:
    return CommonSearch(
        request.space,
        request.choice,
        criterion,
        assess=request.plan is not None and request.plan.assess,
        seed=request.execution.seed,
    )


def _run_all(asked: Asked, named: Mapping[str, Data], search: CommonSearch | None) -> Optimizations:
    found = Optimizations(asked.request)
    for name, data in named.items():
        try:
            found.runs[name] = _run_one(asked, name, data, search)
        except Interrupted as stopped:
            stopped.found = found
            raise
        except Exception as problem:
            found.failed[name] = problem
            if search is not None:
                search.leave(str(problem))
    if not found.runs:
        raise next(iter(found.failed.values()))
    return found


def _run_one(asked: Asked, name: str, data: Data, search: CommonSearch | None) -> Optimization:
    bars = asked.load(data)
    listener = asked.listener
    if search is not None:
        search.begin(name, bars_sha256(bars.frame))
        listener = _Gathering(listener, search.returns)
    found = carry_out(
        bars,
        asked.request,
        reason=asked.reason,
        listener=listener,
        folder=asked.folder,
        policy=asked.policy,
    )
    outcome = found.outcome
    if outcome.best is None:
        raise NothingCounts(why_nothing(outcome), found)
    if search is not None:
        if search.lacks_returns:
            returns_again(bars, outcome.job, asked.request, listener)
        search.add(outcome.table, summary(outcome))
    _put_on_disk(found)
    return found


def _put_on_disk(found: Optimization) -> None:
    """Let a large table wait on disk, where it is read from when it is asked for."""
    table = found.outcome.table
    if table.values.nbytes < _LARGE:
        return
    _ = found.result_sha256  # It is not read again for this.
    with tempfile.TemporaryFile() as file:
        table.values.tofile(file)
        file.flush()
        table.values = np.memmap(file, np.float64, "r", shape=table.values.shape)
