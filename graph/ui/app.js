// The gallery: what is asked, where it stands in the address bar, and who shows the answer.

import { Answer } from "./answer.js";
import { ask } from "./api.js";
import { remember, showChips } from "./chips.js";
import { patiently } from "./connection.js";
import { deleteLater, isGoing, watchLeaving } from "./deletions.js";
import { Detail } from "./detail.js";
import { EXAMPLE } from "./documents.js";
import { byId, h, pictures, toast } from "./dom.js";
import { watchFiles } from "./drops.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { openKey, readingIsClosed, watchKey } from "./key-dialog.js";
import { key } from "./key.js";
import { EVERYTHING, conditions, fromAddress, isSearch, toAddress } from "./question.js";
import { closeReading } from "./thumbnail.js";
import { Uploads } from "./uploads.js";

const TYPING_PAUSE_MS = 150;
const COUNTING_PAUSE_MS = 200;

/** Example pictures by the search that was kept for them; a reload forgets them, not their search. */
const examples = new Map();

let question = fromAddress(location.search);
let answer = null;
let fetching = false;
let typing;

const grid = new Grid({
  address: (node) => toAddress({ ...question, image: node.id }),
  onopen: (node) => go({ image: node.id }),
  onlike: (node) => like(node),
  onunlike: (node) => unlike(node),
  onmore: () => more(answer),
});
const filters = new Filters((change) => go(change));
const detail = new Detail({
  go: (id) => go({ image: id }, { replace: true }),
  beside: (id, step) => {
    const next = grid.beside(id, step);
    if (!grid.beside(id, step + 3)) more(answer);
    return next;
  },
  onclose: (node) => {
    if (question.image && history.state?.opened) history.back();
    else if (question.image) go({ image: null });
    grid.focus(node.id);
  },
  onlike: (node) => like(node),
  onunlike: (node) => unlike(node),
  ondelete: (node) => {
    const next = grid.beside(node.id, 1) ?? grid.beside(node.id, -1);
    deleteLater(node, () => {
      go({ image: null }, { replace: true });
      const restore = grid.remove(node.id);
      if (next) grid.focus(next.id);
      return restore;
    });
  },
  onnear: ({ latitude, longitude }) =>
    go({ ...EVERYTHING, near: { latitude, longitude, radiusKm: 25 } }),
  onchange: (node) => grid.update(node),
});
const uploads = new Uploads({
  onadded: () => !isSearch(question) && !conditions(question) && answerAnew(),
  onshow: () => {
    if (asked(question) === asked(EVERYTHING)) answerAnew();
    else go({ ...EVERYTHING });
  },
});

const like = (node) => {
  remember(node);
  go({ ...question, text: "", search: null, like: [node.id], unlike: [], image: null });
};
const unlike = (node) => {
  remember(node);
  go({ unlike: [...new Set([...question.unlike, node.id])], image: null });
};

/** Change the question: the address follows, and an answer, where another is asked for. */
function go(change, { replace = false, typed = false } = {}) {
  const before = question;
  question = { ...question, ...change };
  const address = toAddress(question);
  if (address !== toAddress(before)) {
    // A word is one step back, however many keys it took.
    const same = replace || (typed && history.state?.typed);
    // Closing a picture that was opened here is a step back; one that a link led to is none.
    const opened = Boolean(question.image) && (same ? history.state?.opened : true);
    history[same ? "replaceState" : "pushState"]({ typed, opened }, "", address);
  }
  shown(before);
}

/** Show the question that there is now, after another. */
function shown(before) {
  const text = byId("text");
  if (text.value !== question.text) text.value = question.text;
  document.title = question.text ? `${question.text} – Pictograph` : "Pictograph";
  byId("sort").value = question.sort;
  byId("sort-label").hidden = isSearch(question);
  filters.show(question);
  showChips(question, { change: (change) => go(change), example: examples.get(question.search) });
  if (!before || asked(before) !== asked(question)) answerAnew();
  if (question.image) {
    detail.open(question.image, grid.nodes.find(({ id }) => id === question.image));
  } else detail.close();
}

/** What of a question its answer depends on. */
const asked = ({ image, ...rest }) => toAddress({ ...rest, image: null });

/** Tell whether a question combines an example with more, and its file is not at hand any more. */
const isForgotten = ({ search, ...rest }) => Boolean(search) && !examples.has(search) && isSearch({ ...rest, search: null });

/** Answer the question; what is still on its way to earlier ones is dropped. */
async function answerAnew() {
  answer?.drop();
  if (isForgotten(question)) {
    failed(new Error("Of a picture that was searched by, only its own search is kept. Drop it again to combine it with more."));
    return;
  }
  const mine = new Answer(question, examples.get(question.search));
  answer = mine;
  byId("grid").setAttribute("aria-busy", "true");
  await more(mine, { first: true });
}

/** Fetch and show the next page of an answer, unless another one has come to be wanted. */
async function more(mine, { first = false } = {}) {
  if (!mine?.hasMore || mine !== answer || (fetching === mine)) return;
  fetching = mine;
  byId("more").classList.toggle("is-busy", !first);
  try {
    const found = (await mine.more()).filter(({ node }) => !isGoing(node.id));
    if (mine !== answer) return;
    if (first) begin();
    found.forEach(({ node }) => remember(node));
    grid.add(found, { ended: !mine.hasMore });
    if (first) count(mine);
  } catch (error) {
    if (mine === answer && !mine.signal.aborted) failed(error);
  } finally {
    if (fetching === mine) {
      fetching = false;
      byId("more").classList.remove("is-busy");
    }
  }
}

