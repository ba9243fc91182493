"""Whether a machine gives the same bits: nobody works before the driver's own machine has said.

numpy's `log` and `exp` may differ by a last bit from one kind of processor to another, and a table
whose rows come from both would be of neither.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bigbar.errors import BigBarError
from bigbar.executors.cluster.nodes import Node, Roster, Stage
from bigbar.executors.cluster.on_node import Answer
from bigbar.executors.cluster.supplies import Calls, Witness


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

    def look(self) -> None:
        """Ask the machines that have come, and judge those that have answered."""
        nodes = [one for one in self._roster.nodes.values() if one.stage is Stage.PROVING]
        for node in nodes:
            if node.proof is None:
                asking = self._witness
                node.proof, _ = self._calls.call(
                    node, asking.function, asking.tasks[self._at], asking.limit_s
                )
        asked = {node.proof: node for node in nodes}
        if not asked:
            return
        heard, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=0)
        # The driver's own first: the others are held against it.
        for ref in sorted(heard, key=lambda one: asked[one].number):
            if asked[ref].proof is ref:  # Else it was called back meanwhile.
                self._judge(asked[ref])

    def _judge(self, node: Node) -> None:
        errors, driver = self._ray.exceptions, self._roster.driver
        try:
            found: Answer = self._ray.get(node.proof)
        except (errors.WorkerCrashedError, errors.OutOfMemoryError):
            self._ask_another()
            return
        except errors.RayTaskError as raised:
            node.proof = None
            self._roster.leave_out(node, f"what was sent cannot be read there ({said(raised)})")
            return
        except errors.RayError:
            node.proof = None  # The machine is gone, and will be found to be.
            return
        if node is driver:
            if found.error is not None:
                raise found.error
            self._truth = found.value
        elif self._truth is None:
            return  # Until the driver's own machine has answered.
        elif found.error is not None:
            self._roster.leave_out(node, f"it cannot be made ready ({said(found.error)})")
            return
        elif not _agree(found.value, self._truth):
            self._roster.leave_out(
                node, "it does not give the same bits as this machine on the same combinations"
            )
            return
        node.proof = None
        node.stage, node.proved = Stage.READY, True
        if node.processors and self._tell is not None:
            self._tell(f"{node} works, with {node.processors} at once")

    def _ask_another(self) -> None:
        """The witness has ended its worker: ask for other combinations, of everybody."""
        self._at += 1
        if self._at >= len(self._witness.tasks):
            raise BigBarError("workers of the cluster die before they have anything to do")
        self._truth = None
        for node in self._roster.nodes.values():
            if node.proof is not None:
                self._ray.cancel(node.proof, force=True)
                node.proof = None


def _agree(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether they begin alike: a slow machine comes less far."""
    both = min(len(one), len(other))
    return list(one[:both]) == list(other[:both])


def said(problem: BaseException) -> str:
    """The last line of what an exception says."""
    text = str(problem).strip() or type(problem).__name__
    return text.rpartition("\n")[2]
