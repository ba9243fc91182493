"""Tasks on the machines of a cluster: each gets exactly one answer, whatever becomes of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cluster_tasks
import pool_tasks
import pytest
from cluster_tools import ENVIRONMENT, Nodes, kill, needs_ray

from bigbar.errors import BigBarError
from bigbar.executors.contract import Losses, TookTooLong, WorkerDied
from bigbar.executors.find import connected

pytestmark = [needs_ray, pytest.mark.cluster, pytest.mark.slow]

Start = Callable[..., Any]


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        with Nodes(0, 1, 1) as found, connected(found.address, lambda _: None):
            yield found


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def start(nodes: Nodes, said: list[str]) -> Iterator[Start]:
    """Starts executors on the nodes."""
    from bigbar.executors import find
    from bigbar.executors.cluster.executor import ClusterExecutor
    from bigbar.executors.cluster.supplies import Supplies, Witness
    from bigbar.executors.cluster.travelling import Travelling

    started = []

    def start_one(*, witness: Any = cluster_tasks.digits, **options: Any) -> Any:
        usual = {
            "initializer": pool_tasks.remember,
            "initargs": ("data",),
            "travelling": Travelling(),
            "witness": Witness(witness, [3, 4]),
            "versions": cluster_tasks.versions,
            "named": (),
            "wait_s": 20.0,
        }
        assert find._session is not None
        supplies = Supplies(**{**usual, **options})
        started.append(ClusterExecutor(find._session, supplies, on_event=said.append))
        return started[-1]

    yield start_one
    for one in started:
        one.close()


def wait_for(executor: Any, workers: int) -> None:
    """Until so many workers can be had; machines are made ready while there are tasks."""
    deadline = time.monotonic() + 90
    while executor.workers < workers and time.monotonic() < deadline:
        list(executor.imap_unordered(pool_tasks.sleep, [0.05]))
    assert executor.workers >= workers


def test_each_task_is_answered_once_by_all_machines(start: Start) -> None:
    executor = start()
    wait_for(executor, 2)
    found = dict(executor.imap_unordered(pool_tasks.slow_square, range(60)))
    assert found == {number: number**2 for number in range(60)}
    assert len(set(dict(executor.imap_unordered(pool_tasks.whoami, range(30))).values())) == 2
    assert set(dict(executor.imap_unordered(pool_tasks.recall, [1, 2, 3])).values()) == {"data"}
    with pytest.raises(LookupError) as raised:
        list(executor.imap_unordered(pool_tasks.fail, [1, 0]))
    assert "In worker process" in raised.value.__notes__[0]
    assert dict(executor.imap_unordered(pool_tasks.square, [4])) == {4: 16}


def test_what_ends_its_worker_or_never_ends_is_narrowed_down_to_exactly_that(start: Start) -> None:
    executor = start()
    tasks = [(12, 16), (40, 44)]
    found = dict(executor.imap_unordered(pool_tasks.add_up, tasks, split=pool_tasks.halves))
    assert found.pop((13, 14)) == WorkerDied(None, 2)
    assert sum(found.values()) == 12 + 14 + 15 + sum(range(40, 44))
    assert executor.losses.deaths == 2 * 3
    found = dict(
        executor.imap_unordered(
            pool_tasks.add_up_unless_endless,
            [(13, 14), (36, 38)],
            split=pool_tasks.halves,
            limit=lambda task, suspect: 0.5,
        )
    )
    assert found.pop((13, 14)) == found.pop((37, 38)) == TookTooLong(0.5)
    assert found == {(36, 37): 36}
    assert executor.losses.overdue == 1 + 2


def test_a_killed_worker_costs_nothing(start: Start, said: list[str]) -> None:
    executor = start()
    wait_for(executor, 2)
    found: dict[int, int] = {}
    for task, pid in executor.imap_unordered(pool_tasks.whoami, range(200)):
        found[task] = pid
        if len(found) == 5:
            kill(pid)
    assert found.keys() == set(range(200))
    assert executor.losses.deaths == 1
    assert any("disappeared; starting its slice again" in line for line in said)


def test_a_death_that_nobody_asks_about_is_no_news(
    start: Start, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    from bigbar.executors import find

    start()
    assert find._session is not None
    die = find._session.ray.remote(num_cpus=0, max_retries=0)(pool_tasks.die_before)
    die.remote(str(tmp_path))  # Forgotten, as a late copy of a slice is once another was answered.
    deadline = time.monotonic() + 60
    while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert list(tmp_path.iterdir())
    time.sleep(1)
    assert not caplog.messages


def test_a_frozen_machine_holds_nobody_up(nodes: Nodes, start: Start, said: list[str]) -> None:
    executor = start()
    wait_for(executor, 2)
    begun, answered = time.monotonic(), {}
    tasks = executor.imap_unordered(pool_tasks.slow_square, range(100))
    answered.update([next(tasks)])
    with nodes.frozen(next(iter(nodes.raylets))):
        answered.update(tasks)
        assert time.monotonic() - begun < 30
    assert answered == {number: number**2 for number in range(100)}
    wait_for(executor, 2)  # It is back.


def test_a_killed_machine_costs_nothing_and_a_new_one_is_used(nodes: Nodes, start: Start) -> None:
    executor = start()
    wait_for(executor, 2)
    answered = {}
    for task, value in executor.imap_unordered(pool_tasks.slow_square, range(100)):
        answered[task] = value
        if len(answered) == 10:
            nodes.kill(next(iter(nodes.raylets)))
    assert answered == {number: number**2 for number in range(100)}
    assert executor.losses == Losses()  # It was nobody's fault.
    nodes.add()
    deadline, workers = time.monotonic() + 90, set[int]()
    while len(workers) < 2 and time.monotonic() < deadline:
        workers = set(dict(executor.imap_unordered(pool_tasks.whoami, range(300))).values())
    assert len(workers) == 2


def test_a_machine_with_other_bits_or_versions_is_left_out(start: Start, said: list[str]) -> None:
    """Other than the driver's, which works for nobody here: so nobody is left."""
    for options, why in (
        ({"witness": cluster_tasks.other_digits}, "does not give the same bits"),
        ({"versions": cluster_tasks.other_versions}, "all machines need the same"),
    ):
        said.clear()
        with pytest.raises(BigBarError, match="no machine of the cluster can work") as raised:
            start(**options)
        assert why in str(raised.value)
        assert sum(why in line for line in said) == 2


