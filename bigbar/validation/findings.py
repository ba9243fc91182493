"""What the validation of a run found: plain values, ready for a summary, a terminal and a page.

A field's name is its name in `summary.json`. Periods are days as `backtesting.py`'s annual
statistics have them (weeks, months or years for bars that long). Ratios named `sharpe` are of
returns per period, with ddof 1; those named `annual_…` are times the root of a year's periods.
Whatever cannot be computed (no trades, no variance, too few periods) is NaN or None, never a
number that looks like an answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class Bootstrap:
    """The best of the grid against the best that luck finds, by a block bootstrap of the periods.

    Attributes
    ----------
    statistic : str
        Whose maximum was tested: "Sharpe Ratio" (studentized mean return) or "Return [%]".
    objective : str
        What was optimized.
    tests_objective : bool
        Whether the two are the same. If not, the p-value holds all the same for the chosen
        setting (it is adjusted for every combination), but asks more of it than needed.
    periods, combinations, resamples : int
        Periods of the file, combinations that count (enough trades, any variance), draws.
    mean_block : float
        Mean length of the blocks, in periods.
    periods_per_year : float
        Of the annual figures: 252 or 365 days, 52 weeks, 12 months, 1 year.
    chosen, luck_typical, luck_95 : float
        The chosen setting, the median and the 95th percentile of luck's best: annual Sharpe
        ratios, or returns in per cent.
    p_value : float
        How often luck's best is at least as good as the chosen setting: family-wise adjusted.
    p_value_all_trials : float
        The same, counting earlier runs on the same data as well: 1 - (1 - p)·F(t)^√earlier_trials,
        t being the chosen setting's t-statistic and F Student's distribution.
    earlier_trials : int
    best_p_value : float
        The same as `p_value` for the grid's best by `statistic`.
    traded_periods : int
        Periods in which the chosen setting earned or lost something.
    independent_tries : float
        So many independent tries have the same expected maximum; NaN for returns.
    smallest_provable : float
        The least that this much data could tell from luck at 5 %, in the units of `chosen`;
        of a Sharpe ratio earlier runs are counted.
    autocorrelation, autocorrelation_limit : float
        Lag-1, of the chosen setting's periods; beyond the limit (2 / sqrt(periods)) the blocks
        may be too short, and the figure is to be read with care.
    """

    statistic: str
    objective: str
    tests_objective: bool
    periods: int
    combinations: int
    resamples: int
    mean_block: float
    periods_per_year: float
    chosen: float
    luck_typical: float
    luck_95: float
    p_value: float
    p_value_all_trials: float
    earlier_trials: int
    best_p_value: float
    traded_periods: int
    independent_tries: float
    smallest_provable: float
    autocorrelation: float
    autocorrelation_limit: float


@dataclass(frozen=True)
class Overfitting:
    """Probability of backtest overfitting, by combinatorially symmetric cross-validation.

    Attributes
    ----------
    blocks, splits : int
        Blocks of periods, and ways of taking half of them.
    pbo : float
        Share of splits whose winner is in the lower half out of sample.
    loss_share : float
        Share of splits whose winner loses out of sample.
    slope, intercept : float
        Out-of-sample on in-sample performance of the winners.
    mean_logit : float
    winners : ndarray of int, shape (splits,)
        The combination that wins in each split, the lowest of several equal ones; splits in the
        order of `itertools.combinations`.
    ranks : ndarray of float, shape (splits,)
        Its rank out of sample, 1 for the worst.
    in_sample, out_of_sample : ndarray of float, shape (splits,)
        Its performance: Sharpe ratio, or mean log return, per period.
    """

    blocks: int
    splits: int
    pbo: float
    loss_share: float
    slope: float
    intercept: float
    mean_logit: float
    winners: NDArray[np.intp] = field(repr=False)
    ranks: NDArray[np.float64] = field(repr=False)
    in_sample: NDArray[np.float64] = field(repr=False)
    out_of_sample: NDArray[np.float64] = field(repr=False)


@dataclass(frozen=True)
class DeflatedSharpe:
    """Probabilistic and deflated Sharpe ratio of the chosen setting.

    Attributes
    ----------
    sharpe, annual_sharpe : float
    skewness, kurtosis : float
        Biased moments; the kurtosis is raw, 3 for a normal.
    periods : int
    trials : int
        Combinations of this run.
    earlier_trials : int
        Of earlier runs on the same data.
    psr : float
        Probability that the true ratio is above 0.
    threshold : float
        The expected best of that many trials without an edge, per period.
    dsr : float
        Probability that the true ratio is above `threshold`.
    track_record : float
        Periods after which such a ratio would be above 0 with 95 % confidence.
    """

    sharpe: float
    annual_sharpe: float
    skewness: float
    kurtosis: float
    periods: int
    trials: int
    earlier_trials: int
    psr: float
    threshold: float
    dsr: float
    track_record: float


@dataclass(frozen=True)
class Plateau:
    """The robust choice beside the peak, by the cross mean of the objective.

    Attributes
    ----------
    statistic : str
        The objective.
    peak, robust : int or None
        Combinations: the best, and the best by cross mean.
    peak_value, robust_value : float
        The objective of each.
    peak_cross_mean, robust_cross_mean : float
        Mean over each and its neighbours along one axis at a time.
    peak_worst_neighbour, robust_worst_neighbour : float
    peak_edges, robust_edges : tuple of str
        Axes at whose end the combination stands: the true optimum may lie outside the grid.
    profitable_share : float
        Of all combinations that traded, those with a return above zero.
    median : int or None
        The combination with the median objective.
    median_value : float
    """

    statistic: str
    peak: int | None
    robust: int | None
    peak_value: float
    robust_value: float
    peak_cross_mean: float
    robust_cross_mean: float
    peak_worst_neighbour: float
    robust_worst_neighbour: float
    peak_edges: tuple[str, ...]
    robust_edges: tuple[str, ...]
    profitable_share: float
    median: int | None
    median_value: float


@dataclass(frozen=True)
class Neighbours:
    """What stands one step along a parameter from a setting that a search chose; each was run.

    Attributes
    ----------
    statistic : str
        The objective.
    value : float
        Of the chosen setting.
    combinations, counting : int
        Neighbours, and those of them that count.
    mean, worst : float
        The objective of these; NaN for none.
    edges : tuple of str
        Parameters at whose end the setting stands: the true optimum may lie outside the grid.
    """

    statistic: str
    value: float
    combinations: int
    counting: int
    mean: float
    worst: float
    edges: tuple[str, ...]


@dataclass(frozen=True)
class Holdout:
    """The chosen setting on bars that were put away before anything was optimized.

    Attributes
    ----------
    share : float
        Of the bars that take part, as asked for.
    split : Timestamp
        First bar that was put away: the start of a trading week.
    optimized_bars, unseen_bars : int
    combination : int
        The chosen setting.
    optimized, unseen : Series
        Its statistics on either span, under backtesting.py's names.
    equity : Series
        On the unseen bars, by time, beginning with the starting cash.
    openings : int
        How often this file's unseen bars have been looked at, this time included.
    """

    share: float
    split: pd.Timestamp
    optimized_bars: int
    unseen_bars: int
    combination: int
    optimized: pd.Series = field(repr=False)
    unseen: pd.Series = field(repr=False)
    equity: pd.Series = field(repr=False)
    openings: int = 1


@dataclass(frozen=True)
class Window:
    """One step of a walk-forward analysis; bars are counted in the file, `stop` excluded.

    Attributes
    ----------
    train, test : tuple of (int, int)
        Bars.
    train_times, test_times : tuple of (Timestamp, Timestamp)
        First and last bar of each.
    combination : int or None
        The winner of the training window; None where no combination counted: flat then. Of a run
        that was a search its number in the product of the parameters.
    places : tuple of int
        Which of its values each parameter has there; empty for none.
    train_return, test_return : float
        Of the winner, in per cent.
    train_objective, test_objective : float
    test_trades : int
    """

    train: tuple[int, int]
    test: tuple[int, int]
    train_times: tuple[pd.Timestamp, pd.Timestamp]
    test_times: tuple[pd.Timestamp, pd.Timestamp]
    combination: int | None
    places: tuple[int, ...]
    train_return: float
    test_return: float
    train_objective: float
    test_objective: float
    test_trades: int


@dataclass(frozen=True)
class WalkForward:
    """The whole grid optimized again and again, each winner run on the bars that follow.

    Attributes
    ----------
    anchored : bool
        Whether all training windows begin with the file.
    windows : tuple of Window
    equity : Series
        Out-of-sample equity of all test windows joined, by time, beginning with the cash.
    total_return, annual_return : float
        Of that, in per cent.
    t_statistic : float
        Of its returns per period.
    in_sample_annual_return : float
        Mean over the windows, in per cent.
    efficiency : float or None
        Out-of-sample annual return over in-sample; None where that was not positive.
    profitable_windows : int
    largest_share : float
        Of all profit, what the best window made; NaN without a profit.
    passes : dict of str to bool
        The usual pass marks, by their wording.
    replayed : int
        Winners replayed through backtesting.py on both windows, all of them equal.
    """

    anchored: bool
    windows: tuple[Window, ...]
    equity: pd.Series = field(repr=False)
    total_return: float
    annual_return: float
    t_statistic: float
    in_sample_annual_return: float
    efficiency: float | None
    profitable_windows: int
    largest_share: float
    passes: dict[str, bool]
    replayed: int


@dataclass(frozen=True)
class WalkForwardMatrix:
    """Walk-forward over numbers of windows and shares out of sample.

    Attributes
    ----------
    windows : tuple of int
    shares : tuple of float
    total_return, efficiency : ndarray of float, shape (windows, shares)
        NaN where a window would be too short, or the efficiency is not defined.
    """

    windows: tuple[int, ...]
    shares: tuple[float, ...]
    total_return: NDArray[np.float64]
    efficiency: NDArray[np.float64]


@dataclass(frozen=True)
class BuyAndHold:
    """Buying at the first close that takes part and holding to the last, at no cost.

    Attributes
    ----------
    total_return, max_drawdown : float
        In per cent; the drawdown from close to close, 0 or negative.
    chosen_return, chosen_max_drawdown : float
        Of the chosen setting, as backtesting.py has them.
    exposure : float
        How much of the time the chosen setting was in the market, in per cent.
    """

    total_return: float
    max_drawdown: float
    chosen_return: float
    chosen_max_drawdown: float
    exposure: float


@dataclass(frozen=True)
class Costs:
    """What was charged, and how far costs can rise before the chosen setting loses.

    Attributes
    ----------
    commission, spread : float
        Relative commission and spread of the run.
    fixed_commission : float
        What each order costs besides, in money.
    total_return : float
        Of the chosen setting at these costs, in per cent.
    break_even_commission, break_even_spread : float or None
        The largest at which it still does not lose, the other costs as in the run; 0 where it
        loses already without; None where it never loses up to `limit`. Whole units make the
        return rise here and there as costs rise: see `bigbar.validation.costs`.
    limit : float
    table : DataFrame
        Columns `commission`, `spread`, `Return [%]`, `Sharpe Ratio`, `# Trades`: a ladder of
        costs up to and beyond break-even.
    """

    commission: float
    spread: float
    fixed_commission: float
    total_return: float
    break_even_commission: float | None
    break_even_spread: float | None
    limit: float
    table: pd.DataFrame = field(repr=False)


@dataclass(frozen=True)
class Perturbation:
    """The chosen setting under chance: other orders of its trades, slightly other prices.

    Attributes
    ----------
    repetitions : int
        How often the trades were drawn.
    noise : float
        Standard deviation of the change of each price, as a share of the bar's range.
    columns : tuple of str
        What the quantiles are of: "Return [%]", "Max. Drawdown [%]".
    quantiles : tuple of float
    trade_order, prices : ndarray of float, shape (quantiles, columns)
        Trades drawn anew with replacement; prices changed and the strategy run again.
    order_loss_share, prices_loss_share : float
        How often the result is a loss.
    price_repetitions : int
        How often the prices were changed: fewer than the trades were drawn, and fewer still on
        long files, because each time the strategy is run again.
    """

    repetitions: int
    noise: float
    columns: tuple[str, ...]
    quantiles: tuple[float, ...]
    trade_order: NDArray[np.float64]
    prices: NDArray[np.float64]
    order_loss_share: float
    prices_loss_share: float
    price_repetitions: int = 0


@dataclass(frozen=True)
class Conduct:
    """How the chosen setting of a trader's strategy behaves, whatever it earns.

    Attributes
    ----------
    combination : int
        The chosen setting.
    cuts : tuple of int
        The file was cut short to so many bars each time, to compare indicators and trades.
    sees_future : str or None
        What is another on the file cut short; None where nothing is, or nothing could be told.
    answers_differently : str or None
        What is another when the same is run again.
    changed_class_attributes : tuple of str
        Class attributes that a run changes, as "Class.attribute".
    """

    combination: int
    cuts: tuple[int, ...]
    sees_future: str | None
    answers_differently: str | None
    changed_class_attributes: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What it comes to.

    Attributes
    ----------
    light : {"red", "amber", "green", "none"}
        Cannot be told apart from luck; some evidence, but not enough; unlikely to be luck alone;
        not held against luck.
    headline : str
        The verdict in a sentence.
    lines : tuple of str
        At most nine, and three of conduct; the headline last.
    """

    light: str
    headline: str
    lines: tuple[str, ...]

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return "\n".join(self.lines)


