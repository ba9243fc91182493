"""Whatever is asked of the dashboard, and whatever a store holds: an answer, never a fault.

A fault of the program's own is a status of 500, and a traceback on standard error; markup that
comes back as it was sent would be a hole.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import re
import shutil
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from dashboard_tools import Server, dashboard
from history_tools import make_runs
from store_tools import reseal

from bigbar.dashboard.app import ROUTES
from bigbar.store.records import COLUMNS, OUTPUT
from bigbar.store.schema import RUNS

#: Known by its middle, in whatever way it comes back.
MARK = "q7z"
MARKUP = (f"<b>{MARK}</b>", f'"><script>{MARK}()</script>', f"'onload={MARK}", f"</script>{MARK}")

PIECES = (
    *MARKUP, "%", "%00", "%ff%fe", "%3Cscript%3E", "..", "../..", "%2e%2e%2f", "//", "\\", ";", "?",
    "&", "=", "#", "null", "NaN", "-1", "1e9", "9" * 30, "0", "1", "2", "Ω", "a" * 3000, "+", "{}",
    "[]", '{"a": 1}', "[" * 500, "__class__", "{{7*7}}", "true", "k_atr", "atr_period",
    "%0d%0aX: 1",
)  # fmt: skip

PATHS = (
    "/", "/?all", "/compare", "/compare?a=1&b=2", "/runs/1", "/runs/2/explore", "/runs/1/report",
    "/runs/1/report.html", "/api/live", "/api/alive", "/api/runs/1", "/api/runs/1/live",
    "/api/runs/1/resume", "/api/delete",
    "/api/runs/2/stop", "/api/runs/9/delete", "/assets/live.js", "/assets/explore.js",
    *(f"/api/runs/1/explore/{name}" for name in ("rows", "scatter", "heatmap", "overview", "x")),
    "/api/runs/1/explore/rows?ask=", "/api/runs/1/explore/combinations/1",
    "/api/runs/2/explore/combinations/2/replay",
)  # fmt: skip

#: Names that some page knows, with those that none does.
ARGUMENTS = ("a", "b", "all", "down", "across", "token", "ask", "limit", "sort", "which", "x", "")

METHODS = ("GET",) * 12 + ("POST",) * 5 + ("HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_runs(tmp_path_factory.mktemp("runs"))


def asked(server: Server, rng: random.Random) -> tuple[int, bytes]:
    """The answer to something that nobody in his right mind would ask; the beginning of it."""
    path = rng.choice(PATHS)
    for _ in range(rng.randrange(3)):
        at = rng.randrange(len(path) + 1)
        path = path[:at] + rng.choice(PIECES) + path[at + rng.randrange(3) :]
    for _ in range(rng.randrange(3)):
        mark = "&" if "?" in path else "?"
        path += f"{mark}{rng.choice(ARGUMENTS)}={rng.choice(PIECES)}"
    headers = {"X-BigBar": "1", "Origin": server.origin} if rng.random() < 0.8 else {}
    for name in ("Accept", "If-None-Match", "Content-Type", "Cookie", "Range", "X-BigBar", "Host"):
        if rng.random() < 0.05:
            headers[name] = rng.choice(PIECES)
    if "Cookie" not in headers:
        headers["Cookie"] = server.cookie or ""
    body = rng.choice(PIECES).encode() if rng.random() < 0.4 else b""
    return spoken(server, rng.choice(METHODS), path, headers, body)


def spoken(
    server: Server, method: str, path: str, headers: dict[str, str], body: bytes
) -> tuple[int, bytes]:
    """Status and beginning of what is answered, said on the wire as it is; 0 for none."""
    lines = [f"{method} /{path.lstrip('/')} HTTP/1.1"]
    lines += [f"{name}: {text}" for name, text in {"Host": server.host, **headers}.items()]
    lines += ["Connection: close", f"Content-Length: {len(body)}", "", ""]
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as wire,
        contextlib.suppress(http.client.HTTPException, ConnectionError),
    ):
        wire.sendall("\r\n".join(lines).encode("utf-8", "surrogateescape") + body)
        response = http.client.HTTPResponse(wire, method=method)
        response.begin()
        kind = response.getheader("Content-Type") or ""
        # Events never end by themselves.
        text = response.readline() if "event-stream" in kind else response.read(4_000_000)
        return response.status, text if "html" in kind else b""
    return 0, b""


@pytest.mark.slow
def test_whatever_is_asked_is_answered(runs: Path, tmp_path: Path):
    out = Path(shutil.copytree(runs, tmp_path / "out"))
    rng = random.Random(20)
    met = set()
    with dashboard(out, "--allow-changes") as server:
        server.ask("/")
        for turn in range(1200):
            if turn % 100 == 0:  # Deleted by chance, as was asked for.
                shutil.copy(runs / RUNS, out / RUNS)
            before = rng.getstate()
            status, text = asked(server, rng)
            met.add(status)
            assert status < 500, f"{status} for turn {turn}: {before[1][-1]}"
            assert status != 101
            for markup in MARKUP[:2]:
                assert markup.encode() not in text, f"turn {turn}"
        assert server.ask("/").status == 200
    assert server.said == []
    assert {200, 403, 404, 405, 409} <= met


def test_every_page_is_met():
    """A page that is added has an example among the paths."""
    for pattern, _ in ROUTES:
        assert any(re.fullmatch(pattern, path.partition("?")[0]) for path in PATHS), pattern


def test_what_is_no_http_does_no_harm(runs: Path):
    rng = random.Random(3)
    with dashboard(runs) as server:
        for size in (1, 10, 1000, 70_000):
            with (
                socket.create_connection(("127.0.0.1", server.port), timeout=30) as wire,
                contextlib.suppress(OSError),
            ):
                wire.sendall(rng.randbytes(size) + b"\r\n\r\n")
                wire.shutdown(socket.SHUT_WR)
                wire.recv(100)
        for method, path, body in (
            ("GET", "a" * 40_000, b""),
            ("POST", "/api/delete", b"x" * 200_000),
        ):
            status, _ = spoken(server, method, path, {"Cookie": server.cookie or ""}, body)
            assert status in (0, 400, 413, 431), "too long: the connection may just be closed"
        assert server.ask("/").status == 200


#: What somebody may put into a store, by kind.
VALUES = (
    None, -1, 0, 1, 2**62, 1e308, -1e308, float("inf"), b"\xff\x00", "", "x" * 10_000, MARKUP[0],
    "null", "[]", "{}", "NaN", "1e999", '{"path": ["<b>"]}', "[" * 3000, "\x1b[2J", "\udcff",
    '{"token": "x", "pid": 1, "began": 1, "place": "y"}', "2020-01-01T00:00:00+00:00",
    "9999-12-31T23:59:59+00:00", "running", "finished", "interrupted", "failed", "Return [%]",
    "Sharpe Ratio", "# Trades", "Max. Drawdown Duration", '["--resume", "-", "<b>"]',
)  # fmt: skip


def spoil(path: Path, rng: random.Random) -> None:
    """Put something into a store that makes no sense, under a seal that fits."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for _ in range(rng.randrange(1, 4)):
            table, names = rng.choice(
                [
                    ("runs", (*COLUMNS[1:], *OUTPUT)),
                    ("runs", (*COLUMNS[1:], *OUTPUT)),
                    ("slices", ("start", "stop", "block", "first_row", "worker", "seconds")),
                    ("blocks", ("rows", "columns", "packed")),
                    ("failures", ("number", "reason")),
                ]
            )
            name, value = rng.choice(names), rng.choice(VALUES)
            if name == "identity" and rng.random() < 0.9:
                value = _spoiled_identity(connection, rng)
            with contextlib.suppress(sqlite3.Error, UnicodeError):
                connection.execute(f"UPDATE {table} SET {name} = ?", (value,))
        with contextlib.suppress(Exception):
            reseal(connection)


