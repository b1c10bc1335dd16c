// Getting over times in which the server is away.

import { Away } from "./api.js";
import { byId, h } from "./dom.js";

const DELAYS = [1, 2, 4, 8, 15];

let waiting = 0;

/**
 * Return what `question` resolves to, asked again for as long as the server is away.
 *
 * The page says so meanwhile. `signal` ends it.
 */
export async function patiently(question, signal) {
  for (let failures = 0; ; failures += 1) {
    try {
      return await question();
    } catch (error) {
      if (!(error instanceof Away) || signal?.aborted) throw error;
    }
    show(1);
    try {
      await pause(DELAYS[Math.min(failures, DELAYS.length - 1)], signal);
    } finally {
      show(-1);
    }
  }
}

let leaving;

function show(change) {
  waiting += change;
  const banner = byId("away");
  if (waiting && banner.hidden) {
    banner.replaceChildren(
      h("span", {}, "The server does not answer. This page tries again by itself."),
      h("button", { type: "button", onclick: () => dispatchEvent(new Event("online")) }, "Try now"),
    );
    banner.hidden = false;
  }
  clearTimeout(leaving);
  // While it is asked again nobody waits, and yet nothing is better.
  if (!waiting && !banner.hidden) leaving = setTimeout(() => {
    banner.hidden = true;
    dispatchEvent(new Event("pictograph:back"));
  }, 400);
}

/** Wait so many seconds, or until the network is back or somebody asks to try now. */
function pause(seconds, signal) {
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
