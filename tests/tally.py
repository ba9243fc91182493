"""A pytest plugin that notes every test as it starts and ends, so that a crash can be told of.

python -m pytest -p tests.tally --tally FILE
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--tally", help="a file that tells how each test went, line by line")


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("--tally")
    if path is not None and not hasattr(config, "workerinput"):  # pytest-xdist's workers report
        config.pluginmanager.register(_Writer(Path(path)))


class _Writer:
    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")

    def _write(self, *entry: str) -> None:
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()  # whatever happens next

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._write(nodeid, "started")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and isinstance(report.longrepr, tuple):
            self._write(report.nodeid, "skipped", report.longrepr[2].removeprefix("Skipped: "))
        elif report.failed or report.when == "call":
            self._write(report.nodeid, report.outcome)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._write(nodeid, "ended")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._write(report.nodeid, "unreadable")

    def pytest_unconfigure(self) -> None:
        self._write("", "whole")
        self._file.close()


@dataclass
class Tally:
    """How tests went.

    Attributes
    ----------
    outcomes : dict
        "passed", "failed" or "skipped", by the test's name.
    unfinished : dict
        Tests that were begun and not ended, in order; the values mean nothing.
    reasons : Counter
        Why tests were skipped.
    unreadable : bool
        Whether a file could not be read as tests: then pytest runs none.
    whole : bool
        Whether pytest came to its end.
    """

    outcomes: dict[str, str] = field(default_factory=dict)
    unfinished: dict[str, None] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    unreadable: bool = False
    whole: bool = False

    def count(self, outcome: str) -> int:
        return sum(one == outcome for one in self.outcomes.values())

    def failed(self) -> list[str]:
        return [name for name, outcome in self.outcomes.items() if outcome == "failed"]


def read_tally(path: Path) -> Tally:
    """What was noted; nothing where pytest did not come to its first test."""
    tally = Tally()
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        name, what, *reason = json.loads(line)
        if what == "started":
            tally.unfinished[name] = None
        elif what == "ended":
            tally.unfinished.pop(name, None)
        elif what == "whole":
            tally.whole = True
        elif what == "unreadable":
            tally.unreadable = True
            tally.outcomes[name] = "failed"
        elif tally.outcomes.get(name) != "failed":  # a test may pass, and fail while it clears up
            tally.outcomes[name] = what
            tally.reasons.update(reason)
    return tally
