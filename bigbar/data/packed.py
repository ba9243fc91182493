"""Price files that are packed: gzip, bzip2, xz, zstd, or a zip archive with one file in it.

What is packed may unpack to a thousand times its size, by accident or malice, so it is unpacked
piece by piece and no further than a limit. Damage is noticed by the checksums of the formats; of
these only zstd may come without one.
"""

import gzip
import io
import lzma
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from bigbar.data.encoding import joined, refuse_beyond
from bigbar.errors import DataError
from bigbar.units import as_bytes

# Prices unpack to 4 to 20 times their size, a market that stands still to 100 times.
_MOST_TIMES = 200
_HARMLESS = 100_000_000

# What xz may take to unpack; its own strongest setting takes 65 MB.
_XZ_MEMORY = 256 << 20

_CHUNK = 1 << 20
_FEED = 1 << 16

_GZIP, _BZIP2, _XZ, _ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")

#: File names end so, for people.
_KINDS = {
    ".gz": "gzip file",
    ".bz2": "bzip2 file",
    ".xz": "xz file",
    ".zst": "zstd file",
    ".zip": "zip archive",
}

#: What a zip archive may hold the prices as.
_INSIDE = (".csv", ".txt", ".tsv", ".parquet", ".feather")


def unpack(raw: bytes, source: str, limit: int) -> bytes:
    """The bytes of the file inside, or the bytes themselves if they are not packed.

    Parameters
    ----------
    raw : bytes
    source : str
        Name for messages.
    limit : int
        More bytes than these are refused.

    Raises
    ------
    DataError
        If they cannot be unpacked, or are too many.
    """
    pieces: Callable[[], Iterator[bytes]]
    if raw.startswith(_ZIP):
        kind, pieces = ".zip", lambda: _unzip(raw, source)
    elif raw.startswith(_GZIP):
        kind, pieces = ".gz", lambda: _of_file(gzip.GzipFile(fileobj=io.BytesIO(raw)))
    elif raw.startswith(_BZIP2) and raw[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):
        kind, pieces = ".bz2", lambda: _of_file(_arrow_stream(raw, "bz2"))
    elif raw.startswith(_XZ):
        kind, pieces = ".xz", lambda: _unxz(raw)
    elif raw.startswith(_ZSTD):
        kind, pieces = ".zst", lambda: _of_file(_arrow_stream(raw, "zstd"))
    else:
        _refuse_false_name(source)
        return raw

    def check(count: int) -> None:
        refuse_beyond(limit, count, source)
        if count > max(_HARMLESS, _MOST_TIMES * len(raw)):
            raise DataError(
                f"{source} unpacks to more than {as_bytes(count)}, {_MOST_TIMES} times its size "
                "and more, as no file of prices does. If it is one, unpack it and give the "
                "unpacked file."
            )

    try:
        return joined(pieces(), check)
    except DataError:
        raise
    # Whatever a damaged archive makes its reader trip over: zipfile alone raises a dozen kinds of
    # error, ValueError ("negative seek value"), struct.error and UnicodeDecodeError among them.
    except Exception as error:
        raise DataError(_explained(error, source, _KINDS[kind])) from None


def _explained(error: Exception, source: str, kind: str) -> str:
    said = str(error) or type(error).__name__
    if isinstance(error, MemoryError) or "Memory usage limit" in said:  # The latter of xz.
        return f"{source} takes too much memory to unpack. Unpack it and give the unpacked file."
    # An archive may also be encrypted, or packed in a way that is not known.
    what = f"{kind} that cannot be unpacked" if kind == _KINDS[".zip"] else f"damaged {kind}"
    return f"{source} is a {what} ({said}). Fetch it again, or give the unpacked file."


def _refuse_false_name(source: str) -> None:
    suffix = Path(source).suffix.lower()
    if suffix in _KINDS:
        raise DataError(
            f"{source} is not a {_KINDS[suffix]}, or a damaged one. Fetch it again, or remove "
            f"{suffix} from its name if it is plain text."
        )


def _arrow_stream(raw: bytes, codec: str) -> pa.CompressedInputStream:
    """Read to its very end: Python's own readers take damage after the first stream for the end."""
    return pa.CompressedInputStream(pa.BufferReader(raw), codec)


def _of_file(file: gzip.GzipFile | pa.CompressedInputStream) -> Iterator[bytes]:
    with file:
        while piece := file.read(_CHUNK):
            yield piece


def _unxz(raw: bytes) -> Iterator[bytes]:
    """All streams, one after the other; between them and at the end there may be zero bytes."""
    position = 0
    while position < len(raw):
        stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
        while not stream.eof:
            fed = raw[position : position + _FEED] if stream.needs_input else b""
            if stream.needs_input and not fed:
                raise EOFError("it ends too early")
            position += len(fed)
            yield stream.decompress(fed, _CHUNK)
        position -= len(stream.unused_data)
        padding = re.compile(rb"\0*").match(raw, position)
        assert padding is not None  # It matches nothing, too.
        position = padding.end()


def _unzip(raw: bytes, source: str) -> Iterator[bytes]:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        names = [entry.filename for entry in entries]
        if "xl/workbook.xml" in names:
            raise DataError(f"{source} is an Excel workbook. Save the sheet as CSV.")
        found = [
            entry
            for entry in entries
            if entry.filename.lower().endswith(_INSIDE)
            and not entry.filename.startswith("__MACOSX/")
        ]
        if len(found) != 1:
            shown = ", ".join(names[:10]) + (", …" if len(names) > 10 else "") or "nothing"
            raise DataError(
                f"{source} must hold exactly one csv or txt file, and holds {len(found)} "
                f"(found: {shown}). Unpack it and give the file you mean."
            )
        with archive.open(found[0]) as file:
            while piece := file.read(_CHUNK):
                yield piece
