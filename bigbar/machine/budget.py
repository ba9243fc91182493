"""What a run will take, against what it may take and what the machine has."""

from __future__ import annotations

import contextlib
import multiprocessing
from dataclasses import dataclass, replace
from pathlib import Path

from bigbar.engines.contract import EngineKind
from bigbar.engines.find import is_general, kind_of
from bigbar.job import Job
from bigbar.machine.forecast import Forecast, Workload, fit, forecast, worker_growth
from bigbar.machine.resources import (
    available_memory,
    free_disk,
    free_shared_memory,
    resident_memory,
)
from bigbar.store.schema import RUNS
from bigbar.units import as_bytes, counted
from bigbar.validation.compounding import MOST_BYTES
from bigbar.validation.plan import MATRIX_SHARES, MATRIX_WINDOWS, Plan

#: Share of the memory that there is which all workers together may take where no limit was given:
#: past it the system would soon kill whoever is largest.
_LEAVE_TO_OTHERS = 0.8


_DISK = "the disk may not do"


@dataclass(frozen=True)
class Files:
    """What is written.

    Attributes
    ----------
    folder : Path
    csv, plot : bool
        The CSV file and the plots, besides what is always written.
    """

    folder: Path
    csv: bool = False
    plot: bool = False

    def store_bytes(self) -> int:
        """What the runs kept in the folder take."""
        taken = 0
        for file in self.folder.glob(f"{RUNS}*"):
            with contextlib.suppress(OSError):  # A link to nothing, or a log that is just gone.
                taken += file.stat().st_size
        return taken


@dataclass(frozen=True)
class Budget:
    """What a run will take, and may take.

    Attributes
    ----------
    load : Workload
        With as many workers as there is room for.
    forecast : Forecast
    memory_limit : int
        Bytes that all processes together may take, or that there are to be had.
    growth : int
        Bytes that a worker may take on top of what it has at its start.
    notes : tuple of str
        What a person should know: fewer workers than asked for, or too little of something.
    method : str or None
        The search that chooses the combinations: what it takes for itself depends on the machine
        and on what it finds, and is not forecast; None where none does.
    """

    load: Workload
    forecast: Forecast
    memory_limit: int
    growth: int
    notes: tuple[str, ...] = ()
    method: str | None = None

    def of_the_rest(self, *, known: int, stored: int, files: Files | None) -> Budget:
        """The same, where earlier runs have a part of the answer.

        Parameters
        ----------
        known, stored : int
            Combinations, as in `Workload`.
        files : Files or None
        """
        load = replace(self.load, known=known, stored=stored)
        rest = forecast(load, present=0)
        expected = replace(self.forecast, seconds=rest.seconds, disk=rest.disk)
        notes = [note for note in self.notes if not note.startswith(_DISK)]
        return replace(
            self, load=load, forecast=expected, notes=(*notes, *_too_little_disk(expected, files))
        )

    def against(
        self,
        *,
        backtest_s: float,
        seconds: float,
        memory: int,
        shared: int,
        disk: int,
        search_s: float = 0.0,
    ) -> dict[str, dict[str, float]]:
        """The forecast and what it came to.

        Parameters
        ----------
        backtest_s : float
            How long a backtest took in the sample; 0 where there was none.
        seconds, memory, shared, disk
            What the run took, as in `Forecast`.
        search_s : float, optional
            Of these seconds, what a search took for itself.

        Returns
        -------
        dict
            `forecast` and `actual` of `time_s`, `memory_bytes`, `shared_bytes` and `disk_bytes`;
            of the time also as it was expected `after_estimate`, and what of it was `search`.
        """
        told: dict[str, dict[str, float]] = {
            "time_s": {"forecast": round(self.forecast.seconds, 3), "actual": round(seconds, 3)},
            "memory_bytes": {"forecast": self.forecast.memory, "actual": memory},
            "shared_bytes": {"forecast": self.forecast.shared, "actual": shared},
            "disk_bytes": {"forecast": self.forecast.disk, "actual": disk},
        }
        if backtest_s:
            later = forecast(self.load, present=0, backtest_s=backtest_s).seconds
            told["time_s"]["after_estimate"] = round(later + search_s, 3)
        if self.method is not None:
            told["time_s"]["search"] = round(search_s, 3)
        return told


