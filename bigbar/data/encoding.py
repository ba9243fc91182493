"""The bytes of a price file: had from a path, a pipe or an open file, and known to be text.

What cannot be had ends in a `DataError` that says what to do. Nothing is waited for or read
without end: a device is refused, and reading stops at what there is memory for.
"""

import difflib
import io
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from bigbar.errors import DataError
from bigbar.machine.resources import available_memory, resident_memory
from bigbar.units import as_bytes

#: What a price file is given as: a path, or anything open for reading.
PriceFile = str | os.PathLike[str] | IO[bytes] | IO[str]

STANDARD_INPUT = "standard input"

_CHUNK = 1 << 20

# Bytes of memory that reading takes for a byte of text: the text itself, pandas' columns, its
# cells of time, and the arrays made of them. Measured: 4.1 to 4.5.
_TIMES_THE_TEXT = 5

# So much text may be read however little memory is said to be free: 200,000 bars.
_LEAST_LIMIT = 16 << 20

# For the first writer of a named pipe to come, in seconds.
_PATIENCE_S = 5.0


def text_limit(max_memory: int | None = None) -> int:
    """Bytes of text that can be read in the memory there is.

    Parameters
    ----------
    max_memory : int, optional
        Bytes that this process may take; what the machine has, by default.
    """
    if max_memory is None:
        room = available_memory()
    else:
        room = min(available_memory(), max_memory - resident_memory())
    return max(_LEAST_LIMIT, room // _TIMES_THE_TEXT)


def named_file(name: str) -> PriceFile:
    """The price file that a command line names; `-` is standard input.

    Raises
    ------
    DataError
        If nothing is piped in there, or somebody would have to type it.
    """
    if name != "-":
        return name
    if sys.stdin is None or sys.stdin.closed:
        raise DataError(f"{STANDARD_INPUT} is closed. Pipe the prices in, or name their file.")
    if sys.stdin.isatty():
        raise DataError(f"{STANDARD_INPUT} is a terminal. Pipe the prices in, or name their file.")
    return sys.stdin.buffer


def source_name(file: PriceFile) -> str:
    """How messages and receipts call it.

    Raises
    ------
    DataError
        If it is nothing that prices could be read from.
    """
    if isinstance(file, (str, os.PathLike)):
        return os.fsdecode(file)
    if not callable(getattr(file, "read", None)):
        raise DataError(
            f"the data is {type(file).__name__!r}. Give the path of a price file, an open file, or "
            "a DataFrame."
        )
    if file is getattr(sys.stdin, "buffer", None):
        return STANDARD_INPUT
    name = getattr(file, "name", None)
    return name if isinstance(name, str) and name else type(file).__name__


def read_all(file: PriceFile, limit: int) -> bytes:
    """All bytes of a file that is there, not empty, and no device.

    Parameters
    ----------
    file : path or file object
        A file object is read from where it stands.
    limit : int
        More bytes than these are refused.
    """
    source = source_name(file)
    try:
        if isinstance(file, (str, os.PathLike)):
            raw = _read_path(source, limit)
        else:
            with suppress(io.UnsupportedOperation, AttributeError):  # a file in memory
                _refuse_device(os.fstat(file.fileno()), source)
            raw = _joined(lambda: _encoded(file.read(_CHUNK)), source, limit)
    except FileNotFoundError:
        raise DataError(f"{source} does not exist.{_did_you_mean(source)}") from None
    except IsADirectoryError:
        raise DataError(f"{source} is a directory. Give a file of price bars.") from None
    except PermissionError:
        raise DataError(f"No permission to read {source}. Change it or copy the file.") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL character
        raise DataError(f"{source!r} cannot be read: {error}.") from None
    if not raw or raw.isspace():
        raise DataError(f"{source} is empty. Give a file with a header and rows of prices.")
    return raw


def _read_path(path: str, limit: int) -> bytes:
    found = os.stat(path)
    _refuse_device(found, path)
    if stat.S_ISFIFO(found.st_mode):
        return _read_pipe(path, limit)
    refuse_beyond(limit, found.st_size, path)
    with open(path, "rb") as file:
        return _joined(lambda: file.read(max(_CHUNK, found.st_size + 1)), path, limit)


def _refuse_device(found: os.stat_result, source: str) -> None:
    kinds = {stat.S_IFCHR: "a device", stat.S_IFBLK: "a device", stat.S_IFSOCK: "a socket"}
    kind = kinds.get(stat.S_IFMT(found.st_mode))
    if kind:
        raise DataError(f"{source} is {kind}, not a file. Give a file of price bars.")


def _read_pipe(path: str, limit: int) -> bytes:
    """Of a named pipe, such as the shell makes for `<(command)`.

    Opened without waiting: nobody may ever write to it. Reading it then says "end" while there
    is no writer, and "would block" while there is one.
    """
    deadline = time.monotonic() + _PATIENCE_S
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0) as pipe:
        while not (begun := pipe.read(_CHUNK)):
            if begun is None:
                begun = b""
                break
            if time.monotonic() > deadline:
                raise DataError(
                    f"{path} is a pipe that nobody writes to. Start what writes the prices first, "
                    "or give a file."
                )
            time.sleep(0.02)
        os.set_blocking(pipe.fileno(), True)
        return begun + _joined(lambda: pipe.read(_CHUNK), path, limit)


