"""The command line as values that a run takes, checked before any work."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bigbar.choice import Choice
from bigbar.command_line import Parser
from bigbar.config.merging import merged, named_config, typed_values, unbeaten
from bigbar.config.reading import ConfigFile, read_config
from bigbar.config.saving import OF_ONE_RUN, Saving, saving_of
from bigbar.config.values import NO_CONFIG, Config, config_of
from bigbar.data.many import Sources, several
from bigbar.data.reading import Reading, parse_columns
from bigbar.engines.find import available_engine
from bigbar.errors import SettingsError
from bigbar.execution import on_cluster
from bigbar.keeping.rule import rows_kept
from bigbar.machine.budget import Files
from bigbar.machine.other_programs import worker_range
from bigbar.machine.resources import usable_processors
from bigbar.outcome import Execution, replays_asked_for
from bigbar.parser import make_parser
from bigbar.printable import shown
from bigbar.program import as_typed
from bigbar.request import Request
from bigbar.search.find import Points, Search
from bigbar.spec import StrategySpec
from bigbar.store.recording import ReusePolicy
from bigbar.strategies.find import DEFAULT
from bigbar.strategy_options import (
    account_of,
    constrained,
    constraints_of,
    described_by,
    named_strategy,
    option,
    product_of,
    strategy_of,
)
from bigbar.streams import answer_apart
from bigbar.validation.plan import Plan

#: Options that change nothing in the files of one of several runs.
_OF_ALL = frozenset(
    {
        *("common", "output", "dashboard", "save_config", "verbose", "no_progress"),
        *("workers", "min_workers", "max_workers", "start_method", "max_memory"),
    }
)


@dataclass(frozen=True)
class Options:
    """A validated command line.

    Attributes
    ----------
    file : str
        The price file; the first of several.
    several : Sources or None
        The price files, where several were named, or a folder or a pattern.
    common : str or None
        What the one setting for all of them is found by; None where none is.
    reading : Reading
        How it is to be read.
    request : Request
        What is wanted, and how it is carried out.
    engine_reason : str or None
        Why the engine is another than was asked for.
    optimize : bool
        False for a single backtest.
    top : int
    plot : bool
    export_csv : bool
    output : Path
    force : bool
        Whether files there that this program did not write may be replaced.
    no_progress : bool
    verbose : bool
        Whether to print all that there is to say, not just the answer.
    dashboard : bool
        Whether the run is shown in a browser while it goes on.
    policy : ReusePolicy or None
        What to do about earlier runs; None to keep none.
    command : tuple of str
        As it was typed, without the program's name.
    typed : tuple of str
        Of this the options that decide what is in the files of a run: without those about this
        one run, or about several files together, or about how it is carried out.
    config : dict or None
        The file of settings, by path and sha256; None where none was named.
    saving : Saving or None
        The file that the settings are to be written to.
    """

    file: str
    several: Sources | None
    common: str | None
    reading: Reading
    request: Request
    chosen_by: str
    engine_reason: str | None
    optimize: bool
    top: int
    plot: bool
    export_csv: bool
    output: Path
    force: bool
    no_progress: bool
    verbose: bool
    dashboard: bool
    policy: ReusePolicy | None
    command: tuple[str, ...]
    typed: tuple[str, ...] = field(default=(), compare=False)
    config: dict[str, str] | None = None
    saving: Saving | None = None


def parse_options(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line, and the file of settings that it names.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; `sys.argv` by default.

    Returns
    -------
    Options

    Raises
    ------
    SettingsError
        If a value makes no sense, or an option is none; with file and line where it is one of a
        file of settings.
    SystemExit
        For `--help` and `--version`.
    """
    words = _words(arguments)
    path = named_config(words)
    file = None if path is None else read_config(path)
    default = DEFAULT if file is None or file.strategy is None else file.strategy
    name = named_strategy(words, default)
    parser, spec, typed = _typed(words, name, file)
    if typed.get("strategy", name) != name:  # The option was cut short.
        parser, spec, typed = _typed(words, typed["strategy"], file)
    if "completion" in typed:
        raise SettingsError(f"--completion goes alone: bigbar --completion {typed['completion']}")
    config = NO_CONFIG if file is None else config_of(file, parser)
    config = unbeaten(config, typed, parser, spec)
    given = merged(parser, config, typed)
    if not given.files:
        if given.resume is not None:
            parser.error(
                f"FILE.csv is missing: --resume goes with the command of the run, which "
                f"'{as_typed()} show {given.resume}' prints"
            )
        parser.error("the following arguments are required: FILE.csv")
    try:
        return _options(words, given, described_by(spec, given), config, parser)
    except SettingsError as problem:
        raise config.placed(problem) from problem.__cause__


