// The dialog of one picture: large, with its facts, its tags and the actions on it.

import { pause, request, withRetry } from "./api.js";
import { isDeleted } from "./deletions.js";
import { DETAIL, SET_ALT_TEXT, SIMILAR, TAG, UNTAG } from "./documents.js";
import { byId, bytes, h, icon, iconButton, openDialog, toast } from "./dom.js";
import { demandKey, openKey } from "./key-dialog.js";
import { fetched, picture, reading, show } from "./thumbnail.js";

const DATE_FORMAT = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "short" });
const LOCAL_DATE_FORMAT = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "short", timeZone: "UTC" });
/** Waits between two looks at a picture that is being indexed. The last one repeats. */
const POLL_SECONDS = [1, 1, 2, 2, 5];
const NOTES = {
  PROCESSING: () => "This picture is being indexed. It appears here when that is done.",
  FAILED: ({ failureReason }) => `This picture could not be indexed. ${failureReason ?? ""}`,
};
const FORMAT_NAMES = { jpeg: "JPEG", png: "PNG", webp: "WebP", gif: "GIF", tiff: "TIFF", bmp: "BMP", avif: "AVIF", heic: "HEIC" };

/**
 * The dialog. `actions` has onclose, onlike, onunlike, ondelete, onnear and onchange, which are called
 * with the picture, `neighbour(id, step)`, which returns another picture, and `go`, which opens one.
 */
export class Detail {
  #dialog = byId("detail");
  #sheet = h("div", { class: "sheet" });
  #actions;
  #node = null;
  #abort = new AbortController();
  #knownTags = [];
  /** Descriptions that were typed but not saved, by the id of the picture. */
  #drafts = new Map();