def _spoiled_identity(connection: sqlite3.Connection, rng: random.Random) -> str:
    parts = json.loads(connection.execute("SELECT identity FROM runs").fetchone()[0])
    part = rng.choice(sorted(parts))
    parts[part] = rng.choice([None, 1, "x", [], {}, [[]], {"a": [1]}, ["<b>"] * 3, 1e300])
    return json.dumps(parts)


@pytest.mark.slow
def test_whatever_a_store_holds_is_told_or_shown(runs: Path, tmp_path: Path):
    out = tmp_path / "out"
    out.mkdir()
    rng = random.Random(11)
    pages = (
        "/", "/runs/1", "/runs/2", "/runs/1/report", "/runs/2/report.html", "/compare?a=1&b=2",
        "/runs/1/explore", "/api/runs/1/resume", "/api/runs/1/explore/overview",
    )  # fmt: skip
    shutil.copy(runs / RUNS, out / RUNS)
    met = set()
    with dashboard(out) as server:
        for turn in range(80):
            fresh = tmp_path / "fresh.sqlite"
            shutil.copy(runs / RUNS, fresh)
            spoil(fresh, rng)
            fresh.replace(out / RUNS)
            for page in pages:
                answer = server.ask(page)
                met.add(answer.status)
                assert answer.status in (200, 400, 404, 409, 503), f"{page} in turn {turn}"
                assert MARKUP[0] not in answer.text
                assert "\x1b" not in answer.text
            for stream in ("/api/live", "/api/runs/1/live"):
                with server.stream(stream) as events:
                    assert isinstance(next(events), dict)
    assert server.said == []
    assert {200, 503} <= met
