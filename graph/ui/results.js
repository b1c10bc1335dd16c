// The results of a query, loaded page by page. Recent results are cached, so that the browser's Back button
// restores them with their scroll position.

import { request, withRetry } from "./api.js";
import { LIBRARY, LIBRARY_FACETS, SEARCH, SEARCH_FACETS } from "./documents.js";
import { isSearch, toBy, toFilter, toSort } from "./query.js";

const [FIRST_PAGE, PAGE] = [40, 60];
const MAX_CACHED = 10;

/** Results and scroll positions by the address of their query, the oldest first. */
const cache = new Map();

export class Results {
  /** Pictures in order: {node, isSure}. All pictures of a listing are sure. */
  found = [];
  hasMore = true;

  #query;
  #by;
  #cursor = null;
  #abort = new AbortController();

  /** Take a query; `example` is the file of its kept search, where this page has it. */
  constructor(query, example) {
    this.#query = query;
    this.#by = isSearch(query) ? toBy(query, example) : null;
  }

  get isSearch() {
    return Boolean(this.#by);
  }

  /** Cancel requests in progress: they end with an AbortError. */
  cancel() {
    this.#abort.abort();
    this.#abort = new AbortController();
  }

  /** Load the next page, and return its pictures. */
  async more() {
    const variables = {
      filter: toFilter(this.#query),
      first: this.#cursor ? PAGE : FIRST_PAGE,
      after: this.#cursor,
    };
    const page = this.#by
      ? (await this.#request(SEARCH, { ...variables, by: this.#by })).searchImages
      : (await this.#request(LIBRARY, { ...variables, sort: toSort(this.#query) })).images;
    // Later pages and counts use the kept search, without sending the text or picture again.
    if (page.searchId) this.#by = { searchId: page.searchId };
    const all = page.edges.map(({ node, band }) => ({ node, isSure: band !== "WEAK" }));
    // The order by score differs slightly from the order by relevance: sure pictures come first.
    const found = [...all.filter(({ isSure }) => isSure), ...all.filter(({ isSure }) => !isSure)];
    this.found.push(...found);
    this.hasMore = page.pageInfo.hasNextPage;
    this.#cursor = page.pageInfo.endCursor;
    return found;
  }

  /** Return {count, tags, months, cameras} of all matching or, for a search, all relevant pictures. */
  async counts() {
    const { month, cameras } = this.#query;
    const data = await this.#request(this.#by ? SEARCH_FACETS : LIBRARY_FACETS, {
      ...(this.#by && { by: this.#by }),
      filter: toFilter(this.#query),
      anyMonth: toFilter({ ...this.#query, month: null }),
      anyCamera: toFilter({ ...this.#query, cameras: [] }),
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

  #request(operation, variables) {
    const { signal } = this.#abort;
    return withRetry(() => request(operation, variables, { signal }), signal);
  }
}

/** Cache results with the scroll position, unless they are empty. */
export function cacheResults(address, results) {
  if (!results?.found.length) return;
  cache.delete(address);
  cache.set(address, { results, top: scrollY });
  if (cache.size > MAX_CACHED) cache.delete(cache.keys().next().value);
}

/** Return {results, top} of a query's address, or undefined. */
export const cachedResults = (address) => cache.get(address);

/** Clear the cache, since the library has changed. */
export const clearCache = () => cache.clear();
