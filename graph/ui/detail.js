// One picture, large, with what is known about it and what can be done with it.

import { ask, patiently } from "./api.js";
import { isGoing } from "./deletions.js";
import { DETAIL, SAY, SIMILAR, TAG, UNTAG } from "./documents.js";
import { byId, bytes, h, icon, iconButton, openDialog, toast } from "./dom.js";
import { demandKey, openKey } from "./key-dialog.js";
import { fetched, picture, reading, show } from "./thumbnail.js";

const DAY = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "short" });
const KINDS = { jpeg: "JPEG", png: "PNG", webp: "WebP", gif: "GIF", tiff: "TIFF", bmp: "BMP", avif: "AVIF", heic: "HEIC" };

/**
 * The dialog. `acts` has onclose, onlike, onunlike, ondelete, onnear and onchange, which get what
 * is shown, `beside(id, step)`, which names the neighbours, and `go`, which leads to another.
 */
export class Detail {
  #dialog = byId("detail");
  #sheet = h("div", { class: "sheet" });
  #acts;
  #node = null;
  #abort = new AbortController();
  #knownTags = [];
  /** Descriptions that were typed and not saved yet, by the picture. */
  #drafts = new Map();

  constructor(acts) {
    this.#acts = acts;
    this.#dialog.append(this.#sheet);
    this.#dialog.addEventListener("close", () => {
      const node = this.#node;
      this.#abort.abort();
      this.#node = null;
      if (node) acts.onclose(node);
    });
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
    this.#dialog.addEventListener("keydown", (event) => {
      if (event.target.matches("input, textarea") || event.altKey || event.ctrlKey || event.metaKey) return;
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) this.#step(step);
    });
  }

  /** The tags that are offered where one is typed. */
  set knownTags(tags) {
    this.#knownTags = tags;
  }

  close() {
    if (this.#dialog.open) this.#dialog.close();
  }

  /** Show a picture: what is known of it at once, the rest when it has come. */
  async open(id, node) {
    if (this.#node?.id === id) return;
    this.#abort.abort();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    this.#node = { id, ...node };
    openDialog(this.#dialog);
    if (node) this.#show(this.#node);
    else this.#say("Loading …");
    try {
      const { image } = await patiently(() => ask(DETAIL, { id }, { signal }), signal);
      if (image) {
        this.#node = image;
        this.#show(image);
        await this.#addSimilar(id, signal);
      } else this.#say("This picture is not here any more.");
    } catch (error) {
      if (!signal.aborted) this.#say(error.message);
    }
  }

  async #addSimilar(id, signal) {
    try {
      const { image } = await patiently(() => ask(SIMILAR, { id }, { signal }), signal);
      this.#showSimilar((image?.similarImages.nodes ?? []).filter((node) => !isGoing(node.id)));
    } catch {
      // The picture itself is there; those like it are left out.
    }
  }

  #say(message) {
    const close = h("button", { type: "button", onclick: () => this.#dialog.close() }, "Close");
    this.#sheet.replaceChildren(h("div", { class: "said" }, h("p", { role: "alert" }, message), close));
    close.focus();
  }

  #step(step) {
    const next = this.#acts.beside(this.#node.id, step);
    if (next) this.#acts.go(next);
  }

  #show(node) {
    const { beside } = this.#acts;
    const focused = this.#dialog.contains(document.activeElement) && document.activeElement.dataset.stop;
    this.#dialog.setAttribute("aria-label", node.altText || node.filename);
    const steps = [[-1, "left", "Picture before"], [1, "right", "Next picture"]].map(([step, name, label]) =>
      iconButton(name, label, () => this.#step(step), {
        class: `step ${name}`, hidden: !beside(node.id, step), "data-stop": name,
      }));
    this.#sheet.replaceChildren(
      h("div", { class: "stage" }, this.#stage(node), steps),
      h("div", { class: "about" },
        h("div", { class: "about-head" },
          h("h2", {}, node.filename),
          iconButton("close", "Close", () => this.#dialog.close(), { "data-stop": "close" })),
        node.large ? this.#about(node) : h("p", { class: "note" }, "Loading …")));
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
    const { onlike, onunlike, ondelete, onnear } = this.#acts;
    const near = node.exif?.location;
    return [
      h("div", { class: "doings" },
        this.#doing("similar", "More like this", () => onlike(node)),
        this.#doing("minus", "Without this", () => onunlike(node)),
        this.#doing("download", "Download", () => this.#download(node)),
        this.#doing("trash", "Delete", () => ondelete(node), "danger")),
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

  #doing(name, label, onclick, kind = "") {
    return h("button", { type: "button", class: kind, onclick, "data-stop": name }, icon(name), label);
  }

  #showSimilar(nodes) {
    const section = this.#dialog.querySelector(".similar");
    if (!section || !nodes.length) return;
    section.replaceChildren(
      h("h3", {}, "Like this one"),
      h("ul", { class: "strip" }, nodes.map((node) =>
        h("li", {}, h("button", { type: "button", onclick: () => this.#acts.go(node) }, picture(node))))));
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
    const text = h("textarea", { id: "alt-text", rows: 3, maxLength: 2000, value: this.#drafts.get(node.id) ?? node.altText ?? "", placeholder: "For people who cannot see it" });
    const isSaved = () => text.value.trim() === (node.altText ?? "");
    const save = h("button", { type: "submit", hidden: isSaved() }, "Save");
    text.addEventListener("input", () => {
      save.hidden = isSaved();
      this.#drafts.set(node.id, text.value);
    });
    const submit = async (event) => {
      event.preventDefault();
      const answer = await this.#changed(SAY, { id: node.id, altText: text.value.trim() || null });
      if (!answer) return;
      node.altText = answer.updateImage.image.altText;
      this.#drafts.delete(node.id);
      save.hidden = true;
      this.#acts.onchange({ id: node.id, altText: node.altText });
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
      const answer = await this.#changed(mutation, { ids: [node.id], tags: [tag] });
      if (!answer) return;
      node.tags = (answer.tagImages ?? answer.untagImages).images[0].tags;
      draw();
      input.value = "";
      input.focus();
      this.#acts.onchange({ id: node.id });
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

  /** Make a change, and return its answer; null where it was refused, which was said then. */
  async #changed(mutation, variables) {
    if (!(await demandKey("Changing a picture needs a key with the scope WRITE."))) return null;
    try {
      const answer = await ask(mutation, variables);
      const [error] = Object.values(answer)[0].userErrors;
      if (!error) return answer;
      toast(error.message);
    } catch (error) {
      const isKey = error.code === "UNAUTHENTICATED" || error.code === "FORBIDDEN";
      toast(`Nothing was changed. ${error.message}`, isKey ? { action: "Another key", onaction: () => openKey() } : {});
    }
    return null;
  }
}

const when = (moment) => h("time", { datetime: moment }, DAY.format(new Date(moment)));

/** Return [name, value] pairs of what is there. */
function facts(node) {
  const { exif } = node;
  const camera = [exif?.cameraMake, exif?.cameraModel].filter(Boolean);
  // Many makers repeat their name in the model's.
  if (camera.length === 2 && camera[1].toLowerCase().startsWith(camera[0].toLowerCase())) camera.shift();
  return [
    exif?.takenAt && ["Taken", when(exif.takenAt)],
    camera.length && ["Camera", camera.join(" ")],
    exif?.lens && ["Lens", exif.lens],
    exif && exposure(exif) && ["Exposure", exposure(exif)],
    exif?.location && ["Place", `${exif.location.latitude.toFixed(4)}, ${exif.location.longitude.toFixed(4)}`],
    node.width && ["Size", `${node.width} × ${node.height}`],
    ["File", `${KINDS[node.contentType.split("/")[1]] ?? node.contentType}, ${bytes(node.byteSize)}`],
    ["Added", when(node.createdAt)],
  ].filter(Boolean);
}

/** Return how it was exposed: “1/250 s · f/8 · ISO 100 · 35 mm”. */
function exposure({ exposureSeconds, fNumber, iso, focalLengthMm }) {
  const short = exposureSeconds && exposureSeconds < 0.4;
  return [
    exposureSeconds && `${short ? `1/${Math.round(1 / exposureSeconds)}` : Number(exposureSeconds.toFixed(1))} s`,
    fNumber && `f/${Number(fNumber.toFixed(1))}`,
    iso && `ISO ${iso}`,
    focalLengthMm && `${Number(focalLengthMm.toFixed(1))} mm`,
  ].filter(Boolean).join(" · ");
}
