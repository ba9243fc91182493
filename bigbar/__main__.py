"""The command `bigbar`, and `python -m bigbar`: optimize a file, or look at earlier runs.

    bigbar prices.csv --strategy my.py:SmaCross --param fast=5:50:5
    bigbar history | show 3 | compare 3 4 | dashboard | strategies | explain my.py:SmaCross

A file named like a command is meant with its folder: `./history`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

#: Commands that optimize nothing. Named here, so that a run does not wait for their parser.
COMMANDS = (
    *("history", "show", "compare", "report", "export", "delete", "verify", "profile"),
    *("strategies", "explain", "dashboard"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; `sys.argv` by default.

    Returns
    -------
    int
        The exit code: see `--help`.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    command = words[0] if words else ""
    if command.partition("=")[0] == "--completion":
        from bigbar.completion.command import main as complete

        return complete(words)
    if command == "strategies":
        from bigbar.strategies.listing import main as list_strategies

        return list_strategies(words[1:])
    if command == "explain":
        from bigbar.explanation import main as explain

        return explain(words[1:])
    if command == "dashboard":
        from bigbar.dashboard.command import main as show_dashboard

        return show_dashboard(words[1:])
    if command in COMMANDS:
        from bigbar.history.command import main as look_back

        return look_back(words)
    if command.isalpha() and not os.path.exists(command):
        from bigbar.command_line import did_you_mean
        from bigbar.streams import say

        meant = did_you_mean(command, COMMANDS)
        if meant:
            say(f"error: there is no file {command!r}, and no command of that name{meant}")
            return 2
    from bigbar.collector import pause, resume

    pause()
    from bigbar_multiprocessing_optimized import main as optimize

    resume()
    return optimize(words)


if __name__ == "__main__":
    sys.exit(main())
