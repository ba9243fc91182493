// Filters: a range or a choice of values for any column, all of which must hold.

import { make, option, plain, typed, decimals, valueAt, count } from "explore/format";
import { bounds, change, current, filter, listen } from "explore/state";

export function filters(app) {
  const list = document.getElementById("filter-list");
  const add = document.getElementById("filter-add");
  let shown = "";

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

  function show(state) {
    const wanted = JSON.stringify(state.filters);
    if (wanted === shown) return;
    shown = wanted;
    const focus = document.activeElement?.dataset?.focus;
    list.replaceChildren(...Object.entries(state.filters).map(([key, said]) => one(app.columns.get(key), said)));
    if (focus) list.querySelector(`[data-focus="${CSS.escape(focus)}"]`)?.focus();
    document.getElementById("filter-clear").hidden = !Object.keys(state.filters).length;
  }

  function one(column, said) {
    const unit = column.kind === "duration" ? "days" : column.unit && !column.name.includes("[") ? column.unit : "";
    const ranged = column.kind !== "parameter" || (column.numbers && !said.places);
    return make("fieldset", { class: "filter", "data-key": column.key },
      make("legend", {}, column.name, unit ? ` [${unit}]` : ""),
      ranged ? range(column, said) : choice(column, said),
      make("button", {
        type: "button", class: "remove", "aria-label": `Remove the filter of ${column.name}`,
        title: "Remove this filter", "data-focus": `${column.key} remove`, click: () => filter(column.key, null),
      }, "×"));
  }

  function range(column, said) {
    const [low, high] = column.kind === "parameter" ? ends(column) : bounds(column);
    const digits = column.kind === "parameter" ? null : decimals(column);
    const shownAs = (value) => digits === null ? String(value).replace("-", "−") : plain(value, digits);
    const problem = make("span", { class: "problem", role: "alert" });
    const field = (name, edge, label) => make("label", {}, make("span", { class: "unseen-text" }, `${column.name} ${label}`), make("input", {
      type: "text", inputmode: "decimal", size: 8, autocomplete: "off", "data-focus": `${column.key} ${name}`,
      value: said[name] === undefined || said[name] === null ? "" : String(Number(said[name].toPrecision(12))).replace("-", "−"),
      placeholder: Number.isFinite(edge) ? shownAs(edge) : "",
      change: (event) => {
        const value = typed(event.target.value);
        event.target.setAttribute("aria-invalid", value === undefined);
        problem.textContent = value === undefined ? `“${event.target.value}” is no number` : "";
        if (value === undefined) return;
        const now = { ...current().filters[column.key] };
        if (value === null) delete now[name]; else now[name] = value;
        filter(column.key, now);
      },
    }));
    return [field("least", low, "at least"), make("span", { "aria-hidden": "true" }, "to"), field("most", high, "at most"), problem];
  }

  const ends = (column) => {
    const numbers = (column.values ?? []).map(Number).filter(Number.isFinite);
    return numbers.length ? [Math.min(...numbers), Math.max(...numbers)] : [NaN, NaN];
  };

  function choice(column, said) {
    if (!column.values) return make("span", {}, `${count(column.count, "value")}, too many to list`);
    const chosen = new Set(said.places ?? column.values.map((_, place) => place));
    return make("div", { class: "values" }, column.values.map((_, place) => make("label", {},
      make("input", {
        type: "checkbox", checked: chosen.has(place), "data-focus": `${column.key} ${place}`, change: (event) => {
          if (event.target.checked) chosen.add(place); else chosen.delete(place);
          filter(column.key, chosen.size === column.count ? {} : { places: [...chosen].sort((a, b) => a - b) });
        },
      }), valueAt(column, place))));
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
