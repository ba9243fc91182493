"""Completion for zsh."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from bigbar.completion.model import IDS, Command, Option, Value, program

_SCRIPT = r"""#compdef NAME
# Completion of NAME for zsh.

_NAME_words() {
    compadd -- "$@"
}

_NAME_runs() {
    # Zsh quotes once more what was typed with quotes.
    local folder=${(Q)${(Q)opt_args[--output]:-bigbar_output}}
    compadd -- last $(command NAME history --json --output ${~folder} 2>/dev/null |
        IDS)
}

_NAME() {
    local curcontext=$curcontext ret=1
    local -a state line commands
    typeset -A opt_args
    if (( CURRENT > 2 )); then
        case $words[2] in
CASES
        esac
    elif [[ $words[CURRENT] != -* ]]; then
        commands=(COMMANDS)
        _describe -t commands command commands && ret=0
    fi
FIRST && ret=0
    return ret
}

if [[ $funcstack[1] == _NAME ]]; then
    _NAME "$@"
else
    compdef _NAME NAME
fi
"""


def script(commands: Iterable[Command]) -> str:
    """The script.

    Parameters
    ----------
    commands : iterable of Command
        The first is the program itself.
    """
    first, *others = commands
    cases = [
        f"        {one.name})\n            shift words; (( CURRENT-- ))\n"
        f"{_arguments(one, 12)}\n            return ;;"
        for one in others
    ]
    described = " ".join(shlex.quote(f"{one.name}:{one.text}") for one in others)
    return (
        _SCRIPT.replace("CASES", "\n".join(cases))
        .replace("COMMANDS", described)
        .replace("FIRST", _arguments(first, 4))
        .replace("IDS", IDS)
        .replace("NAME", program())
    )


def _arguments(command: Command, indent: int) -> str:
    """A call of zsh's `_arguments`."""
    specs = [spec for option in command.options for spec in _specs(option)]
    specs += [f"*:{_escaped(place.name)}:{_action(place)}" for place in command.places[:1]]
    space = " " * indent
    lines = [f"{space}_arguments -s", *(f"{space}    {shlex.quote(spec)}" for spec in specs)]
    return " \\\n".join(lines)


def _specs(option: Option) -> list[str]:
    """One for each name; what it takes may follow behind a blank or, for long ones, an `=`."""
    several = len(option.names) > 1
    others = f"({' '.join(option.names)})" if several else ""
    text = re.sub(r"([\[\]\\:])", r"\\\1", option.text)
    found = []
    for name in option.names:
        mark = "" if option.value is None or not name.startswith("--") else "="
        value = option.value
        takes = "" if value is None else f":{_escaped(value.name)}:{_action(value)}"
        repeated = "*" if value is not None and not several else ""
        found.append(f"{others}{repeated}{name}{mark}[{text}]{takes}")
    return found


def _escaped(text: str) -> str:
    return re.sub(r"([:\\])", r"\\\1", text)


def _action(value: Value) -> str:
    if value.runs:
        return f"_{program()}_runs"
    words = f"_{program()}_words {shlex.join(value.words)}" if value.words else ""
    paths = "_files" if value.files else "_files -/" if value.folders else ""
    if words and paths:
        return f"{{{_escaped(words)}; {paths}}}"
    return f"{{{_escaped(words)}}}" if words else paths or " "
