"""Made-up price bars, accounts and grids: what the differential tests are fed.

A `Recipe` is a handful of choices and a seed; `make_bars` turns it into the same bars every time.
hypothesis draws recipes, so a failing case shrinks to few bars and plain choices. The bars lean on
purpose: most styles plant big bars after three bars that leaned the same way, so that the
strategy really trades on them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from numpy.typing import NDArray

from bigbar.account import Account
from bigbar.job import Job
from bigbar.space import Space
from bigbar.strategies.big_bar.description import job_of
from bigbar.strategies.big_bar.indicators import with_indicators
from bigbar.strategies.big_bar.parameters import Settings, big_bar_account, grid_with

Floats = NDArray[np.float64]

#: Starts next to what a calendar can trip over.
STARTS = {
    "spring forward (New York)": "2024-03-08",
    "fall back (New York)": "2024-11-01",
    "spring forward (Berlin)": "2024-03-28",
    "fall back (Berlin)": "2024-10-25",
    "year end": "2023-12-27",
    "leap day": "2024-02-27",
    "before 1970": "1969-12-20",
    "a Saturday": "2022-07-02",
}

ZONES = (None, "UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata")
UNITS = ("ns", "us", "ms", "s")
STEPS_MIN = (1, 5, 15, 60, 240)

#: How bars follow each other; all but the coarse ones with a step in minutes.
CALENDARS = ("crypto", "forex", "session", "ragged", "holidays")
COARSE = ("daily", "weekdays", "weekly", "monthly", "yearly")

#: Longer durations have no nanoseconds in 64 bits (292 years), in pandas as well.
MOST_YEARS = 260

STYLES = (
    "leaning", "trend", "walk", "gaps", "flat bars", "zero bodies", "monotone",
    "constant close", "equal moves", "late fall",
)  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """What bars are made of.

    Attributes
    ----------
    seed, bars : int
    style, calendar, start : str
        From `STYLES`, `CALENDARS` or `COARSE`, and `STARTS`.
    step_min : int
        Minutes from bar to bar, where the calendar is not a coarse one.
    zone : str or None
        Time zone of the index.
    unit : str
        Resolution of the index.
    price : float
        Where prices begin.
    volatility : float
        Usual body of a bar, as a share of the price.
    ticks : int or None
        Ticks in an usual body: few make many equal highs, lows and closes. None: no tick.
    """

    seed: int = 0
    bars: int = 200
    style: str = "leaning"
    calendar: str = "crypto"
    start: str = "year end"
    step_min: int = 60
    zone: str | None = None
    unit: str = "ns"
    price: float = 100.0
    volatility: float = 0.003
    ticks: int | None = None


@dataclass(frozen=True)
class Case:
    """A file of bars and a job on it."""

    recipe: Recipe
    grid: Space
    settings: Settings

    def job(self, engine: str = "compiled") -> Job:
        """The job, for one of the engines."""
        return job_of(self.grid, self.settings, engine)

    def file(self) -> pd.DataFrame:
        """The bars with their indicator columns."""
        return with_indicators(make_bars(self.recipe), self.settings.week_edge_bars)


def make_bars(recipe: Recipe) -> pd.DataFrame:
    """The bars of a recipe, the same ones every time.

    Returns
    -------
    DataFrame, shape (bars, 5)
        Open, High, Low, Close, Volume, as `bigbar.data.read` gives them.
    """
    random = np.random.default_rng(recipe.seed)
    index = _times(recipe, random)
    prices = _prices(recipe, random)
    return pd.DataFrame(prices | {"Volume": random.integers(1, 1000, recipe.bars) * 1.0}, index)


def _times(recipe: Recipe, random: np.random.Generator) -> pd.DatetimeIndex:
    start = pd.Timestamp("1950-01-01" if recipe.calendar == "yearly" else STARTS[recipe.start])
    if recipe.calendar in COARSE:
        frequency = {"daily": "D", "weekdays": "B", "weekly": "W", "monthly": "MS", "yearly": "YS"}
        index = pd.date_range(start, periods=recipe.bars, freq=frequency[recipe.calendar])
    else:
        step = pd.Timedelta(minutes=recipe.step_min)
        index = pd.DatetimeIndex([])
        room = recipe.bars
        while len(index) < recipe.bars:
            # Sessions leave out most of the clock: lay out more of it until enough is left.
            index = _open_hours(pd.date_range(start, periods=room, freq=step), recipe)
            room *= 4
    index = index[: recipe.bars].as_unit(recipe.unit)
    if recipe.zone is None:
        return index
    # As UTC first: local times that a clock change skips or repeats have no other way in.
    return index.tz_localize("UTC").tz_convert(recipe.zone)


def _open_hours(index: pd.DatetimeIndex, recipe: Recipe) -> pd.DatetimeIndex:
    """Those times at which the calendar's market is open."""
    hour, weekday = index.hour, index.day_of_week
    if recipe.calendar == "forex":  # Sunday 22:00 to Friday 22:00.
        closed = (weekday == 5) | ((weekday == 4) & (hour >= 22)) | ((weekday == 6) & (hour < 22))
    elif recipe.calendar == "session":
        closed = (weekday >= 5) | (hour < 9) | (hour >= 16)
    elif recipe.calendar == "ragged":  # Weeks of every length, down to a single bar.
        week = (index - pd.Timestamp("1960-01-03")).days // 7
        longest = np.array([1, 2, 3, 5, 8, 13, 21, 60])[(week * 7 + recipe.seed) % 8]
        place = pd.Series(0, index).groupby(np.asarray(week)).cumcount()
        closed = np.asarray(place) >= longest
    elif recipe.calendar == "holidays":
        day = (index - pd.Timestamp("1960-01-03")).days
        closed = (day * 7919 + recipe.seed) % 5 < 2
    else:
        closed = np.zeros(len(index), bool)
    return index[~np.asarray(closed)]