def _encoded(piece: Any) -> bytes:
    """Of an open file: text where it was opened as text."""
    if isinstance(piece, str):
        return piece.encode("utf-8", "surrogatepass")
    if piece is None:
        raise DataError("an open file that does not wait has nothing to read. Make it blocking.")
    return bytes(piece)


def _joined(read: Callable[[], bytes], source: str, limit: int) -> bytes:
    return joined(iter(read, b""), lambda count: refuse_beyond(limit, count, source))


def joined(pieces: Iterable[bytes], check: Callable[[int], None]) -> bytes:
    """All pieces as one; `check` is told after each how many bytes they are by now."""
    found, count = [], 0
    for piece in pieces:
        found.append(piece)
        count += len(piece)
        check(count)
    return found[0] if len(found) == 1 else b"".join(found)


def refuse_beyond(limit: int, count: int, source: str) -> None:
    """Refuse so many bytes of text where there is no memory for them."""
    if count > limit:
        raise DataError(
            f"{source} holds more than {as_bytes(limit)}, and reading takes about "
            f"{_TIMES_THE_TEXT} times as much memory as it holds: more than may be taken. Give a "
            "shorter file, or more memory (--max-memory, where it was given)."
        )


def _did_you_mean(source: str) -> str:
    path = Path(source)
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_file()]
    except OSError:
        return f" Neither does its folder {path.parent}." if not path.parent.exists() else ""
    close = difflib.get_close_matches(path.name, names, n=1)
    return f' Did you mean "{path.parent / close[0]}"?' if close else " Check the path."


_CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n\r\f\x1a")) + b"\x7f"


def decode(data: bytes, source: str) -> bytes:
    """The text as UTF-8 without a byte order mark, known to decode."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            data = data.decode("utf-16").encode()
        except UnicodeError as error:  # the lone surrogates of `encode` included
            raise DataError(
                f"{source} begins like UTF-16 text but is not ({error}). Save it as UTF-8."
            ) from None
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in data or data[:4096].translate(None, _CONTROL_BYTES) != data[:4096]:
        raise DataError(
            f"{source} is not a text file (it holds binary data, or UTF-16 without a byte order "
            "mark). Export the prices as CSV in UTF-8."
        )
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError as error:
            before = data[: error.start].decode()
            line = 1 + len(re.findall("\r\n|\r|\n", before))
            raise DataError(
                f"{source}: line {line} holds the byte 0x{data[error.start]:02x}, which is not "
                "UTF-8. Save the file as UTF-8."
            ) from None
    return data
