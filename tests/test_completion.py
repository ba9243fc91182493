"""Completion: real bash, zsh and fish, each on what the command prints for it."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from shells import Shell, shell
from store_tools import begun, forge

from bigbar.__main__ import COMMANDS
from bigbar.completion.command import main
from bigbar.completion.model import all_commands
from bigbar.parser import SHELLS, make_parser
from bigbar.statistics import STATISTICS, Better

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def scripts() -> dict[str, str]:
    """What the command prints for each shell."""
    found = {}
    for name in SHELLS:
        line = [sys.executable, "-m", "bigbar", "--completion", name]
        ran = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=120)
        assert (ran.returncode, ran.stderr) == (0, "")
        found[name] = ran.stdout
    return found


@pytest.fixture(scope="module", params=SHELLS)
def typing(
    request: pytest.FixtureRequest,
    scripts: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Shell]:
    """A shell to type in, in a folder with some files."""
    folder = tmp_path_factory.mktemp(request.param) / "here"
    (folder / "results of may").mkdir(parents=True)
    (folder.parent / "bin").mkdir()
    real = folder.parent / "bin" / "bigbar"
    real.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m bigbar "$@"\n')
    real.chmod(0o755)
    for place, number in (("bigbar_output", 47), ("results of may", 83)):
        (folder / place).mkdir(exist_ok=True)
        begun(folder / place)
        forge(folder / place, f"UPDATE runs SET id = {number}")
    for name in ("my prices.csv", "run.toml", "own.py", "history.csv"):
        (folder / name).touch()
    with shell(request.param, folder, scripts[request.param]) as found:
        yield found


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ("bigbar --maximize Sha\t", ["--maximize", "Sharpe Ratio"]),
        ("bigbar --maximize 'Return (A\t", ["--maximize", "Return (Ann.) [%]"]),
        ("bigbar --maximize=Equity\\ F\t", ["--maximize=Equity Final [$]"]),
        ("bigbar x.csv --maxim\tSQ\t", ["x.csv", "--maximize", "SQN"]),
        ("bigbar --engine comp\t", ["--engine", "compiled"]),
        ("bigbar --start-method sp\t", ["--start-method", "spawn"]),
        ("bigbar --completion fi\t", ["--completion", "fish"]),
        ("bigbar --walk-forward-\t", ["--walk-forward-matrix"]),
        ("bigbar --strategy sma\t", ["--strategy", "sma_cross"]),
        ("bigbar --strategy ow\t", ["--strategy", "own.py"]),
        ("bigbar --config ru\t", ["--config", "run.toml"]),
        ("bigbar my\t", ["my prices.csv"]),
        ("bigbar --output res\t", ["--output", "results of may"]),
        ("bigbar expo\tla\t", ["export", "last"]),
        ("bigbar compare la\tla\t", ["compare", "last", "last"]),
        ("bigbar export 3 --format par\t", ["export", "3", "--format", "parquet"]),
        ("bigbar verify 3 --sam\t4", ["verify", "3", "--sample", "4"]),
        ("bigbar explain own\t", ["explain", "own.py"]),
        ("bigbar --method loc\t", ["--method", "local"]),
        ("bigbar --method optuna:t\t", ["--method", "optuna:tpe"]),
        ("bigbar --method optuna:n\tx.csv", ["--method", "optuna:nsga2", "x.csv"]),
        ("bigbar --method=optuna:c\t", ["--method=optuna:cmaes"]),
        ("bigbar --keep t\t", ["--keep", "top:1000"]),
        ("bigbar --keep=top:\t", ["--keep=top:1000"]),
        ("bigbar --keep al\t", ["--keep", "all"]),
        ("bigbar --workers a\t", ["--workers", "auto"]),
        ("bigbar --cluster lo\t", ["--cluster", "local:2"]),
        ("bigbar --time-format m\t", ["--time-format", "ms"]),
        ("bigbar show 4\t", ["show", "47"]),
        ("bigbar compare 4\tla\t", ["compare", "47", "last"]),
        ("bigbar report 4\t", ["report", "47"]),
        ("bigbar export --output results\\ of\\ may 8\t",
         ["export", "--output", "results of may", "83"]),
        ("bigbar show --verb\t", ["show", "--verb"]),
    ],
)  # fmt: skip
def test_what_is_typed_is_completed(typing, line, given):
    found = [word.rstrip("/") for word in typing.typed(line)]
    # Zsh ties what follows by an equals sign, which says the same.
    tied = {f"{name}={value}": [name, value] for name, value in itertools.pairwise(given)}
    assert [word for one in found for word in tied.get(one, [one])] == given


def test_every_option_and_command_is_in_every_script(scripts):
    parser = make_parser()
    names = {name for action in parser._actions for name in action.option_strings}
    names = {name for name in names if name.startswith("--")}
    words = {s.name for s in STATISTICS if s.better in (Better.HIGHER, Better.LOWER)}
    for name, text in scripts.items():
        known = {one.removeprefix("--") for one in names} if name == "fish" else names
        assert [one for one in known | words | set(COMMANDS) if one not in text] == []


def test_the_commands_are_all_there_are():
    assert {one.name for one in all_commands()} == {"", *COMMANDS}


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_bash_offers_commands_and_files_first(scripts, tmp_path):
    """All that there is to choose from, as bash asks for it."""
    (tmp_path / "a b.csv").touch()
    ask = (
        'offers() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _bigbar 2>/dev/null; '
        'printf "%s\\n" "${COMPREPLY[@]}"; echo; }\n'
        'offers bigbar ""; offers bigbar --top ""; offers bigbar --engine ""'
    )
    ran = subprocess.run(
        ["bash", "-c", f"{scripts['bash']}\n{ask}"], cwd=tmp_path, capture_output=True, text=True
    )
    commands = "\n".join(one.name for one in all_commands()[1:])
    engines = "auto\ncompiled\nbacktesting\ngeneral"
    assert ran.stdout == f"{commands}\na b.csv\n\n\n\n{engines}\n\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--completion"], "--completion needs a value"),
        (["--completion", "bsh"], "'bsh' is none of bash, zsh, fish; did you mean bash?"),
        (["--completion", "bash", "more"], "'more' is one too many"),
    ],
)
def test_what_is_refused(words, said, capsys):
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
