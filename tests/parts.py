"""Run the tests in several parts, and close with one line for all of them.

A part that crashes or is interrupted takes nothing away from what is told of the others, and no
part that went well hides one that did not.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.tally import Tally, read_tally

#: Where `tests` is a package.
ROOT = Path(__file__).resolve().parents[1]

_INTERRUPTED, _NO_TESTS = 2, 5  # pytest's


@dataclass(frozen=True)
class Part:
    """How a part of the tests ended.

    Attributes
    ----------
    name : str
    code : int
        Of pytest; negative for a signal that ended it.
    tally : Tally
    """

    name: str
    code: int
    tally: Tally

    @property
    def complete(self) -> bool:
        """Whether all its tests were run, whatever came of them."""
        tally = self.tally
        return self.code in (0, 1) and tally.whole and not (tally.unfinished or tally.unreadable)

    @property
    def stopped(self) -> bool:
        """Whether somebody interrupted it."""
        return self.code in (_INTERRUPTED, -signal.SIGINT) and not self.tally.unreadable

    def failed(self) -> list[str]:
        """The tests that failed, those among them that took pytest with them."""
        broken_off = not (self.tally.whole or self.stopped)
        return self.tally.failed() + (list(self.tally.unfinished) if broken_off else [])

    def trouble(self) -> str:
        """What kept it from being complete."""
        if self.stopped:
            return "was interrupted"
        if self.tally.unreadable:
            return "could not collect its tests"
        if self.code < 0:
            names = {number.value: number.name for number in signal.Signals}
            return f"was ended by {names.get(-self.code, f'signal {-self.code}')}"
        if self.code == _NO_TESTS:
            return "had no tests"
        return f"{'ended' if self.tally.whole else 'broke off'} with exit code {self.code}"


def run_parts(parts: Mapping[str, Sequence[str]], root: Path) -> int:
    """Run pytest once for each part, in order, and tell of all of them together.

    Parameters
    ----------
    parts : mapping
        Arguments for pytest, by the name of the part.
    root : Path
        What is tested.

    Returns
    -------
    int
        0 if every test of every part was run and none failed; else pytest's exit code of the part
        with the most trouble, 128 and the number of a signal that ended it.
    """
    ended = []
    for name, arguments in parts.items():
        print(f"\n{name.capitalize()}:", flush=True)
        ended.append(_run(name, [str(root), *arguments], root))
        if ended[-1].stopped:
            break
    print("\n" + "\n".join(_closing(ended, len(parts))), flush=True)
    return _exit_code(ended)


def _run(name: str, arguments: Sequence[str], root: Path) -> Part:
    with tempfile.TemporaryDirectory() as folder, _interrupts_left_to_pytest():
        file = Path(folder) / "tally"
        line = [sys.executable, "-m", "pytest", "-p", "tests.tally", "--tally", str(file)]
        code = subprocess.run([*line, *arguments], cwd=ROOT, check=False).returncode
        return Part(name, code, read_tally(file))


@contextlib.contextmanager
def _interrupts_left_to_pytest() -> Iterator[None]:
    """Ctrl-C reaches everybody at a terminal: pytest tells what was done until then."""
    before = signal.signal(signal.SIGINT, lambda number, frame: None)  # ignored, pytest would, too
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _closing(ended: Sequence[Part], wanted: int) -> Iterator[str]:
    tallies = [part.tally for part in ended]
    for reason, count in sum((one.reasons for one in tallies), Counter()).most_common():
        yield f"skipped {count}: {reason}"
    failed = dict.fromkeys(name for part in ended for name in part.failed())
    yield from (f"failed: {name}" for name in failed)
    for part in ended:
        if not part.complete:
            where = ", ".join(part.tally.unfinished)
            yield f"{part.name} {part.trouble()}" + (f" in {where}" if where else "")
    if len(ended) < wanted:
        yield f"not run: {wanted - len(ended)} of {wanted} parts"
    whole = len(ended) == wanted and all(part.complete for part in ended)
    passed, skipped = (sum(one.count(kind) for one in tallies) for kind in ("passed", "skipped"))
    word = "Complete" if whole else "Incomplete"
    yield f"{word}: {passed} passed, {len(failed)} failed, {skipped} skipped"


def _exit_code(ended: Sequence[Part]) -> int:
    """Of the worst: an interrupt, a crash, an error of pytest's own, a failure, no tests."""
    if any(part.stopped for part in ended):
        return _INTERRUPTED
    codes = {128 - part.code if part.code < 0 else part.code for part in ended} - {0}
    if codes:
        return max(codes - {_NO_TESTS} or codes)
    return int(not all(part.complete for part in ended))
