"""How a run is carried out, from options of any kind."""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bigbar.errors import SettingsError
from bigbar.executors.find import check_cluster
from bigbar.given import number, refusal, whole
from bigbar.machine.budget import Files
from bigbar.machine.other_programs import worker_range
from bigbar.machine.resources import usable_processors
from bigbar.outcome import Execution, replays_asked_for
from bigbar.printable import shown
from bigbar.units import parse_size


def execution_of(given: Mapping[str, Any]) -> Execution:
    """How a run is carried out, from options by the names that `optimize` has for them.

    Raises
    ------
    SettingsError
        If a value makes no sense.
    """
    usable = usable_processors()
    workers = given.get("workers")
    least, most = (
        None if given.get(name) is None else whole(name, given[name], least=1)
        for name in ("min_workers", "max_workers")
    )
    asked = usable if workers is None else workers
    if not isinstance(asked, str):
        asked = whole("workers", asked, least=1)
    count, least = worker_range(asked, least, most, usable=usable)
    start_method, verify = given.get("start_method"), given.get("verify")
    timeout, folder = given.get("timeout_per_backtest"), given.get("folder")
    methods = multiprocessing.get_all_start_methods()
    if not (start_method is None or (isinstance(start_method, str) and start_method in methods)):
        raise SettingsError(
            f"start method {shown(start_method)} is not one of this system's: {', '.join(methods)}"
        )
    replays = replays_asked_for(None if verify is None else whole("verify", verify))
    wait = given.get("cluster_wait")
    execution = Execution(
        workers=count,
        least_workers=least,
        timeout=None if timeout is None else _positive("timeout_per_backtest", timeout),
        start_method=start_method,
        seed=whole("seed", given.get("seed", 0)),
        max_memory=_memory(given.get("max_memory")),
        files=None if folder is None else Files(folder),
        **replays,
    )
    names = ("workers", "min_workers", "max_workers", "max_memory", "start_method")
    return on_cluster(
        execution,
        given.get("cluster"),
        None if wait is None else _positive("cluster_wait", wait),
        {name: given.get(name) for name in names},
    )


def on_cluster(
    execution: Execution, cluster: object, wait: float | None, here: Mapping[str, Any]
) -> Execution:
    """The same on the machines of a cluster, where one was asked for.

    Parameters
    ----------
    execution : Execution
    cluster : str or None
        As `bigbar.executors.find.check_cluster` takes it.
    wait : float or None
        Seconds to wait for a machine when the last one is gone.
    here : mapping
        What was asked for of this machine's processes, by the names of options; None for nothing.

    Raises
    ------
    SettingsError
        If it names no cluster, Ray is not installed, or something else was asked for that is of
        this machine's processes only.
    """
    if cluster is None:
        if wait is not None:
            raise SettingsError("--cluster-wait is for --cluster; leave it out, or name a cluster")
        return execution
    if not isinstance(cluster, str):
        raise refusal("cluster", cluster, "text: 'HOST:PORT', 'auto' or 'local:N'")
    workers = check_cluster(cluster)
    for name, value in here.items():
        if value is not None:
            option = f"--{name.replace('_', '-')}"
            raise SettingsError(
                f"{option} is for processes of this machine; leave it out with --cluster, whose "
                "machines give what they gave to Ray ('ray start --num-cpus=N')"
            )
    return replace(
        execution,
        cluster=cluster,
        cluster_wait=execution.cluster_wait if wait is None else wait,
        workers=execution.workers if workers is None else workers,
    )


def _positive(name: str, value: object) -> float:
    found = number(name, value)
    if not 0 < found < math.inf:
        raise refusal(name, value, "above 0, and finite")
    return found


def _memory(given: object) -> int | None:
    if given is None:
        return None
    if isinstance(given, str):
        return parse_size(given)
    found = int(_positive("max_memory", given))
    if not found:
        raise refusal("max_memory", given, "a number of bytes, or text such as '2G'")
    return found
