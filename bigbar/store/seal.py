"""Checksums over everything that is stored, together with what it belongs to.

A checksum of bytes alone says that they are whole, not that they stand where they belong. So a
seal covers the numbers around them as well: the run, the block, the bounds of a slice.
"""

from __future__ import annotations

import hashlib
import math
import struct

#: What is said of a seal that is not that of its values.
BROKEN = "its checksum does not match"


def seal(*values: str | bytes | float | None) -> str:
    """Checksum of values as SQLite holds them, each with its kind and its length.

    Parameters
    ----------
    values : str, bytes, int, float or None
        NaN counts as None, because SQLite knows none; so do both zeros as one.

    Returns
    -------
    str
        128 bits of BLAKE2b, in hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=16)
    for value in values:
        kind, content = _as_bytes(value)
        digest.update(kind + len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.hexdigest()


def _as_bytes(value: object) -> tuple[bytes, bytes]:
    if isinstance(value, str):  # What was no valid text has been read with its bytes escaped.
        return b"s", value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        return b"b", value
    if isinstance(value, int):
        return b"i", str(int(value)).encode("ascii")
    if isinstance(value, float):
        return (b"-", b"") if math.isnan(value) else (b"f", struct.pack("<d", value + 0.0))
    if value is None:
        return b"-", b""
    raise TypeError(f"SQLite holds no {type(value).__name__}")


def key_of(run: int, fingerprint: str) -> str:
    """What the seals of a run's rows know it by: another run may get its number one day."""
    return f"{run}:{fingerprint}"
