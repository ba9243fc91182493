"""Watching a run: memory and slices over time in a thread of its own, and what its slices took.

In the sweep of a second that this has to fit into, a look every quarter of a second takes a
fraction of a millisecond. What a process really takes (PSS: a share of what it shares) is dear to
ask for, up to some milliseconds for each, so it is asked for seldom; in between, what each takes
for itself and what shared memory is made are added to it.
"""

from __future__ import annotations

import heapq
import os
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count, pairwise
from pathlib import Path

import psutil

from bigbar.executors.contract import Executor
from bigbar.executors.throttle import Throttle
from bigbar.interrupts import signals_deferred
from bigbar.machine.metrics import Metrics, Series, SliceTime
from bigbar.machine.other_programs import OtherPrograms, workers_wanted
from bigbar.machine.resources import BLIND, resident_memory
from bigbar.sharing.blocks import SHARED_MEMORY_IN_USE
from bigbar.slices import ChunkResult

#: Seconds between two looks.
LOOK_EVERY_S = 0.25

#: The dear question is asked again after this many times the processor time that it took to answer,
#: which comes to a second or two: until then what forked workers no longer share is not seen.
_REST = 150

#: Moments kept at most; of a longer run neighbours are joined, to their highest value.
_MOST_MOMENTS = 512

#: Slices kept by name.
_SLOWEST = 10


class SweepMetrics:
    """What the slices of a sweep took, counted as their results come in."""

    def __init__(self) -> None:
        self.slices = self.combinations = self.hand_outs = 0
        self.busy_s = self.processor_s = self.hand_out_s = self.lead_s = self.tail_s = 0.0
        self._begun: float | None = None
        self._last_end: dict[int, float] = {}
        self._slowest: list[tuple[float, int, SliceTime]] = []
        self._tie = count()

    def begin(self) -> None:
        """The sweep begins now."""
        self._begun = time.monotonic()

    def add(self, result: ChunkResult) -> None:
        """Count a slice. Those of one worker come in the order in which it did them."""
        if self._begun is None:  # The sample that was timed before the sweep is no part of it.
            return
        begun, seconds = result.begun, result.seconds
        self.slices += 1
        self.combinations += result.stop - result.start
        self.busy_s += seconds
        self.processor_s += result.processor_s
        before = self._last_end.get(result.worker)
        if before is None:
            self.lead_s += max(0.0, begun - self._begun)
        else:
            self.hand_out_s += max(0.0, begun - before)
            self.hand_outs += 1
        self._last_end[result.worker] = begun + seconds
        if len(self._slowest) < _SLOWEST or seconds > self._slowest[0][0]:
            named = SliceTime(
                result.start, result.stop, result.worker, begun - self._begun, seconds
            )
            heapq.heappush(self._slowest, (seconds, next(self._tie), named))
            if len(self._slowest) > _SLOWEST:
                heapq.heappop(self._slowest)

    def end(self, alive: set[int] | None) -> None:
        """The sweep ends now, with these workers alive (None: all); the others' time is lost."""
        now = time.monotonic()
        self.tail_s = sum(
            max(0.0, now - ended)
            for worker, ended in self._last_end.items()
            if alive is None or worker in alive
        )

    @property
    def slowest(self) -> tuple[SliceTime, ...]:
        """Slowest first."""
        return tuple(named for _, _, named in sorted(self._slowest, reverse=True))


@dataclass
class _Moments:
    """Values over time, thinned out where they become many."""

    kept: list[tuple[float, int]] = field(default_factory=list)
    stride: int = 1
    _waiting: list[tuple[float, int]] = field(default_factory=list)

    def add(self, moment: float, value: int) -> None:
        self._waiting.append((moment, value))
        if len(self._waiting) < self.stride:
            return
        self.kept.append(_joined(self._waiting))
        self._waiting = []
        if len(self.kept) >= _MOST_MOMENTS:
            pairs = zip(self.kept[::2], self.kept[1::2], strict=True)
            self.kept = [_joined(pair) for pair in pairs]
            self.stride *= 2

    def since(self, begun: float) -> Series:
        every = self.kept + ([_joined(self._waiting)] if self._waiting else [])
        return tuple((moment - begun, value) for moment, value in every)


def _joined(moments: list[tuple[float, int]] | tuple[tuple[float, int], ...]) -> tuple[float, int]:
    return moments[0][0], max(value for _, value in moments)


class ProcessMemory:
    """Memory of this process and its workers together, cheap enough to ask for all the time.

    Attributes
    ----------
    kind : str
        "pss", or "rss" where the system does not know what is shared.
    """

    def __init__(self) -> None:
        self.kind = "rss"
        self._processes: dict[int, psutil.Process] = {}
        self._more: dict[int, int] = {}
        self._segments = 0
        self._ask_at = 0.0

    def look(self, pids: list[int]) -> int:
        """Bytes of these processes together."""
        now, begun = time.monotonic(), time.thread_time()
        ask = now >= self._ask_at
        total = 0
        for pid in pids:
            try:
                total += self._of(pid, ask)
            except BLIND:
                continue  # it has ended, or is hidden
        segments = SHARED_MEMORY_IN_USE.now
        if ask:
            self._segments = segments
            self._ask_at = now + _REST * (time.thread_time() - begun)
        return total + (max(0, segments - self._segments) if self.kind == "pss" else 0)

    def _of(self, pid: int, ask: bool) -> int:
        """What a process had when asked, and what it has taken for itself since then."""
        if pid not in self._processes:
            self._processes[pid] = psutil.Process(pid)
            ask = True
        process = self._processes[pid]
        brief = process.memory_info()
        own = int(brief.rss) - int(getattr(brief, "shared", 0))
        if ask:
            full = process.memory_full_info()
            if hasattr(full, "pss"):
                self.kind = "pss"
                self._more[pid] = int(full.pss) - own
        return max(0, own + self._more[pid]) if pid in self._more else int(brief.rss)


