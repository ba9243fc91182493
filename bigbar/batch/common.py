"""The one setting for many files, gathered while they are run one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bigbar.choice import Choice
from bigbar.errors import SettingsError
from bigbar.parameter import plain_point, setting_text
from bigbar.results import ResultTable
from bigbar.space import Space
from bigbar.units import counted, json_values
from bigbar.validation.common_choice import FIGURES, CommonChoice, OfFile, ResultsOfFiles
from bigbar.validation.common_verdict import CommonFindings, examine_common
from bigbar.validation.pooled_returns import PooledReturns


@dataclass(frozen=True, repr=False)
class Common:
    """The setting that is best over many files, and what it is worth.

    Attributes
    ----------
    choice : CommonChoice
    findings : CommonFindings
    space : Space
        That was tried.
    objective : str
    notes : tuple of str
        Which files have no part in it, and why.
    replayed : int
        On how many files it was replayed through `backtesting.py`, all statistics and trades equal.
    too_late : int
        Files for which the time for replays did not reach.
    """

    choice: CommonChoice
    findings: CommonFindings
    space: Space
    objective: str
    notes: tuple[str, ...] = ()
    replayed: int = 0
    too_late: int = 0

    def __repr__(self) -> str:
        found, criterion = self.parameters, self.choice.criterion
        setting = "no setting" if found is None else setting_text(found)
        files = counted(len(self.choice.names), "file")
        return f"<Common: {setting}, best by {criterion} on {files}, {self.findings.verdict.light}>"

    @property
    def parameters(self) -> dict[str, Any] | None:
        """The setting; None where no combination counts on every file."""
        return None if self.choice.number is None else dict(self.space[self.choice.number])

    @property
    def verdict(self) -> str:
        """What it is worth, in lines of text."""
        return str(self.findings.verdict)

    def table(self) -> pd.DataFrame:
        """What the setting does on each file.

        Returns
        -------
        DataFrame
            A row a file, by its name: statistics, the `rank` of the setting among all, and
            `chosen by others beats`: the share of settings that the choice of the other files
            beats there, 0.5 being chance. Empty where no combination counts on every file.
        """
        choice = self.choice
        rows = {
            name: {
                **one.figures,
                "rank": one.rank,
                "chosen by others beats": np.nan if other is None else other.better_than,
            }
            for name, one, other in zip(
                choice.names, choice.of_files, choice.left_out, strict=False
            )
        }
        table = pd.DataFrame.from_dict(rows, orient="index")
        table.index.name = "file"
        return table

    def as_json(self) -> dict[str, Any]:
        """All of it, as JSON holds it."""
        choice, left_out = self.choice, self.findings.left_out
        number = choice.number
        of_files = choice.of_files or (None,) * len(choice.names)
        return {
            "criterion": choice.criterion,
            "combination": number,
            "parameters": None if number is None else plain_point(self.space[number]),
            "value": json_values(choice.value),
            "combinations": choice.combinations,
            "counting": int(np.count_nonzero(choice.counting)),
            "files": [
                {"name": name, "common": self._of_file(one), "left_out": self._of_file(other)}
                for name, one, other in zip(choice.names, of_files, choice.left_out, strict=True)
            ],
            "verdict": _plain(self.findings.verdict),
            "bootstrap": _plain(self.findings.bootstrap),
            "left_out": _plain(left_out),
            "replayed": self.replayed,
            "notes": [*self.notes, *self.findings.notes],
        }

    def _of_file(self, one: OfFile | None) -> dict[str, Any] | None:
        if one is None:
            return None
        return {
            "combination": one.number,
            "parameters": plain_point(self.space[one.number]),
            "rank": one.rank,
            "better_than": one.better_than,
            "counts": one.counts,
            "value": json_values(one.value),
            "statistics": json_values(one.figures),
        }


def _plain(found: Any) -> dict[str, Any] | None:
    return None if found is None else json_values(vars(found))


class CommonSearch:
    """Gathers what is needed of each file; use it in a `with` block.

    Parameters
    ----------
    space : Space
        The combinations, the same on each file.
    choice : Choice
    criterion : {"mean-rank", "worst"}
    assess : bool
        Whether to hold it against luck.
    folder : Path, optional
        On whose disk the results of each file wait; that of temporary files by default.
    seed : int, optional
    """

    def __init__(
        self,
        space: Space,
        choice: Choice,
        criterion: str,
        *,
        assess: bool,
        folder: Path | None = None,
        seed: int = 0,
    ) -> None:
        self._space, self._choice, self._seed = space, choice, seed
        self._results = ResultsOfFiles(len(space), choice, criterion, folder=folder)
        self._pooled = PooledReturns(len(space)) if assess else None
        self._names: dict[str, str] = {}
        self._notes: list[str] = []
        self._earlier_trials = 0
        self._sees_future = self._unsteady = False
        self._pending: str | None = None
        self._has_returns = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._results.__exit__(kind, error, trace)

    def begin(self, name: str, bars_sha256: str) -> bool:
        """A file is next; False where its bars were there before, and so say nothing new."""
        same = self._names.get(bars_sha256)
        if same is not None:
            self._notes.append(f"{name} has the bars of {same}, and counts once")
            self._pending = None
            return False
        self._names[bars_sha256] = self._pending = name
        self._has_returns = False
        return True

    def returns(self, returns: NDArray[np.float32], times: pd.DatetimeIndex, annual: float) -> None:
        """Take in the returns of the file that is next; see `bigbar.progress.events.Listener`."""
        if self.lacks_returns:
            assert self._pooled is not None
            self._pooled.add(returns, times, annual)
            self._has_returns = True

    @property
    def lacks_returns(self) -> bool:
        """Whether those of the file that is next are still to come: it was known what it is worth,
        or the validation broke off."""
        return self._pooled is not None and self._pending is not None and not self._has_returns

    def add(self, table: ResultTable, summary: Mapping[str, Any]) -> None:
        """Take in the rows of the file that is next.

        Parameters
        ----------
        table : ResultTable
        summary : mapping
            As its `summary.json` has it.

        Raises
        ------
        SettingsError
            If it has other combinations than the files before.
        """
        name, self._pending = self._pending, None
        if name is None:
            return
        if table.space != self._space:
            raise SettingsError(
                "a setting for all files needs the same combinations on each of them; choose them "
                "by --method grid or random"
            )
        values = table.column(self._choice.objective.name)
        self._results.add(name, values, [table.column(one) for one in FIGURES])
        bootstrap, conduct = summary["bootstrap"], summary["conduct"] or {}
        if bootstrap is not None:
            self._earlier_trials = max(self._earlier_trials, bootstrap["earlier_trials"])
        self._sees_future |= conduct.get("sees_future") is not None
        self._unsteady |= conduct.get("answers_differently") is not None

    def leave(self, why: str) -> None:
        """The file that is next has no part in it."""
        name, self._pending = self._pending, None
        if name is None:
            return
        self._notes.append(f"{name} has no part in it: {why}")
        self._names = {bars: one for bars, one in self._names.items() if one != name}

    def found(self) -> Common | None:
        """The setting; None where fewer than two files have a part in it."""
        if len(self._results.names) < 2:
            return None
        choice = self._results.choose()
        objective = self._choice.objective
        findings = examine_common(
            choice,
            self._pooled,
            self._space,
            objective=objective.name,
            earlier_trials=self._earlier_trials,
            sees_future=self._sees_future,
            unsteady=self._unsteady,
            seed=self._seed,
        )
        return Common(choice, findings, self._space, objective.name, tuple(self._notes))


def value_word(common: Common) -> str:
    """What the setting was chosen by, with its value: `mean rank 12.5 of 60`."""
    choice = common.choice
    if choice.criterion == "mean-rank":
        return f"mean rank {choice.value:,.1f} of {choice.combinations:,}"
    return f"worst {common.objective} {choice.value:,.2f}"
