"""How a run is carried out, from options of any kind."""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Mapping
from typing import Any

from bigbar.errors import SettingsError
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
    return Execution(
        workers=count,
        least_workers=least,
        timeout=None if timeout is None else _positive("timeout_per_backtest", timeout),
        start_method=start_method,
        seed=whole("seed", given.get("seed", 0)),
        max_memory=_memory(given.get("max_memory")),
        files=None if folder is None else Files(folder),
        **replays,
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
