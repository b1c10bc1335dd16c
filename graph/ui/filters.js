// The side bar: what to narrow by, with how many pictures each choice would leave.

import { byId, h, icon } from "./dom.js";
import { NO_CONDITIONS, conditions, readNear } from "./question.js";

const MONTHS = new Intl.DateTimeFormat("en", { month: "long", year: "numeric", timeZone: "UTC" });
const SHORT = new Intl.DateTimeFormat("en", { month: "short", year: "numeric", timeZone: "UTC" });
const RADII = [1, 5, 25, 100, 500];

/** Return “May 2024” for “2024-05”. */
const monthName = (month) => MONTHS.format(new Date(`${month}-01T00:00Z`));

export class Filters {
  #side = byId("filters");
  #change;
  #parts = {};

  /** `change` gets what is to change in the question. */
  constructor(change) {
    this.#change = change;
    for (const name of ["months", "cameras", "tags"]) this.#parts[name] = h("div", { class: "choices" });
    const toggle = byId("toggle-filters");
    toggle.addEventListener("click", () => {
      const open = this.#side.classList.toggle("is-open");
      toggle.setAttribute("aria-expanded", String(open));
    });
    this.#side.replaceChildren(
      h("div", { class: "filters-head" },
        h("h2", {}, "Narrow down"),
        this.#parts.clear = h("button", {
          type: "button", class: "quiet",
          onclick: () => change(NO_CONDITIONS),
        }, "Clear")),
      group("Taken", this.#parts.months),
      group("Camera", this.#parts.cameras),
      group("Tags", this.#parts.tags),
      this.#nearForm(),
    );
  }

  /** Show the choices of a question; `counts` is what its answer counted, null until it has. */
  show(question, counts) {
    const active = conditions(question);
    const badge = byId("filter-count");
    badge.textContent = active;
    badge.hidden = !active;
    this.#parts.clear.hidden = !active;
    this.#showNear(question.near);
    if (counts) this.#side.querySelector(".near").hidden = false;
    if (!counts) {
      for (const button of this.#side.querySelectorAll("[data-value]")) {
        button.setAttribute("aria-pressed", String(isChosen(question, button.dataset.field, button.dataset.value)));
      }
      return;
    }
    this.#fill("months", months(question, counts.months, this.#change));
    this.#fill("cameras", this.#lines("cameras", question, counts.cameras));
    this.#fill("tags", this.#lines("tags", question, counts.tags));
  }

  #fill(name, choices) {
    const part = this.#parts[name];
    const focused = part.contains(document.activeElement) && document.activeElement.dataset.value;
    part.replaceChildren(...[choices].flat());
    part.closest("fieldset").hidden = !part.childElementCount;
    if (focused) [...part.querySelectorAll("[data-value]")].find((b) => b.dataset.value === focused)?.focus();
  }

  #lines(field, question, values) {
    const chosen = question[field];
    // What is chosen can be taken back, also where nothing has it.
    const missing = chosen.filter((name) => !values.some(({ value }) => value === name));
    return [...values, ...missing.map((value) => ({ value, count: 0 }))].map(({ value, count }) => {
      const on = chosen.includes(value);
      return h("button", {
        type: "button", class: "choice", "aria-pressed": String(on), "data-value": value, "data-field": field,
        onclick: () => this.#change({ [field]: on ? chosen.filter((other) => other !== value) : [...chosen, value] }),
      }, h("span", {}, value), h("span", { class: "number" }, count.toLocaleString("en")));
    });
  }

  #nearForm() {
    const place = h("input", { id: "place", placeholder: "43.47, 11.88", autocomplete: "off", "aria-describedby": "place-error" });
    const radius = h("select", { "aria-label": "Within" },
      RADII.map((km) => h("option", { value: km, selected: km === 25 }, `${km} km`)));
    const error = h("p", { id: "place-error", class: "error note", role: "alert" });
    const apply = (event) => {
      event?.preventDefault();
      const text = place.value.trim();
      const near = text ? readNear(text, Number(radius.value)) : null;
      error.textContent = text && !near ? "Latitude and longitude in degrees, as maps give them: 43.47, 11.88." : "";
      if (!text || near) this.#change({ near: near && { ...near, radiusKm: Number(radius.value) } });
    };
    radius.addEventListener("change", () => place.value.trim() && apply());
    place.addEventListener("change", () => apply());
    this.#parts.place = place;
    this.#parts.radius = radius;
    const here = h("button", {
      type: "button", class: "quiet", hidden: !navigator.geolocation,
      onclick: () => navigator.geolocation.getCurrentPosition(
        ({ coords }) => {
          place.value = `${coords.latitude.toFixed(4)}, ${coords.longitude.toFixed(4)}`;
          apply();
        },
        () => { error.textContent = "This browser does not say where it is."; },
      ),
    }, icon("place"), "Here");
    // It comes with the choices above it, which would push it down.
    return h("form", { class: "near", hidden: true, onsubmit: apply },
      h("fieldset", {}, h("legend", {}, "Near"),
        h("label", { class: "sr", for: "place" }, "Latitude, longitude"), place,
        h("div", { class: "near-row" }, radius, here),
        error));
  }

  #showNear(near) {
    const { place, radius } = this.#parts;
    if (document.activeElement === place) return;
    place.value = near ? `${near.latitude}, ${near.longitude}` : "";
    if (!near) return;
    if (!RADII.includes(near.radiusKm) && ![...radius.options].some(({ value }) => Number(value) === near.radiusKm)) {
      radius.append(h("option", { value: near.radiusKm }, `${near.radiusKm} km`));
    }
    radius.value = near.radiusKm;
  }
}

const group = (title, ...children) => h("fieldset", { hidden: true }, h("legend", {}, title), ...children);

const isChosen = (question, field, value) =>
  field === "month" ? question.month === value : question[field].includes(value);

/** Return months as a chart whose bars can be pressed, the oldest first. */
function months(question, values, change) {
  if (!values.length && !question.month) return [];
  const known = values.some(({ value }) => value === question.month);
  const all = [...values, ...(question.month && !known ? [{ value: question.month, count: 0 }] : [])]
    .sort((a, b) => a.value.localeCompare(b.value));
  const most = Math.max(1, ...all.map(({ count }) => count));
  const bars = all.map(({ value, count }) => {
    const on = question.month === value;
    const label = `${monthName(value)}: ${count}`;
    const bar = h("button", {
      type: "button", class: "bar-button", title: label, "aria-label": label, "aria-pressed": String(on),
      "data-value": value, "data-field": "month", onclick: () => change({ month: on ? null : value }),
    }, h("span", {}));
    bar.firstChild.style.height = `${Math.max(6, (100 * count) / most)}%`;
    return bar;
  });
  const ends = question.month
    ? [monthName(question.month)]
    : [...new Set([all[0].value, all.at(-1).value])].map((month) => SHORT.format(new Date(`${month}-01T00:00Z`)));
  return [h("div", { class: "bars" }, bars), h("p", { class: "ends" }, ends.map((end) => h("span", {}, end)))];
}
