// The query of the page, and its conversion to an address and to the arguments of the API.

/**
 * The empty query, which lists the whole library.
 *
 * `like` and `unlike` are ids of images; `search` is the id of a kept search by an example picture;
 * `near` has latitude, longitude and radiusKm; `image` is the id of the open picture.
 */
export const EVERYTHING = Object.freeze({
  text: "",
  like: [],
  unlike: [],
  search: null,
  tags: [],
  cameras: [],
  month: null,
  near: null,
  sort: "added",
  image: null,
});

const LISTS = { like: "like", unlike: "unlike", tag: "tags", camera: "cameras" };
const SINGLES = { q: "text", search: "search", month: "month", sort: "sort", image: "image" };

const SORTS = {
  added: { field: "CREATED_AT", direction: "DESC" },
  taken: { field: "TAKEN_AT", direction: "DESC" },
  name: { field: "FILENAME", direction: "ASC" },
};

/** The like term of a blend that only leaves things out. */
const ANYTHING = "a picture";

/** Return the query of an address. Invalid parameters are ignored. */
export function fromAddress(search) {
  const parameters = new URLSearchParams(search);
  const query = { ...EVERYTHING };
  for (const [name, field] of Object.entries(LISTS)) query[field] = [...new Set(parameters.getAll(name))];
  for (const [name, field] of Object.entries(SINGLES)) query[field] = parameters.get(name)?.trim() || EVERYTHING[field];
  if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(query.month ?? "")) query.month = null;
  if (!(query.sort in SORTS)) query.sort = EVERYTHING.sort;
  query.near = readNear(parameters.get("near") ?? "");
  return query;
}

/** Return the address of a query, relative to the page. */
export function toAddress(query) {
  const parameters = new URLSearchParams();
  for (const [name, field] of Object.entries(SINGLES)) {
    if (query[field] && query[field] !== EVERYTHING[field]) parameters.set(name, query[field]);
  }
  for (const [name, field] of Object.entries(LISTS)) {
    for (const value of query[field]) parameters.append(name, value);
  }
  if (query.near) {
    const { latitude, longitude, radiusKm } = query.near;
    parameters.set("near", [latitude, longitude, radiusKm].join(","));
  }
  const search = parameters.toString();
  return search ? `./?${search}` : "./";
}

/** Parse “latitude, longitude[, km]”. Returns null where it is not valid. */
export function readNear(text, defaultKm = 25) {
  const numbers = text.split(/[\s,;]+/).filter(Boolean).map(Number);
  const [latitude, longitude, radiusKm = defaultKm] = numbers;
  const isPlace = numbers.length >= 2 && numbers.length <= 3 && numbers.every(Number.isFinite)
    && Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 && radiusKm > 0;
  return isPlace ? { latitude, longitude, radiusKm } : null;
}

/** Split a text into the words to look for and the words to leave out, which follow a minus. */
export function wordsOf(text) {
  const without = [];
  const rest = text.replace(/(^|\s)-("[^"]+"?|[^\s"-]\S*)/g, (_, space, word) => {
    without.push(word.replaceAll('"', "").trim());
    return space;
  });
  return { text: rest.replace(/\s+/g, " ").trim(), without: without.filter(Boolean) };
}

/** Tell whether a query is a search. Otherwise it lists the library. */
export const isSearch = ({ text, like, unlike, search }) =>
  Boolean(text.trim() || like.length || unlike.length || search);

/**
 * Return the argument `by` of the API. `example` is the file of `search`, which a blend needs.
 *
 * Several terms, and any term to leave out, become a blend.
 */
export function toBy({ text, like, unlike, search }, example) {
  const words = wordsOf(text);
  const wanted = [
    ...(words.text ? [{ text: words.text }] : []),
    ...like.map((imageId) => ({ imageId })),
  ];
  const unwanted = [...words.without.map((word) => ({ text: word })), ...unlike.map((imageId) => ({ imageId }))];
  if (search && !wanted.length && !unwanted.length) return { searchId: search };
  if (search && example) wanted.push({ image: example });
  if (!wanted.length) wanted.push({ text: ANYTHING });
  if (wanted.length === 1 && !unwanted.length) return wanted[0];
  return { blend: { like: wanted.map((term) => ({ term })), unlike: unwanted.map((term) => ({ term })) } };
}

/** Return the argument `filter` of the API. Only READY images have thumbnails. */
export function toFilter({ tags, cameras, month, near }) {
  return {
    statusIn: ["READY"],
    ...(tags.length && { tagsAll: tags }),
    ...(cameras.length && { cameraModelIn: cameras }),
    ...(month && { takenAtLocal: monthRange(month) }),
    ...(near && { near }),
  };
}

export const toSort = ({ sort }) => SORTS[sort];

/** The change that removes all conditions. */
export const NO_CONDITIONS = { tags: [], cameras: [], month: null, near: null };

/** Return the number of conditions. */
export const conditions = ({ tags, cameras, month, near }) =>
  tags.length + cameras.length + (month ? 1 : 0) + (near ? 1 : 0);

function monthRange(month) {
  const [year, number] = month.split("-").map(Number);
  const start = (y, m) => new Date(Date.UTC(y, m - 1, 1)).toISOString().slice(0, -1);
  return { gte: start(year, number), lt: start(year, number + 1) };
}
