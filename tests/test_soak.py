"""Faults of many kinds, caused for real at random moments; then the same command until it is done.

    pytest tests/test_soak.py --soak --soak-faults 200 --soak-report soak.md

Each fault strikes a run of the real command. Afterwards nothing may be left of that run, its store
has to be readable, and the same command has to end in the same bits as a run that nobody disturbed.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from soak_tools import (
    COMBINATIONS,
    FILES,
    HANGS_S,
    Attempt,
    Tally,
    result_of,
    stored,
    table,
)

from bigbar.store.records import Run
from bigbar.store.runs import RunStore
from bigbar.store.schema import StoreError

#: Stages that can be struck, and how often each is aimed at. `None` is any moment of the run.
AIMS = {
    "load": 2, "store": 1, "prepare": 1, "publish": 2, "compile": 2, "start_workers": 3,
    "estimate": 3, "sweep": 14, "verify": 3, "validate": 1, "clean_up": 1, "write": 2, "page": 1,
    "answer": 1, None: 4,
}  # fmt: skip

#: The stages that take long enough to be struck anywhere in them.
SLOW = ("sweep", "verify", "validate")

#: The stages in which there are workers to strike.
WITH_WORKERS = ("estimate", "sweep", "verify", "validate")

#: Faults under way at a time: their runs wait more than they compute.
AT_ONCE = 6

#: What each kind of bad combination has in its reason.
REASONS = {
    "raise": "ZeroDivisionError", "kill": "died", "allocate": "MemoryError",
    "sleep": "took longer",
}  # fmt: skip

#: What stops those that would never end by themselves.
LIMITS = {"allocate": ("--max-memory", "900M"), "sleep": ("--timeout-per-backtest", "0.6")}


@dataclass
class Case:
    """One fault: its own folder, its own random numbers, and what became of it."""

    kind: str
    seed: int
    folder: Path
    thorough: bool
    stage: str = "missed"
    code: int = 0
    resumes: int = 0
    wrong: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    all_killed: list[Attempt] = field(default_factory=list)
    may_be_refused: bool = False
    unread: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        plain = self.thorough and self.random.random() < 0.2 and self.kind not in BAD
        self.same = ("--engine", "compiled" if plain else "unhurried")

    def start(self, *more: str, verify: bool = False, validate: bool = False, **options) -> Attempt:
        """An attempt with other workers each time: nothing of that may change a bit."""
        draw, thorough = self.random, self.thorough
        line = (
            *self.same, "--workers", str(draw.randint(1, 3)),
            "--start-method", draw.choice(["fork", "fork", "spawn"]) if thorough else "fork",
            "--verify", "2" if verify else "0",
        )  # fmt: skip
        if not validate:
            line += ("--no-validate",)
        environment = {"SOAK_SECONDS": str(draw.choice([0.001, 0.002, 0.004]))}
        environment |= options.pop("environment", {})
        return Attempt(self.folder, (*line, *more), environment=environment, **options)

    def end(self, attempt: Attempt) -> None:
        """Wait for it, and look at what it left."""
        try:
            self.code = attempt.finish()
        except subprocess.TimeoutExpired:
            self.wrong.append(f"hung for {HANGS_S:g} s\n{attempt.said()}")
            self.code = -1
        said = attempt.said()
        if "Traceback" in said and self.stage != "start-up" and self.kind not in BAD:
            self.wrong.append(f"a traceback\n{said}")
        if attempt not in self.all_killed:
            self.left += attempt.left_over()
        self.runs()

    def runs(self) -> list[Run]:
        """The runs in its store; that this cannot be read is noted, unless it was damaged."""
        try:
            return stored(self.folder / "disk" / "out")
        except StoreError as problem:
            if not self.may_be_refused:
                self.unread.append(str(problem))
            return []

    def aim(self, attempt: Attempt, stage: str | None) -> None:
        """Wait for a random moment of a stage, or of the whole run."""
        if stage is None:
            time.sleep(self.random.uniform(0, 6))
            return
        attempt.wait_for(stage)
        time.sleep(self.random.uniform(0, 1.0 if stage in SLOW else 0.1))

    def stage_to_strike(self, *, worker: bool) -> str | None:
        """One of `AIMS`; for a short soak the sweep."""
        if not self.thorough:
            return "sweep"
        aims = {stage: AIMS[stage] for stage in WITH_WORKERS} if worker else AIMS
        return self.random.choices(list(aims), weights=list(aims.values()))[0]

    def resume(self, undisturbed: str) -> None:
        """The same command until it is done, and what then has to hold."""
        output = self.folder / "disk" / "out"
        while self.code and self.resumes < 3:
            self.resumes += 1
            kept = [run for run in self.runs() if run.state == "interrupted"]
            attempt = self.start()
            self.end(attempt)
            resumed = not kept or f"resuming run {kept[0].id} " in attempt.said()
            if not resumed and not self.may_be_refused:
                self.wrong.append(f"did not resume run {kept[0].id}\n{attempt.said()}")
        if self.code:
            self.wrong.append(f"exit code {self.code}\n{attempt.said()}")
            return
        for killed in self.all_killed:  # What they left the next run has removed.
            self.left += killed.left_over()
        self.left += sorted(entry.name for entry in output.iterdir() if entry.name not in FILES)
        found = result_of(output, with_store=not self.may_be_refused)
        if found != {undisturbed}:
            self.wrong.append(f"{found} instead of {undisturbed}")
        if self.may_be_refused:
            return
        if not any(run.done == COMBINATIONS for run in self.runs()):
            self.wrong.append("the store does not have all rows")


def send(number: int, *, worker: bool = False, group: float = 0.0) -> Callable[[Case], None]:
    """A signal to the parent, to a random worker, or at times, as a terminal does it, to all."""

    def fault(case: Case) -> None:
        stage = case.stage_to_strike(worker=worker)
        attempt = case.start(verify=stage == "verify", validate=stage == "validate")
        case.aim(attempt, stage)
        target: psutil.Process | None = None
        with contextlib.suppress(psutil.NoSuchProcess):
            target = psutil.Process(attempt.pid)
        if worker:
            at_work = attempt.workers()
            target = case.random.choice(at_work) if at_work else None
        case.stage = attempt.stage() if target is not None else "missed"
        if target is not None and case.stage != "missed":
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                if case.random.random() < group:
                    os.killpg(attempt.pid, number)
                else:
                    target.send_signal(number)
            if number == signal.SIGSTOP:
                time.sleep(case.random.uniform(1, 4) if case.thorough else 1)
                with contextlib.suppress(psutil.NoSuchProcess):
                    target.send_signal(signal.SIGCONT)
        case.end(attempt)
        allowed = {0, -number, 128 + number} if number != signal.SIGSTOP else {0}
        if case.stage == "start-up":
            allowed.add(1)  # an interpreter that is stopped while it imports
        if case.code not in ({0} if worker else allowed):
            case.wrong.append(f"exit code {case.code} after signal {number}\n{attempt.said()}")

    return fault


def kill_all(case: Case) -> None:
    """Parent, workers and resource tracker at once: nobody is left to clean up but the next run."""
    stage = case.stage_to_strike(worker=False)
    attempt = case.start(verify=stage == "verify", validate=stage == "validate")
    case.aim(attempt, stage)
    case.stage = attempt.stage()
    if case.stage != "missed":
        case.all_killed.append(attempt)
        kill_together(attempt.family())
    case.end(attempt)
    if case.code not in (0, -signal.SIGKILL):
        case.wrong.append(f"exit code {case.code} after all were killed\n{attempt.said()}")


def kill_together(family: list[psutil.Process]) -> None:
    for what in (psutil.Process.suspend, psutil.Process.kill):
        for process in family:
            with contextlib.suppress(psutil.Error):
                what(process)


def no_tracker(case: Case) -> None:
    """Python's resource tracker is killed, then the parent: the workers clean up."""
    stage = case.stage_to_strike(worker=True)
    attempt = case.start(verify=stage == "verify", validate=stage == "validate")
    case.aim(attempt, stage)
    case.stage = attempt.stage()
    for tracker in attempt.trackers():
        tracker.kill()
    if case.stage != "missed":
        time.sleep(case.random.uniform(0, 0.5))
        with contextlib.suppress(psutil.Error):
            psutil.Process(attempt.pid).kill()
    case.end(attempt)


