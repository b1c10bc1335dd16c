// A picture on the page: its blurred preview at once, itself as soon as it is there.

import { h } from "./dom.js";
import { key } from "./key.js";
import { paint } from "./thumbhash.js";

let closed = false;

/** Say whether pictures are only given to those who send a key, which an `img` cannot. */
export const closeReading = (isClosed) => { closed = isClosed; };

/** Set where an image comes from; what failed is tried again when the server is back. */
export async function show(image, url) {
  image.onerror = () => addEventListener("pictograph:back", () => show(image, url), { once: true });
  image.src = closed ? await fetched(url) : url;
}

/** Return an address that anybody on this page can load. */
export async function fetched(url) {
  const response = await fetch(url, { headers: key.value ? { Authorization: `Bearer ${key.value}` } : {} });
  return response.ok ? URL.createObjectURL(await response.blob()) : "";
}

/** Return the preview of a node with its thumbnail above, which fill what they are put into. */
export function picture(node, { lazy = true, alt = node.altText || node.filename } = {}) {
  const preview = h("canvas", { width: 1, height: 1, "aria-hidden": "true" });
  if (node.placeholder) paint(preview, node.placeholder);
  const image = h("img", { alt, loading: lazy ? "lazy" : "eager", decoding: "async", draggable: false });
  const loaded = () => image.classList.add("is-loaded");
  image.addEventListener("load", loaded, { once: true });
  show(image, node.url);
  if (image.complete && image.naturalWidth) loaded();
  return [preview, image];
}
