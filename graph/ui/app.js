// The gallery: connects the query, the address bar, the results and the components that show them.

import { Results, cacheResults, cachedResults, clearCache } from "./results.js";
import { request, withRetry } from "./api.js";
import { recall, remember, showChips } from "./chips.js";
import { deletePicture, isDeleted } from "./deletions.js";
import { Detail } from "./detail.js";
import { EXAMPLE } from "./documents.js";
import { byId, pictures, toast } from "./dom.js";
import { watchFiles } from "./drops.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { openKey, readingIsClosed, watchKey } from "./key-dialog.js";
import { key } from "./key.js";
import { clearNotice, showClosed, showError, showExampleExpired, showNoResults } from "./notices.js";
import { EVERYTHING, conditions, fromAddress, isSearch, toAddress } from "./query.js";
import { box, watchSearchBox } from "./search-box.js";
import { reading } from "./thumbnail.js";
import { Uploads } from "./uploads.js";

const COUNT_DEBOUNCE_MS = 200;

/** The highest relevant count of the API. It means at least as many. */
const MAX_RELEVANT_COUNT = 1000;

/** Example pictures by the id of their kept search. A reload loses the pictures, but not the searches. */
const examples = new Map();

let query = fromAddress(location.search);
let results = null;
let loading = null;
let exampleSearch = new AbortController();

const grid = new Grid({
  address: (node) => toAddress({ ...query, image: node.id }),
  onopen: (node) => go({ image: node.id }),
  onlike: like,
  onunlike: unlike,
  onmore: () => more(results),
});
const filters = new Filters((change) => go(change));
const detail = new Detail({
  go: (node) => {
    remember(node);
    go({ image: node.id }, { replace: true });
  },
  neighbour: (id, step) => {
    if (!grid.neighbour(id, step + 3)) more(results);
    return grid.neighbour(id, step);
  },
  onclose: (node) => {
    if (query.image && history.state?.opened) history.back();
    else if (query.image) go({ image: null });
    grid.focus(node.id);
  },
  onlike: like,
  onunlike: unlike,
  ondelete: (node) => deletePicture(node, {
    hide: () => {
      const mine = results;
      detail.close();
      const restore = grid.remove(node.id);
      return () => (results === mine ? restore() : reload());
    },
    onchanged: () => {
      clearCache();
      count(results);
    },
  }),
  onnear: ({ latitude, longitude }) =>
    go({ ...EVERYTHING, near: { latitude, longitude, radiusKm: 25 } }),
  onchange: (node) => {
    grid.update(node);
    count(results);
  },
});
const uploads = new Uploads({
  onadded: () => {
    clearCache();
    // The grid does not change while the user searches, filters or has scrolled down.
    if (!isSearch(query) && !conditions(query) && scrollY < innerHeight / 2) reload();
  },
  onshow: () => {
    if (resultsAddress(query) === resultsAddress(EVERYTHING)) reload();
    else go(EVERYTHING);
  },
});

function like(node) {
  remember(node);
  go({ text: "", search: null, like: [node.id], unlike: [], image: null });
}

function unlike(node) {
  remember(node);
  go({ unlike: [...new Set([...query.unlike, node.id])], image: null });
}

/** Change the query, the address, and the results where they depend on the change. */
function go(change, { replace = false, typed = false } = {}) {
  const before = query;
  // Include words that were typed, but not yet searched for.
  query = { ...query, text: box.text, ...change };
  const address = toAddress(query);
  if (address !== toAddress(before)) {
    // Typing a text adds one history entry, not one for each key.
    const same = replace || (typed && history.state?.typed);
    // Closing a picture goes back in the history only if the picture was opened on this page.
    const opened = Boolean(query.image) && (same ? history.state?.opened : true);
    if (!same) cacheResults(resultsAddress(before), results);
    history[same ? "replaceState" : "pushState"]({ typed, opened }, "", address);
  }
  show(before);
}

/** Show the current query after another one. */
function show(before, { isBack = false } = {}) {
  box.text = query.text;
  document.title = query.text ? `${query.text} – Pictograph` : "Pictograph";
  byId("sort").value = query.sort;
  byId("sort-label").hidden = isSearch(query);
  filters.show(query);
  showChips(query, { change: (change) => go(change), example: examples.get(query.search) });
  const isOther = !before || resultsAddress(before) !== resultsAddress(query);
  if (isOther && !(isBack && restoreCached())) reload();
  if (query.image) detail.open(query.image, grid.node(query.image) ?? recall(query.image));
  else detail.close();
}

/** Return the address of a query without the open picture, on which the results do not depend. */
const resultsAddress = (of) => toAddress({ ...of, image: null });

/** Tell whether a query combines an example with other terms, but this page does not have its file. */
const lacksExample = ({ search, ...rest }) =>
  Boolean(search) && !examples.has(search) && isSearch({ ...rest, search: null });

/** Load the results of the query, and cancel requests for earlier ones. */
function reload() {
  results?.cancel();
  exampleSearch.abort();
  results = new Results(query, examples.get(query.search));
  byId("grid").setAttribute("aria-busy", "true");
  if (!lacksExample(query)) more(results, { first: true });
  else {
    clear();
    showExampleExpired(go);
  }
}

