"""What is known of a run: when it begins, while it is stored, and when it ends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

from bigbar.errors import SettingsError
from bigbar.space import Space
from bigbar.store.fingerprint import PARTS, Identity
from bigbar.store.owner import Owner
from bigbar.store.schema import StoreError
from bigbar.store.seal import BROKEN, key_of, seal

State = Literal["running", "finished", "interrupted", "failed"]

STATES: tuple[State, ...] = ("running", "finished", "interrupted", "failed")


@dataclass(frozen=True)
class Run:
    """A stored run, without its rows and its answer.

    Attributes
    ----------
    id : int
    state : {"running", "finished", "interrupted", "failed"}
        "failed": the verification found a difference, so its rows are not to be used. A run whose
        process is gone is "interrupted", whatever it wrote last.
    identity : Identity
        What decides its numbers.
    fingerprint, context, bars_sha256 : str
        Digests of the identity; see there.
    started : datetime
        UTC, when it was first begun.
    ended : datetime or None
        UTC, when it came to its state; None while it runs.
    seconds : float
        Of all its attempts together, as far as they were recorded.
    combinations, done, failed : int
        Of the grid, or those that a search is to try; answered, those that failed among them;
        failed.
    settings : dict
        `maximize`, `min_trades`, the account, `week_edge_bars`, `seed`, `verify` and the like.
    command : tuple of str
        The command line, without the program; empty for a run from Python.
    data, machine : dict
        `path`, `sha256` of the file, `rows` …; host, processor, memory, system.
    objective : str
        What was optimized.
    best : int or None
        The winning combination.
    best_value : float or None
        Its objective.
    result_sha256 : str or None
        Digest of the statistics of every combination; None unless all were answered.
    error : str or None
        Why it did not finish, where that is known.
    """

    id: int
    state: State
    identity: Identity
    fingerprint: str
    context: str
    bars_sha256: str
    started: datetime
    ended: datetime | None
    seconds: float
    combinations: int
    done: int
    failed: int
    settings: dict[str, Any]
    command: tuple[str, ...]
    data: dict[str, Any]
    machine: dict[str, Any]
    objective: str
    best: int | None
    best_value: float | None
    result_sha256: str | None
    error: str | None

    @property
    def grid(self) -> Space:
        """Its grid; of a search, what it has asked for so far; or what is kept of it."""
        return self.identity.grid()

    @property
    def engine(self) -> str:
        """Its engine."""
        return str(self.identity.parts["engine"])

    @property
    def best_parameters(self) -> dict[str, Any] | None:
        """Of the winning combination."""
        return None if self.best is None else dict(self.grid[self.best])


@dataclass(frozen=True)
class RunOutput:
    """What a run said at its end; None or empty where it did not come to it.

    Attributes
    ----------
    answer : str or None
        What was printed.
    summary : dict or None
        What stood in `summary.json`.
    timings : dict
        Seconds of each stage.
    metrics : dict or None
        Where its time and memory went.
    """

    answer: str | None = None
    summary: dict[str, Any] | None = None
    timings: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, Any] | None = None


@dataclass(frozen=True)
class NewRun:
    """What is known of a run when it begins.

    Attributes
    ----------
    identity : Identity
    settings, data, machine : dict
    objective : str
    command : sequence of str
    """

    identity: Identity
    settings: dict[str, Any]
    data: dict[str, Any]
    machine: dict[str, Any]
    objective: str
    command: Sequence[str] = ()


@dataclass(frozen=True)
class Ending:
    """How a run came to its end.

    Attributes
    ----------
    state : {"finished", "interrupted", "failed"}
    seconds : float
        Of all its attempts.
    best : int or None
    best_value : float or None
    result_sha256 : str or None
    error : str or None
    output : RunOutput
    combinations : int or None
        That a search came to in the end; None for as many as were known from the beginning.
    """

    state: State
    seconds: float = 0.0
    best: int | None = None
    best_value: float | None = None
    result_sha256: str | None = None
    error: str | None = None
    output: RunOutput = field(default_factory=RunOutput)
    combinations: int | None = None


class DamagedRun(StoreError):
    """A run is not as it was written.

    Parameters
    ----------
    number : int
    why : str

    Attributes
    ----------
    id : int
        Its number.
    """

    def __init__(self, number: int, why: str) -> None:
        super().__init__(f"run {number} is damaged ({why})")
        self.id = number


#: What is known of a run, in the order in which it is sealed.
COLUMNS = (
    "id", "fingerprint", "context", "bars_sha256", "state", "owner", "seen", "started", "ended",
    "seconds", "combinations", "done", "failed", "identity", "settings", "command", "data",
    "machine", "objective", "best", "best_value", "result_sha256", "error",
)  # fmt: skip

_KINDS = (
    int, str, str, str, str, str, float, str, str | None,
    float, int, int, int, str, str, str, str,
    str, str, int | None, float | None, str | None, str | None,
)  # fmt: skip

#: What it said at its end, sealed by itself: it is large, and a list of runs does without it.
OUTPUT = ("answer", "summary", "timings", "metrics")

#: What values raise that are of the right kind and make no sense. Whoever writes a file by hand
#: can seal it as well.
NONSENSE = (
    ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError,
)  # fmt: skip


def run_seal(values: Sequence[Any]) -> str:
    """The seal of `COLUMNS`."""
    return seal("run", *values)


def output_seal(number: int, fingerprint: str, values: Sequence[Any]) -> str:
    """The seal of `OUTPUT`."""
    return seal("told", key_of(number, fingerprint), *values)


def run_from_row(row: tuple[Any, ...]) -> Run:
    """A run from its columns and their seal.

    Raises
    ------
    DamagedRun
        If it is not as it was written, or makes no sense.
    """
    *values, checksum = row
    try:
        if run_seal(values) != checksum:
            raise ValueError(BROKEN)
        for name, value, kind in zip(COLUMNS, values, _KINDS, strict=True):
            if not isinstance(value, kind):
                raise ValueError(f"{name} is {value!r:.40}")
        return _run(dict(zip(COLUMNS, values, strict=True)))
    except (*NONSENSE, SettingsError) as problem:
        raise DamagedRun(row[0], str(problem)) from problem


def _run(known: dict[str, Any]) -> Run:
    identity = _identity(known.pop("identity"))
    for name in ("fingerprint", "context", "bars_sha256"):
        if known[name] != getattr(identity, name):
            raise ValueError(f"its {name} is not that of what it lists")
    owner, seen = known.pop("owner"), known.pop("seen")
    if known["state"] == "running" and not Owner.from_text(owner).lives(seen):
        known["state"] = "interrupted"
    combinations, best = known["combinations"], known["best"]
    there = len(identity.grid())
    fits = there == combinations or (identity.follows and there < combinations)
    if known["state"] not in STATES or not fits:
        raise ValueError("a state or a grid that is none")
    fits = 0 <= known["done"] <= combinations and 0 <= known["failed"] <= combinations
    if not fits or not (best is None or 0 <= best < combinations):
        raise ValueError("numbers that do not fit its grid")
    known["started"] = _moment(known["started"])
    known["ended"] = None if known["ended"] is None else _moment(known["ended"])
    for name in ("settings", "data", "machine"):
        known[name] = from_json(known[name], dict)
    known["command"] = tuple(map(str, from_json(known["command"], list)))
    return Run(identity=identity, **known)


@lru_cache(maxsize=128)  # The same command run a hundred times has a hundred times the same one.
def _identity(text: str) -> Identity:
    parts = from_json(text, dict)
    if set(parts) != set(PARTS) or not isinstance(parts["bars"], str):
        raise ValueError("no parts of an identity")
    if not isinstance(parts["statistics"], list):
        raise ValueError("no list of statistics")
    return Identity(parts)


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None or not 1970 <= found.year < 9999:  # Any clock can show it.
        raise ValueError(f"{text!r} is no time of a run")
    return found.astimezone(UTC)


def columns_asked(new: NewRun) -> dict[str, str]:
    """What a run is asked for, besides its numbers, as it is stored."""
    return {
        "settings": json.dumps(new.settings),
        "command": json.dumps(list(new.command)),
        "data": json.dumps(new.data),
        "machine": json.dumps(new.machine),
        "objective": new.objective,
    }


def from_json(text: str, kind: type) -> Any:
    """A dict or a list from its text.

    Raises
    ------
    ValueError, RecursionError
        If it is something else.
    """
    found = json.loads(text)
    if not isinstance(found, kind):
        raise ValueError(f"{type(found).__name__}, no {kind.__name__}")
    return found
