"""Real shells on a pseudo-terminal: what becomes of a line that is typed and completed there."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

#: How each is started without the files of whoever runs the tests, and made ready: its completion
#: loaded, and a command that writes down what it is given.
_LINES = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "", "bigbar() { printf '%s\\n' \"$@\" >"),
    "zsh": (["zsh", "-f", "-i"], "autoload -U compinit; compinit -u -D; ",
            "bigbar() { printf '%s\\n' \"$@\" >"),
    "fish": (["fish", "--no-config", "-i"], "", "function bigbar; printf '%s\\n' $argv >"),
}  # fmt: skip

_END = {"bash": "; }", "zsh": "; }", "fish": "; end"}

#: Seconds that a shell may take on a busy machine.
_PATIENCE_S = 60


class Shell:
    """An interactive shell with the completion loaded.

    Parameters
    ----------
    name : str
    folder : Path
        Where it works; commands in `bin` beside it are found.
    script : str
        Of the completion.
    """

    def __init__(self, name: str, folder: Path, script: str) -> None:
        line, before, function = _LINES[name]
        self._given = folder.parent / "given"
        (folder.parent / "script").write_text(script, encoding="utf-8")
        self._terminal, theirs = os.openpty()
        path = f"{folder.parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
        env = {
            **os.environ,
            "PATH": path,
            "TERM": "dumb",
            "HOME": str(folder.parent),
            "LC_ALL": "C.UTF-8",
        }
        self._process = subprocess.Popen(
            line, stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=env,
            start_new_session=True, preexec_fn=_take_terminal,
        )  # fmt: skip
        os.close(theirs)
        self._seen = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._type(f"{before}source ../script; {function} ../given.part; "
                   f"mv ../given.part ../given{_END[name]}\n")  # fmt: skip
        assert self.typed("bigbar ready") == ["ready"]

    def typed(self, line: str) -> list[str]:
        """What the command is given when this is typed and sent; `\\t` completes."""
        self._given.unlink(missing_ok=True)
        self._type(f"{line}\n")
        end = time.monotonic() + _PATIENCE_S
        while not self._given.exists():
            assert time.monotonic() < end, self._seen.decode(errors="replace")
            time.sleep(0.01)
        return self._given.read_text(encoding="utf-8").splitlines()

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._reader.join(5)
        os.close(self._terminal)

    def _type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def _read(self) -> None:
        """Keep the terminal from filling up."""
        with contextlib.suppress(OSError):
            while self._process.poll() is None:
                if select.select([self._terminal], [], [], 0.1)[0]:
                    self._seen += os.read(self._terminal, 65536)


def _take_terminal() -> None:
    """Make standard input the terminal that the process is controlled by: fish insists."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@contextlib.contextmanager
def shell(name: str, folder: Path, script: str) -> Iterator[Shell]:
    """A shell that ends with the block; skips where there is none."""
    if not (shutil.which(name) and hasattr(os, "openpty")):
        pytest.skip(f"no {name} here")
    found = Shell(name, folder, script)
    try:
        yield found
    finally:
        found.close()
