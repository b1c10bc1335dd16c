// A picture of the page: a blurred preview first, then the thumbnail when it is loaded.

import { Unavailable, request, withRetry } from "./api.js";
import { PROBE } from "./documents.js";
import { h } from "./dom.js";
import { key } from "./key.js";

const LOOK_AHEAD = "600px";
const MAX_PREVIEW_SIDE = 32;
const HEADER_BYTES = 5;
const MAX_WAVES = 7;

let closed = false;
let probing = null;

/** Whether pictures need a key. An `img` element cannot send one. */
export const reading = {
  get isClosed() {
    return closed;
  },
  set isClosed(value) {
    closed = value;
  },
};

/** Fetches pictures with the key when they become visible, where reading needs a key. */
const watcher = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    watcher.unobserve(target);
    load(target, target.dataset.from);
  }
}, { rootMargin: LOOK_AHEAD });

/** Set the URL of an image. After an error, it is loaded once more when the server is available. */
export function show(image, url) {
  image.onerror = () => again(image, url);
  if (!closed || url.startsWith("blob:")) image.src = url;
  else {
    image.dataset.from = url;
    watcher.observe(image);
  }
}

/** Fetch a picture with the key, and return an object URL. Throws Unavailable or an Error. */
export async function fetched(url) {
  let response;
  try {
    response = await fetch(url, { headers: { Authorization: `Bearer ${key.value}` } });
  } catch {
    throw new Unavailable();
  }
  if (!response.ok) throw new Error(`The picture could not be loaded: HTTP ${response.status}.`);
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
  // An image does not tell whether the server is unavailable or the picture is deleted.
  probing ??= withRetry(() => request(PROBE)).finally(() => { probing = null; });
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

/** Return the preview of a picture and its thumbnail, which fill their container. */
export function picture(node, { lazy = true, alt = node.altText || node.filename } = {}) {
  const preview = h("canvas", { width: 1, height: 1, "aria-hidden": "true" });
  if (node.placeholder) paint(preview, node.placeholder);
  const image = h("img", { alt, loading: lazy ? "lazy" : "eager", decoding: "async", draggable: false });
  image.addEventListener("load", () => image.classList.add("is-loaded"), { once: true });
  if (node.url) show(image, node.url);
  return [preview, image];
}

/**
 * Paint a preview (base64) onto a canvas, and set its size. A malformed preview paints nothing.
 *
 * It is a ThumbHash (evanw.github.io/thumbhash): a discrete cosine transform of luminance and two
 * opponent colours, in nibbles, some 25 bytes in all. Pictures of this API have no alpha.
 */
export function paint(canvas, hash) {
  let bytes;
  try {
    bytes = Uint8Array.from(atob(hash), (letter) => letter.charCodeAt(0));
  } catch {
    return;
  }
  if (bytes.length < HEADER_BYTES) return;
  const image = decode(bytes);
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function decode(bytes) {
  const head = bytes[0] | (bytes[1] << 8) | (bytes[2] << 16);
  const tail = bytes[3] | (bytes[4] << 8);
  const isLandscape = Boolean(tail >> 15);
  const short = tail & 7;
  const [across, down] = isLandscape ? [MAX_WAVES, short] : [short, MAX_WAVES];

  const nibbles = nibblesOf(bytes.subarray(HEADER_BYTES));
  const luminance = channel(nibbles, {
    constant: (head & 63) / 63,
    scale: ((head >> 18) & 31) / 31,
    across: Math.max(3, across),
    down: Math.max(3, down),
  });
  // 1.25 compensates for the saturation that is lost by quantization.
  const yellowBlue = channel(nibbles, {
    constant: ((head >> 6) & 63) / 31.5 - 1, scale: (((tail >> 3) & 63) / 63) * 1.25, across: 3, down: 3,
  });
  const redGreen = channel(nibbles, {
    constant: ((head >> 12) & 63) / 31.5 - 1, scale: (((tail >> 9) & 63) / 63) * 1.25, across: 3, down: 3,
  });

  const ratio = across / down || 1;
  const width = Math.max(1, Math.round(ratio > 1 ? MAX_PREVIEW_SIDE : MAX_PREVIEW_SIDE * ratio));
  const height = Math.max(1, Math.round(ratio > 1 ? MAX_PREVIEW_SIDE / ratio : MAX_PREVIEW_SIDE));
  const [columns, lines] = [waves(width), waves(height)];
  const image = new ImageData(width, height);
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 4) {
      const [l, p, q] = [luminance, yellowBlue, redGreen].map((of) => valueAt(of, columns[x], lines[y]));
      const blue = l - (2 / 3) * p;
      const red = (3 * l - blue + q) / 2;
      image.data.set([255 * red, 255 * (red - q), 255 * blue, 255], at);
    }
  }
  return image;
}

/** Yield the nibbles of bytes, the lower one of each byte first. */
function* nibblesOf(bytes) {
  for (const byte of bytes) {
    yield byte & 15;
    yield byte >> 4;
  }
}

/** Read a channel: a constant, and the coefficients of a triangle of horizontal and vertical waves. */
function channel(nibbles, { constant, scale, across, down }) {
  const terms = [];
  for (let cy = 0; cy < down; cy += 1) {
    for (let cx = cy ? 0 : 1; cx * down < across * (down - cy); cx += 1) {
      terms.push([cx, cy, ((nibbles.next().value ?? 7.5) / 7.5 - 1) * scale]);
    }
  }
  return { constant, terms };
}

/** Return cos(π/size (n + ½) k) by n and k. */
const waves = (size) =>
  Array.from({ length: size }, (_, n) =>
    Array.from({ length: 8 }, (_, k) => Math.cos((Math.PI / size) * (n + 0.5) * k)));

const valueAt = ({ constant, terms }, column, line) =>
  terms.reduce((sum, [cx, cy, share]) => sum + 2 * share * column[cx] * line[cy], constant);
