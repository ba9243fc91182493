// Heatmaps: their colours, the cell one is at, and the statistics of the setting that is pressed.
"use strict";

(() => {
  let variant = "mean";
  const field = (name) => ({ field: name });

  // ------------------------------------------------------------------------------------ colours

  // The colour of a value. Each side of zero has a scale of its own: a few heavy losses leave the
  // gains apart. Where all lies on one side the scale runs from weak to strong, in its colour.
  function tone(value, { low, high, lowerIsBetter }) {
    const now = Page.colours();
    const [bad, good] = lowerIsBetter ? [now.high, now.low] : [now.low, now.high];
    if (low < 0 && high > 0) {
      return value < 0 ? Page.mix(now.middle, bad, value / low) : Page.mix(now.middle, good, value / high);
    }
    const share = Math.min(Math.max((value - low) / (high - low), 0), 1);
    if (high <= 0 && !lowerIsBetter) return Page.mix(now.weak, bad, 1 - share); // Losses alone.
    return Page.mix(now.weak, now.strong, lowerIsBetter ? 1 - share : share);
  }

  // The scale above the maps, in HTML: zero in the middle, where there are both sides.
  function paintScales() {
    for (const scale of document.querySelectorAll("[data-scale]")) {
      const range = JSON.parse(scale.dataset.scale)[variant];
      const signed = range.low < 0 && range.high > 0;
      const at = (share) => signed
        ? (share < 0.5 ? range.low * (1 - 2 * share) : range.high * (2 * share - 1))
        : range.low + (range.high - range.low) * share;
      const colours = Array.from({ length: 33 }, (_, step) => tone(at(step / 32), range));
      scale.querySelector(".bar").style.background = `linear-gradient(to right, ${colours})`;
      scale.querySelector(".from").textContent = range.from;
      scale.querySelector(".to").textContent = range.to;
      scale.querySelector(".zero").hidden = !signed;
    }
  }

  // -------------------------------------------------------------------------------------- cells

  // The values of all parameters of a setting, by its number in the whole product.
  function settingOf({ axes }, number) {
    const values = [];
    for (const axis of [...axes].reverse()) {
      values.unshift([axis.name, axis.values[number % axis.values.length]]);
      number = Math.floor(number / axis.values.length);
    }
    return values;
  }

  const varies = ({ axes }, name) => axes.find((axis) => axis.name === name).values.length > 1;

  // The parameters that vary, in words.
  const inWords = (settings, number) => settingOf(settings, number).filter(([name]) => varies(settings, name))
    .map((pair) => pair.join(" ")).join(", ");

  Page.marks.cells = (figure, source, _layer, spec) => {
    const { mean, best, number, trades } = source.data;
    const { x, y } = spec.names;
    const settings = Page.settings[spec.settings];
    const some = Array.from(mean.keys()).filter((i) => !Number.isNaN(mean[i]));
    const data = {
      x: some.map((i) => i % x.length), y: some.map((i) => Math.floor(i / x.length)),
      mean: some.map((i) => mean[i]), best: some.map((i) => best[i]),
      number: some.map((i) => number[i]), trades: some.map((i) => trades[i]), fill: [],
    };
    data.x_at = data.x.map((at) => x[at]);
    data.y_at = data.y.map((at) => y[at]);
    data.setting = data.number.map((one) => inWords(settings, one));
    const renderer = figure.rect({
      x: field("x"), y: field("y"), width: { value: 1 }, height: { value: 1 }, source,
      // A line of the same colour closes the hairlines between neighbours.
      fill_color: field("fill"), line_color: field("fill"),
    });
    Page.paintWith(() => {
      const fill = data[variant].map((value) => tone(value, spec.variants[variant]));
      source.data = { ...data, fill };
    });
    return renderer;
  };

  document.addEventListener("change", ({ target }) => {
    if (target.name !== "cells") return;
    variant = target.value;
    for (const text of document.querySelectorAll("[data-variant]")) {
      text.hidden = text.dataset.variant !== variant;
    }
    Page.paint();
  });

  // --------------------------------------------------------- the setting of a cell, by any hand

  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

  Page.afterwards.push(({ figure, spec, place, view }) => {
    if (spec.names === undefined) return;
    const source = figure.renderers[0].data_source;
    const cursor = new Bokeh.ColumnDataSource({ data: { x: [], y: [] } });
    const frame = figure.rect({
      x: field("x"), y: field("y"), width: { value: 1 }, height: { value: 1 }, source: cursor,
      fill_alpha: 0, line_width: 3,
    });
    Page.colour(frame.glyph, { line_color: "ink" });
    const across = spec.names.x.length, down = spec.names.y.length;
    let [x, y] = [0, 0];

    const cell = () => source.data.x.findIndex((at, i) => at === x && source.data.y[i] === y);
    const told = (i) => {
      const at = `${spec.x.label} ${spec.names.x[x]}, ${spec.y.label} ${spec.names.y[y]}: `;
      if (i < 0) return `${at}none counts`;
      const { mean, best, setting, trades } = source.data;
      const said = (value) => value.toFixed(2).replace("-", "−");
      return `${at}mean ${said(mean[i])}, best ${said(best[i])} with ${setting[i]}, ` +
        `${trades[i].toLocaleString("en")} trades. Enter shows its statistics.`;
    };
    const open = (i) => i < 0 || show(Page.settings[spec.settings], source.data.number[i]);

    place.tabIndex = 0;
    place.setAttribute("role", "application");
    place.addEventListener("keydown", (event) => {
      const step = STEPS[event.key];
      if (step === undefined && event.key !== "Enter") return;
      event.preventDefault(); // Arrows would scroll, Enter press the button that gets the focus.
      if (step === undefined) {
        open(cell());
        return;
      }
      if (cursor.data.x.length > 0) {
        x = Math.min(Math.max(x + step[0], 0), across - 1);
        y = Math.min(Math.max(y + step[1], 0), down - 1);
      }
      cursor.data = { x: [x], y: [y] };
      const output = place.closest("section").querySelector("output.cell");
      output.hidden = false;
      output.textContent = told(cell());
    });
    place.addEventListener("blur", () => { cursor.data = { x: [], y: [] }; });
    place.addEventListener("click", ({ clientX, clientY }) => {
      const { left, top } = place.getBoundingClientRect();
      const { x_scale, y_scale } = view.frame;
      x = Math.round(x_scale.invert(clientX - left));
      y = Math.round(y_scale.invert(clientY - top));
      open(cell());
    });
  });

  // ------------------------------------------------------------------------- column of statistics

  const drawer = document.createElement("dialog");
  drawer.className = "drawer";
  drawer.setAttribute("aria-labelledby", "drawer-title");

  const element = (name, text, attributes = {}) =>
    Object.assign(document.createElement(name), { textContent: text }, attributes);

  function row(head, ...cells) {
    const line = document.createElement("tr");
    line.append(element("th", head, { scope: "row" }), ...cells.map((text) => element("td", text)));
    return line;
  }

  // The statistics of a setting beside those of the chosen one.
  function show(settings, number) {
    const { numbers, names, texts, chosen } = settings;
    const [at, own] = [numbers.indexOf(number), numbers.indexOf(chosen)];
    const close = element("button", "Close", { type: "button", className: "close" });
    close.addEventListener("click", () => drawer.close());
    const parameters = document.createElement("p");
    parameters.textContent = settingOf(settings, number).map((pair) => pair.join(" ")).join(", ");
    const table = document.createElement("table");
    const heads = document.createElement("tr");
    for (const text of ["statistic", "this setting", "chosen"]) heads.append(element("th", text, { scope: "col" }));
    table.createTHead().append(heads);
    table.createTBody().append(...names.map((name, i) => row(name, at < 0 ? "–" : texts[i][at], texts[i][own])));
    const parts = [element("h3", number === chosen ? "The chosen setting" : "A setting", { id: "drawer-title" }), close, parameters];
    if (at < 0) {
      parts.push(element("p", "Its statistics are not on this page, to keep it small; results.parquet has those of every setting."));
    }
    drawer.replaceChildren(...parts, table);
    const before = document.activeElement;
    if (!drawer.open) drawer.show();
    close.focus({ preventScroll: true });
    drawer.addEventListener("close", () => before?.focus?.({ preventScroll: true }), { once: true });
  }

  drawer.addEventListener("keydown", ({ key }) => { if (key === "Escape") drawer.close(); });

  Object.assign(Page, { inWords, show });

  Page.start.push(() => {
    Page.paintWith(paintScales);
    if (Object.keys(Page.settings).length === 0) return;
    document.body.append(drawer);
    for (const cell of document.querySelectorAll("[data-setting]")) {
      const button = element("button", "", { type: "button", title: "All statistics of this setting" });
      button.append(...cell.childNodes);
      button.addEventListener("click", () => show(Page.settings.own, Number(cell.dataset.setting)));
      cell.append(button);
    }
  });
})();
