// Deletion that can be undone for some seconds. The picture is deleted when they have passed.

import { Unavailable, request } from "./api.js";
import { DELETE } from "./documents.js";
import { toast } from "./dom.js";
import { demandKey } from "./key-dialog.js";

const UNDO_SECONDS = 8;

/** Functions that delete at once, by the id of a picture. */
const pending = new Map();

/** Tell whether a picture is about to be deleted. */
export const isPending = (id) => pending.has(id);

/**
 * Delete a picture after some seconds.
 *
 * `hide` hides it and returns a function that shows it again; `ondeleted` is called after the deletion.
 */
export async function deleteLater(node, { hide, ondeleted }) {
  if (isPending(node.id) || !(await demandKey("Deleting a picture needs a key with the scope WRITE."))) return;
  const restore = hide();
  const finish = async ({ keepalive = false } = {}) => {
    clearTimeout(timer);
    pending.delete(node.id);
    removeToast();
    try {
      const { deleteImages } = await request(DELETE, { ids: [node.id] }, { keepalive });
      const [error] = deleteImages.userErrors;
      // It was deleted by another client already.
      if (error && error.code !== "NOT_FOUND") throw new Error(error.message);
      ondeleted();
    } catch (error) {
      restore();
      const reason = error instanceof Unavailable ? "The server does not answer." : error.message;
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

/** Delete pending pictures at once when the user leaves the page. */
export function finishOnLeaving() {
  addEventListener("pagehide", () => {
    for (const finish of pending.values()) finish({ keepalive: true });
  });
}
