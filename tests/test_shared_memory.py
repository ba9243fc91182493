"""Publish, attach, clean up: nothing lost, nothing copied, nothing left behind."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bigbar.errors import BigBarError, DataError
from bigbar.sharing import blocks as _blocks
from bigbar.sharing.frames import Descriptor, attach, publish
from bigbar.sharing.named_frames import (
    cleanup_shared_memory,
    create_shared_memory_dataframe,
    load_from_shared_memory,
)
from tests import commands

pytestmark = pytest.mark.timeout(60)

ROOT = Path(__file__).resolve().parents[1]

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="looks into /dev/shm")


def bars(rows: int = 200) -> pd.DataFrame:
    index = pd.date_range("2024-03-29", periods=rows, freq="h", tz="Europe/Berlin", name="time")
    rng = np.random.default_rng(1)
    prices = rng.uniform(1, 2, rows)
    return pd.DataFrame(
        {
            "Close": prices,
            "Volume": np.arange(rows),
            "restricted": prices > 1.5,
            "wide": np.arange(rows) + 2**60,
            "broker": ["a", "b"] * (rows // 2),
        },
        index=index,
    )


def in_shared_memory(descriptor: Descriptor) -> list[bool]:
    return [(Path("/dev/shm") / name).exists() for name in descriptor.names]


def test_round_trip() -> None:
    frame = bars()
    with publish(frame, payload={"axes": (1, 2)}) as shared:
        assert shared.kind == "shared_memory"
        assert shared.reason is None
        assert shared.nbytes > shared.descriptor.block.nbytes == 8 * 5 * 200
        with attach(shared.descriptor) as seen:
            pd.testing.assert_frame_equal(seen.frame(), frame, check_freq=True)
            assert seen.payload == {"axes": (1, 2)}
            assert seen.names == list(frame.columns)


def test_columns_are_read_only_views() -> None:
    frame = bars()
    with publish(frame) as shared:
        seen = attach(shared.descriptor)
        close = seen.column("Close")
        assert close.dtype == np.float64
        assert close.flags.c_contiguous
        assert np.shares_memory(close, seen.column("Close"))
        assert np.shares_memory(close, seen.frame()["Close"].to_numpy())
        with pytest.raises(ValueError, match="read-only"):
            close[0] = 1.0
        with pytest.raises(ValueError, match="WRITEABLE"):
            close.flags.writeable = True
        assert np.array_equal(seen.column("restricted"), frame["restricted"].astype(float))
        assert np.array_equal(seen.column("wide"), frame["wide"])
        with pytest.raises(DataError, match="neither numbers nor times"):
            seen.column("broker")
        with pytest.raises(DataError, match="No column 'Clos'"):
            seen.column("Clos")
        seen.close()
        with pytest.raises(BigBarError, match="already closed"):
            seen.column("Close")


def test_views_outlive_everything() -> None:
    frame = bars()
    with publish(frame) as shared:
        with attach(shared.descriptor) as seen:
            close, back = seen.column("Close"), seen.frame()
        del seen
    gc.collect()
    assert np.array_equal(close, frame["Close"])
    pd.testing.assert_frame_equal(back, frame)


@linux_only
def test_names_and_cleaning_up() -> None:
    shared = publish(bars())
    descriptor = pickle.loads(pickle.dumps(shared.descriptor))
    assert all(name.startswith(f"bigbar_{os.getpid()}_") for name in descriptor.names)
    assert in_shared_memory(descriptor) == [True, True]
    shared.close()
    shared.close()
    assert in_shared_memory(descriptor) == [False, False]
    with pytest.raises(BigBarError, match="is gone"):
        attach(descriptor)


@linux_only
def test_dropped_publication_is_cleaned_up() -> None:
    shared = publish(bars())
    descriptor = shared.descriptor
    del shared
    gc.collect()
    assert in_shared_memory(descriptor) == [False, False]


@linux_only
def test_payload_that_cannot_be_pickled_leaves_nothing() -> None:
    with pytest.raises((pickle.PicklingError, AttributeError)):
        publish(bars(), payload=lambda: None)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"a": []}), "0 rows and 1 columns"),
        (pd.DataFrame(index=range(3)), "3 rows and 0 columns"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "same name.*: a"),
    ],
)
def test_unusable_frames(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=message):
        publish(frame)


def test_without_time_index() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0]})
    with publish(frame) as shared, attach(shared.descriptor) as seen:
        pd.testing.assert_frame_equal(seen.frame(), frame)


def test_no_numbers_at_all() -> None:
    frame = pd.DataFrame({"a": ["x", "y"]}, index=pd.Index(["p", "q"], name="key"))
    with publish(frame) as shared, attach(shared.descriptor) as seen:
        pd.testing.assert_frame_equal(seen.frame(), frame)


# --- round trips of anything -----------------------------------------------------------------

ZONES = [None, "UTC", "Europe/Berlin", "US/Eastern", "Asia/Kolkata", "Australia/Lord_Howe"]
UNITS = ["s", "ms", "us", "ns"]
MOMENTS = st.integers(-(10**9), 4 * 10**9)

NUMBERS = st.sampled_from(
    ["f8", "f4", "f2", ">f8", "i1", "i2", "i4", "i8", ">i8", "u1", "u2", "u4", "u8", "?"]
)


def times(moments: list[int], zone: str | None, unit: Any) -> pd.DatetimeIndex:
    index = pd.DatetimeIndex(np.array(moments, dtype="M8[s]")).as_unit(unit)
    return index if zone is None else index.tz_localize("UTC").tz_convert(zone)


@st.composite
def column(draw: st.DrawFn, rows: int) -> Any:
    form = draw(st.sampled_from(["bytes", "text", "time", "span", "category", "nullable"]))
    if form == "bytes":  # every bit pattern, NaN with payload among them
        dtype = np.dtype(draw(NUMBERS))
        raw = draw(st.binary(min_size=rows * dtype.itemsize, max_size=rows * dtype.itemsize))
        if dtype.kind == "b":
            return np.frombuffer(raw, dtype="u1") % 2 == 1
        return np.frombuffer(raw, dtype=dtype)
    if form == "text":
        return draw(st.lists(st.text(max_size=4), min_size=rows, max_size=rows))
    if form == "nullable":
        values = draw(st.lists(st.integers(0, 9) | st.none(), min_size=rows, max_size=rows))
        return pd.array(values, dtype="Int64")
    moments = draw(st.lists(MOMENTS, min_size=rows, max_size=rows))
    if form == "category":
        return pd.Categorical(np.array(moments) % 3)
    if form == "span":
        return pd.to_timedelta(np.array(moments, dtype="m8[s]"))
    return times(moments, draw(st.sampled_from(ZONES)), draw(st.sampled_from(UNITS)))


@st.composite
def index(draw: st.DrawFn, rows: int) -> pd.Index:
    form = draw(st.sampled_from(["times", "regular", "numbers", "text", "range", "levels"]))
    name = draw(st.sampled_from([None, "time", 3]))
    zone = draw(st.sampled_from(ZONES))
    if form == "times":
        found: pd.Index = times(
            draw(st.lists(MOMENTS, min_size=rows, max_size=rows)),
            zone,
            draw(st.sampled_from(UNITS)),
        )
    elif form == "regular":
        step = draw(st.sampled_from(["h", "5min", "D", "B", "W-SUN"]))
        found = pd.date_range("2023-10-20", periods=rows, freq=step, tz=zone)
    elif form == "numbers":
        dtype = draw(st.sampled_from(["i8", "u8", "f8", "i2"]))
        found = pd.Index(np.arange(rows).astype(dtype) * 3)
    elif form == "text":
        found = pd.Index([str(n) for n in range(rows)])
    elif form == "levels":
        return pd.MultiIndex.from_arrays([range(rows), ["x"] * rows], names=["a", name])
    else:
        found = pd.RangeIndex(rows)
    return found.rename(name)


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.integers(1, 8))
    columns = draw(st.lists(column(rows), min_size=1, max_size=5))
    frame = pd.DataFrame(dict(enumerate(columns)))
    frame.columns = [f"column {at}" for at in range(len(columns))]
    frame.index = draw(index(rows))
    return frame


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(frames())
def test_legacy_round_trip(frame: pd.DataFrame) -> None:
    name, shape, dtype, metadata_name = create_shared_memory_dataframe(frame)
    back = load_from_shared_memory(name, shape, dtype, metadata_name)
    cleanup_shared_memory(name, metadata_name)
    cleanup_shared_memory(name, metadata_name)
    pd.testing.assert_frame_equal(back, frame, check_freq=True, check_exact=True)
    for at in range(frame.shape[1]):
        before, after = frame.iloc[:, at].to_numpy(), back.iloc[:, at].to_numpy()
        if before.dtype == np.float64:  # also which NaN it was
            assert before.tobytes() == after.tobytes()
    with pytest.raises(BigBarError, match="is gone"):
        load_from_shared_memory(name, shape, dtype, metadata_name)


# --- other processes ---------------------------------------------------------------------------


def load_sum(names: tuple[Any, ...]) -> float:
    return float(load_from_shared_memory(*names)["Close"].sum())


def attached_sum(descriptor: Descriptor) -> float:
    view = attach(descriptor).column("Close")  # the attachment is gone at once, the view is not
    return float(view.sum())


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_from_other_processes(method: str) -> None:
    frame = bars()
    expected = frame["Close"].sum()
    names = create_shared_memory_dataframe(frame)
    try:
        with publish(frame) as shared:
            with multiprocessing.get_context(method).Pool(2) as pool:
                found = pool.map(attached_sum, [shared.descriptor] * 3, chunksize=1)
                found += pool.map(load_sum, [names] * 3, chunksize=1)
                pool.close()
                pool.join()
            assert found == pytest.approx([expected] * 6)
            assert attached_sum(shared.descriptor) == pytest.approx(expected)
    finally:
        cleanup_shared_memory(names[0], names[3])


def run(body: str, *arguments: str, prefix: tuple[str, ...] = (), silent: bool = True) -> str:
    """Run a script in an unrelated process; its output."""
    script = textwrap.dedent(body)
    line = [*prefix, sys.executable, "-c", script, *arguments]
    done = commands.run(line, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not silent or not done.stderr, done.stderr
    return done.stdout


@linux_only
def test_unrelated_process_does_not_unlink() -> None:
    with publish(bars()) as shared:
        out = run(
            """
            import pickle, sys
            from bigbar.sharing.frames import attach
            print(attach(pickle.loads(bytes.fromhex(sys.argv[1]))).frame()["Close"].sum())
            """,
            pickle.dumps(shared.descriptor).hex(),
        )
        assert float(out) == pytest.approx(bars()["Close"].sum())
        time.sleep(0.3)  # a resource tracker, if there was one, would be at work now
        assert in_shared_memory(shared.descriptor) == [True, True]


@linux_only
def test_cleanup_from_an_unrelated_process() -> None:
    name, _, _, metadata_name = create_shared_memory_dataframe(bars())
    run(
        """
        import sys
        from bigbar.sharing.named_frames import cleanup_shared_memory
        cleanup_shared_memory(*sys.argv[1:])
        cleanup_shared_memory(*sys.argv[1:])
        """,
        name,
        metadata_name,
    )
    assert not (Path("/dev/shm") / name).exists()
    cleanup_shared_memory(name, metadata_name)


@linux_only
def test_a_forked_child_does_not_unlink() -> None:
    with publish(bars()) as shared:
        child = os.fork()
        if child == 0:
            shared.close()
            os._exit(0)
        os.waitpid(child, 0)
        assert in_shared_memory(shared.descriptor) == [True, True]


@linux_only
def test_owner_that_forgets_and_owner_that_is_killed() -> None:
    body = """
        import os, sys
        import pandas as pd
        from bigbar.sharing.frames import publish
        shared = publish(pd.DataFrame({"a": [1.0]}))
        print(*shared.descriptor.names, flush=True)
        if sys.argv[1] == "killed":
            os.kill(os.getpid(), 9)
    """
    forgotten = run(body, "forgets").split()
    assert not any((Path("/dev/shm") / name).exists() for name in forgotten)
    line = [sys.executable, "-c", textwrap.dedent(body), "killed"]
    killed = commands.run(line, cwd=ROOT).stdout.split()
    deadline = time.monotonic() + 3
    while any((Path("/dev/shm") / name).exists() for name in killed):
        assert time.monotonic() < deadline, "the resource tracker did not remove it"
        time.sleep(0.02)


# --- where shared memory cannot be had -----------------------------------------------------------


def private_shm(options: str) -> tuple[str, ...]:
    """A command prefix that runs with a /dev/shm of its own, or a skip."""
    setup = f'mount -t tmpfs -o {options} none /dev/shm && exec "$@"'
    prefix = ("unshare", "-m", "sh", "-c", setup, "sh")
    try:
        probe = subprocess.run([*prefix, "true"], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("unshare is not installed")
    if probe.returncode:
        pytest.skip(f"a private /dev/shm is not permitted here: {probe.stderr.strip()}")
    return prefix


FALLBACK = """
    import os, stat, sys, tempfile
    import numpy as np, pandas as pd
    from pathlib import Path
    from bigbar.executors.local import WorkerPool
    from bigbar.sharing.frames import attach, publish
    from bigbar.sharing.named_frames import (
        cleanup_shared_memory,
        create_shared_memory_dataframe,
        load_from_shared_memory,
    )
    from tests.test_shared_memory import attached_sum, bars

    frame = bars(20_000)
    with publish(frame, payload="hello") as shared:
        assert shared.kind == shared.descriptor.kind == "file", shared.kind
        print(shared.reason)
        (path,) = map(Path, shared.descriptor.names)
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert b"hello" not in path.read_bytes()
        with attach(shared.descriptor) as seen:
            pd.testing.assert_frame_equal(seen.frame(), frame)
            assert seen.payload == "hello"
        for method in "fork", "spawn":
            with WorkerPool(2, start_method=method, initializer=None) as pool:
                found = list(pool.imap_unordered(attached_sum, [shared.descriptor] * 4))
                print(pool.kind)
            assert np.allclose([total for _, total in found], frame["Close"].sum())
    assert not path.parent.exists()
    names = create_shared_memory_dataframe(frame)
    back = load_from_shared_memory(*names)
    cleanup_shared_memory(names[0], names[3])
    cleanup_shared_memory(names[0], names[3])
    pd.testing.assert_frame_equal(back, frame)
    assert not list(Path(tempfile.gettempdir()).glob(f"bigbar_{os.getpid()}_*"))
    assert not os.listdir("/dev/shm"), os.listdir("/dev/shm")