def _typed(
    words: Sequence[str], name: str, file: ConfigFile | None
) -> tuple[Parser, StrategySpec, dict[str, Any]]:
    """The parser of a strategy, the strategy, and what was typed."""
    keys = () if file is None else file.tables
    with answer_apart():  # Its import may print.
        try:
            spec = strategy_of(name, [*words, *map(option, keys)])
        except SettingsError as problem:
            if file is None:
                raise
            known = {key: (key,) for key in keys if key != "strategy" or name == file.strategy}
            placed = Config(file, {"strategy": name}, known).placed(problem)
            raise placed from problem.__cause__
    parser = make_parser(spec)
    return parser, spec, typed_values(parser, words)


def _options(
    words: Sequence[str],
    given: argparse.Namespace,
    spec: StrategySpec,
    config: Config,
    parser: Parser,
) -> Options:
    """The values that the options come to."""
    sources = several(given.files)
    _check_several(given, sources)
    saving = saving_of(given, spec, parser)
    points = _points(spec, given)
    engine, reason = available_engine(spec, given.engine)
    request = Request(
        spec=spec,
        space=points.space,
        account=account_of(spec, given),
        engine=engine,
        choice=Choice.of(given.maximize, given.min_trades),
        execution=_execution(given),
        plan=Plan(
            assess=not given.no_validate,
            holdout=given.holdout,
            choose=given.choose,
            thorough=given.thorough,
            walk_forward=given.walk_forward,
            anchored=given.anchored,
            matrix=given.walk_forward_matrix,
        ),
        whole=points.whole,
        asking=points.asking,
        keep=rows_kept(given.keep),
    )
    return Options(
        file=given.files[0] if sources is None else sources.files[0].path,
        several=sources,
        common=given.common,
        reading=Reading(
            columns=parse_columns(given.columns) if given.columns is not None else {},
            time_format=given.time_format,
            time_zone=given.time_zone,
            date_order=given.date_order,
        ),
        request=request if given.common is None else request.on_the_same_points(),
        chosen_by=", ".join(
            [
                f"--method {'random' if points.asking is None else points.asking.method}",
                *(f'--constraint "{text}"' for text in given.constraint or ()),
            ]
        ),
        engine_reason=reason,
        optimize=not given.no_optimize,
        top=given.top,
        plot=given.plot,
        export_csv=given.export == "csv",
        output=Path(given.output),
        force=given.force,
        no_progress=given.no_progress,
        verbose=given.verbose,
        dashboard=_dashboard(given),
        policy=None
        if given.no_store
        else ReusePolicy(given.fresh, given.resume, given.retry_failed),
        command=tuple(words),
        typed=tuple(parser.options_of(words, without=OF_ONE_RUN | _OF_ALL)),
        config=config.named,
        saving=saving,
    )


def _check_several(given: argparse.Namespace, sources: Sources | None) -> None:
    if sources is None and given.common is not None:
        raise SettingsError("--common takes several price files; name them, or leave it out")
    if given.common is not None and isinstance(given.maximize, list) and len(given.maximize) > 1:
        raise SettingsError(
            "--common finds the best setting by one objective; give one --maximize, or leave it out"
        )
    if sources is not None and given.resume is not None:
        raise SettingsError(
            "--resume names one run, and several files have one each; leave it out: what is done "
            "is not run again, and what was interrupted continues"
        )


def _dashboard(given: argparse.Namespace) -> bool:
    if given.dashboard and given.no_store:
        raise SettingsError("--dashboard shows what is stored; leave --no-store out")
    return bool(given.dashboard)


def _points(spec: StrategySpec, given: argparse.Namespace) -> Points:
    """What is to be tried."""
    search = Search(given.method, given.max_tries, given.seed)
    if given.no_optimize and (given.method or given.max_tries):
        raise SettingsError(
            "--no-optimize runs one backtest; leave it out, or --method and --max-tries"
        )
    product = product_of(spec, given)
    constraints = constraints_of(spec, product, given)
    return search.points(product, constraints, partial(constrained, product, constraints))


def _execution(given: argparse.Namespace) -> Execution:
    workers, least = worker_range(
        given.workers, given.min_workers, given.max_workers, usable=usable_processors()
    )
    execution = Execution(
        workers=workers,
        least_workers=least,
        timeout=given.timeout_per_backtest,
        start_method=given.start_method,
        seed=given.seed,
        max_memory=given.max_memory,
        files=Files(Path(given.output), csv=given.export == "csv", plot=given.plot),
        **replays_asked_for(given.verify),
    )
    here = {
        "workers": None if given.workers == usable_processors() else given.workers,
        "min_workers": given.min_workers,
        "max_workers": given.max_workers,
        "max_memory": given.max_memory,
        "start_method": given.start_method,
    }
    return on_cluster(execution, given.cluster, given.cluster_wait, here)


def _words(arguments: Sequence[str] | None) -> list[str]:
    """The command line in words; a path among them may be a `Path`."""
    if arguments is None:
        return sys.argv[1:]
    if isinstance(arguments, str | bytes) or not isinstance(arguments, Sequence):
        raise SettingsError(
            f"the arguments are {shown(arguments)}, but must be a list of words, such as "
            "['example.csv', '--top', '5']"
        )
    return [str(word) for word in arguments]