def _prices(recipe: Recipe, random: np.random.Generator) -> dict[str, Floats]:
    n, style = recipe.bars, recipe.style
    opening, moves, wicks = _moves(recipe, random)
    steps = opening + moves
    logs = np.cumsum(steps)
    close = np.exp(logs)
    open_ = np.exp(logs - moves)
    if style == "constant close":
        close, open_ = np.ones(n), np.exp(-moves)
    high = np.maximum(open_, close) * np.exp(wicks[0])
    low = np.minimum(open_, close) * np.exp(-wicks[1])
    if style == "flat bars":
        flat = random.random(n) < 0.15
        open_[flat] = high[flat] = low[flat] = close[flat]
    prices = {"Open": open_, "High": high, "Low": low, "Close": close}
    scaled = {name: values * recipe.price for name, values in prices.items()}
    if recipe.ticks is not None:
        tick = recipe.price * recipe.volatility / recipe.ticks
        scaled = {
            name: np.maximum(np.round(values / tick), 1) * tick for name, values in scaled.items()
        }
    return scaled


def _moves(
    recipe: Recipe, random: np.random.Generator
) -> tuple[Floats, Floats, tuple[Floats, Floats]]:
    """Log gap into each bar, log body of each bar, and log wicks above and below."""
    n, style = recipe.bars, recipe.style
    moves = random.normal(size=n)
    gaps = np.zeros(n)
    wicks = random.exponential(0.4, n), random.exponential(0.4, n)
    if style == "monotone":
        moves = np.ones(n)
        wicks = np.zeros(n), np.zeros(n)
    elif style == "equal moves":
        _plant(moves, wicks, random, vary=False)
    elif style != "walk":
        _plant(moves, wicks, random, vary=True)
    if style == "trend":
        moves += random.choice([-0.7, 0.7])
    if style == "gaps":
        gaps = np.where(random.random(n) < 0.2, random.normal(size=n) * 4, 0.0)
    if style == "zero bodies":
        moves[random.random(n) < 0.2] = 0.0
    if style == "late fall":  # After a calm, a big bar to buy, and a fall on the very last bar.
        moves *= 0.05
        moves[-5:] = [0.5, 0.5, 0.5, 4.0, -6.0]
        wicks[0][-5:] = wicks[1][-5:] = 0.1
    # A log move of more than this a bar leaves the range of prices within a few hundred bars.
    moves = np.clip(moves * recipe.volatility, -0.5, 0.5)
    gaps = np.clip(gaps * recipe.volatility, -0.5, 0.5)
    return gaps, moves, (wicks[0] * recipe.volatility, wicks[1] * recipe.volatility)


