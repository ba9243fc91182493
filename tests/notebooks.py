"""A real kernel of Jupyter to run cells in, as a notebook does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.manager import start_new_kernel

ROOT = Path(__file__).resolve().parents[1]

#: Seconds that a cell may take.
PATIENCE_S = 120


@dataclass
class Cell:
    """What came of a cell.

    Attributes
    ----------
    streams : dict of str to str
        What was written to `stdout` and `stderr`.
    shown : list of dict
        What it displayed, and last what it gave, by the kind of content.
    error : str or None
        What is shown of the exception that ended it.
    """

    streams: dict[str, str] = field(default_factory=lambda: {"stdout": "", "stderr": ""})
    shown: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None

    @property
    def out(self) -> str:
        """What it printed; it ended well, and complained of nothing."""
        assert self.error is None, self.error
        assert not self.streams["stderr"], self.streams["stderr"]
        return self.streams["stdout"].strip()

    def take(self, message: dict[str, Any]) -> None:
        """Note a message of the kernel."""
        content, kind = message["content"], message["msg_type"]
        if kind == "stream":
            self.streams[content["name"]] += content["text"]
        elif kind in ("display_data", "execute_result"):
            self.shown.append(content["data"])
        elif kind == "error":
            self.error = "\n".join(content["traceback"])


class Kernel:
    """A kernel that runs; see `kernel_in`."""

    def __init__(self, manager: Any, client: Any) -> None:
        self._manager, self._client = manager, client

    def run(self, code: str, *, stop_when: Callable[[Cell], bool] | None = None) -> Cell:
        """Run a cell to its end, or interrupt it as the notebook's button does."""
        cell, stopped = Cell(), False

        def hear(message: dict[str, Any]) -> None:
            nonlocal stopped
            cell.take(message)
            if stop_when is not None and not stopped and stop_when(cell):
                stopped = True
                self._manager.interrupt_kernel()

        self._client.execute_interactive(
            code, output_hook=hear, timeout=PATIENCE_S, store_history=False
        )
        return cell


@contextmanager
def kernel_in(folder: Path) -> Iterator[Kernel]:
    """A kernel in a folder, which also gets what IPython and Jupyter keep for themselves."""
    own = {"IPYTHONDIR": folder / ".ipython", "JUPYTER_RUNTIME_DIR": folder / ".jupyter"}
    environment = {**os.environ, **{name: str(path) for name, path in own.items()}}
    environment["PYTHONPATH"] = str(ROOT)
    manager, client = start_new_kernel(
        kernel_name="python3", cwd=str(folder), env=environment, startup_timeout=PATIENCE_S
    )
    try:
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=False)
