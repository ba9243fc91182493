"""What is asked of a cluster, and refused, before anything is started."""

from __future__ import annotations

import importlib.util
import socket
import sys
from pathlib import Path

import pytest
from cluster_tools import ENVIRONMENT, needs_ray

import bigbar
from bigbar.errors import SettingsError
from bigbar.executors.cluster import session
from bigbar.executors.cluster.travelling import Source, Travelling
from bigbar.options import parse_options
from bigbar.outcome import CLUSTER_WAIT_S
from bigbar.worker_names import worker_name, worker_number


@pytest.fixture
def with_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if Ray were installed; none of it is imported."""
    found = importlib.util.find_spec("json")
    monkeypatch.setattr(session.importlib.util, "find_spec", lambda name: found)


def test_what_is_asked_for(with_ray: None) -> None:
    execution = parse_options(["f.csv", "--cluster", "local:3"]).request.execution
    assert (execution.cluster, execution.workers) == ("local:3", 3)
    assert execution.cluster_wait == CLUSTER_WAIT_S
    words = ["f.csv", "--cluster", "head-1.lan:6379", "--cluster-wait", "20"]
    execution = parse_options(words).request.execution
    assert (execution.cluster, execution.cluster_wait) == ("head-1.lan:6379", 20.0)
    assert parse_options(["f.csv"]).request.execution.cluster is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cluster", "10.0.0.1"], "neither an address (HOST:PORT), nor auto"),
        (["--cluster", "local:0"], "from 1 to 1024 workers"),
        (["--cluster", "ray://10.0.0.1:10001"], "not through Ray's client"),
        (["--cluster", "auto", "--max-memory", "2G"], "--max-memory is for processes of this"),
        (["--cluster", "auto", "--workers", "auto", "--max-workers", "3"], "is for processes of"),
        (["--cluster", "auto", "--start-method", "spawn"], "--start-method is for processes of"),
        (["--cluster-wait", "5"], "--cluster-wait is for --cluster"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(
    with_ray: None, words: list[str], said: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        parse_options(["f.csv", *words])
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SettingsError, match=r"not installed: pip install '\.\[cluster\]'"):
        parse_options(["f.csv", "--cluster", "local:1"])
    with pytest.raises(SettingsError, match="not installed"):
        bigbar.optimize("f.csv", cluster="local:1")


@needs_ray
def test_where_nobody_answers_it_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():  # Ray reads them once in a process.
        monkeypatch.setenv(name, value)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(SettingsError, match="nobody answers there"):
            session.Session(address, print)


def test_other_versions_are_told_in_one_sentence() -> None:
    """What Ray says of them, as it says it."""
    raised = RuntimeError(
        "Version mismatch: The cluster was started with:\n    Ray: 2.59.0\n    Python: 3.11.9\n"
        "This process on node 10.0.0.2:1 was started with:\n    Ray: 2.60.0\n    Python: 3.11.7\n"
    )
    assert session._why_not("auto", raised) == (
        "--cluster auto: it runs Ray 2.59.0 Python 3.11.9, and this is Ray 2.60.0 Python 3.11.7; "
        "both must be the same on all machines"
    )


def test_a_token_that_others_may_read_is_kept_to_this_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("0" * 64)
    token.chmod(0o644)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(token))
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    said: list[str] = []
    session._set_token_mode(said.append)
    assert token.stat().st_mode & 0o777 == 0o600
    assert "by this user only" in said[0]
    assert session.os.environ["RAY_AUTH_MODE"] == "token"
    token.unlink()
    monkeypatch.delenv("RAY_AUTH_MODE")
    session._set_token_mode(said.append)
    assert "whoever reaches one that asks for none can run code on it" in said[-1]


def test_a_travelling_module_is_the_one_that_was_sent() -> None:
    """Also where there is one of that name, and after another version of it was here."""
    for number in (1, 2):
        sources = {
            "travelled": Source("/elsewhere/travelled/__init__.py", b"", True),
            "travelled.part": Source(
                "/elsewhere/travelled/part.py", f"def answer(): return {number}".encode(), False
            ),
        }
        Travelling(sources).unpack()
        from travelled.part import answer  # type: ignore[import-not-found]

        assert answer() == number
        assert answer.__code__.co_filename == "/elsewhere/travelled/part.py"
    Travelling().unpack()
    assert importlib.util.find_spec("travelled") is None


def test_workers_are_named_by_machine_and_process() -> None:
    assert worker_name(worker_number(0, 4_194_304)) == "4194304"
    assert worker_name(worker_number(12, 77)) == "machine 12: 77"
