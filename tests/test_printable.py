"""What comes from elsewhere does not steer the terminal: the texts, and whole commands."""

from __future__ import annotations

import io
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_run import few_prices
from test_layers import ROOT

from bigbar.history.command import main as history
from bigbar.printable import MOST_LINES, OnceStream, one_line, printable, shown
from bigbar_multiprocessing_optimized import main as optimize
from tests import commands

HARMLESS = {"\u200c", "\u200d"}


def steering(text: str) -> set[str]:
    """Characters that no text from elsewhere may bring to a terminal."""
    kinds = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return {c for c in text if c != "\n" and unicodedata.category(c) in kinds} - HARMLESS


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("a\rb\tc\x7f\0", r"a\rb\tc\x7f\x00"),
        ("\u202egpj\u2066", r"\u202egpj\u2066"),
        ("\u061c\u200e\u200f\ufeff\u2028", r"\u061c\u200e\u200f\ufeff\u2028"),
        ("\U000e0041", r"\U000e0041"),
        ("b\udce4rs", r"b\xe4rs"),
        ("\ud800", r"\ud800"),
    ],
)
def test_written_out(text, safe):
    assert printable(text) == one_line(text) == safe


@pytest.mark.parametrize("text", ["Größe 価格　€\xa0", "👩\u200d💻", "نمی\u200cخواهم"])
def test_left_alone(text):
    assert printable(text) == one_line(text) == text


def test_lines():
    assert printable("a\nb") == "a\nb"
    assert one_line("a\nb") == r"a\nb"


@given(st.text(st.characters()))
def test_nothing_that_steers_is_left(text):
    assert not steering(printable(text))
    assert not steering(one_line(text))
    assert "\n" not in one_line(text)


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError


def test_values_are_shown_short_and_in_a_line():
    assert shown(5) == "5"
    assert shown("\x1b[m") == r"'\x1b[m'"
    assert shown("x" * 99) == f"'{'x' * 58}…"
    assert shown(Hostile()) == "<Hostile>"


# ------------------------------------------------------------------------------- whole commands

EVIL = "\x1b[2J\x9b31m\u202e\x07\nVerified"
#: In a header; a byte such as escape makes a file none of text.
COLUMN = "\x9b31m\u202e"
COMMON = ("--no-progress", "--workers", "1", "--engine", "backtesting", "--verify", "1")


@pytest.fixture(scope="module")
def evil(tmp_path_factory) -> tuple[Path, Path]:
    """A price file and an output folder whose names would steer a terminal."""
    folder = tmp_path_factory.mktemp("evil")
    source = folder / f"{EVIL}.csv"
    head, *rows = (ROOT / "example.csv").read_text().splitlines()[:301]
    source.write_text("\n".join([f"{head},{COLUMN}", *(f"{row},1" for row in rows), ""]))
    return source, folder / f"out{EVIL}"


def harmless(capsys: pytest.CaptureFixture[str]) -> str:
    """What a command wrote, after a look at every character of it and at the begin of each line."""
    out, err = capsys.readouterr()
    assert not steering(out + err)
    assert not any(line.startswith("Verified.") for line in (out + err).splitlines())
    return out + err


@pytest.mark.slow
def test_a_run_and_its_history(capsys, evil):
    source, folder = evil
    axes = ["--atr-period", "10", "--k-atr", "0.8,1.1", "--uptail-max-ratio", "0.7"]
    words = [str(source), *COMMON, *axes, "--previous-weight", "0.1"]
    for more in (["--plot"], ["--spread", "0.0001", "--no-validate"]):
        with few_prices():
            assert optimize([*words, *more, "--output", str(folder)]) == 0
        assert r"\x1b[2J\x9b31m\u202e\x07\nVerified" in harmless(capsys)
    for command in (
        ["history"], ["show", "1"], ["show", "last", "--json"], ["compare", "1", "2"],
        ["export", "1"], ["profile", "1"], ["verify", "1"], ["verify", "1", "--data", EVIL],
        ["delete", "1"], ["show", "1"], ["show", EVIL], ["history", EVIL], [f"--{EVIL}"], [EVIL],
        ["export", "2", "--format", EVIL], ["export", "2", "--to", f"{EVIL}/a"],
        ["history", "--json"],
    ):  # fmt: skip
        history(command if EVIL in command[0] else [*command, "--output", str(folder)])
        assert harmless(capsys)


