"""What the tests of the dashboard share: a server in a process of its own, and its visitors."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.commands import Command

ROOT = Path(__file__).resolve().parents[1]

#: Nothing is waited for longer, in seconds.
PATIENCE_S = 60.0

#: A strategy that only backtesting.py runs, and whose backtest takes some hundredths of a second.
SLOW = """
import time
from backtesting import Strategy

class Slow(Strategy):
    fast = 5
    slow = 20

    def init(self):
        time.sleep(0.03)
        close = self.data.Close
        self.fast_line = self.I(lambda: close.s.rolling(self.fast).mean())
        self.slow_line = self.I(lambda: close.s.rolling(self.slow).mean())

    def next(self):
        if self.fast_line[-1] > self.slow_line[-1] and not self.position:
            self.buy()
        elif self.fast_line[-1] < self.slow_line[-1] and self.position:
            self.position.close()
"""


@dataclass
class Answer:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """A dashboard that answers.

    Attributes
    ----------
    address : str
        As it was printed.
    process : Popen or None
        None where it was started by a run.
    """

    address: str
    process: subprocess.Popen[str] | None = None
    cookie: str | None = None
    said: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return urlsplit(self.address).port or 0

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        return f"http://{self.host}"

    @property
    def token(self) -> str:
        return self.address.partition("token=")[2]

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        let_in: bool = True,
    ) -> Answer:
        """Ask, with the cookie unless `let_in` is off."""
        given = dict(headers or {})
        if let_in:
            given.setdefault("Cookie", self._cookie())
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body=body, headers=given)
            found = connection.getresponse()
            return Answer(found.status, {k.lower(): v for k, v in found.getheaders()}, found.read())
        finally:
            connection.close()

    def _cookie(self) -> str:
        if self.cookie is None:
            answer = self.ask(f"/?token={self.token}", let_in=False)
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return self.cookie

    def change(self, path: str, values: Any = None, **headers: str) -> Answer:
        """Ask for a change, as a page of the dashboard does."""
        given = {"X-BigBar": "1", "Origin": self.origin} | headers
        return self.ask(path, method="POST", headers=given, body=json.dumps(values or {}).encode())

    @contextlib.contextmanager
    def stream(self, path: str) -> Iterator[Iterator[dict[str, Any]]]:
        """Server-Sent Events, one after the other."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request("GET", path, headers={"Cookie": self._cookie()})
            found = connection.getresponse()
            assert found.status == 200, found.read()
            yield _events(found)
        finally:
            connection.close()


def _events(response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    while line := response.readline():
        if line.startswith(b"data: "):
            yield json.loads(line[6:])


@contextlib.contextmanager
def dashboard(folder: Path, *options: str, cwd: Path | None = None) -> Iterator[Server]:
    """`bigbar dashboard` on a folder; whatever it complained about is in `said` at the end."""
    with Command(
        [sys.executable, "-m", "bigbar", "dashboard", "--output", str(folder), *options],
        cwd=cwd or ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            server = Server(address, process)
            assert address, process.stderr and process.stderr.read()
            yield server
        finally:
            process.send_signal(signal.SIGINT)
            try:
                _, said = process.communicate(timeout=PATIENCE_S)
                server.said = said.splitlines()
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def environment() -> dict[str, str]:
    """In which the program is found from every folder."""
    known = os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *([known] if known else [])])}


def slow_run(folder: Path, *more: str, output: str = "out") -> subprocess.Popen[str]:
    """A run of 361 combinations that takes some ten seconds, and goes on."""
    (folder / "Slow.py").write_text(SLOW)
    lines = (ROOT / "example.csv").read_text().splitlines(keepends=True)
    (folder / "bars.csv").write_text("".join(lines[:201]))
    return Command(
        [
            *(sys.executable, "-m", "bigbar", "bars.csv", "--strategy", "Slow.py:Slow"),
            *("--engine", "backtesting", "--param", "fast=2:20:1", "--param", "slow=21:39:1"),
            *("--output", output, "--workers", "1", "--no-validate", "--verify", "1"),
            *more,
        ],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )


def wait_until(true: Any) -> Any:
    """What a function gives as soon as that is something."""
    until = time.monotonic() + PATIENCE_S
    while not (found := true()):
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.05)
    return found
