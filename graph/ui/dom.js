// Creates elements, dialogs and toasts, and formats numbers.

const SVG = "http://www.w3.org/2000/svg";
const READ_ONLY = new Set(["list"]);

/**
 * Create an element. Names that start with `on` add event listeners, known properties are set, and all
 * others become attributes. Null values and null or false children are left out.
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

/** Create an icon. It is hidden from assistive technology, so it needs a label beside it. */
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

/** Create a button with an icon and a label for screen readers. */
export const iconButton = (name, label, onclick, properties = {}) =>
  h("button", { type: "button", class: "quiet", title: label, onclick, ...properties },
    icon(name), h("span", { class: "sr" }, label));

const TOAST_SECONDS = 6;

/** Move messages into the open dialog, since it makes the rest of the page inert. */
function moveMessages() {
  const place = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
  for (const box of [byId("away"), byId("toasts")]) {
    if (box.parentElement !== place) place.append(box);
  }
}

/** Open a dialog above all others. */
export function openDialog(dialog) {
  if (!dialog.open) dialog.showModal();
  dialog.addEventListener("close", moveMessages, { once: true });
  moveMessages();
}

/**
 * Show a message for some seconds, with an optional action, and keep it while it has the focus.
 *
 * Returns a function that removes it.
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

/** Format a number of bytes: 1.2 MB. */
export function bytes(count) {
  let unit = 0;
  while (count >= 1000 && unit < BYTES.length - 1) {
    count /= 1000;
    unit += 1;
  }
  return `${count.toLocaleString(undefined, { maximumFractionDigits: count < 10 && unit ? 1 : 0 })} ${BYTES[unit]}`;
}

/** Format a number of pictures: “1 picture”, “2 pictures”, “1,000 pictures”. */
export const pictures = (count) => `${count.toLocaleString("en")} ${count === 1 ? "picture" : "pictures"}`;
