"""The files about many files together: summary, page and receipt, in the folder above theirs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bigbar.batch.common import Common
from bigbar.batch.entry import LIGHTS, Entry, with_result
from bigbar.batch.page import page_of
from bigbar.options import Options
from bigbar.report.delivery import Delivered, Delivery
from bigbar.report.files import PAGE, SUMMARY, write_whole
from bigbar.report.ownership import check_folder, place_of
from bigbar.store.receipt import RECEIPT, receipt_of_several
from bigbar.version import __version__


def check(options: Options, sources: Sequence[str]) -> None:
    """Refuse an output folder where something would be lost.

    Raises
    ------
    SettingsError
        With every file that is in the way.
    """
    for source in sources:
        names = (SUMMARY, PAGE, RECEIPT)
        check_folder(options.output, names, place_of(source), force=options.force)


def write(
    options: Options,
    entries: Sequence[Entry],
    common: Common | None,
    *,
    state: str,
    total: int,
    notes: Sequence[str] = (),
) -> Delivered:
    """Write what there is about all files together; nothing where none was run.

    Parameters
    ----------
    options : Options
    entries : sequence of Entry
        The files that were reached.
    common : Common or None
    state : {"finished", "failed", "interrupted"}
    total : int
        Files that there are.
    notes : sequence of str, optional
        What was left out.

    Raises
    ------
    bigbar.report.files.OutputError
        If a file cannot be written.
    """
    if all(entry.summary is None for entry in entries):
        return Delivered()
    found = summary_of(options, entries, common, state=state, total=total, notes=notes)
    receipt = receipt_of_several(
        [
            {
                "name": entry.name,
                "run": entry.summary["run"]["id"],
                "fingerprint": entry.summary["run"]["fingerprint"],
                "result_sha256": entry.summary["result_sha256"],
            }
            for entry in entries
            if entry.summary is not None
        ],
        state=state,
        command=options.command,
        config=options.config,
    )
    text = json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    html = page_of(
        entries,
        common,
        title=options.request.spec.title,
        objective=options.request.choice.objective.name,
        summary=found,
    )
    with Delivery(options.output, force=options.force) as delivery:
        delivery.add(PAGE, lambda path: _written(path, html))
        delivery.add(SUMMARY, lambda path: _written(path, text))
        return delivery.put_in_place(receipt)


def _written(path: Path, content: str) -> Path:
    # A file name that is no valid text holds surrogates: JSON takes them escaped.
    return write_whole(
        path,
        lambda part: part.write_text(content, encoding="utf-8", errors="backslashreplace"),
    )


def summary_of(
    options: Options,
    entries: Sequence[Entry],
    common: Common | None,
    *,
    state: str,
    total: int,
    notes: Sequence[str],
) -> dict[str, Any]:
    """What `summary.json` holds about all files together, as plain Python values."""
    lights = Counter(entry.light for entry in with_result(entries))
    return {
        "version": __version__,
        "state": state,
        "settings": {
            "strategy": options.request.spec.path,
            "maximize": options.request.choice.objective.name
            if len(options.request.choice.objectives) == 1
            else list(options.request.choice.names),
            "min_trades": options.request.choice.min_trades,
            "common": options.common,
        },
        "config": options.config,
        "total": total,
        "notes": list(notes),
        "files": [_file(entry) for entry in entries],
        "lights": {light: lights[light] for light in LIGHTS},
        "common": None if common is None else common.as_json(),
    }


def _file(entry: Entry) -> dict[str, Any]:
    found = entry.summary
    run: dict[str, Any] = {} if found is None else found["run"]
    data: dict[str, Any] = {} if found is None else found["data"]
    verdict = None if found is None else found["verdict"]
    return {
        "name": entry.name,
        "path": entry.path,
        "folder": None if entry.folder is None else entry.name,
        "exit_code": entry.exit_code,
        "problem": entry.problem,
        "done_before": entry.taken,
        **{name: run.get(name) for name in ("id", "fingerprint", "state")},
        "result_sha256": None if found is None else found["result_sha256"],
        **{name: data.get(name) for name in ("rows", "first_time", "last_time", "sha256")},
        "combinations": None if found is None else found["grid"]["combinations"],
        "failures": entry.failed_combinations,
        "best": entry.best,
        "light": entry.light,
        "headline": None if verdict is None else verdict["headline"],
    }
