"""Ctrl-C and SIGTERM: raised where every `finally` must run, and made to wait where it must not."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from multiprocessing import resource_tracker

from bigbar.errors import Interrupted

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

# The stop signals of the innermost `signals_raised` block, in the order of their arrival.
_received: list[int] = []


@contextlib.contextmanager
def signals_raised() -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into `Interrupted`, so that every `finally` runs.

    What waits inside the block calls `raise_received` now and then: an exception that a handler
    raises while a `__del__` or a callback of the garbage collector runs goes no further.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _received.clear()

    def raise_interrupted(number: int, _frame: object) -> None:
        _received.append(number)
        raise Interrupted(number)

    report_dropped = sys.unraisablehook

    def report_others(dropped: sys.UnraisableHookArgs) -> None:
        if not isinstance(dropped.exc_value, Interrupted):
            report_dropped(dropped)

    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    for number in before:
        signal.signal(number, raise_interrupted)
    sys.unraisablehook = report_others
    try:
        yield
    finally:
        sys.unraisablehook = report_dropped
        for number, handler in before.items():
            signal.signal(number, handler)
        _received.clear()


def raise_received() -> None:
    """Raise `Interrupted` if a stop signal came that ought to have ended the caller already."""
    if _received and threading.current_thread() is threading.main_thread():
        raise Interrupted(_received[0])


@contextlib.contextmanager
def signals_deferred() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait until the block is done; they are delivered at its end.

    Outside the main thread, where no signal handler ever runs, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []

    def deliver() -> None:
        for number in dict.fromkeys(arrived):
            signal.raise_signal(number)

    with contextlib.ExitStack() as stack:  # every handler comes back even if one signal raises
        stack.callback(deliver)
        for number in STOP_SIGNALS:
            handler = signal.getsignal(number)
            if handler is not None:  # None: not installed from Python, could not be put back
                stack.callback(signal.signal, number, handler)
                signal.signal(number, lambda received, _: arrived.append(received))
        yield


@contextlib.contextmanager
def children_born_deaf() -> Iterator[None]:
    """Start processes with Ctrl-C and SIGTERM blocked, until they choose to listen.

    Otherwise a Ctrl-C during start-up ends them with a traceback each.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Must run before the fork, so that all use the same one; starting it unblocks the signals.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
