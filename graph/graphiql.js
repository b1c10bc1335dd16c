// Puts GraphiQL on the page, with queries to begin with.
"use strict";

const here = new URL("/graphql", location.href).href;

const welcome = `# Pictograph finds pictures by what they show. Press Ctrl-Enter (or the play button)
# and choose an operation. Changes need a key: put it into the Headers tab below.
#
# Pictures are sent as multipart forms, which this page cannot do; one line of shell can:
#
#   curl ${here} -H 'Authorization: Bearer KEY' -H 'GraphQL-Require-Preflight: 1' \\
#     -F operations='{"query":"mutation($f:[Upload!]!){uploadImages(input:{files:$f}){results{isDuplicate image{id filename}} userErrors{message}}}","variables":{"f":[null]}}' \\
#     -F map='{"0":["variables.f.0"]}' -F 0=@picture.jpg

query Search {
  searchImages(by: { text: "a red car in the snow" }, minRelevance: 0.5, first: 10) {
    relevantCount
    searchId
    edges {
      relevance
      band
      node { id filename width height url(variant: THUMBNAIL) }
    }
    pageInfo { hasNextPage endCursor }
  }
}

query HarbourWithoutBoats {
  searchImages(
    by: { blend: { like: [{ term: { text: "a harbour" } }], unlike: [{ term: { text: "boats" } }] } }
    first: 5
  ) {
    edges { relevance band node { filename url(variant: THUMBNAIL) } }
    facets { tags { value count } months { value count } }
    explain { exact recall stages { name milliseconds } }
  }
}

query Library {
  images(first: 20, sort: { field: TAKEN_AT, direction: DESC }) {
    totalCount
    nodes {
      id
      filename
      tags
      url
      exif { takenAt cameraModel location { latitude longitude } }
    }
    pageInfo { hasNextPage endCursor }
  }
}

# Stays open, and tells of every picture that comes to match.
subscription LiveSearch {
  imageMatched(by: { text: "a lighthouse" }) {
    relevance
    node { id filename url(variant: THUMBNAIL) }
  }
}

query LooksLikeTheNewest {
  images(first: 1) {
    nodes {
      filename
      similarImages(first: 5) { edges { relevance node { filename } } }
    }
  }
}

query Near {
  images(filter: { near: { latitude: 43.47, longitude: 11.88, radiusKm: 25 } }) {
    nodes { filename exif { takenAt location { latitude longitude } } }
  }
}

query Service {
  service {
    version
    maxUploadBytes
    maxFilesPerRequest
    acceptedContentTypes
    model { name dimensions embeddedCount }
  }
}

mutation Tag($ids: [ID!]!) {
  tagImages(input: { imageIds: $ids, tags: ["favourite"] }) {
    images { id tags }
    userErrors { field message code }
  }
}
`;

// An empty key is no key: an Authorization line that waits to be filled in is not sent.
const filledIn = (headers = {}) =>
  Object.fromEntries(
    Object.entries(headers).filter(
      ([name, value]) => !(/^authorization$/i.test(name) && /^bearer\s*$/i.test(value)),
    ),
  );
const ask = GraphiQL.createFetcher({ url: here, subscriptionUrl: here.replace(/^http/, "ws") });
const fetcher = (params, options) =>
  ask(params, { ...options, headers: filledIn(options?.headers) });

ReactDOM.createRoot(document.getElementById("graphiql")).render(
  React.createElement(GraphiQL, {
    fetcher,
    defaultQuery: welcome,
    defaultHeaders: JSON.stringify({ Authorization: "Bearer " }, null, 2),
    defaultEditorToolsVisibility: "headers",
    plugins: [GraphiQLPluginExplorer.explorerPlugin()],
    shouldPersistHeaders: false,
  }),
);
