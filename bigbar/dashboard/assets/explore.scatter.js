// Two columns against each other. Drag a rectangle to filter by both; click a point to open it.

import { along, frame, keepDrawn, mark, mix, nearest, PINS, pointByKeys, tip } from "explore/axes";
import { count, whole } from "explore/format";
import { ask, change, current, pins } from "explore/state";

export function scatter(app, canvas) {
  const plot = canvas.parentElement;
  let answer = null, drawn = null, items = [], pointed = null, drag = null;

  const redraw = keepDrawn(canvas, (context, width, height, now) => {
    items = [];
    drawn = null;
    if (!answer?.shown) return;
    const [x, y] = ["x", "y"].map((name) => padded({ column: app.columns.get(answer[name].key), ...answer[name] }));
    drawn = { ...frame(context, width, height, now, x, y), x, y };
    if (answer.cells) drawCells(context, now);
    else drawPoints(context, now);
    if (answer.front) drawFront(context, now);
    drawMarks(context, now);
    if (drag?.to) drawDrag(context, now);
  });

  const frontSaid = ({ results, combinations }) =>
    `${count(results, "result")}${combinations > results ? ` (${count(combinations, "combination")})` : ""} that no other beats in both`;

  // Nothing stands on the very edge.
  function padded(axis) {
    const room = axis.column.kind === "parameter" ? 0 : 0.02 * (axis.high - axis.low);
    return { ...axis, low: axis.low - room, high: axis.high + room };
  }

  function drawPoints(context, now) {
    const { toX, toY } = drawn;
    const many = answer.points.length > 800;
    context.fillStyle = now.chosen;
    context.globalAlpha = many ? 0.45 : 0.7;
    for (const [number, x, y] of answer.points) {
      const item = { number, x, y, px: toX(x), py: toY(y), count: 1 };
      items.push(item);
      context.beginPath();
      context.arc(item.px, item.py, many ? 2 : 3, 0, 7);
      context.fill();
    }
    context.globalAlpha = 1;
  }

  function drawCells(context, now) {
    const { toX, toY } = drawn;
    const { x, y, size: [columns, rows] } = answer;
    const most = Math.log1p(Math.max(...answer.cells.map((cell) => cell[2])));
    const [wide, high] = [(x.high - x.low) / columns, (y.high - y.low) / rows];
    for (const [column, row, held, number] of answer.cells) {
      const [left, top] = [toX(x.low + column * wide), toY(y.low + (row + 1) * high)];
      const [right, bottom] = [toX(x.low + (column + 1) * wide), toY(y.low + row * high)];
      context.fillStyle = mix(now.weak, now.strong, 0.12 + 0.88 * Math.log1p(held) / most);
      context.fillRect(left, top, right - left + 0.4, bottom - top + 0.4);
      items.push({
        number, count: held, px: (left + right) / 2, py: (top + bottom) / 2, left, right, top, bottom,
        x: [x.low + column * wide, x.low + (column + 1) * wide],
        y: [y.low + row * high, y.low + (row + 1) * high],
      });
    }
  }

  // What no other beats in both, and the edge of what can be had: between two points, the worse of
  // either.
  function drawFront(context, now) {
    const { toX, toY, x, y } = drawn;
    const worse = ({ column: { better } }, a, b) => better === -1 ? Math.max(a, b) : Math.min(a, b);
    const { points } = answer.front;
    context.strokeStyle = now.unseen;
    context.lineWidth = 2;
    context.beginPath();
    points.forEach(([, across, up], i) => {
      const before = points[i - 1];
      if (before) context.lineTo(toX(worse(x, before[1], across)), toY(worse(y, before[2], up)));
      context.lineTo(toX(across), toY(up));
    });
    context.stroke();
    for (const [number, across, up, sharing] of points) {
      const item = { number, x: across, y: up, px: toX(across), py: toY(up), count: 1, sharing };
      items.push(item);
      context.beginPath();
      context.arc(item.px, item.py, 3.5, 0, 7);
      context.fillStyle = now.unseen;
      context.fill();
      context.lineWidth = 1;
      context.strokeStyle = now.card;
      context.stroke();
    }
  }

  function drawMarks(context, now) {
    const { toX, toY, left, right, top, bottom } = drawn;
    const inside = (px, py) => px >= left - 1 && px <= right + 1 && py >= top - 1 && py <= bottom + 1;
    const known = app.places([drawn.x.column, drawn.y.column]);
    pins().forEach((number, place) => {
      const at = known(number);
      if (at && inside(toX(at[0]), toY(at[1]))) {
        mark(context, now, toX(at[0]), toY(at[1]), { colour: now[PINS[place]], text: String(place + 1) });
      }
    });
    if (answer.best) {
      mark(context, now, toX(answer.best[1]), toY(answer.best[2]), { colour: now.bad, text: "best" });
    }
    const at = known(current().chosen);
    if (at && inside(toX(at[0]), toY(at[1]))) {
      mark(context, now, toX(at[0]), toY(at[1]), { radius: 9, text: answer.best?.[0] === current().chosen ? "" : "open" });
    }
    if (pointed) mark(context, now, pointed.px, pointed.py, { colour: now.chosen, radius: 4 });
  }

  function drawDrag(context, now) {
    const { from, to } = drag;
    context.strokeStyle = now.ink;
    context.setLineDash([4, 3]);
    context.lineWidth = 1;
    context.strokeRect(from[0], from[1], to[0] - from[0], to[1] - from[1]);
    context.setLineDash([]);
  }

  // ------------------------------------------------------------------------------------ pointing

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  const under = ([x, y]) => nearest(items.filter((item) => item.sharing), x, y, 8) ?? (answer?.cells
    ? items.find((item) => x >= item.left && x < item.right && y >= item.top && y < item.bottom)
      ?? nearest(items, x, y, 12)
    : nearest(items, x, y, 14));

  function said(item) {
    const [x, y] = [drawn.x.column, drawn.y.column];
    const range = (column, value) => Array.isArray(value)
      ? column.kind === "parameter" ? along(column, Math.ceil(value[0] - 1e-9))
        : `${along(column, value[0])} to ${along(column, value[1])}`
      : along(column, value);
    return [
      `${x.name}: ${range(x, item.x)}`, `${y.name}: ${range(y, item.y)}`,
      ...item.sharing ? [`no other beats it in both${item.sharing > 1 ? `; ${count(item.sharing, "combination")} share it` : ""}`] : [],
      item.count > 1 ? `${count(item.count, "combination")}; the best of them opens` : app.named(item.number),
    ];
  }

  function point(item, [x, y] = item ? [item.px, item.py] : [0, 0]) {
    if (pointed === item && !item) return;
    const isOther = pointed?.number !== item?.number;
    pointed = item;
    if (isOther) redraw();
    tip(plot, item ? said(item) : null, x, y);
    if (isOther && item?.count === 1) nameSoon(item, x, y);
  }

  // Whoever rests on a point is told its parameters.
  async function nameSoon(item, x, y) {
    await new Promise((resolve) => setTimeout(resolve, 120));
    if (pointed !== item) return;
    await app.learn([item.number]);
    if (pointed === item) tip(plot, said(item), x, y);
  }

  function filterBy([fromX, fromY], [toX, toY]) {
    const { left, right, top, bottom, x, y } = drawn;
    const value = (axis, share) => axis.low + share * (axis.high - axis.low);
    const shares = (a, b, low, high) => [a, b].map((each) => (each - low) / (high - low)).sort((p, q) => p - q);
    const across = shares(fromX, toX, left, right).map((share) => value(x, share));
    const up = shares(fromY, toY, bottom, top).map((share) => value(y, share));
    const filters = { ...current().filters };
    filters[x.key] = app.between(x.column, ...across);
    filters[y.key] = app.between(y.column, ...up);
    change({ filters });
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (!drawn || event.button !== 0 || event.pointerType === "touch") return;
    drag = { from: place(event), to: null };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drawn) return;
    const at = place(event);
    if (drag && (drag.to || Math.hypot(at[0] - drag.from[0], at[1] - drag.from[1]) > 6)) {
      drag.to = at;
      tip(plot, null);
      redraw();
    } else if (!drag) point(under(at) ?? null, at);
  });
  canvas.addEventListener("pointerup", (event) => {
    const dragged = drag;
    drag = null;
    if (dragged?.to) { filterBy(dragged.from, dragged.to); return; }
    const item = drawn && under(place(event));
    if (item) change({ chosen: item.number });
  });
  canvas.addEventListener("pointerleave", () => point(null));
  pointByKeys(canvas, {
    items: () => items, at: () => pointed,
    move: (item) => { point(item); app.say(said(item).join(", ")); },
    open: (item) => change({ chosen: item.number }),
  });
  canvas.addEventListener("blur", () => point(null));

  return {
    redraw,
    asks: ({ filters, x, y }) => ({ filters, x, y }),
    async ask(state) {
      answer = await ask("scatter", this.asks(state), { kind: "chart" });
      point(null);
      if (answer.best) await app.learn([answer.best[0], state.chosen, ...pins()]);
      redraw();
      const [x, y] = [app.columns.get(state.x).name, app.columns.get(state.y).name];
      if (!answer.shown) return `Nothing to draw: none of ${count(answer.total, "combination")} has both values.`;
      const missing = answer.total - answer.shown - answer.beyond;
      return [
        `${y} against ${x} of ${count(answer.shown, "combination")}`,
        answer.cells ? ", counted in cells: the stronger, the more" : "",
        answer.beyond ? `; ${whole(answer.beyond)} far outliers are not drawn` : "",
        missing ? `; ${whole(missing)} have no value` : "",
        answer.front ? `. The line: ${frontSaid(answer.front)}` : "",
        answer.best ? `. The best is ${app.named(answer.best[0])}.` : ".",
      ].join("");
    },
  };
}
