"""What is known of a run: when it begins, while it is stored, and when it ends."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

from bigbar.errors import SettingsError
from bigbar.grid import Grid
from bigbar.store.fingerprint import PARTS, Identity
from bigbar.store.owner import Owner
from bigbar.store.schema import StoreError

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
        Of the grid; answered, those that failed among them; failed.
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
    def grid(self) -> Grid:
        """Its grid."""
        return self.identity.grid()

    @property
    def engine(self) -> str:
        """Its engine."""
        return str(self.identity.parts["engine"])

    @property
    def best_parameters(self) -> dict[str, float] | None:
        """Of the winning combination."""
        return None if self.best is None else dict(vars(self.grid[self.best]))


@dataclass(frozen=True)
class Told:
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
    told : Told
    """

    state: State
    seconds: float = 0.0
    best: int | None = None
    best_value: float | None = None
    result_sha256: str | None = None
    error: str | None = None
    told: Told = field(default_factory=Told)


#: What is read of a run, in the order of `KINDS`.
COLUMNS = """id, state, owner, seen, identity, started, ended, seconds, combinations, done,
    (SELECT count(*) FROM failures WHERE failures.run = runs.id), settings, command, data, machine,
    objective, best, best_value, result_sha256, error"""

KINDS = (
    int, str, str, float, str, str, str | None, float, int, int,
    int, str, str, str, str,
    str, int | None, float | None, str | None, str | None,
)  # fmt: skip


def run_from_row(row: tuple[Any, ...]) -> Run:
    """A run from its columns.

    Raises
    ------
    StoreError
        If they do not fit together.
    """
    # fmt: off
    (number, state, owner, seen, parts, started, ended, seconds, combinations, done, failed,
     settings, command, data, machine, objective, best, best_value, result, error) = row
    # fmt: on
    try:
        identity = _identity(parts)
        if state == "running" and not Owner.from_text(owner).lives(seen):
            state = "interrupted"
        if state not in STATES or len(identity.grid()) != combinations:
            raise ValueError("a state or a grid that is none")
        if not 0 <= done <= combinations or not (best is None or 0 <= best < combinations):
            raise ValueError("numbers that do not fit its grid")
        return Run(
            number, state, identity, identity.fingerprint, identity.context, identity.bars_sha256,
            _moment(started), None if ended is None else _moment(ended), seconds, combinations,
            done, failed, from_json(settings, dict), tuple(map(str, from_json(command, list))),
            from_json(data, dict), from_json(machine, dict), objective, best, best_value, result,
            error,
        )  # fmt: skip
    except (ValueError, SettingsError) as problem:
        raise StoreError(f"run {number} is damaged ({problem})") from problem


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
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return found.astimezone(UTC)


def columns_told(new: NewRun) -> Iterable[str]:
    """What a run is asked for, besides its numbers: settings, command, data, machine, objective."""
    texts = (new.settings, list(new.command), new.data, new.machine)
    return (*(json.dumps(text) for text in texts), new.objective)


def from_json(text: str, kind: type) -> Any:
    """A dict or a list from its text.

    Raises
    ------
    StoreError
        If it is something else.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise StoreError(f"the file of runs is damaged ({problem})") from problem
    if not isinstance(found, kind):
        raise StoreError(f"the file of runs is damaged: {type(found).__name__}, no {kind.__name__}")
    return found