  constructor(actions) {
    this.#actions = actions;
    this.#dialog.append(this.#sheet);
    this.#dialog.addEventListener("close", () => {
      const node = this.#node;
      this.#abort.abort();
      this.#node = null;
      if (node) actions.onclose(node);
    });
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
    this.#dialog.addEventListener("keydown", (event) => {
      if (event.target.matches("input, textarea") || event.altKey || event.ctrlKey || event.metaKey) return;
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) this.#step(step);
    });
  }

  /** The tags to suggest in the tag input. */
  set knownTags(tags) {
    this.#knownTags = tags;
  }

  close() {
    if (this.#dialog.open) this.#dialog.close();
  }

  /** Show a picture: the known facts at once, all others when they are loaded. */
  async open(id, node) {
    if (this.#node?.id === id) return;
    this.#abort.abort();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    this.#node = { id, ...node };
    openDialog(this.#dialog);
    if (node) this.#show(this.#node);
    else this.#showMessage("Loading …");
    try {
      let image = await this.#load(id, signal);
      for (let polls = 0; image?.status === "PROCESSING"; polls += 1) {
        await pause(POLL_SECONDS[Math.min(polls, POLL_SECONDS.length - 1)], signal);
        image = await this.#load(id, signal, image);
      }
      if (image) await this.#addSimilar(id, signal);
      else this.#showMessage("This picture no longer exists.");
    } catch (error) {
      if (!signal.aborted) this.#showMessage(error.message);
    }
  }

  /** Load a picture, and show it unless it is as it was `before`. */
  async #load(id, signal, before) {
    const { image } = await withRetry(() => request(DETAIL, { id }, { signal }), signal);
    if (image && image.status !== before?.status) {
      this.#node = image;
      this.#show(image);
    }
    return image;
  }

  async #addSimilar(id, signal) {
    try {
      const { image } = await withRetry(() => request(SIMILAR, { id }, { signal }), signal);
      this.#showSimilar((image?.similarImages.nodes ?? []).filter((node) => !isDeleted(node.id)));
    } catch {
      // Similar pictures are optional.
    }
  }

  #showMessage(message) {
    const close = h("button", { type: "button", onclick: () => this.#dialog.close() }, "Close");
    this.#sheet.replaceChildren(h("div", { class: "said" }, h("p", { role: "alert" }, message), close));
    close.focus();
  }

  #step(step) {
    const next = this.#actions.neighbour(this.#node.id, step);
    if (next) this.#actions.go(next);
  }

  #show(node) {
    const { neighbour } = this.#actions;
    const focused = this.#dialog.contains(document.activeElement) && document.activeElement.dataset.stop;
    this.#dialog.setAttribute("aria-label", node.altText || node.filename);
    const steps = [[-1, "left", "Previous picture"], [1, "right", "Next picture"]].map(([step, name, label]) =>
      iconButton(name, label, () => this.#step(step), {
        class: `step ${name}`, hidden: !neighbour(node.id, step), "data-stop": name,
      }));
    this.#sheet.replaceChildren(
      h("div", { class: "stage" }, this.#stage(node), steps),
      h("div", { class: "about" },
        h("div", { class: "about-head" },
          h("h2", {}, node.filename),
          iconButton("close", "Close", () => this.#dialog.close(), { "data-stop": "close" })),
        node.original ? this.#about(node) : h("p", { class: "note" }, "Loading …")));
    const stop = focused && this.#dialog.querySelector(`[data-stop="${focused}"]:not([hidden])`);
    (stop || this.#dialog.querySelector('[data-stop="close"]')).focus();
  }

  #stage(node) {
    const [preview, thumbnail] = picture(node, { lazy: false, alt: "" });
    const large = h("img", { class: "large", alt: node.altText || node.filename, draggable: false });
    large.addEventListener("load", () => large.classList.add("is-loaded"), { once: true });
    if (node.large) show(large, node.large);
    const frame = h("div", { class: "frame" }, preview, thumbnail, large);
    if (node.width) {
      frame.style.setProperty("--shape", node.width / node.height);
      frame.style.setProperty("--own-width", `${node.width}px`);
    }
    return frame;
  }

  #about(node) {
    const { onlike, onunlike, ondelete, onnear } = this.#actions;
    const near = node.exif?.location;
    const note = NOTES[node.status]?.(node);
    return [
      note && h("p", { class: "note", role: "status" }, note),
      h("div", { class: "doings" },
        this.#actionButton("similar", "More like this", () => onlike(node)),
        this.#actionButton("minus", "Without this", () => onunlike(node)),
        this.#actionButton("download", "Download", () => this.#download(node)),
        this.#actionButton("trash", "Delete", () => ondelete(node), "danger")),
      this.#altText(node),
      this.#tags(node),
      h("dl", { class: "facts" }, facts(node).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
      near && h("button", { type: "button", onclick: () => onnear(near) }, icon("place"), "Taken near here"),
      node.exif?.all.length ? h("details", { class: "exif" },
        h("summary", {}, `All ${node.exif.all.length} EXIF tags`),
        h("dl", { class: "facts" }, node.exif.all.map(({ name, value }) => [h("dt", {}, name), h("dd", {}, value)])),
      ) : null,
      h("section", { class: "similar", "aria-label": "Pictures like this one", hidden: true }),
    ];
  }

  #actionButton(name, label, onclick, kind = "") {
    return h("button", { type: "button", class: kind, onclick, "data-stop": name }, icon(name), label);
  }

  #showSimilar(nodes) {
    const section = this.#dialog.querySelector(".similar");
    if (!section || !nodes.length) return;
    section.replaceChildren(
      h("h3", {}, "Like this one"),
      h("ul", { class: "strip" }, nodes.map((node) =>
        h("li", {}, h("button", { type: "button", onclick: () => this.#actions.go(node) }, picture(node))))));
    section.hidden = false;
  }

  async #download(node) {
    const url = `${node.original}?download`;
    try {
      const link = h("a", { href: reading.isClosed ? await fetched(url) : url, download: node.filename });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    } catch (error) {
      toast(error.message);
    }
  }

  #altText(node) {
    const text = h("textarea", { id: "alt-text", rows: 3, maxLength: 2000, value: this.#drafts.get(node.id) ?? node.altText ?? "", placeholder: "A description for people who cannot see it" });
    const isSaved = () => text.value.trim() === (node.altText ?? "");
    const save = h("button", { type: "submit", hidden: isSaved() }, "Save");
    text.addEventListener("input", () => {
      save.hidden = isSaved();
      this.#drafts.set(node.id, text.value);
    });
    const submit = async (event) => {
      event.preventDefault();
      const data = await this.#mutate(SET_ALT_TEXT, { id: node.id, altText: text.value.trim() || null });
      if (!data) return;
      node.altText = data.updateImage.image.altText;
      this.#drafts.delete(node.id);
      save.hidden = true;
      this.#actions.onchange({ id: node.id, altText: node.altText });
      toast("The description is saved.");
    };
    return h("form", { class: "alt-text", onsubmit: submit }, h("label", { for: "alt-text" }, "What it shows"), text, save);
  }

  #tags(node) {
    const list = h("ul", { class: "tags" });
    const input = h("input", { id: "new-tag", placeholder: "Add a tag", autocomplete: "off", maxLength: 100, list: "known-tags" });
    const draw = () => list.replaceChildren(...node.tags.map((tag) => h("li", { class: "tag" }, h("span", {}, tag),
      iconButton("close", `Remove the tag ${tag}`, () => change(UNTAG, tag), { title: "Remove" }))));
    const change = async (mutation, tag) => {
      const data = await this.#mutate(mutation, { ids: [node.id], tags: [tag] });
      if (!data) return;
      node.tags = (data.tagImages ?? data.untagImages).images[0].tags;
      draw();
      input.value = "";
      input.focus();
      this.#actions.onchange({ id: node.id });
    };
    draw();
    return h("form", {
      class: "tagging",
      onsubmit: (event) => {
        event.preventDefault();
        const tag = input.value.trim();
        if (tag) change(TAG, tag);
      },
    },
    h("label", { for: "new-tag" }, "Tags"), list, input,
    h("datalist", { id: "known-tags" }, this.#knownTags.map((tag) => h("option", { value: tag }))));
  }

  /** Send a mutation, and return its data; null after an error, which is shown. */
  async #mutate(mutation, variables) {
    if (!(await demandKey("Changing a picture needs a key with the scope WRITE."))) return null;
    try {
      const data = await request(mutation, variables);
      const [error] = Object.values(data)[0].userErrors;
      if (!error) return data;
      toast(error.message);
    } catch (error) {
      const isKey = error.code === "UNAUTHENTICATED" || error.code === "FORBIDDEN";
      toast(`Nothing was changed. ${error.message}`, isKey ? { action: "Another key", onaction: () => openKey() } : {});
    }
    return null;
  }
}

const timeElement = (moment) => h("time", { datetime: moment }, DATE_FORMAT.format(new Date(moment)));

/** Show the time of a camera's clock, whatever the visitor's time zone. */
const localTimeElement = (local) =>
  h("time", { datetime: local }, LOCAL_DATE_FORMAT.format(new Date(`${local}Z`)));

/** Return the known facts as pairs [name, value]. */
function facts(node) {
  const { exif } = node;
  const camera = [exif?.cameraMake, exif?.cameraModel].filter(Boolean);
  // Many cameras repeat the maker in the name of the model.
  if (camera.length === 2 && camera[1].toLowerCase().startsWith(camera[0].toLowerCase())) camera.shift();
  return [
    exif?.takenAtLocal && ["Taken", localTimeElement(exif.takenAtLocal)],
    camera.length && ["Camera", camera.join(" ")],
    exif?.lens && ["Lens", exif.lens],
    exif && exposure(exif) && ["Exposure", exposure(exif)],
    exif?.location && ["Place", `${exif.location.latitude.toFixed(4)}, ${exif.location.longitude.toFixed(4)}`],
    node.width && ["Size", `${node.width} × ${node.height}`],
    ["File", `${FORMAT_NAMES[node.contentType.split("/")[1]] ?? node.contentType}, ${bytes(node.byteSize)}`],
    ["Added", timeElement(node.createdAt)],
  ].filter(Boolean);
}

/** Return the exposure as people write it: “1/250 s · f/8 · ISO 100 · 35 mm”. */
function exposure({ exposureSeconds, fNumber, iso, focalLengthMm }) {
  const short = exposureSeconds && exposureSeconds < 0.4;
  return [
    exposureSeconds && `${short ? `1/${Math.round(1 / exposureSeconds)}` : Number(exposureSeconds.toFixed(1))} s`,
    fNumber && `f/${Number(fNumber.toFixed(1))}`,
    iso && `ISO ${iso}`,
    focalLengthMm && `${Number(focalLengthMm.toFixed(1))} mm`,
  ].filter(Boolean).join(" · ");
}
