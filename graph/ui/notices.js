// What stands in the place of pictures where there are none.

import { byId, h } from "./dom.js";
import { openKey } from "./key-dialog.js";
import { EVERYTHING, NO_CONDITIONS, conditions, isSearch } from "./question.js";

export const sayNothingMore = () => byId("notice").replaceChildren();

/** Say why nothing was found, and how to go on. `go` gets what is to change in the question. */
export function sayNothing(question, go) {
  if (isSearch(question) || conditions(question)) {
    say("Nothing here", "No picture matches all of this.",
      conditions(question) && button("Clear the filters", () => go(NO_CONDITIONS)));
    return;
  }
  say("No pictures yet", "Drop some anywhere on this page, paste one, or choose them.",
    button("Add pictures", () => byId("add").click(), "primary"),
    h("p", { class: "note" }, "Whole folders and buckets come in from a terminal: ",
      h("code", {}, "pictograph import ~/Pictures")));
}

/** Say that the server wants a key. */
export function sayClosed() {
  say("This library is closed", "Looking at its pictures needs a key with the scope READ.",
    button("Enter the key", () => openKey("Looking at these pictures needs a key with the scope READ."), "primary"));
}

/** An example picture is only kept by what it was searched for, and not for ever. */
export function sayForgotten(go) {
  say("The picture is not here any more",
    "What was searched for by a picture of yours is kept for an hour, and alone. Drop the picture again to go on.",
    button("Show all pictures", () => go(EVERYTHING)));
}

/** Say what the server objects to. */
export function sayFailed(error, { again, go }) {
  say("That did not work", error.message,
    h("div", { class: "actions" }, button("Try again", again), button("Show all pictures", () => go(EVERYTHING))));
}

const button = (text, onclick, kind = "") => h("button", { type: "button", class: kind, onclick }, text);

function say(title, text, ...more) {
  byId("notice").replaceChildren(h("div", { class: "said" },
    h("div", { class: "sketch", "aria-hidden": "true" }, h("span"), h("span"), h("span")),
    h("h2", {}, title), h("p", {}, text), ...more.filter(Boolean)));
}
