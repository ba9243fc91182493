"""The command line: what it comes to, what it refuses, and that help shows the defaults."""

import math
import multiprocessing
import re
import shlex
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from bigbar.engines.find import engine_choices
from bigbar.errors import SettingsError
from bigbar.machine.budget import Files
from bigbar.machine.resources import usable_processors
from bigbar.options import parse_options
from bigbar.outcome import Execution
from bigbar.parser import make_parser
from bigbar.short_help import EXAMPLES
from bigbar.store.recording import ReusePolicy
from bigbar.strategies.big_bar.description import BigBar
from bigbar.strategies.big_bar.parameters import (
    DEFAULT_GRID,
    Parameters,
    big_bar_account,
    parse_grid,
)
from bigbar.version import __version__


def test_defaults():
    options = parse_options(["bars.csv"])
    assert options.file == "bars.csv"
    assert options.request.space == parse_grid()
    assert options.request.spec == BigBar()
    assert options.request.account == big_bar_account()
    assert options.request.engine == "compiled"
    assert options.request.choice.objective.name == "Return [%]"
    assert options.request.choice.min_trades == 1
    assert options.request.execution == Execution(
        workers=usable_processors(), verify=20, seed=0, files=Files(Path("bigbar_output"))
    )
    assert options.optimize
    assert options.top == 10
    assert options.output == Path("bigbar_output")
    assert (options.plot, options.export_csv, options.no_progress) == (False, False, False)


def test_everything_given():
    options = parse_options([
        "--workers", "8", "--no-progress", "--maximize", "sharpe ratio", "--min-trades", "30",
        "--atr-period", "10:20:5", "--k-atr", "1.1,2", "--uptail-max-ratio", "0.5:0.6:0.1",
        "--previous-weight", "-0.1", "--buffer-ratio", "0", "--cash", "5e4", "--commission",
        "5,0.001", "--spread", "0.0002", "--margin", "0.02", "--week-edge-bars", "0", "--engine",
        "backtesting", "--start-method", "spawn", "--top", "3", "--plot", "--output", "out",
        "--export", "csv", "--seed", "7", "--verify", "0", "bars.csv",
    ])  # fmt: skip
    assert options.request.space.shape == (3, 2, 2, 1, 1)
    assert options.request.space[0] == vars(Parameters(10, 1.1, 0.5, -0.1, 0.0))
    assert options.request.spec == BigBar(week_edge_bars=0)
    assert options.request.account == big_bar_account(5e4, (5.0, 0.001), 0.0002, 0.02)
    assert options.request.engine == "backtesting"
    assert options.request.choice.objective.name == "Sharpe Ratio"
    assert options.request.choice.min_trades == 30
    assert options.request.execution == Execution(
        workers=8, start_method="spawn", verify=0, verify_seconds=math.inf, seed=7,
        files=Files(Path("out"), True, True),
    )  # fmt: skip
    assert (options.top, options.output) == (3, Path("out"))
    assert options.plot
    assert options.export_csv
    assert options.no_progress


@pytest.mark.parametrize(
    ("given", "policy"),
    [
        ([], ReusePolicy()),
        (["--fresh"], ReusePolicy(fresh=True)),
        (["--resume", "7"], ReusePolicy(resume=7)),
        (["--retry-failed"], ReusePolicy(retry_failed=True)),
        (["--no-store"], None),
    ],
)
def test_earlier_runs(given, policy):
    options = parse_options(["f", *given])
    assert options.policy == policy
    assert options.command == ("f", *given)


@pytest.mark.parametrize(
    "given",
    [["--fresh", "--resume", "7"], ["--no-store", "--retry-failed"], ["--resume", "0"],
     ["--resume", "last"], ["--resume"]],
)  # fmt: skip
def test_options_that_exclude_each_other_or_make_no_sense(given):
    with pytest.raises(SettingsError, match="--re"):
        parse_options(["f", *given])


@pytest.mark.parametrize(
    ("text", "commission"),
    [("0", 0.0), ("0.001", 0.001), ("-0.0001", -0.0001), ("1,0", (1.0, 0.0)), ("1e-3", 0.001)],
)
def test_commission(text, commission):
    options = parse_options(["f", f"--commission={text}"])
    assert options.request.account.commission == commission


