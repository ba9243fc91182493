"""Combinations computed on demand: whose code may run, in which process, and what is told of it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from backtesting import Backtest
from dashboard_explore_tools import CROSS, own_runs, table_in
from dashboard_tools import Server, dashboard, wait_until
from hypothesis import given, settings
from hypothesis import strategies as st
from store_tools import forge

from bigbar.dashboard.access import Access
from bigbar.dashboard.explore.consent import may_agree, needs_of
from bigbar.dashboard.explore.replaying import Replayer, ReplayError, Subject
from bigbar.data.read import read_bars
from bigbar.errors import InputError
from bigbar.statistics import COLUMN
from bigbar.user_code import load_class

WHERE = "/api/runs/{run}/explore/combinations/{number}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a strategy, prices, and a run of it in `out`; not to be changed."""
    folder = tmp_path_factory.mktemp("own")
    own_runs(folder)
    return folder


@pytest.fixture
def own(made: Path, tmp_path: Path) -> Path:
    """A copy, whose run names the files of the copy."""
    folder = Path(shutil.copytree(made, tmp_path / "copy"))
    with_names(folder, strategy=f"{folder / 'Cross.py'}:Cross", folder=folder)
    return folder


def with_names(place: Path, **names: Any) -> None:
    run = table_in(place / "out", 1).run
    told = run.settings | {"strategy": str(names.get("strategy", run.settings["strategy"]))}
    machine = run.machine | {"folder": str(names.get("folder", run.machine["folder"]))}
    forge(
        place / "out", "UPDATE runs SET settings = ?, machine = ? WHERE id = 1",
        json.dumps(told), json.dumps(machine),
    )  # fmt: skip


@pytest.fixture(scope="module")
def server(made: Path):
    with dashboard(made / "out") as found:
        yield found
    assert found.said == [], "it complained"


def key_of(server: Server, run: int = 1) -> str:
    needs = server.ask(WHERE.format(run=run, number=0)).json["needs"]
    return str(needs["key"])


def replayed(server: Server, number: int, key: str | None, run: int = 1):
    headers = {} if key is None else {"X-BigBar-Agreed": key}
    return server.ask(f"{WHERE.format(run=run, number=number)}/replay", headers=headers)


class Asker:
    """Asks for combinations of a run without a server."""

    def __init__(self, folder: Path, limit_s: float = 60.0) -> None:
        self.replayer = Replayer(limit_s)
        self._folder = folder

    def __enter__(self) -> Asker:
        return self

    def __exit__(self, *exception: object) -> None:
        self.replayer.close()

    def ask(self, number: int) -> dict[str, Any]:
        stored = table_in(self._folder / "out", 1)
        needs = needs_of(stored.run)
        subject = Subject(str(self._folder / "out"), 1, stored.run.fingerprint, needs.key)
        row = stored.table.values[number].tolist()
        return asyncio.run(self.replayer.answer(subject, number, row))

    def refused(self, number: int = 0) -> str:
        with pytest.raises(ReplayError) as refused:
            self.ask(number)
        return str(refused.value)


# ------------------------------------------------------------------------------------- who agrees


@pytest.mark.slow
def test_nothing_of_a_trader_runs_before_somebody_agreed_to_its_name(server: Server, made: Path):
    told = server.ask(WHERE.format(run=1, number=2)).json["needs"]
    assert told["strategy"] == f"{made / 'Cross.py'}:Cross"
    assert told["data"] == str(made / "bars.csv")
    assert (told["unasked"], told["may_agree"]) == (False, True)
    for key in (None, "", "1", "\xff", "0" * 64):
        answer = replayed(server, 2, key)
        assert answer.status == 400
        assert answer.json["error"].endswith("Cross.py:Cross; agree to it first")
    assert server.process is not None
    assert psutil.Process(server.process.pid).children() == []


@pytest.mark.slow
def test_what_comes_along_runs_unasked_but_not_on_another_machines_files(kept_runs: Path):
    run = table_in(kept_runs, 1).run
    assert needs_of(run).unasked
    for path in ("\\\\host\\share\\bars.csv", "//host/bars.csv"):
        assert not needs_of(replace(run, data={"path": path})).unasked
    for settings_ in ({"strategy": "./big_bar.py:X"}, {"strategy": "os:system"}):
        assert not needs_of(replace(run, settings=settings_)).unasked


@pytest.mark.parametrize("name", ["path", "by_value"])
def test_a_store_that_has_other_code_run_than_it_names_is_refused(kept_runs: Path, name: str):
    run = table_in(kept_runs, 1).run
    parts = run.identity.parts | {"settings": {"week_edge_bars": 6, name: "/tmp/evil.py:Evil"}}
    with pytest.raises(InputError, match="names another code than its strategy's"):
        needs_of(replace(run, identity=replace(run.identity, parts=parts)))


