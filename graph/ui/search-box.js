// The search box. It searches while the user types, with a debounce.

import { byId } from "./dom.js";

const DEBOUNCE_MS = 150;

/** The text of the box. Setting it does not start a search. */
export const box = {
  get text() {
    return byId("text").value.trim();
  },

  set text(text) {
    clearTimeout(typing);
    if (this.text !== text) byId("text").value = text;
  },
};

let typing;

/** `onsearch` is called after the text has changed, `onleave` when ArrowDown is pressed. */
export function watchSearchBox({ onsearch, onleave }) {
  const input = byId("text");
  const search = () => {
    clearTimeout(typing);
    onsearch();
  };
  input.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(search, DEBOUNCE_MS);
  });
  byId("search").addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  input.addEventListener("keydown", (event) => {
    // While an input method composes a word, it uses these keys itself.
    if (event.isComposing) return;
    if (event.key === "Escape" && input.value) {
      event.preventDefault();
      input.value = "";
      search();
    }
    if (event.key === "ArrowDown") {
      event.preventDefault();
      onleave();
    }
  });
  addEventListener("keydown", (event) => {
    const busy = event.target.matches?.("input, textarea, select") || document.querySelector("dialog[open]");
    if (event.key !== "/" || busy || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    input.select();
    input.focus();
  });
}
