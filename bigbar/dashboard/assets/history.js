/* The list of runs: what goes on moves, the list can be searched, and two runs be compared. */
"use strict";

(() => {
  const { the, say, ask } = bigbar;
  const picked = () => [...document.querySelectorAll("#runs input:checked")];

  function problem(text) {
    the("problem").hidden = !text;
    say("problem", text || "");
  }

  function choose() {
    const all = picked();
    const whole = all.filter((box) => !("damaged" in box.dataset));
    the("compare").disabled = !(all.length === 2 && whole.length === 2);
    if (the("delete")) the("delete").disabled = all.length === 0;
    const numbers = all.map((box) => box.value).join(", ");
    say("chosen", all.length ? `Chosen: ${numbers}` : "Choose two runs to compare them.");
  }

  function filter() {
    const words = the("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const section of document.querySelectorAll("#runs section")) {
      const title = section.querySelector("h2").textContent.toLowerCase();
      let any = false;
      for (const row of section.querySelectorAll("tr[data-run]")) {
        const text = `${title} ${row.textContent.toLowerCase()}`;
        row.hidden = !words.every((word) => text.includes(word));
        any = any || !row.hidden;
      }
      section.hidden = words.length > 0 && !any;
    }
  }

  /** The list as it is now, drawn by the server; what was chosen stays chosen. */
  async function redraw() {
    const answer = await fetch(location.href);
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const chosen = new Set(picked().map((box) => box.value));
    const focused = document.activeElement?.closest?.("[data-run]")?.dataset.run;
    the("runs").replaceWith(fresh.getElementById("runs"));
    for (const box of document.querySelectorAll("#runs input")) box.checked = chosen.has(box.value);
    if (focused) document.querySelector(`[data-run="${focused}"] a`)?.focus();
    filter();
    choose();
  }

  let redrawing = null;

  function show(now) {
    document.documentElement.dataset.ready = "";
    problem(now.problem);
    if (now.problem) return;
    if (now.states !== the("runs").dataset.states && !redrawing) {
      redrawing = redraw().finally(() => {
        redrawing = null;
      });
    }
    for (const run of now.live) {
      const row = document.querySelector(`tr[data-run="${run.id}"]`);
      if (!row?.querySelector("progress")) continue;
      row.querySelector("progress").value = run.share;
      row.querySelector(".share").textContent = run.says;
      row.querySelector(".took").textContent = `${run.left} left`;
    }
  }

  async function remove() {
    const numbers = picked().map((box) => Number(box.value));
    const what = numbers.length === 1 ? `run ${numbers[0]}` : `${numbers.length} runs`;
    const detail = [{ text: `${numbers.join(", ")}: the rows and answers are removed for good.` }];
    if (!(await ask(`Delete ${what}?`, detail, "Delete"))) return;
    const answer = await bigbar.change("/api/delete", { ids: numbers });
    problem(answer.error);
    if (answer.said) say("said", answer.said);
    await redraw();
  }

  the("tools").hidden = false;
  the("filter").addEventListener("input", filter);
  document.addEventListener("change", (event) => {
    if (event.target.closest("#runs")) choose();
  });
  the("compare").addEventListener("click", () => {
    const [one, other] = picked().map((box) => Number(box.value)).sort((a, b) => a - b);
    location.assign(`/compare?a=${one}&b=${other}`);
  });
  if (the("delete")) the("delete").addEventListener("click", remove);
  choose();
  filter();
  bigbar.listen({
    address: () => "/api/live",
    show,
    lost: problem,
    hidden: "/api/alive",
    glance: () => null,
  });
})();
