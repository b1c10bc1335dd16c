// The answer to a question, page by page: of a search by its cursors, of the library by its own. Those that
// were shown are kept for who comes back: back is where one was.

import { ask, patiently } from "./api.js";
import { LIBRARY, LIBRARY_FACETS, SEARCH, SEARCH_FACETS } from "./documents.js";
import { isSearch, toBy, toFilter, toSort } from "./question.js";

const [FIRST_PAGE, PAGE] = [40, 60];
const MOST_KEPT = 10;

/** By what was asked: an answer, and how far one had scrolled. The oldest goes first. */
const kept = new Map();

export class Answer {
  /** Pictures in order: {node, isSure}. All of the library are sure. */
  found = [];
  hasMore = true;

  #question;
  #by;
  #cursor = null;
  #abort = new AbortController();

  /** Answer a question; `example` is the file behind its kept search, where it is at hand. */
  constructor(question, example) {
    this.#question = question;
    this.#by = isSearch(question) ? toBy(question, example) : null;
  }

  get isSearch() {
    return Boolean(this.#by);
  }

  /** Nobody wants it for now: whatever is under way ends with an AbortError. */
  drop() {
    this.#abort.abort();
    this.#abort = new AbortController();
  }

  /** Fetch the next page, and return what came with it. */
  async more() {
    const variables = {
      filter: toFilter(this.#question),
      first: this.#cursor ? PAGE : FIRST_PAGE,
      after: this.#cursor,
    };
    const page = this.#by
      ? (await this.#ask(SEARCH, { ...variables, by: this.#by })).searchImages
      : (await this.#ask(LIBRARY, { ...variables, sort: toSort(this.#question) })).images;
    // Later pages and counts are asked of the kept search: no text or picture is sent again.
    if (page.searchId) this.#by = { searchId: page.searchId };
    const all = page.edges.map(({ node, band }) => ({ node, isSure: band !== "WEAK" }));
    // They come by score, which relevance follows only mostly: within a page, the sure ones lead.
    const found = [...all.filter(({ isSure }) => isSure), ...all.filter(({ isSure }) => !isSure)];
    this.found.push(...found);
    this.hasMore = page.pageInfo.hasNextPage;
    this.#cursor = page.pageInfo.endCursor;
    return found;
  }

  /** Return {count, tags, months, cameras} of all that match, or of all that are relevant. */
  async counts() {
    const { month, cameras } = this.#question;
    const data = await this.#ask(this.#by ? SEARCH_FACETS : LIBRARY_FACETS, {
      ...(this.#by && { by: this.#by }),
      filter: toFilter(this.#question),
      anyMonth: toFilter({ ...this.#question, month: null }),
      anyCamera: toFilter({ ...this.#question, cameras: [] }),
      byMonth: Boolean(month),
      byCamera: Boolean(cameras.length),
    });
    return {
      count: data.found.totalCount ?? data.found.relevantCount,
      tags: data.found.facets.tags,
      months: (data.anyMonth ?? data.found).facets.months,
      cameras: (data.anyCamera ?? data.found).facets.cameras,
    };
  }

  #ask(query, variables) {
    const { signal } = this.#abort;
    return patiently(() => ask(query, variables, { signal }), signal);
  }
}

/** Keep an answer, unless it has shown nothing yet. */
export function keep(asked, answer) {
  if (!answer?.found.length) return;
  kept.delete(asked);
  kept.set(asked, { answer, top: scrollY });
  if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
}

/** Return what was kept of a question: {answer, top}, or undefined. */
export const keptOf = (asked) => kept.get(asked);

/** Forget all: the library is another. */
export const forget = () => kept.clear();
