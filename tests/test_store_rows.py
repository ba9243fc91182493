"""Rows as they lie in the file: the same bits again, in any order, or an error."""

import sqlite3
from contextlib import closing

import numpy as np
import pyarrow as pa
import pytest
from store_tools import begun, made_rows, reseal

from bigbar.slices import Failure
from bigbar.statistics import NAMES
from bigbar.store.reading import read_rows, read_slices
from bigbar.store.rows import (
    BLOCK_ROWS,
    Finished,
    Slice,
    pack,
    unpack,
    write_slices,
)
from bigbar.store.schema import RUNS, StoreError, open_store, transaction


@pytest.fixture
def store(tmp_path):
    """An open file of runs, and a run in it of 24 combinations."""
    run, _ = begun(tmp_path)
    with closing(open_store(tmp_path / RUNS)) as connection:
        yield connection, run


def written(store, *finished: Finished) -> None:
    connection, run = store
    with transaction(connection):
        write_slices(connection, run, finished)


def read_back(store, count: int = 24, **options) -> tuple[np.ndarray, np.ndarray]:
    values = np.full((count, len(NAMES)), 7.0)
    done = read_rows(*store, values, **options)
    return values, done


# ------------------------------------------------------------------------------------- packing


@pytest.mark.parametrize("count", [1, 2, 1000, BLOCK_ROWS + 1])
def test_packed_and_unpacked_are_the_same_bits(count):
    rows = made_rows(count)
    assert unpack(pack(rows), *rows.shape).tobytes() == rows.tobytes()


def test_every_kind_of_nan_and_zero_comes_back():
    bits = np.array([[0x7FF8_0000_0000_0000, 0xFFF8_0000_0000_0001, 0x8000_0000_0000_0000, 1]])
    rows = bits.astype(np.uint64).view(np.float64)
    assert unpack(pack(rows), 1, 4).view(np.uint64).tolist() == bits.tolist()


def test_similar_rows_take_little_room():
    rows = np.repeat(made_rows(40), 100, axis=0)
    assert len(pack(rows)) < rows.nbytes / 50


def test_bytes_are_little_endian_columns():
    rows = np.arange(6.0).reshape(3, 2)
    raw = pa.decompress(pack(rows), decompressed_size=48, codec="zstd", asbytes=True)
    assert np.frombuffer(raw, "<f8").tolist() == [0, 2, 4, 1, 3, 5]


@pytest.mark.parametrize("packed", [b"", b"nonsense", pack(made_rows(3))[:-4], pack(made_rows(2))])
def test_other_bytes_are_an_error(packed):
    with pytest.raises(ValueError, match=r"."):
        unpack(packed, 3, len(NAMES))


def test_no_more_is_unpacked_than_announced():
    bomb = pa.compress(bytes(1 << 26), codec="zstd", asbytes=True)
    assert len(bomb) < 10_000
    with pytest.raises(ValueError, match=r"."):
        unpack(bomb, 3, len(NAMES))


# ------------------------------------------------------------------------------ in the file


def test_slices_in_any_order_fill_the_table(store):
    rows = made_rows(24)
    written(store, *(Finished(Slice(a, a + 4), rows[a : a + 4]) for a in (20, 0, 8)))
    written(store, *(Finished(Slice(a, a + 4), rows[a : a + 4]) for a in (4, 16)))
    values, done = read_back(store)
    assert done.tolist() == [not 12 <= number < 16 for number in range(24)]
    assert values[done].tobytes() == rows[done].tobytes()
    assert np.isnan(values[~done]).all()


def test_the_later_of_two_answers_stands(store):
    rows, later = made_rows(24), made_rows(1, seed=1)
    written(store, Finished(Slice(0, 24), rows))
    written(store, Finished(Slice(5, 6), later))
    values, done = read_back(store)
    assert done.all()
    assert values[5].tobytes() == later.tobytes()
    assert np.delete(values, 5, axis=0).tobytes() == np.delete(rows, 5, axis=0).tobytes()


def test_what_is_known_of_a_slice(store):
    slices = [Slice(0, 4, worker=123, begun=0.5, seconds=1.25), Slice(4, 6)]
    written(store, *(Finished(one, made_rows(len(one))) for one in slices))
    assert read_slices(*store) == slices


