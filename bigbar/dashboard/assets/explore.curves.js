// Equity curves with their drawdowns below, of one combination or of several pinned ones.

import { frame, keepDrawn, line, ticks, tip } from "explore/axes";
import { day, minute, plain } from "explore/format";

const MONEY = { key: "equity", name: "Equity [$]", kind: "number", unit: "$", low: 0, high: 1e6 };

// `curves`: [{ name, colour, dash, times, equity, drawdown, held }].
export function curves(canvas, { showHeld = true } = {}) {
  const plot = canvas.parentElement;
  let drawn = [], box = null, pointed = null;

  const redraw = keepDrawn(canvas, (context, width, height, now) => {
    box = null;
    const known = drawn.filter((curve) => curve.times.length > 1);
    if (!known.length) return;
    const lowHeight = Math.round(Math.min(110, height * 0.28));
    const held = showHeld ? known[0] : null;
    const values = known.flatMap((curve) => curve.equity).concat(held ? held.held : []);
    const [start, end] = [Math.min(...known.map((curve) => curve.times[0])), Math.max(...known.map((curve) => curve.times.at(-1)))];
    let [low, high] = extremes(values);
    const margin = (high - low || Math.abs(high) || 1) * 0.05;
    [low, high] = [low - margin, high + margin];
    box = frame(context, width, height - lowHeight + 16, now, null, { column: MONEY, low, high });
    box = { ...box, start, end, lower: { top: height - lowHeight, bottom: height - 24 } };
    box.toX = (at) => box.left + (at - start) / (end - start) * (box.right - box.left);
    drawTimes(context, now);
    if (held) {
      path(context, held.times, held.held, box.toY, now.muted, [2, 3], 1.5);
    }
    const deepest = Math.min(...known.map((curve) => extremes(curve.drawdown)[0]), -0.01);
    const below = (value) => box.lower.top + value / deepest * (box.lower.bottom - box.lower.top);
    for (const curve of known) {
      path(context, curve.times, curve.equity, box.toY, now[curve.colour], curve.dash, 2);
      if (known.length === 1) area(context, curve, below, now);
      path(context, curve.times, curve.drawdown, below, known.length === 1 ? now.bad : now[curve.colour], curve.dash, 1.3);
    }
    context.fillStyle = now.muted;
    context.textAlign = "right";
    context.textBaseline = "middle";
    context.fillText("0", box.left - 7, box.lower.top);
    context.fillText(plain(deepest, deepest > -1 ? 2 : 1), box.left - 7, box.lower.bottom);
    context.textAlign = "left";
    context.textBaseline = "bottom";
    context.fillStyle = now.ink;
    context.fillText("Drawdown [%]", box.left + 2, box.lower.top - 3);
    if (pointed !== null) {
      context.strokeStyle = now.muted;
      context.lineWidth = 1;
      line(context, box.toX(pointed), box.top, box.toX(pointed), box.lower.bottom);
    }
  });

  function extremes(values) {
    let [low, high] = [Infinity, -Infinity];
    for (const value of values) {
      if (value === null) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return [low, high];
  }

  function drawTimes(context, now) {
    context.fillStyle = now.muted;
    context.textAlign = "center";
    context.textBaseline = "top";
    const most = Math.max(2, Math.floor((box.right - box.left) / 84));
    for (const [at, text] of times(box.start, box.end, most)) {
      const x = box.toX(at), half = context.measureText(text).width / 2;
      if (x - half < box.left || x + half > box.right + 10) continue;
      context.strokeStyle = now.grid;
      line(context, x, box.top, x, box.lower.bottom);
      context.fillText(text, x, box.lower.bottom + 6);
    }
  }

  function path(context, times, values, toY, colour, dash, wide) {
    context.strokeStyle = colour;
    context.lineWidth = wide;
    context.lineJoin = "round";
    context.setLineDash(dash ?? []);
    context.beginPath();
    let pen = false;
    times.forEach((at, place) => {
      if (values[place] === null) { pen = false; return; }
      const [x, y] = [box.toX(at), toY(values[place])];
      if (pen) context.lineTo(x, y); else context.moveTo(x, y);
      pen = true;
    });
    context.stroke();
    context.setLineDash([]);
  }

  function area(context, curve, below, now) {
    context.fillStyle = now.bad;
    context.globalAlpha = 0.22;
    context.beginPath();
    context.moveTo(box.toX(curve.times[0]), box.lower.top);
    curve.times.forEach((at, place) => context.lineTo(box.toX(at), below(curve.drawdown[place] ?? 0)));
    context.lineTo(box.toX(curve.times.at(-1)), box.lower.top);
    context.fill();
    context.globalAlpha = 1;
  }

  // The last point at or before a time.
  function before(times, at) {
    let [low, high] = [0, times.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (times[middle] <= at) low = middle; else high = middle - 1;
    }
    return low;
  }

  function pointAt(at, x, y) {
    pointed = Math.min(Math.max(at, box.start), box.end);
    redraw();
    const lines = [minute(drawn[0].times[before(drawn[0].times, pointed)])];
    for (const curve of drawn) {
      const place = before(curve.times, pointed);
      const name = drawn.length > 1 ? `${curve.name}: ` : "Equity ";
      lines.push(`${name}${plain(curve.equity[place] ?? NaN)} (drawdown ${plain(curve.drawdown[place] ?? NaN)} %)`);
    }
    if (showHeld) lines.push(`Buy & hold ${plain(drawn[0].held[before(drawn[0].times, pointed)] ?? NaN)}`);
    tip(plot, lines, x ?? box.toX(pointed), y ?? box.top);
    return lines;
  }

  function leave() {
    if (pointed === null) return;
    pointed = null;
    redraw();
    tip(plot, null);
  }

  canvas.addEventListener("pointermove", (event) => {
    if (!box) return;
    const rect = canvas.getBoundingClientRect();
    const x = event.clientX - rect.left;
    pointAt(box.start + (x - box.left) / (box.right - box.left) * (box.end - box.start), x, event.clientY - rect.top);
  });
  canvas.addEventListener("pointerleave", leave);
  canvas.addEventListener("blur", leave);
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || !box) return;
    event.preventDefault();
    const from = pointed ?? (step > 0 ? box.start : box.end);
    const said = pointAt(from + step * (box.end - box.start) / 60);
    document.getElementById("said").textContent = said.join(", ");
  });

  return {
    show(found) {
      drawn = found;
      pointed = null;
      tip(plot, null);
      redraw();
      canvas.setAttribute("aria-label", found.map(told).join(" "));
    },
  };
}

