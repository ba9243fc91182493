"""Runs stopped, resumed and deleted from a page: what the command line does as well."""

from __future__ import annotations

import shlex
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bigbar.dashboard.children import environment
from bigbar.dashboard.reading import Runs
from bigbar.errors import SettingsError
from bigbar.store.records import DamagedRun, Run
from bigbar.store.runs import RunStore

#: Options that are left out when a command is given again, and whether they take a value: its rows
#: are to be taken, the folder is the one at hand, and a file of settings is not written again.
_LEFT_OUT = {
    "--fresh": False, "--retry-failed": False, "--resume": True, "--output": True,
    "--dashboard": False, "--save-config": True,
}  # fmt: skip

#: Of what a command that failed has said, so many characters are shown.
_TAIL = 2000


def stop(runs: Runs, number: int) -> str:
    """Ask the process of a run to stop, as Ctrl-C does: nothing is lost.

    Raises
    ------
    SettingsError
        If it is not running, or not on this machine.
    StoreError
        If it cannot be read.
    """
    with runs.open() as store:
        run = store.run(number)
        owner, _ = store.owner(number)
    if run.state != "running":
        raise SettingsError(f"run {number} is not running; it is {run.state}")
    if not owner.interrupt():
        raise SettingsError(
            f"run {number} does not run on this machine, or in another container; stop it there "
            "with Ctrl-C"
        )
    return f"run {number} was asked to stop"


def delete(runs: Runs, numbers: Iterable[int]) -> str:
    """Remove runs with their rows; see `bigbar.history.delete`.

    Raises
    ------
    SettingsError
        If one is running.
    StoreError
        If the store cannot be written, or there is no such run.
    """
    from bigbar.history.delete import delete as delete_runs

    with RunStore(runs.path) as store:
        found: list[Run | DamagedRun] = []
        for number in dict.fromkeys(numbers):
            try:
                found.append(store.run(number))
            except DamagedRun as problem:
                found.append(problem)
        return delete_runs(store, found).text


@dataclass(frozen=True)
class Plan:
    """How a run is resumed.

    Attributes
    ----------
    run : int
    words : tuple of str
        The command line, without the program.
    folder : Path
        Where it was given, and is given again.
    log : Path
        Where what it says goes to.
    """

    run: int
    words: tuple[str, ...]
    folder: Path
    log: Path

    @property
    def command(self) -> str:
        """As it could be typed."""
        return f"bigbar {shlex.join(self.words)}"


def plan_to_resume(runs: Runs, number: int) -> Plan:
    """How a run would be resumed.

    Raises
    ------
    SettingsError
        If it cannot be: it goes on, is finished, or was begun in another way.
    StoreError
        If it cannot be read.
    """
    with runs.open() as store:
        run = store.run(number)
    if run.state != "interrupted":
        raise SettingsError(f"run {number} is {run.state}; only one that is unfinished is resumed")
    if not run.command:
        raise SettingsError(
            f"run {number} was run from Python; run the same program again, and it continues"
        )
    words = tuple(_without(run.command))
    if "-" in words:
        raise SettingsError(
            f"run {number} read its bars from standard input; give the same command again"
        )
    folder = _folder(run)
    return Plan(
        number,
        ("--resume", str(number), "--output", str(runs.folder.resolve()), *words),
        folder,
        runs.folder.resolve() / f"run-{number}.log",
    )


def _without(command: Iterable[str]) -> Iterator[str]:
    """A command without the options that are given anew; they may have been cut short."""
    words = iter(command)
    for word in words:
        if word == "--":
            yield word
            yield from words
            return
        name, mark, _ = word.partition("=")
        meant = [one for one in _LEFT_OUT if name.startswith("--") and len(name) > 3]
        full = next((one for one in meant if one.startswith(name.replace("_", "-"))), None)
        if full is None:
            yield word
        elif _LEFT_OUT[full] and not mark:
            next(words, None)


def _folder(run: Run) -> Path:
    """Where the command of a run was given."""
    found = run.machine.get("folder")
    if not isinstance(found, str):
        return Path.cwd()
    folder = Path(found)
    if not folder.is_dir():
        raise SettingsError(
            f"run {run.id} was begun in {folder}, which is not there any more; give its command "
            "where its files are now"
        )
    return folder


class Resumed:
    """The commands that were started from here.

    Each has a session of its own: it goes on when the dashboard ends.
    """

    def __init__(self) -> None:
        self._started: dict[int, tuple[subprocess.Popen[bytes], Path]] = {}
        self._one_at_a_time = threading.Lock()

    def start(self, plan: Plan) -> str:
        """Start a command again.

        Raises
        ------
        SettingsError
            If it was started already and has not ended, or its log cannot be written.
        """
        with self._one_at_a_time:
            return self._start(plan)

    def _start(self, plan: Plan) -> str:
        if plan.run in self._started and self._started[plan.run][0].poll() is None:
            raise SettingsError(f"run {plan.run} is being resumed already")
        try:
            plan.log.unlink(missing_ok=True)  # Not through a link that somebody put there.
            with plan.log.open("xb") as log:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "bigbar", *plan.words],
                    cwd=plan.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment(),
                    start_new_session=True,
                )
        except (OSError, ValueError) as problem:
            raise SettingsError(f"run {plan.run} cannot be resumed: {problem}") from problem
        self._started[plan.run] = process, plan.log
        return f"run {plan.run} is being resumed; what it says goes to {plan.log}"

    def problem(self, number: int) -> str | None:
        """Why a run that was resumed ended without going on; None where it did not."""
        process, log = self._started.get(number, (None, None))
        if process is None or log is None or process.poll() in (None, 0, 130):
            return None
        try:
            text = log.read_bytes()[-_TAIL:].decode("utf-8", "replace").strip()
        except OSError:
            text = ""
        return f"resuming ended with exit code {process.returncode}: {text or log}"

    def tidy(self) -> None:
        """Take note of what has ended, so that it is gone."""
        for process, _ in list(self._started.values()):
            process.poll()