@dataclass(frozen=True)
class Findings:
    """Everything the validation of one run found; None for what was not asked for or not possible.

    Attributes
    ----------
    bootstrap : Bootstrap or None
        By the objective where it can be tested, else by the Sharpe ratio.
    sharpe_bootstrap : Bootstrap or None
        The same draws by the Sharpe ratio, where `bootstrap` is of another statistic.
    pbo : Overfitting or None
    deflated_sharpe : DeflatedSharpe or None
    plateau : Plateau or None
    alone : Bootstrap or None
        Of a setting that a search chose, as if no other had been tried: luck does as well at least
        so often. Nothing else that is about luck can be told of it then.
    neighbours : Neighbours or None
        Of such a setting.
    holdout : Holdout or None
    walk_forward : WalkForward or None
    walk_forward_matrix : WalkForwardMatrix or None
    buy_and_hold : BuyAndHold or None
    costs : Costs or None
    perturbation : Perturbation or None
    conduct : Conduct or None
        None for a strategy that comes along.
    luck_band : DataFrame or None
        Columns `low`, `typical`, `high` by time: equity of luck's best setting (5 %, median,
        95 %), for the equity chart.
    pareto_luck : dict of int to float, or None
        How often luck does as well as a setting of the Pareto set, by combination: as
        `Bootstrap.p_value_all_trials` of `bootstrap`. None of a single objective.
    verdict : Verdict
    notes : tuple of str
        Why something is missing, a line each.
    """

    verdict: Verdict
    bootstrap: Bootstrap | None = None
    sharpe_bootstrap: Bootstrap | None = None
    pbo: Overfitting | None = None
    deflated_sharpe: DeflatedSharpe | None = None
    plateau: Plateau | None = None
    alone: Bootstrap | None = None
    neighbours: Neighbours | None = None
    holdout: Holdout | None = None
    walk_forward: WalkForward | None = None
    walk_forward_matrix: WalkForwardMatrix | None = None
    buy_and_hold: BuyAndHold | None = None
    costs: Costs | None = None
    perturbation: Perturbation | None = None
    conduct: Conduct | None = None
    luck_band: pd.DataFrame | None = None
    pareto_luck: dict[int, float] | None = None
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Findings, {self.verdict.light}: {self.verdict.headline}>"
