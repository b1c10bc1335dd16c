// Chips for the parts of a query other than its words: pictures to be like, pictures and words to leave out.

import { request } from "./api.js";
import { CARDS } from "./documents.js";
import { byId, h, iconButton } from "./dom.js";
import { wordsOf } from "./query.js";
import { show } from "./thumbnail.js";

/** Pictures by id: those that were on the page, and those that were fetched for a chip. */
const known = new Map();

const urls = new WeakMap();
let latest = 0;

export const remember = (node) => known.set(node.id, node);
export const recall = (id) => known.get(id);

/**
 * Show the chips of a query. `change` is called with changes of the query; `example` is the file of
 * its kept search, where this page has it.
 */
export async function showChips(query, { change, example }) {
  const chips = byId("chips");
  const mine = (latest += 1);
  const missing = [...query.like, ...query.unlike].filter((id) => !known.has(id));
  if (missing.length) {
    try {
      const { nodes } = await request(CARDS, { ids: missing });
      nodes.filter(Boolean).forEach(remember);
    } catch {
      // The chips are shown without pictures. The search is not affected.
    }
  }
  if (mine !== latest) return;
  const without = (field, id) => () => change({ [field]: query[field].filter((other) => other !== id) });
  const words = wordsOf(query.text);
  const hadFocus = chips.contains(document.activeElement);
  chips.replaceChildren(...[
    query.search && chip({
      kind: "like",
      label: "Like your picture",
      url: example && urlOf(example),
      remove: () => change({ search: null }),
    }),
    ...query.like.map((id) => chip({ kind: "like", label: "More like this", node: known.get(id), remove: without("like", id) })),
    ...words.without.map((word) => chip({
      kind: "without",
      label: `Without ${word}`,
      remove: () => change({ text: [words.text, ...words.without.filter((other) => other !== word).map(minus)].join(" ") }),
    })),
    ...query.unlike.map((id) => chip({ kind: "without", label: "Without this", node: known.get(id), remove: without("unlike", id) })),
  ].filter(Boolean));
  chips.hidden = !chips.childElementCount;
  if (hadFocus) (chips.querySelector("button") ?? byId("text")).focus();
}

/** Return the object URL of a file, which is created once. */
function urlOf(file) {
  if (!urls.has(file)) urls.set(file, URL.createObjectURL(file));
  return urls.get(file);
}

const minus = (word) => (/\s/.test(word) ? `-"${word}"` : `-${word}`);

function chip({ kind, label, node, url, remove }) {
  const name = node ? node.altText || node.filename : "";
  const from = node?.url ?? url;
  const image = from && h("img", { class: "thumb", alt: name });
  if (image) show(image, from);
  return h("span", { class: `chip ${kind} ${image ? "" : "word"}` },
    image,
    h("span", {}, label),
    iconButton("close", `Remove: ${label} ${name}`.trim(), remove, { title: "Remove" }));
}
