"""What is wanted, and how it is carried out: built alike by the command line and from Python."""

from __future__ import annotations

from dataclasses import dataclass

from bigbar.account import Account
from bigbar.outcome import Execution
from bigbar.results import Choice
from bigbar.space import Space
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

    Raises
    ------
    SettingsError
        If the strategy cannot be run so, or has no such parameter: known before any bar is read.
    """

    spec: StrategySpec
    space: Space
    account: Account
    engine: str
    choice: Choice
    execution: Execution
    plan: Plan | None = None

    def __post_init__(self) -> None:
        self.spec.check(self.space, self.account)
