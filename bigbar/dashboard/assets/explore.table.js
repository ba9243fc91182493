// The table: as many rows as are seen, asked for as one scrolls; a million are no more work.

import { cell, count, make, whole } from "explore/format";
import { ask, change, current, isOld, listen, pins } from "explore/state";

const ROW = 31;           // Pixels, as in the style sheet.
const TALLEST = 6_000_000; // Browsers know no taller elements; beyond it a pixel is several rows.
const PAGE = 200;

export function table(app) {
  const scroller = document.getElementById("rows");
  const sizer = scroller.querySelector(".sizer");
  const held = scroller.querySelector("table");
  const head = held.tHead, body = held.tBodies[0];
  const counted = document.getElementById("rows-count");
  const chooser = document.getElementById("columns");
  const order = [...app.columns.keys()];
  let pages = new Map(), asked = "", total = 0, focused = 0, columns = "", waiting = null;

  for (const column of app.columns.values()) {
    chooser.append(make("label", {}, make("input", {
      type: "checkbox", value: column.key, change: () => {
        const chosen = [...chooser.querySelectorAll("input:checked")].map((box) => box.value);
        if (chosen.length) change({ columns: chosen });
      },
    }), column.name));
  }

  const seen = () => Math.max(1, Math.floor((scroller.clientHeight - head.offsetHeight) / ROW));
  const reach = () => Math.max(0, total - seen());
  const height = () => Math.min(total * ROW, TALLEST);
  const travel = () => Math.max(1, height() - seen() * ROW);
  const first = () => Math.min(reach(), Math.round(scroller.scrollTop / travel() * reach()));

  function scrollTo(row) {
    const top = reach() ? row / reach() * travel() : 0;
    if (Math.abs(scroller.scrollTop - top) > 0.5) scroller.scrollTop = top;
  }

  function question(state, offset) {
    return { filters: state.filters, sort: state.sort, descending: state.descending, offset, count: PAGE };
  }

  async function page(number) {
    if (pages.has(number)) return;
    pages.set(number, null);
    const mine = pages;
    try {
      const found = await ask("rows", question(current(), number * PAGE), { kind: `rows ${number}` });
      if (mine !== pages) return;
      pages.set(number, found);
      if (found.total !== total) { total = found.total; resize(); }
      draw();
    } catch (problem) {
      mine.delete(number);
      if (!isOld(problem) && mine === pages) counted.textContent = problem.message;
    }
  }

  function resize() {
    sizer.style.height = `${height() + head.offsetHeight}px`;
    // No taller than its rows, with room for a bar to scroll by.
    scroller.style.maxHeight = `${Math.max(3, total) * ROW + head.offsetHeight + 20}px`;
    held.setAttribute("aria-rowcount", total + 1);
    counted.textContent = `${whole(total)} of ${count(app.overview.done, "combination")} pass`;
    scroller.dataset.total = total;
  }

  function drawHead(state) {
    const shown = order.filter((key) => state.columns.includes(key)).map((key) => app.columns.get(key));
    const wanted = JSON.stringify([shown.map((column) => column.key), state.sort, state.descending]);
    if (wanted === columns) return;
    columns = wanted;
    head.replaceChildren(make("tr", {}, shown.map((column) => make("th", {
      scope: "col",
      "aria-sort": state.sort === column.key ? (state.descending ? "descending" : "ascending") : null,
    }, make("button", { type: "button", click: () => sortBy(column) }, breakable(column.name))))));
  }

  // Long names may break where words end.
  const breakable = (name) => name.split(/(?<=_)/).flatMap((part) => [part, document.createElement("wbr")]);

  function sortBy(column) {
    const state = current();
    const better = column.kind !== "parameter" && column.better !== -1;
    change({ sort: column.key, descending: state.sort === column.key ? !state.descending : better });
  }

  function draw() {
    const state = current();
    const shown = order.map((key, place) => [key, place]).filter(([key]) => state.columns.includes(key))
      .map(([key, place]) => [app.columns.get(key), place]);
    const start = first(), pinned = pins();
    const hadFocus = body.contains(document.activeElement);
    const rows = [];
    for (let row = start; row < Math.min(start + seen() + 1, total); row++) {
      const found = pages.get(Math.floor(row / PAGE));
      const number = found?.numbers[row % PAGE];
      const values = found?.rows[row % PAGE];
      const place = pinned.indexOf(number);
      rows.push(make("tr", {
        "aria-rowindex": row + 2, "data-number": number, "data-row": row,
        tabindex: row === focused ? 0 : -1,
        "aria-selected": number !== undefined && number === state.chosen ? "true" : null,
        class: place >= 0 ? `pinned p${place + 1}` : null,
      }, shown.map(([column, at]) => make("td", {}, values ? cell(column, values[at]) : "…"))));
    }
    body.replaceChildren(...rows);
    if (hadFocus) body.querySelector("[tabindex='0']")?.focus({ preventScroll: true });
    const [low, high] = [Math.floor(start / PAGE), Math.floor(Math.min(start + seen(), Math.max(total - 1, 0)) / PAGE)];
    for (let number = low; number <= high; number++) page(number);
  }

  async function show(state, { anew = false } = {}) {
    for (const box of chooser.querySelectorAll("input")) box.checked = state.columns.includes(box.value);
    drawHead(state);
    const wanted = JSON.stringify([state.filters, state.sort, state.descending]);
    if (wanted !== asked || anew) {
      const isOther = wanted !== asked;
      asked = wanted;
      pages = new Map();
      if (isOther) { scroller.scrollTop = 0; focused = 0; }
      await page(Math.floor(first() / PAGE));
    }
    draw();
  }

  scroller.addEventListener("scroll", () => {
    waiting ??= requestAnimationFrame(() => { waiting = null; draw(); });
  }, { passive: true });
  new ResizeObserver(draw).observe(scroller);
  body.addEventListener("click", (event) => open(event.target.closest("tr")));
  body.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { open(event.target.closest("tr")); event.preventDefault(); return; }
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: seen(), PageUp: -seen(), Home: -total, End: total }[event.key];
    if (!step) return;
    event.preventDefault();
    focused = Math.min(Math.max(focused + step, 0), Math.max(0, total - 1));
    const start = first();
    if (focused < start) scrollTo(focused);
    else if (focused >= start + seen()) scrollTo(focused - seen() + 1);
    draw();
    body.querySelector("[tabindex='0']")?.focus({ preventScroll: true });
  });

  function open(row) {
    if (!row || row.dataset.number === undefined) return;
    focused = Number(row.dataset.row);
    change({ chosen: Number(row.dataset.number) });
  }

  listen(show);
  return { show };
}
