// The gallery: what is asked, where it stands in the address bar, and who shows the answer.

import { Answer, forget, keep, keptOf } from "./answer.js";
import { ask, patiently } from "./api.js";
import { recall, remember, showChips } from "./chips.js";
import { deleteLater, isGoing, watchLeaving } from "./deletions.js";
import { Detail } from "./detail.js";
import { EXAMPLE } from "./documents.js";
import { byId, pictures, toast } from "./dom.js";
import { watchFiles } from "./drops.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { openKey, readingIsClosed, watchKey } from "./key-dialog.js";
import { key } from "./key.js";
import { sayClosed, sayFailed, sayForgotten, sayNothing, sayNothingMore } from "./notices.js";
import { EVERYTHING, conditions, fromAddress, isSearch, toAddress } from "./question.js";
import { box, watchSearchBox } from "./search-box.js";
import { reading } from "./thumbnail.js";
import { Uploads } from "./uploads.js";

const COUNTING_PAUSE_MS = 200;

/** How many relevant pictures the API counts; from there on it says that there are so many at least. */
const MOST_EXACT = 1000;

/** Example pictures by the search that was kept for them; a reload forgets them, not their search. */
const examples = new Map();

let question = fromAddress(location.search);
let answer = null;
let fetching = null;
let looking = new AbortController();

const grid = new Grid({
  address: (node) => toAddress({ ...question, image: node.id }),
  onopen: (node) => go({ image: node.id }),
  onlike: like,
  onunlike: unlike,
  onmore: () => more(answer),
});
const filters = new Filters((change) => go(change));
const detail = new Detail({
  go: (node) => {
    remember(node);
    go({ image: node.id }, { replace: true });
  },
  beside: (id, step) => {
    if (!grid.beside(id, step + 3)) more(answer);
    return grid.beside(id, step);
  },
  onclose: (node) => {
    if (question.image && history.state?.opened) history.back();
    else if (question.image) go({ image: null });
    grid.focus(node.id);
  },
  onlike: like,
  onunlike: unlike,
  ondelete: (node) => deleteLater(node, {
    hide: () => {
      const mine = answer;
      detail.close();
      const restore = grid.remove(node.id);
      return () => (answer === mine ? restore() : answerAnew());
    },
    ongone: () => {
      forget();
      count(answer);
    },
  }),
  onnear: ({ latitude, longitude }) =>
    go({ ...EVERYTHING, near: { latitude, longitude, radiusKm: 25 } }),
  onchange: (node) => {
    grid.update(node);
    count(answer);
  },
});
const uploads = new Uploads({
  onadded: () => {
    forget();
    // Who looks at something else, or further down, is left in peace.
    if (!isSearch(question) && !conditions(question) && scrollY < innerHeight / 2) answerAnew();
  },
  onshow: () => {
    if (asked(question) === asked(EVERYTHING)) answerAnew();
    else go(EVERYTHING);
  },
});

function like(node) {
  remember(node);
  go({ text: "", search: null, like: [node.id], unlike: [], image: null });
}

function unlike(node) {
  remember(node);
  go({ unlike: [...new Set([...question.unlike, node.id])], image: null });
}

/** Change the question: the address follows, and an answer, where another is asked for. */
function go(change, { replace = false, typed = false } = {}) {
  const before = question;
  // Words that were typed a moment ago are meant, too.
  question = { ...question, text: box.text, ...change };
  const address = toAddress(question);
  if (address !== toAddress(before)) {
    // A search is one step back, however many keys it took.
    const same = replace || (typed && history.state?.typed);
    // Closing a picture that was opened here is a step back; one that a link led to is none.
    const opened = Boolean(question.image) && (same ? history.state?.opened : true);
    if (!same) keep(asked(before), answer);
    history[same ? "replaceState" : "pushState"]({ typed, opened }, "", address);
  }
  show(before);
}

/** Show the question that there is now, after another. */
function show(before, { isBack = false } = {}) {
  box.text = question.text;
  document.title = question.text ? `${question.text} – Pictograph` : "Pictograph";
  byId("sort").value = question.sort;
  byId("sort-label").hidden = isSearch(question);
  filters.show(question);
  showChips(question, { change: (change) => go(change), example: examples.get(question.search) });
  const isOther = !before || asked(before) !== asked(question);
  if (isOther && !(isBack && answerAgain())) answerAnew();
  if (question.image) detail.open(question.image, grid.node(question.image) ?? recall(question.image));
  else detail.close();
}

/** What of a question its answer depends on. */
const asked = (of) => toAddress({ ...of, image: null });

/** Tell whether a question combines an example with more, and its file is not at hand any more. */
const isForgotten = ({ search, ...rest }) =>
  Boolean(search) && !examples.has(search) && isSearch({ ...rest, search: null });

/** Answer the question; what is still on its way to earlier ones is dropped. */
function answerAnew() {
  answer?.drop();
  looking.abort();
  answer = new Answer(question, examples.get(question.search));
  byId("grid").setAttribute("aria-busy", "true");
  if (!isForgotten(question)) more(answer, { first: true });
  else {
    begin();
    sayForgotten(go);
  }
}

