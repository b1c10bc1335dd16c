// The key for changes, kept in this tab until it is closed.

const NAME = "pictograph.key";

/** What listens to `change` hears when another key is used, or none. */
export const key = new (class extends EventTarget {
  get value() {
    return sessionStorage.getItem(NAME);
  }

  set value(text) {
    if (text) sessionStorage.setItem(NAME, text);
    else sessionStorage.removeItem(NAME);
    this.dispatchEvent(new Event("change"));
  }
})();