class Watcher:
    """Looks at a run a few times a second, and moves its throttle where there is one.

    Parameters
    ----------
    pool : Executor
    throttle : Throttle or None
        To be moved as other programs take processors and leave them.
    least : int
        The throttle's lowest place.
    processors : int
        That this run may use.
    seen : int, optional
        That it shares with others: more, where a quota allows it less than their whole time.
    memory_limit : int
        Bytes that this run may take, or could have when it began; 0 if unknown.
    others : OtherPrograms, optional
        What tells how many processors are taken.
    """

    def __init__(
        self,
        pool: Executor,
        *,
        throttle: Throttle | None = None,
        least: int = 1,
        processors: int = 1,
        seen: int | None = None,
        memory_limit: int = 0,
        others: OtherPrograms | None = None,
    ) -> None:
        self.throttle = throttle
        self._pool = pool
        self._least = least
        self._processors = processors
        self._seen = processors if seen is None else seen
        self._memory_limit = memory_limit
        self._others = others or OtherPrograms()
        self._processes = ProcessMemory()
        self._memory, self._in_flight, self._allowed = _Moments(), _Moments(), _Moments()
        self._sweep: tuple[float, float] | None = None
        self._allowed_s = 0.0
        self._peak = 0
        self._spent_s = 0.0
        self._stop: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._watch, name="bigbar-watcher", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        with signals_deferred():
            self._thread.start()

    def stop(self) -> None:
        """Look a last time, and no more; a second call does nothing."""
        with signals_deferred():
            self._stop.put(None)
            if self._thread.is_alive():
                self._thread.join()

    @contextmanager
    def sweeping(self, sweep: SweepMetrics) -> Iterator[None]:
        """The sweep is what happens inside."""
        sweep.begin()
        self._sweep = time.monotonic(), float("inf")
        try:
            yield
        finally:
            self._sweep = self._sweep[0], time.monotonic()
            sweep.end(set(self._pool.worker_pids()) if self._pool.worker_pids() else None)

    def _watch(self) -> None:
        last = time.monotonic()
        while True:
            now = time.monotonic()
            self._look(now, now - last)
            last = now
            try:
                self._stop.get(timeout=LOOK_EVERY_S)
            except queue.Empty:
                continue
            self._look(time.monotonic(), 0.0)
            self._spent_s = time.thread_time()
            return

    def _look(self, now: float, passed: float) -> None:
        pids = [os.getpid(), *self._pool.born()]
        total = self._processes.look(pids)
        self._peak = max(self._peak, total)
        self._memory.add(now, total)
        throttle = self.throttle
        if throttle is not None:
            free = min(self._processors, self._seen - self._others.look(pids, now))
            throttle.limit = workers_wanted(
                throttle.limit, free, least=self._least, most=throttle.workers
            )
        if self._sweep is not None and self._sweep[0] <= now <= self._sweep[1]:
            self._in_flight.add(now, self._pool.running())
            if throttle is not None:
                self._allowed.add(now, throttle.limit)

    def metrics(self, sweep: SweepMetrics, stages: Mapping[str, float]) -> Metrics:
        """What was seen.

        Parameters
        ----------
        sweep : SweepMetrics
            Of the sweep.
        stages : mapping of str to float
            Seconds of each.
        """
        workers = self._pool.workers
        begun, ended = self._sweep or (time.monotonic(), time.monotonic())
        allowed = self._allowed.since(begun)
        losses = self._pool.losses
        capacity = _capacity_s(allowed, workers, ended - begun)
        waits = {
            "hand_out_s": sweep.hand_out_s,
            "lead_s": sweep.lead_s,
            "tail_s": sweep.tail_s,
        }
        if allowed:  # A worker that had to wait its turn was not kept waiting for a slice.
            idle, waited = max(0.0, capacity - sweep.busy_s), sum(waits.values())
            waits = {name: one * min(1.0, idle / (waited or 1.0)) for name, one in waits.items()}
        return Metrics(
            stages=dict(stages),
            workers=workers,
            combinations=sweep.combinations,
            slices=sweep.slices,
            capacity_s=capacity,
            busy_s=sweep.busy_s,
            processor_s=sweep.processor_s,
            hand_outs=sweep.hand_outs,
            **waits,
            slowest=sweep.slowest,
            memory=self._memory.since(begun),
            memory_kind=self._processes.kind,
            peak_memory=max(self._peak, peak_of_this_process()),
            memory_limit=self._memory_limit,
            in_flight=self._in_flight.since(begun),
            allowed=allowed,
            deaths=losses.deaths,
            overdue=losses.overdue,
            stopped=losses.stopped,
            watching_s=self._spent_s,
        )


def _capacity_s(allowed: Series, workers: int, sweep_s: float) -> float:
    """Worker-seconds of a sweep; a worker that was not allowed to work does not count."""
    if not allowed:
        return workers * sweep_s
    moments = [0.0, *(moment for moment, _ in allowed[1:]), sweep_s]
    lengths = (max(0.0, after - before) for before, after in pairwise(moments))
    return sum(length * limit for length, (_, limit) in zip(lengths, allowed, strict=True))


def peak_of_this_process() -> int:
    """The most memory that this process ever had resident, in bytes; 0 if unknown.

    Not `getrusage`: that also counts what the process was before it became this program.
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        with suppress(*BLIND):
            return int(psutil.Process().memory_info().peak_wset)  # As Windows has it.
        return resident_memory()
    return 0