def test_the_key_is_of_just_these_names(made: Path):
    run = table_in(made / "out", 1).run
    needs = needs_of(run)
    assert needs.agreed(needs.key)
    for other in (
        replace(run, settings=run.settings | {"strategy": "other.py:Cross"}),
        replace(run, data=run.data | {"path": "other.csv"}),
        replace(run, machine=run.machine | {"folder": "/elsewhere"}),
    ):
        assert not needs_of(other).agreed(needs.key)


def test_where_other_machines_may_look_a_visitor_may_not_agree():
    assert may_agree(Access(1))
    assert not may_agree(Access(1, any_address=True))
    assert not may_agree(Access(1, names=frozenset({"127.0.0.1", "10.0.0.1"})))
    assert may_agree(Access(1, any_address=True, allow_changes=True))


def test_a_dashboard_for_other_machines_runs_nothing_of_a_traders(made: Path):
    with dashboard(made / "out", "--host", "0.0.0.0") as server:
        told = server.ask(WHERE.format(run=1, number=2)).json["needs"]
        assert not told["may_agree"]
        answer = replayed(server, 2, told["key"])
        assert answer.status == 400
        assert "other machines may look at this dashboard" in answer.json["error"]


# ---------------------------------------------------------------------------------- what it tells


@pytest.mark.slow
def test_equity_trades_and_statistics_are_those_of_backtesting(made: Path):
    """Whose folder this is not: names without one are meant from where the command was given."""
    stored = table_in(made / "out", 1)
    bars = read_bars(str(made / "bars.csv")).frame
    test = Backtest(bars, load_class(f"{made / 'Cross.py'}:Cross"))
    with dashboard(made / "out") as server:
        key = key_of(server)
        answers = {number: replayed(server, number, key) for number in (0, 7)}
    assert server.said == []
    for number, answer in answers.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of trades that are open at the end.
            stats = test.run(**stored.table.space[number])
        assert answer.status == 200, answer.text
        found = answer.json
        assert found["equity"] == pytest.approx(stats["_equity_curve"]["Equity"].tolist())
        times = stats["_equity_curve"].index.as_unit("ms").asi8.tolist()
        assert (found["times"], found["points"]) == (times, 400)
        assert min(found["drawdown"]) == pytest.approx(stats["Max. Drawdown [%]"])
        assert found["trade_count"] == stats["# Trades"] == len(found["trades"])
        gains = [row[found["trade_columns"].index("PnL")] for row in found["trades"]]
        assert gains == pytest.approx(stats["_trades"]["PnL"].tolist())
        assert (found["differing"], found["differing_count"], found["edited"]) == ([], 0, None)
        held = 10_000 * (1 + stats["Buy & Hold Return [%]"] / 100)
        assert found["held"][-1] == pytest.approx(held)
        known = [value for value in found["held"] if value is not None]
        assert known[0] == pytest.approx(10_000)


@pytest.mark.slow
def test_the_process_is_kept_for_the_next_one_and_ends_with_the_dashboard(made: Path):
    with dashboard(made / "out") as server:
        key = key_of(server)
        assert server.process is not None
        here = psutil.Process(server.process.pid)
        replayed(server, 0, key)
        (child,) = here.children()
        replayed(server, 1, key)
        assert here.children() == [child]
        os.kill(child.pid, signal.SIGKILL)  # The next question starts another.
        wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
        assert replayed(server, 2, key).status == 200
        (other,) = here.children()
        assert other.pid != child.pid
        here.kill()  # Nobody can say good-bye.
        wait_until(lambda: not other.is_running() or other.status() == psutil.STATUS_ZOMBIE)


@pytest.mark.slow
def test_a_run_of_big_bar_needs_nobody_to_agree(kept_runs: Path):
    stored = table_in(kept_runs, 1)
    with dashboard(kept_runs) as server:
        answer = replayed(server, stored.run.best, None)
        assert answer.status == 200, answer.text
        assert answer.json["differing_count"] == 0
        trades = stored.table.column("# Trades")[stored.run.best]
        assert answer.json["trade_count"] == trades
        answer = server.ask(f"{WHERE.format(run=1, number=10**6)}/replay")
        assert (answer.status, "combination 1,000,000" in answer.text) == (400, True)
    assert server.said == []


@pytest.mark.slow
def test_what_changed_since_is_told(own: Path):
    prices = own / "bars.csv"
    whole = prices.read_text()
    with Asker(own) as asker:
        assert asker.ask(3)["edited"] is None
        # The strategy, while its process waits.
        (own / "Cross.py").write_text(CROSS.replace("self.fast)", "self.fast + 1)"))
        found = asker.ask(3)
        assert found["edited"].startswith("the strategy's own code (")
        assert found["differing_count"] > 0
        assert {"what", "stored", "now"} == set(found["differing"][0])
        (own / "Cross.py").unlink()
        assert "cannot be had any more" in asker.refused()
        (own / "Cross.py").write_text(CROSS)
        # The price file.
        lines = whole.splitlines(keepends=True)
        prices.write_text("".join(lines[:300]))
        assert "has changed since the run" in asker.refused()
        prices.write_text("root:secret:0\n")
        said = asker.refused()
        assert "can no longer be read as prices; 'bigbar verify 1' says why" in said
        assert "secret" not in said
        prices.unlink()
        assert "is gone; put it back" in asker.refused()
        prices.write_text(whole)
        assert asker.ask(3)["differing_count"] == 0


