"""The command on many files: one after the other, each with all workers; one bad ends no other."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from bigbar.batch import files as of_all
from bigbar.batch.answer import answer
from bigbar.batch.common import Common, CommonSearch
from bigbar.batch.done import done_before, stored_table
from bigbar.batch.entry import Entry, with_result
from bigbar.batch.listener import FilesTerminal
from bigbar.batch.proof import Load, prove_common
from bigbar.batch.returns_again import returns_again
from bigbar.causes import cause_in
from bigbar.data.many import Source, Sources
from bigbar.data.read import Bars
from bigbar.errors import (
    BigBarError,
    FailedCombinations,
    InputError,
    Interrupted,
    NothingToRetry,
    VerificationError,
)
from bigbar.file_run import (
    Loaded,
    begin,
    carry_out_file,
    exit_code,
    files_of,
    load,
    save_settings,
    tell,
)
from bigbar.job import Job
from bigbar.options import Options
from bigbar.outcome import PROOF
from bigbar.printable import printable
from bigbar.progress.terminal import wants_bar
from bigbar.report.answer import differs_from_earlier, why_nothing
from bigbar.report.console import terminal_width
from bigbar.report.files import prepare_folder, summary
from bigbar.report.run_files import RunFiles
from bigbar.store.fingerprint import bars_sha256
from bigbar.streams import answer_apart
from bigbar.validation.common_choice import FIGURES


@dataclass
class _Batch:
    """The files as far as they were reached."""

    options: Options
    terminal: FilesTerminal
    search: CommonSearch | None
    entries: list[Entry] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    jobs: dict[str, tuple[str, Job]] = field(default_factory=dict)
    differs: str | None = None
    stopped: int | None = None


def run_many(options: Options, sources: Sources) -> int:
    """Carry out a validated command line that names several files.

    Parameters
    ----------
    options : Options
    sources : Sources

    Returns
    -------
    int
        0 all done; 1 where one was not verified; 2 where none has a result; 3 where some, or some
        of their combinations, failed; 128 and the number of the signal that stopped it.

    Raises
    ------
    SettingsError
        If nothing can be begun with.
    """
    with answer_apart(), ExitStack() as stack:
        terminal = FilesTerminal(
            sys.stderr, show_bar=wants_bar(sys.stderr, no_progress=options.no_progress)
        )
        for note in (*sources.notes, options.engine_reason):
            if note:
                terminal.event(note)
        paths = [source.path for source in sources.files]
        of_all.check(options, paths)
        prepare_folder(options.output)
        begin(options, paths, terminal)
        save_settings(options, terminal)
        search = stack.enter_context(_search(options)) if options.common else None
        batch = _Batch(options, terminal, search)
        if search is not None:
            terminal.on_returns = search.returns
        _run_all(batch, sources.files)
        common = _common(batch)
        code = _code(batch)
        delivered = of_all.write(
            options,
            batch.entries,
            common,
            state=_state(code),
            total=len(sources.files),
            notes=sources.notes,
        )
        text = answer(
            batch.entries,
            common,
            objective=options.request.choice.objective.name,
            total=len(sources.files),
            page=next((str(path) for path in delivered.files if path.suffix == ".html"), None),
            folder=str(options.output),
            sought=options.common,
            width=terminal_width(),
        )
        for note in delivered.notes:
            terminal.event(note)
    tell(printable("\n\n".join([*batch.texts, text])), options, terminal)
    if batch.differs is not None:
        raise VerificationError(batch.differs)
    if delivered.problem is not None:  # The answer was given all the same.
        raise delivered.problem
    return code


def _search(options: Options) -> CommonSearch:
    request = options.request
    return CommonSearch(
        request.space,
        request.choice,
        str(options.common),
        assess=request.plan is not None and request.plan.assess,
        folder=options.output,
        seed=request.execution.seed,
    )


def _run_all(batch: _Batch, sources: Sequence[Source]) -> None:
    """Each file in its turn, as far as nobody stops it."""
    terminal = batch.terminal
    for place, source in enumerate(sources, 1):
        terminal.begin(source.name)
        try:
            entry = _entry(batch, source)
        except Interrupted as stopped:
            batch.stopped = stopped.signal_number
        except KeyboardInterrupt:
            batch.stopped = 2
        else:
            batch.entries.append(entry)
            terminal.ended(entry, place, len(sources))
            batch.stopped = entry.exit_code - 128 if entry.exit_code > 128 else None
        if batch.stopped is not None:
            break
    terminal.begin("")


def _entry(batch: _Batch, source: Source) -> Entry:
    """What comes of a file, whatever goes wrong with it."""
    options, search = batch.options, batch.search
    files = files_of(
        options,
        folder=options.output / source.name,
        source=source.path,
        command=[*options.typed, source.path],
    )
    try:
        files.check()
        loaded = load(options, source.path)
        if search is not None:
            search.begin(source.name, bars_sha256(loaded.bars.frame))
        entry = _done(batch, source, files, loaded.bars)
        if entry is None:
            entry = _run_one(batch, source, files, loaded)
    except Exception as problem:
        why = str(problem) if isinstance(problem, BigBarError) else _unforeseen(problem)
        code = problem.exit_code if isinstance(problem, BigBarError) else 1
        unproven = isinstance(problem, VerificationError)
        entry = Entry(source.name, source.path, None, None, why, code, unproven=unproven)
    if search is not None:
        search.leave(entry.problem or "not every combination was run")
    return entry


def _unforeseen(problem: Exception) -> str:
    """An exception of the strategy's, or a mistake of the program's: in a line, and where."""
    last = traceback.extract_tb(problem.__traceback__)[-1]
    return f"{cause_in(problem)} ({last.filename}, line {last.lineno})"


def _done(batch: _Batch, source: Source, files: RunFiles, bars: Bars) -> Entry | None:
    """A file that an earlier command has done; None where it is to be run."""
    options, search = batch.options, batch.search
    done = done_before(options, files, bars)
    if done is None:
        return None
    if search is not None and done.summary["best"] is not None:
        columns = (options.request.choice.objective.name, *FIGURES)
        if search.lacks_returns:
            returns_again(bars, done.job, options.request, batch.terminal)
        search.add(stored_table(files, done.job, columns), done.summary)
        batch.jobs[source.name] = source.path, done.job
    code, problem = 0, None
    if done.summary["best"] is None:
        code, problem = InputError.exit_code, "no combination counts"
    if done.summary["failed"]:
        code = FailedCombinations.exit_code
    return Entry(source.name, source.path, files.folder, done.summary, problem, code, taken=True)


def _run_one(batch: _Batch, source: Source, files: RunFiles, loaded: Loaded) -> Entry:
    """Run a file, and keep of it what the table across all takes."""
    search = batch.search
    try:
        found = carry_out_file(batch.options, files, batch.terminal, loaded=loaded)
    except NothingToRetry as told:  # Nothing failed, but the files of that run are not there.
        return Entry(source.name, source.path, None, None, str(told), InputError.exit_code)
    outcome, delivered = found.outcome, found.delivered
    held = summary(outcome)
    problems = [] if outcome.best is not None else [why_nothing(outcome)]
    if outcome.stopped_by is not None:
        problems.append("stopped")
    if delivered is not None and delivered.problem is not None:
        problems.append(str(delivered.problem))
    code = exit_code(outcome)
    if delivered is not None and delivered.problem is not None and not code:
        code = delivered.problem.exit_code
    if search is not None and outcome.complete and outcome.best is not None and code < 128:
        if search.lacks_returns:
            returns_again(loaded.bars, outcome.job, batch.options.request, batch.terminal)
        search.add(outcome.table, held)
        batch.jobs[source.name] = source.path, outcome.job
    if batch.options.verbose and found.text:
        batch.texts.append(found.text)
    return Entry(
        source.name,
        source.path,
        files.folder,
        held,
        "; ".join(problems) or None,
        code,
        unproven=differs_from_earlier(outcome) or PROOF in outcome.broke_off,
    )


def _common(batch: _Batch) -> Common | None:
    """The one setting for all files, proved on each; none where it was stopped."""
    if batch.search is None or batch.stopped is not None:
        return None

    def loader(path: str, job: Job) -> Load:
        return lambda: (load(batch.options, path).bars, job)

    files = {name: loader(*held) for name, held in batch.jobs.items()}
    try:
        found = batch.search.found()
        if found is None:
            return None
        return prove_common(found, files, batch.options.request.execution)
    except Interrupted as stopped:
        batch.stopped = stopped.signal_number
    except VerificationError as problem:
        batch.differs = str(problem)
    return None


def _code(batch: _Batch) -> int:
    """What the shell is told."""
    if batch.stopped is not None:
        return Interrupted(batch.stopped).exit_code
    if not with_result(batch.entries):
        return InputError.exit_code
    if batch.differs is not None or any(entry.unproven for entry in batch.entries):
        return VerificationError.exit_code
    failed = any(entry.exit_code for entry in batch.entries)
    return FailedCombinations.exit_code if failed else 0


def _state(code: int) -> str:
    if code > 128:
        return "interrupted"
    return "failed" if code else "finished"
