// Getting over times in which the server is away, or has too much to do.

import { Away } from "./api.js";
import { byId, h } from "./dom.js";

const DELAYS = [1, 2, 4, 8, 15];
const BUSY = new Set(["OVERLOADED", "TIMEOUT"]);

/** How many questions wait for the server. */
let waiting = 0;

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