@pytest.mark.slow
def test_what_a_strategy_does_wrong_is_its_own_affair(own: Path):
    strategy = own / "Cross.py"
    body = "    def init(self):\n"

    def doing(what: str) -> None:
        strategy.write_text(
            "import os, sys, time\n" + CROSS.replace(body, f"{body}        {what}\n")
        )

    with Asker(own) as asker:
        doing("raise ValueError('no such level')")
        assert asker.refused() == "the strategy raised ValueError: no such level"
        doing("sys.exit(4)")
        assert asker.refused() == "the strategy raised SystemExit: 4"
        doing("os._exit(3)")
        assert asker.refused() == (
            "the strategy ended its process (exit code 3) while it was computed"
        )
        doing("os.write(1, b'[]\\n{}'); sys.stdout.flush(); input('?')")
        assert asker.refused() == "the strategy raised EOFError: EOF when reading a line"
        strategy.write_text(CROSS)
        assert asker.ask(0)["differing_count"] == 0


@pytest.mark.slow
def test_a_strategy_that_does_not_end_is_ended(own: Path):
    sleep = "        import time\n        time.sleep(600)\n"
    (own / "Cross.py").write_text(CROSS.replace('        print("begun")\n', sleep))
    with Asker(own, limit_s=6.0) as asker:
        assert asker.refused() == "it took more than 6 s and was ended; bigbar verify has no limit"
        lines = [" ".join(child.cmdline()) for child in psutil.Process().children()]
        assert not any("explore_child" in line for line in lines)


@pytest.mark.slow
def test_another_run_of_that_number_is_not_computed(own: Path):
    stored = table_in(own / "out", 1)
    subject = Subject(str(own / "out"), 1, stored.run.fingerprint, needs_of(stored.run).key)
    with Asker(own) as asker:
        for other in (replace(subject, fingerprint="x"), replace(subject, key="x")):
            with pytest.raises(ReplayError, match="run 1 is another one by now"):
                asyncio.run(asker.replayer.answer(other, 0, [0.0] * len(COLUMN)))


# ---------------------------------------------------------------------------------------- fuzzing

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["s:Beta", "p:fast", "p:side", "s:Duration", "mean", "best"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=6,
)  # fmt: skip
NAMES = st.sampled_from(
    ["filters", "x", "y", "statistic", "show", "columns", "lines", "sort", "descending", "offset",
     "count", "axes"]
)  # fmt: skip
FILTERS = st.dictionaries(
    st.sampled_from(["s:Beta", "p:fast", "p:side", "s:# Trades", "s:Duration"]),
    st.dictionaries(st.sampled_from(["least", "most", "places"]), VALUES, max_size=2) | VALUES,
    max_size=2,
)
ASKED = st.dictionaries(NAMES, VALUES, max_size=4) | st.fixed_dictionaries({"filters": FILTERS})


@given(
    st.sampled_from(["rows", "scatter", "parallel", "heatmap", "plateau", "overview"]),
    ASKED.map(json.dumps) | st.text(max_size=20),
)
@settings(max_examples=150)
def test_no_question_breaks_it(server: Server, name: str, text: str):
    from urllib.parse import quote

    sent = quote(text.encode("utf-8", "surrogatepass"))
    answer = server.ask(f"/api/runs/1/explore/{name}?ask={sent}")
    assert answer.status in (200, 400)
    assert isinstance(answer.json, dict)
    if answer.status == 400:
        assert answer.json["error"] or answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/runs/9/explore", 404), ("/runs/x/explore", 404), ("/runs/1/explore/more", 404),
        ("/api/runs/9/explore/rows", 404), ("/api/runs/1/explore/secrets", 404),
        ("/api/runs/1/explore/combinations/15", 400), ("/api/runs/1/explore/combinations/-1", 404),
        (f"/api/runs/1/explore/combinations/{'9' * 18}/replay", 400),
        (f"/api/runs/{'9' * 18}/explore/rows", 404), ("/api/runs/1/explore/rows?ask=%ff", 400),
    ],
)  # fmt: skip
def test_addresses_that_are_none(server: Server, path: str, status: int):
    assert server.ask(path).status == status


@pytest.mark.parametrize("path", ["/runs/1/explore", "/api/runs/1/explore/rows"])
def test_nothing_without_the_token(server: Server, path: str):
    assert server.ask(path, let_in=False).status == 403


def test_the_page_trusts_its_own_scripts_only(server: Server):
    answer = server.ask("/runs/1/explore")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    nonce = policy.partition("script-src 'nonce-")[2].partition("'")[0]
    for element in re.findall(r"<(?:script|link rel=.stylesheet)[^>]*>", answer.text):
        assert f'nonce="{nonce}"' in element
    assert not re.search(r"\s(style|on[a-z]+)=", answer.text)
