// Draws the charts of the page with BokehJS, from the plain description in the element #data.
//
// Colours are named by what they stand for ("chosen", "luck", ...). The style sheet has a light
// and a dark shade of each; whatever is drawn is painted again when the reader's choice changes.
"use strict";

// What the scripts of the page share: each of the others adds its marks and what follows them.
const Page = (() => {
  let specs = {};
  const darkness = matchMedia("(prefers-color-scheme: dark)");
  const canDrag = matchMedia("(pointer: fine)").matches; // A finger scrolls the page instead.
  const drawn = new Map();
  const painters = [];
  let colours = {};

  // ------------------------------------------------------------------------------------ colours

  const ROLES = ["chosen", "unseen", "luck", "robust", "good", "bad", "ink", "muted", "faint",
    "grid", "card", "low", "middle", "high", "weak", "strong"];

  function readColours() {
    const style = getComputedStyle(document.documentElement);
    colours = Object.fromEntries(ROLES.map((role) => [role, style.getPropertyValue(`--${role}`).trim()]));
    // Tells the style sheet what the charts look like: paper is white, whatever the screen is.
    document.documentElement.toggleAttribute("data-dark", darkness.matches);
  }

  // Give a model's attributes their colours, now and whenever they change.
  function colour(model, roles) {
    paintWith((now) => model.setv(
      Object.fromEntries(Object.entries(roles).map(([name, role]) => [name, now[role]]))));
  }

  function paintWith(painter) {
    painters.push(painter);
    painter(colours);
  }

  function paint() {
    readColours();
    painters.forEach((painter) => painter(colours));
  }

  const channels = (hex) => [1, 3, 5].map((place) => parseInt(hex.slice(place, place + 2), 16));
  const mix = (from, to, share) => {
    const [a, b] = [channels(from), channels(to)];
    const mixed = a.map((value, i) => Math.round(value + (b[i] - value) * share));
    return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
  };

  // -------------------------------------------------------------------------------------- marks

  const field = (name) => ({ field: name });
  const DASHES = { solid: [], dashed: [7, 5], dotted: [2, 4] };

  // How each mark is drawn: returns the renderer to point at.
  const MARKS = {
    line(figure, source, { color, style }) {
      const renderer = figure.line(field("x"), field("y"), {
        source, line_width: style.width ?? 1.5, line_dash: DASHES[style.dash ?? "solid"],
        line_join: "round",
      });
      colour(renderer.glyph, { line_color: color });
      return renderer;
    },
    band(figure, source, { color }) {
      const renderer = figure.varea(
        { x: field("x"), y1: field("low"), y2: field("high"), source, fill_alpha: 0.22 });
      colour(renderer.glyph, { fill_color: color });
      return renderer;
    },
    area(figure, source, { color }) {
      const filled = figure.varea(
        { x: field("x"), y1: { value: 0 }, y2: field("y"), source, fill_alpha: 0.25 });
      colour(filled.glyph, { fill_color: color });
      return MARKS.line(figure, source, { color, style: { width: 1.2 } });
    },
    bars(figure, source, { color, style }) {
      const renderer = figure.quad({
        left: field("left"), right: field("right"), bottom: { value: 0 }, top: field("y"), source,
        fill_alpha: style.faint ? 0.45 : 0.9, line_width: 1,
      });
      colour(renderer.glyph, { fill_color: color, line_color: "card" });
      return renderer;
    },
    points(figure, source, { color, style }) {
      const renderer = figure.scatter(field("x"), field("y"), {
        source, marker: style.marker ?? "circle", size: style.size ?? 6,
        fill_alpha: style.hollow ? 0 : style.alpha ?? 1, line_width: style.width ?? 1,
      });
      colour(renderer.glyph, { fill_color: color, line_color: style.outline ?? color });
      return renderer;
    },
    segments(figure, source, { color, style }) {
      const renderer = figure.segment({
        x0: field("x0"), y0: field("y0"), x1: field("x1"), y1: field("y1"), source,
        // A bare array would be a column: a dash of its own for each segment.
        line_width: style.width ?? 1.5, line_dash: { value: DASHES[style.dash ?? "solid"] },
      });
      colour(renderer.glyph, { line_color: color });
      return renderer;
    },
  };

  // ----------------------------------------------------------------------------------- a figure

  const IN_TIME = new Set(["x", "x0", "x1", "left", "right"]);

  // Columns as BokehJS wants them: milliseconds for times, NaN for what is missing.
  function columnsOf(layer, axis) {
    return Object.fromEntries(Object.entries(layer.columns).map(([name, held]) => {
      if (held.some((value) => typeof value === "string")) {
        return [name, held];
      }
      const scale = axis.kind === "time" && IN_TIME.has(name) ? 1000 : 1;
      return [name, Float64Array.from(held, (value) => value === null ? NaN : value * scale)];
    }));
  }

  function rangeOf({ kind, start, end }) {
    const scale = kind === "time" ? 1000 : 1;
    if (start !== undefined && end !== undefined) {
      return new Bokeh.Range1d({ start: start * scale, end: end * scale });
    }
    const range = new Bokeh.DataRange1d({ range_padding: kind === "time" ? 0.01 : 0.06 });
    if (start !== undefined) range.start = start * scale;
    if (end !== undefined) range.end = end * scale;
    return range;
  }

  // All that is drawn, for an axis of time that can be zoomed; charts that go together show the
  // same. y then fits what is in sight.
  function wholeOf(spec) {
    const charts = spec.together ? Object.values(specs).filter((each) => each.together === spec.together) : [spec];
    const ends = charts.flatMap(({ layers }) => layers)
      .flatMap(({ columns: { x = [] } }) => [x[0], x[x.length - 1]])
      .filter((time) => time !== undefined).map((time) => time * 1000);
    const [first, last] = [Math.min(...ends), Math.max(...ends)];
    const margin = (last - first) * 0.01;
    return { start: first - margin, end: last + margin };
  }

  function dressAxis(axis, { kind, label, ticks, format }) {
    axis.setv({
      axis_line_color: null, major_tick_line_color: null, minor_tick_line_color: null,
      axis_label: label ?? null, axis_label_text_font: "system-ui, sans-serif",
      axis_label_text_font_size: "12px", axis_label_text_font_style: "normal",
      axis_label_standoff: 8, major_label_text_font: "system-ui, sans-serif",
      major_label_text_font_size: "12px", major_label_standoff: 6,
      major_label_policy: new Bokeh.NoOverlap({ min_distance: 10 }),
    });
    colour(axis, { axis_label_text_color: "muted", major_label_text_color: "muted" });
    if (ticks !== undefined) {
      axis.setv({
        ticker: new Bokeh.FixedTicker({ ticks: ticks.map(([place]) => place) }),
        major_label_overrides: new Map(ticks),
      });
    } else if (kind === "time") {
      axis.formatter = new Bokeh.DatetimeTickFormatter({
        minutes: "%H:%M", hourmin: "%H:%M", hours: "%d %b %H:%M", days: "%d %b %Y",
        months: "%b %Y", years: "%Y",
      });
    } else {
      axis.formatter = new Bokeh.NumeralTickFormatter({ format });
      const min_interval = format === "0,0" ? 1 : 0; // Things are counted in whole numbers.
      if (kind === "linear") axis.ticker = new Bokeh.BasicTicker({ desired_num_ticks: 5, min_interval });
    }
  }

  // What is shown when pointed at: names and values, coloured as the page is.
  function tooltip(pairs) {
    const rows = pairs.map(([name, value]) =>
      `<span style="color:var(--muted)">${name}</span><span style="max-width:260px;overflow-wrap:anywhere">${value}</span>`);
    return `<div style="margin:-5px;padding:7px 11px;border-radius:6px;background:var(--card);` +
      `color:var(--ink);font:13px/1.45 system-ui,sans-serif;font-variant-numeric:tabular-nums;` +
      `display:grid;grid-template-columns:auto auto;gap:0 12px">${rows.join("")}</div>`;
  }

  // Lets y fit what is in sight.
  function fitHeight({ x_range: { start, end }, y_range }, { x, y, layers }) {
    const scale = x.kind === "time" ? 1000 : 1;
    let [lowest, highest] = [Infinity, -Infinity];
    for (const { mark, columns } of layers) {
      const [floor, ceiling] = mark === "line" || mark === "area" ? ["y", "y"] : ["low", "high"];
      if (columns[floor] === undefined) continue;
      const places = columns.x;
      places.forEach((place, i) => {
        // A line comes from the point before and goes on to the one after.
        const from = i > 0 ? places[i - 1] : place;
        const to = i + 1 < places.length ? places[i + 1] : place;
        if (to * scale < start || from * scale > end) return;
        if (columns[floor][i] !== null) lowest = Math.min(lowest, columns[floor][i]);
        if (columns[ceiling][i] !== null) highest = Math.max(highest, columns[ceiling][i]);
      });
    }
    if (lowest > highest) return; // Nothing in sight.
    if (y.kind === "log") {
      const factor = Math.max((highest / lowest) ** 0.06, 1.001);
      y_range.setv({ start: lowest / factor, end: highest * factor });
      return;
    }
    const margin = 0.06 * (highest - lowest) || 1e-3 * Math.abs(highest) || 1;
    y_range.setv({ start: y.start ?? lowest - margin, end: y.end ?? highest + margin });
  }

  async function draw(place) {
    const spec = specs[place.dataset.chart];
    const followers = []; // Told whenever what is in sight has changed.
    const figure = Bokeh.Plotting.figure({
      sizing_mode: "stretch_both", min_width: 0, tools: [], toolbar_location: null,
      x_axis_type: spec.x.kind === "time" ? "datetime" : "linear",
      y_axis_type: spec.y.kind === "log" ? "log" : "linear",
      x_range: spec.zoom ? new Bokeh.Range1d(wholeOf(spec)) : rangeOf(spec.x),
      y_range: spec.zoom ? new Bokeh.Range1d() : rangeOf(spec.y),
      background_fill_color: null, border_fill_color: null, outline_line_color: null,
      // Charts of one time have it at one place.
      min_border_left: spec.together ? 76 : 4, min_border_right: 12, min_border_top: 6,
    });
    figure.xaxes.forEach((axis) => dressAxis(axis, spec.x));
    figure.yaxes.forEach((axis) => dressAxis(axis, spec.y));
    figure.grids.forEach((grid) => colour(grid, { grid_line_color: "grid" }));
    figure.xgrids.forEach((grid) => { grid.visible = false; });
    figure.ygrids.forEach((grid) => { grid.visible = spec.y.kind !== "places"; });

    for (const { start, end, color } of spec.shades) {
      const scale = spec.x.kind === "time" ? 1000 : 1;
      const box = new Bokeh.BoxAnnotation({
        ...(start === undefined ? {} : { left: start * scale }),
        ...(end === undefined ? {} : { right: end * scale }),
        fill_alpha: 0.1, line_color: null, level: "underlay",
      });
      colour(box, { fill_color: color });
      figure.add_layout(box);
    }
    for (const layer of spec.layers) {
      drawLayer(figure, { style: {}, ...layer }, spec, followers);
    }
    for (const { at, along, color, dash } of spec.rules) {
      const span = new Bokeh.Span({
        location: at * (along === "x" && spec.x.kind === "time" ? 1000 : 1),
        dimension: along === "x" ? "height" : "width", line_dash: DASHES[dash], line_width: 2,
      });
      colour(span, { line_color: color });
      figure.add_layout(span);
    }
    if (spec.zoom) {
      const { x_range } = figure;
      const follow = () => {
        fitHeight(figure, spec);
        followers.forEach((follower) => follower(x_range, place.clientWidth));
      };
      x_range.change.connect(() => {
        follow();
        // Charts of the same time move together; nothing comes back, for then all are the same.
        const { start, end } = x_range;
        for (const other of drawn.values()) {
          if (spec.together && other.spec.together === spec.together) other.figure.x_range.setv({ start, end });
        }
      });
      follow();
    }
    if (spec.zoom && canDrag) {
      const zoom = new Bokeh.BoxZoomTool({ dimensions: "width" });
      figure.add_tools(zoom);
      figure.toolbar.active_drag = zoom;
    }
    const view = await Bokeh.Plotting.show(figure, place);
    const one = { figure, spec, place, view };
    drawn.set(place.dataset.chart, one);
    afterwards.forEach((act) => act(one));
  }

  function drawLayer(figure, layer, spec, followers) {
    const source = new Bokeh.ColumnDataSource({ data: columnsOf(layer, spec.x) });
    const renderers = [MARKS[layer.mark](figure, source, layer, spec, followers)].flat();
    // What is pointed at stays as it is: BokehJS would paint it in a colour of its own.
    renderers.forEach((renderer) => { renderer.hover_glyph = null; });
    if (layer.tooltips === undefined) return;
    figure.add_tools(new Bokeh.HoverTool({
      renderers: renderers.slice(0, 1),
      tooltips: tooltip(layer.tooltips),
      mode: ["line", "area", "candles", "bars"].includes(layer.mark) ? "vline" : "mouse",
      point_policy: layer.mark === "cells" ? "follow_mouse" : "snap_to_data",
      line_policy: "nearest",
      formatters: spec.x.kind === "time" ? { "@x": "datetime", "@x0": "datetime", "@x1": "datetime" } : {},
    }));
  }

  // ----------------------------------------------------------------- moving and zooming by button

  function look(name, from, to) {
    drawn.get(name).figure.x_range.setv({ start: from, end: to });
  }

  const MOVES = {
    nearer: (from, to) => [from + (to - from) / 4, to - (to - from) / 4],
    farther: (from, to) => [from - (to - from) / 2, to + (to - from) / 2],
    earlier: (from, to) => [from - (to - from) / 2, to - (to - from) / 2],
    later: (from, to) => [from + (to - from) / 2, to + (to - from) / 2],
  };

  function move(name, how) {
    const { figure, spec } = drawn.get(name);
    const whole = wholeOf(spec);
    const { start, end } = figure.x_range;
    const [from, to] = how === "all" ? [whole.start, whole.end] : MOVES[how](start, end);
    look(name, Math.max(from, whole.start), Math.min(to, whole.end));
  }

  // One trade after the other, for the chart of prices.
  const at = new Map();
  function step(name, by, output) {
    const { trades, barTime } = specs[name];
    const number = Math.min(Math.max((at.get(name) ?? (by > 0 ? -1 : trades.length)) + by, 0), trades.length - 1);
    at.set(name, number);
    const [entry, exit, words] = trades[number];
    const room = Math.max((exit - entry) * 2, 20 * barTime);
    look(name, (entry - room) * 1000, (exit + room) * 1000);
    output.textContent = words;
  }

  document.addEventListener("click", ({ target }) => {
    const button = target.closest("button[data-move], button[data-step]");
    if (button === null) return;
    const controls = button.closest("[data-controls]");
    const name = controls.dataset.controls;
    if (!drawn.has(name)) return;
    if (button.dataset.move !== undefined) {
      move(name, button.dataset.move);
      at.delete(name);
    } else {
      step(name, Number(button.dataset.step), controls.querySelector("output"));
    }
  });

  // --------------------------------------------------------------------------------- one by one

  const afterwards = []; // Done with each chart that has been drawn.
  const breath = () => new Promise((resolve) => setTimeout(resolve, 0));

  // The data of the page: deflated JSON, as base64.
  async function unpacked() {
    const packed = Uint8Array.from(
      atob(document.getElementById("data").textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).json();
  }

  async function drawAll() {
    Bokeh.set_log_level("warn");
    readColours();
    const data = await unpacked().catch((problem) => {
      console.error("the data of the page", problem);
      return { charts: {}, settings: {} };
    });
    specs = data.charts;
    Page.settings = data.settings;
    Page.start.forEach((act) => act());
    for (const place of document.querySelectorAll("[data-chart]")) {
      try {
        await draw(place);
      } catch (problem) {
        place.textContent = "This chart could not be drawn; the sentence below says what it shows.";
        console.error(place.dataset.chart, problem);
      }
      await breath();
    }
    document.documentElement.dataset.ready = "";
  }

  // BokehJS fits a figure to its place too late for paper: a picture of it is printed instead.
  addEventListener("beforeprint", () => {
    for (const { place, view } of drawn.values()) {
      const picture = view.export("png").canvas;
      picture.classList.add("picture");
      place.append(picture);
    }
  });
  addEventListener("afterprint", () => {
    document.querySelectorAll(".picture").forEach((picture) => picture.remove());
  });

  darkness.addEventListener("change", paint);
  document.addEventListener("DOMContentLoaded", drawAll);

  return {
    afterwards, colour, drawn, marks: MARKS, mix, paint, paintWith, settings: {}, start: [],
    colours: () => colours,
  };
})();
