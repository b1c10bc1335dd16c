// Notices that are shown where there are no pictures.

import { byId, h } from "./dom.js";
import { openKey } from "./key-dialog.js";
import { EVERYTHING, NO_CONDITIONS, conditions, isSearch } from "./query.js";

export const clearNotice = () => byId("notice").replaceChildren();

/** Explain why there are no pictures, with a way out. `go` is called with changes of the query. */
export function showNoResults(query, go) {
  if (isSearch(query) || conditions(query)) {
    show("Nothing here", "No picture matches the search and the filters.",
      conditions(query) && button("Clear the filters", () => go(NO_CONDITIONS)));
    return;
  }
  show("No pictures yet", "Drop some anywhere on this page, paste one, or choose files.",
    button("Add pictures", () => byId("add").click(), "primary"),
    h("p", { class: "note" }, "Import whole folders and buckets from a terminal: ",
      h("code", {}, "pictograph import ~/Pictures")));
}

/** Explain that reading needs a key. */
export function showClosed() {
  show("This library is private", "Viewing its pictures needs a key with the scope READ.",
    button("Enter the key", () => openKey("Viewing these pictures needs a key with the scope READ."), "primary"));
}

/** Explain that the example picture or its search is no longer available. */
export function showExampleExpired(go) {
  show("The example picture is no longer available",
    "A search by your own picture is kept for an hour, and after a reload it cannot be combined with other terms. Drop the picture again to continue.",
    button("Show all pictures", () => go(EVERYTHING)));
}

/** Show an error of the server. */
export function showError(error, { again, go }) {
  show("The request failed", error.message,
    h("div", { class: "actions" }, button("Try again", again), button("Show all pictures", () => go(EVERYTHING))));
}

const button = (text, onclick, kind = "") => h("button", { type: "button", class: kind, onclick }, text);

function show(title, text, ...more) {
  byId("notice").replaceChildren(h("div", { class: "said" },
    h("div", { class: "sketch", "aria-hidden": "true" }, h("span"), h("span"), h("span")),
    h("h2", {}, title), h("p", {}, text), ...more.filter(Boolean)));
}
