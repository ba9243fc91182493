"""The bytes of a price file: found, unpacked, and known to be text.

What cannot be had ends in a `DataError` that says what to do.
"""

import difflib
import gzip
import io
import re
import zipfile
import zlib
from pathlib import Path

from bigbar.errors import DataError


def read_file(source: str) -> bytes:
    """All bytes of a file that is there and not empty."""
    try:
        with open(source, "rb") as file:
            raw = file.read()
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


def _did_you_mean(source: str) -> str:
    path = Path(source)
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_file()]
    except OSError:
        return f" Neither does its folder {path.parent}." if not path.parent.exists() else ""
    close = difflib.get_close_matches(path.name, names, n=1)
    return f' Did you mean "{path.parent / close[0]}"?' if close else " Check the path."


def unpack(raw: bytes, source: str) -> bytes:
    """The bytes of the text file, decompressed if they are gzip or a zip archive."""
    suffix = Path(source).suffix.lower()
    if raw.startswith(b"\x1f\x8b"):
        try:
            return gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(
                f"{source} is a damaged gzip file ({error}). Fetch or compress it again."
            ) from None
    if raw.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _unzip(raw, source)
    if suffix in (".gz", ".zip"):
        kind = "gzip file" if suffix == ".gz" else "zip archive"
        raise DataError(
            f"{source} is not a {kind}, or a damaged one. Fetch it again, or remove {suffix} from "
            "its name if it is plain text."
        )
    return raw


def _unzip(raw: bytes, source: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
            if "xl/workbook.xml" in names:
                raise DataError(f"{source} is an Excel workbook. Save the sheet as CSV.")
            texts = [
                name
                for name in names
                if name.lower().endswith((".csv", ".txt")) and not name.startswith("__MACOSX/")
            ]
            if len(texts) != 1:
                found = ", ".join(names[:10]) + (", …" if len(names) > 10 else "") or "nothing"
                raise DataError(
                    f"{source} must hold exactly one csv or txt file, and holds {len(texts)} "
                    f"(found: {found}). Unpack it and give the file you mean."
                )
            return archive.read(texts[0])
    # RuntimeError: encrypted; NotImplementedError (a RuntimeError): unknown compression.
    except (zipfile.BadZipFile, RuntimeError, OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{source} is a zip archive that cannot be unpacked ({error}). Fetch it again or "
            "give the unpacked file."
        ) from None


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
