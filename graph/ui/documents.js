// Every operation that the page sends. A test validates them against the schema.

const CARD = `fragment Card on Image {
  id filename altText width height placeholder status url: availableUrl(variant: THUMBNAIL)
}`;

export const PROBE = `query Probe { service { version } }`;

export const SERVICE = `query Service {
  service { maxUploadBytes trashDays }
}`;

export const LIBRARY = `query Library($filter: ImageFilter, $sort: ImageSort, $first: Int!, $after: String) {
  images(filter: $filter, sort: $sort, first: $first, after: $after) {
    edges { node { ...Card } }
    pageInfo { hasNextPage endCursor }
  }
}
${CARD}`;

export const SEARCH = `query Search($by: ImageSearchBy!, $filter: ImageFilter, $first: Int!, $after: String) {
  searchImages(by: $by, filter: $filter, first: $first, after: $after) {
    searchId
    edges { band node { ...Card } }
    pageInfo { hasNextPage endCursor }
  }
}
${CARD}`;

// An example picture is sent once. Later requests use the id of its search.
export const EXAMPLE = `query Example($by: ImageSearchBy!) {
  searchImages(by: $by, first: 0) { searchId }
}`;

// Months and cameras are counted without their own condition, so that others can be chosen.
export const LIBRARY_FACETS = `query LibraryFacets(
  $filter: ImageFilter, $anyMonth: ImageFilter, $anyCamera: ImageFilter
  $byMonth: Boolean!, $byCamera: Boolean!
) {
  found: images(filter: $filter, first: 0) {
    totalCount
    facets { tags(first: 60) { value count } cameras(first: 12) { value count } months(first: 100) { value count } }
  }
  anyMonth: images(filter: $anyMonth, first: 0) @include(if: $byMonth) {
    facets { months(first: 100) { value count } }
  }
  anyCamera: images(filter: $anyCamera, first: 0) @include(if: $byCamera) {
    facets { cameras(first: 12) { value count } }
  }
}`;

export const SEARCH_FACETS = `query SearchFacets(
  $by: ImageSearchBy!, $filter: ImageFilter, $anyMonth: ImageFilter, $anyCamera: ImageFilter
  $byMonth: Boolean!, $byCamera: Boolean!
) {
  found: searchImages(by: $by, filter: $filter, first: 0) {
    relevantCount
    facets { tags(first: 60) { value count } cameras(first: 12) { value count } months(first: 100) { value count } }
  }
  anyMonth: searchImages(by: $by, filter: $anyMonth, first: 0) @include(if: $byMonth) {
    facets { months(first: 100) { value count } }
  }
  anyCamera: searchImages(by: $by, filter: $anyCamera, first: 0) @include(if: $byCamera) {
    facets { cameras(first: 12) { value count } }
  }
}`;

export const CARDS = `query Cards($ids: [ID!]!) {
  nodes(ids: $ids) { ...Card }
}
${CARD}`;

export const DETAIL = `query Detail($id: ID!) {
  image(id: $id) {
    ...Card
    contentType byteSize tags createdAt failureReason
    large: availableUrl(variant: LARGE)
    original: url
    exif {
      takenAt takenAtLocal cameraMake cameraModel lens iso fNumber exposureSeconds focalLengthMm
      location { latitude longitude }
      all { name value }
    }
  }
}
${CARD}`;

export const SIMILAR = `query Similar($id: ID!) {
  image(id: $id) { similarImages(first: 8) { nodes { ...Card } } }
}
${CARD}`;

export const UPLOAD = `mutation Upload($file: Upload!) {
  uploadImages(input: { files: [$file] }) {
    results { isDuplicate }
    userErrors { message code }
  }
}`;

export const TAG = `mutation Tag($ids: [ID!]!, $tags: [String!]!) {
  tagImages(input: { imageIds: $ids, tags: $tags }) { images { id tags } userErrors { message } }
}`;

export const UNTAG = `mutation Untag($ids: [ID!]!, $tags: [String!]!) {
  untagImages(input: { imageIds: $ids, tags: $tags }) { images { id tags } userErrors { message } }
}`;

export const SET_ALT_TEXT = `mutation SetAltText($id: ID!, $altText: String) {
  updateImage(input: { id: $id, altText: $altText }) { image { id altText } userErrors { message } }
}`;

export const DELETE = `mutation Delete($ids: [ID!]!) {
  deleteImages(input: { ids: $ids }) { userErrors { message code } }
}`;

export const RESTORE = `mutation Restore($ids: [ID!]!) {
  restoreImages(input: { ids: $ids }) { userErrors { message code } }
}`;
