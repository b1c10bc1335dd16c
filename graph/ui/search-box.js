// The search box: it searches while one types, once the fingers rest.

import { byId } from "./dom.js";

const PAUSE_MS = 150;

/** The words in the box; what is set by others than the user searches nothing. */
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

/** `onsearch` is called when there are other words, `onleave` to go on to what was found. */
export function watchSearchBox({ onsearch, onleave }) {
  const input = byId("text");
  const search = () => {
    clearTimeout(typing);
    onsearch();
  };
  input.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(search, PAUSE_MS);
  });
  byId("search").addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  input.addEventListener("keydown", (event) => {
    // While an input method composes a word, these keys are its own.
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
