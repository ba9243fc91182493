// Sorts a table by the column whose heading is pressed, by mouse or keyboard; marks the section
// that is being read in the table of contents, and unfolds the one that is gone to.
"use strict";

(() => {
  const ASCENDING = "ascending";
  const DESCENDING = "descending";

  const valueOf = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
  };

  // What there is none of comes last, whichever way.
  const compare = (a, b, sign) => {
    if (typeof a === "string" || typeof b === "string") return sign * String(a).localeCompare(String(b));
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
    return sign * (a - b);
  };

  function sort(heading) {
    const table = heading.closest("table");
    const column = heading.cellIndex;
    // The first press shows the highest first, as one looks for the best.
    const order = heading.getAttribute("aria-sort") === DESCENDING ? ASCENDING : DESCENDING;
    const sign = order === ASCENDING ? 1 : -1;
    for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
    heading.setAttribute("aria-sort", order);
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [valueOf(row, column), row]);
    rows.sort(([a], [b]) => compare(a, b, sign));
    body.append(...rows.map(([, row]) => row));
  }

  for (const table of document.querySelectorAll("table[data-sortable]")) {
    table.tHead.addEventListener("click", ({ target }) => {
      const heading = target.closest("th");
      if (target.closest("button") !== null) sort(heading);
    });
  }

  // ------------------------------------------------------------------------------- contents

  const links = new Map(
    [...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const inSight = new Set();
  const watch = new IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) {
      if (isIntersecting) inSight.add(target.id);
      else inSight.delete(target.id);
    }
    const read = [...links.keys()].find((id) => inSight.has(id));
    for (const [id, link] of links) {
      if (id === read) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }, { rootMargin: "-25% 0px -60% 0px" });
  for (const id of links.keys()) watch.observe(document.getElementById(id));

  // -------------------------------------------------------------------------------- folded parts

  const unfold = () => {
    const held = document.getElementById(location.hash.slice(1))?.querySelector("details.folded");
    if (held) held.open = true;
  };
  for (const link of links.values()) link.addEventListener("click", () => setTimeout(unfold));
  addEventListener("hashchange", unfold);
  unfold();

  // On paper nothing can be opened.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")].filter((held) => !held.closest(".chart"));
    for (const held of folded) held.open = true;
  });
  addEventListener("afterprint", () => { for (const held of folded) held.open = false; });
})();
