"""Signals that ask to stop: raised where every `finally` must run, and made to wait elsewhere.

Ctrl-C, SIGTERM, SIGHUP (the terminal was closed) and SIGQUIT (Ctrl-\\) are handled alike.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from functools import partial
from multiprocessing import resource_tracker

from bigbar.errors import Interrupted, told

#: Windows has the first two only.
STOP_SIGNALS: tuple[int, ...] = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
    if hasattr(signal, name)
)

#: Of these, those that a terminal sends to every process of a command: workers leave it to their
#: parent to decide.
TERMINAL_SIGNALS = tuple(number for number in STOP_SIGNALS if number != signal.SIGTERM)

# The stop signals of the outermost `signals_raised` block, in the order of their arrival; None
# outside of any.
_received: list[int] | None = None


@contextlib.contextmanager
def signals_raised() -> Iterator[None]:
    """Turn the stop signals into `Interrupted`, so that every `finally` runs.

    What waits inside the block calls `raise_received` now and then: an exception that a handler
    raises while a `__del__` or a callback of the garbage collector runs goes no further. A SIGHUP
    that is ignored stays ignored: that is what `nohup` is for. A block inside another changes
    nothing.
    """
    global _received
    if threading.current_thread() is not threading.main_thread() or _received is not None:
        yield
        return
    received = _received = []

    def raise_interrupted(number: int, _frame: object) -> None:
        received.append(number)
        raise Interrupted(number)

    report_dropped = sys.unraisablehook

    def report_others(dropped: sys.UnraisableHookArgs) -> None:
        if not isinstance(dropped.exc_value, Interrupted):
            report_dropped(dropped)

    before = {number: signal.getsignal(number) for number in STOP_SIGNALS if _may_take(number)}
    for number in before:
        signal.signal(number, raise_interrupted)
    sys.unraisablehook = report_others
    try:
        yield
    finally:
        sys.unraisablehook = report_dropped
        for number, handler in before.items():
            signal.signal(number, handler)
        _received = None


def _may_take(number: int) -> bool:
    handler = signal.getsignal(number)
    if handler is None:  # Not installed from Python: it could not be put back.
        return False
    return handler is not signal.SIG_IGN or number != getattr(signal, "SIGHUP", None)


def raise_received() -> None:
    """Raise `Interrupted` if a stop signal came that ought to have ended the caller already."""
    if _received and threading.current_thread() is threading.main_thread():
        raise Interrupted(_received[0])


@contextlib.contextmanager
def passed_on() -> Iterator[None]:
    """Give a stop signal that ended the block to whoever would have had it without us.

    By then all is cleaned up. Ctrl-C is a `KeyboardInterrupt` then, SIGTERM ends the process, and
    a handler of the caller's own is called. If it returns, what was asked for is not there all
    the same.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C.
    Interrupted
        After another signal whose handler has returned.
    """
    received: Interrupted | None = None
    try:
        yield
    except Interrupted as stopped:
        received = stopped
    if received is None:
        return
    number = received.signal_number
    if signal.getsignal(number) is signal.default_int_handler:
        stop = KeyboardInterrupt()  # Not of a class of ours: to Python's exit code it is none then.
        vars(stop)["_render_traceback_"] = partial(told, stop)
        raise stop
    signal.raise_signal(number)
    raise KeyboardInterrupt if number == signal.SIGINT else Interrupted(number)


@contextlib.contextmanager
def signals_deferred() -> Iterator[None]:
    """Let the stop signals wait until the block is done; they are delivered at its end.

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
    """Start processes with the stop signals blocked, until they choose to listen.

    Otherwise a Ctrl-C during start-up ends them with a traceback each.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    start_resource_tracker()  # Before the fork, so that all use the same one.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start_resource_tracker() -> None:
    """Start Python's resource tracker, if it does not run, where no terminal can end it.

    By itself it is deaf to Ctrl-C and SIGTERM only: with a closed terminal it would go.
    """
    if not hasattr(signal, "pthread_sigmask"):
        resource_tracker.ensure_running()
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, TERMINAL_SIGNALS)
    try:
        resource_tracker.ensure_running()
    finally:  # It unblocks some by itself.
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
