"""The receipt: complete, checked when it is read, and never misread."""

import json
from pathlib import Path

import pytest
from small_run import small_outcome

from bigbar.report.files import receipt_of, summary, write_receipt
from bigbar.store.fingerprint import canonical
from bigbar.store.receipt import (
    FORMAT,
    RECEIPT,
    identity_in,
    read_receipt,
    receipt_of_several,
)
from bigbar.store.schema import StoreError
from bigbar.version import __version__


@pytest.fixture
def path(tmp_path) -> Path:
    return write_receipt(
        tmp_path, receipt_of(small_outcome(), ["eurusd.csv", "--k-atr", "0.8,1.1,9"])
    )


def changed(path: Path, **parts) -> None:
    found = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(found | parts), encoding="utf-8")


def test_what_it_holds(path):
    outcome = small_outcome()
    found = read_receipt(path)
    assert path.name == RECEIPT == "receipt.json"
    assert found["receipt"] == FORMAT
    assert found["optimizer"] == __version__
    assert found["fingerprint"] == outcome.identity.fingerprint
    assert found["result_sha256"] == outcome.table.sha256() == summary(outcome)["result_sha256"]
    assert found["data"]["file_sha256"] == outcome.bars.sha256
    assert found["data"]["bars_sha256"] == outcome.identity.bars_sha256
    assert found["code_sha256"] == outcome.identity.code_sha256
    assert found["engine"] == "backtesting"
    assert {"backtesting", "numpy", "pandas"} <= set(found["packages"])
    assert found["grid"]["order"] == list(outcome.job.space.names)
    assert found["grid"]["values"]["k_atr"] == [0.8, 1.1, 9.0]
    assert found["strategy"] == {"name": "big_bar", "code": {}}
    assert found["settings"] == {"week_edge_bars": 6}
    assert found["account"] == {
        "cash": 100_000.0, "commission": [0.0, 0.0], "spread": 0.0, "margin": 1.0,
        "trade_on_close": True, "hedging": False, "exclusive_orders": False,
        "finalize_trades": False,
    }  # fmt: skip
    assert found["command"] == ["eurusd.csv", "--k-atr", "0.8,1.1,9"]
    assert (found["seed"], found["run"], found["state"]) == (0, None, "finished")
    assert (found["completed"], found["failed"]) == (12, 0)


def test_the_identity_can_be_had_back(path):
    expected = small_outcome().identity
    assert canonical(identity_in(read_receipt(path)).parts) == canonical(expected.parts)


def test_the_receipt_of_a_run_that_did_not_finish(tmp_path):
    outcome = small_outcome()
    outcome.table.values[7:] = float("nan")
    outcome.stopped_by = 2
    found = read_receipt(write_receipt(tmp_path, receipt_of(outcome, [])))
    assert (found["state"], found["completed"]) == ("interrupted", 7)
    assert found["result_sha256"] is None


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", '{"receipt": "1"}', "[" * 100_000])
def test_what_is_none(path, text):
    path.write_text(text)
    with pytest.raises(StoreError, match="is no receipt") as caught:
        read_receipt(path)
    assert str(path) in str(caught.value)


def test_another_form(path):
    changed(path, receipt=FORMAT + 1, optimizer="9.0")
    with pytest.raises(StoreError, match=rf"form {FORMAT + 1}, .* reads form {FORMAT}; .*9\.0"):
        read_receipt(path)


@pytest.mark.parametrize(
    "parts", [{"engine": "compiled"}, {"grid": {}}, {"fingerprint": "0" * 64}, {"account": {}},
              {"account": None}, {"settings": {}}, {"strategy": {}}, {"data": []}],
)  # fmt: skip
def test_a_receipt_that_was_changed(path, parts):
    changed(path, **parts)
    with pytest.raises(StoreError, match="damaged"):
        read_receipt(path)


def test_one_that_is_not_there(tmp_path):
    with pytest.raises(StoreError, match="No such file"):
        read_receipt(tmp_path / RECEIPT)


def test_bytes_that_are_no_text(path):
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StoreError, match="is no receipt"):
        read_receipt(path)


RUNS = [{"name": name, "run": 1, "fingerprint": name * 64, "result_sha256": None} for name in "ab"]


def test_the_receipt_of_several_runs(tmp_path):
    found = receipt_of_several(RUNS, state="finished", command=["a.csv", "b.csv"], config=None)
    path = write_receipt(tmp_path, found)
    assert read_receipt(path) == found
    assert found["runs"] == RUNS
    for parts in (
        {"runs": RUNS[:1]}, {"runs": RUNS[::-1]}, {"runs": None}, {"runs": ["a"]}, {"runs": [{}]},
        {"fingerprint": "0" * 64},
    ):  # fmt: skip
        write_receipt(tmp_path, found)
        changed(path, **parts)
        with pytest.raises(StoreError, match="damaged"):
            read_receipt(path)
