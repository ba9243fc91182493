// The page of a run's combinations: what all its parts know, and the first look.

import { charts } from "explore/charts";
import { compare } from "explore/compare";
import { detail } from "explore/detail";
import { between, filters, span } from "explore/filters";
import { make, parameter, whole } from "explore/format";
import { begin, connect, current, get, isOld } from "explore/state";
import { table } from "explore/table";

const AGAIN_MS = 5000; // A run that goes on is looked at again.

const app = {
  run: Number(document.getElementById("explore").dataset.run),
  overview: null,
  columns: new Map(),
  varying: [],
  known: new Map(),
  replays: new Map(),
  between,
  span,

  // What is stored of combinations, so that they can be named and marked.
  async learn(numbers) {
    const missing = [...new Set(numbers)].filter((one) => Number.isInteger(one) && !this.known.has(one));
    await Promise.all(missing.map(async (one) => {
      try {
        this.known.set(one, await get(`combinations/${one}`, { kind: `combination ${one} ${Math.random()}` }));
      } catch (problem) {
        if (!isOld(problem)) throw problem;
      }
    }));
  },

  named(one) {
    const known = this.known.get(one);
    if (!known) return `combination ${whole(one)}`;
    const values = [...this.columns.values()].map((column, at) => [column, known.values[at]]);
    const parameters = values.filter(([column]) => column.kind === "parameter");
    const told = parameters.filter(([column]) => column.count > 1);
    return (told.length ? told : parameters).map(([column, value]) => `${column.name} ${parameter(value)}`).join(", ")
      || "the strategy as it is";
  },

  // Where combinations stand along some columns: numbers, or which of a parameter's values.
  places(columns) {
    const order = [...this.columns.keys()];
    return (one) => {
      const known = this.known.get(one);
      if (!known?.done) return null;
      const found = columns.map((column) => column.kind === "parameter"
        ? known.places[order.indexOf(column.key)] : known.values[order.indexOf(column.key)]);
      return found.every((value) => typeof value === "number") ? found : null;
    };
  },

  say(text) { document.getElementById("said").textContent = text; },
};

function learnOverview(overview) {
  app.overview = overview;
  app.columns = new Map(overview.columns.map((column) => [column.key, column]));
  app.varying = overview.columns.filter((column) => column.kind === "parameter" && column.count > 1);
  const notes = [...overview.notes.map((note) => `${note}; such rows are left out.`)];
  if (overview.objective_is_a_function) {
    notes.push(`This run was to find the best ${overview.objective_asked}, a function whose values are not stored; “best” here means the best Return [%].`);
  }
  if (overview.state === "failed") notes.push("This run failed its verification: its rows are not to be trusted.");
  if (overview.state === "running") notes.push("This run goes on: what is shown grows with it.");
  if (overview.failed) {
    notes.push(`${whole(overview.failed)} failed, the first for: ${overview.failures[0].cause}`);
  }
  document.getElementById("notes").replaceChildren(...notes.map((note) => make("p", { class: "warning" }, note)));
  document.getElementById("summary").textContent =
    `${overview.strategy} on ${overview.data}: ${whole(overview.done)} of ${whole(overview.combinations)} combinations, ${whole(overview.counting)} count.`;
}

async function start() {
  connect(app);
  try {
    learnOverview(await get("overview"));
  } catch (problem) {
    document.getElementById("notes").replaceChildren(make("p", { class: "warning", role: "alert" }, problem.message));
    return;
  }
  begin();
  document.getElementById("parts").hidden = false;
  const parts = [filters(app), charts(app), table(app), detail(app), compare(app)];
  await Promise.all(parts.map((part) => part.show(current())));
  document.documentElement.dataset.ready = "";
  // A dashboard that a run has brought along ends when no page listens: this one does.
  new EventSource("/api/live");
  const lookAgain = async () => {
    if (app.overview.state !== "running") return;
    try {
      const before = app.overview.done;
      learnOverview(await get("overview"));
      if (app.overview.done !== before) {
        app.known.clear();
        await Promise.all(parts.map((part) => part.show(current(), { anew: true })));
      }
    } catch { /* The next look may find it. */ }
    setTimeout(lookAgain, AGAIN_MS);
  };
  setTimeout(lookAgain, AGAIN_MS);
}

start();
