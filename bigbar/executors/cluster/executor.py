"""Workers on the machines of a cluster, as an executor like any other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Self

from bigbar.errors import BigBarError, Interrupted, SettingsError
from bigbar.executors.cluster.nodes import Node, Roster
from bigbar.executors.cluster.on_node import Answer
from bigbar.executors.cluster.proving import Proving
from bigbar.executors.cluster.rounds import Round
from bigbar.executors.cluster.session import Session
from bigbar.executors.cluster.supplies import Calls, Supplies
from bigbar.executors.contract import Limit, Losses, Machine
from bigbar.executors.throttle import Throttle
from bigbar.interrupts import raise_received, signals_deferred
from bigbar.slices import ChunkResult
from bigbar.units import as_seconds
from bigbar.worker_names import worker_number

#: Seconds between two looks at machines that are being made ready, while nothing else is to do.
_LOOK_S = 0.01

#: Handing out a slice and taking some hundred kilobytes of rows, in seconds of this process.
_HAND_OUT_S = 1.1e-3

#: Seconds for which the processes of a cluster on this machine are known: it takes some
#: milliseconds to find them.
_KNOWN_S = 2.0


class ClusterExecutor:
    """Workers on the machines of a cluster; see `bigbar.executors.contract.Executor`.

    Parameters
    ----------
    session : Session
        Stays open when this is closed.
    supplies : Supplies
    on_event : callable
        Called with a line for a person whenever something worth knowing happens.

    Raises
    ------
    SettingsError
        No machine of the cluster can work for this run, with the reasons.
    """

    kind: Literal["processes", "threads", "cluster"] = "cluster"
    hand_out_s = _HAND_OUT_S

    def __init__(
        self, session: Session, supplies: Supplies, *, on_event: Callable[[str], None]
    ) -> None:
        self.losses = Losses()
        self._session, self._ray, self._tell = session, session.ray, on_event
        self._wait_s = supplies.wait_s
        self._round: Round | None = None
        self._closed = False
        self._alone_since: float | None = None
        self._born: tuple[float, list[int]] = (-_KNOWN_S, [])
        self._calls = Calls(self._ray, supplies)
        self._roster = Roster(self._ray, supplies.versions, supplies.named, on_event)
        self._proving = Proving(
            self._ray,
            self._roster,
            self._calls,
            supplies.witness,
            None if session.here is not None else on_event,
        )
        try:
            self._wait_for_a_machine()
        except BaseException:
            self.close()
            raise

    @property
    def workers(self) -> int:
        """Processors of the machines that work now."""
        return sum(node.processors for node in self._roster.working()) or 1

    def machines(self) -> list[Machine]:
        """The machines that have been made ready."""
        return [
            Machine(str(node), node.processors, node.answered, node.memory)
            for node in self._roster.nodes.values()
            if node.proved and node.processors
        ]

    def worker_pids(self) -> list[int]:
        """None is known by its number here."""
        return []

    def born(self) -> list[int]:
        """Processes of a cluster that was started for this run; any thread may ask."""
        here, now = self._session.here, time.monotonic()
        if here is not None and now - self._born[0] > _KNOWN_S:
            self._born = now, here.pids()
        return self._born[1]

    def running(self) -> int:
        """How many tasks are being worked on; any thread may ask."""
        return sum(min(node.flying, node.processors) for node in list(self._roster.nodes.values()))

    def imap_unordered(
        self,
        function: Callable[[Any], Any],
        tasks: Sequence[Any],
        *,
        split: Callable[[Any], Sequence[Any]] | None = None,
        limit: Limit | None = None,
        throttle: Throttle | None = None,
    ) -> Iterator[tuple[Any, Any]]:
        """As of the contract.

        Raises
        ------
        BigBarError
            No machine was left, and none came within the time to wait.
        """
        if self._round is not None:
            raise RuntimeError("This cluster is still busy with an earlier round of tasks.")
        current = self._round = Round(
            self._ray,
            self._roster,
            self._calls,
            self._tell,
            function,
            tasks,
            split=split,
            limit=limit,
            throttle=throttle,
        )
        before = self.losses
        try:
            while current.goes_on:
                came, stopped = self._step(current)
                for node, task, found in came:
                    self.losses = _added(before, current.losses)
                    if isinstance(found, Answer):
                        yield task, _seen_from_here(node, found)
                    else:
                        yield task, found
                if stopped is not None:
                    raise stopped
        finally:
            self._round = None
            self.losses = _added(before, current.losses)
            with signals_deferred():
                current.recall()

    def close(self) -> None:
        """Call back all that is on its way, and free what every machine holds."""
        if self._closed:
            return
        self._closed = True
        with signals_deferred():
            if self._ray.is_initialized():
                if self._round is not None:
                    self._round.recall()
                self._roster.close()
            self._calls.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _step(self, current: Round) -> tuple[list[tuple[Node, Any, Any]], Interrupted | None]:
        """See to machines and tasks; what has come, and the signal that came meanwhile.

        Raised inside of Ray, it would come out as an error of Python's; here it waits a moment, and
        for what has come to be taken.
        """
        came: list[tuple[Node, Any, Any]] = []
        try:
            with signals_deferred():
                self._look()
                current.hand_out()
                came.extend(current.answers())
        except Interrupted as stopped:
            return came, stopped
        return came, None

    def _wait_for_a_machine(self) -> None:
        while not self._roster.working():
            with signals_deferred():
                self._look()
            if not self._roster.hopeful() and self._roster.refused:
                raise SettingsError(
                    "no machine of the cluster can work for this run: "
                    + "; ".join(self._roster.refused[:3])
                )
            time.sleep(_LOOK_S)

    def _look(self) -> None:
        """See which machines come and go, and what those that came can do."""
        raise_received()
        for node in self._roster.look():
            if self._round is not None:
                self._round.fell_out(node)
        self._proving.look()
        if self._roster.hopeful():
            self._alone_since = None
            return
        now = time.monotonic()
        if self._alone_since is None:
            self._alone_since = now
            self._tell(
                "no machine of the cluster is there to work; waiting up to "
                f"{as_seconds(self._wait_s)} for one (--cluster-wait)"
            )
        if now - self._alone_since > self._wait_s:
            raise BigBarError(
                f"no machine of the cluster came back within {as_seconds(self._wait_s)}; what was "
                "done is kept: run the same command again, here or with --cluster"
            )


def _seen_from_here(node: Node, found: Answer) -> Any:
    """A result, its times by the driver's clock, and its worker by the machine's number too."""
    node.offset_s = min(node.offset_s, time.monotonic() - found.ended)
    if not isinstance(found.value, ChunkResult):
        return found.value
    return found.value.seen_from_elsewhere(
        ahead_s=node.offset_s, worker=worker_number(node.number, found.pid)
    )


def _added(one: Losses, other: Losses) -> Losses:
    return Losses(
        one.deaths + other.deaths, one.overdue + other.overdue, one.stopped + other.stopped
    )
