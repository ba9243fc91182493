"""The process that computes combinations again: `python -m bigbar.dashboard.explore_child`.

It is told of a run by its argument and asked for combinations on standard input, a line of JSON
each, and answers on standard output likewise. What the strategy prints goes nowhere. It ends with
the one who asks, when nothing was asked for a while, or to be started again when the price file or
a source has changed.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from bigbar.causes import cause_in
from bigbar.errors import BigBarError, DataError, InputError

if TYPE_CHECKING:
    from bigbar.dashboard.explore_replay import Replaying

#: Without a question for so long, in seconds, it ends.
_IDLE_S = 300.0


def main() -> None:
    """Answer until nobody asks any more."""
    answers = _to_the_asker()
    questions: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(questions,), daemon=True).start()
    subject = json.loads(sys.argv[1])
    replaying: Replaying | None = None
    while True:
        try:
            question = json.loads(questions.get(timeout=_IDLE_S))
        except queue.Empty:
            return
        _limit_processor(float(question["limit_s"]))
        try:
            if replaying is None:
                replaying = _begin(subject)
            if replaying.is_old():
                answers.write(b'{"again": true}\n')
                return
            answer = replaying.answer(int(question["number"]), question["row"])
        except BigBarError as problem:
            answer = {"error": str(problem)}
        except (Exception, SystemExit) as problem:  # Of the strategy, which may do anything.
            answer = {"error": f"the strategy raised {cause_in(problem)}"}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()
        if replaying is None:  # What was imported stays so: another process may do better.
            return


def _to_the_asker() -> IO[bytes]:
    """Standard output for answers alone: whatever else is written there is dropped."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return answers


def _listen(questions: queue.SimpleQueue[bytes]) -> None:
    """Pass questions on; when nobody can ask any more, end at once, even amid a backtest."""
    questions_in = os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, sys.stdin.fileno())  # A strategy that asks something gets no answer.
    os.close(nothing)
    while line := questions_in.readline():
        questions.put(line)
    os._exit(0)


def _limit_processor(seconds: float) -> None:
    """End by ourselves if nobody else can end us, where the system knows how."""
    try:
        import resource
    except ImportError:  # Windows.
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    # As many processors as there are may be at work.
    room = 2 + seconds * (os.cpu_count() or 1)
    most = int(used.ru_utime + used.ru_stime + room)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(resource.RLIMIT_CPU, (most, hard))


def _begin(subject: dict[str, Any]) -> Replaying:
    """Read the run, its prices and its strategy, of the names that were agreed to."""
    from bigbar.dashboard.explore.consent import needs_of
    from bigbar.dashboard.explore_replay import Replaying
    from bigbar.store.runs import RunStore

    with RunStore(Path(subject["folder"]), read_only=True) as store:
        run = store.run(int(subject["run"]))
    needs = needs_of(run)
    if run.fingerprint != subject["fingerprint"] or needs.key != subject["key"]:
        raise InputError(f"run {run.id} is another one by now; load the page again")
    if not Path(needs.data).is_file():
        raise DataError(f"the price file {needs.data} is gone; put it back to see the equity")
    if not needs.unasked and needs.folder is not None:
        # Modules are found from there. Only now: whatever of ours is imported has been.
        with contextlib.suppress(OSError):
            os.chdir(needs.folder)
    return Replaying(run, needs.data)


if __name__ == "__main__":
    main()
