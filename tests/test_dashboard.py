"""`bigbar dashboard`: who is answered, what is shown of earlier runs, and what may be changed."""

from __future__ import annotations

import re
import shutil
import signal
import sys
from pathlib import Path

import pytest
from dashboard_tools import ROOT, Server, dashboard, environment
from history_tools import make_judged_run, make_runs
from store_tools import change, forge

from bigbar.dashboard.access import Access, access_for
from bigbar.dashboard.command import make_parser
from bigbar.history.verdicts import light_of
from bigbar.store.runs import RunStore
from tests import commands

EVIL = "<script>alert(1)</script>\x1b[2J\"'&\udcff"
PAGES = ("/", "/runs/1", "/runs/2", "/runs/1/report", "/compare?a=1&b=2")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs."""
    return make_runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def folder(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of them that is served."""
    return Path(shutil.copytree(runs, tmp_path_factory.mktemp("served") / "out"))


@pytest.fixture(scope="module")
def server(folder: Path):
    with dashboard(folder) as found:
        yield found
    assert found.said == [], "it complained"


@pytest.fixture
def changing(runs: Path, tmp_path: Path):
    """A server that may change a copy."""
    shutil.copytree(runs, tmp_path / "out")
    with dashboard(tmp_path / "out", "--allow-changes") as found:
        yield found
    assert found.said == [], "it complained"


# -------------------------------------------------------------------------------- who is answered


@pytest.mark.slow
def test_the_address_leads_in_and_leaves_no_token_behind(server: Server):
    answer = server.ask(f"/runs/1?token={server.token}&x=1", let_in=False)
    assert (answer.status, answer.headers["location"]) == (302, "/runs/1?x=1")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/" in cookie
    assert len(server.token) >= 32


@pytest.mark.parametrize("path", [*PAGES, "/api/live", "/api/runs/1/live", "/assets/live.js", "/x"])
def test_nothing_without_the_token(server: Server, path: str):
    for headers in ({}, {"Cookie": f"bigbar-{server.port}=wrong"}, {"Cookie": "\xff=\xff"}):
        answer = server.ask(path, headers=headers, let_in=False)
        assert answer.status == 403
        assert server.token not in answer.text
    assert server.ask(f"{path}?token=%ff%00", let_in=False).status in (400, 403)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1",
     "127.0.0.1:{port}@evil.example", "localhost.evil.example:{port}", "[::1", "127.0.0.1:{port}/x",
     "10.0.0.1:{port}", ""],
)  # fmt: skip
def test_another_host_is_refused(server: Server, host: str):
    answer = server.ask("/", headers={"Host": host.format(port=server.port)})
    assert answer.status in (400, 421)
    assert "set-cookie" not in answer.headers


def test_its_own_names_are_answered(server: Server):
    for name in ("127.0.0.1", "localhost", "LOCALHOST"):
        assert server.ask("/", headers={"Host": f"{name}:{server.port}"}).status == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", "x"])
def test_another_origin_is_refused(server: Server, origin: str):
    given = origin.format(port=server.port)
    assert server.ask("/", headers={"Origin": given}).status == 403
    assert server.change("/api/runs/1/delete", Origin=given).status == 403


def test_the_policy_of_every_answer(server: Server):
    nonces = set()
    for path in (*PAGES, "/x", "/assets/live.js", "/api/runs/1/resume"):
        answer = server.ask(path)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        assert "http" not in policy
        nonces |= set(re.findall(r"'nonce-([^']+)'", policy))
        assert "server" not in answer.headers
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        if "text/html" in answer.headers["content-type"]:
            assert not re.search(r"\son\w+=|\sstyle=|<style|javascript:", answer.text)
            assert not re.search(r"""(src|href)=["']?(https?:)?//""", answer.text)
            assert answer.headers["cache-control"] == "no-store"
    assert len(nonces) == len(PAGES) + 3, "a nonce was used twice"


