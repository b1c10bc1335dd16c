// Asking for the key, and trying it before it is kept.

import { ask, patiently } from "./api.js";
import { PROBE } from "./documents.js";
import { byId, openDialog } from "./dom.js";
import { key } from "./key.js";

const WHY = "Looking needs none. Adding, tagging and deleting pictures needs a key with the scope WRITE.";

/** Ask for a key, and resolve to whether there is one now that the server knows. */
export function openKey(why = WHY) {
  const dialog = byId("key");
  byId("key-why").textContent = why;
  byId("key-error").textContent = "";
  byId("key-value").value = key.value ?? "";
  byId("key-forget").hidden = !key.value;
  dialog.returnValue = "";
  openDialog(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "used"), { once: true });
  });
}

/** Resolve to whether there is a key, after asking for one where there is none. */
export const demandKey = async (why) => Boolean(key.value) || openKey(why);

/** Return whether reading is closed to those without a key: then pictures, too, need it. */
export async function readingIsClosed() {
  try {
    await patiently(() => ask(PROBE, {}, { as: null }));
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
    const given = byId("key-value").value.trim();
    const refusal = given ? await objection(given) : "Paste a key first.";
    if (!dialog.open) return;
    byId("key-error").textContent = refusal;
    if (refusal) {
      byId("key-value").select();
      return;
    }
    key.value = given;
    dialog.close("used");
  });
}

async function objection(given) {
  try {
    await ask(PROBE, {}, { as: given });
    return "";
  } catch (error) {
    return error.code === "UNAUTHENTICATED" ? "The server does not know this key." : error.message;
  }
}
