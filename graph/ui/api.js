// A client of the GraphQL API: requests, uploads with progress, and retries while the server is unavailable.

import { byId, h } from "./dom.js";
import { key } from "./key.js";

const ENDPOINT = new URL("graphql", document.baseURI);
const RETRY_DELAYS_SECONDS = [1, 2, 4, 8, 15];
const BUSY_CODES = new Set(["OVERLOADED", "TIMEOUT"]);

/** How many requests wait for a retry. */
let retrying = 0;

/** An error with a sentence for people and a code: of the server's first error, or one of CAUSES. */
class Refused extends Error {
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

/** What stands between this page and the server, by the code of its error. */
const CAUSES = {
  PROXY_LIMIT: "The proxy in front of the server does not let a request of this size through (HTTP 413). "
    + "Send a smaller file, or have its limit raised, as client_max_body_size of nginx.",
  LOGIN_PAGE: "A login page answered in place of the server. Reload this page, and log in.",
};

/** Return an error of which the page knows the cause. */
const caused = (code) => new Refused(CAUSES[code], code);

/** The server or one of its dependencies is unavailable. */
export class Unavailable extends Error {
  constructor() {
    super("The server does not answer.");
  }
}

/**
 * Send a query or mutation, and return its data.
 *
 * The variables may contain files. Throws Refused, Unavailable, or an AbortError.
 */
export async function request(query, variables = {}, { signal, keepalive, as = key.value } = {}) {
  const { body, headers } = encode(query, variables);
  if (as) headers.Authorization = `Bearer ${as}`;
  let response, text;
  try {
    // The server never redirects this address. A proxy does so to its login page, on any origin.
    response = await fetch(ENDPOINT, { method: "POST", body, headers, signal, keepalive, redirect: "manual" });
    text = await response.text();
  } catch (error) {
    throw error.name === "AbortError" ? error : await failureOf(variables);
  }
  if (response.type === "opaqueredirect") throw caused("LOGIN_PAGE");
  return dataOf(response.status, text);
}

/** Like `request`, and calls `onprogress` with the share that is sent, 0 to 1, which fetch cannot do. */
export function upload(query, variables, { onprogress, signal }) {
  signal.throwIfAborted();
  const { body, headers } = encode(query, variables);
  const http = new XMLHttpRequest();
  http.open("POST", ENDPOINT);
  if (key.value) headers.Authorization = `Bearer ${key.value}`;
  for (const [name, value] of Object.entries(headers)) http.setRequestHeader(name, value);
  return new Promise((resolve, reject) => {
    http.upload.onprogress = (event) => event.lengthComputable && onprogress(event.loaded / event.total);
    http.onload = () => {
      try {
        resolve(dataOf(http.status, http.responseText));
      } catch (error) {
        reject(error);
      }
    };
    http.onerror = async () => reject(await failureOf(variables));
    http.onabort = () => reject(signal.reason);
    signal.addEventListener("abort", () => http.abort(), { once: true });
    http.send(body);
  });
}

/** Return the error of a request that was not sent or not answered: a file may be gone. */
async function failureOf(variables) {
  const files = new Map();
  extractFiles(variables, "", files);
  for (const file of files.values()) {
    try {
      // A file that is gone has no bytes, so that its first byte is an empty part, which can be read.
      await (file.size ? file.slice(0, 1) : file).arrayBuffer();
    } catch {
      return new Refused(
        `${file.name} cannot be read: it is a folder, or was moved, changed or deleted since it was chosen.`, "FILE_GONE");
    }
  }
  return new Unavailable();
}

/**
 * Return the result of `send`, with retries and backoff while the server is unavailable or busy.
 *
 * A banner is visible meanwhile. `signal` cancels it.
 */
export async function withRetry(send, signal) {
  let failed = false;
  try {
    for (let failures = 0; ; failures += 1) {
      try {
        return await send();
      } catch (error) {
        if (!(error instanceof Unavailable || BUSY_CODES.has(error.code)) || signal?.aborted) throw error;
        if (!failed) showRetrying(1, error.message);
        failed = true;
      }
      await pause(RETRY_DELAYS_SECONDS[Math.min(failures, RETRY_DELAYS_SECONDS.length - 1)], signal);
    }
  } finally {
    if (failed) showRetrying(-1);
  }
}

/** Wait for some seconds, or until the browser is online again or the user presses “Try now”. */
export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const over = new AbortController();
    const end = (settle, value) => {
      over.abort();
      clearTimeout(timer);
      settle(value);
    };
    const timer = setTimeout(() => end(resolve), seconds * 1000);
    addEventListener("online", () => end(resolve), { signal: over.signal });
    signal?.addEventListener("abort", () => end(reject, signal.reason), { signal: over.signal });
  });
}

/** Return body and headers: JSON, or for files a form of the multipart request specification. */
function encode(query, variables) {
  const files = new Map();
  const json = JSON.stringify({ query, variables: extractFiles(variables, "variables", files) });
  const headers = { Accept: "application/graphql-response+json, application/json" };
  if (!files.size) return { body: json, headers: { ...headers, "Content-Type": "application/json" } };
  const form = new FormData();
  form.append("operations", json);
  form.append("map", JSON.stringify(Object.fromEntries([...files.keys()].map((path, n) => [n, [path]]))));
  [...files.values()].forEach((file, n) => form.append(String(n), file, file.name || "pasted.png"));
  return { body: form, headers: { ...headers, "GraphQL-Require-Preflight": "1" } };
}

/** Return a value with null in place of its files, which are added to `files` by their paths. */
function extractFiles(value, path, files) {
  if (value instanceof Blob) {
    files.set(path, value);
    return null;
  }
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).map(([name, inner]) => [name, extractFiles(inner, `${path}.${name}`, files)]);
  return Array.isArray(value) ? entries.map(([, inner]) => inner) : Object.fromEntries(entries);
}

function dataOf(status, text) {
  let response;
  try {
    response = JSON.parse(text);
  } catch {
    if (status === 413) throw caused("PROXY_LIMIT");
    // A page in place of JSON. Proxies answer above 500 where they cannot reach the server.
    throw status < 500 && text.trimStart().startsWith("<") ? caused("LOGIN_PAGE") : new Unavailable();
  }
  const [first] = response.errors ?? [];
  const code = status === 401 ? "UNAUTHENTICATED" : first?.extensions?.code;
  if (code === "INTERNAL_SERVER_ERROR" || code === "SERVICE_UNAVAILABLE") throw new Unavailable();
  if (first) throw new Refused(first.message, code);
  if (!response.data) throw new Unavailable();
  return response.data;
}

/** Show the banner of retries, or hide it with the last of them. */
function showRetrying(change, message) {
  const banner = byId("away");
  if (!retrying) {
    banner.replaceChildren(
      h("span", {}, `${message} This page tries again by itself.`),
      h("button", { type: "button", onclick: () => dispatchEvent(new Event("online")) }, "Try now"),
    );
  }
  retrying += change;
  banner.hidden = !retrying;
}
