/* A heatmap on a canvas: colours by value, a cursor for pointer and arrow keys, and a table. */
"use strict";

class Heatmap {
  constructor(canvas, scale, tell) {
    this.canvas = canvas;
    this.scale = scale;
    this.tell = tell;
    this.values = null;
    this.cursor = null;
    canvas.addEventListener("pointermove", (event) => this.point(event));
    canvas.addEventListener("pointerleave", () => this.choose(null));
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => this.choose(null));
    new ResizeObserver(() => this.draw()).observe(canvas.parentElement);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  show(values) {
    this.values = values;
    const numbers = values.cells.flat().map(Heatmap.number).filter((one) => one !== null);
    this.low = numbers.length ? Math.min(...numbers) : null;
    this.high = numbers.length ? Math.max(...numbers) : null;
    this.draw();
    if (this.cursor) this.choose(this.cursor);
  }

  /** A number that is one; not yet, none that counts, and infinities are not. */
  static number(value) {
    return typeof value === "number" ? value : null;
  }

  /** How strong a value's colour is: 1 for the best, and −1 for the worst below zero. */
  strength(value) {
    if (this.high === this.low) return 1;
    // Each side of zero has a scale of its own: losses would wash out everything.
    if (this.low < 0 && this.high > 0 && this.values.higher) {
      return value < 0 ? -value / this.low : value / this.high;
    }
    const share = (value - this.low) / (this.high - this.low);
    return this.values.higher ? share : 1 - share;
  }

  colours() {
    const style = getComputedStyle(document.documentElement);
    const token = (name) => style.getPropertyValue(name).trim();
    const parts = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    const [weak, strong, low] = ["--weak", "--strong", "--low"].map((name) => parts(token(name)));
    const mix = (share) => {
      const towards = share < 0 ? low : strong;
      const mixed = weak.map((one, at) => Math.round(one + Math.abs(share) * (towards[at] - one)));
      return `rgb(${mixed.join(" ")})`;
    };
    return { mix, ink: token("--ink"), muted: token("--muted"), page: token("--page"),
      edge: token("--edge"), grid: token("--grid"), mark: token("--low"), card: token("--card") };
  }

  draw() {
    if (!this.values) return;
    const { canvas, values } = this;
    const width = canvas.parentElement.clientWidth;
    const [rows, columns] = [values.cells.length, values.cells[0].length];
    const height = Math.max(90, Math.min(440, rows * 34 + 50, Math.max(240, rows * 12 + 50)));
    const ratio = window.devicePixelRatio || 1;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.font = "12px system-ui, sans-serif";
    const colours = this.colours();
    const labels = values.down.labels.map((label) => label.slice(0, 14));
    const left = Math.min(110, 10 + Math.max(0, ...labels.map((label) => pen.measureText(label).width)));
    this.place = { left, top: 4, width: width - left - 4, height: height - 4 - 24, rows, columns };
    values.cells.forEach((row, y) => row.forEach((value, x) => this.cell(pen, colours, value, y, x)));
    this.label(pen, colours, labels, values.across.labels.map((label) => label.slice(0, 14)));
    if (values.best) this.frame(pen, colours.mark, ...values.best, 2.5);
    if (this.cursor) this.frame(pen, colours.ink, ...this.cursor, 2);
    this.ramp(colours);
  }

  /** Left, top, width and height of a cell. */
  box(y, x) {
    const { left, top, width, height, rows, columns } = this.place;
    const at = (size, count, place) => Math.round((size * place) / count);
    const [x0, x1] = [at(width, columns, x), at(width, columns, x + 1)];
    const [y0, y1] = [at(height, rows, y), at(height, rows, y + 1)];
    const gap = width / columns > 9 && height / rows > 9 ? 1 : 0;
    return [left + x0, top + y0, x1 - x0 - gap, y1 - y0 - gap];
  }

  cell(pen, colours, value, y, x) {
    const [left, top, width, height] = this.box(y, x);
    const number = Heatmap.number(value);
    if (number === null) {
      pen.fillStyle = value === null ? colours.page : colours.grid;
      pen.fillRect(left, top, width, height);
      if (value === null) return;
      pen.strokeStyle = colours.edge; // Done, and nothing of it counts: a stroke across.
      pen.lineWidth = 1;
      pen.beginPath();
      pen.moveTo(left, top + height);
      pen.lineTo(left + width, top);
      pen.stroke();
      return;
    }
    pen.fillStyle = colours.mix(this.strength(number));
    pen.fillRect(left, top, width, height);
  }

