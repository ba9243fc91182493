"""The two pages of `--plot`: equity and trades of one backtest, and heatmaps of the whole grid.

The charts are those of `backtesting.py`; only the page around them is made here, because the
page that `backtesting.py` writes loads BokehJS from a server and carries a hidden visit
counter. A page written here holds all it needs and asks the network for nothing when opened.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bigbar.report.files import write_whole
from bigbar.sharing.leftovers import temporary_folder

if TYPE_CHECKING:
    from backtesting import Backtest

BACKTEST_TITLE = "Equity and trades"
HEATMAPS_TITLE = "Heatmaps of the grid"

# Pixels. A lone heatmap gets the larger size; three of the smaller fit a 1280-pixel window.
_HEATMAP_SIZE = 410
_LONE_HEATMAP_SIZE = 720

# The policy is the guarantee that does not depend on what the charts contain: a browser refuses
# every request of such a page, whatever script or element asks for it. Inline scripts and styles
# are BokehJS itself, `eval` runs the charts' callbacks, `data:` and `blob:` hold icons and the
# picture that the save button makes.
_PAGE = """
{% block preamble %}
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; base-uri 'none';
      form-action 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline';
      img-src data: blob:; font-src data:">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <link rel="icon" href="data:,">
{% endblock %}
{% block postamble %}
    <style>
      body { font-family: system-ui, sans-serif; color: #333; padding: 12px 16px; }
      h1 { font-size: 18px; font-weight: 600; margin: 0 0 2px; }
      p { font-size: 13px; color: #666; margin: 0 0 10px; }
    </style>
{% endblock %}
{% block inner_body %}
    <h1>{{ title | e }}</h1>
    <p>{{ note | e }}</p>
{{ super() }}
{% endblock %}
"""


def plot_backtest(
    backtest: Backtest, stats: pd.Series, path: Path, *, title: str = BACKTEST_TITLE
) -> Path:
    """Write the equity-and-trades page of one backtest.

    Parameters
    ----------
    backtest : backtesting.Backtest
        The backtest that was run.
    stats : pandas.Series
        What its `run` returned.
    path : pathlib.Path
        The HTML file to write, in a folder that exists. It appears whole or not at all, and
        replaces a file of that name.
    title : str, optional
        Title of the page and heading above the charts.

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    bigbar.report.files.OutputError
        If the file cannot be written.

    Notes
    -----
    Above 10,000 bars with a time index, `Backtest.plot` joins bars into longer ones, and the
    trades that end in the same one; the page says so. The line of the longest drawdown is left
    out then, because its length cannot be told from joined bars.
    """
    with _undisturbed_bokeh() as scratch:
        layout = backtest.plot(results=stats, filename=str(scratch), open_browser=False)
        bars = len(stats["_equity_curve"])
        note = f"{bars:,} bars"
        if (drawn := _bars_drawn(layout, bars=bars)) < bars:
            _hide_drawdown_duration(layout)
            note += f", drawn as {drawn:,} longer ones; trades that end in the same one are joined"
        note += ". Drag to move, wheel to zoom, click a legend entry to hide it."
        html = _self_contained(layout, title=title, note=note)
    return write_whole(path, lambda part: part.write_text(html, encoding="utf-8"))


def plot_heatmaps(
    heatmap: pd.Series, path: Path, *, ncols: int = 3, title: str = HEATMAPS_TITLE
) -> Path | None:
    """Write a page with one heatmap for every pair of parameters that vary.

    A cell shows the highest value of the statistic over all the other parameters.

    Parameters
    ----------
    heatmap : pandas.Series
        A statistic of every combination, as `Backtest.optimize(return_heatmap=True)` gives it:
        the index is a MultiIndex of the parameters, the name that of the statistic. NaN where
        a combination has no value (white in the chart). Durations are shown in days.
    path : pathlib.Path
        The HTML file to write, in a folder that exists. It appears whole or not at all, and
        replaces a file of that name.
    ncols : int, optional
        Heatmaps side by side, at most.
    title : str, optional
        Title of the page and heading above the charts.

    Returns
    -------
    pathlib.Path or None
        `path`; None, with nothing written, where there is no heatmap to draw: fewer than two
        parameters have more than one value, or no combination has a finite value.

    Raises
    ------
    bigbar.report.files.OutputError
        If the file cannot be written.
    """
    values = _drawable(heatmap)
    if values.index.nlevels < 2 or not np.isfinite(values.to_numpy()).any():
        return None
    pairs = values.index.nlevels * (values.index.nlevels - 1) // 2
    columns = min(ncols, pairs)
    size = _LONE_HEATMAP_SIZE if pairs == 1 else _HEATMAP_SIZE

    with _undisturbed_bokeh() as scratch:
        from backtesting.lib import plot_heatmaps as backtesting_heatmaps

        layout = backtesting_heatmaps(
            values,
            agg="max",
            ncols=columns,
            plot_width=size * columns,
            filename=str(scratch),
            open_browser=False,
        )
        _make_readable(layout, statistic=str(values.name or "Value"))
        note = f"{values.name or 'Value'}, {len(values):,} combinations. " + (
            "White: no value."
            if pairs == 1
            else "Each cell is the highest over all other parameters; white: no value."
        )
        html = _self_contained(layout, title=title, note=note)
    return write_whole(path, lambda part: part.write_text(html, encoding="utf-8"))


@contextmanager
def _undisturbed_bokeh() -> Iterator[Path]:
    """Let `backtesting.py` plot, and take back all that it does besides making charts.

    Its plot functions reset Bokeh's global state, hang the visit counter on the current document
    and save a page of their own: here they work on a document and a scratch folder that are both
    thrown away. What they warn of (joined bars, skipped overlays) is not for a terminal.

    Yields
    ------
    pathlib.Path
        Where they may save their page.
    """
    from bokeh.document import Document
    from bokeh.io.doc import patch_curdoc
    from bokeh.io.state import curstate

    state = curstate()
    before = vars(state).copy()
    stand_in = Document()
    current = patch_curdoc(stand_in)
    with (
        temporary_folder() as folder,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        current.__enter__()
        try:
            yield folder / "scratch.html"
        finally:
            # Not a `with`: `patch_curdoc` stays in force when an exception passes through it.
            current.__exit__(None, None, None)
            vars(state).clear()
            vars(state).update(before)


def _self_contained(layout: Any, *, title: str, note: str) -> str:
    """Render a layout as a page with BokehJS inside and no event of any earlier document.

    Parameters
    ----------
    layout : bokeh.models.GridPlot
        The charts. They are moved to a fresh document: the one they were saved from carries the
        visit counter.
    title, note : str
        Heading and the line below it, plain text.
    """
    from bokeh.document import Document
    from bokeh.embed import file_html
    from bokeh.resources import Resources

    if layout.document is not None:
        layout.document.remove_root(layout)
    document = Document()
    document.add_root(layout)
    return file_html(
        document,
        resources=Resources(mode="inline"),
        title=title,
        template=_PAGE,
        template_variables={"note": note},
    )


def _figures(layout: Any) -> list[Any]:
    from bokeh.plotting import figure

    return list(layout.select({"type": figure}))


def _bars_drawn(layout: Any, *, bars: int) -> int:
    """How many bars the chart has, of the `bars` that the backtest had."""
    # Every column of the chart's source of bars is as long as the chart has bars.
    return max(
        (
            len(source.data["datetime"])
            for figure in _figures(layout)
            for renderer in figure.renderers
            if {"Open", "datetime"} <= (source := renderer.data_source).data.keys()
        ),
        default=bars,
    )


def _hide_drawdown_duration(layout: Any) -> None:
    """Hide the line of the longest drawdown and its legend entry.

    `Backtest.plot` looks for the peak where that drawdown began among the joined bars before
    its end. A joined bar keeps only its last equity, so the peak may be missing and a bar just
    before the end be the highest: the line then says "0 days" for a drawdown of months. No
    number is better than a wrong one.
    """
    for figure in _figures(layout):
        for item in (item for legend in figure.legend for item in legend.items):
            if str(getattr(item.label, "value", "")).startswith("Max Dd Dur"):
                item.visible = False
                for renderer in item.renderers:
                    renderer.visible = False


def _drawable(heatmap: pd.Series) -> pd.Series:
    """Float values over the parameters that have more than one value; durations in days."""
    if pd.api.types.is_timedelta64_dtype(heatmap.dtype):
        days = heatmap.to_numpy() / np.timedelta64(1, "D")
        values = pd.Series(days, index=heatmap.index, name=f"{heatmap.name} (days)")
    else:
        values = heatmap.astype(float)
    index = values.index
    constant: list[Hashable] = [
        level for level in range(index.nlevels) if index.get_level_values(level).nunique() < 2
    ]
    # The last level cannot be dropped, nor need it be: one level makes no heatmap.
    values = values.droplevel(constant[: index.nlevels - 1])
    if isinstance(values.index, pd.MultiIndex):
        # A level may list values that no combination has; they would be empty rows of cells.
        values.index = values.index.remove_unused_levels()
    return values


def _make_readable(layout: Any, *, statistic: str) -> None:
    """Thin out the labels of long axes, name the statistic, and show what the colours mean."""
    from bokeh.models import BasicTicker, HoverTool, NoOverlap
    from bokeh.models.annotations import ColorBar

    figures = _figures(layout)
    mapper = figures[0].renderers[0].glyph.fill_color.transform  # one for all heatmaps
    _use_finite_range(mapper, figures=figures)
    for figure in figures:
        cells = figure.renderers[0].glyph
        cells.line_color = cells.fill_color  # closes the hairlines between neighbouring cells
        figure.xaxis.major_label_policy = NoOverlap(min_distance=8)
        figure.yaxis.major_label_policy = NoOverlap(min_distance=4)
        figure.axis.axis_label_text_font_style = "bold"
        figure.min_border = 8
        for hover in figure.select({"type": HoverTool}):
            hover.tooltips = [
                (statistic if name == "Value" else name, field) for name, field in hover.tooltips
            ]
        if mapper.low < mapper.high:
            figure.add_layout(
                ColorBar(color_mapper=mapper, width=8, padding=4, ticker=BasicTicker()), "right"
            )


def _use_finite_range(mapper: Any, *, figures: list[Any]) -> None:
    """Take infinities (a profit factor without losses) out of the range of colours."""
    shown = np.concatenate([figure.renderers[0].data_source.data["_Value"] for figure in figures])
    if (finite := shown[np.isfinite(shown)]).size:
        mapper.low, mapper.high = float(finite.min()), float(finite.max())
