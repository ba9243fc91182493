// Filters: a range or a choice of values for any column, all of which must hold.

import { make, option, plain, typed, decimals, valueAt, count } from "explore/format";
import { bounds, change, current, filter, listen } from "explore/state";

export function filters(app) {
  const list = document.getElementById("filter-list");
  const add = document.getElementById("filter-add");
  const held = new Map();

  const all = [...app.columns.values()].filter((column) => column.kind !== "parameter" || column.count > 1);
  const group = (label, columns) => columns.length
    ? make("optgroup", { label }, columns.map((column) => option(column.key, column.name))) : null;
  add.append(...[group("Parameters", all.filter((column) => column.kind === "parameter")),
    group("Statistics", all.filter((column) => column.kind !== "parameter"))].filter(Boolean));
  add.addEventListener("change", () => {
    const { value } = add;
    add.value = "";
    if (!value) return;
    if (!(value in current().filters)) filter(value, {});
    list.querySelector(`[data-key="${CSS.escape(value)}"] input`)?.focus();
  });
  document.getElementById("filter-clear").addEventListener("click", () => change({ filters: {} }));

  // What is there stays, and only takes other values: whoever tabs through keeps their place.
  function show(state) {
    for (const [key, { element }] of held) {
      if (key in state.filters) continue;
      element.remove();
      held.delete(key);
    }
    for (const [key, said] of Object.entries(state.filters)) {
      const column = app.columns.get(key);
      const ranged = column.kind !== "parameter" || (column.numbers && !said.places);
      if (held.get(key)?.ranged !== ranged) {
        const found = { ranged, ...one(column, ranged) };
        if (held.has(key)) held.get(key).element.replaceWith(found.element);
        else list.append(found.element);
        held.set(key, found);
      }
      held.get(key).update(said);
    }
    document.getElementById("filter-clear").hidden = !held.size;
  }

  function one(column, ranged) {
    const unit = column.kind === "duration" ? " [days]" : "";
    const { parts, update } = ranged ? range(column) : choice(column);
    const element = make("fieldset", { class: "filter", "data-key": column.key },
      make("legend", {}, column.name, unit), parts,
      make("button", {
        type: "button", class: "remove", "aria-label": `Remove the filter of ${column.name}`,
        title: "Remove this filter", click: () => filter(column.key, null),
      }, "×"));
    return { element, update };
  }

  function range(column) {
    const [low, high] = column.kind === "parameter" ? ends(column) : bounds(column);
    const shownAs = (value) => column.kind === "parameter" ? String(value).replace("-", "−") : plain(value, decimals(column));
    const problem = make("span", { class: "problem", role: "alert" });
    const take = (name, input) => {
      const value = typed(input.value);
      input.setAttribute("aria-invalid", value === undefined);
      problem.textContent = value === undefined ? `“${input.value}” is no number` : "";
      if (value === undefined) return;
      const now = { ...current().filters[column.key] };
      if (value === null) delete now[name]; else now[name] = value;
      filter(column.key, now);
    };
    const fields = { least: [low, "at least"], most: [high, "at most"] };
    const inputs = Object.entries(fields).map(([name, [edge]]) => make("input", {
      type: "text", inputmode: "decimal", size: 8, autocomplete: "off",
      placeholder: Number.isFinite(edge) ? shownAs(edge) : "", change: (event) => take(name, event.target),
    }));
    const labels = Object.values(fields).map(([, label], at) =>
      make("label", {}, make("span", { class: "unseen-text" }, `${column.name} ${label}`), inputs[at]));
    return {
      parts: [labels[0], make("span", { "aria-hidden": "true" }, "to"), labels[1], problem],
      update(said) {
        Object.keys(fields).forEach((name, at) => {
          const value = said[name] ?? null;
          if (typed(inputs[at].value) === value) return;
          inputs[at].value = value === null ? "" : String(Number(value.toPrecision(12))).replace("-", "−");
          inputs[at].removeAttribute("aria-invalid");
          problem.textContent = "";
        });
      },
    };
  }

  const ends = (column) => {
    const numbers = (column.values ?? []).map(Number).filter(Number.isFinite);
    return numbers.length ? [Math.min(...numbers), Math.max(...numbers)] : [NaN, NaN];
  };

  function choice(column) {
    if (!column.values) return { parts: make("span", {}, `${count(column.count, "value")}, too many to list`), update() {} };
    const boxes = column.values.map((_, place) => make("input", { type: "checkbox", value: place, change: () => {
      const places = boxes.filter((box) => box.checked).map((box) => Number(box.value));
      filter(column.key, places.length === column.count ? {} : { places });
    } }));
    return {
      parts: make("div", { class: "values" }, boxes.map((box, place) => make("label", {}, box, valueAt(column, place)))),
      update: (said) => boxes.forEach((box, place) => { box.checked = !said.places || said.places.includes(place); }),
    };
  }

  listen(show);
  return { show };
}

// What dragging over a part of a column filters by.
export function between(column, low, high) {
  if (column.kind === "parameter") {
    const places = [];
    for (let place = Math.max(0, Math.ceil(low)); place <= Math.min(high, column.count - 1); place++) places.push(place);
    if (!column.values || !column.numbers) return { places };
    const numbers = places.map((place) => Number(column.values[place]));
    return numbers.length ? { least: Math.min(...numbers), most: Math.max(...numbers) } : { places: [] };
  }
  if (column.kind === "count") return { least: Math.ceil(low), most: Math.floor(high) };
  // Rounded to what can be told apart with a mouse.
  const step = 10 ** (Math.floor(Math.log10(high - low || 1)) - 2);
  const round = (value, way) => Number((way(value / step) * step).toPrecision(12));
  return { least: round(low, Math.floor), most: round(high, Math.ceil) };
}

// The part of an axis that a filter keeps; null where it keeps all.
export function span(column, said, axis) {
  if (!said || (said.least === undefined && said.most === undefined && !said.places)) return null;
  if (column.kind !== "parameter") return [said.least ?? axis.low, said.most ?? axis.high];
  if (!column.values) return null;
  const passes = (place) => {
    const value = column.numbers ? Number(column.values[place]) : place;
    return (said.least ?? -Infinity) <= value && value <= (said.most ?? Infinity)
      && (!said.places || said.places.includes(place));
  };
  const kept = column.values.map((_, place) => place).filter(passes);
  return kept.length ? [Math.min(...kept) - 0.5, Math.max(...kept) + 0.5] : [axis.low, axis.low];
}
