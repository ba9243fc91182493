"""Where workers are to be had: processes of this machine, or machines of a cluster.

What a cluster needs is imported where one is asked for, and nowhere else.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bigbar.executors.contract import Executor
from bigbar.executors.local import WorkerPool

if TYPE_CHECKING:
    from bigbar.executors.cluster.session import Session
    from bigbar.executors.cluster.supplies import Supplies


def check_cluster(cluster: str) -> int | None:
    """Refuse what names no cluster, or needs what is not installed.

    Parameters
    ----------
    cluster : str
        `HOST:PORT`, `auto` or `local:N`.

    Returns
    -------
    int or None
        Its workers, where they are known before anything is started.

    Raises
    ------
    SettingsError
    """
    from bigbar.executors.cluster.session import check_cluster as check

    return check(cluster)


@contextlib.contextmanager
def connected(cluster: str | None, tell: Callable[[str], None]) -> Iterator[int | None]:
    """Be part of a cluster for the block; a block inside another of the same cluster shares it.

    Parameters
    ----------
    cluster : str or None
        None for this machine's own processes: nothing happens then.
    tell : callable
        Is told what a person should know.

    Yields
    ------
    int or None
        The processors that the cluster has now.

    Raises
    ------
    SettingsError
        If there is no such cluster.
    """
    global _session
    if cluster is None or (_session is not None and _session.cluster == cluster):
        yield None if _session is None or cluster is None else _session.processors()
        return
    from bigbar.executors.cluster.session import Session

    before, session = _session, Session(cluster, tell)
    _session = session
    try:
        yield session.processors()
    finally:
        _session = before
        session.close()


#: Of this process, as Ray has it.
_session: Session | None = None


@dataclass(frozen=True)
class Processes:
    """How worker processes of this machine are made ready; see `WorkerPool`.

    Attributes
    ----------
    workers : int
    start_method : str or None
    initializer : callable
    initargs : tuple
    growth : int or None
    """

    workers: int
    start_method: str | None
    initializer: Callable[..., object]
    initargs: tuple[Any, ...]
    growth: int | None = None


def start_executor(
    processes: Processes,
    supplies: Callable[[], Supplies] | None,
    *,
    on_event: Callable[[str], None],
) -> Executor:
    """Start workers: of the cluster that this process is part of, or processes of this machine.

    Parameters
    ----------
    processes : Processes
    supplies : callable or None
        What a cluster needs; None where none was asked for.
    on_event : callable
        Called with a line for a person whenever something worth knowing happens.
    """
    if supplies is None:
        return WorkerPool(
            processes.workers,
            start_method=processes.start_method,
            initializer=processes.initializer,
            initargs=processes.initargs,
            growth=processes.growth,
            on_event=on_event,
        )
    from bigbar.executors.cluster.executor import ClusterExecutor

    if _session is None:
        raise RuntimeError("This process is part of no cluster: see `connected`.")
    return ClusterExecutor(_session, supplies(), on_event=on_event)