def test_a_witness_that_ends_its_worker_is_not_asked_again(start: Start) -> None:
    executor = start(witness=cluster_tasks.digits_of_4)
    assert dict(executor.imap_unordered(pool_tasks.square, range(10)))[9] == 81


def test_workers_that_die_before_the_witness_are_not_laid_at_its_door(
    start: Start, tmp_path: Path, said: list[str]
) -> None:
    executor = start(
        initializer=cluster_tasks.die_at_first,
        initargs=(1, str(tmp_path)),
        witness=cluster_tasks.digits_of_3,
    )
    wait_for(executor, 2)
    assert len(list(tmp_path.iterdir())) == 3
    with pytest.raises(BigBarError, match="die before they"):
        start(initializer=cluster_tasks.die_at_first, initargs=(9, str(tmp_path)))


def test_what_fails_on_the_drivers_own_machine_is_raised(start: Start) -> None:
    with pytest.raises(ZeroDivisionError):
        start(initializer=cluster_tasks.divide, initargs=(0,))


def test_when_the_last_machine_is_gone_it_waits_says_so_and_gives_up(
    nodes: Nodes, start: Start, said: list[str]
) -> None:
    executor = start(wait_s=2.0)
    wait_for(executor, 2)
    tasks = executor.imap_unordered(pool_tasks.slow_square, range(1000))
    answered = dict([next(tasks)])
    for name in list(nodes.raylets):
        nodes.kill(name)
    with pytest.raises(BigBarError, match="came back within 2"):
        answered.update(tasks)
    assert any("waiting up to 2" in line for line in said)
    # One that comes in time is used.
    executor = None
    nodes.add()
    executor = start(wait_s=2.0)
    assert dict(executor.imap_unordered(pool_tasks.square, range(10)))[9] == 81
