"""What happens inside a pool process, around the function that it is given to run.

A worker ignores Ctrl-C and a closed terminal (the parent decides), writes its process id and the
time on the status board before it starts a task, so that a death, or a task without an end, can be
laid at the door of the task that caused it, and goes when its parent has gone.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing import util
from multiprocessing.connection import wait
from typing import Any

import numpy as np
import numpy.typing as npt

from bigbar.errors import WorkersLostError
from bigbar.interrupts import STOP_SIGNALS, TERMINAL_SIGNALS
from bigbar.machine.resources import BLIND
from bigbar.sharing.blocks import (
    BlockHandle,
    create_block,
    open_block,
    remove_orphaned_blocks,
    remove_orphaned_segment,
)
from bigbar.sharing.leftovers import PREFIX, SHARED_MEMORY, has_no_owner
from bigbar.sharing.tracker import lives_for_orphans

# How often a worker looks whether its parent still lives, in seconds.
_PARENT_CHECK_S = 0.5

#: Exit code of a worker that was about to run the whole program once more; no usual one.
UNGUARDED = 83

# Position of the task in its round, what went wrong, and the result if nothing did.
TaskOutcome = tuple[int, BaseException | None, Any]

# A row of the status board; the time is that of `time.monotonic_ns`, the same in all processes.
_ROW = np.dtype([("pid", np.int64), ("begun_ns", np.int64)])

# Of this worker: the board of the round it works for, and why its initializer failed.
_board: tuple[BlockHandle, npt.NDArray[np.int64]] | None = None
_failed_start: Exception | None = None

# The same of a thread that stands in for a worker.
_this_thread = threading.local()


class StatusBoard:
    """Who started which task, and when: a row a task of a round, 0 for nobody yet.

    An entry is never taken back: the task is over when its result has arrived, so a worker that
    dies while it sends a result is found out too.

    Parameters
    ----------
    tasks : int
        Number of tasks of the round.
    """

    def __init__(self, tasks: int) -> None:
        self._block = create_block(_ROW.itemsize * tasks)
        self.handle = self._block.handle
        self._rows = np.frombuffer(open_block(self.handle), dtype=_ROW, count=tasks)
        self._arrived = np.zeros(tasks, dtype=bool)

    def arrived(self, position: int) -> None:
        """The result of a task is here."""
        self._arrived[position] = True

    def started(self) -> dict[int, int]:
        """Process id of the worker that started it, by position of the task."""
        pids = self._rows["pid"]
        return {int(at): int(pids[at]) for at in np.flatnonzero(pids)}

    def running(self) -> dict[int, int]:
        """The same of the tasks being worked on: a worker that went on has sent its result."""
        latest: dict[int, int] = {}
        begun = self._rows["begun_ns"]
        for at in np.flatnonzero((self._rows["pid"] != 0) & ~self._arrived).tolist():
            pid = int(self._rows["pid"][at])
            if pid not in latest or begun[latest[pid]] < begun[at]:
                latest[pid] = at
        return {at: pid for pid, at in latest.items()}

    def close(self) -> None:
        """Remove the board from the system; what is written on it stays readable here."""
        self._block.close()


def leave_if_starting() -> None:
    """End this process if it is a worker that is still importing the script of its parent.

    Under `spawn` and `forkserver` a worker does that first. A script that begins a run when it is
    imported would begin another one in each worker, whose workers would begin others; Python
    refuses those, in hundreds of lines. Nothing of the script's own is run on the way out.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        os._exit(UNGUARDED)


def start_worker(
    initializer: Callable[..., object] | None, initargs: tuple[Any, ...], growth: int | None
) -> None:
    """Prepare a new pool process, then run the caller's own initializer.

    An exception in the initializer is kept for the first task to raise: a worker that ends
    here would be replaced by another that ends here, for ever. `growth` is how many bytes of
    memory the worker may take on top of what it has after its initializer.
    """
    global _failed_start
    for number in TERMINAL_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):  # blocked since before this process was born
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    parent = _Parent()
    threading.Thread(target=_leave_with_parent, args=(parent,), daemon=True).start()
    util.Finalize(None, _on_exit, args=(parent,), exitpriority=0)
    try:
        if initializer is not None:
            initializer(*initargs)
        if growth is not None:
            _limit_growth(growth)
    except Exception as error:
        _failed_start = error


def _limit_growth(growth: int) -> None:
    """Have the system refuse memory beyond so many bytes more: Python raises a `MemoryError`.

    Of private memory only (RLIMIT_DATA): mapped files and shared memory do not count. Other
    systems than Linux have the limit, but do not keep to it.
    """
    if not sys.platform.startswith("linux"):
        return
    import resource

    import psutil

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    try:
        limit = psutil.Process().memory_info().data + growth
    except BLIND:  # How much it has already cannot be told.
        return
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def run_while_parent_lives(work: Callable[..., object], *args: Any) -> None:
    """What a pool process does, until its results can no longer be sent.

    Then the parent has gone, and nobody is there to be told how.
    """
    with contextlib.suppress(BrokenPipeError):
        work(*args)


