"""What the tests of the pool give the workers to do; importable, so that it can be spawned."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

Slice = tuple[int, int]

started_with: list[object] = []


def square(number: int) -> int:
    return number * number


def slow_square(number: int) -> int:
    time.sleep(0.02)
    return number * number


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def sleep_first(task: tuple[float, str]) -> None:
    time.sleep(task[0])


def whoami(_: object) -> int:
    time.sleep(0.01)
    return os.getpid()


def remember(value: object) -> None:
    started_with.append(value)


def recall(_: object) -> object:
    return started_with[-1]


def kill_self(_: object = None) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def square_and_die_later(number: int) -> int:
    threading.Timer(0.1, kill_self).start()
    return number * number


def leave(code: int) -> None:
    os._exit(code)


def system_exit(_: object) -> None:
    raise SystemExit(5)


def fail(_: object) -> None:
    raise LookupError("no such thing")


def die_before(folder: str, deaths: int = 1) -> None:
    """Kill this process as long as fewer than so many have died in that folder."""
    if sum(1 for _ in Path(folder).iterdir()) < deaths:
        (Path(folder) / str(os.getpid())).touch()
        kill_self()


def die_once_at(task: tuple[str, int]) -> int:
    """Kill this process the first time that number 3 comes up."""
    folder, number = task
    time.sleep(0.01)
    if number == 3:
        die_before(folder)
    return number


def note_and_die_at_9(task: tuple[str, int]) -> int:
    """Write down each finished call; number 9 always kills."""
    folder, number = task
    if number == 9:
        time.sleep(0.3)  # until the others are done
        kill_self()
    with (Path(folder) / str(number)).open("a") as file:
        file.write("x")
    return number


def add_up(piece: Slice) -> int:
    """Sum of range(*piece), but 13 and 37 kill the process."""
    for guilty in (13, 37):
        if piece[0] <= guilty < piece[1]:
            kill_self()
    return sum(range(*piece))


def halves(piece: Slice) -> list[Slice]:
    start, stop = piece
    middle = (start + stop) // 2
    return [piece] if stop - start < 2 else [(start, middle), (middle, stop)]


def big_result(number: int) -> npt.NDArray[np.float64]:
    return np.full(1_000_000, float(number))


def die_sending(task: tuple[str, int]) -> npt.NDArray[np.float64]:
    """Number 2 is killed once, with its 32 MB half-way through the pipe (which holds 64 KB)."""
    folder, number = task
    if number == 2 and not any(Path(folder).iterdir()):
        threading.Thread(target=_kill_in_send, args=(folder,), daemon=True).start()
    return np.full(4_000_000, float(number))


def _kill_in_send(folder: str) -> None:
    main = threading.main_thread().ident
    while True:
        frame = sys._current_frames()[main] if main else None
        if frame is not None and frame.f_code.co_name == "_send":
            die_before(folder)
        time.sleep(0)


class NotTwice(Exception):
    """Can be pickled, but not unpickled."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def raise_not_twice(_: object) -> None:
    raise NotTwice(1, 2)


def explode() -> None:
    raise RuntimeError("cannot be unpickled")


class Unreadable:
    """Can be pickled, but not unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return explode, ()


def return_unreadable(_: object) -> Unreadable:
    return Unreadable()


def return_unpicklable(_: object) -> object:
    return lambda: None


def compute_forever() -> None:
    """In C, with the interpreter's lock in its hand: no signal but SIGKILL is heard."""
    sum(itertools.repeat(0))


def wait_forever() -> None:
    """In C, without the lock, and without using the processor."""
    threading.Lock().acquire() and threading.Event().wait()


def add_up_unless_endless(piece: Slice) -> int:
    """Sum of range(*piece), but 13 computes and 37 waits without end."""
    if piece[0] <= 13 < piece[1]:
        compute_forever()
    if piece[0] <= 37 < piece[1]:
        wait_forever()
    return sum(range(*piece))


def work_for(seconds: float) -> float:
    """Use so much of the processor, however long that takes on the clock."""
    begun = time.process_time()
    while time.process_time() - begun < seconds:
        pass
    return seconds


def note_and_work(task: tuple[str, int, float]) -> int:
    """Write down who works on it, and for how long; then work."""
    folder, number, seconds = task
    with (Path(folder) / str(number)).open("a") as file:
        file.write(f"{os.getpid()}\n")
    work_for(seconds)
    return number


def allocate(task: str) -> str:
    """Take memory without end, in big pieces or in small ones, if asked to."""
    kept: list[object] = []
    while task == "big":
        kept.append(np.ones(1_000_000))
    while task == "small":
        kept.append([len(kept)] * 100)
    return task


def survive(task: str) -> str:
    """Take memory without end, and live with the refusal."""
    try:
        return allocate(task)
    except MemoryError:
        return "refused"


def endless_or_noted(task: tuple[str, int, float] | None) -> int:
    """None never ends."""
    if task is None:
        compute_forever()
        raise AssertionError
    return note_and_work(task)


def clock_of_work(task: tuple[str, float]) -> float:
    """Seconds on the clock that some work takes; or be in its way until a moment comes."""
    what, seconds = task
    begun = time.monotonic()
    if what == "work":
        work_for(seconds)
    while what == "spin" and time.monotonic() < seconds:
        pass
    return time.monotonic() - begun