def workload(
    job: Job,
    plan: Plan | None,
    *,
    bars: int,
    returns: int,
    workers: int,
    start_method: str | None,
    verify: int,
    verify_seconds: float,
    files: Files | None,
) -> Workload:
    """What decides how much a run takes.

    Parameters
    ----------
    job : Job
    plan : Plan or None
        What of the validation is asked for.
    bars : int
        Of the file.
    returns : int
        Of a combination, from period to period.
    workers : int
    start_method : str or None
    verify : int
    verify_seconds : float
    files : Files or None
        None where nothing is written.
    """
    combinations = len(job.space)
    plan = plan or Plan(assess=False)
    matrix = len(MATRIX_WINDOWS) * len(MATRIX_SHARES) if plan.matrix else 0
    method = multiprocessing.get_context(start_method).get_start_method()
    engine = "general" if is_general(job.spec, job.engine) else job.engine
    return Workload(
        combinations=combinations,
        bars=bars,
        returns=returns if plan.assess else 0,
        engine=engine,
        workers=min(workers, combinations),
        forked=method == "fork",
        replays=min(verify + 1, combinations) if verify else 0,
        replay_budget_s=verify_seconds,
        windows=plan.walk_forward + matrix,
        matrix_bytes=MOST_BYTES,
        kept=files is not None,
        csv=files is not None and files.csv,
        plot=files is not None and files.plot,
        compiling=_has_to_compile(kind_of(job.spec, engine)),
    )


def budget_for(load: Workload, *, max_memory: int | None, files: Files | None) -> Budget:
    """What a run will take, cut down to what it may take.

    Parameters
    ----------
    load : Workload
    max_memory : int or None
        Bytes that all processes together may take; None for what the machine has.
    files : Files or None

    Raises
    ------
    SettingsError
        If it would take more than `max_memory` even with one worker.
    """
    notes = []
    asked = load
    if max_memory is not None:
        load = fit(asked, max_memory)
        if load.workers < asked.workers:
            more = forecast(replace(load, workers=load.workers + 1)).memory
            notes.append(
                f"{counted(load.workers, 'worker')} in place of {asked.workers}: one more would "
                f"take the run to {as_bytes(more)}, and --max-memory is {as_bytes(max_memory)}"
            )
    expected = forecast(load)
    # What this process has already is part of the forecast.
    available = available_memory() + resident_memory()
    notes += _shortages(load, expected, available, files)
    needed = worker_growth(load)
    if max_memory is None:
        growth = max(2 * needed, round(_LEAVE_TO_OTHERS * available / load.workers))
    else:
        growth = needed + max(0, max_memory - expected.memory) // load.workers
    limit = available if max_memory is None else min(max_memory, available)
    return Budget(load, expected, limit, growth, tuple(notes))


def _shortages(
    load: Workload, expected: Forecast, available: int, files: Files | None
) -> list[str]:
    notes = []
    if expected.memory > available:
        ways = ["fewer --workers"] if load.workers > 1 else []
        ways += ["a smaller grid"] if load.combinations > 1 else []
        ways += ["--no-validate"] if load.returns else []
        ways += ["a shorter file"]
        notes.append(
            f"memory may not do: about {as_bytes(expected.memory)} will be taken, and "
            f"{as_bytes(available)} can be had; {' or '.join(ways)} would take less"
        )
    shared = free_shared_memory()
    if shared is not None and expected.shared > shared:
        notes.append(
            f"shared memory may not do: about {as_bytes(expected.shared)} will be taken, and "
            f"{as_bytes(shared)} are free; a memory-mapped file takes the place of what does not "
            "fit"
        )
    return [*notes, *_too_little_disk(expected, files)]


def _too_little_disk(expected: Forecast, files: Files | None) -> list[str]:
    disk = None if files is None else free_disk(files.folder)
    if files is None or disk is None or expected.disk <= disk:
        return []
    return [
        f"{_DISK}: about {as_bytes(expected.disk)} will be written to {files.folder}, and "
        f"{as_bytes(disk)} are free"
    ]


def _has_to_compile(kind: EngineKind) -> bool:
    if kind.warm_up is None:
        return False
    from bigbar.compiled.jit import is_cached

    return not is_cached(kind.compiles)
