"""Buying at the first close and holding to the last, beside the chosen setting."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bigbar.job import Job
from bigbar.results import ResultTable
from bigbar.statistics import COLUMN
from bigbar.validation.findings import BuyAndHold


def buy_and_hold(file: pd.DataFrame, job: Job, table: ResultTable, chosen: int) -> BuyAndHold:
    """What holding would have done on the bars that take part.

    Parameters
    ----------
    file : DataFrame
        The whole file.
    job : Job
        With the bars that take part.
    table : ResultTable
        Of the job.
    chosen : int
        The setting to put beside it.

    Returns
    -------
    BuyAndHold
    """
    close = file["Close"].to_numpy(np.float64)[job.bars]
    row = table.values[chosen]
    return BuyAndHold(
        total_return=float(row[COLUMN["Buy & Hold Return [%]"]]),
        max_drawdown=float((close / np.maximum.accumulate(close) - 1.0).min() * 100.0),
        chosen_return=float(row[COLUMN["Return [%]"]]),
        chosen_max_drawdown=float(row[COLUMN["Max. Drawdown [%]"]]),
        exposure=float(row[COLUMN["Exposure Time [%]"]]),
    )