def run_in_process(
    function: Callable[[Any], Any], board: BlockHandle, item: tuple[int, Any]
) -> TaskOutcome:
    """Run one task in a pool process and note on the board that this worker started it."""
    position, task = item
    _sign(board, position)
    try:
        if _failed_start is not None:
            raise _failed_start
        return position, None, function(task)
    except Exception as error:
        return position, fit_for_travel(error), None


def start_thread(initializer: Callable[..., object] | None, initargs: tuple[Any, ...]) -> None:
    """Run the caller's initializer in a pool thread; an exception waits for the first task."""
    try:
        if initializer is not None:
            initializer(*initargs)
    except Exception as error:
        _this_thread.failed_start = error


def run_in_thread(function: Callable[[Any], Any], item: tuple[int, Any]) -> TaskOutcome:
    """Run one task in a thread of the parent; nothing that it raises ends the thread."""
    position, task = item
    failed_start = getattr(_this_thread, "failed_start", None)
    if failed_start is not None:
        return position, failed_start, None
    try:
        return position, None, function(task)
    except Exception as error:
        return position, error, None
    except BaseException as error:
        lost = WorkersLostError(f"A task tried to end its thread with {error!r}.")
        lost.__cause__ = error
        return position, lost, None


def _sign(board: BlockHandle, position: int) -> None:
    global _board
    if _board is None or _board[0] != board:
        cells = np.frombuffer(open_block(board, writable=True), dtype=np.int64)
        _board = (board, cells)
    cells = _board[1]
    cells[2 * position + 1] = time.monotonic_ns()
    cells[2 * position] = os.getpid()  # last: whoever reads it finds the time beside it


def fit_for_travel(error: Exception) -> Exception:
    """The error with its traceback as a note; its like, if it cannot be pickled and back.

    An exception that pickles but does not unpickle would end the parent's thread that reads
    the results, and nobody would ever hear of any of them.
    """
    error.add_note(f"In worker process {os.getpid()}:\n{traceback.format_exc().rstrip()}")
    # The frames that failed hold what they had: after a `MemoryError` all there is.
    error.__traceback__ = error.__context__ = error.__cause__ = None
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        likeness = RuntimeError(f"{type(error).__name__}: {error}")
        likeness.__notes__ = error.__notes__
        return likeness
    return error


def _leave_with_parent(parent: _Parent) -> None:
    while not parent.has_gone(_PARENT_CHECK_S):
        pass
    try:
        parent.clean_up()
    finally:
        os._exit(1)


def _on_exit(parent: _Parent) -> None:
    # A worker without work hears of the parent's death from its queue, and may be faster than
    # the system at making it an orphan.
    deadline = time.monotonic() + _PARENT_CHECK_S
    while time.monotonic() < deadline:
        if parent.has_gone(_PARENT_CHECK_S / 50):
            parent.clean_up()
            return


class _Parent:
    """The process that this one works for.

    Its sentinel alone does not tell whether it has gone: forked siblings hold its other end open.
    Its id alone does not either: with a fork server, the server is the parent of the process.
    """

    def __init__(self) -> None:
        owner = multiprocessing.parent_process()
        self._sentinels = [] if owner is None else [owner.sentinel]
        self._born_to = os.getppid()
        self._pid = self._born_to if owner is None or owner.pid is None else owner.pid

    def has_gone(self, seconds: float) -> bool:
        """Wait so many seconds at most; whether it, or the fork server, has gone."""
        return bool(wait(self._sentinels, timeout=seconds)) or os.getppid() != self._born_to

    def clean_up(self) -> None:
        """Remove what it can no longer remove; if only the fork server has gone, nothing.

        All of it in whichever thread comes here, even twice: the first one done ends the process.
        """
        config: dict[str, Any] = getattr(multiprocessing.current_process(), "_config", {})
        anchor = str(config.get("semprefix", "")).removeprefix("/")
        served = self._born_to != self._pid
        if served and not _is_let_go(anchor):
            return
        remove_orphaned_blocks(self._pid)
        folder = config.get("tempdir")  # Of multiprocessing, where its fork server listens.
        if served and folder:
            shutil.rmtree(folder, ignore_errors=True)
        # A sibling that is still starting needs the semaphores: the tracker waits for all.
        if anchor.startswith(PREFIX) and not lives_for_orphans():
            remove_orphaned_segment(anchor)


def _is_let_go(segment: str) -> bool:
    """Whether its owner has gone; one that is just going still has some of its files."""
    deadline = time.monotonic() + _PARENT_CHECK_S
    while not has_no_owner(SHARED_MEMORY / segment):
        if time.monotonic() > deadline or not segment.startswith(PREFIX):
            return False
        time.sleep(_PARENT_CHECK_S / 50)
    return True