def test_only_its_own_pages_ask_for_changes(changing: Server):
    path = "/api/runs/1/delete"
    for headers in (
        {},
        {"Origin": changing.origin},
        {"X-BigBar": "1"},
        {"X-BigBar": "1", "Origin": "http://evil.example"},
        {"X-BigBar": "1", "Origin": f"http://localhost:{changing.port}"},
    ):
        assert changing.ask(path, method="POST", headers=headers).status == 403
    answer = changing.ask(
        path, method="POST", headers={"X-BigBar": "1", "Origin": changing.origin}, let_in=False
    )
    assert answer.status == 403
    assert changing.ask("/runs/1").status == 200, "it was deleted"


def test_it_only_shows_unless_changes_are_allowed(server: Server):
    for path in ("stop", "resume", "delete"):
        answer = server.change(f"/api/runs/1/{path}")
        assert answer.status == 409
        assert "--allow-changes" in answer.json["error"]
    assert server.change("/api/delete", {"ids": [1]}).status == 409
    assert 'id="delete"' not in server.ask("/runs/1").text


def test_other_machines_only_where_they_are_let_in():
    here, there = access_for("127.0.0.1", 80), access_for("0.0.0.0", 80)
    assert here.is_host("127.0.0.1:80")
    assert not here.is_host("192.168.1.5:80")
    assert there.is_host("192.168.1.5:80")
    assert not there.is_host("evil.example:80"), "a name of somebody else's"
    one = access_for("box.example", 80)
    assert one.is_host("box.example:80")
    assert not one.is_host("192.168.1.5:80")
    assert Access(80).token != Access(80).token


# ----------------------------------------------------------------------------------- the command


def test_its_address_comes_at_once_and_ctrl_c_ends_it(tmp_path: Path):
    with dashboard(tmp_path / "none") as server:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{32}", server.address)
        assert "No run yet" in server.ask("/").text
        assert not (tmp_path / "none").exists(), "it only reads"
    assert server.process is not None
    assert server.process.returncode == 0
    assert server.said == [
        f"there are no runs in {tmp_path / 'none'} yet; they appear as they begin"
    ]


def test_it_warns_where_other_machines_may_look(tmp_path: Path):
    with dashboard(tmp_path, "--host", "0.0.0.0") as server:
        assert server.ask("/", let_in=False).status == 403
    assert server.said[0].startswith("warning: other machines can reach this")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--port", "99999"], "--port: 99999 is above 65535"),
        (["--port", "x"], "'x' is not a whole number"),
        (["--host", "no.such.host.invalid"], "name one of this machine with --host"),
        (["--output", __file__], "is no folder"),
        (["--allow-change", "yes"], "one too many"),
        (["--prot", "1"], "did you mean --port?"),
    ],
)
def test_what_cannot_be_is_refused(options: list[str], said: str):
    command = [sys.executable, "-m", "bigbar", "dashboard", *options]
    found = commands.run(command, cwd=ROOT, env=environment())
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith("error: ")
    assert said in found.stderr
    assert found.stderr.count("\n") == 1


def test_the_page_on_it_names_every_option():
    page = (ROOT / "docs" / "dashboard.md").read_text()
    own = {action.option_strings[-1] for action in make_parser()._actions if action.dest != "help"}
    assert set(re.findall(r"(?<![\w-])--[a-z-]+", page)) == own | {"--dashboard"}


def test_a_port_that_is_taken_is_said(server: Server):
    command = [sys.executable, "-m", "bigbar", "dashboard", "--port", str(server.port)]
    found = commands.run(command, cwd=ROOT, env=environment())
    assert found.returncode == 2
    assert f"port {server.port} of 127.0.0.1" in found.stderr


# -------------------------------------------------------------------------------------- the pages


def test_all_runs_are_listed_by_strategy_and_data(server: Server):
    text = server.ask("/").text
    assert text.count("<section>") == 1
    assert re.search(r"<h2>.*big_bar.*bars\.csv", text)
    assert [int(n) for n in re.findall(r'href="/runs/(\d+)"', text)] == [2, 1]


