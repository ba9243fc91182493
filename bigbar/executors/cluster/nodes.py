"""The machines of a cluster: which there are, what they can do, and which of them answer.

A machine goes through stages. Its warden greets and says what is installed there; one that has
something else is left out before anything is sent. Then one worker of it gets the data, compiles
what has to be compiled, and answers the witness (see `bigbar.executors.cluster.proving`). Only then
does it get work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from bigbar.executors.cluster.warden import Fate, Greeting, Look, Warden

#: Seconds between two looks at who is there.
LOOK_EVERY_S = 1.0

#: A machine that has not answered for so many seconds is frozen, or cut off.
SILENT_S = 4.0

#: Seconds that a warden has to say what a worker died at.
_FATE_S = 2.0

#: Workers of a machine that may die in a row before they begin with anything.
MOST_STILLBORN = 3

#: Why a machine is left out where so many did.
STILLBORN = "its workers die before they begin with anything"


class Stage(Enum):
    """How far a machine has come."""

    GREETING = "greeting"
    PROVING = "proving"
    READY = "ready"
    LEFT_OUT = "left out"
    GONE = "gone"


@dataclass(eq=False)
class Node:
    """A machine of the cluster.

    Attributes
    ----------
    number : int
        0 for the driver's own; the others in the order in which they joined.
    id : str
        Ray's name of it.
    address : str
    processors : int
        That it gives to Ray; 0 where it only holds the driver.
    stage : Stage
    greeting : Greeting or None
    flying : int
        Tasks that it was given, and has not answered.
    answered : int
        Tasks that it answered.
    proved : bool
        Whether it ever was ready.
    stillborn : int
        Workers that died in a row before they began with anything.
    offset_s : float
        What the driver's `time.monotonic` is ahead of the machine's, at most.
    ahead_s : float
        The same of `time.time`.
    workers, memory : int
        At work there when it last answered, and what they held.
    """

    number: int
    id: str
    address: str
    processors: int
    stage: Stage = Stage.GREETING
    warden: Any = None
    greeting: Greeting | None = None
    flying: int = 0
    answered: int = 0
    proved: bool = False
    stillborn: int = 0
    offset_s: float = float("inf")
    ahead_s: float = 0.0
    workers: int = 0
    memory: int = 0
    silent: bool = False
    asked: Any = None
    asked_at: float = 0.0

    @property
    def works(self) -> bool:
        """Whether it may be given work now."""
        return self.stage is Stage.READY and not self.silent and self.processors > 0

    def __str__(self) -> str:
        host = self.greeting.host if self.greeting else self.address
        return f"machine {self.number} ({host})"


def only_on(ray: Any, node: Node) -> Any:
    """Ray's words for: there, and nowhere else."""
    return ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node.id, soft=False)


