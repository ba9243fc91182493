"""What runs in a worker of a cluster, around the function that it is given to run.

A worker is made ready by its first task: it takes in the trader's own modules and the data, of
which its machine holds one copy for all, and runs the initializer. Nothing but the loss of the
process, or of its machine, comes back as an error of Ray's.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bigbar.executors.cluster.board import Seat
from bigbar.executors.cluster.travelling import Travelling
from bigbar.executors.inside_process import fit_for_travel
from bigbar.worker import set_clock


@dataclass(frozen=True)
class Ready:
    """What makes workers ready, put into every machine's store once.

    Attributes
    ----------
    initializer : callable
    initargs : tuple
    """

    initializer: Callable[..., object]
    initargs: tuple[Any, ...]


@dataclass(frozen=True)
class Order:
    """What goes with a task.

    Attributes
    ----------
    crew : str
        Whose worker it is to be.
    board : str
        Where to write what it is at; empty where the machine has no board.
    serial : int
        Of the task, counted from 1.
    limit_s : float
        How long it may take.
    ahead_s : float
        What the driver's clock is ahead of this machine's.
    """

    crew: str
    board: str
    serial: int
    limit_s: float
    ahead_s: float


@dataclass(frozen=True)
class Answer:
    """What became of a task.

    Attributes
    ----------
    value : object
        What the function returned.
    error : Exception or None
        What it, or the initializer, raised.
    unready : bool
        Whether it was the initializer.
    begun, ended : float
        By this machine's `time.monotonic`.
    pid : int
    """

    value: Any
    error: Exception | None
    unready: bool
    begun: float
    ended: float
    pid: int


#: Of this process: the crew that it was made ready for, and why that failed.
_crew: tuple[str, Exception | None] | None = None
_seats: dict[str, Seat] = {}

#: What holds the machine's copy of the data in its place.
_held: Any = None


def answer(
    order: Order,
    project: list[Any],
    ready: list[Any],
    function: Callable[[Any], Any],
    task: Any,
) -> Answer:
    """Run a task in a worker of a cluster.

    Parameters
    ----------
    order : Order
    project, ready : list of one ObjectRef
        Of `Travelling` and `Ready`. A reference in a list is not fetched for every task.
    function : callable
    task : object
    """
    set_clock(order.ahead_s)
    failed = _made_ready(order, project, ready)
    begun = time.monotonic()
    if failed is not None:
        return Answer(None, failed, True, begun, begun, os.getpid())
    seat = _seats.get(order.board)
    if seat is not None:
        seat.sit_down(order.serial, order.limit_s)
    value, error = None, None
    try:
        value = function(task)
    except Exception as problem:
        error = fit_for_travel(problem)
    finally:
        if seat is not None:
            seat.stand_up()
    return Answer(value, error, False, begun, time.monotonic(), os.getpid())


def _made_ready(order: Order, project: list[Any], ready: list[Any]) -> Exception | None:
    global _crew, _held
    if _crew is not None and _crew[0] == order.crew:
        return _crew[1]
    ray = importlib.import_module("ray")
    try:
        if order.board and order.board not in _seats:
            _seats[order.board] = Seat(order.board)
        travelling: Travelling = ray.get(project[0])
        travelling.unpack()
        _held = ray.get(ready[0])  # Its arrays are views of the machine's store.
        _held.initializer(*_held.initargs)
    except Exception as problem:
        _crew = order.crew, fit_for_travel(problem)
    else:
        _crew = order.crew, None
    return _crew[1]
