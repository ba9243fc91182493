// Parallel coordinates: a line a combination, better ones stronger. Drag along an axis to filter.

import { along, keepDrawn, line, mix, PINS, tip, title } from "explore/axes";
import { whole } from "explore/format";
import { ask, change, current, filter, pins } from "explore/state";

const LEAST = 72;  // Pixels between two axes: below that the plot scrolls.

export function parallel(app, canvas) {
  const plot = canvas.parentElement;
  let answer = null, axes = [], lines = [], box = null, pointed = -1, drag = null;

  const redraw = keepDrawn(canvas, (context, width, height, now) => {
    if (!answer) return;
    box = { left: 44, right: width - 44, top: 58, bottom: height - 26 };
    axes = answer.axes.map((axis, place) => ({
      ...axis,
      column: app.columns.get(axis.key),
      x: box.left + (axes_gap() * place),
    }));
    lines = answer.lines.map(([number, rank, values]) => ({
      number, rank, points: values.map((value, place) => [axes[place].x, toY(axes[place], value)]),
    }));
    for (const each of lines) {
      draw(context, each, mix(now.weak, now.strong, 0.2 + 0.8 * each.rank), 0.3 + 0.5 * each.rank, 1);
    }
    const drawnPins = pins();
    for (const each of lines) {
      const place = drawnPins.indexOf(each.number);
      if (place >= 0) draw(context, each, now[PINS[place]], 1, 2.5);
    }
    const best = lines.at(-1);
    if (best) draw(context, best, now.bad, 1, 2.5);
    const open = lines.find((each) => each.number === current().chosen);
    if (open && open !== best) draw(context, open, now.ink, 1, 2.5);
    if (lines[pointed]) draw(context, lines[pointed], now.chosen, 1, 3);
    axes.forEach((axis, place) => drawAxis(context, axis, place, now));
  });

  const axes_gap = () => answer.axes.length > 1 ? (box.right - box.left) / (answer.axes.length - 1) : 0;

  function toY(axis, value) {
    if (value === null || axis.low === null) return NaN;
    const share = (Math.min(Math.max(Number(value), axis.low), axis.high) - axis.low) / (axis.high - axis.low);
    return box.bottom - share * (box.bottom - box.top);
  }

  function draw(context, { points }, colour, alpha, wide) {
    context.globalAlpha = alpha;
    context.strokeStyle = colour;
    context.lineWidth = wide;
    context.beginPath();
    let pen = false;
    for (const [x, y] of points) {
      if (Number.isNaN(y)) { pen = false; continue; }
      if (pen) context.lineTo(x, y); else context.moveTo(x, y);
      pen = true;
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  function drawAxis(context, axis, place, now) {
    context.strokeStyle = now.muted;
    context.lineWidth = 1.5;
    line(context, axis.x, box.top, axis.x, box.bottom);
    context.fillStyle = now.muted;
    context.textAlign = "center";
    context.textBaseline = "bottom";
    if (axis.low !== null) {
      const half = axis.column.kind === "parameter" ? 0.5 : 0;
      context.fillText(`${axis.above ? "≥ " : ""}${along(axis.column, axis.high - half)}`, axis.x, box.top - 4);
      context.textBaseline = "top";
      context.fillText(`${axis.below ? "≤ " : ""}${along(axis.column, axis.low + half)}`, axis.x, box.bottom + 6);
    }
    context.fillStyle = now.ink;
    context.textBaseline = "bottom";
    // Names in two heights: neighbours do not run into each other.
    context.fillText(fitted(context, title(axis.column), axes_gap() * 1.85 || 200), axis.x, place % 2 ? 18 : 36);
    const kept = app.span(axis.column, current().filters[axis.key], axis);
    const live = drag?.axis === axis.key ? drag.span : kept;
    if (!live) return;
    const [low, high] = live.map((value) => toY(axis, value));
    context.fillStyle = now.chosen;
    context.globalAlpha = 0.25;
    context.fillRect(axis.x - 7, high, 14, Math.max(low - high, 2));
    context.globalAlpha = 1;
    context.strokeStyle = now.chosen;
    context.lineWidth = 2;
    for (const y of [low, high]) line(context, axis.x - 9, y, axis.x + 9, y);
  }

  function fitted(context, text, room) {
    let shown = text;
    while (context.measureText(shown).width > room && shown.length > 4) shown = `${shown.slice(0, -2)}…`;
    return shown;
  }

  // ------------------------------------------------------------------------------------ pointing

  const place = (event) => {
    const rect = canvas.getBoundingClientRect();
    return [event.clientX - rect.left, event.clientY - rect.top];
  };

  function distance({ points }, x, y) {
    let least = Infinity;
    for (let i = 1; i < points.length; i++) {
      const [[ax, ay], [bx, by]] = [points[i - 1], points[i]];
      if (x < ax - 1 || x > bx + 1) continue;
      const at = ay + (by - ay) * (x - ax) / (bx - ax || 1);
      const slope = Math.hypot(1, (by - ay) / (bx - ax || 1));
      least = Math.min(least, Math.abs(at - y) / slope);
    }
    return least;
  }

  function under([x, y]) {
    let found = -1, least = 7;
    lines.forEach((each, at) => {
      const far = distance(each, x, y);
      if (far <= least) [found, least] = [at, far];
    });
    return found;
  }

  const said = (each) => [app.named(each.number),
    ...axes.filter((axis) => axis.column.kind !== "parameter")
      .map((axis) => `${axis.column.name}: ${along(axis.column, Number(answer.lines[lines.indexOf(each)][2][axes.indexOf(axis)] ?? NaN))}`)];

  async function point(at, where) {
    if (at === pointed) return;
    pointed = at;
    redraw();
    const each = lines[at];
    if (!each) { tip(plot, null); return; }
    await app.learn([each.number]);
    if (pointed === at) tip(plot, said(each), ...(where ?? each.points[0]));
  }

  // What lies beyond an end is drawn there, and is kept by who drags up to it.
  function keep({ axis: key, column, span }) {
    const axis = axes.find((each) => each.key === key);
    const said = app.between(column, ...span);
    if (span[0] <= axis.low) delete said.least;
    if (span[1] >= axis.high) delete said.most;
    filter(key, said);
  }

  const axisAt = ([x]) => axes.find((axis) => Math.abs(axis.x - x) <= 12 && axis.low !== null);
  const valueAt = (axis, y) => axis.low + (box.bottom - y) / (box.bottom - box.top) * (axis.high - axis.low);

  canvas.addEventListener("pointerdown", (event) => {
    if (!answer || event.button !== 0 || event.pointerType === "touch") return;
    const axis = axisAt(place(event));
    if (!axis) return;
    drag = { axis: axis.key, column: axis.column, from: place(event)[1], span: null };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!answer) return;
    const at = place(event);
    if (!drag) {
      canvas.style.cursor = axisAt(at) ? "ns-resize" : under(at) >= 0 ? "pointer" : "default";
      point(under(at), at);
      return;
    }
    const axis = axes.find((each) => each.key === drag.axis);
    const ends = [drag.from, at[1]].map((y) => Math.min(Math.max(y, box.top), box.bottom));
    if (drag.span || Math.abs(ends[0] - ends[1]) > 4) {
      drag.span = ends.map((y) => valueAt(axis, y)).sort((a, b) => a - b);
      redraw();
    }
  });
  canvas.addEventListener("pointerup", (event) => {
    const dragged = drag;
    drag = null;
    if (dragged?.span) { keep(dragged); return; }
    if (dragged && current().filters[dragged.axis]) { filter(dragged.axis, null); return; }
    const each = lines[under(place(event))];
    if (each) change({ chosen: each.number });
  });
  canvas.addEventListener("pointerleave", () => point(-1));
  canvas.addEventListener("blur", () => point(-1));
  canvas.addEventListener("keydown", async (event) => {
    const step = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1 }[event.key];
    if (event.key === "Enter" && lines[pointed]) change({ chosen: lines[pointed].number });
    else if (step && lines.length) {
      event.preventDefault(); // Before anything is waited for: later is too late.
      const from = pointed < 0 ? lines.length - (step > 0 ? 1 : 0) : pointed;
      await point(Math.min(Math.max(from + (pointed < 0 && step > 0 ? 0 : step), 0), lines.length - 1));
      if (lines[pointed]) app.say(said(lines[pointed]).join(", "));
      return;
    } else return;
    event.preventDefault();
  });

  return {
    redraw,
    asks: ({ filters, axes: columns }) => ({ filters, columns }),
    async ask(state) {
      answer = await ask("parallel", this.asks(state), { kind: "chart" });
      canvas.style.minWidth = `${88 + LEAST * (answer.axes.length - 1)}px`;
      pointed = -1;
      await app.learn(answer.lines.slice(-1).map(([number]) => number));
      redraw();
      const best = answer.lines.at(-1);
      if (!best) return "Nothing to draw: no combination that passes the filters counts.";
      const shown = answer.lines.length < answer.total
        ? `${whole(answer.lines.length)} of ${whole(answer.total)} combinations, evenly from the worst to the best`
        : `All ${whole(answer.total)} combinations`;
      return `${shown} by ${app.columns.get(app.overview.objective).name}; the stronger, the better.${answer.axes.some((axis) => axis.above || axis.below) ? " What lies beyond an axis is drawn at its end." : ""} The best is ${app.named(best[0])}.`;
    },
  };
}
