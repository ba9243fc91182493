"""Where time and memory went: the verdict on the bottleneck, JSON and back, and what is printed."""

import contextlib
import json
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bigbar.errors import DataError
from bigbar.machine.metrics import Metrics, SliceTime, as_json, describe, from_json, parts, verdict

#: Two workers for ten seconds, at work nearly all the time.
COMPUTING = Metrics(
    stages={"load_s": 0.1, "compile_s": 0.5, "start_workers_s": 0.1, "sweep_s": 10.0,
            "verify_s": 1.0, "write_s": 0.5},
    workers=2, combinations=112_840, slices=91, capacity_s=20.0, busy_s=19.0, processor_s=18.8,
    hand_out_s=0.5, hand_outs=89, lead_s=0.1, tail_s=0.4,
    slowest=(SliceTime(0, 1240, 4711, 0.5, 0.3), SliceTime(2480, 3720, 4712, 9.5, 0.25)),
    memory=((-0.5, 200_000_000), (0.0, 210_000_000), (10.0, 250_000_000)), memory_kind="pss",
    peak_memory=260_000_000, memory_limit=8_000_000_000, in_flight=((0.1, 2), (5.0, 2), (9.9, 1)),
    watching_s=0.02,
)  # fmt: skip


def with_stages(**stages: float) -> Metrics:
    return replace(COMPUTING, stages={**COMPUTING.stages, **stages})


@pytest.mark.parametrize(
    ("metrics", "cause", "words"),
    [
        (COMPUTING, "Compute", "77 % of 12.2 s went to backtests, the workers at work 95 %"),
        (replace(COMPUTING, processor_s=5.0), "Waiting for processors", "other programs had"),
        (replace(COMPUTING, busy_s=6.0, processor_s=6.0, hand_out_s=13.5), "Hand-out", "next"),
        (replace(COMPUTING, busy_s=6.0, processor_s=6.0, tail_s=13.0), "Uneven end", "idle"),
        (
            replace(COMPUTING, busy_s=6.0, processor_s=6.0, deaths=3, overdue=1),
            "Lost work",
            "3 workers that died, 1 worker ended for taking too long",
        ),
        (with_stages(load_s=50.0), "Start-up", "before the sweep"),
        (with_stages(compile_s=50.0), "Compiling", "machine code"),
        (with_stages(verify_s=50.0), "Verification", "--verify"),
        (with_stages(validate_s=50.0), "Validation", "--no-validate"),
        (with_stages(write_s=50.0), "Writing", "faster disk"),
        (with_stages(new_stage_s=50.0), "Other", "see the stages"),
        (replace(COMPUTING, memory_limit=270_000_000), "Memory", "260 MB of 270 MB"),
        (Metrics({}, 2), "Nothing", "measured"),
    ],
)
def test_the_verdict_names_the_bottleneck(metrics, cause, words):
    said = verdict(metrics)
    assert said.startswith(cause)
    assert words in said
    assert said.endswith(".")
    assert "\n" not in said


def test_the_parts_add_up_to_the_stages():
    for metrics in (COMPUTING, with_stages(new_stage_s=3.0), replace(COMPUTING, deaths=1)):
        assert sum(parts(metrics).values()) == pytest.approx(sum(metrics.stages.values()))


def test_a_run_without_a_sweep():
    found = Metrics({"load_s": 0.1}, 2)
    assert found.busy_share == 0.0
    assert verdict(found).startswith("Start-up")
    assert describe(found)


def test_to_json_and_back():
    told = json.loads(json.dumps(as_json(COMPUTING), allow_nan=False))
    assert from_json(told) == COMPUTING
    assert told["verdict"] == verdict(COMPUTING)
    assert told["busy_share"] == 0.95


def test_the_short_form_has_no_series():
    short, long = as_json(COMPUTING, series=False), as_json(COMPUTING)
    assert long.keys() - short.keys() == {"memory", "in_flight", "allowed"}
    assert from_json(short) == replace(COMPUTING, memory=(), in_flight=())


def test_names_that_are_not_known_are_left_alone():
    assert from_json({**as_json(COMPUTING), "measured_by_a_later_version": 3}) == COMPUTING


@pytest.mark.parametrize(
    "wrong",
    [
        {"stages": None}, {"stages": {"load_s": "long"}}, {"stages": [1]}, {"workers": 1.5},
        {"workers": True}, {"busy_s": "2"}, {"busy_s": None}, {"memory_kind": 3},
        {"memory": [[1.0]]}, {"memory": [["a", 1]]}, {"memory": 4},
        {"memory": [[2.0, 1], [1.0, 1]]}, {"in_flight": [[0.0, -1]]}, {"workers": 10**30},
        {"busy_s": 1e300}, {"slowest": [[1, 2]]},
        {"slowest": [{"start": 1}]}, {"peak_memory": "__import__('os')"},
    ],
)  # fmt: skip
def test_what_is_no_metrics_is_refused(wrong):
    told = {**as_json(COMPUTING), **wrong}
    with pytest.raises(DataError, match=next(iter(wrong))):
        from_json(told)
    with pytest.raises(DataError, match="stages is missing"):
        from_json({})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(sorted(as_json(COMPUTING))), _JSON))
def test_nothing_but_an_error_comes_of_anything_else(told):
    with contextlib.suppress(DataError):
        assert describe(from_json({**as_json(COMPUTING), **told}))


def test_what_is_printed():
    text = describe(replace(COMPUTING, allowed=((0.1, 2), (5.0, 1), (9.9, 2)), deaths=2))
    lines = text.split("\n")
    assert all(len(line) <= 100 for line in lines)
    assert lines[0].startswith("Verdict     Compute: 77 %")
    assert re.search(r"^ +sweep +10\.000 s +82 %$", text, re.MULTILINE)
    assert "112,840 combinations in 91 slices, 2 workers at work 95 % of the time" in text
    assert "between slices 500 ms (5.62 ms each)" in text
    assert "300 ms  combinations 0 to 1,239, worker 4711, at 0.50 s" in text
    assert "at most 260 MB of 8.00 GB (shared memory counted once)" in text
    assert "-0.5 to 10.0 s, the highest 250 MB" in text
    assert "the highest 2 slices at work" in text
    assert "the highest 2 allowed" in text
    assert "2 workers that died" in text
    assert {line[:12].strip() for line in lines} == {
        "Verdict", "Stages", "Sweep", "Slowest", "Memory", "Lost", "Measuring", "",
    }  # fmt: skip
