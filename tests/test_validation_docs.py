"""docs/validation.md has the constants of the code, and the verdict that the example gets."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from test_docs import DOCS, ROOT, blocks, table_after, text_of

from bigbar.calendar import calendar_of
from bigbar.choice import Choice
from bigbar.data.read import read_bars
from bigbar.engines.find import build_engine
from bigbar.results import ResultTable
from bigbar.strategies.big_bar.description import job_of
from bigbar.strategies.big_bar.indicators import with_indicators
from bigbar.strategies.big_bar.parameters import Settings, parse_grid
from bigbar.validation.benchmark import buy_and_hold
from bigbar.validation.bootstrap import RETURN_LIKE
from bigbar.validation.costs import find_costs
from bigbar.validation.luck import assess_luck
from bigbar.validation.verdict import conclude

PAGE: Path = DOCS / "validation.md"
TEXT = text_of(PAGE)
MODULES = ("bootstrap", "resampling", "cscv", "verdict", "wording", "sharpe")


def constant(name: str) -> float:
    """From the module that has it."""
    modules = [importlib.import_module(f"bigbar.validation.{module}") for module in MODULES]
    values = {getattr(module, name) for module in modules if hasattr(module, name)}
    assert len(values) == 1, name
    return values.pop()


CONSTANTS = table_after(TEXT, "| constant | value |")


@pytest.mark.parametrize(("name", "value"), [row[:2] for row in CONSTANTS])
def test_constants(name, value):
    assert float(value) == constant(name)


def test_no_constant_of_the_rules_is_missing():
    assert {row[0] for row in CONSTANTS} >= {
        "RESAMPLES", "MEAN_BLOCK", "LEVEL", "LEAST_PERIODS", "LEAST_TRADED", "EARLIER_POWER",
        "BLOCKS", "THOROUGH_BLOCKS", "STRONG", "WEAK", "MOST_PBO", "CONFIDENCE", "FEW_TRADES",
    }  # fmt: skip


def test_objectives_tested_as_returns():
    assert all(f"`{name}`" in TEXT for name in RETURN_LIKE)


@pytest.mark.slow
def test_the_example_is_what_the_command_says():
    """Up to the parts that are drawn, all of it: the same seed gives the same draws."""
    bars = read_bars(ROOT / "example.csv")
    settings = Settings()
    job = job_of(parse_grid(), settings, "compiled")
    file = with_indicators(bars.frame, settings.week_edge_bars)
    engine = build_engine(file, job)
    table, choice = (
        ResultTable(job.space, engine.run(0, len(job.space))),
        Choice.by_name("Return [%]"),
    )
    found = assess_luck(
        engine.returns(0, len(job.space)),
        table,
        choice,
        table.best(choice),
        periods_per_year=calendar_of(file.index[job.bars]).annual_periods,
    )
    best = table.best(choice)
    assert best is not None
    trades = table.column("# Trades")
    verdict = conclude(
        job.space,
        best,
        trades=int(trades[best]),
        most_trades=int(trades.max()),
        buy_and_hold=buy_and_hold(file, job, table, best),
        costs=find_costs(file, job, best),
        bootstrap=found.bootstrap,
        sharpe_bootstrap=found.sharpe_bootstrap,
        pbo=found.pbo,
        plateau=found.plateau,
    )
    shown = blocks(TEXT, "text")[0]
    assert " ".join(verdict.lines[:-1]).split() == shown.split()
    assert max(map(len, shown.splitlines())) <= 80
