// The grid: justified rows of thumbnails. Rows do not move when more pictures are added.

import { byId, h, iconButton } from "./dom.js";
import { picture } from "./thumbnail.js";

const NARROW_WIDTH = 600;
const GAP = 6;
const LOOK_AHEAD = "1200px";
const [MIN_SHAPE, MAX_SHAPE] = [0.5, 2.6];

/** `onopen`, `onlike` and `onunlike` are called with a picture, `onmore` near the end of the page. */
export class Grid {
  #list = byId("grid");
  #runs = [];
  #tiles = new Map();
  #placed = 0;
  #width = 0;
  #ended = true;
  #watcher;
  #actions;

  constructor({ onopen, onlike, onunlike, onmore, address }) {
    this.#actions = { onopen, onlike, onunlike, address };
    this.#list.addEventListener("keydown", (event) => this.#onkey(event));
    this.#list.addEventListener("focusin", (event) => this.#rove(event.target.closest(".tile")));
    new ResizeObserver(() => this.#resized()).observe(this.#list);
    this.#watcher = new IntersectionObserver(
      (entries) => entries.at(-1).isIntersecting && onmore(),
      { rootMargin: LOOK_AHEAD },
    );
    this.#watcher.observe(byId("more"));
  }

  /** The pictures of the grid, in order. */
  get nodes() {
    return [...this.#tiles.values()].map(({ node }) => node);
  }

  clear() {
    this.#list.replaceChildren();
    this.#runs = [];
    this.#tiles.clear();
    this.#placed = 0;
    this.#ended = false;
  }

  /** Add pictures. The first one that is not sure starts a section with a heading. */
  add(found, { ended }) {
    this.#ended = ended;
    for (const { node, isSure } of found) {
      if (this.#tiles.has(node.id)) continue;
      if (!this.#runs.length || this.#runs.at(-1).isSure > isSure) this.#runs.push({ isSure, tiles: [] });
      const tile = { node, element: this.#tile(node), shape: shapeOf(node) };
      this.#runs.at(-1).tiles.push(tile);
      this.#tiles.set(node.id, tile);
    }
    this.#layOut();
    // Observe again: where the page does not fill the screen, no scrolling would load the next one.
    this.#watcher.unobserve(byId("more"));
    if (!ended) this.#watcher.observe(byId("more"));
  }

  /** Remove a picture, and return a function that puts it back. */
  remove(id) {
    const run = this.#runs.find(({ tiles }) => tiles.some(({ node }) => node.id === id));
    if (!run) return () => {};
    const place = run.tiles.findIndex(({ node }) => node.id === id);
    const [tile] = run.tiles.splice(place, 1);
    const next = run.tiles[place] ?? run.tiles[place - 1];
    this.#tiles.delete(id);
    tile.element.remove();
    this.#layOutAgain();
    next?.element.querySelector("a").focus({ preventScroll: true });
    return () => {
      if (!this.#runs.includes(run) || this.#tiles.has(id)) return;
      run.tiles.splice(place, 0, tile);
      const before = [...this.#tiles.values()];
      const at = run.tiles[place + 1] ? before.indexOf(run.tiles[place + 1]) : before.length;
      before.splice(at, 0, tile);
      this.#tiles = new Map(before.map((each) => [each.node.id, each]));
      this.#layOutAgain();
      this.focus(id);
    };
  }

  /** Update the facts of a picture. */
  update(node) {
    const tile = this.#tiles.get(node.id);
    if (!tile) return;
    Object.assign(tile.node, node);
    const image = tile.element.querySelector("img");
    if (image) image.alt = tile.node.altText || tile.node.filename;
  }

  /** Focus a picture, where the grid has it. */
  focus(id) {
    this.#tiles.get(id)?.element.querySelector("a").focus();
  }

  /** Return a picture by its id, or undefined. */
  node(id) {
    return this.#tiles.get(id)?.node;
  }

  /** Return the picture that is `step` positions after another one, or undefined. */
  neighbour(id, step) {
    const nodes = this.nodes;
    const at = nodes.findIndex((node) => node.id === id);
    return at < 0 ? undefined : nodes[at + step];
  }

  #tile(node) {
    const { onopen, onlike, onunlike, address } = this.#actions;
    const act = (onclick) => (event) => { event.preventDefault(); onclick(node); };
    const open = (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      act(onopen)(event);
    };
    const name = node.altText || node.filename;
    return h("li", { class: "tile" },
      h("a", { href: address(node), tabIndex: -1, onclick: open, draggable: false }, picture(node)),
      h("div", { class: "tile-actions" },
        iconButton("similar", `More like ${name}`, act(onlike), { title: "More like this", tabIndex: -1 }),
        iconButton("minus", `Without ${name}`, act(onunlike), { title: "Without this", tabIndex: -1 })));
  }

  /** Lay out new tiles. Earlier ones keep their position unless `all` are laid out again. */
  #layOut({ all = false } = {}) {
    const width = this.#list.clientWidth;
    if (!width) return;
    const resize = all || width !== this.#width;
    this.#width = width;
    const placed = all ? 0 : this.#placed;
    const height = width < NARROW_WIDTH ? 124 : 196;
    const add = document.createDocumentFragment();
    let before = 0;
    this.#runs.forEach((run, n) => {
      const ended = this.#ended || n < this.#runs.length - 1;
      const sizes = rows(run.tiles.map(({ shape }) => shape), { width, height, gap: GAP, ended });
      if (sizes.length && !run.isSure && (all || !run.heading)) {
        run.heading ??= h("li", { class: "cut" }, h("h2", {}, n ? "Less certain" : "Closest matches"));
        add.append(run.heading);
      }
      sizes.forEach((size, place) => {
        if (!resize && before + place < placed) return;
        const { element } = run.tiles[place];
        element.style.width = `${size.width}px`;
        element.style.height = `${size.height}px`;
        if (before + place >= placed) add.append(element);
      });
      before += sizes.length;
    });
    this.#placed = before;
    // Replace all children at once: an empty list would reset the scroll position.
    if (all) this.#list.replaceChildren(add);
    else this.#list.append(add);
    if (!this.#list.querySelector('.tile > a[tabindex="0"]')) this.#rove(this.#list.querySelector(".tile"));
  }

  /** Lay out all tiles again, and keep the focus. */
  #layOutAgain() {
    const focused = document.activeElement;
    this.#layOut({ all: true });
    if (focused !== document.activeElement && this.#list.contains(focused)) focused.focus({ preventScroll: true });
  }

  #resized() {
    if (this.#list.clientWidth !== this.#width) this.#layOut();
  }

  /** Make one tile the tab stop of the grid (roving tabindex). */
  #rove(tile) {
    if (!tile || tile.querySelector("a").tabIndex === 0) return;
    for (const stop of this.#list.querySelectorAll('[tabindex="0"]')) stop.tabIndex = -1;
    for (const stop of tile.querySelectorAll("a, button")) stop.tabIndex = 0;
  }

  #onkey(event) {
    const tile = event.target.closest(".tile");
    if (!tile || event.altKey || event.ctrlKey || event.metaKey) return;
    const tiles = [...this.#list.querySelectorAll(".tile")];
    const at = tiles.indexOf(tile);
    const next = {
      ArrowRight: () => tiles[at + 1],
      ArrowLeft: () => tiles[at - 1],
      ArrowDown: () => nearest(tiles.slice(at + 1), tile),
      ArrowUp: () => nearest(tiles.slice(0, at).reverse(), tile),
      Home: () => tiles[0],
      End: () => tiles.at(-1),
    }[event.key]?.();
    if (!next) return;
    event.preventDefault();
    next.querySelector("a").focus();
  }
}

/** Return the tile of the adjacent row whose centre is nearest. `tiles` start beside that row. */
function nearest(tiles, from) {
  const row = tiles.find(({ offsetTop }) => offsetTop !== from.offsetTop)?.offsetTop;
  const middle = ({ offsetLeft, offsetWidth }) => offsetLeft + offsetWidth / 2;
  return tiles
    .filter(({ offsetTop }) => offsetTop === row)
    .sort((a, b) => Math.abs(middle(a) - middle(from)) - Math.abs(middle(b) - middle(from)))[0];
}

/** Return the aspect ratio of a tile. Very long pictures are cropped. */
const shapeOf = ({ width, height }) =>
  Math.min(MAX_SHAPE, Math.max(MIN_SHAPE, width && height ? width / height : 1));

/**
 * Split aspect ratios into rows of `width` pixels and about `height` pixels, with gaps between tiles.
 *
 * Returns the size of each tile, {width, height} in whole pixels, for all full rows, and for the last
 * row where it is `ended`. Further tiles do not change these sizes.
 */
export function rows(shapes, { width, height, gap, ended }) {
  const sizes = [];
  let start = 0;
  let sum = 0;
  for (let n = 0; n < shapes.length; n += 1) {
    sum += shapes[n];
    const count = n - start + 1;
    const full = (width - gap * (count - 1)) / sum;
    if (full > height) continue;
    // Without its last tile the row is higher: choose the height that is nearer to `height`.
    const before = (width - gap * (count - 2)) / (sum - shapes[n]);
    const leaveOut = count > 1 && before / height < height / full;
    const end = leaveOut ? n : n + 1;
    sizes.push(...filled(shapes.slice(start, end), width, leaveOut ? before : full, gap));
    start = end;
    sum = leaveOut ? shapes[n] : 0;
  }
  if (ended && start < shapes.length) {
    const left = shapes.slice(start);
    const room = (width - gap * (left.length - 1)) / left.reduce((a, b) => a + b, 0);
    const high = Math.floor(Math.min(height, room));
    sizes.push(...left.map((shape) => ({ width: Math.min(width, Math.floor(shape * high)), height: high })));
  }
  return sizes;
}

/** Return whole widths that add up to the width of the row. */
function filled(shapes, width, high, gap) {
  const room = width - gap * (shapes.length - 1);
  const sum = shapes.reduce((a, b) => a + b, 0);
  let edge = 0;
  let reached = 0;
  return shapes.map((shape) => {
    edge += (shape / sum) * room;
    const whole = Math.round(edge) - reached;
    reached += whole;
    return { width: whole, height: Math.round(high) };
  });
}
