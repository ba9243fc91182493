"""The files of a run, each written whole or not at all."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar import given
from bigbar.errors import BigBarError, SettingsError
from bigbar.machine.metrics import as_json
from bigbar.machine.resources import process_exists
from bigbar.outcome import Outcome, data_values, moment_text, settings_values
from bigbar.parameter import plain_point, plain_value
from bigbar.pareto import ParetoSet
from bigbar.report.answer import full_statistics
from bigbar.report.ownership import BY_COMMAND, Ways
from bigbar.results import ResultTable
from bigbar.store.owner import place
from bigbar.store.receipt import RECEIPT, receipt, receipt_text
from bigbar.store.records import Ending, RunOutput
from bigbar.validation.summary import as_json as findings_as_json
from bigbar.validation.summary import plain_scalar
from bigbar.version import __version__

SUMMARY, RESULTS, TRADES = "summary.json", "results.parquet", "trades.csv"
PARETO = "pareto.csv"
CSV_EXPORT, PLOT, HEATMAPS = "results.csv", "plot.html", "heatmaps.html"
PAGE = "report.html"

#: Of a Pareto set the summary holds so many results at most; `pareto.csv` has all.
_MOST_POINTS = 200


class OutputError(BigBarError):
    """A file could not be written."""


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Write a file under another name in the same folder, then give it its own in one step.

    Parameters
    ----------
    path : Path
        The file.
    write : callable
        Writes the path it is given.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    OutputError
        If it cannot be written; what stood there before is untouched.
    """
    part = aside(path)
    try:
        try:
            write(part)
            with part.open("rb") as written:
                os.fsync(written.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as problem:
        raise OutputError(f"cannot write {path}: {problem.strerror or problem}") from problem
    return path


def aside(path: Path) -> Path:
    """Another name in the same folder, for what is to have this one later.

    If this process is killed, `prepare_folder` removes what has such a name.
    """
    return path.with_name(_part_name(path.name))


def prepare_folder(folder: Path, *, ways: Ways = BY_COMMAND) -> None:
    """Make the output folder, before any work whose result could not be kept.

    What a process that was killed had half written there is removed.

    Parameters
    ----------
    folder : Path
    ways : Ways, optional
        What to say is to be done.

    Raises
    ------
    OutputError
        If it cannot be made, or not be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / _part_name("probe")
        probe.touch()
        probe.unlink()
        _remove_parts_of_the_dead(folder)
    except OSError as problem:
        raise OutputError(
            f"cannot write to the output folder {folder}: {problem.strerror or problem}; "
            f"{ways.other}"
        ) from problem


def _part_name(name: str) -> str:
    """For a file on its way to that name: it tells which process of which machine writes it."""
    return f".{name}.{_here()}-{os.getpid()}-{secrets.token_hex(4)}"


def _here() -> str:
    return hashlib.sha256(place().encode()).hexdigest()[:8]


def _remove_parts_of_the_dead(folder: Path) -> None:
    """Others of this machine may be writing there at this moment; others elsewhere too."""
    for part in folder.glob(f".*.{_here()}-*-*"):
        pid = part.name.split("-")[-2]
        if pid.isdecimal() and not process_exists(int(pid)):
            if part.is_dir():
                shutil.rmtree(part)
            else:
                part.unlink(missing_ok=True)


def write_results(
    path: Path, table: ResultTable, *, where: NDArray[np.bool_] | None = None
) -> Path:
    """A Parquet file with a row a combination, in grid order.

    Five parameter columns, then every statistic under backtesting.py's name; durations as
    timedelta. Of all combinations, or of those `where` it says so.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = pa.Table.from_pandas(table.frame(where), preserve_index=False)
    parameters = [axis.name for axis in table.space.parameters]
    return write_whole(
        path,
        # Parameters repeat, so a dictionary shrinks them; statistics do not, and trying costs
        # a third of the time.
        lambda part: pq.write_table(
            arrow, part, use_dictionary=parameters, compression="zstd", compression_level=1
        ),
    )


def write_csv(path: Path, table: ResultTable, *, where: NDArray[np.bool_] | None = None) -> Path:
    """The same table as text."""
    return _write_text(path, table.frame(where))


def _write_text(path: Path, frame: pd.DataFrame) -> Path:
    """A table as text, by Arrow, which takes a tenth of the time that pandas does."""
    import pyarrow as pa
    import pyarrow.csv

    arrow = pa.Table.from_pandas(with_durations_as_text(frame), preserve_index=False)
    return write_whole(path, lambda part: pyarrow.csv.write_csv(arrow, part))


def with_durations_as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame itself, its durations as pandas prints them; None where there is none."""
    for name in frame.columns[frame.dtypes == "timedelta64[ns]"]:
        codes, found = pd.factorize(frame[name])
        texts = [*map(str, found), None]  # A missing duration has code -1: the last one.
        frame[name] = pd.Series([texts[code] for code in codes], frame.index, dtype=object)
    return frame


def write_trades(folder: Path, trades: pd.DataFrame) -> Path:
    """`trades.csv`: the closed trades of the best combination."""
    listed = pd.DataFrame(
        {
            "entry_time": [moment_text(moment) for moment in trades["EntryTime"]],
            "exit_time": [moment_text(moment) for moment in trades["ExitTime"]],
            "direction": np.where(trades["Size"] > 0, "long", "short"),
            "size": trades["Size"].astype(np.int64),
            "entry_price": trades["EntryPrice"],
            "exit_price": trades["ExitPrice"],
            "profit": trades["PnL"],
            "return": trades["ReturnPct"],
            "commission": trades["Commission"],
        }
    )
    return write_whole(folder / TRADES, lambda part: listed.to_csv(part, index=False))


def write_pareto(path: Path, found: ParetoSet) -> Path:
    """`pareto.csv`: every combination of the Pareto set, the best by the main objective first."""
    return _write_text(path, found.frame().reset_index())


def write_summary(folder: Path, outcome: Outcome) -> Path:
    """`summary.json`: settings, data, grid, timings, memory, failures, the best, the proof."""
    text = json.dumps(summary(outcome), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # A file name that is no valid text holds surrogates: JSON takes them escaped.
    return write_whole(
        folder / SUMMARY,
        lambda part: part.write_text(text, encoding="utf-8", errors="backslashreplace"),
    )


def receipt_of(outcome: Outcome, command: Sequence[str]) -> dict[str, Any]:
    """What went into a run, and the digest of what came of it."""
    return receipt(
        outcome.identity,
        run=outcome.carried.run,
        state=outcome.state,
        settings=settings_values(outcome),
        data=data_values(outcome),
        command=command,
        config=outcome.config,
        completed=outcome.reached,
        failed=outcome.failed,
        result_sha256=outcome.result_sha256,
    )


def page_path(asked: str | os.PathLike[str] | None = None) -> Path:
    """Where the page about a run is to stand; its folder is made.

    Parameters
    ----------
    asked : path, optional
        A file that ends in `.html`, or a folder. By default a new folder `bigbar_report` here,
        with a number where there is one of that name; a temporary one if none can be made here.

    Raises
    ------
    SettingsError
        If it is a file of another kind.
    OutputError
        If the folder cannot be made.
    """
    if asked is None:
        return _new_folder() / PAGE
    path = Path(given.path("path", asked))
    is_page = path.suffix.lower() in (".html", ".htm") and not path.is_dir()
    if path.is_file() and not is_page:
        raise SettingsError(f"{path} is a file, and no page; name one that ends in .html")
    page = path if is_page else path / PAGE
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise OutputError(f"cannot write {page}: {problem.strerror or problem}") from problem
    return page


def _new_folder() -> Path:
    for number in itertools.count(1):
        folder = Path("bigbar_report" if number == 1 else f"bigbar_report_{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        except OSError:
            break
        return folder
    return Path(tempfile.mkdtemp(prefix="report_of_bigbar_"))


def write_receipt(folder: Path, found: dict[str, Any]) -> Path:
    """`receipt.json`: what `receipt_of` found."""
    text = receipt_text(found)
    return write_whole(
        folder / RECEIPT,
        lambda part: part.write_text(text, encoding="utf-8", errors="backslashreplace"),
    )


def ending(outcome: Outcome, text: str) -> Ending:
    """How a run ended, for its store; `text` is the answer as it is printed."""
    value = None
    if outcome.best is not None:
        value = float(outcome.table.column(outcome.choice.objective.name)[outcome.best])
    metrics = None if outcome.metrics is None else as_json(outcome.metrics)
    return Ending(
        state=outcome.state,
        best=outcome.best,
        best_value=value,
        result_sha256=outcome.result_sha256,
        error=outcome.unsteady
        if outcome.stopped_by is None
        else f"stopped by signal {outcome.stopped_by}",
        output=RunOutput(text, summary(outcome), dict(outcome.timings), metrics),
    )


def summary(outcome: Outcome) -> dict[str, Any]:
    """What `summary.json` holds, as plain Python values."""
    job, execution, table = outcome.job, outcome.execution, outcome.table
    return {
        "version": __version__,
        "run": _run(outcome),
        "settings": settings_values(outcome),
        "config": outcome.config,
        "data": data_values(outcome),
        "grid": {
            "axes": {
                each.name: [plain_value(value) for value in each.values]
                for each in job.space.parameters
            },
            "combinations": len(job.space) if outcome.rule is None else outcome.total,
        },
        "engine": job.engine,
        "engine_reason": outcome.engine_reason,
        "in_python": dict(outcome.in_python),
        "workers": execution.workers,
        "workers_kind": outcome.workers_kind,
        "start_method": outcome.start_method,
        "shared_kind": outcome.shared_kind,
        "chunk_size": outcome.chunk_size,
        "estimated_duration_s": outcome.estimated_duration_s,
        "timings": {stage: round(seconds, 6) for stage, seconds in outcome.timings.items()},
        "backtests_per_second": outcome.backtests_per_second,
        "machines": [vars(machine) for machine in outcome.machines],
        "memory": _memory(outcome),
        "forecast": outcome.against_forecast,
        "metrics": None if outcome.metrics is None else as_json(outcome.metrics, series=False),
        "completed": outcome.reached,
        "keep": _kept(outcome),
        "result_sha256": outcome.result_sha256,
        "stopped_by_signal": outcome.stopped_by,
        "without_trades": outcome.without_trades,
        "ties": table.ties(outcome.choice),
        "failed": outcome.failed,
        "failures": [
            {
                "combination": failure.number,
                "parameters": plain_point(job.space[failure.number]),
                "reason": failure.reason,
            }
            for failure in outcome.failures
        ],
        "best": _best(outcome),
        "pareto": _pareto(outcome),
        "verification": _verification(outcome),
        "broke_off": list(outcome.broke_off.values()),
        **_worth(outcome),
    }


def _run(outcome: Outcome) -> dict[str, Any]:
    earlier = outcome.carried.earlier
    return {
        "id": outcome.carried.run,
        "fingerprint": outcome.identity.fingerprint,
        "state": outcome.state,
        "resumed_rows": outcome.resumed,
        "reused_rows": outcome.reused,
        "compared_with": earlier.id if earlier is not None and not outcome.failures else None,
    }


def _kept(outcome: Outcome) -> dict[str, Any] | None:
    """How much of the rows is kept, where not all are, and what is known of all."""
    rule, reduced, in_sample = outcome.rule, outcome.reduced, outcome.in_sample
    if rule is None or reduced is None or in_sample is None:
        return None
    return {
        "top": rule.top,
        "rows": len(outcome.table),
        "sample": int(np.count_nonzero(in_sample)),
        **vars(reduced.counts),
    }


def _memory(outcome: Outcome) -> dict[str, Any] | None:
    if outcome.memory is None:
        return None
    return {
        f"{name}_bytes": list(value) if isinstance(value, tuple) else value
        for name, value in vars(outcome.memory).items()
    }


def _best(outcome: Outcome) -> dict[str, Any] | None:
    if outcome.best is None:
        return None
    statistics = full_statistics(outcome, outcome.best)
    return {
        "combination": outcome.best,
        "parameters": plain_point(outcome.job.space[outcome.best]),
        "statistics": {name: plain_scalar(value) for name, value in statistics.items()},
    }


def _pareto(outcome: Outcome) -> dict[str, Any] | None:
    """Several objectives: how many no other beats, and some of them, spread evenly."""
    found = outcome.pareto
    if found is None:
        return None
    luck = {} if outcome.findings is None else outcome.findings.pareto_luck or {}
    places = found.spread(_MOST_POINTS)
    front = [
        {
            **_combination(outcome, one.number),
            "shared_by": one.sharing,
            "luck": plain_scalar(luck.get(one.number)),
        }
        for one in found.standings(places)
    ]
    return {
        "objectives": {
            each.name: each.statistic.better.name.lower() for each in outcome.choice.objectives
        },
        "combinations": len(found),
        "results": len(found.starts),
        "compromise": _combination(outcome, int(found.points[found.compromise])),
        "front": front,
    }


def _combination(outcome: Outcome, number: int) -> dict[str, Any]:
    """A combination and its objectives."""
    values = outcome.table.values_of(number)
    return {
        "combination": number,
        "parameters": plain_point(outcome.job.space[number]),
        "values": {name: plain_scalar(values[name]) for name in outcome.choice.names},
    }


def _worth(outcome: Outcome) -> dict[str, Any]:
    """Every figure of the validation under its name; null where there is none."""
    found = findings_as_json(outcome.findings, outcome.job.space)
    found["validation_notes"] = found.pop("notes")
    return found


def _verification(outcome: Outcome) -> dict[str, Any] | None:
    found = outcome.verification
    if found is None:
        return None
    return {
        "combinations": found.combinations,
        "wanted": found.wanted,
        "replayed_before": found.before,
        "statistics": found.statistics,
        "max_relative_difference": plain_scalar(found.max_relative_difference),
        "ok": found.ok,
        "answered_differently": list(found.unsteady),
    }
