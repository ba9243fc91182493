"""What is wanted, and how it is carried out: built alike by the command line and from Python."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bigbar.account import Account
from bigbar.choice import Choice
from bigbar.errors import SettingsError
from bigbar.keeping.rule import SAMPLE, Rule
from bigbar.outcome import Execution
from bigbar.search.find import Asking, Whole
from bigbar.space import MOST_NUMBERED, Space
from bigbar.spec import StrategySpec
from bigbar.validation.plan import Plan


@dataclass(frozen=True)
class Request:
    """All that is asked for, the bars aside.

    Attributes
    ----------
    spec : StrategySpec
    space : Space
        The points to try.
    account : Account
    engine : str
        One of the strategy's.
    choice : Choice
        What wins.
    execution : Execution
        How it is carried out.
    plan : Plan or None
        What of the validation is asked for; None for nothing.
    whole : Whole or None
        The grid that may be run in place of a search through it, where that is quick.
    asking : Asking or None
        The search that chooses the points; `space` has as many by chance then, to reckon with.
    keep : int or None
        Of the rows only so many, the best, are kept, with a sample and the sums for heatmaps; None
        to keep all.

    Raises
    ------
    SettingsError
        If there are too many points; if the strategy cannot be run so, or has no such parameter:
        known before any bar is read.
    """

    spec: StrategySpec
    space: Space
    account: Account
    engine: str
    choice: Choice
    execution: Execution
    plan: Plan | None = None
    whole: Whole | None = None
    asking: Asking | None = None
    keep: int | None = None

    def on_the_same_points(self) -> Request:
        """The same for several files of which one setting is sought: by chance, not by a search.

        Raises
        ------
        SettingsError
            If a search was named.
        """
        if self.asking is not None and self.whole is None:
            raise SettingsError(
                f"--common compares the same combinations on every file, and --method "
                f"{self.asking.method} tries others on each; use --method random, or leave "
                "--method and --max-tries out"
            )
        if self.rule(self.space) is not None:
            raise SettingsError(
                "--common compares the rows of every combination, and --keep keeps a part of them; "
                "leave one out"
            )
        return replace(self, whole=None, asking=None)

    def __post_init__(self) -> None:
        if self.keep is None:
            self.space.check_size()
        else:
            self._check_keep()
        if self.space.is_sample and self.plan is not None and self.plan.choose == "robust":
            raise SettingsError(
                "--choose robust looks at what stands around each combination, which --max-tries "
                "leaves out; try the whole grid (leave --max-tries out), or leave --choose out"
            )
        self.spec.check(self.space, self.account)

    def _check_keep(self) -> None:
        if self.space.product > MOST_NUMBERED:
            raise SettingsError(
                f"{self.space.size_text} combinations are too many to be numbered; give a "
                "parameter fewer values or a larger step"
            )
        if self.asking is not None:
            search = f"--method {self.asking.method} is a search, and"
            if self.whole is not None:  # No method was named.
                search = "--max-tries without --method random is a search, and"
            raise SettingsError(
                f"--keep is for grids: {search} all that it tries is kept; leave --keep out, or "
                "use --method random"
            )
        robust = self.plan is not None and self.plan.choose == "robust"
        if robust and self.rule(self.space) is not None:
            raise SettingsError(
                "--choose robust looks at what stands around each combination, and --keep keeps a "
                "part of the rows; leave one out"
            )

    def rule(self, space: Space) -> Rule | None:
        """What is kept of the rows of a space; None for all, also where the sample would be all."""
        if self.keep is None or space.count <= SAMPLE:
            return None
        return Rule(self.keep, self.choice, space.count, self.execution.seed)
