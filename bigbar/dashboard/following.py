"""Threads that look at the store as long as a page shows what they find."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from bigbar.dashboard.follower import LOOK_S, RunFollower, safely
from bigbar.dashboard.overview import Overview
from bigbar.dashboard.reading import Runs
from bigbar.errors import BigBarError, InputError

#: It is looked on for so long after the last page has gone: pages are loaded anew.
_LINGER_S = 20.0

#: Runs followed at once.
_MOST_FOLLOWED = 32

#: A heatmap waits so long for rows that are just being read, in seconds.
_WAIT_S = 0.5

#: Where something is wrong it is looked again after so many seconds.
_AFTER_PROBLEM_S = 1.0


class Looker(Protocol):
    """What finds out what is new; it is used in one thread."""

    def look(self) -> Any:
        """What there is now; None where nothing has changed."""
        ...

    def close(self) -> None:
        """Look no more."""
        ...


class Following:
    """Something that is looked at again and again, for several pages.

    Parameters
    ----------
    looker : Looker
    loop : event loop
        Of the pages.

    Attributes
    ----------
    now : object or BigBarError or None
        What was found last, or what is wrong; None before the first look.
    version : int
        Goes up with every change of it.
    watched : int
        By so many pages.
    """

    def __init__(self, looker: Looker, loop: asyncio.AbstractEventLoop) -> None:
        self.now: Any = None
        self.version = 0
        self.watched = 0
        self.left_at = time.monotonic()
        self._looker = looker
        self._loop = loop
        self._changed = asyncio.Event()
        self._stop = threading.Event()
        self._lock = threading.Lock()  # Of what the looker keeps.
        threading.Thread(target=self._follow, name="bigbar-follower", daemon=True).start()

    def stop(self) -> None:
        """End the thread soon."""
        self._stop.set()

    @property
    def is_forgotten(self) -> bool:
        """Whether no page has shown it for a while."""
        return not self.watched and time.monotonic() - self.left_at > _LINGER_S

    async def change(self, since: int, timeout_s: float) -> None:
        """Wait until the version is another one, `wake` was called, or as long."""
        if self.version == since:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), timeout_s)

    def wake(self) -> None:
        """Have all pages look whether there is something for them to do; on the loop."""
        event, self._changed = self._changed, asyncio.Event()
        event.set()

    @contextmanager
    def kept(self) -> Iterator[bool]:
        """Hold still what the looker keeps; gives whether it does, for it may be busy for long."""
        holds = self._lock.acquire(timeout=_WAIT_S)
        try:
            yield holds
        finally:
            if holds:
                self._lock.release()

    def _follow(self) -> None:
        try:
            while not self._stop.is_set():
                with self._lock:
                    found = safely(self._looker.look)
                wrong = isinstance(found, BigBarError)
                if found is not None and not (wrong and str(found) == str(self.now)):
                    self.now = found
                    self.version += 1
                    with suppress(RuntimeError):  # The server has ended.
                        self._loop.call_soon_threadsafe(self.wake)
                self._stop.wait(_AFTER_PROBLEM_S if wrong else LOOK_S)
        finally:
            with suppress(BigBarError):
                self._looker.close()


class Followings:
    """What is followed now; to be used on the server's loop.

    Parameters
    ----------
    runs : Runs
    """

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._all: dict[int | None, tuple[Following, Looker]] = {}

    @contextmanager
    def of(self, number: int) -> Iterator[tuple[Following, RunFollower]]:
        """A run, followed while the block is at work.

        Raises
        ------
        InputError
            If too many are followed already.
        """
        with self._of(number, lambda: RunFollower(self._runs, number)) as (one, looker):
            assert isinstance(looker, RunFollower)
            yield one, looker

    @contextmanager
    def overview(self) -> Iterator[Following]:
        """All runs, followed while the block is at work."""
        with self._of(None, lambda: Overview(self._runs)) as (one, _):
            yield one

    @contextmanager
    def _of(
        self, key: int | None, make: Callable[[], Looker]
    ) -> Iterator[tuple[Following, Looker]]:
        self._tidy()
        if key not in self._all:
            if len(self._all) > _MOST_FOLLOWED:
                raise InputError(
                    f"{_MOST_FOLLOWED} runs are followed already; close some of their pages"
                )
            looker = make()
            self._all[key] = Following(looker, asyncio.get_running_loop()), looker
        one, looker = self._all[key]
        one.watched += 1
        try:
            yield one, looker
        finally:
            one.watched -= 1
            one.left_at = time.monotonic()

    def _tidy(self) -> None:
        """Follow no more what no page shows."""
        for key in [key for key, (one, _) in self._all.items() if one.is_forgotten]:
            self._all.pop(key)[0].stop()

    def stop(self) -> None:
        """Follow nothing any more."""
        for one, _ in self._all.values():
            one.stop()
            one.wake()
        self._all.clear()

    @property
    def watched(self) -> int:
        """Pages that are kept up to date now."""
        return sum(one.watched for one, _ in self._all.values())
