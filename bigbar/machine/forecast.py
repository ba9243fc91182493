"""What a run will take: time, memory, shared memory, disk. Told before it is taken.

Of a run that is continued, or that takes rows of others, it is what is left.

The figures below were measured on the command, on files of 5,000 to a million bars (example.csv,
and made ones from `benchmarks/made_data.py`) and grids of 1,240 to 1,095,640 combinations, with one
to four workers on two processors of a cloud machine, by Python 3.11 on Linux. Memory is what the
processes have, not what they have asked for. Time depends on the machine and is rough, until the
sample of the estimate has been timed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bigbar.errors import SettingsError
from bigbar.machine.resources import resident_memory
from bigbar.statistics import STATISTICS
from bigbar.units import as_bytes, counted

#: Bytes that a process gains over what it has when the bars are read: the compiler's library and
#: the machine code (117 MB), or `backtesting.py` (28 MB); compiling the kernel anew (110 MB).
_LOADED = {"compiled": 117e6, "backtesting": 28e6, "general": 145e6}
_COMPILING = 110e6

#: Bytes of the parent for each bar: indicators, their published copy, the engine's market.
_PER_BAR = 90

#: Bytes of the parent for each combination: its row; and while files are written, the columns of
#: the Parquet file (390) and the text of the CSV file (another 150).
_ROW = 8 * len(STATISTICS)
_WRITING, _WRITING_CSV = 390, 150

#: Writing itself: Arrow's buffers and the page of the report.
_WRITER = 40e6

#: Bytes of a worker at its start, by itself, and for each bar; forked ones share the libraries.
_FORKED = {"compiled": 12e6, "backtesting": 24e6, "general": 45e6}
_SPAWNED = {"compiled": 105e6, "backtesting": 90e6, "general": 190e6}
_WORKER_PER_BAR = 20

#: What a worker gains when it replays through `backtesting.py`: importing it, and for each bar.
_REPLAY = {"compiled": 67e6, "backtesting": 0.0, "general": 10e6}
_REPLAY_PER_BAR = 100

#: Bytes for each bar that a worker gains in the validation, on other spans, costs and prices.
_OTHER_JOBS_PER_BAR = 120

#: What is left to a worker: for each bar, with what is there only while another job's engine is
#: made; and beyond that, so that no slice fails for a page.
_ROOM_PER_BAR = 240
_SLACK = 32e6

#: Times the matrix of returns that holding a result against luck takes; the most that the matrix
#: is made (`bigbar.validation.compounding.MOST_BYTES`), and what is shared of one that is larger.
_LUCK = 1.4
_SHARED_PART = 4

#: What this process has when it is run again is not the same to the byte: what it is told that
#: would do is enough for so many times as much.
_NEXT_TIME = 1.02

#: Bytes of a combination on disk: as Parquet, and twice in the store until its log is folded into
#: it; statistics of short files repeat, and are packed closer. As CSV.
_PACKED, _PACKED_LESS = 160, 110
_SHORT_FILE = 5_000
_CSV = 560
_STORE, _PAGE, _PLOTS = 0.3e6, 2.5e6, 3.2e6
_TRADES_PER_BAR = 10

#: Published columns of 8 bytes, the time index among them, and what the compiled engine prepares
#: where a quarter of the bars could be entered on; and the description.
_COLUMNS = {"compiled": 15.4, "backtesting": 9.0, "general": 9.0}
_DESCRIPTION = 4_000

#: Seconds: before and after the sweep; compiling the kernel anew; starting a worker that imports
#: everything; for each bar read.
_AROUND_S = {"compiled": 1.5, "backtesting": 2.5, "general": 3.0}
_COMPILE_S = 12.0
_SPAWN_S = 1.3
_READ_PER_BAR_S = 0.8e-6

#: Seconds of a backtest, and for each bar.
_BACKTEST_S = {
    "compiled": (3e-6, 4e-10),
    "backtesting": (0.005, 1e-5),
    "general": (4e-4, 5e-8),
}

#: Seconds of a replay: importing, then each, and for each bar.
_REPLAYS_S, _REPLAY_S, _REPLAY_PER_BAR_S = 1.2, 0.05, 3e-5

#: Seconds of holding a result against luck: always, and for each return of each combination.
_LUCK_S, _LUCK_PER_RETURN_S = 0.5, 1.5e-7

#: Backtests of the winner on other costs, one after the other; and on other prices.
_ON_COSTS, _ON_PRICES = 35, 80

#: Of a window of a walk-forward analysis: share of a sweep, and of a replay on all bars.
_WINDOW_SWEEP, _WINDOW_REPLAY = 0.6, 0.7

#: Seconds of writing for each combination: as Parquet, as CSV; and of the plots.
_WRITE_S, _WRITE_CSV_S, _PLOT_S = 3e-6, 15e-6, 3.0


@dataclass(frozen=True)
class Workload:
    """What decides how much a run takes.

    Attributes
    ----------
    combinations, bars : int
    known : int
        Of the combinations, what earlier runs have answered: they need not be run.
    stored : int
        Of these, what the store has of this very run: they need not be written there.
    returns : int
        Of a combination, from period to period, for the luck statistics; 0 where they are not
        asked for.
    engine : str
    workers : int
    here : int or None
        Of the workers, those on this machine; None for all.
    forked : bool
        Whether workers begin as copies of the parent.
    replays : int
        Combinations that are replayed through `backtesting.py`.
    replay_budget_s : float
        After so many seconds no further one begins.
    windows : int
        Of a walk-forward analysis.
    matrix_bytes : int
        The most that the matrix of returns is made.
    kept, csv, plot : bool
        Whether there are files and a store at all; the CSV file; the plots.
    compiling : bool
        Whether the kernel has to be compiled first.
    measured_s : float or None
        Seconds for a combination, where that was measured before anything began.
    along : bool
        Whether the sweep keeps the returns of what it runs, so that it is not run once more.
    held : int or None
        Rows that are kept of the combinations at most; None for all.
    """

    combinations: int
    bars: int
    known: int = 0
    stored: int = 0
    returns: int = 0
    engine: str = "compiled"
    workers: int = 1
    here: int | None = None
    forked: bool = True
    replays: int = 0
    replay_budget_s: float = 6.0
    windows: int = 0
    matrix_bytes: int = 400_000_000
    kept: bool = True
    csv: bool = False
    plot: bool = False
    compiling: bool = False
    measured_s: float | None = None
    along: bool = False
    held: int | None = None

    @property
    def rows(self) -> int:
        """Of the table that is held."""
        return self.combinations if self.held is None else min(self.held, self.combinations)


@dataclass(frozen=True)
class Forecast:
    """What a run will take.

    Attributes
    ----------
    seconds : float
    memory : int
        Bytes of all processes together, what they share counted once, where that is highest.
    shared : int
        Of it, in shared memory.
    disk : int
        Bytes written to the output folder.
    """

    seconds: float
    memory: int
    shared: int
    disk: int


def forecast(
    load: Workload, *, present: int | None = None, backtest_s: float | None = None
) -> Forecast:
    """What a run will take.

    Parameters
    ----------
    load : Workload
    present : int, optional
        Bytes that this process has now; measured, by default.
    backtest_s : float, optional
        Seconds of a backtest, once a sample was timed.
    """
    present = resident_memory() if present is None else present
    return Forecast(
        seconds=_seconds(load, backtest_s),
        memory=round(max(_memory(load, present).values())),
        shared=round(_published(load) + _shared_returns(load)),
        disk=round(_disk(load)) if load.kept else 0,
    )


def rough_backtest_s(engine: str, bars: int) -> float:
    """Seconds that a backtest takes, where none was timed."""
    always, per_bar = _BACKTEST_S.get(engine, _BACKTEST_S["backtesting"])
    return always + per_bar * bars


def worker_growth(load: Workload) -> int:
    """Bytes that a worker may rightly take on top of what it has at its start."""
    return round(_replaying(load) + _ROOM_PER_BAR * load.bars + _SLACK)


def fit(load: Workload, most: int, *, present: int | None = None) -> Workload:
    """The same work within a limit of memory: as it is, or by fewer workers.

    Parameters
    ----------
    load : Workload
    most : int
        Bytes of all processes together.
    present : int, optional
        Bytes that this process has now; measured, by default.

    Raises
    ------
    SettingsError
        If it takes more even with one worker; with what it takes, and what would do.
    """
    present = resident_memory() if present is None else present
    for workers in range(load.workers, 0, -1):
        fewer = replace(load, workers=workers)
        if forecast(fewer, present=present).memory <= most:
            return fewer
    alone = replace(load, workers=1)
    needed = forecast(alone, present=present).memory
    enough = _rounded_up(needed * _NEXT_TIME)
    ways = [f"give it {as_bytes(enough)}", *_lighter(alone, round(most / _NEXT_TIME), present)]
    with_one = "" if load.workers == 1 else " even with one worker"
    raise SettingsError(
        f"this run needs about {as_bytes(needed)}{with_one}, and --max-memory is "
        f"{as_bytes(most)}; {', '.join(ways[:-1])}{' or ' if ways[:-1] else ''}{ways[-1]}"
    )


def _lighter(load: Workload, most: int, present: int) -> list[str]:
    """What else would fit, in words."""
    ways = []
    without_replays = replace(load, replays=0)
    without_luck = replace(load, returns=0)
    if load.replays and forecast(without_replays, present=present).memory <= most:
        ways.append("leave out the replays (--verify 0)")
    if load.returns and forecast(without_luck, present=present).memory <= most:
        ways.append("leave out the validation (--no-validate)")
    low, high = 0, load.combinations
    while high - low > 1:
        middle = (low + high) // 2
        fits = forecast(replace(load, combinations=middle), present=present).memory <= most
        low, high = (middle, high) if fits else (low, middle)
    if low:
        digits = 10 ** max(0, len(str(low)) - 2)
        ways.append(f"run {counted(low // digits * digits, 'combination')} at a time")
    return ways


def _rounded_up(count: float) -> float:
    """To two digits."""
    digits = 10 ** max(0, len(str(int(count))) - 2)
    return float(-(-int(count) // digits) * digits)


def _memory(load: Workload, present: int) -> dict[str, float]:
    """Bytes of all processes in each part of the run; the sweep takes less than what follows it."""
    table = load.rows * _ROW
    parent = present + _LOADED.get(load.engine, 0.0) + _PER_BAR * load.bars + table
    started = (_FORKED if load.forked else _SPAWNED).get(load.engine, _SPAWNED["backtesting"])
    each = started + _WORKER_PER_BAR * load.bars
    later = _replaying(load) + _OTHER_JOBS_PER_BAR * load.bars
    writing = _WRITING + (_WRITING_CSV if load.csv else 0)
    return {
        "compiling": present + _LOADED.get(load.engine, 0.0) + _COMPILING * load.compiling,
        "after the sweep": parent + _here(load) * (each + later) + _LUCK * _matrix(load),
        "writing": parent + (_WRITER + load.rows * writing if load.kept else 0.0),
    }


def _here(load: Workload) -> int:
    return load.workers if load.here is None else load.here


def _replaying(load: Workload) -> float:
    if not load.replays and not load.windows:
        return 0.0
    return _REPLAY.get(load.engine, _REPLAY["compiled"]) + _REPLAY_PER_BAR * load.bars


def _matrix(load: Workload) -> float:
    return min(4.0 * load.rows * load.returns, load.matrix_bytes)


def _shared_returns(load: Workload) -> float:
    whole = 4.0 * load.rows * load.returns
    return whole if whole <= load.matrix_bytes else load.matrix_bytes / _SHARED_PART


def _published(load: Workload) -> float:
    columns = _COLUMNS.get(load.engine, _COLUMNS["backtesting"])
    return 8.0 * columns * load.bars + _DESCRIPTION


def _disk(load: Workload) -> float:
    packed = _PACKED - _PACKED_LESS * min(1.0, _SHORT_FILE / load.bars)
    return (
        load.rows * (packed + (_CSV if load.csv else 0))
        + (load.rows - load.stored) * 2 * packed
        + _STORE
        + _PAGE
        + (_PLOTS if load.plot else 0.0)
        + _TRADES_PER_BAR * load.bars
    )


def _seconds(load: Workload, backtest_s: float | None) -> float:
    backtest_s = load.measured_s if backtest_s is None else backtest_s
    each = rough_backtest_s(load.engine, load.bars) if backtest_s is None else backtest_s
    again = load.rows * each / load.workers
    left = (load.combinations - load.known) * each / load.workers
    replay = _REPLAY_S + _REPLAY_PER_BAR_S * load.bars
    spent = _AROUND_S.get(load.engine, 2.5) + _READ_PER_BAR_S * load.bars + left
    if load.compiling:
        spent += _COMPILE_S
    if not load.forked:
        spent += _SPAWN_S * max(1, _here(load))
    if load.replays:
        rounds = -(-load.replays // load.workers)
        spent += _REPLAYS_S + min(rounds * replay, load.replay_budget_s + replay)
    if load.returns:
        spent += _LUCK_S + _LUCK_PER_RETURN_S * load.rows * load.returns
        spent += min(load.known, load.rows) * each / load.workers if load.along else again
        spent += (_ON_COSTS + _ON_PRICES / load.workers) * each
    spent += load.windows * (_WINDOW_SWEEP * again + _WINDOW_REPLAY * replay)
    if load.kept:
        spent += load.rows * (_WRITE_S + (_WRITE_CSV_S if load.csv else 0.0))
        spent += _PLOT_S if load.plot else 0.0
    return spent
