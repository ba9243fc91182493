"""The optimizer from Python: a file or a DataFrame in, the table and the best out."""

from __future__ import annotations

import math
import multiprocessing
import os
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from bigbar.account import Account, Settings
from bigbar.data.encoding import PriceFile
from bigbar.data.read import Bars, bars_from_frame, read_bars
from bigbar.data.reading import AS_FOUND, Reading, columns_said
from bigbar.engines.contract import available_engine
from bigbar.errors import Interrupted, NothingCounts, SettingsError
from bigbar.executors.inside_process import leave_if_starting
from bigbar.given import flag, number, path, refusal, text, whole
from bigbar.machine.budget import Files
from bigbar.machine.other_programs import worker_range
from bigbar.machine.resources import usable_processors
from bigbar.outcome import Execution, Outcome, replays_asked_for
from bigbar.pipeline import optimize_bars
from bigbar.printable import shown
from bigbar.progress.events import Narrator
from bigbar.report.answer import answer, full_statistics, why_nothing
from bigbar.report.files import ending, prepare_folder
from bigbar.report.ownership import check_folder, place_of
from bigbar.results import Choice, Pairs
from bigbar.space import Grid
from bigbar.store.recording import Recorder, StoreRecorder, Wish
from bigbar.units import parse_size
from bigbar.validation.findings import Findings
from bigbar.validation.plan import Plan
from bigbar.verification.replay import Verification
from bigbar.worker import Failure

AxisValues = str | float | Iterable[float]


class Optimization:
    """What an optimization found.

    Parameters
    ----------
    outcome : Outcome
        Of the run.
    """

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome

    def __len__(self) -> int:
        return len(self.outcome.table)

    @property
    def best_parameters(self) -> dict[str, float] | None:
        """The winning combination; None where none counts."""
        best = self.outcome.best
        return None if best is None else dict(vars(self.outcome.job.grid[best]))

    @property
    def best_statistics(self) -> pd.Series | None:
        """Its statistics under backtesting.py's names, Start and End included."""
        best = self.outcome.best
        return None if best is None else full_statistics(self.outcome, best)

    @property
    def trades(self) -> pd.DataFrame | None:
        """Its closed trades, columns as in backtesting.py's `_trades`."""
        return self.outcome.trades

    @property
    def verification(self) -> Verification | None:
        """How the replays through `backtesting.py` compare; None where there were none."""
        return self.outcome.verification

    @property
    def findings(self) -> Findings | None:
        """What the result is worth; None with `validate=False` and nothing else asked for."""
        return self.outcome.findings

    @property
    def failures(self) -> list[Failure]:
        """Combinations that raised or that their worker did not survive; their rows are NaN."""
        return self.outcome.failures

    @property
    def broke_off(self) -> list[str]:
        """What failed after the sweep, each in a sentence: the result stands without it."""
        return list(self.outcome.broke_off.values())

    @property
    def run(self) -> int | None:
        """Its number in the store; None where it was not kept."""
        return self.outcome.carried.run

    @property
    def result_sha256(self) -> str | None:
        """Digest of every combination's statistics: equal for equal bars, settings and code."""
        return self.outcome.result_sha256

    @property
    def results(self) -> Pairs:
        """Every combination as `(parameters, statistics)`, each pair made when asked for."""
        return Pairs(self.outcome.table)

    def table(self) -> pd.DataFrame:
        """A row a combination in grid order: five parameters, then every statistic."""
        return self.outcome.table.frame()

    def heatmap(self, statistic: str | None = None) -> pd.Series:
        """A statistic over the grid, as `Backtest.optimize(return_heatmap=True)` gives it.

        Parameters
        ----------
        statistic : str, optional
            By backtesting.py's name; what was optimized, by default.

        Returns
        -------
        Series
            Indexed by the five parameters; NaN where there were no trades.
        """
        return self.outcome.table.heatmap(statistic or self.outcome.choice.objective.name)


