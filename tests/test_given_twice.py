"""What holds one value is given once: of every option of every command, and in a file."""

from __future__ import annotations

import argparse
import re

import pytest

from bigbar.__main__ import main
from bigbar.completion.command import make_parser as completion_parser
from bigbar.dashboard.command import make_parser as dashboard_parser
from bigbar.errors import SettingsError
from bigbar.explanation import make_parser as explain_parser
from bigbar.history.command import make_parser as history_parser
from bigbar.options import parse_options
from bigbar.parser import make_parser
from bigbar.strategies.find import find_strategy
from bigbar.strategies.listing import make_parser as strategies_parser

#: Meant to be repeated.
REPEATED = {"--param", "--constraint", "--maximize"}

PARSERS = {
    "": make_parser(),
    "of a strategy": make_parser(find_strategy("sma_cross")),
    "completion": completion_parser(),
    "dashboard": dashboard_parser(),
    "explain": explain_parser(),
    "strategies": strategies_parser(),
    **{
        name: parser
        for action in history_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
        for name, parser in action.choices.items()
    },
}


def of_one_value() -> list[tuple[str, argparse.Action]]:
    return [
        (name, action)
        for name, parser in PARSERS.items()
        for action in parser._actions
        if action.option_strings and action.nargs is None
    ]


@pytest.mark.parametrize(
    ("parser", "action"),
    of_one_value(),
    ids=[f"{name} {action.option_strings[-1]}" for name, action in of_one_value()],
)
def test_every_option_of_one_value_is_refused_twice(parser, action):
    """Also by the same value: the second may be a slip for another option."""
    name, text = action.option_strings[-1], "1"
    if action.choices:
        text = str(next(iter(action.choices)))
    places = ["3"] * sum(not one.option_strings for one in PARSERS[parser]._actions)
    words = [*places, name, text, f"{name}={text}"]
    if name in REPEATED:
        assert vars(PARSERS[parser].parse_args(words))[action.dest] == [text, text]
        return
    with pytest.raises(SettingsError) as caught:
        PARSERS[parser].parse_args(words)
    assert str(caught.value) == (
        f"{name} is given twice, as {text!r} and as {text!r}; leave one out"
    )
    PARSERS[parser].parse_args(words[:-1])  # What was given before is forgotten.


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--output", "a", "--output", "b"], "--output is given twice, as 'a' and as 'b'"),
        (["--outp", "a", "--output=b"], "--output is given twice, as 'a' and as 'b'"),
        (["--k_atr", "1", "--k-atr", "2"], "--k-atr is given twice, as '1' and as '2'"),
        (["--config", "a.toml", "--config", "b.toml"],
         "--config is given twice, as 'a.toml' and as 'b.toml'"),
        (["--config", "a.toml", "--conf=b.toml"],
         "--config is given twice, as 'a.toml' and as 'b.toml'"),
        (["--strategy", "a.py:A", "--strategy", "b.py:B"],
         "--strategy is given twice, as 'a.py:A' and as 'b.py:B'"),
        (["--param", "k_atr=1", "--param", "k_atr=2"],
         "--param k_atr is given twice, as '1' and as '2'"),
        (["--plot", "--plot=false"], "--plot is given twice, as 'true' and as 'false'"),
        (["--plot=false", "--plot=true"], "--plot is given twice, as 'true' and as 'false'"),
    ],
)  # fmt: skip
def test_both_values_are_named_in_one_sentence(words, said, capsys):
    assert main(["f.csv", *words]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert told == f"error: {said}; leave one out"


def test_what_holds_nothing_may_be_repeated():
    assert parse_options(["f", "--plot", "--plot", "-v", "--verbose"]).plot
    assert not parse_options(["f", "--plot=false", "--plot=false"]).plot


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--no-progress=maybe"],
         "--no-progress is 'maybe', but takes true or false, or no value"),
        (["--no-prog=1"], "--no-progress is '1', but takes true or false, or no value"),
        (["-v=3"], "-v is '3', but takes true or false, or no value"),
        (["--version=3"], "--version is '3', but takes no value"),
        (["--no-store", "--resume", "1"],
         "--resume and --no-store exclude each other; leave one out"),
        (["--fresh", "--retry-failed"],
         "--retry-failed and --fresh exclude each other; leave one out"),
        (["--st", "x"], "--st may be --strategy, --start-method; write it out"),
        (["--st=a could match b"], "--st may be --strategy, --start-method; write it out"),
        (["--top"], "--top needs a value; --help says which"),
    ],
)  # fmt: skip
def test_what_argparse_refuses_is_said_plainly(words, said):
    with pytest.raises(SettingsError, match=f"^{re.escape(said)}$"):
        parse_options(["f", *words])
    with pytest.raises(SettingsError, match=r"^--json is '3', but takes no value$"):
        PARSERS["history"].parse_args(["--json=3"])
    assert not parse_options(["f", "--no-prog=false"]).no_progress
