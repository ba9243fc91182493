// What all drawings share: a sharp canvas in the page's colours, ticks, axes, pointing by keyboard.

import { decimals, duration, plain, valueAt } from "explore/format";

const darkness = matchMedia("(prefers-color-scheme: dark)");

function colours() {
  const style = getComputedStyle(document.documentElement);
  const names = ["ink", "muted", "faint", "grid", "edge", "card", "chosen", "unseen", "robust", "bad",
    "low", "middle", "high", "weak", "strong", "pin-one", "pin-two", "pin-three", "pin-four",
    "pin-five", "pin-six"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

export const PINS = ["pin-one", "pin-two", "pin-three", "pin-four", "pin-five", "pin-six"];
export const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3], [4, 2], [12, 5]];

const channels = (hex) => [1, 3, 5].map((place) => parseInt(hex.slice(place, place + 2), 16));

export function mix(from, to, share) {
  const [a, b] = [channels(from), channels(to)];
  const mixed = a.map((value, place) => Math.round(value + (b[place] - value) * share));
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

// The colour of a value: gains and losses each on a scale of their own, so that small ones show too.
export function shade(now, value, { low, high, lowerIsBetter }) {
  if (low < 0 && high > 0) {
    const share = 0.12 + 0.88 * (value < 0 ? value / low : value / high);
    const good = lowerIsBetter ? value < 0 : value > 0;
    return value === 0 ? now.middle : mix(now.middle, good ? now.high : now.low, share);
  }
  const share = high > low ? (value - low) / (high - low) : 0.5;
  return mix(now.weak, now.strong, lowerIsBetter ? 1 - share : share);
}

// A canvas that is drawn again when its size or the colours change.
export function keepDrawn(canvas, draw) {
  const again = () => {
    const { width, height } = canvas.getBoundingClientRect();
    if (!width || !height) return;
    const ratio = devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    context.font = "12px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
    draw(context, width, height, colours());
  };
  new ResizeObserver(again).observe(canvas);
  darkness.addEventListener("change", again);
  return again;
}

// Round numbers between two values.
export function ticks(low, high, most) {
  const span = high - low;
  if (!(span > 0) || !Number.isFinite(span)) return [low];
  const rough = span / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const found = [];
  for (let place = Math.ceil(low / step - 1e-9); place * step <= high + step * 1e-9; place++) {
    found.push(Math.abs(place) < 1e-9 ? 0 : place * step);
  }
  return found;
}

// Where the values of an axis stand, and what is written there.
export function labels(column, low, high, most) {
  if (column.kind === "parameter") {
    const least = column.count / most;
    const step = [1, 2, 5, 10, 20, 25, 50].find((size) => size >= least) ?? Math.ceil(least / 100) * 100;
    const first = Math.max(0, Math.ceil(low));
    const found = [];
    for (let place = first; place < column.count && place <= high; place += step) {
      found.push([place, valueAt(column, place)]);
    }
    return found;
  }
  const places = ticks(low, high, most);
  const step = places.length > 1 ? places[1] - places[0] : 1;
  const digits = Math.max(0, Math.min(8, -Math.floor(Math.log10(step) + 1e-9)));
  const fine = Number.isInteger(Number((step * 10 ** digits).toPrecision(6))) ? digits : digits + 1;
  return places.map((value) => [value, plain(value, fine)]);
}

export const title = (column) => column.kind === "duration" ? `${column.name} [days]` : column.name;

export function along(column, value) {
  if (column.kind === "parameter") return valueAt(column, Math.round(value));
  return column.kind === "duration" ? duration(value) : plain(value, decimals(column));
}

// The frame of a chart with an axis on the left and, but for times, one below; where to draw, and
// what stands where.
export function frame(context, width, height, now, x, y) {
  context.fillStyle = now.muted;
  context.strokeStyle = now.grid;
  context.lineWidth = 1;
  const down = labels(y.column, y.low, y.high, Math.max(2, Math.floor(height / 46)));
  const room = Math.max(...down.map(([, text]) => context.measureText(text).width), 10);
  const box = { left: Math.ceil(room) + 14, top: 24, right: width - 12, bottom: height - 40 };
  const toX = (value) => box.left + (value - x.low) / (x.high - x.low) * (box.right - box.left);
  const toY = (value) => box.bottom - (value - y.low) / (y.high - y.low) * (box.bottom - box.top);
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const [value, text] of down) {
    line(context, box.left, toY(value), box.right, toY(value));
    context.fillText(text, box.left - 7, toY(value));
  }
  context.fillStyle = now.ink;
  context.textAlign = "left";
  context.textBaseline = "top";
  context.fillText(title(y.column), 2, 2);
  if (x) drawBelow(context, width, now, x, { ...box, toX });
  return { ...box, toX, toY };
}

