// A picture on the page: its blurred preview at once, itself as soon as it is there.

import { Away, ask } from "./api.js";
import { patiently } from "./connection.js";
import { PROBE } from "./documents.js";
import { h } from "./dom.js";
import { key } from "./key.js";
import { paint } from "./thumbhash.js";

const LOOK_AHEAD = "600px";

let closed = false;
let probing = null;

/** Whether pictures are only given to those who send a key, which an `img` cannot. */
export const reading = {
  get isClosed() {
    return closed;
  },
  set isClosed(value) {
    closed = value;
  },
};

/** Where reading is closed, pictures are fetched by the page: those that come into sight. */
const watcher = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    watcher.unobserve(target);
    load(target, target.dataset.from);
  }
}, { rootMargin: LOOK_AHEAD });

/** Set where an image comes from. One that fails is tried once more when the server answers. */
export function show(image, url) {
  image.onerror = () => again(image, url);
  if (!closed || url.startsWith("blob:")) image.src = url;
  else {
    image.dataset.from = url;
    watcher.observe(image);
  }
}

/** Return an address of this page's own for what only a key opens. Raises Away or an error. */
export async function fetched(url) {
  let response;
  try {
    response = await fetch(url, { headers: { Authorization: `Bearer ${key.value}` } });
  } catch {
    throw new Away();
  }
  if (!response.ok) throw new Error(`The picture did not come: ${response.status}.`);
  return URL.createObjectURL(await response.blob());
}

async function load(image, url) {
  try {
    image.src = await fetched(url);
    image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
  } catch {
    image.onerror?.();
  }
}

async function again(image, url) {
  image.onerror = null;
  // Whether the server is away or only the picture gone, an image cannot tell.
  probing ??= patiently(() => ask(PROBE)).finally(() => { probing = null; });
  try {
    await probing;
  } catch {
    return;
  }
  if (!image.isConnected) return;
  if (closed) load(image, url);
  else {
    image.removeAttribute("src");
    image.src = url;
  }
}

/** Return the preview of a node with its thumbnail above, which fill what they are put into. */
export function picture(node, { lazy = true, alt = node.altText || node.filename } = {}) {
  const preview = h("canvas", { width: 1, height: 1, "aria-hidden": "true" });
  if (node.placeholder) paint(preview, node.placeholder);
  const image = h("img", { alt, loading: lazy ? "lazy" : "eager", decoding: "async", draggable: false });
  image.addEventListener("load", () => image.classList.add("is-loaded"), { once: true });
  show(image, node.url);
  return [preview, image];
}
