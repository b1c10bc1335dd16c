// What is asked for: the same in the address bar, in the page's state and in the API's words.

/**
 * An empty question, which asks for the whole library.
 *
 * `like` and `unlike` hold ids of images; `search` is the id of a kept search, which stands for an
 * example picture; `near` has latitude, longitude and radiusKm; `image` is the one looked at.
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

/** Where “without” stands alone, it is said of this. */
const ANYTHING = "a picture";

/** Return the question that an address asks; what cannot be read is left out. */
export function fromAddress(search) {
  const parameters = new URLSearchParams(search);
  const question = { ...EVERYTHING };
  for (const [name, field] of Object.entries(LISTS)) question[field] = [...new Set(parameters.getAll(name))];
  for (const [name, field] of Object.entries(SINGLES)) question[field] = parameters.get(name)?.trim() || EVERYTHING[field];
  if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(question.month ?? "")) question.month = null;
  if (!(question.sort in SORTS)) question.sort = EVERYTHING.sort;
  question.near = readNear(parameters.get("near") ?? "");
  return question;
}

/** Return the address of a question, from the page's own on. */
export function toAddress(question) {
  const parameters = new URLSearchParams();
  for (const [name, field] of Object.entries(SINGLES)) {
    if (question[field] && question[field] !== EVERYTHING[field]) parameters.set(name, question[field]);
  }
  for (const [name, field] of Object.entries(LISTS)) {
    for (const value of question[field]) parameters.append(name, value);
  }
  if (question.near) {
    const { latitude, longitude, radiusKm } = question.near;
    parameters.set("near", [latitude, longitude, radiusKm].join(","));
  }
  const search = parameters.toString();
  return search ? `./?${search}` : "./";
}

/** Return the place and radius of “latitude, longitude[, km]”, or null where it is none. */
export function readNear(text, defaultKm = 25) {
  const numbers = text.split(/[\s,;]+/).filter(Boolean).map(Number);
  const [latitude, longitude, radiusKm = defaultKm] = numbers;
  const isPlace = numbers.length >= 2 && numbers.length <= 3 && numbers.every(Number.isFinite)
    && Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 && radiusKm > 0;
  return isPlace ? { latitude, longitude, radiusKm } : null;
}

/** Return the words that are meant, and those behind a minus, which are to be left out. */
export function wordsOf(text) {
  const without = [];
  const rest = text.replace(/(^|\s)-("[^"]+"?|[^\s"-]\S*)/g, (_, space, word) => {
    without.push(word.replaceAll('"', "").trim());
    return space;
  });
  return { text: rest.replace(/\s+/g, " ").trim(), without: without.filter(Boolean) };
}

/** Tell whether anything is searched for, rather than the library listed. */
export const isSearch = ({ text, like, unlike, search }) =>
  Boolean(text.trim() || like.length || unlike.length || search);

/**
 * Return the API's `by`. `example` is the file behind `search`, which a blend needs.
 *
 * One thing alone is asked for as such; several, or any “without”, are a blend.
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

/** Return the API's filter. Only images that can be shown are asked for. */
export function toFilter({ tags, cameras, month, near }) {
  return {
    statusIn: ["READY"],
    ...(tags.length && { tagsAll: tags }),
    ...(cameras.length && { cameraModelIn: cameras }),
    ...(month && { takenAt: monthRange(month) }),
    ...(near && { near }),
  };
}

export const toSort = ({ sort }) => SORTS[sort];

/** The change that takes every condition away. */
export const NO_CONDITIONS = { tags: [], cameras: [], month: null, near: null };

/** Return how many conditions narrow the question. */
export const conditions = ({ tags, cameras, month, near }) =>
  tags.length + cameras.length + (month ? 1 : 0) + (near ? 1 : 0);

function monthRange(month) {
  const [year, number] = month.split("-").map(Number);
  const start = (y, m) => new Date(Date.UTC(y, m - 1, 1)).toISOString();
  return { gte: start(year, number), lt: start(year, number + 1) };
}
