"""Run every benchmark and write what they found as Markdown to standard output.

    python benchmarks/run_all.py > figures.md

What they print as they go is on standard error. `--only NAME` runs some of them; an option that
is not known here goes to every benchmark that is run, such as `--data FILE`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent

BENCHMARKS = (
    "against_backtesting",
    "against_vectorbt",
    "against_numba_loop",
    "any_strategy",
    "any_strategy_runner",
    "compiled_strategies",
    "start_up",
    "scale",
    "memory",
    "progress",
    "store",
    "explore",
    "walk_forward",
    "workers_auto",
)


def run(name: str, options: list[str]) -> tuple[int, dict[str, Any] | None]:
    """Exit code of a benchmark, and its findings unless it broke off."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder, "found.json")
        command = [sys.executable, str(_HERE / f"{name}.py"), "--json", str(found), *options]
        code = subprocess.run(command, stdout=sys.stderr).returncode
        return code, json.loads(found.read_text(encoding="utf-8")) if found.exists() else None


def markdown(found: dict[str, Any]) -> str:
    """One benchmark's findings as a table, and what was checked before."""
    marks = {True: "met", False: "missed", None: ""}
    rows = [("what", "figure", "target", ""), ("---", "---:", "---", "---")]
    rows += [
        (line["what"].strip(), line["figure"], line["target"], marks[line["met"]])
        for line in found["lines"]
    ]
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    words = {True: "agree", False: "**differ**"}
    checks = "\n".join(f"- {words[ok]}: {what}" for what, ok in found["checks"])
    return f"### {found['title']}\n\n{table}\n\nChecked first:\n{checks}\n"


def main() -> int:
    """Run them, one after the other, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=BENCHMARKS)
    parser.add_argument("--vectorbt-python", metavar="PATH", help="see against_vectorbt.py")
    parser.add_argument("--raptorbt-python", metavar="PATH", help="see compiled_strategies.py")
    known, others = parser.parse_known_args()
    worst = 0
    said_where = False
    for name in known.only:
        options = list(others)
        if name == "against_vectorbt" and known.vectorbt_python:
            options += ["--vectorbt-python", known.vectorbt_python]
        if name == "compiled_strategies" and known.raptorbt_python:
            options += ["--raptorbt-python", known.raptorbt_python]
        code, found = run(name, options)
        worst = max(worst, abs(code))
        if found is None:
            print(f"### {name}\n\nbroke off with exit code {code}\n", flush=True)
            continue
        if not said_where:
            print(f"{found['machine']}; {found['versions']}\n")
            said_where = True
        print(markdown(found), flush=True)
    return 1 if worst else 0


if __name__ == "__main__":
    sys.exit(main())
