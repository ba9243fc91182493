"""Combinations computed again in a child process: one at a time, each with a time limit."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import IO, Any

from bigbar.dashboard.children import environment
from bigbar.errors import BigBarError

#: How long a combination may take, the start of the child and its reading of the prices included.
LIMIT_S = 60.0

#: Questions that may wait for their turn; a page asks one at a time.
_MOST_WAITING = 8

#: An answer is some hundred kilobytes; a child that says more is out of order.
_MOST_BYTES = 32_000_000

_CHILD = "bigbar.dashboard.explore_child"


class ReplayError(BigBarError):
    """A combination could not be computed: why, in a sentence."""


class _Gone(ReplayError):
    """The process ended without an answer."""


@dataclass(frozen=True)
class Subject:
    """What a child is started for.

    Attributes
    ----------
    folder : str
        Where the store is.
    run : int
    fingerprint : str
        Of the run: another one may have its number by now.
    key : str
        Of the names that were agreed to; see `bigbar.dashboard.explore.consent`.
    """

    folder: str
    run: int
    fingerprint: str
    key: str


class Replayer:
    """Keeps one child, for the run that was asked for last: its start takes seconds.

    Parameters
    ----------
    limit_s : float, optional
        How long a combination may take.
    """

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self.limit_s = limit_s
        self._child: _Child | None = None
        self._subject: Subject | None = None
        self._one_at_a_time = threading.Lock()
        self._waiting = threading.BoundedSemaphore(_MOST_WAITING)
        atexit.register(self.close)

    async def answer(self, subject: Subject, number: int, row: list[float]) -> dict[str, Any]:
        """Compute a combination.

        Parameters
        ----------
        subject : Subject
        number : int
        row : list of float
            Its stored statistics.

        Returns
        -------
        dict
            As `bigbar.dashboard.explore_child` makes it.

        Raises
        ------
        ReplayError
            If it cannot be computed, took too long, or ended the process; or if too many wait.
        """
        if not self._waiting.acquire(blocking=False):
            raise ReplayError("too many combinations are being computed already; wait for them")
        try:
            # Not a thread of a pool: the program's end would wait for those.
            return await _in_a_thread(lambda: self._answer(subject, number, row))
        finally:
            self._waiting.release()

    def _answer(self, subject: Subject, number: int, row: list[float]) -> dict[str, Any]:
        with self._one_at_a_time:
            return self._answered(subject, number, row)

    def _answered(self, subject: Subject, number: int, row: list[float]) -> dict[str, Any]:
        for _ in range(2):
            child, is_new = self._child_for(subject)
            try:
                answer = child.ask({"number": number, "row": row}, self.limit_s)
            except _Gone:
                self.close()
                if is_new:
                    raise
                continue  # It may have gone before it was asked.
            except ReplayError:
                self.close()
                raise
            if "again" in answer:
                self.close()
                continue
            if "error" in answer:
                raise ReplayError(str(answer["error"]))
            return answer
        raise ReplayError("the files of the strategy change just now; try again")

    def _child_for(self, subject: Subject) -> tuple[_Child, bool]:
        """The process that computes this run, and whether it has just been started."""
        if self._child is not None and self._subject == subject and self._child.lives:
            return self._child, False
        self.close()
        self._child, self._subject = _Child(subject), subject
        return self._child, True

    def close(self) -> None:
        """End the child, whatever it is at."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()


class _Child:
    """The process, and the thread that reads what it answers."""

    def __init__(self, subject: Subject) -> None:
        # -P: nothing is imported from the folder that one happens to be in.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", _CHILD, json.dumps(asdict(subject))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
            start_new_session=True,  # Ctrl-C in the terminal is the dashboard's alone.
        )
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(
            target=_read, args=(self._process.stdout, self._answers), daemon=True
        ).start()

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    def ask(self, question: dict[str, Any], limit_s: float) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({**question, "limit_s": limit_s}).encode() + b"\n")
            self._process.stdin.flush()
            line = self._answers.get(timeout=limit_s)
        except queue.Empty:
            raise ReplayError(
                f"it took more than {limit_s:g} s and was ended; bigbar verify has no limit"
            ) from None
        except OSError:
            line = b""
        try:
            answer = json.loads(line)
            if not isinstance(answer, dict):
                raise ValueError("no object")
        except (ValueError, RecursionError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)
            code = self._process.poll()
            said = "gave no answer" if code is None else f"ended its process (exit code {code})"
            raise _Gone(f"the strategy {said} while it was computed") from None
        return answer

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            if hasattr(os, "killpg"):  # With whatever the strategy has started.
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _read(pipe: IO[bytes], answers: queue.SimpleQueue[bytes]) -> None:
    """Pass on what a child says, line by line, and nothing when it has ended."""
    with contextlib.suppress(OSError, ValueError):
        while line := pipe.readline(_MOST_BYTES):
            answers.put(line)
    answers.put(b"")


async def _in_a_thread(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `work` gives, from a thread that nobody has to wait for."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[dict[str, Any]] = loop.create_future()

    def settle(found: dict[str, Any] | None, problem: BaseException | None) -> None:
        if future.done():
            return
        if problem is not None:
            future.set_exception(problem)
        elif found is not None:
            future.set_result(found)

    def run() -> None:
        found, problem = None, None
        try:
            found = work()
        except BaseException as raised:
            problem = raised
        with contextlib.suppress(RuntimeError):  # The loop has ended meanwhile.
            loop.call_soon_threadsafe(settle, found, problem)

    threading.Thread(target=run, name="bigbar-replay", daemon=True).start()
    return await future
