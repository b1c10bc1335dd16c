// Deletion at once, and its undo: the server keeps deleted pictures in its trash for some days.

import { Unavailable, request } from "./api.js";
import { DELETE, RESTORE, SERVICE } from "./documents.js";
import { toast } from "./dom.js";
import { demandKey } from "./key-dialog.js";

const UNDO_SECONDS = 8;

/** The ids of pictures that were deleted on this page. Results that were loaded before may hold them. */
const deleted = new Set();

/** Tell whether a picture was deleted on this page. */
export const isDeleted = (id) => deleted.has(id);

/**
 * Delete a picture, and offer to restore it.
 *
 * `hide` hides it and returns a function that shows it again; `onchanged` is called after the deletion
 * and after the restoration.
 */
export async function deletePicture(node, { hide, onchanged }) {
  if (isDeleted(node.id) || !(await demandKey("Deleting a picture needs a key with the scope WRITE."))) return;
  try {
    const { service } = await request(SERVICE);
    if (!service.trashDays && !confirm(`Delete ${node.filename} for good? This server keeps no deleted pictures.`)) return;
    deleted.add(node.id);
    const show = hide();
    const change = async (document, name) => {
      const answer = await request(document, { ids: [node.id] }, { keepalive: true });
      const [error] = answer[name].userErrors;
      // Another client may have done it already.
      if (error && error.code !== "NOT_FOUND") throw new Error(error.message);
      onchanged();
    };
    const restore = async () => {
      try {
        await change(RESTORE, "restoreImages");
        deleted.delete(node.id);
        show();
      } catch (error) {
        toast(`${node.filename} was not restored. ${reasonOf(error)}`);
      }
    };
    try {
      await change(DELETE, "deleteImages");
    } catch (error) {
      deleted.delete(node.id);
      show();
      throw error;
    }
    const undo = { action: "Undo", onaction: restore, seconds: UNDO_SECONDS, draining: true };
    toast(`Deleted ${node.filename}`, service.trashDays ? undo : {});
  } catch (error) {
    toast(`${node.filename} was not deleted. ${reasonOf(error)}`);
  }
}

const reasonOf = (error) => (error instanceof Unavailable ? "The server does not answer." : error.message);
