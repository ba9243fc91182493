/* What every page of the dashboard does: short ways to elements, questions, and changes of runs. */
"use strict";

const bigbar = {
  /** An element by its id. */
  the(id) {
    return document.getElementById(id);
  },

  /** A new element with text and children; what comes from a store is never markup. */
  make(name, ...content) {
    const element = document.createElement(name);
    element.append(...content);
    return element;
  },

  /** Have an element say something, if it does not say it already. */
  say(id, text) {
    const element = bigbar.the(id);
    if (element && element.textContent !== text) element.textContent = text;
  },

  /** Ask before something is done; a promise of whether it may be. */
  ask(question, detail, yes) {
    const dialog = bigbar.make("dialog", bigbar.make("h2", question));
    dialog.setAttribute("aria-label", question);
    for (const line of detail) dialog.append(bigbar.make(line.code ? "pre" : "p", line.text));
    const agree = bigbar.make("button", yes);
    const leave = bigbar.make("button", "Cancel");
    agree.className = "strong";
    agree.value = "yes";
    const form = bigbar.make("form", agree, leave);
    form.method = "dialog";
    form.className = "controls";
    dialog.append(form);
    document.body.append(dialog);
    dialog.showModal();
    leave.focus();
    return new Promise((answer) => {
      dialog.addEventListener("close", () => {
        answer(dialog.returnValue === "yes");
        dialog.remove();
      });
    });
  },

  /** Change something; what the server says of it. */
  async change(address, values = {}) {
    try {
      const answer = await fetch(address, {
        method: "POST",
        headers: { "X-BigBar": "1", "Content-Type": "application/json" },
        body: JSON.stringify(values),
      });
      return await answer.json();
    } catch {
      return { error: "The dashboard does not answer. Was it ended?" };
    }
  },
};
