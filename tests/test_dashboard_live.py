"""A run that goes on, followed from outside: what pages are told, stopping, resuming."""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from dashboard_tools import (
    PATIENCE_S,
    Server,
    dashboard,
    environment,
    slow_run,
    wait_until,
)
from store_tools import begun, change

from bigbar.dashboard.follower import Moment, RunFollower
from bigbar.dashboard.overview import Overview
from bigbar.dashboard.reading import Runs
from bigbar.sharing.leftovers import remove_leftovers
from bigbar.space import Space
from bigbar.store.journal import journal_path
from bigbar.store.runs import RunStore
from tests.commands import Command

pytestmark = pytest.mark.slow

OUT = "out"
TOTAL = 361


def state_of(folder: Path) -> tuple[str, int]:
    """Of the first run: its state, and how much is done."""
    with RunStore(folder / OUT, read_only=True) as store:
        run = store.run(1)
        return run.state, run.done


def commits(folder: Path, moments: dict[int, float], stop: threading.Event) -> None:
    """Write down when each number of combinations was first there."""
    while not stop.wait(0.02):
        moments.setdefault(state_of(folder)[1], time.monotonic())


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """A run that is watched, stopped from its page, and resumed from there; what was seen."""
    folder = tmp_path_factory.mktemp("live")
    seen: dict[str, object] = {"folder": folder}
    with (
        slow_run(folder, "--no-progress", "--save-config", "saved.toml") as run,
        dashboard(folder / OUT, "--allow-changes") as server,
    ):
        _wait_for_rows(folder)
        moments: dict[int, float] = {}
        done = threading.Event()
        watch = threading.Thread(target=commits, args=(folder, moments, done))
        watch.start()
        try:
            seen["events"], seen["arrived"] = _watched(server, seconds=5)
        finally:
            done.set()
            watch.join()
        seen["moments"] = moments
        with server.stream("/api/live") as events:
            seen["overview"] = next(events)
        seen["stop"] = server.change("/api/runs/1/stop").json
        _, seen["stderr"] = run.communicate(timeout=PATIENCE_S)
        seen["code"] = run.returncode
        seen["stopped"] = state_of(folder)
        with server.stream("/api/runs/1/live") as events:
            seen["after"] = next(event for event in events if event["state"] != "running")
        plan = seen["plan"] = server.ask("/api/runs/1/resume").json
        seen["unseen"] = [
            server.change("/api/runs/1/resume", wrong).json["error"]
            for wrong in ({}, [], {"command": 1}, {"command": plan["command"] + " --plot"})
        ]
        seen["resume"] = server.change("/api/runs/1/resume", plan).json
        seen["again"] = server.change("/api/runs/1/resume", plan).json
        wait_until(lambda: state_of(folder)[0] == "running")
        wait_until(lambda: state_of(folder) == ("finished", TOTAL))
        with server.stream("/api/runs/1/live") as events:
            seen["end"] = next(event for event in events if event["state"] == "finished")
        wait_until(lambda: not psutil.Process(server.process.pid).children())
        seen["report"] = server.ask("/runs/1/report").text
    seen["said"] = server.said
    return seen


def _wait_for_rows(folder: Path) -> None:
    wait_until(lambda: (folder / OUT / "runs.sqlite").exists())
    wait_until(lambda: _has_rows(folder))


def _has_rows(folder: Path) -> bool:
    try:
        return state_of(folder)[1] > 0
    except Exception:  # It is just being made.
        return False


def _watched(server: Server, *, seconds: float):
    """Events, and when each number of combinations came with one."""
    events, arrived = [], {}
    until = time.monotonic() + seconds
    with server.stream("/api/runs/1/live") as stream:
        for event in stream:
            events.append(event)
            arrived.setdefault(int(event["done"].split(" of ")[0]), time.monotonic())
            if time.monotonic() > until:
                return events, arrived
    raise AssertionError("the stream ended")


