// What the reader has chosen, kept in the address: shared by sending it, undone by going back.

import { number } from "explore/format";

const listeners = new Set();
let app = null;
let state = null;

export const current = () => state;

// Everything in the address that is not the default.
function written() {
  const standard = defaults();
  const changed = Object.entries(state)
    .filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(standard[name]));
  if (!changed.length) return "";
  return changed.map(([name, value]) => `${name}=${encodeURIComponent(JSON.stringify(value))}`).join("&");
}

function read() {
  const found = defaults();
  for (const part of location.hash.slice(1).split("&")) {
    const [name, text] = part.split("=", 2);
    if (!(name in found) || text === undefined) continue;
    try {
      const value = JSON.parse(decodeURIComponent(text));
      if (fits(name, value)) found[name] = value;
    } catch { /* Of an address that somebody has cut. */ }
  }
  return found;
}

// An address may be anybody's: what is in it must be of the kind that it stands for.
function fits(name, value) {
  const isColumn = (key) => app.columns.has(key);
  const isParameter = (key) => isColumn(key) && app.columns.get(key).kind === "parameter";
  switch (name) {
    case "filters":
      return value !== null && typeof value === "object" && !Array.isArray(value)
        && Object.keys(value).every(isColumn);
    case "view": return ["scatter", "parallel", "heatmap", "plateau"].includes(value);
    case "sort": return value === null || isColumn(value);
    case "descending": return typeof value === "boolean";
    case "x": case "y": return isColumn(value);
    case "across": case "down": return isParameter(value);
    case "statistic": return isColumn(value) && !isParameter(value);
    case "show": return ["mean", "best", "worst", "count"].includes(value);
    case "axes": case "columns":
      return Array.isArray(value) && value.length > 0 && value.length <= 40 && value.every(isColumn);
    case "chosen":
      return value === null || (Number.isInteger(value) && value >= 0 && value < app.overview.combinations);
    default: return false;
  }
}

function defaults() {
  const { overview, varying } = app;
  const objective = app.columns.get(overview.objective);
  const rest = ["s:Return [%]", "s:Sharpe Ratio", "s:Max. Drawdown [%]", "s:Profit Factor",
    "s:Win Rate [%]", "s:# Trades"];
  const told = [...new Set([...overview.objectives, ...rest])];
  const other = overview.objectives[1] ?? (objective.key === "s:Return [%]" ? "s:Max. Drawdown [%]" : "s:Return [%]");
  const pair = [...varying].sort((a, b) => b.count - a.count).slice(0, 2).map((column) => column.key);
  return {
    filters: { "s:# Trades": { least: overview.min_trades } },
    view: "scatter",
    sort: objective.key,
    descending: objective.better !== -1,
    x: other, y: objective.key,
    across: pair[0] ?? null, down: pair[1] ?? null,
    statistic: objective.key, show: "mean",
    axes: [...varying.slice(0, 8).map((column) => column.key), ...told.slice(0, 4)],
    columns: [...varying.map((column) => column.key), ...told],
    chosen: overview.best,
  };
}

export const connect = (started) => { app = started; };

// Once it is known what the run has.
export function begin() {
  state = read();
  // Going back and forth, and an address that was edited by hand.
  addEventListener("popstate", () => { state = read(); tell(); });
}

const tell = () => listeners.forEach((listener) => listener(state));

export const listen = (listener) => { listeners.add(listener); };

// Change something. Each choice is a step to go back by; dragging and typing are not.
export function change(some, { step = true } = {}) {
  const before = JSON.stringify(state);
  state = { ...state, ...some };
  if (JSON.stringify(state) === before) return;
  const hash = written();
  const address = hash ? `#${hash}` : location.pathname + location.search;
  history[step ? "pushState" : "replaceState"](null, "", address);
  tell();
}

export function filter(key, said) {
  const filters = { ...state.filters };
  if (said === null) delete filters[key];
  else filters[key] = said;
  change({ filters });
}

// ------------------------------------------------------------------------------------------ pins

export const MOST_PINS = 6;
const place = () => `bigbar-pins-${app.overview.fingerprint}`;

export function pins() {
  try {
    const found = JSON.parse(sessionStorage.getItem(place()) ?? "[]");
    if (!Array.isArray(found)) return [];
    return found.filter((one) => Number.isInteger(one) && one >= 0 && one < app.overview.combinations)
      .slice(0, MOST_PINS);
  } catch { return []; }
}

export function pin(combination, on) {
  const others = pins().filter((one) => one !== combination);
  const now = on ? [...others, combination].slice(-MOST_PINS) : others;
  try { sessionStorage.setItem(place(), JSON.stringify(now)); } catch { /* Private windows may refuse. */ }
  tell();
}

// ------------------------------------------------------------------------------------- questions

// Ask the server; only the last of several questions of one kind is answered.
const running = new Map();

export async function ask(name, asked, { kind = name } = {}) {
  return get(`${name}?ask=${encodeURIComponent(JSON.stringify(asked))}`, { kind });
}

export async function get(path, { kind = path, headers = {} } = {}) {
  running.get(kind)?.abort();
  const abort = new AbortController();
  running.set(kind, abort);
  let answer, told;
  try {
    answer = await fetch(`/api/runs/${app.run}/explore/${path}`, { signal: abort.signal, headers });
    told = await answer.json();
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    throw new Error("The dashboard does not answer. Is it still running in its terminal?");
  }
  if (!answer.ok) throw new Error(told?.error ?? `The dashboard answered ${answer.status}.`);
  return told;
}

export const isOld = (problem) => problem.name === "AbortError";

export const bounds = (column) => [number(column.low), number(column.high)];