def test_one_backtest_with_the_single_run_defaults():
    options = parse_options(["f", "--no-optimize", "--k-atr", "1.5"])
    assert not options.optimize
    assert list(options.request.space) == [vars(Parameters(k_atr=1.5))]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--k-atr", "x"], "--k-atr 'x' is no axis"),
        (["--atr-period", "1.5"], "whole numbers"),
        (["--maximize", "Shrpe"], "did you mean 'Sharpe Ratio'"),
        (["--maximize", "Max. Trade Duration"], "neither a longer nor a shorter"),
        (["--cash", "0"], "cash is 0.0"),
        (["--cash", "nan"], "cash is nan"),
        (["--margin", "2"], "margin is 2.0"),
        (["--spread", "1"], "spread is 1.0"),
        (["--commission", "x"], "FIXED,SHARE such as 5,0.001"),
        (["--commission", "1,2,3"], "FIXED,SHARE"),
        (["--commission", ""], "FIXED,SHARE"),
        (["--commission", "nan"], "--commission 'nan'"),
        (["--commission", "inf,0"], "fixed commission is inf"),
        (["--no-optimize", "--k-atr", "1,2"], "but k_atr was given several values"),
    ],
)
def test_refused_with_exit_code_2(arguments, words):
    with pytest.raises(SettingsError, match=re.escape(words)) as caught:
        parse_options(["f", *arguments])
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "FILE.csv is missing"),
        (["--resume", "3"], "--resume goes with the command of the run, which"),
        (["f", "--workers", "0"], "--workers: 0 is below 1"),
        (["f", "--output", ""], "names no folder"),
        (["f", "--workers", "two"], "--workers: 'two' is not a whole number, nor is it auto"),
        (["f", "--min-trades", "-1"], "--min-trades: -1 is below 0"),
        (["f", "--top", "1.5"], "--top: '1.5' is not a whole number"),
        (["f", "--seed", str(2**63)], "is too large"),
        (["f", "--week-edge-bars", "-6"], "-6 is below 0"),
        (["f", "--cash", "much"], "--cash: 'much' is not a number"),
        (["f", "--engine", "steam"], "--engine: 'steam' is none of auto, compiled, backtesting"),
        (["f", "--engine", "compield"], "; did you mean compiled?"),
        (["f", "--start-method", "magic"], "'magic' is none of"),
        (["f", "--export", "xls"], "'xls' is none of csv"),
        (["f", "--max", "3"], "may be --maximize, --max-tries, --max-workers, --max-memory"),
        (["f", "--top"], "--top needs a value; --help says which"),
        (["f", "--no-such-option"], "there is no option '--no-such-option'"),
        (["f", "--common", "worst"], "--common takes several price files"),
        (
            ["f", "g", "--common=worst", "--maximize=SQN", "--maximize=Win Rate [%]"],
            "--common finds the best setting by one objective",
        ),
        (["f", "g", "--resume", "3"], "--resume names one run, and several files have one each"),
        (["f", "-"], "standard input (-) holds one file"),
        (["no_such/*.csv"], "no file is like 'no_such/*.csv'"),
    ],
)
def test_no_command_line(arguments, words):
    with pytest.raises(SettingsError, match=re.escape(words)) as caught:
        parse_options(arguments)
    assert "\n" not in str(caught.value)
    assert "usage" not in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("--worker-count", "--workers"), ("--comission", "--commission"),
        ("--maximise", "--maximize"), ("-k-atr", "--k-atr"),
        ("-workers", "--workers"), ("--ATR-PERIOD", "--atr-period"),
        ("--walkforward", "--walk-forward"), ("--min_trade_s", "--min-trades"),
        ("--no-progres-bar", "--no-progress"), ("--outptu=x", "--output"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("rest", [["5", "f"], ["f"], []])
def test_what_was_mistyped_is_named_with_what_was_meant(typed, meant, rest):
    """Also where the file seems to be missing, or to be one too many, for its sake."""
    with pytest.raises(SettingsError) as caught:
        parse_options([typed, *rest])
    name = typed.split("=")[0].replace("_", "-")
    said = str(caught.value).replace("_", "-")
    assert said == f"there is no option '{name}'; did you mean {meant}?"


def test_a_name_that_is_near_to_none():
    with pytest.raises(SettingsError, match="no option '--xyzzy'; --help lists all"):
        parse_options(["f", "--xyzzy"])


#: Fills, which are BigBar's own.
REFUSED = ("--trade-on-close", "--exclusive-orders", "--hedging", "--finalize-trades")


@pytest.mark.parametrize("name", [one for a in make_parser()._actions for one in a.option_strings])
def test_underscores_are_hyphens(name, tmp_path):
    """Every option, also where its value comes with it, and as it can be cut short."""
    if name in ("-h", "--help", "--version", "--completion"):
        return
    if name.startswith("--cluster") and find_spec("ray") is None:
        pytest.skip("Ray is not installed (pip install '.[cluster]')")
    (tmp_path / "run.toml").touch()
    action = make_parser()._option_string_actions[name]
    value = str(next(iter(action.choices or ["1"])))
    words = [name] if action.nargs == 0 else [name, value]
    if name == "--anchored":
        words += ["--walk-forward", "2"]
    if name in ("--min-workers", "--max-workers"):
        words += ["--workers", "auto"]
    if name == "--cluster-wait":
        words += ["--cluster", "local:1"]
    meant = {
        "--maximize": "SQN", "--holdout": "0.2", "--columns": "time=1", "--time-format": "%Y",
        "--time-zone": "UTC", "--strategy": "big_bar", "--param": "k_atr=1.5",
        "--constraint": "k_atr > 2", "--config": str(tmp_path / "run.toml"),
        "--save-config": "saved.toml", "--cluster": "local:1", "--keep": "top:10",
    }  # fmt: skip
    if name == "--common":
        words.append("g")
    if name in meant:
        words[1] = meant[name]
    if name in ("--commission", "--spread"):
        words[1] = "0.01"
    if name in REFUSED:
        with pytest.raises(SettingsError, match=f"{name} cannot be chosen for BigBar"):
            parse_options(["f", *words])
        words += ["--strategy", "sma_cross", "--param", "fast=5,10"]
    written = name[:2] + name[2:].replace("-", "_")
    both = [parse_options(["f", one, *words[1:]]) for one in (name, written)]
    if action.nargs != 0:
        both.append(parse_options(["f", f"{written}={words[1]}", *words[2:]]))
    for options in both:
        assert replace(options, command=()) == replace(both[0], command=())


def test_replays_that_were_asked_for_have_all_the_time():
    """Also as many as the default is: that alone is cut by the time that it may take."""
    assert parse_options(["f"]).request.execution.verify_seconds == 6
    asked = parse_options(["f", "--verify", "20"]).request.execution
    assert (asked.verify, asked.verify_seconds) == (20, math.inf)


def test_the_command_is_kept_as_it_was_typed():
    assert parse_options(["f", "--k_atr", "1"]).command == ("f", "--k_atr", "1")


def test_a_file_after_two_hyphens_is_no_option():
    assert parse_options(["--top", "3", "--", "--k_atr"]).file == "--k_atr"


def previous_weights(*words):
    return parse_options(words).request.space.parameters[3].values


@pytest.mark.parametrize(
    ("text", "values"),
    [("-0.1:0.1:0.1", (-0.1, 0.0, 0.1)), ("-.5", (-0.5,)), ("-1,2", (-1.0, 2.0)), ("-1", (-1.0,))],
)
def test_values_may_begin_with_a_minus(text, values):
    assert previous_weights("f", "--previous_weight", text) == values
    assert previous_weights("--previous-w", text, "f") == values
    assert previous_weights("f", f"--previous-weight={text}") == values


def test_a_command_line_given_from_python():
    assert parse_options([Path("f"), "--top", 3]).command == ("f", "--top", "3")
    for wrong in ("example.csv", b"f", 7, {"f": 1}):
        with pytest.raises(SettingsError, match="must be a list of words"):
            parse_options(wrong)


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        parse_options(["--version"])
    assert caught.value.code == 0
    assert __version__ in capsys.readouterr().out


@pytest.fixture
def help_text(capsys, monkeypatch) -> str:
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as caught:
        parse_options(["--help", "all"])
    assert caught.value.code == 0
    return capsys.readouterr().out


def test_the_short_help_has_examples_first_and_what_most_runs_need(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for line in (["--help"], ["-h"], ["prices.csv", "--help"]):
        with pytest.raises(SystemExit) as caught:
            parse_options(line)
        assert caught.value.code == 0
        text = capsys.readouterr().out
        assert max(map(len, text.splitlines())) <= 80
        assert len(re.findall(r"^  bigbar prices.csv", text.partition("options:")[0], re.M)) == 3
        assert {"--strategy", "--param", "--holdout"} <= set(
            re.findall(r"^  (--[a-z-]+)", text, re.M)
        )
        assert not {"--margin", "--seed", "--time-zone"} & set(re.findall(r"--[a-z-]+", text))
        assert "the price file" not in text  # No group without options.
        assert "--help all" in text


def test_the_examples_are_command_lines():
    for line in re.findall(r"^  bigbar (.*)$", EXAMPLES, re.M):
        make_parser().parse_args(shlex.split(line))


def test_help_has_groups(help_text):
    for group in (
        "the price file",
        "what to look for",
        "strategy and grid",
        "money, costs and fills",
        "what it is worth",
        "running",
        "earlier runs",
        "output",
    ):
        assert f"\n{group}:\n" in help_text
    assert "Exit codes: 0 done;" in " ".join(help_text.split())


def test_help_shows_the_defaults(help_text):
    text = " ".join(help_text.split())
    for default in (*DEFAULT_GRID.values(), "Return [%]", "100000.0", "bigbar_output", "compiled"):
        assert f"(default: {default})" in text
    assert f"here {usable_processors()})" in text
    defaults = ", ".join(f"{name}={value:g}" for name, value in vars(Parameters()).items())
    assert defaults in text


def test_every_option_that_takes_a_value_tells_its_default(help_text):
    named = [a for a in make_parser()._actions if a.option_strings and a.dest != "help"]
    actions = [a for a in named if a.nargs != 0]
    untold = [a.option_strings[0] for a in actions if "default: " not in str(a.help)]
    assert untold == ["--export"]  # Without it, nothing is exported: that is what it says.


def test_choices_are_those_there_are(help_text):
    assert "{" + ",".join(engine_choices(BigBar())) + "}" in help_text
    assert "{" + ",".join(multiprocessing.get_all_start_methods()) + "}" in help_text
