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

  /**
   * Be told what changes at an address, as long as the page is seen. A browser keeps six such
   * connections to a server, of all its pages together: a page that is hidden asks now and then.
   */
  listen({ address, show, lost, hidden, glance }) {
    let source = null;
    let timer = null;
    const open = () => {
      source?.close();
      clearInterval(timer);
      source = new EventSource(address());
      source.onmessage = (event) => show(JSON.parse(event.data));
      source.onopen = () => lost("");
      source.onerror = () => lost(
        source.readyState === EventSource.CLOSED
          ? "This page is not kept up to date any more: open the address that the dashboard printed."
          : "The dashboard does not answer: it was ended. 'bigbar dashboard' opens it again.",
      );
    };
    const ask = () => fetch(hidden).then((answer) => answer.json()).then(glance).catch(() => null);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) {
        open();
        return;
      }
      source?.close();
      timer = setInterval(ask, 20000);
    });
    open();
    return open;
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
