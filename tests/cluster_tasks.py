"""What the tests of a cluster give its workers to do, besides `pool_tasks`; importable there."""

from __future__ import annotations

import os
from pathlib import Path


def versions(named: tuple[str, ...]) -> dict[str, str]:
    return {"bigbar": "this"}


def other_versions(named: tuple[str, ...]) -> dict[str, str]:
    """Another one on every node."""
    return {"bigbar": "this", "numpy": _node()}


def digits(_: object) -> list[str]:
    return ["a", "b"]


def other_digits(_: object) -> list[str]:
    """Other ones on every node, from the second on."""
    return ["a", _node()]


def digits_of_4(number: int) -> list[str]:
    if number != 4:
        os._exit(1)
    return ["a"]


def die_at_first(times: int, folder: str) -> None:
    """Ends the first workers of a machine."""
    for number in range(times):
        try:
            Path(folder, f"{number}-{_node()}").touch(exist_ok=False)
        except FileExistsError:
            continue
        os._exit(1)


def digits_of_3(number: int) -> list[str]:
    assert number == 3
    return ["a"]


def divide(number: int) -> float:
    return 1 / number


def _node() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())
