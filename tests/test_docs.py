"""README and docs say what the program does: commands, options, tables, examples and links."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from real_strategies import CASES, bars
from small_run import small_outcome
from test_layers import LAYERS

import bigbar
from bigbar.compiled.broker.state import CAP, NTRMAX
from bigbar.data.read import read_bars
from bigbar.engines.find import ENGINES, build_engine
from bigbar.parser import make_parser
from bigbar.report.files import receipt_of, summary, write_trades
from bigbar.statistics import NAMES, STATISTICS, Better
from bigbar.strategies.big_bar.description import job_of
from bigbar.strategies.big_bar.indicators import with_indicators
from bigbar.strategies.big_bar.parameters import (
    DEFAULT_GRID,
    Parameters,
    Settings,
    parse_grid,
    single_point,
)
from bigbar.strategies.find import find_strategy
from bigbar.verification.rounding import _LOOSENESS
from tests.commands import Command

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = (README, *sorted(DOCS.glob("*.md")))
#: Pages about the command. The one on performance has the benchmarks' own options as well, those
#: on earlier runs, the dashboard, reliability, validation and clusters have other commands'.
OTHER_OPTIONS = (
    *("performance.md", "dashboard.md", "history.md"),
    *("reliability.md", "validation.md", "cluster.md"),
)
COMMAND_PAGES = tuple(page for page in PAGES if page.name not in OTHER_OPTIONS)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


GUIDE, STRATEGY, STATISTICS_PAGE, EXTENDING, COMPILED = (
    text_of(DOCS / f"{name}.md")
    for name in ("guide", "strategy", "statistics", "extending", "compiled")
)


def blocks(text: str, language: str) -> list[str]:
    """Code blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def table_after(text: str, head: str) -> list[list[str]]:
    """Cells of the table whose first line begins like this, without marks around code."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith(head):
            break
    else:
        raise AssertionError(f"no table {head!r}")
    next(lines)  # The rule below the head.
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        cells = re.split(r"(?<!\\)\|", line)[1:-1]
        rows.append([cell.strip().replace("`", "").replace(r"\|", "|") for cell in cells])
    return rows


# ------------------------------------------------------------------------------------ commands


def test_the_readme_opens_with_the_two_commands():
    text = text_of(README)
    first, second = blocks(text, "bash")
    opening = text.split("---", maxsplit=1)[0]
    assert blocks(opening, r"\w*") == [first, second]
    for command, requirements, script in (
        (first, "requirements.txt", "bigbar_multiprocessing_optimized.py example.csv"),
        (second, "requirements-dev.txt", "test_multiprocessing_optimizations.py"),
    ):
        assert command.count("\n") == 1
        assert command.rstrip().endswith(f"-r {requirements} && .venv/bin/python {script}")
        assert all((ROOT / name).is_file() for name in (requirements, *script.split()))


@pytest.mark.skipif(not (shutil.which("bash") and shutil.which("awk")), reason="needs bash and awk")
def test_ci_runs_the_second_command():
    taken = re.search(r"^second=.*$", text_of(ROOT / ".ci" / "run"), re.MULTILINE)
    assert taken is not None
    shown = subprocess.run(
        ["bash", "-c", f'{taken[0]}; printf "%s\\n" "$second"'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == blocks(text_of(README), "bash")[1]


# ------------------------------------------------------------------------------------- options


def options() -> dict[str, argparse.Action]:
    """The command's options by their long names; those that BigBar refuses, from another's help."""
    return {
        name: action
        for parser in (make_parser(find_strategy("sma_cross")), make_parser())
        for action in parser._actions
        for name in action.option_strings
        if name.startswith("--") and action.help != argparse.SUPPRESS
    }


@pytest.mark.parametrize("page", COMMAND_PAGES, ids=lambda page: page.name)
def test_every_option_mentioned_exists(page):
    mentioned = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text_of(page)))
    assert mentioned <= set(options())


@pytest.mark.parametrize("name", sorted(set(options()) - {"--help", "--version"}))
def test_the_help_says_the_default(name):
    """The pages leave that to it: of all that is more than a switch."""
    action = options()[name]
    said = re.search(r"\(default: (.+?)\)$", make_parser()._get_formatter()._expand_help(action))
    if said is None:
        assert not action.default
    elif name == "--workers":
        assert said[1].endswith(str(action.default))
    elif action.dest in DEFAULT_GRID:
        assert said[1] == DEFAULT_GRID[action.dest]
    elif isinstance(action.default, float):
        assert float(said[1]) == action.default
    elif action.default is not None:
        assert said[1] == str(action.default)


def test_exit_codes_are_those_of_the_help():
    epilog = str(make_parser().epilog)
    documented = [row[0] for row in table_after(GUIDE, "| exit code |")]
    assert sorted(documented) == sorted(re.findall(r"\b(\d+)\b", epilog))


# ------------------------------------------------------------------------------------- tables


def test_the_statistics_table_is_the_list():
    rows = table_after(STATISTICS_PAGE, "| statistic | meaning |")
    assert [row[0] for row in rows] == list(NAMES)
    words = {
        Better.HIGHER: "higher",
        Better.LOWER: "lower",
        Better.SAME: "refused: the same",
        Better.UNCLEAR: "refused: neither",
    }
    for statistic, row in zip(STATISTICS, rows, strict=True):
        assert row[3].startswith(words[statistic.better]), statistic.name


def test_statistics_documented_as_never_none_have_values_without_trades():
    rows = table_after(STATISTICS_PAGE, "| statistic | meaning |")
    never = {row[0] for row in rows if row[2] == "never"}
    outcome = small_outcome()
    idle = int((outcome.table.column("# Trades") == 0).argmax())
    assert outcome.table.column("# Trades")[idle] == 0
    shown = outcome.table.frame().loc[idle]
    assert not shown[sorted(never)].isna().any()
    of_trades = {row[0] for row in rows if row[2].startswith("no trade")}
    assert shown[sorted(of_trades)].isna().all()


def test_every_bound_is_documented():
    rows = table_after(STATISTICS_PAGE, "| statistic | bound")
    assert [row[0] for row in rows] == [name for name in NAMES if name in _LOOSENESS]


def test_the_parameters_are_those_of_the_strategy():
    rows = table_after(STRATEGY, "| parameter | meaning | default grid |")
    assert [row[0] for row in rows] == list(DEFAULT_GRID)
    for name, _, typed, count, single in rows:
        axis = next(axis for axis in parse_grid().parameters if axis.name == name)
        assert int(count) == len(axis)
        numbers = [float(number) for number in re.findall(r"[\d.]+", typed)]
        assert numbers[:2] == list(axis.values[:2])
        assert numbers[-1] == axis.values[-1]
        assert float(single) == getattr(Parameters(), name)


def test_the_example_trade_is_real():
    rows = table_after(STRATEGY, "| bar | open |")
    file = read_bars(ROOT / "example.csv").frame
    bars = file.loc[rows[0][0] : rows[-1][0]]
    assert [str(time)[:16] for time in bars.index] == [row[0] for row in rows]
    shown = [[float(cell) for cell in row[1:5]] for row in rows]
    assert shown == bars[["Open", "High", "Low", "Close"]].to_numpy().tolist()

    job = job_of(single_point(Parameters()), Settings(), "backtesting")
    trades = build_engine(with_indicators(file, 6), job).trades(0)
    trade = trades[trades["EntryTime"] == bars.index[0]].iloc[0]
    assert trade["ExitTime"] == bars.index[-1]
    assert f"bought {trade['Size']:,} units" in STRATEGY
    assert f"a profit of {trade['PnL']:.2f}" in STRATEGY

    stop = [bars["Low"].iloc[0] - 0.01 * (bars["High"].iloc[0] - bars["Low"].iloc[0])]
    room = bars["Low"].iloc[0] - stop[0]
    stop.append(max(stop[0], bars["Low"].iloc[1] - room))
    for i in range(2, len(bars)):
        stop.append(max(stop[-1], min(bars["Low"].iloc[i - 1], bars["Low"].iloc[i])))
    assert [row[5] for row in rows] == [f"{level:.5f}" for level in stop]


def test_the_layers_are_those_that_the_imports_keep():
    rows = table_after(EXTENDING, "| layer |")
    assert [int(row[0]) for row in rows] == list(range(len(LAYERS)))
    for (_, rooms, _), layer in zip(rows, LAYERS, strict=True):
        assert rooms.split(", ") == list(layer)


def test_the_summarys_keys_are_documented():
    told = json.loads(json.dumps(summary(small_outcome())))
    rows = {key: row[1] for row in table_after(GUIDE, "| key |") for key in row[0].split(", ")}
    assert set(rows) == set(told)
    for key in ("run", "data", "verification", "best"):
        assert all(part in rows[key] for part in told[key]), key


def test_the_receipts_entries_are_documented():
    told = receipt_of(small_outcome(), [])
    rows = table_after(GUIDE, "| entry |")
    assert {name for row in rows for name in row[0].split(", ")} == set(told)
    data = next(row[1] for row in rows if row[0] == "data")
    assert all(name in data for name in told["data"])


def test_the_columns_of_the_trades_are_documented(tmp_path):
    trades = small_outcome().trades
    assert trades is not None
    written = pd.read_csv(write_trades(tmp_path, trades))
    rows = table_after(GUIDE, "| column |")
    assert [name for row in rows for name in row[0].split(", ")] == list(written.columns)


# ------------------------------------------------------------------------------------ examples


#: What is run besides blocks of the pages.
PLAIN_ENGINE = DOCS / "plain_engine.py"


def examples() -> dict[str, str]:
    """The pages' Python, that of a page as one, and the engine."""
    written = {page.name: blocks(text_of(page), "python") for page in COMMAND_PAGES}
    found = {name: "\n".join(one) for name, one in written.items() if one}
    return {**found, PLAIN_ENGINE.name: text_of(PLAIN_ENGINE)}


