// The key for changes, kept in this tab until it is closed.

const NAME = "pictograph.key";

/** What listens to `change` hears when another key is used, or none. */
export const key = new (class extends EventTarget {
  #value = null;

  constructor() {
    super();
    try {
      this.#value = sessionStorage.getItem(NAME);
    } catch {
      // A browser that keeps nothing: then the key is good until the page is left.
    }
  }

  get value() {
    return this.#value;
  }

  set value(text) {
    this.#value = text || null;
    try {
      if (text) sessionStorage.setItem(NAME, text);
      else sessionStorage.removeItem(NAME);
    } catch {
      // As above.
    }
    this.dispatchEvent(new Event("change"));
  }
})();