class Roster:
    """The machines of a cluster, as they come and go.

    Parameters
    ----------
    ray : module
    versions : callable
        What must be the same on all machines, by names for a person; importable.
    named : tuple of str
        Its argument.
    tell : callable
        Is told who comes, and who goes.
    """

    def __init__(
        self,
        ray: Any,
        versions: Callable[..., dict[str, str]],
        named: tuple[str, ...],
        tell: Callable[[str], None],
    ) -> None:
        self._ray, self._tell = ray, tell
        self._versions, self._named = versions, named
        self._ours = versions(named)
        self._here = ray.get_runtime_context().get_node_id()
        self._looked = 0.0
        self.nodes: dict[str, Node] = {}
        self.refused: list[str] = []

    @property
    def driver(self) -> Node:
        """The driver's own machine."""
        return self.nodes[self._here]

    def working(self) -> list[Node]:
        """Those that may be given work now."""
        return [node for node in self.nodes.values() if node.works]

    def hopeful(self) -> bool:
        """Whether one works, or is about to."""
        stages = (Stage.GREETING, Stage.PROVING, Stage.READY)
        return any(
            node.stage in stages and not node.silent and node.processors
            for node in self.nodes.values()
        )

    def look(self) -> Iterator[Node]:
        """Look who is there, once a second; yields machines that have gone or fallen silent."""
        now = time.monotonic()
        if now - self._looked >= LOOK_EVERY_S:
            self._looked = now
            yield from self._count()
            for node in self.nodes.values():
                if node.stage in (Stage.PROVING, Stage.READY) and node.asked is None:
                    node.asked, node.asked_at = node.warden.look.remote(), now
        yield from self._listen(now)

    def leave_out(self, node: Node, why: str) -> None:
        """Give a machine no work, and say why."""
        node.stage = Stage.LEFT_OUT
        self.refused.append(f"{node}: {why}")
        self._tell(f"{node} is left out: {why}")
        self._dismiss(node)

    def fate(self, node: Node, serial: int) -> Fate:
        """What a worker of a machine died at; nobody's fault where the machine cannot say."""
        try:
            found: Fate = self._ray.get(node.warden.fate.remote(serial), timeout=_FATE_S)
        except self._ray.exceptions.RayError:
            return Fate(begun=False)
        return found

    def close(self) -> None:
        """Send the wardens home."""
        for node in self.nodes.values():
            self._dismiss(node)

    def _count(self) -> Iterator[Node]:
        alive = {one["NodeID"]: one for one in self._ray.nodes() if one["Alive"]}
        for node in self.nodes.values():
            if node.id not in alive and node.stage is not Stage.GONE:
                node.stage = Stage.GONE
                self._tell(f"{node} is gone")
                yield node
        for name in sorted(alive.keys() - self.nodes.keys(), key=lambda one: one != self._here):
            number = 0 if name == self._here else 1 + sum(n.number > 0 for n in self.nodes.values())
            processors = int(alive[name]["Resources"].get("CPU", 0))
            node = Node(number, name, alive[name]["NodeManagerAddress"], processors)
            self.nodes[name] = node
            if processors or name == self._here:
                self._greet(node)

    def _greet(self, node: Node) -> None:
        warden = self._ray.remote(num_cpus=0, max_restarts=0, max_task_retries=0)(Warden)
        node.warden = warden.options(scheduling_strategy=only_on(self._ray, node)).remote(
            self._versions, self._named
        )
        node.asked, node.asked_at = node.warden.greet.remote(), time.monotonic()

    def _listen(self, now: float) -> Iterator[Node]:
        asked = {node.asked: node for node in self.nodes.values() if node.asked is not None}
        if asked:
            heard, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=0)
            for ref in heard:
                asked[ref].asked = None
                self._hear(asked[ref], ref)
        for node in self.nodes.values():
            if node.asked is None or node.silent or now - node.asked_at <= SILENT_S:
                continue
            if node.stage is Stage.READY:
                node.silent = True
                self._tell(f"{node} does not answer; its slices go to others")
                yield node

    def _hear(self, node: Node, ref: Any) -> None:
        errors = self._ray.exceptions
        try:
            found = self._ray.get(ref)
        except errors.RayTaskError as raised:
            said = str(raised.cause or raised).strip().rpartition("\n")[2]
            self.leave_out(node, f"this program cannot be run there ({said})")
            return
        except errors.RayError as problem:
            vanished = node.silent or isinstance(problem, errors.ActorUnschedulableError)
            if node.stage is not Stage.GONE and not vanished:
                self._replace_warden(node, problem)
            return  # Ray will say that the machine is gone; it may take a while.
        if node.silent:
            node.silent = False
            self._tell(f"{node} answers again")
        if isinstance(found, Greeting):
            self._welcome(node, found)
        elif isinstance(found, Look):
            node.workers, node.memory = len(found.pids), found.memory
            node.ahead_s = time.time() - found.now

    def _replace_warden(self, node: Node, problem: Exception) -> None:
        node.stillborn += 1
        if node.stillborn >= MOST_STILLBORN:
            said = str(problem).strip().partition("\n")[0]
            self.leave_out(node, f"nothing can be started there ({said})")
        else:
            self._greet(node)

    def _welcome(self, node: Node, greeting: Greeting) -> None:
        again = node.greeting is not None
        node.greeting = greeting
        wrong = [
            f"{name} {greeting.versions.get(name, 'missing')} (here {ours})"
            for name, ours in self._ours.items()
            if greeting.versions.get(name) != ours
        ]
        if wrong:
            self.leave_out(node, f"it has {', '.join(wrong[:3])}; all machines need the same")
        elif not again:
            node.stage = Stage.PROVING

    def _dismiss(self, node: Node) -> None:
        if node.warden is not None:
            self._ray.kill(node.warden)
            node.warden = None
        node.asked = None