  frame(pen, colour, y, x, thick) {
    const [left, top, width, height] = this.box(y, x);
    pen.strokeStyle = colour;
    pen.lineWidth = thick;
    pen.strokeRect(left - 0.5, top - 0.5, width + 1, height + 1);
  }

  label(pen, colours, down, across) {
    const { left, top, width, height, rows, columns } = this.place;
    pen.fillStyle = colours.muted;
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    const everyRow = Math.ceil(16 / (height / rows));
    down.forEach((text, y) => {
      if (y % everyRow === 0) pen.fillText(text, left - 6, top + (height * (y + 0.5)) / rows);
    });
    pen.textAlign = "center";
    pen.textBaseline = "top";
    const widest = 14 + Math.max(...across.map((text) => pen.measureText(text).width));
    const everyColumn = Math.ceil(widest / (width / columns));
    across.forEach((text, x) => {
      const middle = left + (width * (x + 0.5)) / columns;
      const half = pen.measureText(text).width / 2;
      if (x % everyColumn === 0 && middle + half < left + width + 4) {
        pen.fillText(text, Math.max(middle, half + 2), top + height + 6);
      }
    });
  }

  ramp(colours) {
    const pen = this.scale.getContext("2d");
    for (let at = 0; at < 256; at += 1) {
      pen.fillStyle = colours.mix(this.strength(this.low + (at / 255) * (this.high - this.low)));
      pen.fillRect(at, 0, 1, 1);
    }
  }

  point(event) {
    if (!this.values) return;
    const { left, top, width, height, rows, columns } = this.place;
    const { offsetX, offsetY } = event;
    const x = Math.floor(((offsetX - left) / width) * columns);
    const y = Math.floor(((offsetY - top) / height) * rows);
    const inside = x >= 0 && x < columns && y >= 0 && y < rows;
    this.choose(inside ? [y, x] : null);
  }

  key(event) {
    if (!this.values) return;
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const { rows, columns } = this.place;
    let next = this.cursor || this.values.best || [0, 0];
    if (event.key in steps) {
      const [down, across] = this.cursor ? steps[event.key] : [0, 0];
      next = [
        Math.min(rows - 1, Math.max(0, next[0] + down)),
        Math.min(columns - 1, Math.max(0, next[1] + across)),
      ];
    } else if (event.key === "Home") next = [next[0], 0];
    else if (event.key === "End") next = [next[0], columns - 1];
    else if (event.key === "Escape") next = null;
    else return;
    event.preventDefault();
    this.choose(next);
  }

  choose(cell) {
    const [rows, columns] = this.values
      ? [this.values.cells.length, this.values.cells[0].length] : [0, 0];
    this.cursor = cell && cell[0] < rows && cell[1] < columns ? cell : null;
    this.draw();
    this.tell(this.cursor && this.words(...this.cursor));
  }

  words(y, x) {
    const { down, across, cells } = this.values;
    const where = [down, across]
      .map((axis, place) => (axis.name ? `${axis.name} ${axis.labels[[y, x][place]]}` : ""))
      .filter(Boolean)
      .join(", ");
    return `${where}: ${this.said(cells[y][x])}`;
  }

  said(value) {
    if (value === null) return "not yet";
    if (value === false) return "none that counts";
    return this.text(value);
  }

  text(value) {
    if (value === null || value === undefined) return "–";
    if (typeof value !== "number") return String(value);
    if (this.values.kind === "duration") return Heatmap.duration(value / 1e9);
    return value.toLocaleString("en", { maximumSignificantDigits: 4 }).replace("-", "−");
  }

  static duration(seconds) {
    const units = [["days", 86400], ["h", 3600], ["min", 60]];
    const [unit, size] = units.find(([, one]) => Math.abs(seconds) >= 2 * one) || ["s", 1];
    return `${(seconds / size).toLocaleString("en", { maximumFractionDigits: 1 })} ${unit}`;
  }

  /** The same as a table, for whoever reads rather than looks. */
  fill(table) {
    const { down, across, cells } = this.values;
    const head = bigbar.make("tr", bigbar.make("th", `${down.name || "–"} \\ ${across.name}`));
    for (const label of across.labels) head.append(bigbar.make("th", label));
    for (const cell of head.cells) cell.scope = "col";
    const rows = cells.map((row, y) => {
      const first = bigbar.make("th", down.labels[y] || across.name);
      first.scope = "row";
      return bigbar.make("tr", first, ...row.map((value) => bigbar.make("td", this.said(value))));
    });
    table.replaceChildren(bigbar.make("thead", head), bigbar.make("tbody", ...rows));
  }
}
