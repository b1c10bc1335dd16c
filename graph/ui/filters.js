// The side bar with filters. Each choice shows how many pictures match it.

import { byId, h, icon } from "./dom.js";
import { NO_CONDITIONS, conditions, readNear } from "./query.js";

const MONTHS = new Intl.DateTimeFormat("en", { month: "long", year: "numeric", timeZone: "UTC" });
const SHORT = new Intl.DateTimeFormat("en", { month: "short", year: "numeric", timeZone: "UTC" });
const MAX_BARS = 100;
const RADII = [1, 5, 25, 100, 500];

const dateOf = (month) => new Date(`${month}-01T00:00Z`);

/** Return “May 2024” for “2024-05”. */
const monthName = (month) => MONTHS.format(dateOf(month));

export class Filters {
  #side = byId("filters");
  #change;
  #parts = {};
  #query;

  /** `change` is called with changes of the query. */
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

  /** Show the choices of a query; `counts` are those of its results, null until they are loaded. */
  show(query, counts) {
    this.#query = query;
    const active = conditions(query);
    const badge = byId("filter-count");
    badge.textContent = active;
    badge.hidden = !active;
    this.#parts.clear.hidden = !active;
    this.#showNear(query.near);
    if (!counts) {
      for (const button of this.#side.querySelectorAll("[data-value]")) {
        button.setAttribute("aria-pressed", String(isChosen(query, button.dataset.field, button.dataset.value)));
      }
      return;
    }
    this.#side.querySelector(".near").hidden = false;
    this.#fill("months", months(query, counts.months, (month) => this.#press("month", month)));
    this.#fill("cameras", this.#lines("cameras", query, counts.cameras));
    this.#fill("tags", this.#lines("tags", query, counts.tags));
  }

  #fill(name, choices) {
    const part = this.#parts[name];
    const focused = part.contains(document.activeElement) && document.activeElement.dataset.value;
    part.replaceChildren(...[choices].flat());
    part.closest("fieldset").hidden = !part.childElementCount;
    if (focused) [...part.querySelectorAll("[data-value]")].find((b) => b.dataset.value === focused)?.focus();
  }

  #lines(field, query, values) {
    const chosen = query[field];
    // Chosen values stay visible without a count, so that they can be deselected.
    const missing = chosen.filter((name) => !values.some(({ value }) => value === name));
    return [...values, ...missing.map((value) => ({ value, count: 0 }))].map(({ value, count }) =>
      h("button", {
        type: "button", class: "choice", "aria-pressed": String(chosen.includes(value)),
        "data-value": value, "data-field": field, onclick: () => this.#press(field, value),
      }, h("span", {}, value), h("span", { class: "number" }, count.toLocaleString("en"))));
  }

  /** Select or deselect a value of the current query. The counts may be those of an earlier one. */
  #press(field, value) {
    const on = isChosen(this.#query, field, value);
    if (field === "month") this.#change({ month: on ? null : value });
    else {
      const chosen = this.#query[field];
      this.#change({ [field]: on ? chosen.filter((other) => other !== value) : [...chosen, value] });
    }
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
      error.textContent = text && !near ? "Enter latitude and longitude in degrees, for example 43.47, 11.88." : "";
      if (!text || near) this.#change({ near: near && { ...near, radiusKm: Number(radius.value) } });
    };
    radius.addEventListener("change", () => place.value.trim() && apply());
    place.addEventListener("change", () => apply());
    this.#parts.place = place;
    this.#parts.radius = radius;
    this.#parts.error = error;
    const here = h("button", {
      type: "button", class: "quiet", hidden: !navigator.geolocation,
      onclick: () => navigator.geolocation.getCurrentPosition(
        ({ coords }) => {
          place.value = `${coords.latitude.toFixed(4)}, ${coords.longitude.toFixed(4)}`;
          apply();
        },
        () => { error.textContent = "The browser does not share its location."; },
      ),
    }, icon("place"), "Here");
    // Hidden until the choices above are loaded, since they would move it.
    return h("form", { class: "near", hidden: true, onsubmit: apply },
      h("fieldset", {}, h("legend", {}, "Near"),
        h("label", { class: "sr", for: "place" }, "Latitude, longitude"), place,
        h("div", { class: "near-row" }, radius, here),
        error));
  }

  #showNear(near) {
    const { place, radius, error } = this.#parts;
    // Do not overwrite text that is being typed or is not valid.
    if (document.activeElement === place || (error.textContent && !near)) return;
    error.textContent = "";
    place.value = near ? `${near.latitude}, ${near.longitude}` : "";
    if (!near) return;
    if (!RADII.includes(near.radiusKm) && ![...radius.options].some(({ value }) => Number(value) === near.radiusKm)) {
      radius.append(h("option", { value: near.radiusKm }, `${near.radiusKm} km`));
    }
    radius.value = near.radiusKm;
  }
}

const group = (title, ...children) => h("fieldset", { hidden: true }, h("legend", {}, title), ...children);

const isChosen = (query, field, value) =>
  field === "month" ? query.month === value : query[field].includes(value);

/** Return a bar chart of months, from the oldest to the newest, with a button for each bar. */
function months(query, values, press) {
  const counts = new Map(values.map(({ value, count }) => [value, count]));
  if (query.month && !counts.has(query.month)) counts.set(query.month, 0);
  if (!counts.size) return [];
  const most = Math.max(1, ...counts.values());
  const all = monthsBetween([...counts.keys()].sort());
  const bars = all.map((month) => {
    if (!counts.has(month)) return h("span", { class: "no-bar" });
    const count = counts.get(month);
    const label = `${monthName(month)}: ${count}`;
    const bar = h("button", {
      type: "button", class: "bar-button", title: label, "aria-label": label,
      "aria-pressed": String(query.month === month),
      "data-value": month, "data-field": "month", onclick: () => press(month),
    }, h("span", {}));
    bar.firstChild.style.height = `${Math.max(6, (100 * count) / most)}%`;
    return bar;
  });
  const ends = query.month
    ? [monthName(query.month)]
    : [...new Set([all[0], all.at(-1)])].map((month) => SHORT.format(dateOf(month)));
  return [h("div", { class: "bars" }, bars), h("p", { class: "ends" }, ends.map((end) => h("span", {}, end)))];
}

/** Return all months from the first to the last, or only the known ones where all are too many. */
function monthsBetween(known) {
  const number = (month) => 12 * Number(month.slice(0, 4)) + Number(month.slice(5)) - 1;
  const [first, last] = [number(known[0]), number(known.at(-1))];
  if (last - first >= MAX_BARS) return known;
  return Array.from({ length: last - first + 1 }, (_, n) =>
    `${Math.floor((first + n) / 12)}-${String(((first + n) % 12) + 1).padStart(2, "0")}`);
}
