// The combination that is open: its statistics out of the store, equity and trades computed now.

import { curves, told } from "explore/curves";
import { cell, count, make, minute, NONE, number, plain, whole, withUnit } from "explore/format";
import { change, current, get, isOld, listen, MOST_PINS, pin, pins } from "explore/state";

const TRADES = 100;  // Rows that are added at once.

const agreedPlace = (app) => `bigbar-agreed-${app.overview.fingerprint}`;

// Equity and trades of a combination, once; null where a person has to agree first.
export async function computed(app, known, { kind = `replay ${known.number}` } = {}) {
  if (app.replays.has(known.number)) return app.replays.get(known.number);
  const { needs } = known;
  if (!needs.unasked && sessionStorage.getItem(agreedPlace(app)) !== needs.key) return null;
  const found = await get(`combinations/${known.number}/replay`, {
    kind, headers: needs.unasked ? {} : { "X-BigBar-Agreed": needs.key },
  });
  app.replays.set(known.number, found);
  return found;
}

export function detail(app) {
  const place = document.getElementById("detail");
  const byId = (name) => document.getElementById(name);
  const drawing = curves(byId("equity-canvas"));
  let asked = null, turn = 0;

  async function show(state, { anew = false } = {}) {
    if (state.chosen === null) { place.dataset.empty = ""; return; }
    delete place.dataset.empty;
    showPin(state.chosen);
    if (state.chosen === asked && !anew) return;
    asked = state.chosen;
    const mine = ++turn;
    try {
      await app.learn([state.chosen]);
      const known = app.known.get(state.chosen);
      if (mine !== turn || !known) return;
      showKnown(known);
      byId("trades").replaceChildren();
      byId("trades-says").textContent = "";
      drawing.show([]);
      delete place.dataset.without;
      await new Promise((resolve) => setTimeout(resolve, 120)); // Whoever steps through rows passes on.
      if (mine === turn) await compute(known, mine);
    } catch (problem) {
      if (mine !== turn || isOld(problem)) return;
      asked = null; // The next look may find it.
      say(problem.message);
    }
  }

  const say = (text, ...more) => byId("equity-says").replaceChildren(text, ...more);

  async function compute(known, mine) {
    if (!known.done) { say("This combination has not been computed yet: the run goes on."); return; }
    place.setAttribute("aria-busy", "true");
    delete place.dataset.without;
    say("Computing equity and trades …");
    try {
      const found = await computed(app, known, { kind: "replay" });
      if (mine !== turn) return;
      if (found === null) ask(known, mine);
      else showComputed(known, found);
    } catch (problem) {
      if (mine !== turn || isOld(problem)) return;
      place.dataset.without = "";
      say(make("strong", {}, "Equity and trades cannot be shown: "), problem.message);
    } finally {
      if (mine === turn) place.removeAttribute("aria-busy");
    }
  }

  // Somebody has to agree before code runs that does not come along with the program.
  function ask(known, mine) {
    const { needs } = known;
    place.dataset.without = "";
    const names = [make("code", {}, needs.strategy), " on ", make("code", {}, needs.data || NONE)];
    if (!needs.may_agree) {
      say("Equity and trades would run the code of ", ...names, ". Other machines may look at this dashboard, so it runs none; start it with ", make("code", {}, "--allow-changes"), " to have it do so.");
      return;
    }
    say(make("span", {}, "Equity and trades are computed by running the code of ", ...names,
      " on this computer. The statistics below are stored: nothing runs for them. Run it only if you trust that file."),
    make("button", { type: "button", id: "agree", click: () => {
      try { sessionStorage.setItem(agreedPlace(app), needs.key); } catch { /* Asked again next time. */ }
      if (mine === turn) compute(known, mine);
    } }, "Run this strategy’s code"));
  }

  function showKnown(known) {
    byId("detail-name").textContent = app.named(known.number);
    const objective = app.columns.get(app.overview.objective);
    const standing = known.place === null ? "does not count"
      : `place ${whole(known.place)} of ${whole(known.counting)} by ${objective.name}`;
    byId("detail-place").textContent = known.cause
      ? `Combination ${whole(known.number)} failed: ${known.cause}` : `Combination ${whole(known.number)}, ${standing}`;
    const statistics = [...app.columns.values()].map((column, at) => [column, known.values[at]]);
    byId("statistics").replaceChildren(...statistics.filter(([column]) => column.kind !== "parameter")
      .map(([column, value]) => make("tr", {}, make("th", { scope: "row" }, column.name), make("td", {}, cell(column, value)))));
    byId("neighbours").replaceChildren(...known.neighbours.map((each) => make("tr", {},
      make("th", { scope: "row" }, make("button", { type: "button", class: "link", click: () => change({ chosen: each.number }) },
        `${each.parameter} ${each.text.replace("-", "−")}`)),
      make("td", {}, withUnit(objective, each.value)))));
    byId("neighbours-of").textContent = objective.name;
  }

  // At once: whoever pins means the combination that they have just chosen.
  function showPin(chosen) {
    const on = pins().includes(chosen);
    const button = byId("pin");
    button.setAttribute("aria-pressed", on);
    button.textContent = on ? "Unpin" : "Pin to compare";
    button.disabled = !on && pins().length >= MOST_PINS;
    button.title = button.disabled ? `${MOST_PINS} are pinned; unpin one first` : "";
  }

  byId("pin").addEventListener("click", () => {
    const { chosen } = current();
    if (chosen !== null) pin(chosen, !pins().includes(chosen));
  });

  function showComputed(known, found) {
    const curve = { name: "This combination", colour: "chosen", dash: [], ...found };
    drawing.show([curve]);
    say(...[found.edited ? make("strong", { class: "changed" }, `${found.edited} changed since the run: what is drawn is of the code as it is now. `) : null,
      found.differing_count ? make("strong", { class: "changed" }, `${count(found.differing_count, "statistic")} now ${found.differing_count === 1 ? "differs" : "differ"} from what is stored: ${
        found.differing.map(({ what, stored, now }) => `${what} ${plain(number(stored), 4)} stored, ${plain(number(now), 4)} now`).join("; ")}. `) : null,
      `${told(curve).replace(/^This combination: e/, "E")} Computed by backtesting.py just now`,
      found.differing_count || known.cause ? "." : "; all 30 statistics are as stored.",
      found.times.length < found.points ? ` Drawn from ${whole(found.times.length)} of ${count(found.points, "bar")}; no extreme is left out.` : "",
    ].filter(Boolean));
    showTrades(found, 0);
  }

  function showTrades(found, from) {
    const body = byId("trades");
    const formats = found.trade_columns.map(format);
    if (!from) {
      byId("trades-head").replaceChildren(...found.trade_columns.map((name) => make("th", { scope: "col" }, titled(name))));
      body.replaceChildren();
    }
    body.append(...found.trades.slice(from, from + TRADES).map((row) =>
      make("tr", {}, row.map((value, at) => make("td", {}, formats[at](value))))));
    const shown = Math.min(from + TRADES, found.trades.length);
    byId("trades-says").textContent = found.trade_count === 0 ? "It made no trade."
      : shown < found.trade_count ? `The first ${whole(shown)} of ${count(found.trade_count, "trade")}.` : `All ${count(found.trade_count, "trade")}.`;
    const more = byId("trades-more");
    more.hidden = shown >= found.trades.length;
    more.onclick = () => showTrades(found, shown);
  }

  listen(show);
  return { show };
}

const titled = (name) => name === "ReturnPct" ? "ReturnPct [%]" : name;

function format(name) {
  if (name.endsWith("Time")) return minute;
  if (name.endsWith("Bar") || name === "Size") return (value) => plain(number(value), Number.isInteger(value) ? 0 : 6);
  if (name === "ReturnPct") return (value) => plain(100 * number(value), 3);
  if (name.endsWith("Price")) return (value) => plain(number(value), Math.abs(value) < 10 ? 5 : 2);
  return (value) => plain(number(value), 2);
}