def test_what_a_page_is_told(story):
    events = story["events"]
    first, last = events[0], events[-1]
    assert first["state"] == "running"
    assert 0 < first["share"] < last["share"] < 1
    assert last["stage"] == "Backtests"
    assert last["speed"].endswith(" /s")
    assert last["left"] not in ("–", "")
    assert float(last["best"].replace(",", "")) == pytest.approx(float(last["best"]))
    assert [name for name, _ in last["at"]] == ["fast", "slow"]
    assert [one[1] for one in last["notes"] if "a backtest takes about" in one[1]]


def test_the_heatmap_fills(story):
    heats = [event["heat"] for event in story["events"] if "heat" in event]
    assert len(heats) > 1
    assert 0 < heats[0]["known"] < heats[-1]["known"] <= TOTAL
    cells = [cell for row in heats[-1]["cells"] for cell in row]
    assert len(cells) == TOTAL
    assert None in cells
    known = sum(cell is not None for cell in cells)
    assert known == heats[-1]["known"]


def test_memory_and_workers_are_seen_from_outside(story):
    last = story["events"][-1]
    assert last["memory"].endswith(" MB")
    assert last["busy"] == "1"
    (worker,) = last["workers"]
    assert worker["busy"].endswith(" %")
    assert int(worker["done"]) > 0


def test_an_update_is_there_within_a_second_of_its_commit(story):
    both = story["moments"].keys() & story["arrived"].keys()
    lags = [story["arrived"][done] - story["moments"][done] for done in sorted(both)[1:]]
    assert len(lags) >= 2
    assert statistics.median(lags) < 1.0, lags


def test_all_runs_at_a_glance(story):
    now = story["overview"]
    assert now["states"] == "1r"
    (run,) = now["live"]
    assert (run["id"], run["says"][-1]) == (1, "%")


def test_stop_ends_it_as_ctrl_c_does(story):
    assert story["stop"] == {"said": "run 1 was asked to stop"}
    assert story["code"] == 130
    state, done = story["stopped"]
    assert state == "interrupted"
    assert 0 < done < TOTAL
    assert "Traceback" not in story["stderr"]
    assert (story["after"]["state"], story["after"]["says"]) == ("interrupted", "Unfinished")
    assert story["after"]["best"] != "–", "what was done is still there"


def test_resume_gives_the_same_command_again(story):
    folder = story["folder"]
    plan = story["plan"]
    assert plan["folder"] == str(folder)
    begins = f"bigbar --resume 1 --output {folder / OUT} bars.csv --strategy"
    assert plan["command"].startswith(begins)
    assert plan["command"].count("--output") == 1
    assert "saved.toml" not in plan["command"], "it was written when the run began"
    assert (folder / "saved.toml").is_file()
    assert all("another than the one that was shown" in one for one in story["unseen"])
    assert "is being resumed" in story["resume"]["said"]
    assert "already" in story["again"]["error"]
    assert story["end"]["state"] == "finished"
    assert story["end"]["done"] == f"{TOTAL} of {TOTAL}"
    log = (folder / OUT / "run-1.log").read_text()
    assert "resuming run 1" in log
    assert f"Best of {TOTAL} combinations" in log
    assert 'href="/runs/1/report.html"' in story["report"]
    assert "Traceback" not in str(story["said"])


def test_nothing_is_left_of_what_was_noted(story):
    assert not journal_path(story["folder"] / OUT, 1).exists()


# ------------------------------------------------------------------------------ beside a run


def test_a_run_prints_the_address_at_once_and_is_shown_until_its_last_page_has_gone(tmp_path):
    with slow_run(tmp_path, "--no-progress", "--dashboard") as run:
        assert run.stderr is not None
        label, address = run.stderr.readline().split()
        assert label == "Dashboard"
        (beside,) = psutil.Process(run.pid).children()
        try:
            said = " ".join((run.stderr.readline() + run.stderr.readline()).split())
            assert "bigbar dashboard --output out shows the runs again" in said
            server = Server(address)
            assert server.ask("/", let_in=False).status == 403
            _wait_for_rows(tmp_path)
            assert 'id="stop"' not in server.ask("/runs/1").text, "it only shows"
            with server.stream("/api/runs/1/live") as events:
                assert next(events)["state"] == "running"
                run.send_signal(signal.SIGINT)
                run.communicate(timeout=PATIENCE_S)
                assert run.returncode == 130
                assert next(event for event in events if event["state"] == "interrupted")
                assert beside.is_running()
        finally:
            beside.terminate()
            beside.wait(PATIENCE_S)