@pytest.mark.slow
def test_the_list_has_the_light_of_each_verdict(runs: Path, tmp_path: Path):
    folder = Path(shutil.copytree(runs, tmp_path / "out"))
    headline = make_judged_run(folder)
    with RunStore(folder, read_only=True) as store:
        light = light_of(store, store.run(3))
    assert (light.headline, light.mark != "") == (headline, True)
    with dashboard(folder) as server:
        text = server.ask("/").text
        pages = [server.ask(f"/runs/3{tab}").text for tab in ("", "/report")]
    for page in pages:
        assert f'<p class="lead worth {light.light}">{light.mark} {headline}</p>' in page
    found = re.findall(r'<span class="worth (\w+)" title="([^"]*)">([^<]*)</span>', text)
    assert found == [(light.light, headline, f"{light.mark} {light.meaning}")]
    assert server.said == []


def test_a_run_says_what_it_was_asked_for(server: Server):
    text = server.ask("/runs/2").text
    for said in ("Run 2", "Finished", "Return [%]", "k_atr", "backtesting"):
        assert said in text


def test_its_answer_is_there(server: Server):
    text = server.ask("/runs/1/report").text
    assert "Sharpe Ratio" in text
    assert "Fingerprint" in text
    assert server.ask("/runs/1/report.html").status == 404, "a run from Python leaves no page"


def test_two_runs_side_by_side(server: Server):
    text = server.ask("/compare?a=1&b=2").text
    for said in ("commission", "k_atr", "Rank correlation", "not in it"):
        assert said in text
    assert server.ask("/compare").status == 409
    assert server.ask("/compare?a=1&b=99").status == 404


def test_what_is_not_there_is_a_404(server: Server):
    for path in ("/runs/99", "/runs/0", "/runs/999999999999999999", "/api/runs/99/resume"):
        assert server.ask(path).status == 404
    for path in ("/runs/x", "/runs/1/", "/assets/none.js", "/assets/../app.py", "//", "/runs/1e3"):
        assert server.ask(path).status == 404
    assert server.ask("/runs/1", method="DELETE").status == 405


def test_a_finished_run_is_told_whole(server: Server):
    with server.stream("/api/runs/1/live") as events:
        now = next(events)
    assert (now["state"], now["percent"], now["problems"]) == ("finished", "100%", [])
    heat = now["heat"]
    assert heat["known"] == 6
    assert [len(heat["cells"]), len(heat["cells"][0])] == [
        len(heat["down"]["labels"]), len(heat["across"]["labels"]),
    ]  # fmt: skip
    numbers = [cell for row in heat["cells"] for cell in row if isinstance(cell, float)]
    assert max(numbers) == pytest.approx(float(now["best"]), rel=1e-3)
    assert False in heat["cells"][0] + heat["cells"][1] + heat["cells"][-1], "k_atr 9 never trades"


def test_a_heatmap_of_any_pair(server: Server):
    with server.stream("/api/runs/1/live?down=previous_weight&across=atr_period") as events:
        heat = next(events)["heat"]
    assert (heat["down"]["name"], heat["across"]["name"]) == ("previous_weight", "atr_period")
    for pair in ("down=x&across=y", "down=k_atr&across=k_atr", "across=buffer_ratio", "down=%00"):
        with server.stream(f"/api/runs/1/live?{pair}") as events:
            assert next(events)["heat"]["axes"] == heat["axes"]


