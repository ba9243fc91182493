// Pinned combinations side by side: their equity in one drawing, their statistics in one table.

import { DASHES, PINS } from "explore/axes";
import { curves, told } from "explore/curves";
import { cell, make, number } from "explore/format";
import { computed } from "explore/detail";
import { change, isOld, listen, pin, pins } from "explore/state";

// More of these is neither better nor worse in itself.
const NO_MERIT = new Set(["s:Exposure Time [%]", "s:Beta", "s:# Trades", "s:Equity Peak [$]"]);

export function compare(app) {
  const place = document.getElementById("compare");
  const drawing = curves(document.getElementById("compare-canvas"));
  const says = document.getElementById("compare-says");
  const legend = document.getElementById("compare-legend");
  let shown = "", turn = 0;

  async function show(_state, { anew = false } = {}) {
    const now = pins();
    document.getElementById("pinned").textContent = now.length ? `Compare ${now.length} pinned` : "";
    document.getElementById("pinned").hidden = !now.length;
    place.hidden = !now.length;
    const wanted = JSON.stringify(now);
    const isOther = wanted !== shown || anew;
    shown = wanted;
    if (!now.length) return;
    const mine = isOther ? ++turn : turn;
    try {
      await app.learn(now);
      if (mine !== turn) return;
      const known = now.map((one) => app.known.get(one)).filter(Boolean);
      if (isOther) showTable(known);
      await showCurves(known, mine);
    } catch (problem) {
      if (!isOld(problem) && mine === turn) says.textContent = problem.message;
    }
  }

  async function showCurves(known, mine) {
    const missing = [], found = [];
    for (const [at, each] of known.entries()) {
      let replay = null;
      try {
        replay = await computed(app, each);
      } catch (problem) {
        if (isOld(problem)) return;
        missing.push(`${at + 1}: ${problem.message}`);
        continue;
      }
      if (mine !== turn) return;
      if (replay) found.push({ name: String(at + 1), colour: PINS[at], dash: DASHES[at], ...replay });
      else missing.push(`${at + 1}: open it to see its equity`);
    }
    place.dataset.curves = found.length;
    drawing.show(found);
    says.textContent = [...found.map(told), ...missing,
      found.length ? "The dotted line is buy and hold, from where the first of them could act." : ""].join(" ");
  }

  function showTable(known) {
    legend.replaceChildren(...known.map((each, at) => make("li", { class: `p${at + 1}` },
      make("span", { class: "swatch", "aria-hidden": "true" }),
      make("button", { type: "button", class: "link", click: () => change({ chosen: each.number }) }, `${at + 1}: ${app.named(each.number)}`),
      make("button", { type: "button", class: "remove", "aria-label": `Unpin ${at + 1}`, title: "Unpin", click: () => pin(each.number, false) }, "×"))));
    document.getElementById("compare-head").replaceChildren(make("th", { scope: "col" }, ""),
      ...known.map((_, at) => make("th", { scope: "col", class: `p${at + 1}` }, make("span", { class: "swatch", "aria-hidden": "true" }), String(at + 1))));
    const rows = [...app.columns.values()].map((column, at) => [column, known.map((each) => each.values[at])]);
    document.getElementById("compare-rows").replaceChildren(...rows
      .filter(([column]) => column.kind !== "parameter" || column.count > 1)
      .map(([column, values]) => {
        const best = bestOf(column, values);
        const differs = new Set(values.map((value) => JSON.stringify(value))).size > 1;
        return make("tr", { class: column.kind === "parameter" ? (differs ? "differs" : "same") : null },
          make("th", { scope: "row" }, column.name),
          values.map((value) => make("td", { class: best !== null && number(value) === best ? "best" : null },
            cell(column, value),
            best !== null && number(value) === best ? make("span", { class: "unseen-text" }, " (best)") : null)));
      }));
  }

  // The best of a row, where one of them is better than another.
  function bestOf(column, values) {
    if (!column.better || NO_MERIT.has(column.key) || values.length < 2) return null;
    const known = values.map(number).filter((value) => !Number.isNaN(value));
    const best = column.better > 0 ? Math.max(...known) : Math.min(...known);
    return known.length > 1 && known.some((value) => value !== best) ? best : null;
  }

  listen(show);
  return { show };
}
