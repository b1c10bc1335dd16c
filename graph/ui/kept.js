// Answers that were shown, for who comes back to them: back is where one was.

const MOST = 10;

/** By what was asked: an answer, and how far one had scrolled. The oldest goes first. */
const kept = new Map();

/** Keep an answer, unless it has shown nothing yet. */
export function keep(asked, answer) {
  if (!answer?.found.length) return;
  kept.delete(asked);
  kept.set(asked, { answer, top: scrollY });
  if (kept.size > MOST) kept.delete(kept.keys().next().value);
}

/** Return what was kept of a question: {answer, top}, or undefined. */
export const keptOf = (asked) => kept.get(asked);

/** Forget all: the library is another. */
export const forget = () => kept.clear();
