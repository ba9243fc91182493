"""Settings in a file: what they come to, what is refused and where, and that saving loses none."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from bigbar.errors import SettingsError
from bigbar.options import Options, parse_options
from bigbar.parser import make_parser
from bigbar.report.files import OutputError
from bigbar.statistics import STATISTICS, Better
from tests import commands

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def options_of(text: str | bytes, *words: str, path: str = "run.toml") -> Options:
    """What a file with this text comes to, beside some words."""
    raw = text.encode() if isinstance(text, str) else text
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(raw)
    return parse_options(["--config", path, *words])


def alike(options: Options) -> Options:
    """Without what tells how the settings came."""
    return replace(options, command=(), config=None, saving=None)


# --------------------------------------------------------------------------------- what it means


@pytest.mark.usefixtures("here")
def test_everything_there_is_means_what_the_same_options_mean():
    found = options_of(
        "data = 'bars.csv'\nstrategy = 'sma_cross'\nmaximize = 'sharpe ratio'\nmin-trades = 30\n"
        "constraint = ['fast < slow', 'slow > 12']\nworkers = 'auto'\nmax_workers = 2\n"
        "holdout = 0.2\nchoose = 'robust'\nthorough = true\nplot = false\nexport = 'csv'\n"
        "columns = 'time=1'\nmax-memory = '2G'\ntimeout-per-backtest = 1.5\nno-store = true\n"
        "[param]\nfast = [5, 10]\nslow = '20:60:20'\n"
        "[backtest]\ncash = 5_000\ncommission = [5, 0.001]\nmargin = 0.5\ntrade_on_close = true\n"
        "hedging = false\n"
    )
    same = parse_options([
        "bars.csv", "--strategy", "sma_cross", "--maximize", "Sharpe Ratio", "--min-trades", "30",
        "--constraint", "fast < slow", "--constraint", "slow > 12", "--workers", "auto",
        "--max-workers", "2", "--holdout", "0.2", "--choose", "robust", "--thorough", "--export",
        "csv", "--columns", "time=1", "--max-memory", "2G", "--timeout-per-backtest", "1.5",
        "--no-store", "--param", "fast=5,10", "--param", "slow=20:60:20", "--cash", "5000",
        "--commission", "5,0.001", "--margin", "0.5", "--trade-on-close",
    ])  # fmt: skip
    assert alike(found) == alike(same)
    raw = Path("run.toml").read_bytes()
    assert found.config == {"path": "run.toml", "sha256": hashlib.sha256(raw).hexdigest()}
    assert same.config is None


@pytest.mark.usefixtures("here")
def test_the_guides_file_is_one():
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    text = guide.partition("```toml\n")[2].partition("```")[0]
    assert "my.py:SmaCross" in text
    options = options_of(text.replace("my.py:SmaCross", "sma_cross"), "--thorough=false")
    assert options.request.space.shape == (10, 3)
    assert options.request.plan is not None
    assert not options.request.plan.thorough


#: What the file says, what is typed beside it, and the command line that is the same.
BESIDE = [
    ("min-trades = 5\nseed = 3", ["--min-trades", "7"], ["--min-trades", "7", "--seed", "3"]),
    ("min-trades = 5", ["--min-tr", "1"], []),
    ("data = 'other.csv'", ["bars.csv"], []),
    ("strategy = 'sma_cross'\n[param]\nfast = 5\nslow = 20", ["--param", "slow=30:40:5"],
     ["--strategy", "sma_cross", "--param", "fast=5", "--param", "slow=30:40:5"]),
    ("strategy = 'no_such'", ["--strategy", "sma_cross", "--param", "fast=5"],
     ["--strategy", "sma_cross", "--param", "fast=5"]),
    ("strategy = 'sma_cross'\nconstraint = 'fast < 6'\n[param]\nfast = [5, 6, 7]",
     ["--constraint", "fast > 5"],
     ["--strategy", "sma_cross", "--param", "fast=5,6,7", "--constraint", "fast > 5"]),
    ("k-atr = 2", ["--k-atr", "1,2"], ["--k-atr", "1,2"]),
    ("k-atr = 2", ["--param", "k_atr=1,2"], ["--k-atr", "1,2"]),
    ("[param]\nk_atr = 2", ["--k-atr", "1,2"], ["--k-atr", "1,2"]),
    ("no-store = true", ["--resume", "3"], ["--resume", "3"]),
    ("resume = 3", ["--fresh"], ["--fresh"]),
    ("plot = true\nverbose = true", ["--plot=false"], ["--verbose"]),
    ("plot = true", ["--plot=true"], ["--plot"]),
    ("workers = 'auto'\nmax-workers = 2", ["--workers", "1"], ["--workers", "1"]),
    ("[backtest]\ncash = 5", ["--cash", "100000"], []),
    ("cash = 5000", [], ["--cash", "5000"]),
    ("output = 'there'", ["--output", "here"], ["--output", "here"]),
    ("no_progress = true", [], ["--no-progress"]),
]  # fmt: skip


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("text", "typed", "same"), BESIDE)
def test_the_command_line_wins(text, typed, same):
    head = "" if "data" in text else "data = 'bars.csv'\n"
    for form in (["--config", "run.toml"], ["--conf=run.toml"]):
        found = options_of(head + text, *typed)
        again = parse_options([*typed, *form])
        assert alike(found) == alike(again) == alike(parse_options(["bars.csv", *same]))


@pytest.mark.usefixtures("here")
def test_parameters_stand_where_the_file_has_them():
    """The points are numbered by that, so it is the same grid, and the same run."""
    text = "data = 'b.csv'\nstrategy = 'sma_cross'\n[param]\nslow = '20:40:10'\nfast = [5, 10]\n"
    whole = options_of(text).request.space
    assert whole.names == ("slow", "fast")
    again = options_of(text, "--param", "slow=20,30,40").request.space
    assert list(again) == list(whole)
    one = options_of(text, "--param", "fast=7", "--param", "slow=20:40:10").request.space
    assert one.names == ("slow", "fast")
    assert list(one) == [{"slow": slow, "fast": 7} for slow in (20, 30, 40)]
    more = options_of("data = 'b.csv'\nstrategy = 'sma_cross'\n[param]\nslow = 20\n",
                      "--param", "fast=5", "--param", "slow=30").request.space  # fmt: skip
    assert more.names == ("slow", "fast")


def test_a_flag_is_switched_off_without_a_file_too():
    assert not parse_options(["f", "--plot=false"]).plot
    assert parse_options(["f", "--no_progress=true"]).no_progress
    with pytest.raises(SettingsError, match="--plot is 'maybe', but takes true"):
        parse_options(["f", "--plot=maybe"])


def test_paths_begin_where_the_file_is(here, monkeypatch):
    (here / "own.py").write_text(
        "from backtesting import Strategy\nclass Own(Strategy):\n    n = 3\n"
        "    def init(self): pass\n    def next(self): pass\n"
    )
    text = "data = 'd/bars.csv'\nstrategy = './own.py:Own'\noutput = '../out'\n[param]\nn = [1, 2]"
    (here / "run.toml").write_text(text)
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    found = parse_options(["--config", "../run.toml"])
    assert found.file == "../d/bars.csv"
    assert found.output == Path("../../out")
    assert found.request.spec.title == "Own"
    assert parse_options(["--config", str(here / "run.toml"), "b.csv"]).file == "b.csv"
    monkeypatch.setenv("HOME", str(here))
    assert options_of("data = '~/x.csv'").file == str(here / "x.csv")
    assert options_of("data = '-'").file == "-"


# ------------------------------------------------------------------------------- what is refused

REFUSED = [
    ("min-trade = 5", "line 2: there is no setting 'min-trade'; did you mean min-trades?"),
    ("Min_Trades = 5", "line 2: there is no setting 'Min_Trades'; did you mean min-trades?"),
    ("[backtests]\ncash = 1", "line 2: there is no setting 'backtests'; did you mean [backtest]?"),
    ("[params]\nk_atr = 1", "line 2: there is no setting 'params'; did you mean [param]?"),
    ("xyzzy = 1", "line 2: there is no setting 'xyzzy'; parameters of the strategy go into"),
    ("config = 'x.toml'", "line 2: config goes on the command line"),
    ("[backtest]\n# what it costs\ncomission = 0.1",
     "line 4: there is no setting 'comission' in [backtest]; did you mean commission?"),
    ("[backtest]\nmin-trades = 1", "it goes above [backtest]"),
    ("[[backtest]]\ncash = 1", "line 2: backtest must be a table: [backtest]"),
    ('output = "a\\u0000"', "line 2: output is 'a"),
    ("output = ''", 'line 2: output is an empty text; write output = "results", or leave the'),
    ("strategy = ' '", 'line 2: strategy is an empty text; write strategy = "my.py:SmaCross"'),
    ("maximize = []", 'line 2: maximize is an empty list; write maximize = "Sharpe Ratio", or'),
    ("maximize = ['SQN', '']", "line 2: maximize is a list with an empty text; write"),
    ("constraint = ''", "line 2: constraint is an empty text; write"),
    ("k-atr = []", "line 2: k-atr is an empty list; give it a value, or leave the line out"),
    ("top = ''", "line 2: top is an empty text; give it a value"),
    ("[backtest]\ncommission = []", "line 3: [backtest] commission is an empty list; give it"),
    ("[param]\noutput = ''", "line 3: [param] output is an empty text; give it a value"),
    ("backtest.cash = 0", "line 2: cash is 0.0"),
    ("[param]\nk_art = 1", "line 3: BigBar has no parameter"),
    ("[param]\nk_atr = 'x'", "line 3: "),
    ("param = 3", "line 2: param must be a table: [param]"),
    ("[param]\nk_atr = {a = 1}", "line 3: [param] k_atr is {'a': 1} (a table), but takes a value"),
    ("[param]\nk_atr = [[1]]", "(a list), but takes a value, a list or start:stop:step"),
    ("[param]\nk_atr = ['1,2', 3]", "no text with a comma beside other values"),
    ("[param]\nk_atr = []", "line 3: [param] k_atr is an empty list; give it a value"),
    ("[param]\n'a=b' = 1", "line 3: 'a=b' in [param] is no name"),
    ("min-trades = '5'", "line 2: min-trades is '5' (text), but takes a number, without quotes"),
    ("min-trades = 1.5", "line 2: min-trades: '1.5' is not a whole number"),
    ("min-trades = -1", "line 2: min-trades: -1 is below 0"),
    ("min-trades = true", "line 2: min-trades is true (true or false), but takes a number"),
    ("plot = 1", "line 2: plot is 1 (a number), but takes true or false"),
    ("plot = 'true'", "line 2: plot is 'true' (text), but takes true or false"),
    ("maximize = 5", "line 2: maximize is 5 (a number), but takes text or a list of texts"),
    ("maximize = 'Shrpe'", "line 2: there is no statistic 'Shrpe'; did you mean 'Sharpe Ratio'?"),
    ("engine = 'compield'", "line 2: engine: 'compield' is none of auto, compiled"),
    ("time-zone = 2024-01-01", "line 2: time-zone is 2024-01-01 (a date), but takes text"),
    ("constraint = [1]", "text or a list of texts"),
    ("workers = 'two'", "line 2: workers: 'two' is not a whole number, nor is it auto"),
    ("max-memory = 'much'", "line 2: max-memory: 'much' is no size"),
    ("k-atr = 'x'", "line 2: --k-atr 'x' is no axis"),
    ("[backtest]\nhedging = true", "line 3: --hedging cannot be chosen for BigBar"),
    ("[backtest]\ncash = nan", "line 3: cash is nan"),
    ("cash = 1\n[backtest]\ncash = 2", "line 4: [backtest] cash is given twice"),
    ("min-trades = 1\nmin_trades = 2", "line 3: min_trades is given twice"),
    ("fresh = true\nno-store = true", "line 3: no-store and fresh exclude each other"),
    ("strategy = 'sma_crss'", "line 2: there is no strategy 'sma_crss'; did you mean 'sma_cross'?"),
    ("strategy = 'no.py:X'", "line 2: --strategy: no.py is no such file"),
    ("strategy = 'sma_cross'\nk-atr = 1", "line 3: --k-atr belongs to BigBar"),
    ("a = 1\na = 2", "line 3: this is no TOML: Cannot overwrite a value"),
    ("a = ", "line 2: this is no TOML: Invalid value"),
    ("[param]\nfast = 5:50:5  # all", 'write it in quotes: fast = "5:50:5"'),
    ("data = C:\\b.csv", r"write it in quotes: data = 'C:\b.csv'"),
    ("thorough = True", "line 2: this is no TOML: Invalid value; write thorough = true"),
    ("a = [1,", "line 3: this is no TOML: "),
    ("cash = 0x" + "f" * 9000, "cash is a number of too many digits"),
    ("cash = " + "9" * 5000, "it holds a number of too many digits"),
    ("cash = " + "9" * 4000, "line 2: cash is inf"),
    (".".join(["a"] * 120_000) + " = 1", "nested too deeply"),
    ("[" + ".".join(["'a'"] * 60_000) + "]", "nested too deeply"),
    ("a = " + "[" * 50_000, "nested too deeply"),
    ("a = " + "{b = " * 20_000, "nested too deeply"),
    ("#" * 300_000, "holds more than 256 kB, and so no settings"),
]  # fmt: skip


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("text", "said"), REFUSED, ids=[said[:40] for _, said in REFUSED])
def test_what_is_refused_is_told_with_file_and_line(text, said):
    with pytest.raises(SettingsError) as caught:
        options_of(f"data = 'bars.csv'\n{text}\n")
    assert caught.value.exit_code == 2
    assert "run.toml: " in str(caught.value) or "run.toml holds" in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("text", "what"), [("''", "an empty text"), ("[]", "an empty list"), ("['']", "a list with")]
)
def test_a_price_file_that_is_none(text, what):
    with pytest.raises(SettingsError) as caught:
        options_of(f"# what to run\ndata = {text}\n")
    assert str(caught.value).startswith(f"run.toml: line 2: data is {what}")
    assert str(caught.value).endswith('; write data = "prices.csv", or leave the line out')


@pytest.mark.usefixtures("here")
def test_no_condition_is_none():
    assert options_of("data = 'b.csv'\nconstraint = []\n").request.space.is_whole


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("text", ["a = 1\na = 2", "a = ", 'a = "5:50:5', "a = [5:50]", "5:50"])
def test_quotes_are_no_advice_where_something_else_is_wrong(text):
    with pytest.raises(SettingsError, match="this is no TOML") as caught:
        options_of(text.encode())
    assert "quotes" not in str(caught.value)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"data = 'caf\xe9.csv'", "run.toml: line 1: byte 0xe9 is no UTF-8"),
        ("data = 'b.csv'".encode("utf-16"), "run.toml: line 1: byte 0xff is no UTF-8"),
        (b"\n\n\x00", "run.toml: line 3: this is no TOML"),
        (bytes(range(256)) * 20, "run.toml: line 2: byte 0x80 is no UTF-8"),
        (b"PK\x03\x04", "run.toml: line 1: this is no TOML"),
        (b"", "FILE.csv is missing"),
    ],
)
def test_what_is_no_text(raw, said):
    with pytest.raises(SettingsError, match=said):
        options_of(raw)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("raw", [b"\xef\xbb\xbfdata = 'b.csv'", b"data = 'b.csv'\r\nseed = 1\r\n"])
def test_files_of_windows(raw):
    assert options_of(raw).file == "b.csv"


def test_files_that_are_none(here):
    for path in ("no.toml", str(here), "a\0b"):
        with pytest.raises(SettingsError, match=r"--config: .*cannot be read"):
            parse_options(["--config", path])
    with pytest.raises(SettingsError, match="--config needs a value"):
        parse_options(["f", "--config"])
    if Path("/dev/zero").exists():
        with pytest.raises(SettingsError, match="holds more than"):
            parse_options(["--config", "/dev/zero"])


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("text", "typed", "said"),
    [
        ("[backtest]\ncash = 5", ["--cash", "0"], "cash is 0.0"),
        ("strategy = 'sma_cross'", ["--strategy", "sma_crss"], "there is no strategy 'sma_crss'"),
        ("maximize = 'SQN'", ["--maximize", "Shrpe"], "there is no statistic 'Shrpe'"),
        ("output = 'x'", ["--save-config", "x.txt"], "--save-config 'x.txt': name a file that"),
    ],
)
def test_what_was_typed_is_not_blamed_on_the_file(text, typed, said):
    with pytest.raises(SettingsError) as caught:
        options_of(f"data = 'bars.csv'\n{text}", *typed)
    assert str(caught.value).startswith(said)


@pytest.mark.usefixtures("here")
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_raise_anything_else(raw):
    with contextlib.suppress(SettingsError):
        options_of(raw)


#: A setting with any value that TOML has.
_ANY = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just("5:50:5"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


@pytest.mark.usefixtures("here")
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([a.dest for a in make_parser()._actions] + ["data", "backtest"]), _ANY)
def test_no_value_of_any_option_raises_anything_else(dest, value):
    if dest in ("strategy", "version"):  # Would import whatever it is.
        return
    with contextlib.suppress(SettingsError):
        options_of(f"{dest} = {_toml(value)}")


# ------------------------------------------------------------------------------------ saving it


def saved_and_loaded(words: list[str], path: str = "saved.toml") -> tuple[Options, Options]:
    """What a command line comes to, and what the file does that it saves."""
    saved = parse_options(["--save-config", path, *words])
    assert saved.saving is not None
    saved.saving.write()
    return saved, parse_options(["--config", path])


_NUMBER = st.floats(1e-6, 0.4).map(repr)
_GOOD = [s.name for s in STATISTICS if s.better in (Better.HIGHER, Better.LOWER)]
_LETTERS = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\")
_NAME = st.text(_LETTERS, min_size=1, max_size=8).filter(lambda name: name not in (".", ".."))

#: Options with values that they take, but those that exclude each other.
_OPTIONS = {
    "--maximize": st.sampled_from(_GOOD),
    "--min-trades": st.integers(0, 999).map(str),
    "--cash": st.floats(1, 1e12).map(repr),
    "--spread": _NUMBER,
    "--margin": _NUMBER,
    "--commission": _NUMBER | st.sampled_from(["0.0010", "1,0.002", "1e-3", "-0.0001"]),
    "--holdout": _NUMBER,
    "--choose": st.sampled_from(["peak", "robust"]),
    "--walk-forward": st.integers(2, 9).map(str),
    "--workers": st.integers(1, 9).map(str) | st.just("auto"),
    "--timeout-per-backtest": st.floats(1e-3, 1e6).map(repr),
    "--max-memory": st.sampled_from(["800M", "2G", "1.5GiB"]),
    "--engine": st.sampled_from(["auto", "backtesting"]),
    "--verify": st.integers(0, 99).map(str),
    "--seed": st.integers(0, 2**40).map(str),
    "--top": st.integers(0, 99).map(str),
    "--time-zone": st.just("America/New_York"),
    "--time-format": st.just('%d.%m.%Y "%H"'),
    "--columns": st.just("time=Wann,close='x'"),
    "--date-order": st.sampled_from(["dmy", "mdy"]),
    "--export": st.just("csv"),
    "--output": _NAME.map(lambda name: f"./{name}"),
}
_FLAGS = ["--plot", "--verbose", "--thorough", "--no-progress", "--no-store", "--no-validate"]
_PARAMS = {
    "big_bar": [["--k-atr", "1,2"], ["--param", "k_atr=0.5"], ["--atr-period", "10:20:5"],
                ["--previous-weight=-0.1"], ["--week-edge-bars", "0"]],
    "sma_cross": [["--param", "fast=5:50:5"], ["--param", " slow = 20,30 "], ["--hedging"],
                  ["--trade-on-close"], ["--param", "slow=7.0"], ["--param", "slow=20"]],
}  # fmt: skip


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """Any that there can be."""
    strategy = draw(st.sampled_from(sorted(_PARAMS)))
    words = [f"./{draw(_NAME)}", "--strategy", strategy]
    for name in draw(st.lists(st.sampled_from(sorted(_OPTIONS)), unique=True, max_size=8)):
        words.append(f"{name}={draw(_OPTIONS[name])}")
    words += draw(st.lists(st.sampled_from(_FLAGS), unique=True))
    named = set()
    needed = [["--param", "fast=3"]] if strategy == "sma_cross" else []
    for given_ in draw(st.permutations(_PARAMS[strategy]))[: draw(st.integers(0, 5))] + needed:
        name = given_[-1].partition("=")[0].strip() if "--param" in given_ else given_[0][2:]
        if name.replace("-", "_") not in named:
            named.add(name.replace("-", "_"))
            words += given_
    return words


@pytest.mark.slow
@pytest.mark.usefixtures("here")
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(command_lines(), st.sampled_from(["saved.toml", "in/a b/saved.toml"]))
def test_what_is_saved_is_what_is_loaded(words, path):
    try:
        parse_options(words)
    except SettingsError:  # Two options that exclude each other.
        reject()
    saved, loaded = saved_and_loaded(words, path)
    assert os.path.abspath(saved.file) == os.path.abspath(loaded.file)
    assert saved.output.resolve() == loaded.output.resolve()
    files = replace(loaded.request.execution, files=saved.request.execution.files)
    request = replace(loaded.request, execution=files)
    loaded = replace(loaded, file=saved.file, output=saved.output, request=request)
    assert alike(loaded) == alike(saved)
    again = parse_options(["--config", path, "--save-config", "again/again.toml"])
    assert saved.saving is not None
    assert again.saving is not None
    body, its = (one.saving.text.split("\n", 2)[2] for one in (saved, again))
    if path == "saved.toml":  # Elsewhere paths differ.
        assert body.split("\n")[1:4] == its.split("\n")[1:4]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("file", ["-", "./-", "~x.csv", "~/x.csv", "ü\x7f\n.csv", 'a"b\\c.csv'])
def test_odd_names_of_price_files(file):
    saved, loaded = saved_and_loaded(["--", file])
    if file == "-":
        assert loaded.file == "-"
    else:
        assert os.path.abspath(loaded.file) == os.path.abspath(saved.file)
        assert loaded.file != "-"


def test_what_is_about_one_run_is_not_saved(here):
    for words in (["--fresh"], ["--resume", "3"], ["--retry-failed"], ["--force"]):
        saved, loaded = saved_and_loaded(["f.csv", *words])
        assert loaded.policy == parse_options(["f.csv"]).policy
        assert not loaded.force
        assert words[0] in saved.command


def test_one_backtest_is_saved_as_one(here):
    saved, loaded = saved_and_loaded(["f.csv", "--no-optimize", "--k-atr", "2"])
    assert alike(saved) == alike(loaded)


def test_whose_file_it_is(here):
    (here / "f.csv").write_text("prices")
    saving = parse_options(["f.csv", "--save-config", "s.toml"]).saving
    assert saving is not None
    saving.check("f.csv", force=False)
    saving.write()
    saving.check("f.csv", force=False)  # The program's own.
    (here / "s.toml").write_text(f"{saving.text}# mine\n")
    for text in (f"{saving.text}# mine\n", "", "mine"):
        (here / "s.toml").write_text(text)
        with pytest.raises(SettingsError, match="was not written by this program, or changed"):
            saving.check("f.csv", force=False)
        saving.check("f.csv", force=True)
    os.remove("s.toml")
    os.link("f.csv", "s.toml")
    with pytest.raises(SettingsError, match="would be written over"):
        parse_options(["f.csv", "--save-config", "s.toml", "--force"])
    os.remove("s.toml")
    (here / "s.toml").mkdir()
    with pytest.raises(SettingsError, match="it is a directory"):
        saving.check("f.csv", force=True)
    with pytest.raises(SettingsError, match=r"name a file that ends in \.toml"):
        parse_options(["f.csv", "--save-config", "f.csv", "--force"])


def test_a_place_where_nothing_can_be_written(here):
    (here / "file").touch()
    saving = parse_options(["f.csv", "--save-config", "file/s.toml"]).saving
    assert saving is not None
    saving.check("f.csv", force=False)
    with pytest.raises(OutputError, match=r"cannot write file/s\.toml: "):
        saving.write()


def test_a_name_that_is_no_text_cannot_be_saved(here):
    with pytest.raises(SettingsError, match="no valid text"):
        parse_options(["a\udc80.csv", "--save-config", "s.toml"])


# --------------------------------------------------------------------------------- the real thing


def run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-m", "bigbar", *words]
    return commands.run(line, cwd=folder, env=environment, timeout=280)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bars, a run by options that saved its settings, and the same run by the file."""
    folder = tmp_path_factory.mktemp("config")
    (folder / "in").mkdir()
    lines = (ROOT / "example.csv").read_text().splitlines(keepends=True)
    (folder / "in" / "bars.csv").write_text("".join(lines[:401]))
    options = [
        "--atr-period", "10,20", "--k-atr", "0.8", "--uptail-max-ratio", "0.7",
        "--previous-weight", "0.1", "--commission", "0.0001", "--min-trades", "2",
        "--maximize", "SQN", "--workers", "1", "--verify", "1", "--no-validate", "--engine",
        "backtesting", "--output", "in/out",
    ]  # fmt: skip
    ran = run("in/bars.csv", *options, "--save-config", "in/run.toml", folder=folder)
    assert ran.returncode == 0, ran.stderr
    assert "the settings are in in/run.toml" in ran.stderr
    (folder / "first.json").write_bytes((folder / "in" / "out" / "receipt.json").read_bytes())
    return folder


