"""Price files that are tables already, Parquet and Feather (Arrow), as the text of a CSV file.

So the rules for columns, times and rows are those of text, in one place. Nothing is lost: a float64
is written in as many digits as bring the same float64 back.
"""

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from bigbar.data.encoding import joined
from bigbar.errors import DataError

_PARQUET, _ARROW, _FEATHER_1 = b"PAR1", b"ARROW1", b"FEA1"

#: File names that promise one.
_SUFFIXES = (".parquet", ".feather")

_ROWS_AT_ONCE = 1 << 16

# As pandas calls an index without a name, and columns of two levels: price and instrument.
_UNNAMED_INDEX = re.compile(r"__index_level_\d+__")
_TWO_LEVELS = re.compile(r"\('([^']*)', '([^']*)'\)")


_READABLE = (
    pa.types.is_integer,
    pa.types.is_boolean,
    pa.types.is_decimal,
    pa.types.is_date,
    pa.types.is_time,
    pa.types.is_timestamp,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_null,
)


def as_text(data: bytes, source: str, check: Callable[[int], None]) -> bytes:
    """A table as the text of a CSV file; other bytes as they are.

    Parameters
    ----------
    data : bytes
    source : str
        Name for messages.
    check : callable
        Is told how many bytes of text there are by now, and refuses too many.

    Raises
    ------
    DataError
        If the table is damaged or has no rows.
    """
    if data.startswith(_PARQUET):
        kind, batches = "Parquet", _parquet
    elif data.startswith(_ARROW):
        kind, batches = "Feather", _feather
    elif data.startswith(_FEATHER_1):
        raise DataError(
            f"{source} is a Feather file of version 1, which nothing writes any more. Write it "
            "as version 2, or as Parquet."
        )
    else:
        if Path(source).suffix.lower() in _SUFFIXES:
            raise DataError(
                f"{source} is not a {Path(source).suffix[1:]} file, or a damaged one. Fetch or "
                "write it again, or rename it to .csv if it is text."
            )
        return data
    try:
        return joined(_pieces(batches(data)), check)
    except DataError:
        raise
    # Whatever a damaged file makes its reader trip over: Arrow's errors are of several kinds.
    except Exception as error:
        said = "there is not enough memory" if isinstance(error, MemoryError) else f"{error}"
        raise DataError(
            f"{source} is a {kind} file that cannot be read ({' '.join(said.split())[:200]}). "
            "Fetch or write it again."
        ) from None


def _parquet(data: bytes) -> Iterator[pa.RecordBatch]:
    from pyarrow.parquet import ParquetFile

    # Single-threaded: workers are forked later, and a forked copy of a thread pool is none.
    with ParquetFile(io.BytesIO(data), page_checksum_verification=True) as file:
        yield from file.iter_batches(_ROWS_AT_ONCE, use_threads=False)


def _feather(data: bytes) -> Iterator[pa.RecordBatch]:
    with pa.ipc.open_file(
        pa.BufferReader(data), options=pa.ipc.IpcReadOptions(use_threads=False)
    ) as file:
        for number in range(file.num_record_batches):
            yield file.get_batch(number)


def _pieces(batches: Iterator[pa.RecordBatch]) -> Iterator[bytes]:
    """The header, and then the rows of each batch."""
    from pyarrow.csv import WriteOptions, write_csv

    header = True
    for batch in batches:
        # What a damaged file says of its own buffers is not to be believed.
        batch.validate(full=True)
        for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
            sink = io.BytesIO()
            rows = _written(batch.slice(start, _ROWS_AT_ONCE))
            write_csv(rows, sink, WriteOptions(include_header=header))
            header = False
            yield sink.getvalue()


def _written(batch: pa.RecordBatch) -> pa.RecordBatch:
    """As it would be written to a CSV file: an index comes first, and names are of one level."""
    names = list(batch.schema.names)
    levels = [_TWO_LEVELS.fullmatch(name) for name in names]
    if len({level[2] for level in levels if level and level[2]}) == 1:  # A single instrument.
        names = [level[1] if level else name for name, level in zip(names, levels, strict=True)]
    order = sorted(range(len(names)), key=lambda i: not _UNNAMED_INDEX.fullmatch(names[i]))
    return pa.RecordBatch.from_arrays(
        [_writable(batch.column(i)) for i in order],
        names=["" if _UNNAMED_INDEX.fullmatch(names[i]) else names[i] for i in order],
    )


def _writable(cells: pa.Array) -> pa.Array:
    """Cells of a kind that has a text that can be read back."""
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    kind = cells.type
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return cells.cast(pa.timestamp(kind.unit, "UTC"))
    if pa.types.is_floating(kind):
        return _numbers(cells.cast(pa.float64()))
    if pa.types.is_string_view(kind):
        return cells.cast(pa.large_string())
    if any(readable(kind) for readable in _READABLE):
        return cells
    # Neither price nor time: as an ignored column it does no harm, as any other it is refused.
    return pa.array([f"<{kind}>"] * len(cells), pa.string())


def _numbers(cells: pa.Array) -> pa.Array:
    """Whole numbers without an exponent, in which large ones would be written: epochs are such."""
    whole = pc.and_(pc.equal(pc.trunc(cells), cells), pc.less(pc.abs(cells), 2.0**63))
    return cells.cast(pa.int64()) if pc.all(whole).as_py() else cells
