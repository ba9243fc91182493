"""Whether a machine gives the same bits: nobody works before the driver's own machine has said.

numpy's `log` and `exp` may differ by a last bit from one kind of processor to another, and a table
whose rows come from both would be of neither.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bigbar.errors import BigBarError
from bigbar.executors.cluster.nodes import MOST_STILLBORN, STILLBORN, Node, Roster, Stage
from bigbar.executors.cluster.on_node import Answer
from bigbar.executors.cluster.supplies import Calls, Witness


@dataclass(frozen=True)
class _Asked:
    """What a machine was asked: where its answer comes, its warden's number for it, the witness."""

    ref: Any
    serial: int
    at: int


class Proving:
    """Puts the witness to every machine that joins, and makes those ready that agree.

    The first worker of a machine compiles what has to be compiled, while no other is there.

    Parameters
    ----------
    ray : module
    roster : Roster
    calls : Calls
    witness : Witness
    tell : callable or None
        Is told of machines that work from now on; None where that is no news.
    """

    def __init__(
        self,
        ray: Any,
        roster: Roster,
        calls: Calls,
        witness: Witness,
        tell: Callable[[str], None] | None,
    ) -> None:
        self._ray, self._roster, self._calls = ray, roster, calls
        self._witness, self._tell = witness, tell
        self._at = 0
        self._truth: Sequence[Any] | None = None
        self._asked: dict[Node, _Asked] = {}

    def look(self) -> None:
        """Ask the machines that have come, and judge those that have answered."""
        nodes = [one for one in self._roster.nodes.values() if one.stage is Stage.PROVING]
        for node in nodes:
            if node not in self._asked:
                asking = self._witness
                ref, serial = self._calls.call(
                    node, asking.function, asking.tasks[self._at], asking.limit_s
                )
                self._asked[node] = _Asked(ref, serial, self._at)
        asked = {self._asked[node].ref: node for node in nodes}
        if not asked:
            return
        heard, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=0)
        # The driver's own first: the others are held against it.
        for ref in sorted(heard, key=lambda one: asked[one].number):
            if self._judge(asked[ref]):
                del self._asked[asked[ref]]

    def _judge(self, node: Node) -> bool:
        """What a machine's answer means; False where it is to be looked at again."""
        errors, driver, asked = self._ray.exceptions, self._roster.driver, self._asked[node]
        try:
            found: Answer = self._ray.get(asked.ref)
        except (errors.WorkerCrashedError, errors.OutOfMemoryError):
            self._died(node, asked)
            return True
        except errors.RayTaskError as raised:
            self._roster.leave_out(node, f"what was sent cannot be read there ({said(raised)})")
            return True
        except errors.RayError:
            return True  # The machine is gone, and will be found to be.
        if asked.at < self._at:
            return True  # Another machine cannot answer that.
        if node is driver:
            if found.error is not None:
                raise found.error
            self._truth = found.value
        elif self._truth is None:
            return False  # Until the driver's own machine has answered.
        elif found.error is not None:
            self._roster.leave_out(node, f"it cannot be made ready ({said(found.error)})")
            return True
        elif not _agree(found.value, self._truth):
            self._roster.leave_out(
                node, "it does not give the same bits as this machine on the same combinations"
            )
            return True
        node.stage, node.proved, node.stillborn = Stage.READY, True, 0
        if node.processors and self._tell is not None:
            self._tell(f"{node} works, with {node.processors} at once")
        return True

    def _died(self, node: Node, asked: _Asked) -> None:
        """The witness has ended its worker: ask for other combinations, of everybody.

        Where the worker had not begun with it, that was not the witness: the machine is asked the
        same again. What others are at is not called back: Ray would end the worker, which may be
        at the next thing by then.
        """
        if not self._roster.fate(node, asked.serial).begun:
            node.stillborn += 1
            if node.stillborn < MOST_STILLBORN:
                return
            if node is not self._roster.driver:
                self._roster.leave_out(node, STILLBORN)
                return
        elif asked.at == self._at:
            self._at += 1
            self._truth = None
            if self._at < len(self._witness.tasks):
                return
        else:
            return
        raise BigBarError("workers of the cluster die before they have anything to do")


def _agree(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether they begin alike: a slow machine comes less far."""
    both = min(len(one), len(other))
    return list(one[:both]) == list(other[:both])


def said(problem: BaseException) -> str:
    """The last line of what an exception says."""
    text = str(problem).strip() or type(problem).__name__
    return text.rpartition("\n")[2]
