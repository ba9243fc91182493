"""`report`: the page of a stored run, drawn again; `compare --html`: two runs on one page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bigbar.history.answer import Answer
from bigbar.history.compare import compare, compare_runs, moves
from bigbar.history.export import check_place, deliver
from bigbar.history.rebuild import Rebuilt, find_out_again, rebuild
from bigbar.progress.events import Listener
from bigbar.report.files import write_whole
from bigbar.report.page.pair import Differences, Side, pair_html
from bigbar.report.page.report import write_report
from bigbar.report.page.subject import Subject
from bigbar.store.records import Run
from bigbar.store.runs import RunStore
from bigbar.streams import say
from bigbar.validation.findings import Findings, Verdict


class Steps(Listener):
    """Tells what takes a while, and nothing else."""

    def validating(self, what: str) -> None:
        say(f"{what} …")

    def compiling(self) -> None:
        say("compiling, which happens once on a machine …")

    def event(self, text: str) -> None:
        say(text)


def redraw(
    store: RunStore,
    run: Run,
    *,
    to: Path | None = None,
    force: bool = False,
    data: str | None = None,
    strategy: str | None = None,
) -> Answer:
    """Write the page of a run, as far as it came.

    Parameters
    ----------
    store : RunStore
    run : Run
    to : Path, optional
        The file; `report-ID.html` beside the store by default.
    force : bool, optional
        Whether a file that is there may be replaced although this program did not write it.
    data, strategy : str, optional
        Price file and strategy, where they are now.

    Raises
    ------
    BigBarError
        If the run cannot be put together again, something would be lost, or the page cannot be
        written.
    """
    path = to or store.path.parent / f"report-{run.id}.html"
    check_place(store, path, force=force)
    found = rebuild(store, run, data=data, strategy=strategy)
    if run.state == "finished":
        find_out_again(found, Steps())
    outcome = found.outcome

    def write(aside: Path) -> Path:
        return write_report(
            aside, outcome, outcome.findings, receipt=found.receipt, remarks=found.remarks
        )

    deliver(path, write, force=force)
    text = "\n".join([f"{path}: run {run.id}", *found.remarks])
    light = None if outcome.findings is None else outcome.findings.verdict.light
    values = {"path": str(path), "run": run.id, "state": run.state, "light": light}
    return Answer(text, values | {"remarks": list(found.remarks)})


def draw_both(
    store: RunStore, first: Run, second: Run, *, to: Path | None = None, force: bool = False
) -> Answer:
    """Compare two runs, and write a page that has them side by side.

    The verdicts are those that were given then: nothing is found out again.

    Parameters
    ----------
    store : RunStore
    first, second : Run
    to : Path, optional
        The file; `compare-A-B.html` beside the store by default.
    force : bool, optional
        Whether a file that is there may be replaced although this program did not write it.

    Raises
    ------
    BigBarError
        As of `redraw`.
    """
    path = to or store.path.parent / f"compare-{first.id}-{second.id}.html"
    check_place(store, path, force=force)
    told, found = compare(store, first, second), compare_runs(store, first, second)
    names = f"run {first.id}", f"run {second.id}"
    differences = Differences(found.differing, list(moves(found, names)))
    sides = (_side("a", rebuild(store, first)), _side("b", rebuild(store, second)))
    html = pair_html(sides, differences)

    def write(aside: Path) -> Path:
        return write_whole(aside, lambda part: part.write_text(html, encoding="utf-8"))

    deliver(path, write, force=force)
    return replace(
        told,
        text=f"{told.text}\n\n{path}: both side by side",
        values=told.values | {"path": str(path)},
    )


def _side(key: str, found: Rebuilt) -> Side:
    said = found.summary.get("verdict")
    findings = None
    if said is not None:
        findings = Findings(Verdict(said["light"], said["headline"], tuple(said["lines"])))
    subject = Subject(found.outcome, findings, remarks=found.remarks)
    return Side(key, f"Run {found.run.id}", subject)
