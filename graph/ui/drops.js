// Files that are dropped, pasted or chosen, to search by or to add.

import { byId, toast } from "./dom.js";

const isFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

/** Return what was dropped: the files, and the names of folders, which have no content of their own. */
function contentsOf({ items, files }) {
  const entries = [...items].filter(({ kind }) => kind === "file").map((item) => item.webkitGetAsEntry?.());
  const isFolder = (_, index) => Boolean(entries[index]?.isDirectory);
  return {
    files: [...files].filter((file, index) => !isFolder(file, index)),
    folders: [...files].filter(isFolder).map(({ name }) => name),
  };
}

/** `onexample` is called with a file to search by, `onadd` with a list of files to add. */
export function watchFiles({ onexample, onadd }) {
  const zones = byId("drop");
  const exampleZone = zones.querySelector('[data-drop="search"]');
  let depth = 0;
  const hide = () => {
    depth = 0;
    zones.hidden = true;
    for (const zone of zones.children) zone.classList.remove("is-over");
  };

  addEventListener("dragenter", (event) => {
    if (!isFiles(event)) return;
    event.preventDefault();
    depth += 1;
    byId("detail").close();
    // During a drag, browsers tell the number of files only.
    exampleZone.hidden = event.dataTransfer.items.length > 1;
    zones.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (isFiles(event) && (depth -= 1) <= 0) hide();
  });
  addEventListener("dragover", (event) => {
    if (!isFiles(event)) return;
    event.preventDefault();
    const over = event.target.closest?.("[data-drop]");
    for (const zone of zones.children) zone.classList.toggle("is-over", zone === over);
  });
  addEventListener("drop", (event) => {
    if (!isFiles(event)) return;
    event.preventDefault();
    const { files, folders } = contentsOf(event.dataTransfer);
    if (folders.length) {
      toast(`${folders.join(", ")} is a folder. Drop the pictures in it, or import it from a terminal: pictograph import.`);
    }
    if (!files.length) {
      hide();
      return;
    }
    const over = event.target.closest?.("[data-drop]")?.dataset.drop;
    hide();
    if (over === "search" && files.length === 1) onexample(files[0]);
    else onadd(files);
  });

  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])].filter(({ type }) => type.startsWith("image/"));
    if (!files.length) return;
    // Office programs add a picture of the text that is pasted.
    if (event.target.matches?.("input, textarea") && event.clipboardData.types.includes("text/plain")) return;
    event.preventDefault();
    if (files.length > 1) {
      onadd(files);
      return;
    }
    onexample(files[0]);
    toast("Searching by the pasted picture.", { action: "Add it instead", onaction: () => onadd(files) });
  });

  const chooses = (button, input, use) => {
    byId(button).addEventListener("click", () => byId(input).click());
    byId(input).addEventListener("change", ({ target }) => {
      const files = [...target.files];
      target.value = "";
      if (files.length) use(files);
    });
  };
  chooses("by-picture", "example-file", ([file]) => onexample(file));
  chooses("add", "upload-files", onadd);
}