// Times to write below: first days of months where there are enough of them, else days, else minutes.
function times(start, end, most) {
  const DAY = 86400e3, days = (end - start) / DAY;
  if (days > 120) {
    const first = new Date(start), months = days / 30.4;
    const step = [1, 2, 3, 6, 12, 24, 60, 120].find((size) => months / size <= most) ?? 240;
    const found = [];
    for (let month = Math.ceil((first.getUTCFullYear() * 12 + first.getUTCMonth() + 1) / step) * step; ; month += step) {
      const at = Date.UTC(Math.floor(month / 12), month % 12, 1);
      if (at > end) return found;
      found.push([at, day(at).slice(0, 7)]);
    }
  }
  const whole = days > 3;
  return ticks(start / DAY, end / DAY, most).map((each) => {
    const at = (whole ? Math.round(each) : each) * DAY;
    return [at, whole ? day(at) : minute(at).slice(5)];
  });
}

// A curve in words.
export function told({ name, times, equity, drawdown, held }) {
  if (!times.length) return `${name}: no equity.`;
  const deepest = drawdown.reduce((least, value) => Math.min(least, value ?? 0), 0);
  return `${name}: equity from ${plain(equity[0] ?? NaN)} on ${day(times[0])} to ${plain(equity.at(-1) ?? NaN)} on ${day(times.at(-1))}, `
    + `deepest drawdown ${plain(deepest)} %; buy and hold ended at ${plain(held.at(-1) ?? NaN)}.`;
}