@pytest.mark.slow
def test_the_saved_settings_give_the_same_run(folder):
    first = json.loads((folder / "first.json").read_text())
    assert first["config"] is None
    ran = run("--config", "in/run.toml", folder=folder)
    assert ran.returncode == 0, ran.stderr
    receipt, summary = (
        json.loads((folder / "in" / "out" / f"{name}.json").read_text())
        for name in ("receipt", "summary")
    )
    assert receipt["run"] == first["run"] + 1
    for name in ("fingerprint", "result_sha256", "objective", "min_trades", "seed"):
        assert receipt[name] == first[name]
    assert summary["run"]["compared_with"] == first["run"]
    raw = (folder / "in" / "run.toml").read_bytes()
    named = {"path": "in/run.toml", "sha256": hashlib.sha256(raw).hexdigest()}
    assert receipt["config"] == summary["config"] == named
    assert receipt["command"] == ["--config", "in/run.toml"]


def test_a_bad_file_ends_with_2_and_a_sentence(folder):
    (folder / "bad.toml").write_text("data = 'in/bars.csv'\n[backtest]\ncsh = 1\n")
    ran = run("--config", "bad.toml", folder=folder)
    assert (ran.returncode, ran.stdout) == (2, "")
    said = "there is no setting 'csh' in [backtest]; did you mean cash?"
    assert ran.stderr == f"error: bad.toml: line 3: {said}\n"


def test_nothing_is_run_where_a_file_would_be_lost(folder):
    (folder / "mine.toml").write_text("data = 'in/bars.csv'\n")
    ran = run("--config", "mine.toml", "--save-config", "mine.toml", folder=folder)
    assert ran.returncode == 2
    assert "was not written by this program" in ran.stderr
    assert not (folder / "bigbar_output").exists()


def test_completion_goes_alone(folder):
    ran = run("in/bars.csv", "--completion", "bash", folder=folder)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "error: --completion goes alone: bigbar --completion bash\n"


def test_every_option_is_a_setting_or_is_told_to_be_none(here):
    """A new option is a setting without further ado."""
    for action in make_parser()._actions:
        if action.dest in ("files", "param"):
            continue
        key = action.dest.replace("_", "-")
        with pytest.raises(SettingsError) as caught:
            options_of(f"{key} = {{}}")
        said = ("(a table), but takes", "goes on the command line")
        assert any(one in str(caught.value) for one in said), key
