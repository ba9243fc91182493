"""What decides the numbers of a run, as a value: equal fingerprints give equal numbers."""

from __future__ import annotations

import hashlib
import inspect
import json
import platform
import secrets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bigbar.space import DEFAULT_AXES, Axis, Grid
from bigbar.statistics import NAMES

if TYPE_CHECKING:  # Whoever only reads an identity does not wait for pandas.
    import pandas as pd

    from bigbar.engines.contract import Job

#: Packages whose code makes the numbers.
PACKAGES = ("backtesting", "numpy", "pandas", "numba", "llvmlite")

#: Names of the parts of an identity.
PARTS = (
    "bars", "span", "grid", "account", "week_edge_bars", "engine", "sources", "statistics",
    "packages", "machine",
)  # fmt: skip

_HERE = Path(__file__).resolve().parents[1]

#: Sources whose code makes the numbers, whatever the engine: modules, and folders of them.
_SOURCES = (
    "_chartless", "engines", "given", "grid", "indicators", "periods", "settings", "statistics",
    "strategy",
)  # fmt: skip
_FOLDERS = ("any_strategy", "kernel")


@dataclass(frozen=True)
class Identity:
    """What decides the numbers of a run.

    Attributes
    ----------
    parts : dict
        As JSON holds them: `bars`, `span`, `grid`, `account`, `week_edge_bars`, `engine`,
        `sources`, `statistics`, `packages`, `machine`.
    """

    parts: dict[str, Any]

    @cached_property
    def fingerprint(self) -> str:
        """Of everything: runs with the same one have the same numbers to the last bit."""
        return _digest(self.parts)

    @cached_property
    def context(self) -> str:
        """Of everything but the grid: runs with the same one agree wherever their grids meet.

        The first bar that takes part is in it: it depends on the grid's longest ATR period.
        """
        return _digest({name: part for name, part in self.parts.items() if name != "grid"})

    @property
    def bars_sha256(self) -> str:
        """Of the bars alone."""
        return str(self.parts["bars"])

    @property
    def code_sha256(self) -> str:
        """Of the sources that make the numbers."""
        return str(self.parts["sources"])

    def grid(self) -> Grid:
        """The grid.

        Raises
        ------
        bigbar.errors.SettingsError, ValueError
            If the parts hold none.
        """
        return self._grid

    @cached_property
    def _grid(self) -> Grid:
        return grid_of(self.parts)

    def differences(self, other: Identity) -> list[str]:
        """The parts that differ, for a person."""
        names = dict.fromkeys([*self.parts, *other.parts])
        return [
            _NAMED.get(name, name)
            for name in names
            if canonical(self.parts.get(name)) != canonical(other.parts.get(name))
        ]


_NAMED = {
    "bars": "the bars",
    "span": "which bars take part (the longest ATR period, --holdout)",
    "grid": "the grid",
    "account": "cash or costs",
    "week_edge_bars": "--week-edge-bars",
    "engine": "the engine",
    "sources": "the optimizer's own code",
    "statistics": "the list of statistics",
    "packages": "versions of packages",
    "machine": "the kind of machine",
}


def identity_of(bars: pd.DataFrame, job: Job) -> Identity:
    """What decides the numbers of a job on these bars.

    Parameters
    ----------
    bars : DataFrame
        Open, High, Low, Close, Volume of the whole file.
    job : Job

    Returns
    -------
    Identity
    """
    account = job.settings.account
    return Identity(
        {
            "bars": bars_sha256(bars),
            "span": [job.first_bar, len(bars) if job.stop_bar is None else job.stop_bar],
            "grid": grid_parts(job.grid),
            "account": {
                "cash": float(account.cash),
                "commission": list(account.commission_parts),
                "spread": float(account.spread),
                "margin": float(account.margin),
            },
            "week_edge_bars": int(job.settings.week_edge_bars),
            "engine": job.engine,
            "sources": sources_sha256(job.engine),
            "statistics": list(NAMES),
            "packages": package_versions(),
            "machine": f"{platform.machine()}, Python {platform.python_version()}",
        }
    )


def canonical(value: object) -> str:
    """The one JSON text of a value: sorted keys, floats by the shortest digits that give them."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _digest(value: object) -> str:
    return hashlib.sha256(canonical(value).encode("ascii")).hexdigest()


def bars_sha256(bars: pd.DataFrame) -> str:
    """Digest of the bars as they are computed with.

    Returns
    -------
    str
        SHA-256 of the time zone, the times (int64 nanoseconds) and the columns (float64), all
        little-endian.
    """
    import pandas as pd

    index = pd.DatetimeIndex(bars.index).as_unit("ns")
    digest = hashlib.sha256(f"{index.tz}\n".encode())
    digest.update(index.asi8.astype("<i8").tobytes())
    for name in ("Open", "High", "Low", "Close", "Volume"):
        digest.update(bars[name].to_numpy().astype("<f8").tobytes())
    return digest.hexdigest()


def grid_parts(grid: Grid) -> dict[str, list[float]]:
    """The values of each axis, exactly."""
    return {axis.name: list(axis.values) for axis in grid.axes}


def grid_of(parts: dict[str, Any]) -> Grid:
    """The grid of an identity's parts.

    Raises
    ------
    bigbar.errors.SettingsError, ValueError
        If they hold none.
    """
    axes = parts.get("grid")
    if not isinstance(axes, dict) or set(axes) != set(DEFAULT_AXES):
        raise ValueError("no axes of a grid")
    for values in axes.values():
        if not isinstance(values, list) or any(type(value) not in (int, float) for value in values):
            raise ValueError("no values of an axis")
    return Grid(tuple(Axis(name, tuple(axes[name])) for name in DEFAULT_AXES))


def sources_sha256(engine: str) -> str:
    """Digest of the sources that make the numbers of an engine.

    An engine made elsewhere counts with the file that it stands in. If that cannot be read, no
    two digests are the same: its rows are never taken for those of another run.
    """
    from bigbar.engines.contract import ENGINES

    digest = hashlib.sha256()
    files = [_HERE / f"{name}.py" for name in _SOURCES]
    for folder in _FOLDERS:
        files += sorted((_HERE / folder).glob("*.py"))
    build = ENGINES[engine].build
    try:
        made_in = Path(inspect.getsourcefile(build) or "").resolve()
        if made_in.parent != _HERE:
            files.append(made_in)
        for file in files:
            digest.update(file.read_bytes())
    except (OSError, TypeError):
        digest.update(secrets.token_bytes(32))
    return digest.hexdigest()


def package_versions() -> dict[str, str]:
    """Versions of the packages that make the numbers; those not installed are left out."""
    import importlib.metadata

    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
