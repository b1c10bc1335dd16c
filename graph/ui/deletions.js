// Deleting with a window in which it can be undone: nothing is deleted before it has passed.

import { Away, ask } from "./api.js";
import { DELETE } from "./documents.js";
import { toast } from "./dom.js";
import { demandKey } from "./key-dialog.js";

const UNDO_SECONDS = 8;

const pending = new Map();

/** Tell whether a picture is about to be deleted. */
export const isGoing = (id) => pending.has(id);

/**
 * Delete a picture once the window has passed.
 *
 * `hide` takes it out of sight and returns what brings it back; `ongone` is called when it is gone.
 */
export async function deleteLater(node, { hide, ongone }) {
  if (isGoing(node.id) || !(await demandKey("Deleting a picture needs a key with the scope WRITE."))) return;
  const restore = hide();
  const finish = async ({ keepalive = false } = {}) => {
    clearTimeout(timer);
    pending.delete(node.id);
    removeToast();
    try {
      const { deleteImages } = await ask(DELETE, { ids: [node.id] }, { keepalive });
      const [error] = deleteImages.userErrors;
      // Somebody else was quicker: it is gone, as was wanted.
      if (error && error.code !== "NOT_FOUND") throw new Error(error.message);
      ongone();
    } catch (error) {
      restore();
      const reason = error instanceof Away ? "The server does not answer." : error.message;
      toast(`${node.filename} was not deleted. ${reason}`);
    }
  };
  const removeToast = toast(`Deleted ${node.filename}`, {
    action: "Undo",
    onaction: () => {
      clearTimeout(timer);
      pending.delete(node.id);
      restore();
    },
    seconds: UNDO_SECONDS + 1,
    draining: true,
  });
  const timer = setTimeout(finish, UNDO_SECONDS * 1000);
  pending.set(node.id, finish);
}

/** Who leaves the page has not undone it: delete at once what is still waiting then. */
export function watchLeaving() {
  addEventListener("pagehide", () => {
    for (const finish of pending.values()) finish({ keepalive: true });
  });
}
