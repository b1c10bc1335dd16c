// The panel of uploads: several files at once, each with its own progress and error.

import { Unavailable, pause, request, upload } from "./api.js";
import { SERVICE, UPLOAD } from "./documents.js";
import { byId, bytes, h, iconButton } from "./dom.js";
import { demandKey } from "./key-dialog.js";

const MAX_CONCURRENT_UPLOADS = 3;
const RETRY_CODES = new Set(["UNAUTHENTICATED", "FORBIDDEN", "LOGIN_PAGE"]);
const RETRY_DELAYS_SECONDS = [2, 4, 8, 15, 30];

export class Uploads {
  #panel = byId("uploads");
  #list = h("ul", { class: "files" });
  #head = h("p", { role: "status" });
  #bar = h("progress", { max: 1, "aria-label": "All pictures" });
  #show;
  #close;
  #waiting = [];
  #entries = [];
  #running = 0;
  #abort = new AbortController();
  #maxBytes = null;
  #onadded;

  /** `onadded` is called when all uploads have ended, `onshow` when the user wants to see them. */
  constructor({ onadded, onshow }) {
    this.#onadded = onadded;
    this.#show = h("button", { type: "button", hidden: true, onclick: onshow }, "Show them");
    this.#close = iconButton("close", "Stop and close", () => this.#end());
    this.#panel.replaceChildren(
      h("div", { class: "uploads-head" }, this.#head, this.#show, this.#close), this.#bar, this.#list);
    // Warn before the page is left during uploads.
    addEventListener("beforeunload", (event) => this.#running && event.preventDefault());
  }

  /** Add files to the library. Asks for a key where there is none. */
  async add(files) {
    if (!files.length || !(await demandKey("Adding pictures needs a key with the scope WRITE."))) return;
    this.#panel.hidden = false;
    for (const file of files) {
      const entry = this.#entry(file);
      this.#entries.push(entry);
      this.#waiting.push(entry);
      this.#list.append(entry.row);
    }
    this.#update();
    while (this.#running < MAX_CONCURRENT_UPLOADS && this.#waiting.length) this.#work();
  }

  #entry(file) {
    const message = h("span", { class: "said-of" }, "Waiting");
    const bar = h("progress", { max: 1, value: 0, "aria-label": `Sending ${file.name}` });
    const url = file.type.startsWith("image/") ? URL.createObjectURL(file) : null;
    const image = h("img", { alt: "", src: url });
    image.addEventListener("error", () => image.removeAttribute("src"));
    const again = h("button", { type: "button", hidden: true, onclick: () => this.#retry(entry) }, "Try again");
    const row = h("li", {}, image, h("div", {}, h("span", { class: "name" }, file.name), bar, message), again);
    const entry = { file, row, message, bar, again, image, part: 0, state: "waiting" };
    return entry;
  }

  #retry(entry) {
    this.#set(entry, "waiting", "Waiting");
    this.#waiting.push(entry);
    this.#update();
    if (this.#running < MAX_CONCURRENT_UPLOADS) this.#work();
  }

  #set(entry, state, text) {
    Object.assign(entry, { state, part: state === "waiting" ? 0 : entry.part });
    entry.row.dataset.state = state;
    entry.message.textContent = text;
    entry.bar.hidden = state !== "waiting" && state !== "sending";
    entry.again.hidden = state !== "away";
    this.#update();
  }

  async #work() {
    this.#running += 1;
    const { signal } = this.#abort;
    while (this.#waiting.length && !signal.aborted) {
      const entry = this.#waiting.shift();
      try {
        await this.#one(entry, signal);
      } catch (error) {
        if (signal.aborted) break;
        this.#set(entry, error instanceof Unavailable || RETRY_CODES.has(error.code) ? "away" : "refused", error.message);
      }
    }
    this.#running -= 1;
    if (!this.#running && !signal.aborted) this.#finish();
  }

  async #one(entry, signal) {
    const max = await this.#readMaxBytes();
    if (entry.file.size > max) {
      this.#set(entry, "refused", `The file has ${bytes(entry.file.size)}; at most ${bytes(max)} are accepted.`);
      return;
    }
    for (let attempt = 0; ; attempt += 1) {
      this.#set(entry, "sending", "Sending");
      const onprogress = (part) => {
        entry.part = part;
        entry.bar.value = part;
        if (part >= 1) {
          entry.bar.removeAttribute("value");
          entry.message.textContent = "Indexing";
        }
        this.#update();
      };
      const { uploadImages } = await upload(UPLOAD, { file: entry.file }, { onprogress, signal });
      const [error] = uploadImages.userErrors;
      if (error?.code === "OVERLOADED" && attempt < RETRY_DELAYS_SECONDS.length) {
        this.#set(entry, "waiting", "The server is busy; retrying soon");
        await pause(RETRY_DELAYS_SECONDS[attempt], signal);
        continue;
      }
      if (error) this.#set(entry, error.code === "OVERLOADED" ? "away" : "refused", error.message);
      else {
        const [{ isDuplicate }] = uploadImages.results;
        entry.part = 1;
        this.#set(entry, isDuplicate ? "here" : "added", isDuplicate ? "Already in the library" : "Added");
      }
      return;
    }
  }

  /** Resolve to the size limit of the server, or Infinity where it cannot be read. */
  async #readMaxBytes() {
    this.#maxBytes ??= request(SERVICE).then(({ service }) => service.maxUploadBytes);
    try {
      return await this.#maxBytes;
    } catch {
      this.#maxBytes = null;
      return Infinity;
    }
  }

  #update() {
    const of = (state) => this.#entries.filter((entry) => entry.state === state).length;
    const total = this.#entries.length;
    const [added, here, refused] = [of("added"), of("here"), of("refused") + of("away")];
    const open = total - added - here - refused;
    const rest = [here && `${here} already in the library`, refused && `${refused} not added`].filter(Boolean);
    const text = open
      ? `Adding ${total - open + 1} of ${total}`
      : [`${added} added`, ...rest].join(", ");
    if (this.#head.textContent !== text) this.#head.textContent = text;
    this.#bar.value = this.#entries.reduce((sum, { state, part }) =>
      sum + (state === "waiting" || state === "sending" ? part * 0.9 : 1), 0) / (total || 1);
    this.#bar.hidden = !open;
    this.#show.hidden = Boolean(open) || !added;
    this.#close.title = open ? "Stop and close" : "Close";
    this.#close.lastChild.textContent = this.#close.title;
  }

  #finish() {
    if (this.#entries.some(({ state }) => state === "added")) this.#onadded();
  }

  /** Cancel all uploads, and close the panel. */
  #end() {
    this.#abort.abort();
    this.#abort = new AbortController();
    for (const { image } of this.#entries) if (image.src) URL.revokeObjectURL(image.src);
    const some = this.#entries.some(({ state }) => state === "added");
    const ended = this.#running > 0;
    this.#entries = [];
    this.#waiting = [];
    this.#list.replaceChildren();
    this.#panel.hidden = true;
    if (ended && some) this.#onadded();
  }
}
