// Numbers, durations and times as a person reads them, and elements made of plain text.

export const NONE = "–";
const SPACE = "\u00a0";
const DAY_S = 86400;

// JSON has no infinity: those come as text.
export const number = (value) =>
  value === "inf" ? Infinity : value === "-inf" ? -Infinity : value === null ? NaN : Number(value);

const grouped = new Map();

function digitsText(value, digits) {
  if (!grouped.has(digits)) {
    grouped.set(digits, new Intl.NumberFormat("en-US",
      { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  }
  return grouped.get(digits).format(value);
}

export function plain(value, digits = 2) {
  if (Number.isNaN(value)) return NONE;
  if (!Number.isFinite(value)) return value < 0 ? "−∞" : "∞";
  const size = Math.abs(value);
  const text = size >= 1e15 ? size.toExponential(2) : digitsText(size, digits);
  return (value < 0 && /[1-9]/.test(text) ? "−" : "") + text;
}

// How many decimals the values of a column need: as many for all, so that they line up.
export function decimals(column) {
  if (column.kind === "count") return 0;
  if (column.unit === "$") return 2;
  const reach = Math.max(Math.abs(column.low ?? 1), Math.abs(column.high ?? 1));
  return reach >= 1 || reach === 0 ? 2 : Math.min(8, 2 - Math.floor(Math.log10(reach)));
}

export function duration(days) {
  if (!Number.isFinite(days)) return plain(days);
  let left = Math.round(Math.abs(days) * DAY_S);
  const parts = [];
  for (const [unit, size] of [["d", DAY_S], ["h", 3600], ["min", 60], ["s", 1]]) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count || parts.length) parts.push(count ? `${digitsText(count, 0)} ${unit}` : "");
    if (parts.length === 2) break;
  }
  return parts.filter(Boolean).join(" ").replaceAll(" ", SPACE) || `0${SPACE}s`;
}

// A value of a column; `given` as it came, a parameter's of whatever kind it is.
export function cell(column, given) {
  if (column.kind === "parameter") return parameter(given);
  const value = number(given);
  return column.kind === "duration" ? duration(value) : plain(value, decimals(column));
}

export function withUnit(column, given) {
  const text = cell(column, given);
  return column.unit === "%" && text !== NONE ? `${text}${SPACE}%` : text;
}

export function parameter(given) {
  if (given === null) return "None";
  if (given === true) return "True";
  if (given === false) return "False";
  if (typeof given === "number") return String(Number(given.toPrecision(12))).replace("-", "−");
  return String(given);
}

// The text of one of a parameter's values, by its place.
export function valueAt(column, place) {
  const text = column.texts?.[place];
  if (text === undefined) return `value ${place + 1}`;
  return column.numbers ? text.replace("-", "−") : text;
}

// A number as a person types it; null for nothing, undefined for what is none.
export function typed(text) {
  const cleaned = text.trim().replace(/[−–]/g, "-").replace(/[,\s\u00a0]/g, "").replace(/[%$]$/, "");
  if (cleaned === "") return null;
  const value = Number(cleaned);
  return Number.isFinite(value) ? value : undefined;
}

// Times of bars are shown as the file has them: in UTC, whatever the reader's zone is.
export function day(milliseconds) {
  return new Date(milliseconds).toISOString().slice(0, 10);
}

export function minute(milliseconds) {
  return new Date(milliseconds).toISOString().slice(0, 16).replace("T", " ");
}

export const count = (amount, noun) => `${digitsText(amount, 0)} ${noun}${amount === 1 ? "" : "s"}`;

export const whole = (amount) => digitsText(amount, 0);

// An element: attributes by name, functions as listeners, text as text and never as markup.
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const option = (value, text, chosen) => make("option", { value, selected: value === chosen }, text);
