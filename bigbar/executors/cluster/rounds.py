"""One round of tasks over the machines of a cluster: each gets exactly one answer.

A task goes to a machine that is chosen here, so that one that is left out gets none, and one that
does not answer no more. Deaths are counted here and not by Ray, which would run for ever what kills
its worker: a machine that is gone is nobody's fault, the death of a worker that of the task it was
at. Answers have the same bits wherever they come from, so of a task that was given away twice the
first one counts.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bigbar.errors import BigBarError
from bigbar.executors.cluster.nodes import MOST_STILLBORN, STILLBORN, Node, Roster, Stage
from bigbar.executors.cluster.on_node import Answer
from bigbar.executors.cluster.proving import said
from bigbar.executors.cluster.supplies import Calls
from bigbar.executors.contract import Limit, Losses
from bigbar.executors.throttle import Throttle
from bigbar.executors.work import Work, narrowed

#: Tasks of a processor: one at work, one on its way.
AHEAD = 2

#: Seconds that an answer is waited for before everything else is looked at.
WAIT_S = 0.1

#: Where nothing waits, a task that takes so many times as long as any other did, and so many
#: seconds at least, is given to another machine as well.
_LATE, _LATE_S = 3.0, 1.0

#: So often a slice may be lost with its machine: more often it is not the machine.
_MOST_LOST = 20

#: Answers taken at once.
_MOST_AT_ONCE = 64


@dataclass(eq=False)
class _Shared(Work):
    """A task that several machines may be at."""

    copies: int = 0
    lost: int = 0
    answered: bool = False
    handed: float = 0.0


@dataclass(eq=False)
class _Flight:
    """A task on its way to a machine and back."""

    work: _Shared
    node: Node
    serial: int
    begun: float


class Round:
    """Tasks, until each has its answer.

    Parameters
    ----------
    ray : module
    roster : Roster
    calls : Calls
    tell : callable
    function, tasks, split, limit, throttle
        As of `Executor.imap_unordered`.

    Attributes
    ----------
    losses : Losses
        Of this round.
    """

    def __init__(
        self,
        ray: Any,
        roster: Roster,
        calls: Calls,
        tell: Callable[[str], None],
        function: Callable[[Any], Any],
        tasks: Sequence[Any],
        *,
        split: Callable[[Any], Sequence[Any]] | None,
        limit: Limit | None,
        throttle: Throttle | None,
    ) -> None:
        self._ray, self._roster, self._calls, self._tell = ray, roster, calls, tell
        self._function, self._split = function, split
        self._limit, self._throttle = limit, throttle
        self._waiting = deque(_Shared(task) for task in tasks)
        self._flights: dict[Any, _Flight] = {}
        self._usual_s = 0.0
        self.losses = Losses()

    @property
    def goes_on(self) -> bool:
        """Whether a task has no answer yet."""
        return bool(self._waiting) or any(
            not flight.work.answered for flight in self._flights.values()
        )

    def fell_out(self, node: Node) -> None:
        """What a machine was at that has gone, or does not answer, is given to others too."""
        for flight in self._flights.values():
            if flight.node is node:
                self._again(flight.work, beside=True)

    def hand_out(self) -> None:
        """Give tasks to machines that have room for them."""
        working = self._roster.working()
        while working:
            if self._throttle is not None and len(self._flights) >= self._throttle.limit:
                return
            node = min(working, key=lambda one: one.flying / one.processors)
            if node.flying >= AHEAD * node.processors:
                return
            while self._waiting and self._waiting[0].answered:
                self._waiting.popleft()
            work = self._waiting.popleft() if self._waiting else self._late(node)
            if work is None:
                return
            limit_s = float("inf") if self._limit is None else work.limit_by(self._limit)
            ref, serial = self._calls.call(node, self._function, work.task, limit_s)
            work.handed = time.monotonic()
            work.copies += 1
            node.flying += 1
            self._flights[ref] = _Flight(work, node, serial, work.handed)

    def answers(self) -> Iterator[tuple[Node, Any, Any]]:
        """What has come: the machine, the task, and an `Answer` or an `Unanswered`."""
        for flight, found in self._arrivals():
            work = flight.work
            if work.answered:
                continue
            if isinstance(found, Answer):
                if found.unready:
                    self._leave_out(flight.node, found)
                    self._again(work)
                    continue
                if found.error is not None:
                    raise found.error
                self._usual_s = max(self._usual_s, time.monotonic() - flight.begun)
                work.answered = True
                self.recall(work)
                yield flight.node, work.task, found
                continue
            self._charge(flight, found)
            if work.fault() is None:
                self._again(work)
                continue
            work.answered = True  # By its pieces, or by the verdict.
            self.recall(work)
            kept, hopeless = narrowed([work], self._split, self._tell)
            self._waiting.extendleft(_Shared(one.task, one.suspect) for one in kept)
            for one in hopeless:
                yield flight.node, one.task, one.verdict()

    def recall(self, work: _Shared | None = None) -> None:
        """Call back what is on its way: all of it, or further copies of one task."""
        for ref, flight in list(self._flights.items()):
            if work is None or flight.work is work:
                del self._flights[ref]
                flight.node.flying -= 1
                self._ray.cancel(ref, force=True)  # Machine code hears nothing milder.

    def _late(self, node: Node) -> _Shared | None:
        """Where nothing waits: what takes long on another machine, for one that is idle."""
        if node.flying >= node.processors:
            return None
        late = time.monotonic() - max(_LATE_S, _LATE * self._usual_s)
        for flight in self._flights.values():
            work = flight.work
            if work.copies < 2 and work.handed < late and flight.node is not node:
                return work
        return None

    def _arrivals(self) -> Iterator[tuple[_Flight, Any]]:
        """What has come, an `Answer` or why there is none."""
        if not self._flights:
            time.sleep(WAIT_S)
            return
        refs = list(self._flights)
        came, rest = self._ray.wait(refs, num_returns=1, timeout=WAIT_S)
        if came and rest:
            most = min(_MOST_AT_ONCE, len(rest))
            came += self._ray.wait(rest, num_returns=most, timeout=0)[0]
        for ref in came:
            flight = self._flights.pop(ref, None)
            if flight is None:  # Called back meanwhile.
                continue
            flight.node.flying -= 1
            flight.work.copies -= 1
            try:
                found = self._ray.get(ref)
                flight.node.answered += 1
                flight.node.stillborn = 0
            except self._ray.exceptions.RayError as problem:
                found = problem
            yield flight, found

    def _again(self, work: _Shared, *, beside: bool = False) -> None:
        """Have a task done again, before all others, unless another machine is at it."""
        if not work.answered and (beside or not work.copies) and work not in self._waiting:
            self._waiting.appendleft(work)

    def _leave_out(self, node: Node, found: Answer) -> None:
        """A worker could not be made ready, on a machine whose first one could."""
        assert found.error is not None
        if node is self._roster.driver:
            raise found.error
        if node.stage is Stage.READY:
            self._roster.leave_out(node, f"it cannot be made ready ({said(found.error)})")

    def _charge(self, flight: _Flight, problem: Exception) -> None:
        """Lay a death at the door of its task, or at nobody's."""
        errors, node, work = self._ray.exceptions, flight.node, flight.work
        if isinstance(problem, errors.RayTaskError):  # Of what goes with it, not of the task.
            raise problem
        if not isinstance(problem, errors.WorkerCrashedError | errors.OutOfMemoryError):
            work.lost += 1  # The machine is gone, or what it held; or it was called back.
            if work.lost > _MOST_LOST:
                raise BigBarError(f"a slice was lost {work.lost} times: {said(problem)}")
            return
        fate, before = self._roster.fate(node, flight.serial), self.losses
        if fate.stopped:
            self.losses = replace(before, stopped=before.stopped + 1)
            self._tell(
                f"a worker of {node} was stopped for {fate.overdue_s:g} s; starting its slice "
                "again in another"
            )
        elif fate.overdue_s is not None:
            self.losses = replace(before, overdue=before.overdue + 1)
            work.overdue_s = fate.overdue_s
        else:
            self.losses = replace(before, deaths=before.deaths + 1)
            memory = isinstance(problem, errors.OutOfMemoryError)
            how = "was ended for want of memory" if memory else "disappeared"
            self._tell(f"a worker of {node} {how}; starting its slice again")
            work.deaths += fate.begun
            node.stillborn += not fate.begun
            if node.stillborn >= MOST_STILLBORN and node.stage is Stage.READY:
                self._roster.leave_out(node, STILLBORN)
