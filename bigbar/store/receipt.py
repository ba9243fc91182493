"""The receipt of a run: what went into it, and a digest of what came of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bigbar.store.fingerprint import PARTS, Identity
from bigbar.store.schema import StoreError
from bigbar.version import __version__

#: Name of the file in the output folder.
RECEIPT = "receipt.json"

#: Entry: the files that this program wrote beside the receipt, with the SHA-256 of each.
FILES = "files"

#: Entry, only while files are being put in place: lists of digests that they had before.
REPLACING = "replacing"

#: Entry of the receipt of several runs: those, with fingerprint and folder of each.
RUNS_OF = "runs"

#: Of the receipt's form; another one is refused.
FORMAT = 2


def receipt(
    identity: Identity,
    *,
    run: int | None,
    state: str,
    settings: dict[str, Any],
    data: dict[str, Any],
    command: Sequence[str],
    config: Mapping[str, str] | None,
    completed: int,
    failed: int,
    result_sha256: str | None,
) -> dict[str, Any]:
    """A receipt, as JSON holds it.

    Parameters
    ----------
    identity : Identity
    run : int or None
        Its id in the store.
    state : str
        As in `Run.state`.
    settings, data : dict
        As in `summary.json`.
    command : sequence of str
        The command line, without the program.
    config : mapping or None
        The file that settings came from, by path and sha256.
    completed, failed : int
        Combinations.
    result_sha256 : str or None
        As `ResultTable.sha256` has it; None unless every combination was answered.
    """
    parts = identity.parts
    return {
        "receipt": FORMAT,
        "optimizer": __version__,
        "run": run,
        "state": state,
        "fingerprint": identity.fingerprint,
        "result_sha256": result_sha256,
        "data": {
            "path": data["path"],
            "file_sha256": data["sha256"],
            "bars_sha256": identity.bars_sha256,
            "span": parts["span"],
            **{name: data[name] for name in ("rows", "first_time", "last_time")},
        },
        "code_sha256": identity.code_sha256,
        "engine": parts["engine"],
        "packages": parts["packages"],
        "machine": parts["machine"],
        "strategy": parts["strategy"],
        "settings": parts["settings"],
        "account": parts["account"],
        "grid": parts["grid"],
        "statistics": parts["statistics"],
        "objective": settings["maximize"],
        "min_trades": settings["min_trades"],
        "seed": settings["seed"],
        "command": list(command),
        "config": None if config is None else dict(config),
        "completed": completed,
        "failed": failed,
    }


def receipt_of_several(
    runs: Sequence[Mapping[str, Any]],
    *,
    state: str,
    command: Sequence[str],
    config: Mapping[str, str] | None,
) -> dict[str, Any]:
    """The receipt of several runs in folders of their own, each of which has one itself.

    Parameters
    ----------
    runs : sequence of mapping
        Of each its `name`, `run`, `fingerprint` and `result_sha256`.
    state, command, config
        As of `receipt`.
    """
    return {
        "receipt": FORMAT,
        "optimizer": __version__,
        "state": state,
        "fingerprint": _fingerprint_of(runs),
        RUNS_OF: [dict(run) for run in runs],
        "command": list(command),
        "config": None if config is None else dict(config),
    }


def _fingerprint_of(runs: Sequence[Mapping[str, Any]]) -> str:
    listed = "\n".join(str(run["fingerprint"]) for run in runs)
    return hashlib.sha256(listed.encode()).hexdigest()


def receipt_text(found: dict[str, Any]) -> str:
    """A receipt as its file has it."""
    return json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def identity_in(found: dict[str, Any]) -> Identity:
    """What decided the numbers of the run of a receipt.

    Raises
    ------
    KeyError, TypeError
        If it is none.
    """
    data = found["data"]
    parts = {
        "bars": data["bars_sha256"],
        "span": data["span"],
        "sources": found["code_sha256"],
        **{name: found[name] for name in PARTS if name in found},
    }
    return Identity({name: parts[name] for name in PARTS})


def read_receipt(path: Path) -> dict[str, Any]:
    """Read a receipt, of one run or several, and check that its fingerprint is of what it lists.

    Raises
    ------
    StoreError
        If there is none, or it is damaged or of another version.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise StoreError(f"{path} cannot be read: {problem.strerror or problem}") from problem
    except (ValueError, RecursionError) as problem:
        raise StoreError(f"{path} is no receipt: it holds no JSON ({problem})") from problem
    if not isinstance(found, dict) or not isinstance(found.get("receipt"), int):
        raise StoreError(f"{path} is no receipt")
    if found["receipt"] != FORMAT:
        raise StoreError(
            f"{path} is a receipt of form {found['receipt']}, this version of the optimizer reads "
            f"form {FORMAT}; use the version that wrote it ({found.get('optimizer', 'unknown')})"
        )
    try:
        several = RUNS_OF in found
        fingerprint = _fingerprint_of(found[RUNS_OF]) if several else identity_in(found).fingerprint
    except (KeyError, TypeError, ValueError) as problem:
        raise StoreError(f"{path} is damaged: {problem!r}") from problem
    if fingerprint != found.get("fingerprint"):
        raise StoreError(f"{path} is damaged: its fingerprint is not that of what it lists")
    return found
