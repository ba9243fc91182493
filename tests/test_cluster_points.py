"""Searches, and grids of which a part is kept, on machines that share no memory with this one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from cluster_tools import ENVIRONMENT, ROOT, Nodes, needs_ray, needs_root

import bigbar
from bigbar.executors.find import connected
from bigbar.optimization import Optimization
from bigbar.validation.summary import as_json

pytestmark = [needs_ray, needs_root, pytest.mark.cluster, pytest.mark.slow]


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        with Nodes(1, 1, apart=True) as found, connected(found.address, lambda _: None):
            yield found


def pair(nodes: Nodes, **options: Any) -> tuple[Optimization, Optimization]:
    """A run on this machine, and one on the cluster."""
    alone = bigbar.optimize(ROOT / "example.csv", workers=2, **options)
    return alone, bigbar.optimize(ROOT / "example.csv", cluster=nodes.address, **options)


def test_the_nodes_are_apart(nodes: Nodes) -> None:
    own = os.readlink("/proc/self/ns/mnt")
    assert all(os.readlink(f"/proc/{pid}/ns/mnt") != own for pid in nodes.raylets.values())


def test_the_points_of_a_search_travel(nodes: Nodes) -> None:
    """Also those that its windows ask for, its neighbours, and those that are replayed."""
    how = {"method": "local", "max_tries": 150, "verify": 3, "walk_forward": 2}
    alone, spread = pair(nodes, **how)
    assert spread.result_sha256 == alone.result_sha256 is not None
    numbers = [one.outcome.job.space.kept for one in (spread, alone)]
    assert np.array_equal(*numbers)
    ours, theirs = (as_json(one.findings, one.outcome.job.space) for one in (spread, alone))
    assert ours == theirs
    assert spread.verification is not None
    assert spread.verification.combinations == 4
    assert sum(one.tasks for one in spread.outcome.machines) > 0


def test_a_part_of_a_grid_is_kept_on_the_nodes(nodes: Nodes) -> None:
    grid = {"atr_period": "5:30:1", "k_atr": "0.5:3.5:0.1"}
    alone, spread = pair(nodes, **grid, keep="top:30", validate=False, verify=2)
    assert spread.result_sha256 == alone.result_sha256 is not None
    kept = [one.outcome.reduced for one in (spread, alone)]
    assert kept[0].counts == kept[1].counts
    for pair_of_axes in kept[0].sums.pairs:
        maps = [one.sums.heatmap(pair_of_axes) for one in kept]
        for ours, theirs in zip(*maps, strict=True):
            assert ours.tobytes() == theirs.tobytes()
