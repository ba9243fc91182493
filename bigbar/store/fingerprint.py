"""What decides the numbers of a run, as a value: equal fingerprints give equal numbers."""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import platform
import secrets
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bigbar.space import Space
from bigbar.statistics import NAMES
from bigbar.store.code_objects import value_text
from bigbar.store.modules import version_of
from bigbar.store.points import account_parts, grid_of, grid_parts, kept_parts, tried_of
from bigbar.store.search_parts import SearchParts
from bigbar.store.strategy_code import strategy_code

if TYPE_CHECKING:  # Whoever only reads an identity does not wait for pandas.
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from bigbar.job import Job

#: Packages whose code makes the numbers.
PACKAGES = ("backtesting", "numpy", "pandas", "numba", "llvmlite")

#: Names of the parts of an identity.
PARTS = (
    "bars", "span", "strategy", "settings", "grid", "account", "engine", "sources", "statistics",
    "packages", "machine",
)  # fmt: skip

_PRICES = ("Open", "High", "Low", "Close", "Volume")

_HERE = Path(__file__).resolve().parents[1]

#: Sources whose code makes the numbers, whatever the engine: modules, and folders of them.
_SOURCES = (
    "account.py", "calendar.py", "chance.py", "equality.py", "given.py", "job.py", "origin.py",
    "parameter.py", "private_cache.py", "space.py", "spec.py", "statistics.py",
    "without_charts.py", "working_folder.py",
)  # fmt: skip
_FOLDERS = ("engines", "compiled")


@dataclass(frozen=True)
class Identity:
    """What decides the numbers of a run.

    Attributes
    ----------
    parts : dict
        As JSON holds them, named as in `PARTS`.
    problem : str or None
        Why no other run will have this fingerprint, for a person; None where one can.
    """

    parts: dict[str, Any]
    problem: str | None = field(default=None, compare=False)

    @cached_property
    def fingerprint(self) -> str:
        """Of everything: runs with the same one have the same numbers to the last bit.

        Points that a search asked for, or that are kept of a grid, follow from all else, and are
        known at its end only.
        """
        return _digest(_deciding(self.parts))

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
    def strategy_name(self) -> str:
        """Name of the strategy's class; of one that comes along, the name that it goes by."""
        return str(self.parts["strategy"]["name"])

    @property
    def strategy_code(self) -> dict[str, str]:
        """Digests of the strategy's code, by module."""
        return dict(self.parts["strategy"]["code"])

    @property
    def code_sha256(self) -> str:
        """Of the sources that make the numbers."""
        return str(self.parts["sources"])

    @property
    def search(self) -> SearchParts | None:
        """How the points were chosen, where each depended on what came of those before."""
        grid = self.parts["grid"]
        found = grid.get("search") if isinstance(grid, dict) else None
        return SearchParts(found) if isinstance(found, dict) else None

    @property
    def keep(self) -> dict[str, Any] | None:
        """By what rule a part of the rows is kept; None where all are."""
        grid = self.parts["grid"]
        found = grid.get("keep") if isinstance(grid, dict) else None
        return found if isinstance(found, dict) else None

    @property
    def follows(self) -> bool:
        """Whether its points follow from all else: of a search, and where a part is kept."""
        return self.search is not None or self.keep is not None

    def with_points(self, numbers: NDArray[np.int64]) -> Identity:
        """The same of a search that has asked for these points of the product by now.

        Or of a grid of which they are kept.
        """
        grid = dict(self.parts["grid"])
        product = math.prod(len(values) for values in grid["values"].values())
        grid["kept"] = kept_parts(numbers, product, in_order=False)
        return Identity(self.parts | {"grid": grid}, self.problem)

    def grid(self) -> Space:
        """The grid; of a search, what it has asked for so far; or what is kept of it.

        Raises
        ------
        bigbar.errors.SettingsError, ValueError
            If the parts hold none.
        """
        return self._grid

    @cached_property
    def _grid(self) -> Space:
        return grid_of(self.parts)

    def tried(self) -> Space:
        """The grid, also of points that are not kept.

        Raises
        ------
        bigbar.errors.SettingsError, ValueError
            If the parts hold none.
        """
        return self.grid() if self.keep is None else tried_of(self.parts)

    @property
    def combinations(self) -> int:
        """Points of the grid; of a search, those that it may try."""
        if self.keep is not None:
            return int(self.keep["combinations"])
        return len(self.grid()) if self.search is None else int(self.search.parts["max_tries"])

    def differences(self, other: Identity) -> list[str]:
        """The parts that differ, for a person."""
        mine, others = _deciding(self.parts), _deciding(other.parts)
        return [
            self._named(name, other)
            for name in dict.fromkeys([*mine, *others])
            if canonical(mine.get(name)) != canonical(others.get(name))
        ]

    def code_difference(self, other: Identity) -> str | None:
        """What of the strategy's own code differs, for a person; None where nothing does."""
        mine, others = self.strategy_code, other.strategy_code
        differing = [each for each in {**mine, **others} if mine.get(each) != others.get(each)]
        if not differing:
            return None
        return f"{_NAMED['strategy']} ({', '.join(sorted(differing)[:3])})"

    def _named(self, name: str, other: Identity) -> str:
        """A part that differs, for a person; of a strategy's code, which of its modules."""
        if name == "grid" and (self.search or other.search):
            return "the grid, or how it is searched"
        if name == "grid" and (self.keep or other.keep):
            return "the grid, or what is kept of it"
        if name == "strategy":
            try:
                if self.strategy_name != other.strategy_name:
                    return "the strategy"
                return self.code_difference(other) or _NAMED[name]
            except (KeyError, TypeError, ValueError):  # It holds none.
                return _NAMED[name]
        return _NAMED.get(name, name)