/** Show the cached results of the query. Returns whether there are any. */
function restoreCached() {
  const cached = cachedResults(resultsAddress(query));
  if (!cached) return false;
  results?.cancel();
  exampleSearch.abort();
  results = cached.results;
  clear();
  grid.add(results.found.filter(({ node }) => !isDeleted(node.id)), { ended: !results.hasMore });
  scrollTo(0, cached.top);
  count(results);
  return true;
}

/** Load and show the next page of results, unless they have been replaced meanwhile. */
async function more(mine, { first = false } = {}) {
  if (!mine?.hasMore || mine !== results || loading === mine || lacksExample(query)) return;
  loading = mine;
  byId("more").classList.toggle("is-busy", !first);
  try {
    const found = (await mine.more()).filter(({ node }) => !isDeleted(node.id));
    if (mine !== results) return;
    if (first) {
      clear();
      scrollTo(0, 0);
    }
    found.forEach(({ node }) => remember(node));
    grid.add(found, { ended: !mine.hasMore });
    if (first) count(mine);
  } catch (error) {
    if (mine !== results || error.name === "AbortError") return;
    if (first || error.code === "SEARCH_EXPIRED") onFailure(error);
    else toast(`More pictures could not be loaded. ${error.message}`, { action: "Try again", onaction: () => more(mine) });
  } finally {
    if (loading === mine) {
      loading = null;
      byId("more").classList.remove("is-busy");
    }
  }
}

/** Clear the page before other contents are shown. */
function clear() {
  // Keep the keyboard focus on the page when the focused element is removed.
  if (byId("grid").contains(document.activeElement)) byId("pictures").focus({ preventScroll: true });
  grid.clear();
  byId("grid").removeAttribute("aria-busy");
  byId("status").textContent = "";
  clearNotice();
}

async function count(mine) {
  // Debounce: counts are not needed while the user is typing.
  if (mine.isSearch) await new Promise((resolve) => { setTimeout(resolve, COUNT_DEBOUNCE_MS); });
  if (mine !== results) return;
  try {
    const counts = await mine.counts();
    if (mine !== results) return;
    filters.show(query, counts);
    detail.knownTags = counts.tags.map(({ value }) => value);
    byId("status").textContent = mine.isSearch ? relevantText(counts.count) : pictures(counts.count);
    if (!grid.nodes.length) showNoResults(query, go);
  } catch (error) {
    if (mine === results && error.name !== "AbortError") byId("status").textContent = error.message;
  }
}

const relevantText = (number) => number
  ? `${pictures(number)}${number < MAX_RELEVANT_COUNT ? "" : " or more"} that ${number === 1 ? "fits" : "fit"}`
  : "No picture fits for certain";

/** Show an error and a way out of it. */
function onFailure(error) {
  const closed = error.code === "UNAUTHENTICATED" || error.code === "FORBIDDEN";
  const expired = error.code === "SEARCH_EXPIRED";
  if (closed && key.value) {
    key.value = null;
    toast(`The key is not accepted. ${error.message}`, { action: "Another key", onaction: () => openKey() });
    reload();
    return;
  }
  const example = examples.get(query.search);
  if (expired && example) {
    searchBy(example, { text: query.text, like: query.like, unlike: query.unlike });
    return;
  }
  if (expired && !query.search) {
    reload();
    return;
  }
  clear();
  if (closed) showClosed();
  else if (expired) showExampleExpired(go);
  else showError(error, { again: reload, go });
}

/** Search by a picture. It is sent once; later requests use the id of its kept search. */
async function searchBy(file, rest = { text: "", like: [], unlike: [] }) {
  exampleSearch.abort();
  exampleSearch = new AbortController();
  const { signal } = exampleSearch;
  byId("grid").setAttribute("aria-busy", "true");
  try {
    const { searchImages } = await withRetry(() => request(EXAMPLE, { by: { image: file } }, { signal }), signal);
    examples.set(searchImages.searchId, file);
    go({ ...rest, search: searchImages.searchId, image: null });
  } catch (error) {
    // The user has started another search.
    if (signal.aborted) return;
    byId("grid").removeAttribute("aria-busy");
    toast(`${file.name || "The picture"} cannot be searched by. ${error.message}`);
  }
}

async function start() {
  history.scrollRestoration = "manual";
  watchKey();
  watchFiles({ onexample: searchBy, onadd: (files) => uploads.add(files) });
  watchSearchBox({
    onsearch: () => box.text !== query.text && go({}, { typed: true }),
    onleave: () => grid.nodes.length && grid.focus(grid.nodes[0].id),
  });
  byId("sort").addEventListener("change", ({ target }) => go({ sort: target.value }));
  document.querySelector(".brand").addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    go(EVERYTHING);
  });
  addEventListener("popstate", () => {
    const before = query;
    cacheResults(resultsAddress(before), results);
    query = fromAddress(location.search);
    show(before, { isBack: true });
  });
  // With a key, find out whether pictures need it, too. Without a key, the first request shows it.
  if (key.value) reading.isClosed = await readingIsClosed();
  key.addEventListener("change", async () => {
    reading.isClosed = Boolean(key.value) && await readingIsClosed();
    if (!grid.nodes.length) reload();
  });
  show(null);
}

start();
