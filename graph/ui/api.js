// Asking the GraphQL API, sending files to it, and getting over times in which it is away or too busy.

import { byId, h } from "./dom.js";
import { key } from "./key.js";

const ENDPOINT = new URL("graphql", document.baseURI);
const DELAYS = [1, 2, 4, 8, 15];
const BUSY = new Set(["OVERLOADED", "TIMEOUT"]);

/** How many questions wait for the server. */
let waiting = 0;

/** The server said no, in a sentence for people. `code` is the one of the first error. */
class Refused extends Error {
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

/** The server, or what it stands on, is away. */
export class Away extends Error {
  constructor() {
    super("The server does not answer.");
  }
}

/**
 * Return the data of the answer to a query or mutation.
 *
 * Files may stand anywhere in the variables. Raises Refused, Away, or an AbortError.
 */
export async function ask(query, variables = {}, { signal, keepalive, as = key.value } = {}) {
  const { body, headers } = packed(query, variables);
  if (as) headers.Authorization = `Bearer ${as}`;
  let status, text;
  try {
    const response = await fetch(ENDPOINT, { method: "POST", body, headers, signal, keepalive });
    [status, text] = [response.status, await response.text()];
  } catch (error) {
    throw error.name === "AbortError" ? error : new Away();
  }
  return dataOf(status, text);
}

/** The same, and call `onprogress` with the part that is sent, 0 to 1, as fetch cannot. */
export function send(query, variables, { onprogress, signal }) {
  signal.throwIfAborted();
  const { body, headers } = packed(query, variables);
  const request = new XMLHttpRequest();
  request.open("POST", ENDPOINT);
  if (key.value) headers.Authorization = `Bearer ${key.value}`;
  for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
  return new Promise((resolve, reject) => {
    request.upload.onprogress = (event) => event.lengthComputable && onprogress(event.loaded / event.total);
    request.onload = () => {
      try {
        resolve(dataOf(request.status, request.responseText));
      } catch (error) {
        reject(error);
      }
    };
    request.onerror = () => reject(new Away());
    request.onabort = () => reject(signal.reason);
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(body);
  });
}

/**
 * Return what `question` resolves to, asked again for as long as the server is away or too busy.
 *
 * The page says so meanwhile. `signal` ends it.
 */
export async function patiently(question, signal) {
  let waits = false;
  try {
    for (let failures = 0; ; failures += 1) {
      try {
        return await question();
      } catch (error) {
        if (!(error instanceof Away || BUSY.has(error.code)) || signal?.aborted) throw error;
        if (!waits) wait(1, error.message);
        waits = true;
      }
      await pause(DELAYS[Math.min(failures, DELAYS.length - 1)], signal);
    }
  } finally {
    if (waits) wait(-1);
  }
}

/** Wait so many seconds, or until the network is back or somebody asks to try now. */
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

/** Return body and headers: JSON, or a form of the multipart request specification with files. */
function packed(query, variables) {
  const files = new Map();
  const json = JSON.stringify({ query, variables: without(variables, "variables", files) });
  const headers = { Accept: "application/graphql-response+json, application/json" };
  if (!files.size) return { body: json, headers: { ...headers, "Content-Type": "application/json" } };
  const form = new FormData();
  form.append("operations", json);
  form.append("map", JSON.stringify(Object.fromEntries([...files.keys()].map((path, n) => [n, [path]]))));
  [...files.values()].forEach((file, n) => form.append(String(n), file, file.name || "pasted.png"));
  return { body: form, headers: { ...headers, "GraphQL-Require-Preflight": "1" } };
}

function without(value, path, files) {
  if (value instanceof Blob) {
    files.set(path, value);
    return null;
  }
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).map(([name, inner]) => [name, without(inner, `${path}.${name}`, files)]);
  return Array.isArray(value) ? entries.map(([, inner]) => inner) : Object.fromEntries(entries);
}

function dataOf(status, text) {
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new Away();
  }
  const [first] = answer.errors ?? [];
  const code = status === 401 ? "UNAUTHENTICATED" : first?.extensions?.code;
  if (code === "INTERNAL_SERVER_ERROR") throw new Away();
  if (first) throw new Refused(first.message, code);
  if (!answer.data) throw new Away();
  return answer.data;
}

function wait(change, message) {
  const banner = byId("away");
  if (!waiting) {
    banner.replaceChildren(
      h("span", {}, `${message} This page tries again by itself.`),
      h("button", { type: "button", onclick: () => dispatchEvent(new Event("online")) }, "Try now"),
    );
  }
  waiting += change;
  banner.hidden = !waiting;
}