@pytest.mark.parametrize("kept", [True, False], ids=["a_run", "a_run_that_was_refused"])
def test_it_ends_when_nobody_needs_it(kept, tmp_path):
    linger_s = 0.5 if kept else 1e6
    code = (
        "from pathlib import Path; from bigbar.dashboard.beside import start_beside; "
        f"print(start_beside(Path({str(tmp_path)!r}), linger_s={linger_s}), flush=True); input()"
    )
    with Command(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(),
    ) as parent:  # fmt: skip
        assert parent.stdout is not None
        assert parent.stdin is not None
        server = Server(parent.stdout.readline().strip())
        assert server.ask("/").status == 200
        (beside,) = psutil.Process(parent.pid).children()
        assert not any(server.token in word for word in beside.cmdline()), "all users can read it"
        if kept:
            (tmp_path / "runs.sqlite").touch()
        time.sleep(2)
        assert beside.is_running()
        parent.stdin.close()
    beside.wait(PATIENCE_S)


def test_no_dashboard_without_a_store(tmp_path):
    with slow_run(tmp_path, "--dashboard", "--no-store") as run:
        _, said = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 2
    assert said == "error: --dashboard shows what is stored; leave --no-store out\n"


# ----------------------------------------------------------------------------- what is followed


def test_a_run_that_was_killed_is_unfinished(tmp_path):
    with slow_run(tmp_path, "--no-progress") as run:
        _wait_for_rows(tmp_path)
        follower, overview = (kind(Runs(tmp_path / OUT), *more) for kind, more in
                              ((RunFollower, (1,)), (Overview, ())))  # fmt: skip
        try:
            moment = follower.look()
            assert moment is not None
            assert moment.run.state == "running"
            assert overview.look().states == ((1, "running"),)
            for worker in psutil.Process(run.pid).children():
                worker.kill()
            run.kill()
            run.communicate()
            found = wait_until(lambda: _ended(follower.look()))
            assert found.run.state == "interrupted"
            assert found.best is not None
            assert wait_until(overview.look).states == ((1, "interrupted"),)
        finally:
            follower.close()
            overview.close()
            remove_leftovers()  # As the next run does.
    with RunStore(tmp_path / OUT) as store:
        assert journal_path(tmp_path / OUT, 1).exists()
        store.delete(1)
        assert not journal_path(tmp_path / OUT, 1).exists()


def _ended(moment: Moment | None) -> Moment | None:
    return None if moment is None or moment.run.state == "running" else moment


def test_a_file_that_takes_the_place_of_another_is_read_anew(tmp_path):
    begun(tmp_path)
    follower, overview = RunFollower(Runs(tmp_path), 1), Overview(Runs(tmp_path))
    try:
        assert follower.look() is not None
        assert overview.look().states == ((1, "running"),)
        for path in tmp_path.glob("runs.sqlite*"):
            path.rename(tmp_path / f"old-{path.name}")
        begun(tmp_path)
        begun(tmp_path)
        change(tmp_path, "UPDATE runs SET state = 'finished', ended = started", sealed=True)
        found = follower.look()
        assert found is not None
        assert found.run.state == "finished"
        assert overview.look().states == ((1, "finished"), (2, "finished"))
    finally:
        follower.close()
        overview.close()


def test_the_places_of_some_points():
    whole = Space.of(a=[1, 2, 3], b=[4, 5])
    some = whole.only(whole.columns()["a"] != 2)
    for space in (whole, some):
        every = space.all_places()
        for start, stop in ((0, len(space)), (1, 3), (2, 2)):
            part = space.places_from(start, stop)
            assert [list(one) for one in part] == [list(one[start:stop]) for one in every]