/** Show the answer that was kept for the question. Returns whether there is one. */
function answerAgain() {
  const kept = keptOf(asked(question));
  if (!kept) return false;
  answer?.drop();
  looking.abort();
  answer = kept.answer;
  begin();
  grid.add(answer.found.filter(({ node }) => !isGoing(node.id)), { ended: !answer.hasMore });
  scrollTo(0, kept.top);
  count(answer);
  return true;
}

/** Fetch and show the next page of an answer, unless another one has come to be wanted. */
async function more(mine, { first = false } = {}) {
  if (!mine?.hasMore || mine !== answer || fetching === mine || isForgotten(question)) return;
  fetching = mine;
  byId("more").classList.toggle("is-busy", !first);
  try {
    const found = (await mine.more()).filter(({ node }) => !isGoing(node.id));
    if (mine !== answer) return;
    if (first) {
      begin();
      scrollTo(0, 0);
    }
    found.forEach(({ node }) => remember(node));
    grid.add(found, { ended: !mine.hasMore });
    if (first) count(mine);
  } catch (error) {
    if (mine !== answer || error.name === "AbortError") return;
    if (first || error.code === "SEARCH_EXPIRED") failed(error);
    else toast(`No more pictures came. ${error.message}`, { action: "Try again", onaction: () => more(mine) });
  } finally {
    if (fetching === mine) {
      fetching = null;
      byId("more").classList.remove("is-busy");
    }
  }
}

/** Clear the page for what is shown instead. */
function begin() {
  // What has the focus is about to go; the keyboard goes on from here.
  if (byId("grid").contains(document.activeElement)) byId("pictures").focus({ preventScroll: true });
  grid.clear();
  byId("grid").removeAttribute("aria-busy");
  byId("status").textContent = "";
  sayNothingMore();
}

async function count(mine) {
  // Whoever goes on typing wants no counts in between.
  if (mine.isSearch) await new Promise((resolve) => { setTimeout(resolve, COUNTING_PAUSE_MS); });
  if (mine !== answer) return;
  try {
    const counts = await mine.counts();
    if (mine !== answer) return;
    filters.show(question, counts);
    detail.knownTags = counts.tags.map(({ value }) => value);
    byId("status").textContent = mine.isSearch ? fitting(counts.count) : pictures(counts.count);
    if (!grid.nodes.length) sayNothing(question, go);
  } catch (error) {
    if (mine === answer && error.name !== "AbortError") byId("status").textContent = error.message;
  }
}

const fitting = (number) => number
  ? `${pictures(number)}${number < MOST_EXACT ? "" : " or more"} that ${number === 1 ? "fits" : "fit"}`
  : "Nothing fits for certain";

/** Say what the server objects to, and offer what helps. */
function failed(error) {
  const closed = error.code === "UNAUTHENTICATED" || error.code === "FORBIDDEN";
  const expired = error.code === "SEARCH_EXPIRED";
  if (closed && key.value) {
    key.value = null;
    toast(`The key is not accepted. ${error.message}`, { action: "Another key", onaction: () => openKey() });
    answerAnew();
    return;
  }
  const example = examples.get(question.search);
  if (expired && example) {
    searchBy(example, { text: question.text, like: question.like, unlike: question.unlike });
    return;
  }
  if (expired && !question.search) {
    answerAnew();
    return;
  }
  begin();
  if (closed) sayClosed();
  else if (expired) sayForgotten(go);
  else sayFailed(error, { again: answerAnew, go });
}

/** Search by a picture: it is sent once, and known by its kept search from then on. */
async function searchBy(file, rest = { text: "", like: [], unlike: [] }) {
  looking.abort();
  looking = new AbortController();
  const { signal } = looking;
  byId("grid").setAttribute("aria-busy", "true");
  try {
    const { searchImages } = await patiently(() => ask(EXAMPLE, { by: { image: file } }, { signal }), signal);
    examples.set(searchImages.searchId, file);
    go({ ...rest, search: searchImages.searchId, image: null });
  } catch (error) {
    // Something else has come to be looked for.
    if (signal.aborted) return;
    byId("grid").removeAttribute("aria-busy");
    toast(`${file.name || "The picture"} cannot be searched by. ${error.message}`);
  }
}

async function start() {
  history.scrollRestoration = "manual";
  watchKey();
  watchLeaving();
  watchFiles({ onexample: searchBy, onadd: (files) => uploads.add(files) });
  watchSearchBox({
    onsearch: () => box.text !== question.text && go({}, { typed: true }),
    onleave: () => grid.nodes.length && grid.focus(grid.nodes[0].id),
  });
  byId("sort").addEventListener("change", ({ target }) => go({ sort: target.value }));
  document.querySelector(".brand").addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    go(EVERYTHING);
  });
  addEventListener("popstate", () => {
    const before = question;
    keep(asked(before), answer);
    question = fromAddress(location.search);
    show(before, { isBack: true });
  });
  // Whoever has a key may be where nothing is shown without one; nobody else can tell, or needs to.
  if (key.value) reading.isClosed = await readingIsClosed();
  key.addEventListener("change", async () => {
    reading.isClosed = Boolean(key.value) && await readingIsClosed();
    if (!grid.nodes.length) answerAnew();
  });
  show(null);
}

start();