/** Clear the grid for the first page of another answer. */
function begin() {
  grid.clear();
  byId("grid").removeAttribute("aria-busy");
  byId("notice").replaceChildren();
  byId("status").textContent = "";
  if (scrollY > byId("pictures").offsetTop) scrollTo(0, 0);
}

async function count(mine) {
  // Whoever goes on typing wants no counts in between.
  if (mine.isSearch) await new Promise((resolve) => setTimeout(resolve, COUNTING_PAUSE_MS));
  if (mine !== answer) return;
  let counts;
  try {
    counts = await mine.counts();
  } catch (error) {
    if (mine === answer && !mine.signal.aborted) byId("status").textContent = error.message;
    return;
  }
  if (mine !== answer) return;
  filters.show(question, counts);
  detail.knownTags = counts.tags.map(({ value }) => value);
  byId("status").textContent = mine.isSearch ? relevant(counts.count) : pictures(counts.count);
  if (!mine.found.length) nothing();
}

const relevant = (number) =>
  number ? `${number >= 1000 ? "Over " : ""}${pictures(number)} that ${number === 1 ? "fits" : "fit"}` : "Nothing fits for certain";

/** Say why there is nothing, and how to go on. */
function nothing() {
  if (isSearch(question) || conditions(question)) {
    say("Nothing here", "No picture matches all of this.", conditions(question)
      && h("button", { type: "button", onclick: () => go({ tags: [], cameras: [], month: null, near: null }) }, "Clear the filters"));
    return;
  }
  say("No pictures yet", "Drop some anywhere on this page, paste one, or choose them.",
    h("button", { type: "button", class: "primary", onclick: () => byId("add").click() }, "Add pictures"),
    h("p", { class: "note" }, "Whole folders and buckets come in from a terminal: ", h("code", {}, "pictograph import ~/Pictures")));
}

function say(title, text, ...more) {
  byId("notice").replaceChildren(h("div", { class: "said" },
    h("div", { class: "sketch", "aria-hidden": "true" }, h("span"), h("span"), h("span")),
    h("h2", {}, title), h("p", {}, text), ...more.filter(Boolean)));
}

/** Say what the server objects to, and offer what helps. */
function failed(error) {
  byId("grid").removeAttribute("aria-busy");
  byId("status").textContent = "";
  if (error.code === "UNAUTHENTICATED" || error.code === "FORBIDDEN") {
    if (key.value) {
      key.value = null;
      toast(`The key is not accepted any more. ${error.message}`, { action: "Another key", onaction: () => openKey() });
      answerAnew();
      return;
    }
    begin();
    say("This library is closed", "Looking at its pictures needs a key with the scope READ.",
      h("button", { type: "button", class: "primary", onclick: () => openKey("Looking at these pictures needs a key.") }, "Enter the key"));
    return;
  }
  if (error.code === "SEARCH_EXPIRED" && !question.search) {
    answerAnew();
    return;
  }
  begin();
  say(error.code === "SEARCH_EXPIRED" ? "This search is over" : "That did not work",
    question.search && error.code === "SEARCH_EXPIRED" ? "An example picture is kept for an hour. Drop it again to go on." : error.message,
    h("button", { type: "button", onclick: () => go({ ...EVERYTHING }) }, "Show all pictures"));
}

/** Search by a picture: it is sent once, and known by its kept search from then on. */
async function searchBy(file) {
  byId("grid").setAttribute("aria-busy", "true");
  try {
    const { searchImages } = await patiently(() => ask(EXAMPLE, { by: { image: file } }));
    examples.set(searchImages.searchId, file);
    go({ ...question, text: "", like: [], unlike: [], search: searchImages.searchId, image: null });
  } catch (error) {
    byId("grid").removeAttribute("aria-busy");
    toast(`${file.name || "The picture"} cannot be searched by. ${error.message}`);
  }
}

function watchSearch() {
  const text = byId("text");
  const search = () => {
    clearTimeout(typing);
    if (text.value !== question.text) go({ text: text.value }, { typed: true });
  };
  text.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(search, TYPING_PAUSE_MS);
  });
  byId("search").addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && text.value) {
      event.preventDefault();
      text.value = "";
      search();
    }
    if (event.key === "ArrowDown" && grid.nodes.length) {
      event.preventDefault();
      grid.focus(grid.nodes[0].id);
    }
  });
  addEventListener("keydown", (event) => {
    const busy = event.target.matches("input, textarea, select") || document.querySelector("dialog[open]");
    if (event.key !== "/" || busy || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    text.select();
    text.focus();
  });
  byId("sort").addEventListener("change", ({ target }) => go({ sort: target.value }));
  addEventListener("popstate", () => {
    const before = question;
    question = fromAddress(location.search);
    clearTimeout(typing);
    shown(before);
  });
  document.querySelector(".brand").addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    go({ ...EVERYTHING });
    scrollTo(0, 0);
  });
}

async function start() {
  watchKey();
  watchSearch();
  watchLeaving();
  watchFiles({ onexample: searchBy, onadd: (files) => uploads.add(files) });
  // Whoever has a key may be where nothing is shown without one; nobody else can tell, or needs to.
  if (key.value) closeReading(await readingIsClosed());
  key.addEventListener("change", async () => {
    closeReading(Boolean(key.value) && await readingIsClosed());
    if (!grid.nodes.length) answerAnew();
  });
  shown(null);
}

start();
