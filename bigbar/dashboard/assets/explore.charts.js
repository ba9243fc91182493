// The charts and what they show: one at a time, asked for when something changes.

import { heatmap } from "explore/heatmap";
import { make, option, plain, whole, withUnit } from "explore/format";
import { parallel } from "explore/parallel";
import { scatter } from "explore/scatter";
import { ask, change, current, isOld, listen } from "explore/state";

const VIEWS = { scatter, parallel, heatmap };

export function charts(app) {
  const tabs = [...document.querySelectorAll("#views [role=tab]")];
  const says = document.getElementById("chart-says");
  const panel = document.getElementById("chart-panel");
  const drawn = {};
  for (const [name, made] of Object.entries(VIEWS)) {
    drawn[name] = made(app, document.getElementById(`${name}-canvas`));
  }
  let asked = "";

  fillControls(app);

  for (const tab of tabs) {
    tab.addEventListener("click", () => change({ view: tab.dataset.view }));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
      next.focus();
      change({ view: next.dataset.view });
    });
  }

  async function show(state, { anew = false } = {}) {
    for (const tab of tabs) {
      const isIt = tab.dataset.view === state.view;
      tab.setAttribute("aria-selected", isIt);
      tab.tabIndex = isIt ? 0 : -1;
      if (isIt) panel.setAttribute("aria-labelledby", tab.id);
    }
    for (const part of panel.querySelectorAll("[data-view]")) part.hidden = part.dataset.view !== state.view;
    setControls(state);
    const question = JSON.stringify([state.view, state.view === "plateau" ? state.statistic : drawn[state.view].asks(state)]);
    if (question === asked && !anew) {
      if (state.view !== "plateau") {
        await app.learn([state.chosen]);
        drawn[state.view].redraw();
      }
      return;
    }
    asked = question;
    panel.setAttribute("aria-busy", "true");
    try {
      const text = state.view === "plateau" ? await plateau(app, state) : await drawn[state.view].ask(state);
      if (question !== asked) return; // Another one has been asked for since.
      says.textContent = text;
      const canvas = document.getElementById(`${state.view}-canvas`);
      canvas?.setAttribute("aria-label", `${text} Arrow keys move, Enter opens. The table below has the same.`);
    } catch (problem) {
      if (isOld(problem) || question !== asked) return;
      asked = "";
      says.textContent = problem.message;
    }
    panel.removeAttribute("aria-busy");
    panel.dataset.drawn = question;
  }

  listen(show);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.heatmap.drawScale());
  return { show };
}

// ---------------------------------------------------------------------------------------- controls

const CONTROLS = { "scatter-x": "x", "scatter-y": "y", "heat-x": "across", "heat-y": "down",
  "heat-statistic": "statistic", "plateau-statistic": "statistic", "heat-show": "show" };

const SHOWN = { mean: "mean", best: "best", worst: "worst", count: "count" };

function fillControls(app) {
  const all = [...app.columns.values()];
  const statistics = all.filter((column) => column.kind !== "parameter");
  const groups = (select, ...given) => {
    select.replaceChildren(...given.filter(([, columns]) => columns.length).map(([label, columns]) =>
      make("optgroup", { label }, columns.map((column) => option(column.key, column.name)))));
  };
  const byId = (name) => document.getElementById(name);
  for (const name of ["scatter-x", "scatter-y"]) {
    groups(byId(name), ["Statistics", statistics], ["Parameters", app.varying]);
  }
  for (const name of ["heat-x", "heat-y"]) groups(byId(name), ["Parameters", app.varying]);
  groups(byId("heat-statistic"), ["Statistics", statistics]);
  groups(byId("plateau-statistic"), ["Statistics", statistics.filter((column) => column.better === 1 || column.better === -1)]);
  byId("heat-show").replaceChildren(...Object.entries(SHOWN).map(([value, text]) => option(value, text)));
  for (const [name, key] of Object.entries(CONTROLS)) {
    byId(name).addEventListener("change", (event) => {
      const { value } = event.target;
      const state = current();
      if (key === "across" && value === state.down) change({ across: value, down: state.across });
      else if (key === "down" && value === state.across) change({ down: value, across: state.down });
      else if (key === "statistic" && !app.columns.get(value).better && ["best", "worst"].includes(state.show)) {
        change({ statistic: value, show: "mean" });
      } else change({ [key]: value });
    });
  }
  const axes = byId("parallel-axes");
  axes.append(...[...app.varying, ...statistics].map((column) => make("label", {},
    make("input", { type: "checkbox", value: column.key, change: () => {
      const chosen = [...axes.querySelectorAll("input:checked")].map((box) => box.value);
      if (chosen.length) change({ axes: chosen.slice(0, 20) });
    } }), column.name)));
}

function setControls(state) {
  for (const [name, key] of Object.entries(CONTROLS)) document.getElementById(name).value = state[key] ?? "";
  for (const box of document.querySelectorAll("#parallel-axes input")) box.checked = state.axes.includes(box.value);
}

// ----------------------------------------------------------------------------------------- plateau

async function plateau(app, state) {
  const key = state.statistic;
  const found = await ask("plateau", { statistic: key }, { kind: "chart" });
  const column = app.columns.get(key);
  const place = document.getElementById("plateau-table");
  await app.learn([found.peak?.number, found.robust?.number, found.median.number].filter((one) => one !== undefined && one !== null));
  if (!found.peak) {
    place.replaceChildren();
    return `No combination of this run has a ${column.name} that counts.`;
  }
  const opened = (number) => make("button", { type: "button", class: "link", click: () => change({ chosen: number }) }, app.named(number));
  const edge = (point) => point.edges.length ? `at the end of ${point.edges.join(", ")}: the optimum may lie outside` : "inside of the grid";
  const shown = (value) => withUnit(column, value);
  const { peak, robust, median } = found;
  const rows = [
    ["", "Peak", "Robust choice"],
    ["Combination", opened(peak.number), robust ? opened(robust.number) : "none has enough neighbours"],
    [column.name, shown(peak.value), robust ? shown(robust.value) : ""],
    ["Mean with its neighbours", shown(peak.cross_mean), robust ? shown(robust.cross_mean) : ""],
    ["Worst neighbour", shown(peak.worst_neighbour), robust ? shown(robust.worst_neighbour) : ""],
    ["Place in the grid", edge(peak), robust ? edge(robust) : ""],
  ];
  place.replaceChildren(
    make("thead", {}, make("tr", {}, rows[0].map((text) => make("th", { scope: "col" }, text)))),
    make("tbody", {}, rows.slice(1).map(([head, ...cells]) =>
      make("tr", {}, make("th", { scope: "row" }, head), cells.map((cell) => make("td", {}, cell))))));
  return [
    `The robust choice has the best mean together with its neighbours one value away along each parameter. It is found among all ${whole(app.overview.counting)} that count, whatever the filters are.`,
    found.complete ? "" : " The run is not complete: what is missing counts as no neighbour.",
    peak.number === robust?.number ? " Here the peak is the robust choice." : "",
    ` The median combination has ${shown(median.value)}; ${plain(100 * found.profitable_share, 0)} % of those that traded made money. A plateau is no evidence of an edge: smooth noise has plateaus, too.`,
  ].join("");
}