@pytest.mark.slow
def test_the_report_page_stands_behind_a_wall(tmp_path: Path):
    command = [
        *(sys.executable, "-m", "bigbar", "example.csv", "--output", str(tmp_path)),
        *("--atr-period", "10,20", "--k-atr", "1:2:0.5", "--uptail-max-ratio", "0.7"),
        *("--previous-weight", "0.1", "--buffer-ratio", "0.01", "--no-validate", "--verify", "1"),
        *("--workers", "1"),
    ]
    commands.run(command, cwd=ROOT, check=True, env=environment())
    with dashboard(tmp_path) as server:
        assert 'href="/runs/1/report.html"' in server.ask("/runs/1/report").text
        answer = server.ask("/runs/1/report.html")
        assert answer.body == (tmp_path / "report.html").read_bytes()
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("sandbox allow-scripts; default-src 'none'")
        assert "allow-same-origin" not in policy
        (tmp_path / "report.html").write_text("<script>somebody else's</script>")
        assert server.ask("/runs/1/report.html").status == 404
        assert "bigbar report 1 --output" in server.ask("/runs/1/report").text
        drawn = tmp_path / "report-1.html"
        drawn.write_text("<script>somebody else's</script>")
        assert server.ask("/runs/1/report.html").status == 404
        again = [
            sys.executable,
            "-m",
            "bigbar",
            "report",
            "1",
            "--output",
            str(tmp_path),
            "--force",
        ]
        commands.run(again, cwd=ROOT, check=True, env=environment())
        answer = server.ask("/runs/1/report.html")
        assert answer.body == drawn.read_bytes()
        assert answer.headers["content-security-policy"] == policy
    assert server.said == []


# -------------------------------------------------------------------------------------- changes


def test_runs_are_deleted(changing: Server, tmp_path: Path):
    assert changing.ask("/api/runs/1/delete").status == 405
    assert (
        changing.change("/api/runs/1/delete").json["said"].startswith("deleted run 1 with 12 rows")
    )
    assert changing.ask("/runs/1").status == 404
    with RunStore(tmp_path / "out", read_only=True) as store:
        assert [run.id for run in store.runs()] == [2]
    for wrong in ({}, {"ids": []}, {"ids": ["2"]}, {"ids": [True]}, {"ids": [-1]}, [], "x"):
        assert changing.change("/api/delete", wrong).status == 409
    assert changing.change("/api/delete", {"ids": [7]}).status == 404
    change(tmp_path / "out", "UPDATE runs SET objective = 'x' WHERE id = 2")
    assert "Damaged" in changing.ask("/").text
    assert "deleted run 2" in changing.change("/api/delete", {"ids": [2, 2]}).json["said"]
    assert "No run yet" in changing.ask("/").text


def test_only_what_can_be_is_stopped_and_resumed(changing: Server):
    assert "is not running" in changing.change("/api/runs/1/stop").json["error"]
    assert "only one that is unfinished" in changing.change("/api/runs/1/resume").json["error"]
    assert changing.change("/api/runs/9/stop").status == 404
    assert changing.change("/api/runs/1/explode").status == 404


def test_what_was_run_from_python_is_not_resumed(changing: Server, tmp_path: Path):
    forge(tmp_path / "out", "UPDATE runs SET state = 'interrupted' WHERE id = 1")
    assert "was run from Python" in changing.change("/api/runs/1/resume").json["error"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_with_pages_open(folder: Path, number: int):
    with dashboard(folder) as server:
        assert server.process is not None
        with server.stream("/api/runs/1/live") as events:
            next(events)
            server.process.send_signal(number)
            assert list(events) == []
        assert server.process.wait(30) == 0


# ----------------------------------------------------------------------------- a hostile store


def test_what_a_store_holds_is_text(folder: Path, tmp_path: Path):
    out = Path(shutil.copytree(folder, tmp_path / "out"))
    forge(out, "UPDATE runs SET objective = ?, error = ?, data = ?, command = ?",
          "<img src=x onerror=alert(1)>", "<b>&", '{"path": "</script><script>alert(2)</script>"}',
          '["<script>", "\\u001b[2J"]')  # fmt: skip
    with dashboard(out) as server:
        for path in ("/", "/runs/1", "/runs/1/report"):
            answer = server.ask(path)
            assert answer.status in (200, 409, 503), answer.text
            assert "<img src=x" not in answer.text
            assert "<script>" not in answer.text
            assert "alert(2)</script>" not in answer.text
            assert "\x1b" not in answer.text
        with server.stream("/api/runs/1/live") as events:
            now = next(events)
        assert now["objective"] == "<img src=x onerror=alert(1)>", "as text, which stays text"
        assert server.ask("/api/runs/<b>/live").status == 404
        answer = server.ask("/compare?a=<b>&b=1")
        assert answer.status == 409
        assert "<b>" not in answer.text
    assert server.said == []