@pytest.mark.parametrize(
    "words",
    [
        [f"{EVIL}.csv"], [f"--{EVIL}", "f"], ["f", EVIL], ["f", "--cash", EVIL],
        ["f", "--k-atr", EVIL], ["f", "--timeout-per-backtest", EVIL],
        ["f", "--maximize", EVIL], ["f", "--engine", EVIL], ["f", "--max-memory", EVIL],
        ["f", "--workers", EVIL], ["f", "--commission", EVIL],
        ["f", f"--{EVIL}={EVIL}"], ["f", f"--top={EVIL}"], ["f", "--k_atr", f"1:{EVIL}:2"],
    ],
)  # fmt: skip
def test_refusals(capsys, words):
    assert optimize(words) == 2
    assert len(harmless(capsys).splitlines()) == 1


@pytest.mark.parametrize(
    "content", [EVIL, f"time,open,high,low,close\n{EVIL}", f"a{EVIL},b,c\n1,2,3"]
)
def test_files_that_cannot_be_read(capsys, tmp_path, content):
    source = tmp_path / f"{EVIL}.csv"
    source.write_text(content)
    assert optimize([str(source), "--output", str(tmp_path / "out")]) == 2
    assert len(harmless(capsys).splitlines()) == 1


def test_a_folder_that_cannot_be_written_to(capsys, tmp_path):
    (tmp_path / EVIL).touch()
    assert optimize([str(ROOT / "example.csv"), "--output", str(tmp_path / EVIL / "out")]) in (1, 2)
    assert r"\x1b[2J" in harmless(capsys)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_what_a_strategy_prints(method, tmp_path):
    """In its workers, also to standard error."""
    script = tmp_path / "loud.py"
    script.write_text(f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from bigbar.engines.contract import EngineKind
from bigbar.engines.find import ENGINES
import bigbar_multiprocessing_optimized as command

class Loud:
    def __init__(self, file, job):
        self._good = ENGINES["backtesting"].build(file, job)
    def run(self, start, stop):
        print("hear\\x1b[2J", flush=True)
        print("me\\x9b31m", file=sys.stderr, flush=True)
        return self._good.run(start, stop)
    def __getattr__(self, name):
        return getattr(self._good, name)

ENGINES["loud"] = EngineKind(Loud, sample_slice=4)
if __name__ == "__main__":
    sys.exit(command.main())
""")
    words = [
        str(ROOT / "example.csv"), "--engine", "loud", "--start-method", method, "--workers", "2",
        "--k-atr", "3", "--atr-period", "10", "--uptail-max-ratio", "0.7", "--verify", "0",
        "--no-validate", "--no-progress", "--output", str(tmp_path / "out"),
    ]  # fmt: skip
    line = [sys.executable, str(script), *words]
    ran = commands.run(line, text=False, check=True, timeout=120)
    assert rb"hear\x1b[2J" in ran.stderr
    assert b"hear" not in ran.stdout
    assert rb"me\x9b31m" in ran.stderr
    assert not steering(ran.stdout.decode() + ran.stderr.decode())


def test_a_strategy_that_prints_on_every_bar_does_not_bury_the_rest():
    written = io.StringIO()
    stream = OnceStream(written)
    for number in range(3 * MOST_LINES):
        print("bar", number, file=stream)
    print("bar 0", file=stream, end="")
    stream.flush()
    lines = written.getvalue().splitlines()
    assert lines[:MOST_LINES] == [f"bar {number}" for number in range(MOST_LINES)]
    assert lines[MOST_LINES:] == [
        f"(the strategy has printed {MOST_LINES} different lines; no more)"
    ]