EXAMPLES = examples()

#: Seconds beside each other; minutes where others use the machine as well.
takes_its_time = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the examples expect it: the file, and the results of a run."""
    folder = tmp_path_factory.mktemp("examples")
    shutil.copy(ROOT / "example.csv", folder)
    (folder / "bigbar_output").mkdir()
    table = small_outcome().table.frame()
    table["# Trades"] += 50
    table.to_parquet(folder / "bigbar_output" / "results.parquet")
    return folder


def test_there_are_examples():
    assert set(EXAMPLES) == {
        "README.md", "compiled.md", "guide.md", "extending.md", "plain_engine.py",
    }  # fmt: skip


@pytest.fixture(scope="module")
def outputs(folder: Path) -> dict[str, tuple[int, str, str]]:
    """Exit code, standard output and error of every example.

    The first one runs alone, so that the kernel is compiled once; the others side by side.
    """
    running = {}
    for number, (name, block) in enumerate(EXAMPLES.items()):
        where, line = folder, [sys.executable, "-c", block]
        if name == "README.md":  # The strategy, and the command below it.
            where = folder / "own"
            where.mkdir()
            shutil.copy(ROOT / "example.csv", where)
            (where / "my.py").write_text(block, encoding="utf-8")
            typed = r"^\.venv/bin/python (-m bigbar .*)$"
            (command,) = re.findall(typed, text_of(README), re.MULTILINE)
            line[1:] = shlex.split(command)
        elif name in (PLAIN_ENGINE.name, "compiled.md"):  # Only what stands in a file is compiled.
            script = folder / f"script_{number}.py"
            script.write_text(block, encoding="utf-8")
            line[1:] = [script.name]
        running[name] = Command(
            line,
            cwd=where,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        if number == 0:
            running[name].wait()
    finished = {name: one.communicate() for name, one in running.items()}
    return {name: (running[name].returncode, *texts) for name, texts in finished.items()}


@pytest.mark.slow
@takes_its_time
@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_run(name, outputs):
    code, _, err = outputs[name]
    assert code == 0, err


@takes_its_time
def test_examples_print_what_is_shown(outputs):
    assert outputs[PLAIN_ENGINE.name][1] in blocks(EXTENDING, "text")
    assert re.search(r"^Best of \d+ combinations", outputs["README.md"][1])


# -------------------------------------------------------------------------- what is compiled

#: Where the examples of the tables on compiled strategies stand.
_AROUND = """
import random