def _plant(
    moves: Floats, wicks: tuple[Floats, Floats], random: np.random.Generator, *, vary: bool
) -> None:
    """Three bars that lean, a big bar with a small tail, and a move that goes on for a while."""
    at = int(random.integers(3, 8))
    while at + 4 < len(moves):
        side = 1.0 if random.random() < 0.5 else -1.0
        going_on = int(random.integers(0, 6))
        moves[at - 3 : at] = side * (random.uniform(0.2, 1.2, 3) if vary else 0.5)
        moves[at] = side * (random.uniform(2.0, 6.0) if vary else 4.0)
        after = slice(at + 1, at + 1 + going_on)
        moves[after] = side * (random.uniform(0.2, 1.5, len(moves[after])) if vary else 0.5)
        tail, other = (wicks[0], wicks[1]) if side > 0 else (wicks[1], wicks[0])
        tail[at] *= 0.3
        tail[after] *= 0.3
        other[after] *= 0.3
        at += 5 + going_on + int(random.integers(0, 6))


def grids() -> st.SearchStrategy[Space]:
    """Small grids: up to 3 values an axis, the ends of what the axes take among them.

    Most grids hold one combination that lets many bars through.
    """

    def axis(loose: float, *others: float) -> st.SearchStrategy[list[float]]:
        some = st.lists(st.sampled_from((loose, *others)), min_size=1, max_size=3, unique=True)
        with_loose = st.lists(st.sampled_from(others), max_size=2, unique=True).map(
            lambda values: [loose, *values]
        )
        return st.one_of(with_loose, with_loose, with_loose, some)

    return st.builds(
        grid_with,
        atr_period=axis(3, 1, 2, 5, 10, 14),
        k_atr=axis(0.7, 0.0, 0.3, 1.0, 1.1, 1.5, 2.0, 3.0),
        uptail_max_ratio=axis(0.7, 0.0, 0.1, 0.3, 0.5, 0.9, 1.5),
        previous_weight=axis(0.0, -1.0, 0.1, 0.3, 0.8),
        buffer_ratio=st.lists(
            st.sampled_from((0.01, 0.0, -0.2, 0.5, 3.0)), min_size=1, max_size=2, unique=True
        ),
    )


def accounts(price: float) -> st.SearchStrategy[Account]:
    """Money and costs around a price: from unaffordable to a great many units."""
    relative = st.sampled_from((0.0, 0.0, 0.0002, 0.002, 0.03, 0.0999, -0.0002, -0.01, -0.1))
    fixed = st.sampled_from((0.0, 0.01, 0.3)).map(lambda share: share * price)
    return st.builds(
        big_bar_account,
        cash=st.sampled_from((1000.1, 1000.1, 300.0, 40.0, 3.7, 1.3, 0.4)).map(
            lambda units: 100_000.0 if units == 300.0 else units * price
        ),
        commission=relative | st.tuples(fixed, relative),
        spread=st.sampled_from((0.0, 0.0, 0.0001, 0.003, 0.2)),
        margin=st.sampled_from((1.0, 1.0, 0.5, 0.1, 1 / 30, 0.005)),
    )


def recipes(*, most_bars: int = 260) -> st.SearchStrategy[Recipe]:
    """Bars of all kinds; those with a step in minutes come twice as often as the coarse ones."""
    return st.builds(
        Recipe,
        seed=st.integers(0, 2**16),
        bars=st.sampled_from((most_bars, most_bars, most_bars // 2)) | st.integers(16, most_bars),
        style=st.sampled_from(("leaning", "leaning", "late fall", *STYLES)),
        calendar=st.sampled_from((*CALENDARS, *CALENDARS, *COARSE)),
        start=st.sampled_from(tuple(STARTS)),
        step_min=st.sampled_from(STEPS_MIN),
        zone=st.sampled_from(ZONES),
        unit=st.sampled_from(UNITS),
        price=st.sampled_from((100.0, 1.1, 1e-4, 0.37, 5_000.0, 1e6)),
        volatility=st.sampled_from((0.003, 0.0002, 0.02)),
        ticks=st.sampled_from((None, None, 1, 3, 10)),
    ).filter(lambda made: made.calendar != "yearly" or made.bars <= MOST_YEARS)


@st.composite
def cases(draw: st.DrawFn, *, most_bars: int = 260) -> Case:
    """Bars, a grid and settings that go together."""
    recipe = draw(recipes(most_bars=most_bars))
    edge = draw(st.sampled_from((0, 0, 1, 1, 2, 6)))
    return Case(recipe, draw(grids()), Settings(draw(accounts(recipe.price)), edge))
