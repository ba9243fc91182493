"""`bigbar.Backtest`, in place of `backtesting.Backtest`: one import changes, nothing else.

`run`, `plot` and every attribute are backtesting.py's own. `optimize` takes its arguments and
returns its shapes, runs faster, and keeps every statistic of every combination in `last`.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, overload

import pandas as pd

from bigbar.without_charts import import_backtesting

import_backtesting()  # Before anybody else does: its charts take longer than all the rest.

import backtesting  # noqa: E402

from bigbar import given  # noqa: E402
from bigbar.account import Account  # noqa: E402
from bigbar.api import carry_out  # noqa: E402
from bigbar.causes import cause_and_place  # noqa: E402
from bigbar.choice import Choice, Maximize  # noqa: E402
from bigbar.data.read import Bars  # noqa: E402
from bigbar.engines.any_strategy.class_attributes import ClassAttributes  # noqa: E402
from bigbar.engines.find import available_engine  # noqa: E402
from bigbar.engines.reference import run_quietly  # noqa: E402
from bigbar.errors import SettingsAttributeError, SettingsError  # noqa: E402
from bigbar.execution import execution_of  # noqa: E402
from bigbar.grid_search import (  # noqa: E402
    check_any,
    check_arguments,
    check_names,
    choice_of,
    heatmap_of,
    space_of,
)
from bigbar.interrupts import passed_on  # noqa: E402
from bigbar.optimization import Optimization  # noqa: E402
from bigbar.own_run import OF_BROKER, OwnRun, has_own_run  # noqa: E402
from bigbar.paragraphs import refusing_in_python  # noqa: E402
from bigbar.parameter import warn_of_ranges  # noqa: E402
from bigbar.progress.terminal import BarOnly  # noqa: E402
from bigbar.report.showing import in_notebook  # noqa: E402
from bigbar.request import Request  # noqa: E402
from bigbar.space import Space  # noqa: E402
from bigbar.spec import StrategySpec  # noqa: E402
from bigbar.store.fingerprint import bars_sha256  # noqa: E402
from bigbar.store.recording import ReusePolicy  # noqa: E402
from bigbar.units import agreeing  # noqa: E402
from bigbar.validation.plan import Plan  # noqa: E402
from bigbar.verification.best_run import held_against  # noqa: E402

#: What `optimize` takes besides backtesting.py's own arguments, with the defaults.
OWN_OPTIONS: dict[str, Any] = {
    "engine": None,
    "workers": None,
    "progress": None,
    "verify": 0,
    "validate": True,
    "store": None,
    "fresh": False,
    "timeout_per_backtest": None,
    "max_memory": None,
    "start_method": None,
    "seed": 0,
}

#: Why there is nothing in `last`.
_NOT_YET = "nothing has been optimized yet: call optimize(...), and `last` is what it found"
_UNFINISHED = "the last optimize(...) did not finish, so there is nothing in `last`"
_BY_SAMBO = (
    "method='sambo' tries points one after another and keeps one figure of each, so there is no "
    "table of a grid in `last`; take return_heatmap=True for these figures, or method='grid'"
)

#: How a failure begins that an exception was the cause of, not the end of a worker.
_RAISED = "Traceback"


class Backtest(backtesting.Backtest):
    """A `backtesting.Backtest` whose `optimize` keeps everything in `last`; see there."""

    _last: Optimization | None = None
    #: Why there is nothing in `last`.
    _why_none: str = _NOT_YET

    @property
    def last(self) -> Optimization:
        """What the last `optimize` found: every statistic of every combination, failures, findings.

        Raises
        ------
        SettingsAttributeError
            If there is nothing: before any `optimize`, after one that did not finish, and after
            `method="sambo"`, which tries points one after another and keeps one figure of each.
        """
        if self._last is None:
            raise SettingsAttributeError(self._why_none)
        return self._last

    @overload
    def optimize(
        self,
        *,
        maximize: Maximize = ...,
        method: str = ...,
        max_tries: int | float | None = ...,
        constraint: Callable[[Any], bool] | None = ...,
        return_heatmap: Literal[False] = ...,
        return_optimization: Literal[False] = ...,
        random_state: int | None = ...,
        **kwargs: Any,
    ) -> pd.Series: ...

    @overload
    def optimize(
        self,
        *,
        maximize: Maximize = ...,
        method: str = ...,
        max_tries: int | float | None = ...,
        constraint: Callable[[Any], bool] | None = ...,
        return_heatmap: Literal[True],
        return_optimization: Literal[False] = ...,
        random_state: int | None = ...,
        **kwargs: Any,
    ) -> tuple[pd.Series, pd.Series]: ...

    @overload
    def optimize(
        self,
        *,
        maximize: Maximize = ...,
        method: str = ...,
        max_tries: int | float | None = ...,
        constraint: Callable[[Any], bool] | None = ...,
        return_heatmap: bool = ...,
        return_optimization: bool = ...,
        random_state: int | None = ...,
        **kwargs: Any,
    ) -> Any: ...

    @refusing_in_python
    def optimize(
        self,
        *,
        maximize: Maximize = "SQN",
        method: str = "grid",
        max_tries: int | float | None = None,
        constraint: Callable[[Any], bool] | None = None,
        return_heatmap: bool = False,
        return_optimization: bool = False,
        random_state: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """Optimize parameters, as `backtesting.Backtest.optimize` does.

        Parameters
        ----------
        maximize, method, max_tries, constraint, return_heatmap, return_optimization, random_state
            As there. A function to maximize gets a combination's statistics as a Series. A list
            to maximize is BigBar's own: each in its better direction, the best by the first, and
            in `last.pareto` what no other combination beats by all of them.
        **kwargs
            For each parameter its values. Besides, where the strategy has no parameter of that
            name: `engine`, `workers`, `progress` (a bar; by default where somebody watches),
            `verify` (combinations to replay besides the winner), `validate` (whether
            `last.findings` is there to be looked at), `store` (a folder that keeps the run),
            `fresh`, `timeout_per_backtest`, `max_memory`, `start_method`, `seed`, as in
            `bigbar.optimize`. With `method="sambo"` they mean nothing.

        Returns
        -------
        Series, or tuple
            As there.

        Raises
        ------
        SettingsError
            Also a ValueError, TypeError or AttributeError where backtesting.py raises one.
        Exception
            What the strategy raises, where it does so for every combination. Where it does for
            some, these are NaN, a warning says so, and `last.failures` has them.
        VerificationError
            If the engine and `backtesting.py` disagree about the best combination.
        """
        own, parameters = self._parted(kwargs)
        if method in ("sambo", "skopt"):
            self._last, self._why_none = None, _BY_SAMBO
            return super().optimize(
                maximize=maximize,
                method=_sambo(method),
                max_tries=max_tries,
                constraint=constraint,
                return_heatmap=return_heatmap,
                return_optimization=return_optimization,
                random_state=random_state,
                **parameters,
            )
        warn_of_ranges(parameters, as_text=False)
        check_any(parameters)
        choice = choice_of(maximize)
        check_arguments(parameters, constraint, method, return_optimization)
        space = space_of(parameters, constraint, max_tries, random_state)
        check_names(self._strategy, parameters)
        attributes = ClassAttributes(self._strategy)  # As the workers will see them.
        self._last, self._why_none = None, _UNFINISHED
        with passed_on():
            self._last = self._carried_out(space, choice, own)
        self._tell_failures(self._last)
        first = maximize[0] if isinstance(maximize, list | tuple) else maximize
        heatmap = heatmap_of(
            self._last.outcome.table,
            choice,
            choice.objective.name if isinstance(first, str) else None,
        )
        best = self._last.outcome.best or 0
        attributes.restore()
        stats = self.run(**space[best])
        self._compare(best, stats)
        return (stats, heatmap) if return_heatmap else stats

    def __getstate__(self) -> dict[str, Any]:
        """What a copy gets, in this process or another: all but what `optimize` found."""
        return {name: v for name, v in vars(self).items() if name not in ("_last", "_why_none")}

    def _put_on(self, bars: pd.DataFrame | None) -> None:
        """Take other bars; None to hold none while being sent to a worker."""
        self._data: Any = bars

    def _parted(self, asked: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Our own options, and the strategy's parameters; a name of both is the strategy's."""
        own, parameters = dict(OWN_OPTIONS), {}
        for name, value in asked.items():
            if name not in OWN_OPTIONS:
                parameters[name] = value
            elif hasattr(self._strategy, name):
                warnings.warn(
                    f"{name!r} is a parameter of {self._strategy.__name__}, so it is not bigbar's "
                    "option of that name",
                    stacklevel=4,
                )
                parameters[name] = value
            else:
                own[name] = value
        return own, parameters

    def _carried_out(self, space: Space, choice: Choice, own: Mapping[str, Any]) -> Optimization:
        store, progress = own["store"], own["progress"]
        folder = None if store is None else Path(given.path("store", store, "a folder's path"))
        spec = OwnRun.under(self) if has_own_run(self) else StrategySpec.of(self._strategy)
        engine, reason = available_engine(spec, own["engine"])
        request = Request(
            spec=spec,
            space=space,
            account=self._account(space),
            engine=engine,
            choice=choice,
            execution=execution_of({**own, "folder": folder}),
        )
        watched = in_notebook() or (sys.stderr is not None and sys.stderr.isatty())
        shown = watched if progress is None else given.flag("progress", progress)
        return carry_out(
            Bars(self._data, "DataFrame", bars_sha256(self._data), ()),
            request,
            reason=reason,
            listener=BarOnly() if shown else None,
            folder=folder,
            policy=ReusePolicy(fresh=given.flag("fresh", own["fresh"])),
            later=Plan() if given.flag("validate", own["validate"]) else None,
        )

    def _account(self, space: Space) -> Account:
        told = {name: self._broker.keywords[name] for name in OF_BROKER}
        told |= {name: bool(told[name]) for name in OF_BROKER[-3:]}
        try:
            return Account(**told, finalize_trades=self._finalize_trades)
        except SettingsError:
            self.run(**space[0])  # It says in its own words what the broker does not take.
            raise

    def _tell_failures(self, found: Optimization) -> None:
        """Where every combination failed, raise what the first one raises; else warn once."""
        if not found.failures:
            return
        first = found.failures[0].reason.strip()
        if len(found.failures) < len(found):
            warnings.warn(
                f"{len(found.failures):,} of {len(found):,} combinations failed and "
                f"{agreeing(len(found.failures), 'is', 'are')} NaN; see "
                f"`last.failures` of the Backtest. The first: {cause_and_place(first)}",
                stacklevel=4,
            )
            return
        if first.startswith(_RAISED):
            self.run(**found.outcome.job.space[0])
        raise SettingsError(
            f"all {len(found):,} combinations failed; the first: {cause_and_place(first)}"
        )

    def _compare(self, number: int, stats: pd.Series) -> None:
        """Hold the best's run, which is `backtesting.py`'s own, against what the workers said."""
        outcome = self.last.outcome
        told = held_against(
            stats,
            outcome.table.values[number],
            job=outcome.job,
            number=number,
            bars=self._data,
            run=lambda: run_quietly(self, outcome.job.space[number]),
        )
        self._results = stats
        if told is not None:
            warnings.warn(told, stacklevel=4)


def _sambo(method: str) -> str:
    """The method by its name of today, once its packages are there."""
    if method == "skopt":
        warnings.warn(
            '`Backtest.optimize(method="skopt")` is deprecated. Use `method="sambo"`.',
            DeprecationWarning,
            stacklevel=4,
        )
    missing = [name for name in ("sambo", "joblib", "sklearn") if not _is_there(name)]
    if missing:
        raise ImportError(
            f"Need package 'sambo' for method='sambo', and what it builds on; not installed: "
            f"{', '.join(missing)}. pip install '.[sambo]', or pip install sambo "
            "joblib scikit-learn"
        )
    return "sambo"


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
