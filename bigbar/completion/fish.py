"""Completion for fish, from 3.0 on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bigbar.completion.model import IDS, Command, Option, Value, program


def script(commands: Iterable[Command]) -> str:
    """The script.

    Parameters
    ----------
    commands : iterable of Command
        The first is the program itself.
    """
    return "\n".join(_lines(*commands)) + "\n"


def _lines(first: Command, *others: Command) -> Iterator[str]:
    name = program()
    yield f"# Completion of {name} for fish."
    yield f"complete -c {name} -e"
    # The second word alone says which command it is: a price file may have any name.
    yield (
        f"function __{name}_at\n    set -l words (commandline -opc)\n    set -q words[2]\n"
        "    and test \"$words[2]\" = $argv[1]\nend"
    )  # fmt: skip
    yield (
        f"function __{name}_runs\n    set -l words (commandline -opc)\n"
        f"    not set -q words[2]\n    or not contains -- \"$words[2]\" "
        f"{' '.join(one.name for one in others)}\nend"
    )  # fmt: skip
    yield (
        f"function __{name}_ids\n    set -l words (commandline -opc)\n"
        "    set -l folder bigbar_output\n"
        "    if set -l place (contains -i -- --output $words)\n"
        "        set folder $words[(math $place + 1)]\n    end\n"
        "    for word in $words\n"
        "        string match -q -- '--output=*' $word\n"
        "        and set folder (string sub -s 10 -- $word)\n    end\n"
        f"    command {name} history --json --output $folder 2>/dev/null | {IDS}\nend"
    )  # fmt: skip
    for one in others:
        begins = "test (count (commandline -opc)) -eq 1"
        yield f"complete -c {name} -n '{begins}' -a {one.name} -d {_quoted(one.text)}"
    for command in (first, *others):
        when = f"__{name}_at {command.name}" if command.name else f"__{name}_runs"
        for option in command.options:
            yield f"complete -c {name} -n '{when}' {_option(option)}"
        if command.name and not any(place.files for place in command.places):
            yield f"complete -c {name} -n '{when}' -f"
        for place in command.places:
            if place.words:
                yield f"complete -c {name} -n '{when}' -a {_words(place)}"
            if place.runs:
                yield f"complete -c {name} -n '{when}' -a '(__{name}_ids)'"


def _option(option: Option) -> str:
    names = [
        f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names
    ]
    return " ".join([*names, "-d", _quoted(option.text), *_takes(option.value)])


def _takes(value: Value | None) -> Iterator[str]:
    if value is None:
        return
    yield "-r" if value.files else "-x"
    if value.files:
        yield "-F"
    if value.words:
        yield f"-a {_words(value)}"
    if value.folders:
        yield "-a '(__fish_complete_directories)'"


def _words(value: Value) -> str:
    """As a command that prints them, a line each: so a blank parts nothing."""
    printed = " ".join(_quoted(word) for word in value.words)
    return _quoted(rf"(printf '%s\n' {printed})")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