_NAMED = {
    "bars": "the bars",
    "span": "which bars take part (the longest ATR period, --holdout)",
    "grid": "the grid",
    "account": "cash or costs",
    "strategy": "the strategy's own code",
    "settings": "the strategy's settings (--week-edge-bars)",
    "engine": "the engine",
    "sources": "the optimizer's own code",
    "statistics": "the list of statistics",
    "packages": "versions of packages",
    "machine": "the kind of machine",
}


def identity_of(
    bars: pd.DataFrame,
    job: Job,
    search: SearchParts | None = None,
    keep: SearchParts | None = None,
) -> Identity:
    """What decides the numbers of a job on these bars.

    Parameters
    ----------
    bars : DataFrame
        Open, High, Low, Close, Volume of the whole file.
    job : Job
    search : SearchParts, optional
        How its points are chosen, where each depends on what came of those before.
    keep : SearchParts, optional
        By what rule a part of the rows is kept, where not all are.

    Returns
    -------
    Identity
    """
    chosen = [one for one in (search, keep) if one is not None]
    code = strategy_code(job.spec)
    account, problem = account_parts(job.account)
    return Identity(
        {
            "bars": bars_sha256(bars),
            "span": [job.first_bar, len(bars) if job.stop_bar is None else job.stop_bar],
            "strategy": {"name": code.name, "code": code.parts},
            "settings": dict(job.spec.settings),
            "grid": grid_parts(
                job.space,
                None if search is None else search.parts,
                None if keep is None else keep.parts,
            ),
            "account": account,
            "engine": job.engine,
            "sources": sources_sha256(job),
            "statistics": list(NAMES),
            "packages": package_versions() | code.packages,
            "machine": f"{platform.machine()}, Python {platform.python_version()}",
        },
        code.problem or problem or next((one.problem for one in chosen if one.problem), None),
    )


def canonical(value: object) -> str:
    """The one JSON text of a value: sorted keys, floats by the shortest digits that give them."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _deciding(parts: dict[str, Any]) -> dict[str, Any]:
    """All parts without what follows from the others: points asked for, or kept."""
    grid = parts.get("grid")
    if not (isinstance(grid, dict) and ("search" in grid or "keep" in grid)):
        return parts
    return parts | {"grid": {name: part for name, part in grid.items() if name != "kept"}}


def _digest(value: object) -> str:
    return hashlib.sha256(canonical(value).encode("ascii")).hexdigest()


def bars_sha256(bars: pd.DataFrame) -> str:
    """Digest of the bars as they are computed with.

    Returns
    -------
    str
        SHA-256 of the time zone, the times (int64 nanoseconds) and the five columns (float64), all
        little-endian; then, where there are others, of their names, types and values.
    """
    import pandas as pd

    if isinstance(bars.index, pd.DatetimeIndex):
        index = bars.index.as_unit("ns")
        digest = hashlib.sha256(f"{index.tz}\n".encode())
        digest.update(index.asi8.astype("<i8").tobytes())
    else:
        digest = hashlib.sha256(f"{bars.index.dtype}\n".encode())
        digest.update(pd.util.hash_pandas_object(bars.index).to_numpy().tobytes())
    for name in _PRICES:
        digest.update(bars[name].to_numpy().astype("<f8").tobytes())
    others = bars.drop(columns=list(_PRICES))
    if len(others.columns):
        digest.update(json.dumps([[str(n), str(t)] for n, t in others.dtypes.items()]).encode())
        try:
            digest.update(pd.util.hash_pandas_object(others, index=False).to_numpy().tobytes())
        except TypeError:  # Lists, dictionaries; what has no text is like no other.
            text = value_text(others.to_numpy().tolist())
            digest.update(secrets.token_bytes(32) if text is None else text.encode())
    return digest.hexdigest()


def sources_sha256(job: Job) -> str:
    """Digest of the sources that make the numbers of a job's engine.

    An engine counts with the file that it stands in, and a strategy that comes along as well; with
    all files of a folder of their own. If one cannot be read, no two digests are the same: its rows
    are never taken for those of another run.
    """
    from bigbar.engines.find import kind_of

    files: list[Path] = []
    try:
        common, read = _common_sources()
        digest = common.copy()
        for kind in (kind_of(job.spec, job.engine).build, type(job.spec), job.spec.strategy):
            files += _files_with(kind)
        for file in dict.fromkeys(files):
            if file not in read:
                digest.update(file.read_bytes())
    except (OSError, TypeError):
        return secrets.token_hex(32)
    return digest.hexdigest()


@cache
def _common_sources() -> tuple[hashlib._Hash, frozenset[Path]]:
    """A digest that has read what is common to all engines, and which files that is.

    Once in a process, which goes on with the code that it began with.
    """
    files = [_HERE / name for name in _SOURCES]
    for folder in _FOLDERS:
        files += sorted((_HERE / folder).rglob("*.py"))
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest, frozenset(files)


def _files_with(thing: Any) -> list[Path]:
    """The sources that something of an engine or of a strategy that comes along stands in.

    In a folder of its own, all of that folder; a strategy from elsewhere is followed by itself,
    see `bigbar.store.strategy_code`.
    """
    top, *names = thing.__module__.split(".")
    if top != "bigbar":
        is_strategy = isinstance(thing, type) and hasattr(thing, "init")
        return [] if is_strategy else [Path(inspect.getsourcefile(thing) or "").resolve()]
    if len(names) > 2:
        return sorted(_HERE.joinpath(*names[:2]).glob("*.py"))
    return [_HERE.joinpath(*names).with_suffix(".py")]


def package_versions() -> dict[str, str]:
    """Versions of the packages that make the numbers; those not installed are left out."""
    found = {name: version_of(name) for name in PACKAGES}
    return {name: version for name, version in found.items() if version is not None}
