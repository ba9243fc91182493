"""What the machines of a cluster need for a run, and how it gets to them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bigbar.executors.cluster.nodes import Node, only_on
from bigbar.executors.cluster.on_node import Order, Ready, answer
from bigbar.executors.cluster.travelling import Travelling


@dataclass(frozen=True)
class Witness:
    """What tells whether a machine computes the same bits.

    Attributes
    ----------
    function : callable
        From a task to a sequence that must begin alike everywhere.
    tasks : sequence
        The first one is put to every machine; where it ends a worker, or takes too long, the next.
        The last must do neither.
    limit_s : float
        How long each may take.
    """

    function: Callable[[Any], Sequence[Any]]
    tasks: Sequence[Any]
    limit_s: float = float("inf")


@dataclass(frozen=True)
class Supplies:
    """How workers are made ready on machines that share nothing with this one.

    Attributes
    ----------
    initializer : callable
    initargs : tuple
        Its arguments, with their data.
    travelling : Travelling
        Modules that the machines do not have.
    witness : Witness
    versions : callable
        What must be the same on all machines, by names for a person; importable.
    named : tuple of str
        Its argument.
    wait_s : float
        How long to wait for a machine when the last one is gone.
    dressed : callable or None
        Of a function and a task: both as they are sent, with what the task looks at here.
    """

    initializer: Callable[..., object]
    initargs: tuple[Any, ...]
    travelling: Travelling
    witness: Witness
    versions: Callable[..., dict[str, str]]
    named: tuple[str, ...]
    wait_s: float
    dressed: Callable[[Callable[[Any], Any], Any], tuple[Callable[[Any], Any], Any]] | None = None


class Calls:
    """Tasks on their way to the workers of a machine that has been supplied.

    Parameters
    ----------
    ray : module
    supplies : Supplies
    """

    def __init__(self, ray: Any, supplies: Supplies) -> None:
        self._ray, self._supplies = ray, supplies
        self._remote = ray.remote(max_retries=0, num_cpus=1)(answer)
        self._serial = itertools.count(1)
        self._crew = ""
        self._project: Any = None
        self._ready: Any = None

    def call(
        self, node: Node, function: Callable[[Any], Any], task: Any, limit_s: float
    ) -> tuple[Any, int]:
        """Give a task to a machine.

        With the first one the data goes into this machine's store, from where each of the others
        fetches it once.

        Returns
        -------
        ref : ObjectRef
            Of an `Answer`.
        serial : int
            By which the machine's warden knows it.
        """
        if not self._crew:
            supplies = self._supplies
            self._project = self._ray.put(supplies.travelling)
            self._ready = self._ray.put(Ready(supplies.initializer, supplies.initargs))
            self._crew = self._ready.hex()
        if self._supplies.dressed is not None:
            function, task = self._supplies.dressed(function, task)
        serial = next(self._serial)
        board = "" if node.greeting is None else node.greeting.board
        order = Order(self._crew, board, serial, limit_s, node.ahead_s)
        options = {"scheduling_strategy": only_on(self._ray, node)}
        if not node.processors:
            options["num_cpus"] = 0
        remote = self._remote.options(**options)
        # In lists: a reference by itself would be fetched anew for every task.
        return remote.remote(order, [self._project], [self._ready], function, task), serial

    def close(self) -> None:
        """Let go of what was sent: the stores of all machines do then as well."""
        self._project = self._ready = None
