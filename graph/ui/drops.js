// Pictures that are dropped, pasted or chosen: to search by, or to add.

import { byId, toast } from "./dom.js";

const isFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

/** `onexample` gets one file to search by, `onadd` a list of files to add. */
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
    // How many there are is known before what they are.
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
    const files = [...event.dataTransfer.files];
    const over = event.target.closest?.("[data-drop]")?.dataset.drop;
    hide();
    if (over === "search" && files.length === 1) onexample(files[0]);
    else onadd(files);
  });

  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])].filter(({ type }) => type.startsWith("image/"));
    if (!files.length) return;
    // Office programs send a picture along with the words that are meant.
    if (event.target.matches?.("input, textarea") && event.clipboardData.types.includes("text/plain")) return;
    event.preventDefault();
    if (files.length > 1) {
      onadd(files);
      return;
    }
    onexample(files[0]);
    toast("Searching by the picture that was pasted.", { action: "Add it instead", onaction: () => onadd(files) });
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
