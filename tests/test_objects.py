"""Objects beside a published frame: their arrays are in shared memory, once, and read-only."""

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_run import small_bars

from bigbar.engines.find import build_engine, prepare
from bigbar.errors import BigBarError
from bigbar.sharing.blocks import SHARED_MEMORY_IN_USE
from bigbar.sharing.frames import Descriptor, Publication, attach, publish
from bigbar.sharing.objects import SharedObject
from bigbar.strategies.big_bar.description import job_of
from bigbar.strategies.big_bar.indicators import with_indicators
from bigbar.strategies.big_bar.parameters import Settings, parse_grid
from bigbar.worker import run_chunk, start_worker

ZONES = [None, "UTC", "Europe/Berlin"]


@pytest.fixture(params=ZONES)
def frame(request) -> pd.DataFrame:
    index = pd.date_range("2024-03-30", periods=100, freq="h", tz=request.param, name="time")
    return pd.DataFrame({"Close": np.linspace(1, 2, 100), "Green": np.arange(100) % 2 == 0}, index)


def there_and_back(publication: Publication, thing: object) -> Any:
    return publication.attachment.load(publication.share(thing))


def test_arrays_come_back_and_cannot_be_written(frame):
    thing = {
        "floats": np.arange(5.0),
        "bytes": np.ones((3, 2), np.int8),
        "none": np.empty(0),
        7: "x",
    }
    with publish(frame) as publication:
        before = publication.nbytes
        found = there_and_back(publication, thing)
        assert publication.nbytes >= before + 5 * 8 + 6
    assert list(found) == list(thing)
    for name in ("floats", "bytes", "none"):
        np.testing.assert_array_equal(found[name], thing[name])
        assert found[name].dtype == thing[name].dtype
        assert not found[name].flags.writeable
    assert found[7] == "x"


def test_views_of_the_frame_are_not_stored_again(frame):
    with publish(frame) as publication:
        seen = publication.attachment.frame()
        shared = publication.share((seen["Close"].to_numpy()[10:90], seen.index[5:]))
        assert shared.block is None
        assert len(shared.pickled) < 1_000
        close, index = publication.attachment.load(shared)
        assert np.shares_memory(close, publication.attachment.block)
        assert np.shares_memory(index.asi8, publication.attachment.block)
    np.testing.assert_array_equal(close, frame["Close"].to_numpy()[10:90])
    assert index.equals(frame.index[5:])
    assert (index.name, index.dtype) == ("time", frame.index.dtype)


def test_views_of_one_array_are_stored_once(frame):
    array = np.arange(1000.0)
    with publish(frame) as publication:
        shared = publication.share([array.view(), array.view(), array[:500]])
        assert shared.block is not None
        assert shared.block.nbytes < 1.6 * array.nbytes
        first, second, half = publication.attachment.load(shared)
    assert np.shares_memory(first, second)
    np.testing.assert_array_equal(first, array)
    np.testing.assert_array_equal(half, array[:500])


def test_nothing_is_left_of_it(frame):
    before = SHARED_MEMORY_IN_USE.now
    with publish(frame) as publication:
        shared = publication.share(np.arange(1000.0))
        found = publication.attachment.load(shared)
    assert SHARED_MEMORY_IN_USE.now == before
    assert found[999] == 999, "what was loaded outlives the block"
    with publish(frame) as other, pytest.raises(BigBarError, match="is gone"):
        other.attachment.load(shared)


# ------------------------------------------------------------------ what an engine prepares

GRID = parse_grid(atr_period="5,10", k_atr="1:2:0.5", buffer_ratio="0.01")
SEVERAL = parse_grid(atr_period="5,10", k_atr="1:2:0.5", buffer_ratio="0.01,0.1")


def arrays_in(thing: Any) -> list[np.ndarray]:
    """All arrays of an object, its tuples and its dataclasses."""
    if isinstance(thing, np.ndarray):
        return [thing]
    if isinstance(thing, pd.DatetimeIndex):
        return [thing.asi8]
    inner = thing if isinstance(thing, tuple) else getattr(thing, "__dict__", {}).values()
    return [array for one in inner for array in arrays_in(one)]


@pytest.mark.parametrize("grid", [GRID, SEVERAL])
def test_an_engine_on_what_was_prepared_gives_the_same_bits(grid):
    job = job_of(grid, Settings(), "compiled")
    file = with_indicators(small_bars().frame, 6)
    with publish(file, job) as publication:
        seen = publication.attachment.frame()
        prepared = there_and_back(publication, prepare(seen, job))
        assert not any(
            array.flags.writeable or array.flags.owndata for array in arrays_in(prepared)
        )
        found = build_engine(seen, job, prepared).run(0, len(grid))
    np.testing.assert_array_equal(found, build_engine(file, job).run(0, len(grid)))


def begin(descriptor: Descriptor, prepared: SharedObject) -> bool:
    """In a worker: whether all that was prepared is seen in shared memory."""
    start_worker(descriptor, prepared)
    seen = attach(descriptor).load(prepared)
    return not any(array.flags.owndata for array in arrays_in(seen))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_in_a_process_of_its_own(method):
    job = job_of(GRID, Settings(), "compiled")
    file = with_indicators(small_bars().frame, 6)
    with (
        publish(file, job) as publication,
        ProcessPoolExecutor(1, mp_context=get_context(method)) as worker,
    ):
        prepared = publication.share(prepare(publication.attachment.frame(), job))
        assert len(pickle.dumps(prepared)) < 10_000
        assert worker.submit(begin, publication.descriptor, prepared).result()
        rows = worker.submit(run_chunk, (0, len(GRID))).result().rows
    np.testing.assert_array_equal(rows, build_engine(file, job).run(0, len(GRID)))
