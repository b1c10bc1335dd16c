// What a search is made of beside its words: pictures to be like, pictures and words to be unlike.

import { ask } from "./api.js";
import { CARDS } from "./documents.js";
import { byId, h, iconButton } from "./dom.js";
import { wordsOf } from "./question.js";
import { show } from "./thumbnail.js";

/** Pictures that chips show, by id: those that were met on the page, and those that were fetched. */
const known = new Map();

const urls = new WeakMap();
let latest = 0;

export const remember = (node) => known.set(node.id, node);
export const recall = (id) => known.get(id);

/**
 * Show a question's chips. `change` gets what is to change; `example` is the file of its kept
 * search, where it is at hand.
 */
export async function showChips(question, { change, example }) {
  const chips = byId("chips");
  const mine = (latest += 1);
  const missing = [...question.like, ...question.unlike].filter((id) => !known.has(id));
  if (missing.length) {
    try {
      const { nodes } = await ask(CARDS, { ids: missing });
      nodes.filter(Boolean).forEach(remember);
    } catch {
      // They are shown without their pictures; what is searched for is the same.
    }
  }
  if (mine !== latest) return;
  const without = (field, id) => () => change({ [field]: question[field].filter((other) => other !== id) });
  const words = wordsOf(question.text);
  const hadFocus = chips.contains(document.activeElement);
  chips.replaceChildren(...[
    question.search && chip({
      kind: "like",
      said: "Like your picture",
      url: example && urlOf(example),
      remove: () => change({ search: null }),
    }),
    ...question.like.map((id) => chip({ kind: "like", said: "More like this", node: known.get(id), remove: without("like", id) })),
    ...words.without.map((word) => chip({
      kind: "without",
      said: `Without ${word}`,
      remove: () => change({ text: [words.text, ...words.without.filter((other) => other !== word).map(minus)].join(" ") }),
    })),
    ...question.unlike.map((id) => chip({ kind: "without", said: "Without this", node: known.get(id), remove: without("unlike", id) })),
  ].filter(Boolean));
  chips.hidden = !chips.childElementCount;
  if (hadFocus) (chips.querySelector("button") ?? byId("text")).focus();
}

/** Return the one address of a file on this page. */
function urlOf(file) {
  if (!urls.has(file)) urls.set(file, URL.createObjectURL(file));
  return urls.get(file);
}

const minus = (word) => (/\s/.test(word) ? `-"${word}"` : `-${word}`);

function chip({ kind, said, node, url, remove }) {
  const name = node ? node.altText || node.filename : "";
  const image = (node || url) && h("img", { class: "thumb", alt: name });
  if (image) show(image, node ? node.url : url);
  return h("span", { class: `chip ${kind} ${image ? "" : "word"}` },
    image,
    h("span", {}, said),
    iconButton("close", `Remove: ${said} ${name}`.trim(), remove, { title: "Remove" }));
}
