"""The command as a user runs it, with its memory watched from outside."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import common
import pandas as pd
import psutil

#: Time between two looks at the memory. A look at a few processes takes some milliseconds.
_LOOK_EVERY_S = 0.05


@dataclass(frozen=True)
class Run:
    """One run of the command.

    Attributes
    ----------
    seconds : float
        From its start to its end.
    summary : dict
        `summary.json`.
    table : DataFrame
        `results.parquet`.
    peak : int
        Most memory of all processes together, in bytes, as `measure` says.
    workers : list of int
        Most memory that each worker held alone (USS), in bytes.
    """

    seconds: float
    summary: dict[str, Any]
    table: pd.DataFrame
    peak: int
    workers: list[int]


def measure() -> str:
    """What the sum over processes is made of, in words."""
    if _has_pss():
        return "sum of PSS: what processes share is counted once"
    return "sum of RSS, which counts what processes share once for each of them"


def run_command(file: Path, *options: str) -> Run:
    """Run the command on a file, without bar and verification.

    Raises
    ------
    SystemExit
        If it fails, with what it said.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(common.COMMAND), str(file), "--no-progress"]
        command += ["--verify", "0", "--output", folder, *options]
        with tempfile.TemporaryFile("w+") as said:
            begun = time.perf_counter()
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
            peak, workers = _watch(process)
            spent = time.perf_counter() - begun
            if process.returncode != 0:
                said.seek(0)
                raise SystemExit(f"{' '.join(command)} failed:\n{said.read()}")
        summary = json.loads(Path(folder, "summary.json").read_text(encoding="utf-8"))
        table = pd.read_parquet(Path(folder, "results.parquet"))
    return Run(spent, summary, table, peak, workers)


def _watch(process: subprocess.Popen[bytes]) -> tuple[int, list[int]]:
    """Look at the process and all below it until it ends."""
    root = psutil.Process(process.pid)
    peak = 0
    alone: dict[int, int] = {}
    while process.poll() is None:
        total = 0
        for one in _family(root):
            try:
                memory = one.memory_full_info()
                total += memory.pss if _has_pss() else memory.rss
                if one.pid != root.pid and not _is_helper(one):
                    alone[one.pid] = max(alone.get(one.pid, 0), memory.uss)
            except psutil.Error:
                continue  # It ended between two looks.
        peak = max(peak, total)
        time.sleep(_LOOK_EVERY_S)
    return peak, sorted(alone.values())


def _family(root: psutil.Process) -> list[psutil.Process]:
    try:
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []


def _is_helper(process: psutil.Process) -> bool:
    """Python's own processes beside a pool, which do no work."""
    line = " ".join(process.cmdline())
    return "resource_tracker" in line or "forkserver" in line


def _has_pss() -> bool:
    return sys.platform.startswith("linux")
