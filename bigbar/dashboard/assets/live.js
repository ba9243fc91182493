/* The page of a run: what the server sends is put in its places. */
"use strict";

(() => {
  const { the, make, say, ask, change } = bigbar;
  const run = document.querySelector("[data-run]").dataset.run;
  const title = document.title;
  const map = new Heatmap(the("map"), the("scale"), (text) => {
    the("cell").textContent = text || "Point at a cell, or move through them with the arrow keys.";
  });
  let told = 0;
  let last = null;
  let listen = null;

  function address() {
    const asked = new URLSearchParams();
    if (the("across").value) {
      asked.set("down", the("down").value);
      asked.set("across", the("across").value);
    }
    return `/api/runs/${run}/live?${asked}`;
  }

  function problem(text) {
    the("problem").hidden = !text;
    say("problem", text || "");
  }

  function show(now) {
    document.documentElement.dataset.ready = "";
    if (now.problem) {
      problem(now.problem);
      buttons(null);
      return;
    }
    problem([now.error, ...now.problems].filter(Boolean).join(" · "));
    the("bar").value = now.share;
    say("percent", now.percent);
    say("done", now.done + (now.failed ? `, ${now.failed.toLocaleString("en")} failed` : ""));
    say("stage", now.stage ? `· ${now.stage}` : "");
    say("state", now.says);
    the("state").className = `state ${now.state}`;
    for (const name of ["speed", "left", "took", "best", "memory", "busy", "objective"]) {
      say(name, now[name]);
    }
    entitle(now.state, now.percent);
    say("best-title", now.state === "finished" ? "Best" : "Best so far");
    say("took-name", now.state === "running" ? "So far" : "Took");
    for (const name of ["speed", "left", "busy", "memory"]) {
      the(name).closest(".card").hidden = now.state !== "running";
    }
    parameters(now.at);
    workers(now.workers);
    notes(now.notes);
    buttons(now.state);
    announce(now);
    if (now.heat) heat(now.heat);
    last = now;
  }

  function entitle(state, percent) {
    document.title = state === "running" ? `${percent} · ${title}` : title;
  }

  function parameters(pairs) {
    the("none").hidden = pairs.length > 0;
    the("at").replaceChildren(
      ...pairs.map(([name, value]) => make("div", make("dt", name), make("dd", value))),
    );
  }

  function workers(all) {
    the("at-work").hidden = all.length === 0;
    const rows = all.map((one) => {
      const first = make("th", one.name);
      first.scope = "row";
      const cells = [one.done, one.seconds, one.each, one.busy].map((text) => make("td", text));
      return make("tr", first, ...cells);
    });
    the("workers").replaceChildren(...rows);
  }

  function notes(all) {
    the("events").hidden = all.length === 0 && the("notes").childElementCount === 0;
    if (all.length === 0) return; // Of a run that has ended they are gone; here they stay.
    if (all.length === the("notes").childElementCount) return;
    the("notes").replaceChildren(
      ...all.map(([at, text]) => make("li", make("time", at), ` ${text}`)).reverse(),
    );
  }

  /** For whoever listens: not each second, but when the state changes, and now and then. */
  function announce(now) {
    const changed = last && last.state !== now.state;
    if (!changed && Date.now() - told < 20000) return;
    told = Date.now();
    const left = now.state === "running" ? `, ${now.left} left` : "";
    say("said", `${now.says}: ${now.percent} done${left}`);
  }

  function heat(values) {
    the("heat").hidden = false;
    choices(values);
    map.show(values);
    say("low", map.text(map.low));
    say("high", map.text(map.high));
    const all = values.cells.length * values.cells[0].length;
    const words =
      `Best ${the("objective").textContent} of each pair of values. ` +
      `${values.known.toLocaleString("en")} of ${all.toLocaleString("en")} cells have results` +
      `${values.best ? "; the framed one has the best" : ""}.`;
    say("heat-says", words);
    the("map").setAttribute("aria-label", `Heatmap of ${values.down.name || "one row"} by ${values.across.name}`);
    if (the("as-table").open) map.fill(the("cells"));
  }

  function choices(values) {
    for (const side of ["down", "across"]) {
      const select = the(side);
      if (select.options.length === 0) {
        const names = values.axes.length > 1 ? values.axes : [side === "down" ? "" : values.axes[0]];
        select.append(...names.map((name) => new Option(name || "–", name)));
        select.disabled = names.length < 2;
      }
      if (document.activeElement !== select) select.value = values[side].name;
    }
  }

  function choose(side) {
    const [mine, other] = side === "down" ? [the("down"), the("across")] : [the("across"), the("down")];
    if (mine.value === other.value) {
      other.value = [...other.options].map((one) => one.value).find((one) => one !== mine.value);
    }
    listen();
  }

  function buttons(state) {
    if (!the("stop")) return;
    the("stop").hidden = state !== "running";
    the("resume").hidden = state !== "interrupted";
    the("delete").hidden = state === "running" || state === null;
  }

  async function changed(what, values) {
    const answer = await change(`/api/runs/${run}/${what}`, values);
    if (answer.error) problem(answer.error);
    return answer;
  }

  function begin() {
    the("down").addEventListener("change", () => choose("down"));
    the("across").addEventListener("change", () => choose("across"));
    the("as-table").addEventListener("toggle", () => {
      if (the("as-table").open) map.fill(the("cells"));
    });
    if (the("stop")) {
      the("stop").addEventListener("click", () => changed("stop"));
      the("resume").addEventListener("click", resume);
      the("delete").addEventListener("click", remove);
    }
    listen = bigbar.listen({
      address,
      show,
      lost: problem,
      hidden: `/api/runs/${run}`,
      glance: (now) => entitle(now.state, now.done),
    });
  }

  async function resume() {
    const answer = await fetch(`/api/runs/${run}/resume`);
    const plan = await answer.json();
    if (plan.error) {
      problem(plan.error);
      return;
    }
    const detail = [
      { text: "This command is started again; what is done is kept. It runs the code that it names." },
      { text: plan.command, code: true },
      { text: `In ${plan.folder}. What it says goes to ${plan.log}.` },
    ];
    if (await ask(`Resume run ${run}?`, detail, "Resume")) {
      await changed("resume", { command: plan.command }); // Just this one, and no other.
    }
  }

  async function remove() {
    const detail = [{ text: "Its rows and its answer are removed for good." }];
    if (!(await ask(`Delete run ${run}?`, detail, "Delete"))) return;
    const answer = await changed("delete");
    if (!answer.error) location.assign("/");
  }

  begin();
})();