"""


@pytest.mark.slow
@linux_only
@pytest.mark.parametrize(
    ("options", "kind"),
    [("size=64k", "processes"), ("nr_inodes=1", "threads"), ("ro", "threads")],
)
def test_fallback(options: str, kind: str) -> None:
    reason, *kinds = run(FALLBACK, prefix=private_shm(options)).splitlines()
    assert "no shared memory could be had for 800,000 bytes" in reason
    assert kinds == [kind, kind]


@linux_only
def test_description_without_room() -> None:
    """The block takes the last page; the description travels in the descriptor instead."""
    out = run(
        """
        import numpy as np, pandas as pd
        from bigbar.sharing.frames import attach, publish
        frame = pd.DataFrame({"a": np.arange(8 * 512.0)})
        with publish(frame) as shared:
            pd.testing.assert_frame_equal(attach(shared.descriptor).frame(), frame)
            print(shared.kind, type(shared.descriptor.description).__name__)
        """,
        prefix=private_shm("size=32k"),
    )
    assert out.split() == ["shared_memory", "bytes"]


@pytest.mark.slow
@linux_only
def test_fallback_of_a_killed_parent_is_removed_by_its_workers() -> None:
    body = """
        import os, time
        import pandas as pd
        from pathlib import Path
        from bigbar.executors.local import WorkerPool
        from bigbar.sharing.frames import attach, publish
        from tests.test_shared_memory import attached_sum, bars

        ours = Path(os.environ["TMPDIR"])
        if os.fork() == 0:
            shared = publish(bars(20_000))
            pool = WorkerPool(
                2, start_method="fork", initializer=attach, initargs=(shared.descriptor,)
            )
            with pool:
                list(pool.imap_unordered(attached_sum, [shared.descriptor] * 9))
                assert len(list(ours.iterdir())) == 1
                os.kill(os.getpid(), 9)
        os.wait()
        for _ in range(100):
            left = list(ours.iterdir())
            if not left:
                break
            time.sleep(0.05)
        print(left)
    """
    with tempfile.TemporaryDirectory(prefix="test_of_bigbar_") as folder:
        prefix = ("env", f"TMPDIR={folder}", *private_shm("size=64k"))
        assert run(body, prefix=prefix, silent=False).strip() == "[]"


@linux_only
def test_no_room_anywhere() -> None:
    out = run(
        """
        from bigbar.sharing.blocks import create_block
        from bigbar.errors import BigBarError
        try:
            create_block(1_000_000)
        except BigBarError as error:
            print(error)
        """,
        prefix=("env", "TMPDIR=/dev/shm", *private_shm("size=64k")),
    )
    assert "no room for the data" in out
    assert "TMPDIR" in out


def test_blocks_are_really_read_only() -> None:
    block = _blocks.create_block(16)
    try:
        mapping = _blocks.open_block(block.handle)
        with pytest.raises(TypeError):
            mapping[0] = 1
        written: npt.NDArray[np.int64] = np.frombuffer(
            _blocks.open_block(block.handle, writable=True), dtype=np.int64
        )
        written[1] = 7
        assert np.frombuffer(mapping, dtype=np.int64)[1] == 7
    finally:
        block.close()


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="looks into /dev/shm")
def test_a_process_killed_while_it_makes_a_segment_leaves_none() -> None:
    script = (
        "import mmap, os\nfrom bigbar.sharing.blocks import create_segment\n"
        "mmap.mmap = lambda *_: os.kill(os.getpid(), 9)\n"  # There by then, but nothing more.
        "create_segment(16)"
    )
    process = commands.Command([sys.executable, "-c", script])
    assert process.wait(60) == -9
    deadline = time.monotonic() + 10
    while (left := list(Path("/dev/shm").glob(f"bigbar_{process.pid}_*"))) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.05)
    assert not left
