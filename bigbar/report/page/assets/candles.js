// Bars of prices: as many as can be told apart, joined where more are in sight, each alone where
// one looks closely. Hollow where the price rose, filled where it fell.
"use strict";

(() => {
  const field = (name) => ({ field: name });

  // Pixels that a bar needs to be told from its neighbours.
  const ROOM = 4;

  // The first place of ascending values that is not below a value.
  function place(values, value) {
    let [low, high] = [0, values.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (values[middle] < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // Bars from one place to another, so many joined to one. Joined ones keep their ends: a bar that
  // begins at a multiple of the size does so wherever one looks.
  function joined({ x, open, high, low, close, bars }, from, to, size, barTime) {
    const made = { x: [], open: [], high: [], low: [], close: [], bars: [], range: [], width: [], left: [], right: [] };
    for (let i = from - from % size; i < to; i += size) {
      const end = Math.min(i + size, x.length);
      let [highest, lowest, count] = [-Infinity, Infinity, 0];
      for (let j = i; j < end; j++) {
        highest = Math.max(highest, high[j]);
        lowest = Math.min(lowest, low[j]);
        count += bars[j];
      }
      made.x.push(x[i]);
      made.open.push(open[i]);
      made.high.push(highest);
      made.low.push(lowest);
      made.close.push(close[end - 1]);
      made.bars.push(count);
      made.range.push(highest - lowest);
      const room = count * barTime * 1000;
      made.width.push(0.7 * room);
      made.left.push(x[i] - room / 2);
      made.right.push(x[i] + room / 2);
    }
    return made;
  }

  // The bodies of those that rose, or of those that fell.
  function bodies({ x, open, close, width }, rising) {
    const places = x.map((_, i) => i).filter((i) => close[i] >= open[i] === rising);
    return {
      x: places.map((i) => x[i]),
      middle: places.map((i) => (open[i] + close[i]) / 2),
      height: places.map((i) => Math.abs(open[i] - close[i])),
      width: places.map((i) => width[i]),
    };
  }

  Page.marks.candles = (figure, source, { color }, { barTime }, followers) => {
    const all = source.data;
    const wicks = figure.segment({ x0: field("x"), y0: field("low"), x1: field("x"), y1: field("high"), source });
    Page.colour(wicks.glyph, { line_color: color });
    const halves = [true, false].map((rising) => {
      const half = new Bokeh.ColumnDataSource({ data: { x: [], middle: [], height: [], width: [] } });
      // Not vbar, which draws what is out of sight as lines at the edges.
      const drawn = figure.rect({
        x: field("x"), y: field("middle"), width: field("width"), height: field("height"),
        source: half, line_width: 1,
      });
      Page.colour(drawn.glyph, { line_color: color, fill_color: rising ? "card" : color });
      return [rising, half, drawn];
    });
    let shown = "";
    followers.push(({ start, end }, width) => {
      const [from, to] = [Math.max(place(all.x, start) - 1, 0), Math.min(place(all.x, end) + 1, all.x.length)];
      const most = Math.max(width / ROOM, 50);
      const size = Math.max(Math.ceil((to - from) / most), 1);
      const now = `${from - from % size} ${to} ${size}`;
      if (now === shown) return;
      shown = now;
      const made = joined(all, from, to, size, barTime);
      source.data = made;
      for (const [rising, half] of halves) half.data = bodies(made, rising);
    });
    // To be pointed at, also between two bars; nothing of it is seen.
    const grip = figure.quad({
      left: field("left"), right: field("right"), bottom: field("low"), top: field("high"), source,
      fill_alpha: 0, line_alpha: 0,
    });
    return [grip, wicks, ...halves.map(([, , drawn]) => drawn)];
  };
})();