function drawBelow(context, width, now, x, { top, right, bottom, toX }) {
  context.fillStyle = now.muted;
  context.textAlign = "center";
  let free = -Infinity;
  for (const [value, text] of labels(x.column, x.low, x.high, Math.max(2, Math.floor(width / 74)))) {
    const half = context.measureText(text).width / 2;
    if (x.column.kind !== "parameter") line(context, toX(value), top, toX(value), bottom);
    if (toX(value) - half < free || toX(value) + half > width) continue;
    context.fillText(text, toX(value), bottom + 6);
    free = toX(value) + half + 8;
  }
  context.fillStyle = now.ink;
  context.textAlign = "right";
  context.fillText(title(x.column), right, bottom + 22);
}

export function line(context, fromX, fromY, toX, toY) {
  context.beginPath();
  context.moveTo(fromX, fromY);
  context.lineTo(toX, toY);
  context.stroke();
}

// A mark that is seen on any ground: the best, the chosen, the pinned.
export function mark(context, now, x, y, { colour = now.ink, text = "", radius = 6 } = {}) {
  context.lineWidth = 5;
  context.strokeStyle = now.card;
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.stroke();
  context.lineWidth = 2.5;
  context.strokeStyle = colour;
  context.stroke();
  if (!text) return;
  context.font = "600 12px system-ui, sans-serif";
  const width = context.canvas.getBoundingClientRect().width;
  const isLeft = x + radius + 1 + context.measureText(text).width > width;
  const at = isLeft ? x - radius - 1 : x + radius + 1;
  context.textAlign = isLeft ? "right" : "left";
  context.textBaseline = "bottom";
  context.lineWidth = 4;
  context.strokeStyle = now.card;
  context.strokeText(text, at, y - 2);
  context.fillStyle = colour;
  context.fillText(text, at, y - 2);
  context.font = "12px system-ui, sans-serif";
}

// Arrow keys move from an item to the nearest one that way; Enter opens it.
export function pointByKeys(canvas, { items, at, move, open }) {
  const ways = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
  canvas.addEventListener("keydown", (event) => {
    const here = at();
    if (event.key === "Enter" && here) { open(here); event.preventDefault(); return; }
    const way = ways[event.key];
    const all = items();
    if (!way || !all.length) return;
    event.preventDefault();
    if (!here) { move(all[0]); return; }
    let nearest = null, least = Infinity;
    for (const item of all) {
      const [right, down] = [item.px - here.px, item.py - here.py];
      const ahead = right * way[0] + down * way[1];
      if (ahead < 0.5) continue;
      const aside = Math.abs(right * way[1]) + Math.abs(down * way[0]);
      const distance = ahead + 3 * aside;
      if (distance < least) [nearest, least] = [item, distance];
    }
    if (nearest) move(nearest);
  });
}

export const nearest = (items, x, y, within) => {
  let found = null, least = within * within;
  for (const item of items) {
    const distance = (item.px - x) ** 2 + (item.py - y) ** 2;
    if (distance <= least) [found, least] = [item, distance];
  }
  return found;
};

// A tooltip that stays inside of the plot.
export function tip(plot, lines, x, y) {
  const box = plot.querySelector(".tip");
  box.hidden = !lines;
  if (!lines) return;
  box.replaceChildren(...lines.map((text) => {
    const row = document.createElement("div");
    row.textContent = text;
    return row;
  }));
  const [width, height] = [plot.clientWidth, plot.clientHeight];
  const left = x + 14 + box.offsetWidth > width ? x - 14 - box.offsetWidth : x + 14;
  box.style.left = `${Math.max(0, Math.min(left, width - box.offsetWidth))}px`;
  box.style.top = `${Math.max(0, Math.min(y + 14, height - box.offsetHeight))}px`;
}
