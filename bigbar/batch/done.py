"""What an earlier command has done of a file already: known by its receipt, and left as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from bigbar.data.read import Bars
from bigbar.engines.find import AUTO
from bigbar.errors import BigBarError
from bigbar.job import Job
from bigbar.options import Options
from bigbar.pipeline import checked_job
from bigbar.report.files import RESULTS, SUMMARY
from bigbar.report.ownership import is_named, receipt_in
from bigbar.report.run_files import RunFiles
from bigbar.results import ResultTable
from bigbar.store.fingerprint import identity_of
from bigbar.store.receipt import FILES
from bigbar.store.search_parts import SearchParts, keep_parts, search_parts
from bigbar.version import __version__


@dataclass(frozen=True)
class Done:
    """A file that need not be run again.

    Attributes
    ----------
    summary : dict
        As its `summary.json` has it.
    job : Job
        What was run.
    """

    summary: dict[str, Any]
    job: Job


def done_before(options: Options, files: RunFiles, bars: Bars) -> Done | None:
    """What the very same command left of a file: same options, bars and code, files untouched.

    Parameters
    ----------
    options : Options
    files : RunFiles
    bars : Bars
        The file as it is now.

    Returns
    -------
    Done or None
        None where it is to be run: that it was begun, or never, or something is another by now,
        `--fresh` was given, or what failed is to be run again.
    """
    policy = options.policy
    if policy is None or policy.fresh:
        return None
    receipt = receipt_in(files.folder)
    if receipt is None or not _is_of_this(receipt, files, options):
        return None
    if policy.retry_failed and receipt["failed"]:
        return None
    try:
        named = receipt.get(FILES, {})
        if not {SUMMARY, RESULTS} <= named.keys():
            return None
        if not all(is_named(files.folder / name, receipt) for name in named):
            return None
        summary = json.loads((files.folder / SUMMARY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    job = next(
        (
            job
            for job, search in _jobs(options, bars, receipt["engine"])
            if identity_of(bars.frame, job, search, _kept(options, job)).fingerprint
            == receipt["fingerprint"]
        ),
        None,
    )
    return None if job is None or summary["broke_off"] else Done(summary, job)


def _is_of_this(receipt: dict[str, Any], files: RunFiles, options: Options) -> bool:
    return (
        receipt.get("state") == "finished"
        and receipt.get("optimizer") == __version__
        and receipt.get("command") == list(files.command)
        and receipt.get("config") == options.config
    )


def _jobs(options: Options, bars: Bars, engine: str) -> Iterator[tuple[Job, SearchParts | None]]:
    """What could have been run: the points or the search asked for, or the whole grid instead."""
    request = options.request
    try:
        job = checked_job(bars, request)
    except BigBarError:  # Running it says why.
        return
    if job.engine not in (engine, AUTO):
        return
    asking = request.asking
    search = None if asking is None else search_parts(asking, request.choice)
    yield replace(job, engine=engine), search
    if request.whole is not None:
        yield replace(job, engine=engine, space=request.whole.space()), None


def _kept(options: Options, job: Job) -> SearchParts | None:
    """By what a part of the rows is kept, where not all are."""
    rule = options.request.rule(job.space)
    return None if rule is None else keep_parts(rule)


def stored_table(files: RunFiles, job: Job, columns: tuple[str, ...]) -> ResultTable:
    """Some statistics of every combination, from the files of a run.

    Parameters
    ----------
    files : RunFiles
    job : Job
        Of the run.
    columns : tuple of str
        Statistics; the others are NaN.
    """
    import pandas as pd

    table = ResultTable.empty(job.space)
    names = list(dict.fromkeys(columns))
    frame = pd.read_parquet(files.folder / RESULTS, columns=names)
    for name in names:
        values = frame[name]
        if values.dtype.kind == "m":
            table.column(name)[:] = values.to_numpy().astype("timedelta64[ns]").astype("float64")
            table.column(name)[values.isna().to_numpy()] = float("nan")
        else:
            table.column(name)[:] = values.to_numpy(dtype="float64")
    return table