def optimize(
    data: PriceFile | pd.DataFrame,
    *,
    columns: str | Mapping[str, str | int] | None = None,
    time_format: str | None = None,
    time_zone: str | None = None,
    date_order: str | None = None,
    maximize: str = "Return [%]",
    min_trades: int = 1,
    atr_period: AxisValues | None = None,
    k_atr: AxisValues | None = None,
    uptail_max_ratio: AxisValues | None = None,
    previous_weight: AxisValues | None = None,
    buffer_ratio: AxisValues | None = None,
    cash: float = Account.cash,
    commission: float | tuple[float, float] = Account.commission,
    spread: float = Account.spread,
    margin: float = Account.margin,
    week_edge_bars: int = Settings.week_edge_bars,
    engine: str = "compiled",
    workers: int | str | None = None,
    min_workers: int | None = None,
    max_workers: int | None = None,
    timeout_per_backtest: float | None = None,
    max_memory: int | str | None = None,
    start_method: str | None = None,
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
    narrator: Narrator | None = None,
) -> Optimization:
    """Run every combination of the grid on the given bars.

    Parameters
    ----------
    data : path, file object or DataFrame
        A price file, an open one (`io.BytesIO` among them), or Open, High, Low, Close and
        optionally Volume by time.
    columns : dict or str, optional
        Which column is time, open, high, low, close or volume: `{"time": "Date", "close": "Last"}`,
        or text as on the command line. By their names, by default.
    time_format : str, optional
        How times are written, as for `strptime`; or "s", "ms", "us" or "ns" for epochs.
    time_zone : str, optional
        Of times that say none, such as "America/New_York"; UTC, by default.
    date_order : {"dmy", "mdy", "ymd"}, optional
        Of 03/04/2024; found out by a number above 12, by default.
    maximize : str, optional
        Statistic by backtesting.py's name.
    min_trades : int, optional
        Combinations with fewer trades do not count.
    atr_period, k_atr, uptail_max_ratio, previous_weight, buffer_ratio : optional
        Values of an axis: a number, several of them in any order (a list, an array, a generator),
        or text as on the command line (`"10:100:1"`).
    cash, commission, spread, margin : float, optional
        As in `backtesting.Backtest`.
    week_edge_bars : int, optional
        Flat over the first and last bars of a trading week.
    engine : {"compiled", "backtesting"}, optional
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
        Of the samples timed and replayed, and of the draws of the validation.
    store : path, optional
        A folder, made where there is none, whose `runs.sqlite` keeps the run. One that was
        interrupted continues there. By default nothing is kept.
    fresh : bool, optional
        Whether to take no rows from earlier runs of the store.
    narrator : Narrator, optional
        Is told how the run goes.

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
    leave_if_starting()
    folder = None if store is None else Path(path("store", store, "a folder's path"))
    listener = _listener(narrator)
    plan = Plan(
        assess=validate,
        holdout=holdout,
        choose=choose,
        thorough=thorough,
        walk_forward=walk_forward,
        anchored=anchored,
        matrix=walk_forward_matrix,
    )
    execution = _execution(
        start_method,
        verify,
        seed,
        workers=_workers(workers, min_workers, max_workers),
        timeout=timeout_per_backtest,
        max_memory=max_memory,
        files=None if folder is None else Files(folder),
    )
    axes = {
        "atr_period": atr_period,
        "k_atr": k_atr,
        "uptail_max_ratio": uptail_max_ratio,
        "previous_weight": previous_weight,
        "buffer_ratio": buffer_ratio,
    }
    grid = _grid({name: values for name, values in axes.items() if values is not None})
    settings = Settings(Account(cash, commission, spread, margin), week_edge_bars)
    choice = Choice.by_name(maximize, whole("min_trades", min_trades))
    usable, reason = available_engine(text("engine", engine, "an engine's name"))
    wish = Wish(fresh=flag("fresh", fresh))
    if folder is not None:
        check_folder(folder, (), place_of(data), force=False)
    reading = Reading(columns_said(columns), time_format, time_zone, date_order)
    bars = load_bars(data, reading=reading, max_memory=execution.max_memory)
    if reason:
        listener.event(reason)
    with _recorder(folder, wish, listener) as recorder:
        outcome = optimize_bars(
            bars,
            grid,
            settings=settings,
            engine=usable,
            choice=choice,
            execution=execution,
            narrator=listener,
            recorder=recorder,
            plan=plan,
        )
        if outcome.stopped_by is not None:
            raise Interrupted(outcome.stopped_by)
        recorder.finish(ending(outcome, answer(outcome, top=10, files=[])))
    found = Optimization(outcome)
    for sentence in found.broke_off:
        warnings.warn(sentence, RuntimeWarning, stacklevel=2)
    if outcome.best is None:
        raise NothingCounts(why_nothing(outcome), found)
    return found


def _recorder(folder: Path | None, wish: Wish, listener: Narrator) -> Recorder:
    if folder is None:
        return Recorder()
    prepare_folder(folder)
    return StoreRecorder(folder, wish=wish, tell=listener.event)


def load_bars(
    data: PriceFile | pd.DataFrame, *, reading: Reading = AS_FOUND, max_memory: int | None = None
) -> Bars:
    """Bars from a file, or from a DataFrame with a time index.

    `reading`: what the data does not tell by itself. `max_memory`: bytes that this process may
    take to read a file.

    Raises
    ------
    bigbar.errors.DataError
        If they cannot be used.
    """
    if isinstance(data, pd.DataFrame):
        return bars_from_frame(data, reading=reading)
    return read_bars(data, reading=reading, max_memory=max_memory)


def _workers(
    workers: int | str | None, least: int | None, most: int | None
) -> tuple[int, int | None]:
    usable = usable_processors()
    least, most = (
        None if value is None else whole(name, value, least=1)
        for name, value in (("min_workers", least), ("max_workers", most))
    )
    if workers is None:
        workers = usable
    asked = workers if isinstance(workers, str) else whole("workers", workers, least=1)
    return worker_range(asked, least, most, usable=usable)


def _execution(
    start_method: object,
    verify: object,
    seed: object,
    *,
    workers: tuple[int, int | None],
    timeout: object,
    max_memory: object,
    files: Files | None,
) -> Execution:
    methods = multiprocessing.get_all_start_methods()
    if not (start_method is None or (isinstance(start_method, str) and start_method in methods)):
        raise SettingsError(
            f"start method {shown(start_method)} is not one of this system's: {', '.join(methods)}"
        )
    replays = replays_asked_for(None if verify is None else whole("verify", verify))
    return Execution(
        workers=workers[0],
        least_workers=workers[1],
        timeout=None if timeout is None else _positive("timeout_per_backtest", timeout),
        start_method=start_method,
        seed=whole("seed", seed),
        max_memory=_memory(max_memory),
        files=files,
        **replays,
    )


def _positive(name: str, value: object) -> float:
    found = number(name, value)
    if not 0 < found < math.inf:
        raise refusal(name, value, "above 0, and finite")
    return found


def _memory(given: object) -> int | None:
    if given is None:
        return None
    if isinstance(given, str):
        return parse_size(given)
    found = int(_positive("max_memory", given))
    if not found:
        raise refusal("max_memory", given, "a number of bytes, or text such as '2G'")
    return found


def _listener(narrator: Narrator | None) -> Narrator:
    """Whoever is told how the run goes; nobody, by default."""
    if narrator is None:
        return Narrator()
    parts = [name for name in vars(Narrator) if not name.startswith("_")]
    if isinstance(narrator, type) or not all(hasattr(narrator, name) for name in parts):
        raise refusal(
            "narrator", narrator, "a bigbar.progress.events.Narrator, or have all its methods"
        )
    return narrator


def _grid(axes: dict[str, AxisValues]) -> Grid:
    typed = {name: values for name, values in axes.items() if isinstance(values, str)}
    given = {name: values for name, values in axes.items() if not isinstance(values, str)}
    from_text = {axis.name: axis.values for axis in Grid.parse(**typed).axes}
    return Grid.from_values(**from_text | given)
