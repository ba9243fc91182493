"""The RaptorBT side of `compiled_strategies.py`; runs in whatever Python has raptorbt.

    python benchmarks/raptorbt_side.py inputs.npz answers.npz

Reads bars and ready-made signals, a row a combination, runs them in one thread, writes trades and
return, and then, for every line on standard input, does it all again and prints the processor
seconds it took.
"""

from __future__ import annotations

import os
import sys
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["RAPTORBT_NO_VERSION_CHECK"] = "1"

import numpy as np
import raptorbt


def main() -> None:
    """Answer once, then time on demand."""
    with np.load(sys.argv[1]) as file:
        inputs = {name: file[name] for name in file.files}
    bars = [
        np.ascontiguousarray(inputs[name]) for name in ("times", "open", "high", "low", "close")
    ]
    config = raptorbt.BacktestConfig(
        initial_capital=float(inputs["cash"]), fees=0.0, fill_timing="next_bar_open"
    )
    volume = np.ones(len(bars[0]))

    def run() -> list:
        items = [
            raptorbt.BatchSingleItem(str(number), entries, exits)
            for number, (entries, exits) in enumerate(
                zip(inputs["entries"], inputs["exits"], strict=True)
            )
        ]
        return raptorbt.batch_single_backtest(*bars, volume, items, config)

    found = [one.metrics for _, one in run()]
    rows = [(one.total_closed_trades, one.total_return_pct) for one in found]
    np.savez(sys.argv[2], found=np.array(rows, np.float64))
    print(raptorbt.__version__, flush=True)
    for _ in sys.stdin:
        begun = time.process_time()
        run()
        print(time.process_time() - begun, flush=True)


if __name__ == "__main__":
    main()
