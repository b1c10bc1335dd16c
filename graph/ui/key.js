// The API key, stored in this tab until it is closed.

const NAME = "pictograph.key";

/** Dispatches `change` when the key is set or removed. */
export const key = new (class extends EventTarget {
  #value = null;

  constructor() {
    super();
    try {
      this.#value = sessionStorage.getItem(NAME);
    } catch {
      // The browser allows no storage: the key is lost when the page is left.
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
      // The browser allows no storage.
    }
    this.dispatchEvent(new Event("change"));
  }
})();