def nobody_listens(case: Case) -> None:
    """Whoever read what the run says goes; it has to end as it would have."""
    stage = case.stage_to_strike(worker=False)
    attempt = case.start(verify=stage == "verify", validate=stage == "validate", heard=False)
    case.aim(attempt, stage)
    case.stage = attempt.stage()
    attempt.leave()
    case.end(attempt)
    if case.code:
        case.wrong.append(f"exit code {case.code} without a listener")


def decayed_store(case: Case) -> None:
    """A run is killed; then bits of its store flip, or the end of it is lost."""
    attempt = case.start()
    case.aim(attempt, "sweep")
    case.stage = attempt.stage()
    if case.stage != "missed":
        attempt.process.kill()
    case.end(attempt)
    store = attempt.output / "runs.sqlite"
    if store.exists():
        decay(store, case.random)
    case.may_be_refused = True
    case.code = case.code or -signal.SIGKILL


def decay(file: Path, draw: random.Random) -> None:
    """One to three bits, anywhere, or a cut."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    kept = bytearray(file.read_bytes())
    if draw.random() < 0.2:
        del kept[draw.randrange(len(kept)) :]
    else:
        for _ in range(draw.randint(1, 3)):
            kept[draw.randrange(len(kept))] ^= 1 << draw.randrange(8)
    file.write_bytes(kept)


def full_disk(case: Case) -> None:
    """The output folder on a small disk with little room, then room is made."""
    disk = case.folder / "disk"
    filler = disk / "filler"
    with filler.open("wb") as file:
        free = shutil.disk_usage(disk).free
        room = case.random.choice([4, 64, 200, 300, 500, 800]) << 10
        file.write(b"x" * (free - room))
    attempt = case.start()
    case.end(attempt)
    # Which of its stages met the end of the disk: the store says so at once, the files at the end.
    said = attempt.said()
    case.stage = "store" if "without a store" in said else "write" if case.code else "missed"
    if case.code not in (0, 1) or (case.code and "No space left" not in said + "disk is full"):
        case.wrong.append(f"exit code {case.code} on a full disk\n{said}")
    filler.unlink()
    case.code = case.code or int(case.stage == "store")


def no_shared_memory(case: Case) -> None:
    """A run whose /dev/shm has no room, or not even for a name."""
    size = case.random.choice(["size=4k,nr_inodes=1", "size=4k", "size=64k", "size=128k"])
    attempt = case.start(shell=f"mount -t tmpfs -o {size} tmpfs /dev/shm")
    case.end(attempt)
    case.stage = "publish" if "memory-mapped file" in attempt.said() else "missed"


def bad_combination(kind: str) -> Callable[[Case], None]:
    """A combination that misbehaves, and later does not."""

    def fault(case: Case) -> None:
        number = case.random.randrange(COMBINATIONS)
        attempt = case.start(*LIMITS.get(kind, ()), environment={"SOAK_BAD": f"{kind}:{number}"})
        case.end(attempt)
        case.stage = "sweep"
        with RunStore(attempt.output, read_only=True) as store:
            (kept,) = store.runs()
            failures = store.failures(kept)
        if case.code != 3 or [one.number for one in failures] != [number]:
            case.wrong.append(f"exit code {case.code}, failures {failures}\n{attempt.said()}")
        elif REASONS[kind] not in failures[0].reason:
            case.wrong.append(f"the reason kept is: {failures[0].reason}")
        again = case.start("--retry-failed")
        case.resumes += 1
        case.end(again)

    return fault


BAD = {
    "a combination raises": bad_combination("raise"),
    "a combination kills its process": bad_combination("kill"),
    "a combination allocates without end": bad_combination("allocate"),
    "a combination never returns": bad_combination("sleep"),
}

FAULTS: dict[str, Callable[[Case], None]] = {
    "SIGKILL to a worker": send(signal.SIGKILL, worker=True),
    "SIGKILL to the parent": send(signal.SIGKILL),
    "SIGINT": send(signal.SIGINT, group=0.5),
    "SIGTERM": send(signal.SIGTERM),
    "SIGHUP to the group": send(signal.SIGHUP, group=1.0),
    "SIGQUIT": send(signal.SIGQUIT, group=0.5),
    "SIGKILL to all at once": kill_all,
    "SIGKILL to the tracker, then the parent": no_tracker,
    "SIGSTOP of a worker": send(signal.SIGSTOP, worker=True),
    "SIGSTOP of the parent": send(signal.SIGSTOP),
    "nobody listens any more": nobody_listens,
    "a store that decays": decayed_store,
    "full disk": full_disk,
    "full /dev/shm": no_shared_memory,
    **BAD,
}

#: How often each is drawn; the others once. What ends a run has the most to go wrong.
WEIGHTS = {
    "SIGKILL to a worker": 4, "SIGKILL to the parent": 5, "SIGINT": 3, "SIGTERM": 3,
    "SIGHUP to the group": 3, "SIGKILL to all at once": 2, "a store that decays": 4,
    "nobody listens any more": 2,
}  # fmt: skip


def carry_out(case: Case, undisturbed: str) -> Case:
    """One fault, and all that follows."""
    with small_disk(case):
        FAULTS[case.kind](case)
        case.resume(undisturbed)
    return case


@contextlib.contextmanager
def small_disk(case: Case) -> Iterator[None]:
    """The folder `disk`: on a full disk a file system of its own."""
    disk = case.folder / "disk"
    disk.mkdir(parents=True)
    if case.kind == "full disk":
        line = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(disk)]
        subprocess.run(line, check=True)
    try:
        yield
    finally:
        if case.kind == "full disk":
            subprocess.run(["umount", str(disk)], check=True)


def can_mount() -> bool:
    """Whether file systems can be mounted here, in a namespace of one's own as well."""
    if not shutil.which("unshare"):
        return False
    line = ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", tempfile.gettempdir()]
    return not subprocess.run(line, capture_output=True, check=False).returncode


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the result that nobody disturbed: of the plain engine, and of the other."""
    found = set()
    for engine in ("compiled", "unhurried"):
        folder = tmp_path_factory.mktemp(engine)
        (folder / "disk").mkdir()
        attempt = Attempt(folder, ("--engine", engine, "--no-validate", "--verify", "2"))
        assert attempt.finish() == 0, attempt.said()
        assert not attempt.left_over()
        found |= result_of(attempt.output)
    (digest,) = found
    assert digest
    return digest


def soak(
    kinds: list[str],
    folder: Path,
    undisturbed: str,
    *,
    seed: int,
    thorough: bool,
    at_once: int,
    report: Path | None = None,
) -> tuple[dict[str, Tally], list[str]]:
    """Carry out faults, some at once; what became of them, and what was wrong."""
    cases = [Case(kind, seed + at, folder / f"{at}", thorough) for at, kind in enumerate(kinds)]
    tallies: dict[str, Tally] = {kind: Tally() for kind in FAULTS if kind in kinds}
    wrong: list[str] = []
    begun = time.monotonic()
    with ThreadPoolExecutor(at_once) as threads:
        under_way = [threads.submit(carry_out, case, undisturbed) for case in cases]
        for done in as_completed(under_way):
            case = done.result()
            tally = tallies[case.kind]
            if case.stage == "missed":
                tally.missed += 1
            else:
                tally.caused += 1
                tally.struck[case.stage] = tally.struck.get(case.stage, 0) + 1
            tally.ended += case.resumes > 0
            tally.resumes += case.resumes
            tally.wrong += bool(case.wrong)
            tally.left += bool(case.left)
            tally.unread += bool(case.unread)
            for what in (*case.wrong, *(f"left over: {one}" for one in case.left), *case.unread):
                wrong.append(f"{case.kind}, seed {case.seed}, during {case.stage}: {what}")
                print(wrong[-1], flush=True)
            if not (case.wrong or case.left or case.unread):
                shutil.rmtree(case.folder)
            if report is not None:
                count = sum(one.caused + one.missed for one in tallies.values())
                seconds = time.monotonic() - begun
                text = f"{count} runs in {seconds:.0f} s, seed {seed}\n\n{table(tallies)}"
                report.write_text(text, encoding="utf-8")
    return tallies, wrong


def possible() -> list[str]:
    """The kinds of fault that can be caused here."""
    refused = () if can_mount() else ("full disk", "full /dev/shm")
    return [kind for kind in FAULTS if kind not in refused]


@pytest.mark.soak
def test_each_fault_once(tmp_path: Path, undisturbed: str) -> None:
    _, wrong = soak(possible(), tmp_path, undisturbed, seed=1, thorough=False, at_once=4)
    assert not wrong, "\n".join(wrong)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_many_faults(tmp_path: Path, undisturbed: str, request: pytest.FixtureRequest) -> None:
    count = request.config.getoption("--soak-faults")
    seed = request.config.getoption("--soak-seed")
    kinds = possible()
    weights = [WEIGHTS.get(kind, 1) for kind in kinds]
    drawn = random.Random(seed).choices(kinds, weights, k=count - len(kinds))
    report = request.config.getoption("--soak-report") or tmp_path / "report.md"
    _, wrong = soak(
        [*kinds, *drawn],
        tmp_path,
        undisturbed,
        seed=1000 * seed,
        thorough=True,
        at_once=AT_ONCE,
        report=Path(report),
    )
    print(Path(report).read_text(encoding="utf-8"))
    assert not wrong, "\n".join(wrong)
