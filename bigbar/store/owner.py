"""Which process a run belongs to, and whether that process still lives."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import secrets
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from bigbar.machine.resources import BLIND

#: Two readings of when a process began may differ by this much, in seconds: they are computed
#: from a clock that is set now and then. Its number is not given to another one so soon.
_CLOCK_S = 5.0

#: Numbers of processes are 32 bits wide.
_MOST_PIDS = 2**31

#: A process of another machine, or of another container, cannot be looked for. It tells of itself
#: several times a minute; after this many seconds of silence it is taken to be gone.
SILENCE_S = 300.0

#: How often a run tells of itself when it has nothing else to write, in seconds.
SIGN_OF_LIFE_S = 20.0


@dataclass(frozen=True)
class Owner:
    """A process, so that it is not taken for another one of the same number.

    Attributes
    ----------
    token : str
        Different for every run that is begun or continued.
    pid : int
    began : float
        When the process began, in seconds since 1970; 0 where that could not be told.
    place : str
        Machine, boot and process namespace: where the number means this process.
    """

    token: str
    pid: int
    began: float
    place: str

    @classmethod
    def of_this_process(cls) -> Owner:
        """This process, with a new token."""
        try:
            began = psutil.Process().create_time()
        except BLIND:
            began = 0.0
        return cls(secrets.token_hex(8), os.getpid(), began, place())

    @classmethod
    def from_text(cls, text: str) -> Owner:
        """From what `text` gave.

        Raises
        ------
        ValueError
            If it is something else.
        """
        try:
            found = json.loads(text)
            owner = cls(
                str(found["token"]), int(found["pid"]), float(found["began"]), str(found["place"])
            )
        except (ArithmeticError, LookupError, RecursionError, TypeError) as problem:
            raise ValueError("no owner of a run") from problem
        if not 0 < owner.pid < _MOST_PIDS:
            raise ValueError("no owner of a run")
        return owner

    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))

    def lives(self, seen: float) -> bool:
        """Whether the process still runs.

        Parameters
        ----------
        seen : float
            When it last told of itself, in seconds since 1970.
        """
        if self.place != place() or not self.began:
            return time.time() - seen < SILENCE_S
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.began) > _CLOCK_S:
                return False
            return process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False
        except BLIND:  # There, but of somebody else.
            return True

    def interrupt(self) -> bool:
        """Ask the process to stop, as Ctrl-C does.

        Returns
        -------
        bool
            False where it cannot be told to be this process: of another machine, or gone.
        """
        if self.place != place() or not self.began:
            return False
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.began) > _CLOCK_S:
                return False
            process.send_signal(signal.SIGINT)
        except BLIND:
            return False
        return True


def place() -> str:
    """Machine, boot and process namespace: where a process id means the same process."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):  # Not Linux: the name of the machine has to do.
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)
