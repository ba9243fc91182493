"""The command line of `python -m bigbar`: what it takes, what it refuses, and how it ends."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from history_tools import ROOT, Asked
from store_tools import change, forge
from test_docs import DOCS, text_of

from bigbar.__main__ import COMMANDS as ALL_COMMANDS
from bigbar.__main__ import main as program
from bigbar.history.command import main, make_parser
from bigbar.parser import make_parser as optimizer_parser
from tests import commands

PAGE = DOCS / "history.md"

#: Every command, with what it needs; the one that deletes comes last.
COMMANDS = {
    "history": (), "show": ("1",), "compare": ("1", "2"), "export": ("1",),
    "report": ("1", "--force"), "verify": ("1", "--sample", "0"), "profile": ("1",),
    "delete": ("1",),
}  # fmt: skip


def started(*arguments: str, folder: Path, **more) -> subprocess.Popen[str]:
    """The real command, in a process of its own."""
    return commands.Command(
        [sys.executable, "-m", "bigbar", *arguments, "--output", str(folder)],
        cwd=ROOT,
        stdout=more.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        **more,
    )


# ---------------------------------------------------------------------------------------- help


def helps() -> dict[str, str]:
    """What `--help` prints, of the program and of every command, as wide as the terminal."""
    (commands,) = make_parser()._subparsers._group_actions
    assert set(commands.choices) == set(COMMANDS)
    return {
        **{
            f"bigbar {name} --help": command.format_help()
            for name, command in commands.choices.items()
        },
    }


def test_the_help_of_the_program_names_every_command():
    ends = optimizer_parser().format_help().partition("Commands:")[2]
    assert all(re.search(rf"\b{name}\b", ends) for name in ALL_COMMANDS)
    assert all(f"| `bigbar {name}` |" in text_of(PAGE) for name in COMMANDS)


@pytest.mark.parametrize(
    ("typed", "meant"), [("histroy", "history"), ("shwo", "show"), ("strategy", "strategies")]
)
def test_a_mistyped_command_is_named(typed, meant, capsys):
    assert program([typed, "--output", "x"]) == 2
    said = capsys.readouterr().err
    assert said == (
        f"error: there is no file {typed!r}, and no command of that name; did you mean {meant}?\n"
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_says_of_a_command_what_its_help_says(command):
    """Its first sentence; the options are left to the help."""
    rows = dict(re.findall(r"^\| `bigbar (\w+)` \| (.*) \|$", text_of(PAGE), re.MULTILINE))
    said = helps()[f"bigbar {command} --help"].split("\n\n")[1]
    sentence = re.split(r"\.(?:\s|$)", said)[0]
    assert rows[command].replace("`", "") == " ".join(sentence.split()).lower().replace("`", "")


def test_the_page_mentions_no_other_option():
    option = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
    own = set(option.findall(" ".join([*helps().values(), optimizer_parser().format_help()])))
    assert set(option.findall(text_of(PAGE))) <= own


@pytest.mark.parametrize("arguments", [("--help",), ("show", "--help"), ("--version",)])
def test_help_ends_well(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        Asked(capsys, Path(), *arguments)
    assert ended.value.code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--output goes behind the command"),
        (("sho", "1"), "'sho' is none of history, show, "),
        (("sho", "1"), "; did you mean show?"),
        (("show",), "ID is missing"),
        (("show", "1", "2"), "'2' is one too many: besides options there is just ID"),
        (("history", "1"), "'1' is one too many: besides options there is nothing to name"),
        (("compare", "1"), "B is missing"),
        (("export", "1", "--format", "xls"), "--format: 'xls' is none of parquet, csv, json"),
        (("verify", "1", "--sample", "-1"), "--sample: '-1' is not a whole number"),
        (("verify", "1", "--sample", "x"), "--sample: 'x' is not a whole number"),
        (("verify", "1", "--smaple", "3"), "there is no option '--smaple'; did you mean --sample?"),
        (("history", "--sample", "3"), "there is no option '--sample'; "),
        (("delete",), "ID is missing"),
    ],
)
def test_wrong_command_lines(capsys, kept_runs, arguments, message):
    assert Asked(capsys, kept_runs, *arguments).refused(message)


def test_no_command(capsys):
    assert main([]) == 2
    assert capsys.readouterr().err == "error: COMMAND is missing; --help says what it is\n"


# -------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("7", "there is no run 7 in"),
        ("0", "there is no run 0 in"),
        ("9" * 18, "there are 1, 2"),
        ("9" * 19, "is no run"),
        ("9" * 5000, "is no run"),
        ("seven", "'seven' is no run; give its number, as `history` lists it, or last"),
        ("1.0", "'1.0' is no run"),
        ("-1", "'-1' is no run"),
        ("\N{ARABIC-INDIC DIGIT ONE}", "is no run"),
        ("", "'' is no run"),
    ],
    ids=lambda value: str(value)[:12],
)
@pytest.mark.parametrize("command", ["show", "compare", "export", "delete", "verify", "profile"])
def test_wrong_runs(capsys, kept_runs, command, text, message):
    arguments = ("1", text) if command == "compare" else (text,)
    assert Asked(capsys, kept_runs, command, *arguments).refused(message)


@pytest.mark.parametrize("command", COMMANDS)
class TestWithoutAStore:
    def ask(self, capsys, folder, command):
        return Asked(capsys, folder, command, *COMMANDS[command])

    def test_no_folder(self, capsys, tmp_path, command):
        missing = self.ask(capsys, tmp_path / "missing", command)
        assert missing.refused("there is no", "runs.sqlite", "--output DIR")
        assert not (tmp_path / "missing").exists()

    def test_an_empty_folder_stays_empty(self, capsys, tmp_path, command):
        assert self.ask(capsys, tmp_path, command).refused("there is no")
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_in_its_place(self, capsys, tmp_path, command):
        (tmp_path / "runs.sqlite").mkdir()
        assert self.ask(capsys, tmp_path, command).refused("there is no")

    def test_another_kind_of_file(self, capsys, tmp_path, command):
        (tmp_path / "runs.sqlite").write_bytes(b"no database" * 5000)
        assert self.ask(capsys, tmp_path, command).refused("is no file of runs", "move it away")

    def test_a_database_of_another_program(self, capsys, tmp_path, command):
        with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as connection:
            connection.execute("CREATE TABLE runs (id)")
            connection.commit()
        assert self.ask(capsys, tmp_path, command).refused("another program", "move it away")

    def test_of_another_version(self, capsys, spoilable_runs, command):
        with closing(sqlite3.connect(spoilable_runs / "runs.sqlite")) as connection:
            connection.execute("PRAGMA user_version = 99")
        assert self.ask(capsys, spoilable_runs, command).refused("newer version")

    def test_a_damaged_run(self, capsys, spoilable_runs, command):
        change(spoilable_runs, "UPDATE runs SET identity = '{}' WHERE id = 1")
        asked = self.ask(capsys, spoilable_runs, command)
        if command not in ("history", "delete"):
            assert asked.refused("run 1 is damaged (its checksum does not match)")
            return
        assert (asked.code, asked.err) == (0, "")
        assert "run 1" in asked.out.lower()

    def test_a_run_of_the_first_tables(self, capsys, spoilable_runs, command):
        with closing(sqlite3.connect(spoilable_runs / "runs.sqlite")) as connection:
            connection.execute("PRAGMA user_version = 1")
        assert self.ask(capsys, spoilable_runs, command).refused("older version", "move it away")

    @pytest.mark.parametrize("target", ["gone", "gone/too", "/dev/null", "runs.sqlite"])
    def test_a_link_to_no_file(self, capsys, tmp_path, command, target):
        (tmp_path / "runs.sqlite").symlink_to(target)
        assert self.ask(capsys, tmp_path, command).refused("there is no")

    def test_a_third_of_a_file(self, capsys, spoilable_runs, command):
        path = spoilable_runs / "runs.sqlite"
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size // 3)
        assert self.ask(capsys, spoilable_runs, command).refused("runs.sqlite")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("settings", '{"min_trades": "many", "cash": [1, {"a": null}], "seed": {}}'),
        ("settings", "{}"),
        ("data", '{"path": [1, 2], "rows": "x", "sha256": {}}'),
        ("data", "{}"),
        ("machine", '{"processor": {"a": 1}, "memory_bytes": "much"}'),
        ("command", '[1, null, "\\u001b[2J"]'),
        ("objective", "Wealth"),
        ("objective", "Duration"),
        ("error", "because"),
        ("answer", ""),
        ("timings", '{"x": "y"}'),
        ("metrics", '{"stages": 3}'),
        ("metrics", "{}"),
        ("summary", '{"a": 1e999}'),
        ("best_value", 1e300),
        ("seconds", -5.0),
        ("seconds", 1e999),
        ("failures", None),
    ],
)
def test_strange_contents_end_in_words(capsys, spoilable_runs, column, value):
    """Values that fit the store's checks, but nobody's expectations: answered or refused."""
    if column == "failures":
        statement = "INSERT INTO failures VALUES (1, 5, '[]', '', '')"
        forge(spoilable_runs, statement)
        forge(spoilable_runs, "UPDATE runs SET failed = 1 WHERE id = 1")
    else:
        forge(spoilable_runs, f"UPDATE runs SET {column} = ? WHERE id = 1", value)
    for command, arguments in COMMANDS.items():
        asked = Asked(capsys, spoilable_runs, command, *arguments)
        assert asked.code in (0, 1) or asked.refused(), (command, asked.err)
        assert "\x1b" not in asked.out + asked.err
        if command in ("history", "show", "compare"):
            asked = Asked(capsys, spoilable_runs, command, *arguments, "--json")
            assert asked.refused() or asked.json is not None


@pytest.mark.parametrize(
    "part",
    [
        "account",
        "span",
        "engine",
        "strategy",
        "settings",
        "grid",
        "packages",
        "machine",
        "statistics",
    ],
)
@pytest.mark.parametrize("value", ["{}", "[]", "3", '"x"', "null", "[1, 2, 3]", '{"cash": -1}'])
def test_a_strange_identity_ends_in_words(capsys, spoilable_runs, part, value):
    forge(
        spoilable_runs,
        f"UPDATE runs SET identity = json_set(identity, '$.{part}', json(?)) WHERE id = 1",
        value,
    )
    for command in ("history", "show", "compare", "report", "verify", "export"):
        asked = Asked(capsys, spoilable_runs, command, *COMMANDS[command])
        assert asked.code in (0, 1) or asked.refused(), (command, asked.err)


def test_what_is_stored_does_not_steer_the_terminal(capsys, spoilable_runs):
    evil = "\x1b]0;owned\x07\x1b[2J\u202e\x9b31m"
    told = json.dumps({"path": f"{evil}.csv"})
    statement = "UPDATE runs SET answer = ?, error = ?, data = ? WHERE id = 1"
    forge(spoilable_runs, statement, evil, evil, told)
    for command in ("history", "show", "verify"):
        asked = Asked(capsys, spoilable_runs, command, *COMMANDS[command])
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", asked.out + asked.err)
    assert r"\x1b]0;owned\x07" in Asked(capsys, spoilable_runs, "show", "1").out


# ------------------------------------------------------------------------- terminals and pipes


def test_whoever_reads_may_leave(kept_runs):
    """`| head -1`: no traceback, no complaint, whatever was asked."""
    asked = [("show", "1"), ("history", "--json"), ("--help",)]
    processes = []
    for arguments in asked:
        read, write = os.pipe()
        os.close(read)  # Nobody will read, from the beginning.
        processes.append(started(*arguments, folder=kept_runs, stdout=write))
        os.close(write)
    for process in processes:
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_under_standard_output(kept_runs):
    with open("/dev/full", "w") as full:
        process = started("show", "1", folder=kept_runs, stdout=full)
        _, err = process.communicate(timeout=60)
    said = "error: the answer could not be written to standard output: No space left on device\n"
    assert (process.returncode, err) == (2, said)


def test_an_ascii_terminal(kept_runs):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "60"}
    process = started("history", folder=kept_runs, env=environment)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "12 combinations" in out


def test_a_name_that_is_no_text(capsys, spoilable_runs):
    name = os.fsdecode(b"b\xe4rs.csv")
    told = json.dumps({"path": name})
    forge(spoilable_runs, "UPDATE runs SET data = ? WHERE id = 1", told)
    assert Asked(capsys, spoilable_runs, "history", "--json").json[0]["data"]["path"] == name
    process = started("history", folder=spoilable_runs)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert r"b\xe4rs.csv" in out


def test_a_list_waits_for_nothing_heavy(kept_runs):
    script = (
        "import sys; from bigbar.history.command import main\n"
        "for command in (['history'], ['show', '1']): main([*command, '--output', sys.argv[1]])\n"
        "print(sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    found = subprocess.run(
        [sys.executable, "-c", script, str(kept_runs)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    for name in ("pandas", "pyarrow", "numba", "backtesting", "bokeh", "tqdm"):
        assert f"'{name}'" not in found.stderr


# ------------------------------------------------------------------------------------- profile


def test_profile(capsys, kept_runs, monkeypatch):
    for width in (60, 80, 100):
        monkeypatch.setenv("COLUMNS", str(width))
        asked = Asked(capsys, kept_runs, "profile", "1")
        assert asked.code == 0
        assert asked.out.startswith("Verdict")
        assert max(map(len, asked.out.splitlines())) <= width
    told = Asked(capsys, kept_runs, "profile", "1", "--json").json
    assert told["stages"]["sweep_s"] > 0
    assert told["verdict"] in " ".join(asked.out.split())


def test_a_run_without_a_profile(capsys, spoilable_runs):
    statement = "UPDATE runs SET metrics = NULL, state = 'interrupted' WHERE id = 1"
    forge(spoilable_runs, statement)
    assert Asked(capsys, spoilable_runs, "profile", "1").refused("has no profile", "interrupted")


def test_looking_leaves_nothing_behind(tmp_path):
    done = single(tmp_path)
    assert done.returncode == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for words in (["history"], ["show", "1"], ["profile", "1"]):
        assert main([*words, "--output", str(tmp_path)]) == 0
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before, words


def single(folder: Path) -> subprocess.CompletedProcess[str]:
    """One backtest by the command."""
    return commands.run(
        [sys.executable, "-m", "bigbar", str(ROOT / "example.csv"), "--no-optimize",
         "--no-validate", "--no-progress", "--workers", "1", "--output", str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=100,
    )  # fmt: skip


def test_a_folder_in_the_place_of_the_store_stays_empty(tmp_path):
    (tmp_path / "runs.sqlite").mkdir()
    done = single(tmp_path)
    assert done.returncode == 0
    assert "runs.sqlite is no file of runs (no regular file)" in " ".join(done.stderr.split())
    assert list((tmp_path / "runs.sqlite").iterdir()) == []
