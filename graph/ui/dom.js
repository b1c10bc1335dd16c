// Making elements, and telling people what happened.

const SVG = "http://www.w3.org/2000/svg";
const READ_ONLY = new Set(["list"]);

/**
 * Return a new element. Properties are set as such, what is none is an attribute, and `on…` listens;
 * what is null is left out, as are children that are null or false.
 */
export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && !READ_ONLY.has(key)) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== false && child !== undefined));
  return element;
}

/** Return one of the page's icons; what it stands for is said beside it. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `ui/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

export const byId = (id) => document.getElementById(id);

/** Return a button that shows an icon, and says what it does to those who do not see it. */
export const iconButton = (name, label, onclick, properties = {}) =>
  h("button", { type: "button", class: "quiet", title: label, onclick, ...properties },
    icon(name), h("span", { class: "sr" }, label));

const TOAST_SECONDS = 6;

/** An open dialog makes the rest of the page inert: what is said then is said within it. */
function follow() {
  const place = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
  for (const box of [byId("away"), byId("toasts")]) {
    if (box.parentElement !== place) place.append(box);
  }
}

/** Open a dialog above all others. */
export function openDialog(dialog) {
  if (!dialog.open) dialog.showModal();
  dialog.addEventListener("close", follow, { once: true });
  follow();
}

/**
 * Say something in passing, with at most one thing to do about it.
 *
 * Returns what takes it away again. It stays for `seconds`, and as long as it has the focus.
 */
export function toast(message, { action, onaction, seconds = TOAST_SECONDS, draining = false } = {}) {
  const remove = () => {
    clearTimeout(timer);
    element.remove();
  };
  const element = h("div", { class: draining ? "toast draining" : "toast" }, h("span", {}, message),
    action && h("button", { type: "button", onclick: () => { remove(); onaction(); } }, action));
  element.style.setProperty("--seconds", `${seconds}s`);
  let timer;
  const leave = () => {
    if (element.contains(document.activeElement)) timer = setTimeout(leave, 1000);
    else remove();
  };
  timer = setTimeout(leave, seconds * 1000);
  byId("toasts").append(element);
  return remove;
}

const BYTES = ["B", "kB", "MB", "GB"];

/** Return a size as people write it: 1.2 MB. */
export function bytes(count) {
  let unit = 0;
  while (count >= 1000 && unit < BYTES.length - 1) {
    count /= 1000;
    unit += 1;
  }
  return `${count.toLocaleString(undefined, { maximumFractionDigits: count < 10 && unit ? 1 : 0 })} ${BYTES[unit]}`;
}

/** Return “1 picture”, “2 pictures”, “1,000 pictures”. */
export const pictures = (count) => `${count.toLocaleString("en")} ${count === 1 ? "picture" : "pictures"}`;
