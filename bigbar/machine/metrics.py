"""Where the time and the memory of a run went, and what it waited for."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bigbar.errors import DataError
from bigbar.units import as_bytes, as_seconds, as_share, counted
from bigbar.worker_names import worker_name

#: A moment in seconds since the sweep began (negative before it), and a count or bytes.
Series = tuple[tuple[float, int], ...]

#: Above this share of what there was, memory is what the run was short of.
_SHORT_OF_MEMORY = 0.9

#: Stages by what they are for; `sweep_s` is taken apart, and what is not named here is "other".
_GROUPS: dict[str, tuple[str, ...]] = {
    "start-up": ("load_s", "prepare_s", "publish_s", "start_workers_s", "estimate_s"),
    "compiling": ("compile_s",),
    "verification": ("verify_s",),
    "validation": ("validate_s",),
    "writing": ("store_s", "write_s", "page_s", "plot_s"),
}

#: What a sentence about each cause says after the share of the time.
_CAUSES = {
    "compute": "went to backtests, the workers at work {busy} of the sweep; more processors or a "
    "smaller grid would shorten it",
    "waiting for processors": "went by while the workers waited for processors that other programs "
    "had, or that a container's quota withheld; a quieter machine{or_fewer} would help",
    "hand-out": "went by while workers waited for their next slice; a larger grid{or_fewer} would "
    "use them better",
    "uneven end": "went by while workers stood idle and the last slices ran: single combinations "
    "take long",
    "lost work": "went to work that was lost with {lost} and done again; see what ended them",
    "start-up": "went by before the sweep, with reading, workers and the estimate; that grows "
    "little with the grid",
    "compiling": "went to compiling, or to loading the machine code of an earlier run",
    "verification": "went to replays through backtesting.py; a smaller --verify shortens it",
    "validation": "went to holding the result against luck, costs and chance; --no-validate leaves "
    "it out",
    "writing": "went to writing; a faster disk or fewer files would help",
    "other": "went to what is neither sweep, start-up, verification nor writing; see the stages",
}

_BARS = "▁▂▃▄▅▆▇█"
_CHART = 60  # Characters of a chart: with its label it fits 80 columns.
_LABEL = 12

#: Larger numbers than this, bytes or seconds, are none of a run.
_MOST = 10**18


@dataclass(frozen=True)
class SliceTime:
    """One slice of the grid, and who worked on it when.

    Attributes
    ----------
    start, stop : int
        The slice.
    worker : int
        As `bigbar.worker_names` has it.
    begun_s : float
        Since the sweep began.
    seconds : float
    """

    start: int
    stop: int
    worker: int
    begun_s: float
    seconds: float


@dataclass(frozen=True)
class Metrics:
    """What was measured of a run. Times are in seconds, memory in bytes.

    Attributes
    ----------
    stages : mapping of str to float
        Seconds of each stage.
    workers : int
        Worker processes.
    combinations, slices : int
        That the sweep answered.
    capacity_s : float
        Worker-seconds of the sweep: workers times its length, fewer where fewer were allowed.
    busy_s : float
        Of these, at work on a slice.
    processor_s : float
        Of these, on a processor; the rest of `busy_s` they waited for one.
    hand_out_s, hand_outs : float, int
        Time between a worker's slice and its next, and how often that was.
    lead_s, tail_s : float
        Worker-seconds before a worker's first slice, and after its last one.
    slowest : tuple of SliceTime
        Slowest first.
    memory : series
        Of all processes together; what they share is counted once.
    memory_kind : str
        "pss", or "rss" where the system does not tell: then shared memory counts for each.
    peak_memory : int
    memory_limit : int
        What there was at the start, or was allowed; 0 if unknown.
    in_flight : series
        Slices being worked on.
    allowed : series
        How many might be at most, where that followed the machine (`--workers auto`).
    deaths, overdue, stopped : int
        Workers that died; that were ended because a slice took too long; because they were
        stopped for too long.
    watching_s : float
        Processor time that measuring took.
    """

    stages: Mapping[str, float]
    workers: int
    combinations: int = 0
    slices: int = 0
    capacity_s: float = 0.0
    busy_s: float = 0.0
    processor_s: float = 0.0
    hand_out_s: float = 0.0
    hand_outs: int = 0
    lead_s: float = 0.0
    tail_s: float = 0.0
    slowest: tuple[SliceTime, ...] = ()
    memory: Series = ()
    memory_kind: str = "rss"
    peak_memory: int = 0
    memory_limit: int = 0
    in_flight: Series = ()
    allowed: Series = ()
    deaths: int = 0
    overdue: int = 0
    stopped: int = 0
    watching_s: float = 0.0

    @property
    def busy_share(self) -> float:
        """Share of the sweep that the workers were at work, 0 to 1; 0 without a sweep."""
        return self.busy_s / self.capacity_s if self.capacity_s > 0 else 0.0

    @property
    def lost_s(self) -> float:
        """Worker-seconds of the sweep that came to nothing: a worker died, and what it had done
        was done again; others were started in its place."""
        known = self.busy_s + self.hand_out_s + self.lead_s + self.tail_s
        return max(0.0, self.capacity_s - known)


def parts(metrics: Metrics) -> dict[str, float]:
    """Seconds of the run by what they went to.

    Returns
    -------
    dict of str to float
        Compute, waiting for processors, hand-out, uneven end, lost work, start-up, compiling,
        verification, validation, writing, other; they add up to the stages.
    """
    sweep = metrics.stages.get("sweep_s", 0.0)
    per_second = sweep / metrics.capacity_s if metrics.capacity_s > 0 else 0.0
    on_processor = min(metrics.processor_s, metrics.busy_s)
    found = {
        "compute": on_processor * per_second,
        "waiting for processors": (metrics.busy_s - on_processor) * per_second,
        "hand-out": (metrics.hand_out_s + metrics.lead_s) * per_second,
        "uneven end": metrics.tail_s * per_second,
        "lost work": metrics.lost_s * per_second,
    }
    for name, stages in _GROUPS.items():
        found[name] = sum(metrics.stages.get(stage, 0.0) for stage in stages)
    found["other"] = max(0.0, sum(metrics.stages.values()) - sum(found.values()))
    return found


def verdict(metrics: Metrics) -> str:
    """What held the run up most, in a sentence, and what would help."""
    if metrics.memory_limit and metrics.peak_memory > _SHORT_OF_MEMORY * metrics.memory_limit:
        return (
            f"Memory: the processes took {as_bytes(metrics.peak_memory)} of "
            f"{as_bytes(metrics.memory_limit)}"
            + ("; fewer workers need less." if metrics.workers > 1 else ".")
        )
    found = parts(metrics)
    total = sum(found.values())
    if total <= 0:
        return "Nothing was measured."
    cause = max(found, key=lambda name: found[name])
    said = _CAUSES[cause].format(
        busy=as_share(metrics.busy_share),
        lost=_losses(metrics),
        or_fewer=" or fewer workers" if metrics.workers > 1 else "",
    )
    return f"{cause.capitalize()}: {as_share(found[cause] / total)} of {as_seconds(total)} {said}."


def as_json(metrics: Metrics, *, series: bool = True) -> dict[str, Any]:
    """The metrics as plain values that JSON holds.

    Parameters
    ----------
    metrics : Metrics
    series : bool, optional
        Whether to include what was measured over time.

    Returns
    -------
    dict
        Field by field, and the verdict.
    """
    values = dataclasses.asdict(metrics) | {"stages": dict(metrics.stages)}
    values["busy_share"] = metrics.busy_share
    values["verdict"] = verdict(metrics)
    if not series:
        for name in ("memory", "in_flight", "allowed"):
            del values[name]
    return {name: _rounded(value) for name, value in values.items()}


def from_json(values: Mapping[str, Any]) -> Metrics:
    """The metrics that `as_json` put into plain values.

    Parameters
    ----------
    values : mapping
        Fields that are not there get their defaults; names that are no fields are ignored.

    Returns
    -------
    Metrics

    Raises
    ------
    DataError
        If a value is none of its field's kind.
    """
    found = {}
    for one in dataclasses.fields(Metrics):
        if one.name in values or one.default is dataclasses.MISSING:
            try:
                found[one.name] = _READ[str(one.type)](values[one.name])
            except (TypeError, ValueError, KeyError, AttributeError) as problem:
                raise DataError(
                    f"these are no metrics of a run: {one.name} is missing or no {one.type}"
                ) from problem
    return Metrics(**found)


def describe(metrics: Metrics, *, width: int = 100) -> str:
    """The metrics for a person: aligned lines of at most `width` characters, without a line break
    at the end."""
    lines: list[tuple[str, str]] = [("Verdict", verdict(metrics))]
    total = sum(metrics.stages.values())
    lines += [
        (
            "" if place else "Stages",
            f"{stage.removesuffix('_s').replace('_', ' '):<14}{spent:>9.3f} s  "
            f"{as_share(spent / total if total else 0.0):>5}",
        )
        for place, (stage, spent) in enumerate(metrics.stages.items())
    ]
    lines += _sweep(metrics)
    lines += [
        (
            "" if place else "Slowest",
            f"{as_seconds(one.seconds):>8}  combinations {one.start:,} to {one.stop - 1:,}, "
            f"worker {worker_name(one.worker)}, at {one.begun_s:.2f} s",
        )
        for place, one in enumerate(metrics.slowest[:5])
    ]
    kind = "shared memory counted once" if metrics.memory_kind == "pss" else "RSS added up"
    limit = f" of {as_bytes(metrics.memory_limit)}" if metrics.memory_limit else ""
    lines.append(("Memory", f"at most {as_bytes(metrics.peak_memory)}{limit} ({kind})"))
    lines += _chart(metrics.memory, as_bytes)
    if metrics.deaths or metrics.overdue or metrics.stopped:
        lines.append(("Lost", f"{_losses(metrics)}; {as_seconds(metrics.lost_s)} of work again"))
    lines.append(("Measuring", f"{as_seconds(metrics.watching_s)} of processor time"))
    return "\n".join(
        textwrap.fill(
            text, width, initial_indent=f"{label:<{_LABEL}}", subsequent_indent=" " * _LABEL
        )
        for label, text in lines
    )


def _sweep(metrics: Metrics) -> Iterator[tuple[str, str]]:
    if not metrics.slices:
        return
    yield (
        "Sweep",
        f"{counted(metrics.combinations, 'combination')} in {counted(metrics.slices, 'slice')}, "
        f"{counted(metrics.workers, 'worker')} at work {as_share(metrics.busy_share)} of the time",
    )
    each = metrics.hand_out_s / metrics.hand_outs if metrics.hand_outs else 0.0
    yield (
        "",
        f"between slices {as_seconds(metrics.hand_out_s)} ({as_seconds(each)} each), before the "
        f"first {as_seconds(metrics.lead_s)}, after the last {as_seconds(metrics.tail_s)}",
    )
    waited = max(0.0, metrics.busy_s - metrics.processor_s)
    yield "", f"waited for a processor {as_seconds(waited)} of {as_seconds(metrics.busy_s)} at work"
    yield from _chart(metrics.in_flight, lambda count: f"{count} slices at work")
    if metrics.allowed:
        yield from _chart(metrics.allowed, lambda count: f"{count} allowed")


def _chart(series: Series, name: Callable[[int], str]) -> Iterator[tuple[str, str]]:
    """A line of bars, each the highest value of its stretch, and what the highest bar is."""
    if len(series) < 2:
        return
    begun, ended = series[0][0], series[-1][0]
    most = max(value for _, value in series)
    bars = [0] * min(_CHART, len(series))
    for moment, value in series:
        place = int((moment - begun) / max(ended - begun, 1e-9) * len(bars))
        bars[min(place, len(bars) - 1)] = max(bars[min(place, len(bars) - 1)], value)
    drawn = "".join(_BARS[round(value / max(most, 1) * (len(_BARS) - 1))] for value in bars)
    yield "", f"{drawn} {begun:.1f} to {ended:.1f} s, the highest {name(most)}"


def _losses(metrics: Metrics) -> str:
    named = [
        (metrics.deaths, "that died"),
        (metrics.overdue, "ended for taking too long"),
        (metrics.stopped, "ended because it was stopped"),
    ]
    return ", ".join(f"{counted(count, 'worker')} {what}" for count, what in named if count) or (
        "no worker"
    )


def _rounded(value: Any) -> Any:
    """Microseconds will do."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, (list, tuple)):
        return [_rounded(one) for one in value]
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return value


def _to_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < _MOST:
        raise ValueError(value)
    return float(value)


def _to_int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not abs(value) < _MOST:
        raise ValueError(value)
    return value


def _to_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(value)
    return value


def _to_series(values: Any) -> Series:
    series = tuple((_to_float(moment), _to_int(value)) for moment, value in values)
    moments = [moment for moment, _ in series]
    if moments != sorted(moments) or any(value < 0 for _, value in series):
        raise ValueError(values)
    return series


def _to_slice(values: Any) -> SliceTime:
    return SliceTime(
        _to_int(values["start"]),
        _to_int(values["stop"]),
        _to_int(values["worker"]),
        _to_float(values["begun_s"]),
        _to_float(values["seconds"]),
    )


#: How the value of a field of each type is read from JSON.
_READ: dict[str, Callable[[Any], Any]] = {
    "float": _to_float,
    "int": _to_int,
    "str": _to_text,
    "Series": _to_series,
    "tuple[SliceTime, ...]": lambda values: tuple(_to_slice(one) for one in values),
    "Mapping[str, float]": lambda values: {
        _to_text(name): _to_float(value) for name, value in values.items()
    },
}
