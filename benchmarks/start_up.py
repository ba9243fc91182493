"""How long until there is an answer, and until the bars are ready.

The whole command on `example.csv`, once compiled, against importing the libraries that it needs;
and reading, preparing and publishing bars against `pandas.read_csv` of the same file, which does
not even read the times.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common
import numpy as np
import pandas as pd

from bigbar.data.names import PRICES
from bigbar.data.read import read_bars
from bigbar.sharing.frames import publish
from bigbar.strategies.big_bar.description import job_of
from bigbar.strategies.big_bar.indicators import with_indicators
from bigbar.strategies.big_bar.parameters import Settings, parse_grid

_ROWS = (10_000, 50_000, 100_000)


def command_against_imports(report: common.Report) -> None:
    """The command's second run, and `import` of what it stands on."""
    with tempfile.TemporaryDirectory() as folder:
        ours = [sys.executable, str(common.COMMAND), str(common.ROOT / "example.csv")]
        ours += ["--output", folder]
        theirs = [sys.executable, "-c", "import pandas, numba, backtesting"]

        def run(command: list[str]) -> float:
            begun = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
            spent = time.perf_counter() - begun
            if done.returncode != 0:
                raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
            return spent

        run(ours)  # Compiles.
        run(theirs)
        (ours_s, plain_s, theirs_s), _ = common.alternating(
            [lambda: run(ours), lambda: run([*ours, "--no-validate"]), lambda: run(theirs)],
            rounds=5,
        )
    report.line('python -c "import pandas, numba, backtesting"', common.duration(theirs_s))
    report.line("whole command on example.csv, second run", common.duration(ours_s))
    at_most(report, "whole command against its imports", ours_s / theirs_s, 2)
    report.line("the same with --no-validate", common.duration(plain_s))
    at_most(report, "whole command with --no-validate against its imports", plain_s / theirs_s, 2)


def ready(file: Path) -> float:
    """Seconds to load, prepare and publish; taking it down again is not counted."""
    publications = []

    def run() -> None:
        settings = Settings()
        bars = read_bars(file)
        indicators = with_indicators(bars.frame, settings.week_edge_bars)
        publications.append(publish(indicators, job_of(parse_grid(), settings, "compiled")))

    spent = common.seconds(run)
    publications[0].close()
    return spent


def load_against_read_csv(report: common.Report, file: Path) -> None:
    """Bars ready for the workers, and the file read by pandas."""
    raw = pd.read_csv(file)
    raw.columns = [name.capitalize() for name in raw.columns]
    prices = list(PRICES)
    report.check(
        f"prices of {len(raw):,} bars",
        np.array_equal(read_bars(file).frame[prices].to_numpy(), raw[prices].to_numpy()),
    )
    ready(file)
    (ours_s, theirs_s), _ = common.alternating(
        [lambda: ready(file), lambda: common.seconds(lambda: pd.read_csv(file))], rounds=11
    )
    rows = f"{len(raw):,} rows"
    report.line(f"load, prepare, publish {rows}", common.duration(ours_s))
    report.line(f"pandas.read_csv of {rows}", common.duration(theirs_s))
    at_most(report, f"bars ready against read_csv, {rows}", ours_s / theirs_s, 3)


def at_most(report: common.Report, what: str, ratio: float, most: float) -> None:
    """How many times as long, against the most wanted."""
    report.line(what, f"{ratio:.2f} ×", f"under {most:g} ×", ratio < most)


def main() -> int:
    """Check, measure, report."""
    arguments = common.arguments(__doc__ or "")
    report = common.Report("Start-up", arguments)
    for rows in _ROWS[:1] if arguments.data else _ROWS:
        load_against_read_csv(report, common.data_file(arguments.data, rows))
    command_against_imports(report)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
