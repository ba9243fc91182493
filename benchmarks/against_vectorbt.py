"""One worker against vectorbt's `Portfolio.from_order_func` doing the same strategy.

vectorbt runs in a process of its own, by default with this Python; `--vectorbt-python` names
another where its requirements and ours do not go together. Its ATR, momentum and week edges are
handed to it ready-made and not counted.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import common
import numpy as np
from numpy.typing import NDArray
from sides import prepared, run_grid, sweep_seconds

#: Combinations that vectorbt runs: spread over the default grid, they stand for all of it.
SAMPLE = 256


class VectorbtSide:
    """The process that runs vectorbt.

    Parameters
    ----------
    python : str
        The interpreter that has it.
    inputs : dict of ndarray
        From `sides.prepared`.
    folder : Path
        For the exchange of arrays.
    """

    def __init__(self, python: str, inputs: dict[str, NDArray], folder: Path) -> None:
        np.savez(folder / "inputs.npz", **inputs)  # type: ignore[arg-type]
        script = Path(__file__).with_name("vectorbt_side.py")
        self._process = subprocess.Popen(
            [python, str(script), str(folder / "inputs.npz"), str(folder / "found.npz")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.version = self._line()
        with np.load(folder / "found.npz") as file:
            self.found: NDArray[np.float64] = file["found"]

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            raise SystemExit(
                "vectorbt did not run; install benchmarks/requirements.txt, or name a Python "
                "that has it with --vectorbt-python"
            )
        return line

    def seconds(self) -> float:
        """Seconds per combination of one more run."""
        assert self._process.stdin is not None
        self._process.stdin.write("again\n")
        self._process.stdin.flush()
        return float(self._line()) / len(self.found)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def main() -> int:
    """Check, measure, report."""
    arguments = common.arguments(
        __doc__ or "",
        python=("--vectorbt-python", sys.executable, "Python that has vectorbt; this one if not"),
    )
    report = common.Report("One worker against vectorbt", arguments)
    bars, inputs, numbers = prepared(common.data_file(arguments.data, 20_000), SAMPLE)
    with tempfile.TemporaryDirectory() as folder:
        side = VectorbtSide(arguments.python, inputs, Path(folder))
        try:
            check(report, side, run_grid(bars, workers=1).table.values[numbers])
            (ours_s, theirs_s), _ = common.alternating(
                [lambda: sweep_seconds(bars, 1), side.seconds], rounds=3
            )
        finally:
            side.close()
    report.line("BigBar, all statistics, per combination", common.duration(ours_s))
    report.line(
        f"vectorbt {side.version}, return, trades, drawdown, Sharpe, per combination",
        common.duration(theirs_s),
    )
    report.ratio("1 worker against vectorbt", theirs_s / ours_s, 1_500)
    return report.finish()


def check(report: common.Report, side: VectorbtSide, rows: NDArray[np.float64]) -> None:
    """Return, drawdown and trades agree; the Sharpe ratio is defined otherwise and is not asked."""
    from bigbar.statistics import COLUMN

    names = ("Return [%]", "Max. Drawdown [%]", "# Trades")
    ours = rows[:, [COLUMN[name] for name in names]]
    report.check(
        f"return, maximum drawdown and trades of {len(rows):,} combinations (vectorbt's Sharpe "
        "ratio is made of bars, ours as backtesting.py's of days)",
        common.agree(ours, side.found[:, :3]),
    )


if __name__ == "__main__":
    sys.exit(main())
