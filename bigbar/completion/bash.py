"""Completion for bash, from 3.2 on."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from bigbar.completion.model import IDS, Command, Value, program

# Bash takes the words as they are; with `-o filenames` readline quotes their spaces.
_SCRIPT = r"""# Completion of NAME for bash.

_NAME_offer() {
    local word
    while IFS= read -r word; do
        [[ $word == "$head$cur"* ]] && COMPREPLY+=("${word#"$head"}")
    done
}

_NAME_paths() {
    local path
    while IFS= read -r path; do
        COMPREPLY+=("${path#"$head"}")
    done < <(compgen "$1" -- "$head$cur")
}

_NAME_runs() {
    local place folder=bigbar_output
    for (( place = 2; place < ${#COMP_WORDS[@]}; place++ )); do
        [[ ${COMP_WORDS[place-1]} == --output ]] && folder=${COMP_WORDS[place]}
        [[ ${COMP_WORDS[place-2]} == --output && $folder == "=" ]] && folder=${COMP_WORDS[place]}
    done
    folder=${folder//[\\\"\']/}
    [[ $folder == "~/"* ]] && folder=$HOME/${folder:2}
    command "${COMP_WORDS[0]}" history --json --output "$folder" 2>/dev/null |
        IDS
}

_NAME_nothing() {
    compopt +o default +o bashdefault 2>/dev/null
}

_NAME() {
    local cur=${COMP_WORDS[COMP_CWORD]} place=$COMP_CWORD head= prev= command=
    COMPREPLY=()
    # Bash parts words at = and at : as well; what stands before a : is the head.
    if [[ $cur == ":" ]]; then
        head=${COMP_WORDS[place-1]}: cur=
        (( place -= 1 ))
    elif (( place > 1 )) && [[ ${COMP_WORDS[place-1]} == ":" ]]; then
        head=${COMP_WORDS[place-2]}:
        (( place -= 2 ))
    fi
    if [[ $cur == "=" ]]; then
        prev=${COMP_WORDS[place-1]} cur=
    elif (( place > 1 )) && [[ ${COMP_WORDS[place-1]} == "=" ]]; then
        prev=${COMP_WORDS[place-2]}
    elif (( place > 0 )); then
        prev=${COMP_WORDS[place-1]}
    fi
    cur=${cur#[\"\']}
    cur=${cur//\\/}
    (( COMP_CWORD > 1 )) && command=${COMP_WORDS[1]}
    case $command in
COMMANDS
    esac
}

complete -o filenames -o bashdefault -o default -F _NAME NAME
"""


def script(commands: Iterable[Command]) -> str:
    """The script.

    Parameters
    ----------
    commands : iterable of Command
        The first is the program itself.
    """
    first, *others = commands
    parts = [*(_case(one, one.name) for one in others), _case(first, "*", others)]
    text = _SCRIPT.replace("COMMANDS", "\n".join(parts)).replace("IDS", IDS)
    return text.replace("NAME", program())


def _case(command: Command, pattern: str, others: Iterable[Command] = ()) -> str:
    """What to offer for a command."""
    lines = [f"    {pattern})", "        case $prev in"]
    for option in command.options:
        if option.value is not None:
            lines.append(f"        {'|'.join(option.names)})")
            lines += [f"            {line}" for line in _offers(option.value)]
            lines.append("            return ;;")
    lines.append("        esac")
    lines.append("        if [[ $cur == -* ]]; then")
    names = [name for option in command.options for name in option.names]
    lines += [f"            {_offer(names)}", "            return", "        fi"]
    if others:
        lines += ["        if (( COMP_CWORD == 1 )); then"]
        lines += [f"            {_offer(one.name for one in others)}", "        fi"]
    places = [line for place in command.places for line in _offers(place)] or _offers(Value(""))
    lines += [f"        {line}" for line in dict.fromkeys(places)]
    return "\n".join([*lines, "        ;;"])


def _offers(value: Value) -> list[str]:
    """The lines that offer a value; where nothing is offered, bash offers files by itself."""
    return list(_lines(value))


def _lines(value: Value) -> Iterator[str]:
    if value.words:
        yield _offer(value.words)
    if value.runs:
        yield f"_{program()}_offer < <(_{program()}_runs)"
    if value.files:
        yield f"_{program()}_paths -f"
    elif value.folders:
        yield f"_{program()}_paths -d"
    else:
        yield f"_{program()}_nothing"


def _offer(words: Iterable[str]) -> str:
    return f"_{program()}_offer < <(printf '%s\\n' {shlex.join(words)})"
