// The dialog that asks for the API key, and verifies it before it is stored.

import { request, withRetry } from "./api.js";
import { PROBE } from "./documents.js";
import { byId, openDialog } from "./dom.js";
import { key } from "./key.js";

const DEFAULT_REASON = "Viewing pictures needs no key. Adding, tagging and deleting pictures needs a key with the scope WRITE.";

/** Ask for a key. Resolves to whether a valid key was entered. */
export function openKey(reason = DEFAULT_REASON) {
  const dialog = byId("key");
  byId("key-why").textContent = reason;
  byId("key-error").textContent = "";
  byId("key-value").value = key.value ?? "";
  byId("key-forget").hidden = !key.value;
  dialog.returnValue = "";
  openDialog(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "used"), { once: true });
  });
}

/** Resolve to whether there is a key. Asks for one where there is none. */
export const demandKey = async (reason) => Boolean(key.value) || openKey(reason);

/** Resolve to whether reading needs a key. Then pictures need it, too. */
export async function readingIsClosed() {
  try {
    await withRetry(() => request(PROBE, {}, { as: null }));
    return false;
  } catch (error) {
    return error.code === "UNAUTHENTICATED";
  }
}

export function watchKey() {
  const dialog = byId("key");
  const show = () => byId("open-key").classList.toggle("is-set", Boolean(key.value));
  show();
  key.addEventListener("change", show);
  byId("open-key").addEventListener("click", () => openKey());
  byId("key-cancel").addEventListener("click", () => dialog.close());
  byId("key-forget").addEventListener("click", () => {
    key.value = null;
    dialog.close();
  });
  dialog.querySelector("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const entered = byId("key-value").value.trim();
    const error = entered ? await errorOf(entered) : "Paste a key first.";
    if (!dialog.open) return;
    byId("key-error").textContent = error;
    if (error) {
      byId("key-value").select();
      return;
    }
    key.value = entered;
    dialog.close("used");
  });
}

/** Resolve to the reason why a key is not valid, or an empty string. */
async function errorOf(value) {
  try {
    await request(PROBE, {}, { as: value });
    return "";
  } catch (error) {
    return error.code === "UNAUTHENTICATED" ? "The server does not know this key." : error.message;
  }
}