import numpy as np
import pandas as pd
from backtesting import Strategy
from backtesting.lib import barssince, cross
from backtesting.test import SMA


class Around(Strategy):
    n, mode = 10, "long"

    def init(self):
        self.sma = self.I(SMA, self.data.Close, self.n)
        self.bands = self.I(lambda: np.array([self.data.High, self.data.Low]))
        self.dice = self.I(np.random.default_rng(1).random, len(self.data))
        self.count, self.entry, self.order, self.line = 0, None, None, None
        self.memory, self.past, self.hold = {"stop": 0.0}, [], pd.Timedelta("1D")

    def is_strong(self, factor):
        return self.data.Close[-1] > factor

    @property
    def ready(self):
        return len(self.data) > self.n

    def next(self):
        """


def what_becomes_of(code: str, folder: Path) -> str:
    """What `bigbar explain` says of a line of `next`."""
    file = folder / f"around_{len(list(folder.iterdir()))}.py"
    file.write_text(_AROUND + code + "\n", encoding="utf-8")
    told = bigbar.explain(f"{file}:Around")
    (line,) = (one for one in told.lines if one.code.strip() == code)
    assert told.compiles == (line.what != "in the way"), told.reason
    return line.what


_LINES = [
    (code, what)
    for what in ("compiled", "once a bar")
    for part in COMPILED.split("\n## What is ")
    if part.splitlines()[0].endswith(what)
    for _, code in table_after(part, "| in `next` |")
]
assert {what for _, what in _LINES} == {"compiled", "once a bar"}
_INSTEAD = table_after(COMPILED, "| instead of |")


@pytest.mark.parametrize(("code", "what"), _LINES, ids=[code for code, _ in _LINES])
def test_what_is_said_to_compile_does(code, what, tmp_path):
    assert what_becomes_of(code, tmp_path) == what


@pytest.mark.parametrize(("code", "better", "why"), _INSTEAD, ids=[row[0] for row in _INSTEAD])
def test_what_is_said_not_to_compile_does_not_and_what_to_write_does(code, better, why, tmp_path):
    assert what_becomes_of(code, tmp_path) == "in the way"
    assert what_becomes_of(better, tmp_path) != "in the way"


def test_every_strategy_of_the_page_compiles_as_it_is_said(tmp_path):
    written = [block for block in blocks(COMPILED, "python") if "__main__" not in block]
    file = tmp_path / "my.py"
    file.write_text(written[0], encoding="utf-8")
    told = bigbar.explain(f"{file}:Morning")
    assert f"{told}\n" in blocks(COMPILED, "text")
    file = tmp_path / "all.py"
    file.write_text("\n".join(written), encoding="utf-8")
    names = re.findall(r"^class (\w+)\(Strategy\)", "\n".join(written), re.MULTILINE)
    assert len(names) == 2
    for name in names:
        told = bigbar.explain(f"{file}:{name}")
        assert told.compiles, told.reason
        assert told.hops, name


@pytest.mark.slow
def test_so_many_real_strategies_compile():
    ready = [one for one in CASES if not one.needs or importlib.util.find_spec(one.needs)]
    compiling = [one for one in ready if bigbar.explain(one.strategy, bars(one.data)).compiles]
    assert "more than nine in ten compile" in COMPILED
    assert len(compiling) > 0.9 * len(ready)


def test_limits_of_the_compiled_broker_are_documented():
    assert f"more than {CAP} waiting orders or {NTRMAX} open trades" in " ".join(COMPILED.split())


def test_example_options_are_accepted():
    """Every command line shown is one that the parser takes."""
    program = "bigbar_multiprocessing_optimized.py"
    for page in COMMAND_PAGES:
        for block in blocks(text_of(page), r"(?:text|bash)"):
            for line in re.findall(rf"{program} (example\.csv.*)", block.replace("\\\n", "")):
                words = re.findall(r'"[^"]*"|\S+', line)
                make_parser().parse_args([word.strip('"') for word in words])


def test_engines_are_documented():
    for name in ENGINES:
        assert f"`{name}`" in COMPILED


# ---------------------------------------------------------------------------------- the whole


def test_the_pages_are_short():
    """All that one machine needs together, as `wc -w` counts; and the page on several."""
    words = {page.name: len(text_of(page).split()) for page in PAGES}
    assert words.pop("cluster.md") < 1_100
    assert sum(words.values()) < 15_000


def anchors(text: str) -> set[str]:
    """What can be linked to inside a page, as GitHub names it."""
    heads = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M)
    slugs = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
    return slugs | set(re.findall(r'<a id="([^"]+)"', text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_exist(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        path = page.parent / target if target else page
        assert path.is_file(), link
        if anchor:
            assert anchor in anchors(text_of(path)), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_row_of_a_table_stands_twice(page):
    for table in re.findall(r"(?:^\|.*\n)+", text_of(page), re.MULTILINE):
        rows = table.splitlines()
        assert len(rows) == len(set(rows)), [row for row in rows if rows.count(row) > 1]


def test_the_readme_lists_every_page_once():
    listed = re.findall(r"^- \[.*?\]\(docs/(.*?)\):", text_of(README), re.MULTILINE)
    pages = [path.name for pattern in ("*.md", "*.ipynb") for path in DOCS.glob(pattern)]
    assert sorted(listed) == sorted(pages)


CODE = (
    *(ROOT / "bigbar").rglob("*.py"),
    *(ROOT / "benchmarks").glob("*.py"),
    *(path for path in ROOT.rglob("tests/*.py") if path != Path(__file__)),
    *ROOT.glob("*.py"),
)
#: Modules and folders of `bigbar`, dotted.
ROOMS = {
    ".".join(path.relative_to(ROOT / "bigbar").with_suffix("").parts)
    for path in (ROOT / "bigbar").rglob("*")
    if path.suffix == ".py" or (path / "__init__.py").is_file()
}


def code_in(text: str) -> set[str]:
    """Names between backticks in running text, dotted ones whole."""
    running = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return set(re.findall(r"`([A-Za-z_]\w*(?:\.\w+)*)(?:\([^`]*\))?`", running))


@pytest.fixture(scope="module")
def words() -> set[str]:
    """Every word of the code, and the names of its files."""
    found = {path.stem for path in CODE}
    return found.union(*(re.findall(r"\w+", text_of(path)) for path in CODE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_of_the_code_are_still_there(page, words):
    """A class, module or option that was renamed or removed is noticed."""
    gone = {name for name in code_in(text_of(page)) if not words.issuperset(name.split("."))}
    assert not gone


def is_there(name: str) -> bool:
    """Whether a dotted name is a module or a folder of `bigbar`, or stands in one."""
    module, _, attribute = name.rpartition(".")
    if name in ROOMS or not module:
        return name in ROOMS or hasattr(bigbar, name)
    return module in ROOMS and hasattr(importlib.import_module(f"bigbar.{module}"), attribute)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_and_files_are_where_they_are_said_to_be(page):
    text = text_of(page)
    named = {name for name in code_in(text) if "." in name and not name.endswith(".html")}
    folders = {room for room in ROOMS if (ROOT / "bigbar" / room).is_dir()}
    ours = {name for name in named if name.split(".")[0] in folders | {"bigbar"}}
    assert not {name for name in ours if not is_there(name.removeprefix("bigbar."))}
    files = re.findall(r"\b(?:bigbar|tests|benchmarks)/[\w./]*\w", text)
    assert not {file for file in files if not (ROOT / file).exists()}
    if page.name == "how-it-works.md":  # Its steps name their modules in brackets.
        steps = re.findall(r"^\d\. \*\*[^*]*\*\*[^(]* \((`[\w.`, ]+`)\)", text, re.MULTILINE)
        assert len(steps) == 7
        assert {name for names in steps for name in re.findall(r"[\w.]+", names)} <= ROOMS


def test_pictures_are_small_and_used():
    used = {
        Path(link).name for page in PAGES for link in re.findall(r"pictures/[\w.-]+", text_of(page))
    }
    pictures = {path.name: path for path in (DOCS / "pictures").iterdir()}
    assert used == set(pictures)
    assert all(path.stat().st_size < 250_000 for path in pictures.values())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_are_finished_and_of_no_machine(page):
    text = text_of(page)
    assert not re.findall(r"TODO|FIXME|\bissue #?\d", text)
    paths = re.findall(r"(?<![\w.:/<])/(?!dev/shm)[a-z]\w*/[\w./-]+", text)
    assert not paths
