// A statistic over two parameters. Click a cell to open the combination that stands for it.

import { keepDrawn, frame, mark, nearest, pointByKeys, PINS, shade, tip } from "explore/axes";
import { count, make, valueAt, withUnit, whole } from "explore/format";
import { ask, change, current, pins } from "explore/state";

export function heatmap(app, canvas) {
  const plot = canvas.parentElement;
  const scale = document.getElementById("heat-scale");
  let answer = null, items = [], pointed = null;

  const columnOf = (name) => app.columns.get(current()[name]);
  const statistic = () => current().show === "count"
    ? { name: "Combinations", kind: "count", unit: "", better: 1 } : columnOf("statistic");
  const range = () => ({ low: answer.low, high: answer.high, lowerIsBetter: statistic().better === -1 });

  const redraw = keepDrawn(canvas, (context, width, height, now) => {
    items = [];
    if (!answer?.cells.length) return;
    const [across, down] = [columnOf("across"), columnOf("down")];
    const x = { column: across, low: -0.5, high: across.count - 0.5 };
    const y = { column: down, low: -0.5, high: down.count - 0.5 };
    const box = frame(context, width, height, now, x, y);
    const [wide, high] = answer.group;
    for (const [column, row, value, held, number] of answer.cells) {
      const left = box.toX(column * wide - 0.5), bottom = box.toY(row * high - 0.5);
      const right = box.toX(Math.min((column + 1) * wide, across.count) - 0.5);
      const top = box.toY(Math.min((row + 1) * high, down.count) - 0.5);
      context.fillStyle = shade(now, value, range());
      context.fillRect(left, top, right - left + 0.4, bottom - top + 0.4);
      items.push({ column, row, value, held, number, left, right, top, bottom,
        px: (left + right) / 2, py: (top + bottom) / 2 });
    }
    writeValues(context, now);
    const places = app.places([across, down]);
    const at = (number) => {
      const there = places(number);
      return there && items.find((item) => item.column === Math.floor(there[0] / wide)
        && item.row === Math.floor(there[1] / high));
    };
    pins().forEach((number, place) => {
      const item = at(number);
      if (item) mark(context, now, item.px, item.py, { colour: now[PINS[place]], text: String(place + 1) });
    });
    const best = at(app.overview.best);
    if (best) mark(context, now, best.px, best.py, { colour: now.bad, text: "best" });
    const open = at(current().chosen);
    if (open && open !== best) mark(context, now, open.px, open.py, { radius: 9, text: "open" });
    if (pointed) {
      context.strokeStyle = now.ink;
      context.lineWidth = 2;
      context.strokeRect(pointed.left + 1, pointed.top + 1, pointed.right - pointed.left - 2, pointed.bottom - pointed.top - 2);
    }
  });

  // Where cells are large enough their values are read, not guessed from a colour.
  function writeValues(context, now) {
    const first = items[0];
    if (first.right - first.left < 46 || first.bottom - first.top < 20) return;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const item of items) {
      const text = withUnit(statistic(), item.value).replace(/\s?%$/, "");
      context.lineWidth = 3;
      context.strokeStyle = now.card;
      context.strokeText(text, item.px, item.py);
      context.fillStyle = now.ink;
      context.fillText(text, item.px, item.py);
    }
  }

  function drawScale() {
    scale.hidden = !answer?.cells.length;
    if (scale.hidden) return;
    const now = getComputedStyle(document.documentElement);
    const colour = (name) => now.getPropertyValue(`--${name}`).trim();
    const named = { middle: colour("middle"), low: colour("low"), high: colour("high"), weak: colour("weak"), strong: colour("strong") };
    const { low, high } = answer;
    const stops = Array.from({ length: 33 }, (_, place) => low + (high - low) * place / 32);
    const bar = make("span", { class: "ramp" });
    bar.style.background = `linear-gradient(to right, ${stops.map((value) => shade(named, value, range()))})`;
    const zero = low < 0 && high > 0 ? make("span", { class: "zero" }, "0") : null;
    if (zero) zero.style.left = `${-100 * low / (high - low)}%`;
    scale.replaceChildren(make("span", {}, withUnit(statistic(), low)),
      make("span", { class: "between", "aria-hidden": "true" }, bar, zero), make("span", {}, withUnit(statistic(), high)));
  }

  const along = (column, group, cell) => group === 1 ? valueAt(column, cell)
    : `${valueAt(column, cell * group)} to ${valueAt(column, Math.min((cell + 1) * group, column.count) - 1)}`;

  const said = (item) => [
    `${columnOf("across").name}: ${along(columnOf("across"), answer.group[0], item.column)}`,
    `${columnOf("down").name}: ${along(columnOf("down"), answer.group[1], item.row)}`,
    `${current().show === "count" ? "" : `${statistic().name}, ${current().show}: `}${current().show === "count" ? count(item.value, "combination") : withUnit(statistic(), item.value)}`,
    ...(current().show === "count" ? [] : [`of ${count(item.held, "combination")}`]),
  ];

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const under = ([x, y]) =>
    items.find((item) => x >= item.left && x < item.right && y >= item.top && y < item.bottom);

  function point(item, at) {
    if (item === pointed) return;
    pointed = item;
    redraw();
    pointed = item && nearest(items, item.px, item.py, 2);
    tip(plot, item ? said(item) : null, ...(at ?? [item?.px ?? 0, item?.py ?? 0]));
  }

  canvas.addEventListener("pointermove", (event) => point(under(place(event)) ?? null, place(event)));
  canvas.addEventListener("pointerleave", () => point(null));
  canvas.addEventListener("blur", () => point(null));
  canvas.addEventListener("click", (event) => {
    const item = under(place(event));
    if (item && item.number !== null) change({ chosen: item.number });
  });
  pointByKeys(canvas, {
    items: () => items, at: () => pointed,
    move: (item) => { point(item); app.say(said(item).join(", ")); },
    open: (item) => item.number !== null && change({ chosen: item.number }),
  });

  return {
    redraw,
    asks: ({ filters, across, down, statistic: key, show }) => ({ filters, x: across, y: down, statistic: key, show }),
    async ask(state) {
      if (state.across === null || state.down === null) {
        return "No heatmap: fewer than two parameters of this run have more than one value.";
      }
      answer = await ask("heatmap", this.asks(state), { kind: "chart" });
      pointed = null;
      await app.learn([app.overview.best, state.chosen, ...pins()]);
      redraw();
      drawScale();
      if (!answer.cells.length) return "Nothing to draw: no combination that passes the filters traded.";
      const what = state.show === "count" ? "How many combinations pass"
        : `${statistic().name}: the ${state.show} of each cell over all other parameters`;
      const groups = answer.group.some((size) => size > 1) ? "; neighbouring values share a cell" : "";
      const signs = answer.low < 0 && answer.high > 0 && state.show !== "count"
        ? " Each side of zero has a scale of its own." : "";
      return `${what}, of ${whole(answer.total)} combinations${groups}. From ${withUnit(statistic(), answer.low)} to ${withUnit(statistic(), answer.high)}.${signs}`;
    },
    drawScale,
  };
}
