// Points that are settings: what each is, and its statistics when it is pressed.
"use strict";

(() => {
  const NEAR = 14; // Pixels: a fingertip.
  const FIRST = 4; // And so many for the front, of what lies on each other.
  const field = (name) => ({ field: name });

  Page.marks.settings = (figure, source, layer, spec) => {
    const settings = Page.settings[spec.settings];
    source.data = { ...source.data, setting: Array.from(source.data.number, (one) => Page.inWords(settings, one)) };
    return Page.marks.points(figure, source, layer);
  };

  const figures = (value, unit = "") =>
    value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 }).replace("-", "−") +
    (unit === "" || unit === "$" ? "" : `\u00a0${unit}`);

  // What a point is: names and values.
  function facts({ x, y, units }, data, i) {
    return [
      [y.label, figures(data.y[i], units.y)],
      [x.label, figures(data.x[i], units.x)],
      ["With", data.setting[i]],
      ["Trades", data.trades[i].toLocaleString("en")],
      ...data.here?.[i] > 1 ? [["Best of", `${data.here[i].toLocaleString("en")} settings here`]] : [],
      ...data.luck === undefined ? [] : [["As good by luck", data.luck[i]]],
    ];
  }

  const tip = document.createElement("div");
  tip.className = "setting-tip";
  tip.hidden = true;

  function showTip(pairs, clientX, clientY) {
    tip.replaceChildren(...pairs.flat().map((text) => Object.assign(document.createElement("span"), { textContent: text })));
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    const left = clientX + 16 + width < innerWidth ? clientX + 16 : clientX - 16 - width;
    tip.style.left = `${Math.max(left, 4)}px`;
    tip.style.top = `${Math.max(Math.min(clientY - height / 2, innerHeight - height - 4), 4)}px`;
  }

  Page.start.push(() => document.body.append(tip));
  addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });

  Page.afterwards.push(({ figure, spec, place, view }) => {
    if (spec.units === undefined) return;
    const settings = Page.settings[spec.settings];
    const drawn = spec.layers.flatMap((layer, i) =>
      layer.mark === "settings" ? [[layer.style, figure.renderers[i].data_source.data]] : []);
    const front = drawn.find(([style]) => style.front)[1];
    const cursor = new Bokeh.ColumnDataSource({ data: { x: [], y: [] } });
    const ring = figure.scatter(field("x"), field("y"), { source: cursor, size: 24, fill_alpha: 0, line_width: 3 });
    Page.colour(ring.glyph, { line_color: "ink" });

    // The point that is meant at a place of the window.
    function nearest({ clientX, clientY }) {
      const { left, top } = place.getBoundingClientRect();
      const { x_scale, y_scale } = view.frame;
      let [least, found] = [NEAR, null];
      for (const [style, data] of drawn) {
        for (let i = 0; i < data.x.length; i++) {
          const far = Math.hypot(x_scale.compute(data.x[i]) - clientX + left, y_scale.compute(data.y[i]) - clientY + top) -
            (style.front ? FIRST : 0);
          if (far < least) [least, found] = [far, [data, i]];
        }
      }
      return found;
    }

    place.addEventListener("pointermove", (event) => {
      const found = event.pointerType === "touch" ? null : nearest(event);
      if (found === null) tip.hidden = true;
      else showTip(facts(spec, ...found), event.clientX, event.clientY);
    });
    place.addEventListener("pointerleave", () => { tip.hidden = true; });
    place.addEventListener("click", (event) => {
      const found = nearest(event);
      if (found !== null) Page.show(settings, found[0].number[found[1]]);
    });

    // By keyboard along the front, from left to right.
    const order = Array.from(front.x.keys()).filter((i) => Number.isFinite(front.x[i] + front.y[i]))
      .sort((a, b) => front.x[a] - front.x[b] || front.y[a] - front.y[b]);
    let at = -1;
    place.tabIndex = 0;
    place.setAttribute("role", "application");
    place.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
      if (step === undefined && event.key !== "Enter") return;
      event.preventDefault(); // Arrows would scroll, Enter press the button that gets the focus.
      if (step === undefined) {
        if (at >= 0) Page.show(settings, front.number[order[at]]);
        return;
      }
      at = Math.min(Math.max(at + step, 0), order.length - 1);
      const i = order[at];
      cursor.data = { x: [front.x[i]], y: [front.y[i]] };
      const output = place.closest("section").querySelector("output.cell");
      output.hidden = false;
      output.textContent = `${facts(spec, front, i).map((pair) => pair.join(" ")).join(", ")}. Enter shows its statistics.`;
    });
    place.addEventListener("blur", () => { cursor.data = { x: [], y: [] }; });
  });
})();
