"""The optimizer from Python: a file or a DataFrame in, the table and the best out."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from bigbar.causes import cause_and_place
from bigbar.choice import Choice, Maximize
from bigbar.constraint import Constraint
from bigbar.data.encoding import PriceFile
from bigbar.data.read import Bars, bars_from_frame, read_bars
from bigbar.data.reading import AS_FOUND, Reading, columns_said
from bigbar.engines.find import available_engine
from bigbar.errors import Interrupted, NothingCounts, SettingsError
from bigbar.execution import execution_of
from bigbar.executors.inside_process import leave_if_starting
from bigbar.given import flag, path, refusal, text, whole
from bigbar.keeping.rule import rows_kept
from bigbar.optimization import Optimization
from bigbar.outcome import Execution
from bigbar.paragraphs import refusing_in_python
from bigbar.parameter import warn_of_ranges
from bigbar.pipeline import optimize_bars
from bigbar.printable import one_line, shown
from bigbar.progress.events import Listener
from bigbar.progress.terminal import BarOnly
from bigbar.report.answer import why_nothing
from bigbar.report.details import whole_answer
from bigbar.report.files import ending, prepare_folder
from bigbar.report.ownership import FROM_PYTHON, check_folder, place_of
from bigbar.request import Request
from bigbar.search.find import Points, Search
from bigbar.space import Space
from bigbar.spec import StrategySpec
from bigbar.store.recorder import Recorder
from bigbar.store.recording import ReusePolicy, StoreRecorder
from bigbar.strategies.find import DEFAULT, find_strategy
from bigbar.validation.plan import Plan

#: Of `backtesting.Backtest`, where the strategy's own default is not taken.
_CHOSEN = ("cash", "trade_on_close", "hedging", "exclusive_orders", "finalize_trades")

#: Of the validation, by the names that a plan has for them.
_PLANNED = ("holdout", "choose", "thorough", "walk_forward", "anchored")


@refusing_in_python
def optimize(
    data: PriceFile | pd.DataFrame,
    strategy: type | str | StrategySpec | None = None,
    *,
    columns: str | Mapping[str, str | int] | None = None,
    time_format: str | None = None,
    time_zone: str | None = None,
    date_order: str | None = None,
    maximize: Maximize = "Return [%]",
    min_trades: int = 1,
    constraint: Callable[[Any], bool] | str | None = None,
    method: str | None = None,
    max_tries: int | None = None,
    keep: str = "all",
    cash: float | None = None,
    commission: float | tuple[float, float] | Callable[[float, float], float] = 0.0,
    spread: float = 0.0,
    margin: float = 1.0,
    trade_on_close: bool | None = None,
    hedging: bool | None = None,
    exclusive_orders: bool | None = None,
    finalize_trades: bool | None = None,
    engine: str | None = None,
    workers: int | str | None = None,
    min_workers: int | None = None,
    max_workers: int | None = None,
    timeout_per_backtest: float | None = None,
    max_memory: int | str | None = None,
    start_method: str | None = None,
    cluster: str | None = None,
    cluster_wait: float | None = None,
    verify: int | None = None,
    validate: bool = Plan.assess,
    holdout: float | None = Plan.holdout,
    choose: str = Plan.choose,
    thorough: bool = Plan.thorough,
    walk_forward: int = Plan.walk_forward,
    anchored: bool = Plan.anchored,
    walk_forward_matrix: bool = Plan.matrix,
    seed: int = Execution.seed,
    store: str | os.PathLike[str] | None = None,
    fresh: bool = False,
    progress: bool = False,
    listener: Listener | None = None,
    **parameters: Any,
) -> Optimization:
    """Run every combination of a strategy's parameters on the given bars.

    Parameters
    ----------
    data : path, file object or DataFrame
        A price file, an open one (`io.BytesIO` among them), or Open, High, Low, Close and
        optionally Volume by time.
    strategy : type, str or StrategySpec, optional
        A `backtesting.Strategy`, or how the command line names one; BigBar by default.
    columns : dict or str, optional
        Which column is time, open, high, low, close or volume: `{"time": "Date", "close": "Last"}`,
        or text as on the command line. By their names, by default.
    time_format : str, optional
        How times are written, as for `strptime`; or "s", "ms", "us" or "ns" for epochs.
    time_zone : str, optional
        Of times that say none, such as "America/New_York"; UTC, by default.
    date_order : {"dmy", "mdy", "ymd"}, optional
        Of 03/04/2024; found out by a number above 12, by default.
    maximize : str or callable, or a list of these, optional
        Statistic by backtesting.py's name, or a function of a combination's statistics (a Series
        without trades and equity curve): the higher the better. Of several the first decides which
        combination is the best; see `Optimization.pareto`.
    min_trades : int, optional
        Combinations with fewer trades do not count.
    constraint : callable or str, optional
        Which combinations to run: a function of a combination's parameters, by attribute and by
        name, or a condition as on the command line.
    method : str, optional
        "grid": every combination; "random": some of them by chance, spread evenly; or a search, in
        which each try goes by those before, one of `bigbar.search.find.SEARCHES`. By default the
        grid, and "local" with `max_tries`, unless the whole grid takes under a minute.
    max_tries : int, optional
        Combinations to try at most; all by default. Whatever their number, nothing is as large as
        the grid.
    keep : str, optional
        "all" rows, or "top:1000" of a grid whose rows cannot all be kept: so many of the best, a
        sample, and the heatmaps; `Optimization.table` and `results` have these rows then.
    cash, commission, spread, margin, trade_on_close, hedging, exclusive_orders, finalize_trades
        As in `backtesting.Backtest`, with its defaults; BigBar's are its own.
    engine : str, optional
        One of the strategy's; its default by default.
    workers : int or "auto", optional
        Processes; the processors this process may use, by default. With "auto" fewer are at work
        as other programs take the processors.
    min_workers, max_workers : int, optional
        Of "auto": always at work, and at work when nothing else is.
    timeout_per_backtest : float, optional
        Seconds that a single combination may take before it counts as failed.
    max_memory : int or str, optional
        Bytes that all processes together may take, or text such as `"2G"`.
    start_method : str, optional
        Of the processes; Python's default, by default.
    cluster : str, optional
        Run on the machines of a Ray cluster: `"HOST:PORT"`, `"auto"` for the one that this machine
        is part of, or `"local:N"` to try it with N workers here.
    cluster_wait : float, optional
        Seconds to wait for a machine when the last one is gone; 300 by default.
    verify : int, optional
        Combinations to replay through `backtesting.py` besides the winner, however long it takes;
        0 for none at all. By default up to 20, as far as six seconds reach.
    validate : bool, optional
        Hold the result against luck, costs and chance.
    holdout : float, optional
        Share of the bars to keep unseen, and look at once at the end.
    choose : {"peak", "robust"}, optional
        Whether the answer is the best setting, or the one with the best neighbourhood.
    thorough : bool, optional
        More splits for the probability of overfitting.
    walk_forward : int, optional
        Windows of a walk-forward analysis; 0 for none.
    anchored : bool, optional
        Whether all its training windows begin with the data.
    walk_forward_matrix : bool, optional
        Walk forward over several numbers of windows and shares.
    seed : int, optional
        Of the samples timed and replayed, of the draws of the validation, and of the method.
    store : path, optional
        A folder, made where there is none, whose `runs.sqlite` keeps the run. One that was
        interrupted continues there. By default nothing is kept.
    fresh : bool, optional
        Whether to take no rows from earlier runs of the store.
    progress : bool, optional
        Whether to draw a bar.
    listener : Listener, optional
        Is told how the run goes.
    **parameters
        Of the strategy: one value, several, or text as on the command line (`"10:100:1"`); and
        its settings (BigBar's `week_edge_bars`).

    Returns
    -------
    Optimization

    Raises
    ------
    bigbar.errors.DataError, bigbar.errors.SettingsError
        If the data or a setting cannot be used.
    bigbar.errors.NothingCounts
        If no combination counts: why, and in its `found` the `Optimization` with all rows.
    bigbar.errors.VerificationError
        If the engine and `backtesting.py` disagree.
    bigbar.report.files.OutputError
        If the folder of the store cannot be written to.
    bigbar.errors.WorkersLostError
        If workers keep dying, or import a script that begins this run without a guard
        (`if __name__ == "__main__":`).
    bigbar.errors.Interrupted
        By Ctrl-C, SIGTERM, SIGHUP or SIGQUIT; like `KeyboardInterrupt` not an `Exception`.
    """
    given = dict(locals())  # `optimize_many` takes the same options.
    warn_of_ranges(parameters, as_text=True)
    return asked_for(given).run(data)


@dataclass(frozen=True)
class Asked:
    """What was asked for from Python, the bars aside, and checked before any of them is read.

    Attributes
    ----------
    request : Request
    reason : str or None
        Why the engine is another than was asked for.
    reading : Reading
        How a file is to be read.
    folder : Path or None
        That keeps the run.
    policy : ReusePolicy
        What to do about earlier runs there.
    listener : Listener
        Is told how the run goes.
    """

    request: Request
    reason: str | None
    reading: Reading
    folder: Path | None
    policy: ReusePolicy
    listener: Listener

    def load(self, data: PriceFile | pd.DataFrame) -> Bars:
        """Read a file, or take a DataFrame.

        Raises
        ------
        bigbar.errors.DataError
            If the bars cannot be used.
        """
        if self.folder is not None:
            check_folder(self.folder, (), place_of(data), force=False, ways=FROM_PYTHON)
        return load_bars(
            data,
            reading=self.reading,
            max_memory=self.request.execution.max_memory,
            others=self.request.spec.sees_other_columns,
        )

    def run(self, data: PriceFile | pd.DataFrame) -> Optimization:
        """Optimize on a file, or on a DataFrame; see `optimize`."""
        found = carry_out(
            self.load(data),
            self.request,
            reason=self.reason,
            listener=self.listener,
            folder=self.folder,
            policy=self.policy,
        )
        for sentence in found.broke_off:
            warnings.warn(sentence, RuntimeWarning, stacklevel=4)
        if found.outcome.best is None:
            raise NothingCounts(_why_nothing(found), found)
        return found


def asked_for(given: Mapping[str, Any]) -> Asked:
    """What the arguments of `optimize` come to.

    Parameters
    ----------
    given : mapping
        All but the data, by their names; those of the strategy as `parameters`.

    Raises
    ------
    bigbar.errors.SettingsError
        If one makes no sense.
    """
    leave_if_starting()
    store = given["store"]
    folder = None if store is None else Path(path("store", store, "a folder's path"))
    listening = _listener(given["listener"])
    spec, parameters = spec_of(given["strategy"]), dict(given["parameters"])
    settings = {name: parameters.pop(name) for name in spec.settings if name in parameters}
    spec = replace(spec, **settings)
    engine = given["engine"]
    usable, reason = available_engine(
        spec, None if engine is None else text("engine", engine, "an engine's name")
    )
    least_trades = whole("min_trades", given["min_trades"])
    account = replace(
        spec.default_account(),
        **{name: given[name] for name in ("commission", "spread", "margin")},
        **{name: given[name] for name in _CHOSEN if given[name] is not None},
    )
    search = Search(given["method"], given["max_tries"], whole("seed", given["seed"]))
    points = _points(spec, spec.space(parameters), given["constraint"], search)
    request = Request(
        spec=spec,
        space=points.space,
        account=account,
        engine=usable,
        choice=Choice.of(given["maximize"], least_trades),
        execution=execution_of({**given, "folder": folder}),
        plan=Plan(
            assess=given["validate"],
            matrix=given["walk_forward_matrix"],
            **{name: given[name] for name in _PLANNED},
        ),
        whole=points.whole,
        asking=points.asking,
        keep=rows_kept(given["keep"]),
    )
    if given["listener"] is None and flag("progress", given["progress"]):
        listening = BarOnly()
    return Asked(
        request=request,
        reason=reason,
        reading=Reading(
            columns_said(given["columns"]),
            given["time_format"],
            given["time_zone"],
            given["date_order"],
        ),
        folder=folder,
        policy=ReusePolicy(fresh=flag("fresh", given["fresh"])),
        listener=listening,
    )


def _why_nothing(found: Optimization) -> str:
    """Why no combination counts, and what the first of those that failed raised."""
    why = why_nothing(found.outcome)
    if found.failures:
        why += f" The first that failed: {one_line(cause_and_place(found.failures[0].reason))}"
    return why


def spec_of(strategy: type | str | StrategySpec | None) -> StrategySpec:
    """The description of a class, of a name as on the command line, or of BigBar.

    Raises
    ------
    SettingsError
        If it is no strategy.
    """
    if isinstance(strategy, StrategySpec):
        return strategy
    if strategy is None or isinstance(strategy, str):
        return find_strategy(DEFAULT if strategy is None else strategy)
    if not isinstance(strategy, type):
        raise refusal(
            "strategy", strategy, "a backtesting.Strategy, or text such as 'my.py:SmaCross'"
        )
    return StrategySpec.of(strategy)


def _points(
    spec: StrategySpec,
    product: Space,
    constraint: Callable[[Any], bool] | str | None,
    search: Search,
) -> Points:
    """What is to be tried."""
    if constraint is None:
        return search.points(product, (), lambda: product)
    condition = (
        Constraint(constraint, product.names, spec.attributes)
        if isinstance(constraint, str)
        else constraint
    )
    if not callable(condition):
        raise refusal(
            "constraint",
            constraint,
            "a function of a combination's parameters, or a condition such as 'fast < slow'",
        )

    def everything() -> Space:
        with _asking(condition):
            return product.where(condition)

    with _asking(condition):
        return search.points(product, (condition,), everything)


@contextmanager
def _asking(constraint: Callable[[Any], Any]) -> Iterator[None]:
    """What a constraint raises is told as such."""
    try:
        yield
    except SettingsError:
        raise
    except Exception as problem:
        raise SettingsError(
            f"the constraint {shown(constraint)} raised {type(problem).__name__}: "
            f"{one_line(str(problem))}"
        ) from problem


def carry_out(
    bars: Bars,
    request: Request,
    *,
    reason: str | None = None,
    listener: Listener | None = None,
    folder: Path | None = None,
    policy: ReusePolicy | None = None,
    later: Plan | None = None,
) -> Optimization:
    """Run a request from Python.

    Parameters
    ----------
    bars : Bars
    request : Request
    reason : str, optional
        Why the engine is another than was asked for.
    listener : Listener, optional
        Is told how the run goes.
    folder : Path, optional
        Keeps the run.
    policy : ReusePolicy, optional
        What to do about earlier runs there.
    later : Plan, optional
        What is to be found out about the result when its findings are first looked at.

    Raises
    ------
    bigbar.errors.BigBarError
        If anything of it cannot be done.
    bigbar.errors.Interrupted
        By Ctrl-C or SIGTERM.
    """
    listening = listener or Listener()
    if reason:
        listening.event(reason)
    with _recorder(folder, policy or ReusePolicy(), listening) as recorder:
        outcome = optimize_bars(bars, request, listener=listening, recorder=recorder)
        if outcome.stopped_by is not None:
            raise Interrupted(outcome.stopped_by)
        if folder is not None:
            recorder.finish(ending(outcome, whole_answer(outcome, top=10, files=[])))
    return Optimization(outcome, reason, later=later)


def _recorder(folder: Path | None, policy: ReusePolicy, listener: Listener) -> Recorder:
    if folder is None:
        return Recorder()
    prepare_folder(folder, ways=FROM_PYTHON)
    return StoreRecorder(folder, policy=policy, tell=listener.event)


def load_bars(
    data: PriceFile | pd.DataFrame,
    *,
    reading: Reading = AS_FOUND,
    max_memory: int | None = None,
    others: bool = False,
) -> Bars:
    """Bars from a file, or from a DataFrame with a time index.

    `reading`: what the data does not tell by itself. `max_memory`: bytes that this process may
    take to read a file. `others`: whether to keep columns besides prices and volume.

    Raises
    ------
    bigbar.errors.DataError
        If they cannot be used.
    """
    if isinstance(data, pd.DataFrame):
        return bars_from_frame(data, reading=reading, others=others)
    return read_bars(data, reading=reading, max_memory=max_memory, others=others)


def _listener(listener: Listener | None) -> Listener:
    """Whoever is told how the run goes; nobody, by default."""
    if listener is None:
        return Listener()
    parts = [name for name in vars(Listener) if not name.startswith("_")]
    if isinstance(listener, type) or not all(hasattr(listener, name) for name in parts):
        raise refusal(
            "listener", listener, "a bigbar.progress.events.Listener, or have all its methods"
        )
    return listener
