"""What is kept so far as bytes, for a store: nothing of it is unpickled when it is read."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

import numpy as np

from bigbar.keeping.reduced import Counts, Done, Reduced, Rows
from bigbar.keeping.rule import Rule
from bigbar.space import Space

_CODEC = "zstd"

#: What was read is no more than this: a file may come from anybody.
_MOST_BYTES = 1 << 31


def packed(reduced: Reduced, done: Done) -> bytes:
    """What is kept, and what is done: a run that was stopped at any moment goes on from there."""
    import pyarrow as pa

    best, sample = reduced.best, reduced.sample
    cells = reduced.sums.cells()
    arrays = {
        "starts": np.array(done.starts, np.int64),
        "stops": np.array(done.stops, np.int64),
        "best_numbers": best.numbers,
        "best_scores": best.scores,
        "best_values": best.values,
        "sample_numbers": sample.numbers,
        "sample_values": sample.values,
        **{f"cells_{name}": values for name, values in vars(cells).items()},
        "cells_places": cells.places.astype(np.int64),
    }
    head = {
        "counts": asdict(reduced.counts),
        "reasons": {str(number): why for number, why in reduced.reasons.items()},
        "arrays": {name: [values.dtype.str, list(values.shape)] for name, values in arrays.items()},
    }
    text = json.dumps(head).encode()
    whole = b"".join(
        [
            len(text).to_bytes(8, "little"),
            text,
            *(np.ascontiguousarray(one).tobytes() for one in arrays.values()),
        ]
    )
    smaller: bytes = pa.compress(whole, codec=_CODEC, asbytes=True)
    return len(whole).to_bytes(8, "little") + smaller


def unpacked(content: bytes, rule: Rule, space: Space) -> tuple[Reduced, Done]:
    """What `packed` was given.

    Raises
    ------
    ValueError
        If it is no such thing.
    """
    try:
        return _unpacked(content, rule, space)
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError) as problem:
        raise ValueError(f"it makes no sense ({problem})") from problem


def _unpacked(content: bytes, rule: Rule, space: Space) -> tuple[Reduced, Done]:
    import pyarrow as pa

    size = int.from_bytes(content[:8], "little")
    if size > _MOST_BYTES:
        raise ValueError("it is too large")
    whole: Any = pa.decompress(content[8:], decompressed_size=size, codec=_CODEC, asbytes=True)
    at = 8 + int.from_bytes(whole[:8], "little")
    head = json.loads(whole[8:at])
    arrays: dict[str, Any] = {}
    for name, (kind, shape) in head["arrays"].items():
        if kind not in ("<i8", "<f8"):
            raise ValueError("values of another kind")
        length = 8 * math.prod(shape)
        arrays[name] = np.frombuffer(whole[at : at + length], kind).reshape(shape).copy()
        at += length
    reduced = Reduced(rule, space)
    reduced.counts = Counts(**{name: int(count) for name, count in head["counts"].items()})
    reduced.reasons = {int(number): str(why) for number, why in head["reasons"].items()}
    reduced.best = Rows(*(arrays[f"best_{name}"] for name in ("numbers", "scores", "values")))
    numbers, values = arrays["sample_numbers"], arrays["sample_values"]
    reduced.add_sample(Rows(numbers, np.empty((len(numbers), 0)), values))
    sums, places = reduced.sums, arrays["cells_places"]
    if len(places) and not 0 <= places.min() <= places.max() < len(sums.counts):
        raise ValueError("cells of another grid")
    for name in ("counts", "parts", "best", "numbers"):
        getattr(sums, name)[places] = arrays[f"cells_{name}"]
    starts, stops = arrays["starts"].tolist(), arrays["stops"].tolist()
    bounds = [bound for piece in zip(starts, stops, strict=True) for bound in piece]
    if bounds != sorted(set(bounds)) or (bounds and not 0 <= bounds[0] < bounds[-1] <= rule.total):
        raise ValueError("stretches of another grid")
    done = Done(starts, stops)
    if len(done) != reduced.counts.tried:
        raise ValueError("what is done is not what was counted")
    return reduced, done