def test_failures_are_written_with_their_slice_and_go_with_the_next_attempt(store):
    connection, run = store
    failed = [({"k_atr": 1.0}, Failure(n, f"Traceback …\nValueError: {n}")) for n in (1, 3)]
    rows = made_rows(4)
    rows[[1, 3]] = np.nan
    written(store, Finished(Slice(0, 4), rows, failed))
    query = "SELECT number, parameters, reason FROM failures WHERE run = ? ORDER BY number"
    assert connection.execute(query, (run,)).fetchall() == [
        (1, '{"k_atr":1.0}', "Traceback …\nValueError: 1"),
        (3, '{"k_atr":1.0}', "Traceback …\nValueError: 3"),
    ]
    written(store, Finished(Slice(1, 2), made_rows(1)))
    assert [row[0] for row in connection.execute(query, (run,))] == [3]


def test_slices_are_packed_together_up_to_a_size(store):
    connection, _ = store
    finished = [Finished(Slice(a, a + 1000), made_rows(1000)) for a in range(0, 9000, 1000)]
    written(store, *reversed(finished))
    sizes = [rows for (rows,) in connection.execute("SELECT rows FROM blocks ORDER BY id")]
    assert sizes == [5000, 4000]
    values, done = read_back(store, 9000)
    assert done.all()
    assert values.tobytes() == np.tile(made_rows(1000), (9, 1)).tobytes()


# --------------------------------------------------------------------------------- damage


@pytest.fixture
def damaged(store):
    """Two blocks, the first of them with a bit turned over."""
    connection, _ = store
    rows = made_rows(24)
    written(store, Finished(Slice(0, 10), rows[:10]))
    written(store, Finished(Slice(10, 24), rows[10:]))
    packed = bytearray(connection.execute("SELECT packed FROM blocks WHERE id = 1").fetchone()[0])
    packed[len(packed) // 2] ^= 1
    connection.execute("UPDATE blocks SET packed = ? WHERE id = 1", (bytes(packed),))
    return store, rows


def test_a_damaged_block_is_an_error(damaged):
    with pytest.raises(StoreError, match="damaged"):
        read_back(damaged[0])


def test_or_is_left_out(damaged):
    store, rows = damaged
    told = []
    values, done = read_back(store, damaged=told.append)
    assert done.tolist() == [False] * 10 + [True] * 14
    assert values[10:].tobytes() == rows[10:].tobytes()
    assert np.isnan(values[:10]).all()
    assert len(told) == 1
    assert "checksum" in told[0]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE slices SET stop = 25",
        "UPDATE slices SET start = -1",
        "UPDATE slices SET start = stop",
        "UPDATE slices SET first_row = 20",
        "UPDATE slices SET first_row = -1",
        "UPDATE slices SET start = 'one'",
        "UPDATE blocks SET rows = 1000000000000",
        "UPDATE blocks SET columns = 29",
        "UPDATE blocks SET packed = 'text'",
        "UPDATE blocks SET rows = 12, columns = 60",
        "UPDATE slices SET block = 99",
    ],
)
@pytest.mark.parametrize("sealed", [False, True])
def test_numbers_that_do_not_fit_are_an_error(store, statement, sealed):
    connection, _ = store
    written(store, Finished(Slice(0, 24), made_rows(24)))
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute(statement)
    if sealed:
        reseal(connection)
    with pytest.raises(StoreError, match="damaged"):
        read_back(store)


def test_a_block_of_another_run_is_not_read(store, tmp_path):
    connection, run = store
    other, _ = begun(tmp_path)
    written((connection, other), Finished(Slice(0, 24), made_rows(24)))
    connection.execute(
        "INSERT INTO slices (run, start, stop, block, first_row, checksum) "
        "VALUES (?, 0, 24, 1, 0, '')",
        (run,),
    )
    reseal(connection)
    with pytest.raises(StoreError, match="damaged"):
        read_back(store)


def test_rows_go_with_their_run(store):
    connection, run = store
    written(store, Finished(Slice(0, 24), made_rows(24), [({}, Failure(2, "no"))]))
    connection.execute("DELETE FROM runs WHERE id = ?", (run,))
    for table in ("blocks", "slices", "failures"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_a_run_that_is_not_there_takes_no_rows(store):
    connection, _ = store
    with pytest.raises(sqlite3.IntegrityError):
        written((connection, 99), Finished(Slice(0, 4), made_rows(4)))
