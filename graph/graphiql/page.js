// Renders GraphiQL with example operations, and with the API key that the pages of this tab share.
"use strict";

const KEY = "pictograph.key";
const endpoint = new URL("graphql", document.baseURI).href;

const welcome = `# Pictograph finds pictures by what they show.
# Ctrl-Enter or the play button runs an operation.
# The Explorer on the left builds other operations.
# Mutations need a key in the Headers below.

# A search by words, with relevant pictures only.
query Words {
  searchImages(
    by: { text: "a red car in the snow" }
    minRelevance: 0.5
    first: 10
  ) {
    relevantCount
    edges {
      relevance
      band
      node { id filename url(variant: THUMBNAIL) }
    }
    pageInfo { hasNextPage endCursor }
    searchId
  }
}

# A blend: a harbour, but no boats.
query HarbourWithoutBoats {
  searchImages(
    by: {
      blend: {
        like: [{ term: { text: "a harbour" } }]
        unlike: [{ term: { text: "boats" } }]
      }
    }
    first: 5
  ) {
    edges {
      relevance
      node { filename url(variant: THUMBNAIL) }
    }
    explain {
      model
      exact
      recall
      stages { name milliseconds }
    }
  }
}

# Pictures similar to the newest one.
query LooksLikeTheNewest {
  images(first: 1) {
    nodes {
      filename
      url(variant: THUMBNAIL)
      similarImages(first: 5) {
        edges {
          relevance
          node { filename url(variant: THUMBNAIL) }
        }
      }
    }
  }
}

# The library with a filter, and its facets.
query Library {
  images(
    filter: { orientation: LANDSCAPE, width: { gte: 200 } }
    sort: { field: TAKEN_AT, direction: DESC }
    first: 10
  ) {
    totalCount
    facets {
      months(first: 6) { value count }
      cameras(first: 6) { value count }
      tags(first: 6) { value count }
    }
    nodes {
      id
      filename
      altText
      exif { takenAt cameraModel }
    }
    pageInfo { hasNextPage endCursor }
  }
}

# Zero-shot classification by any labels.
query Labels(
  $places: [String!]! = ["beach", "city", "harbour"]
) {
  images(first: 5) {
    facets {
      labels(candidates: $places) { value count }
    }
    nodes {
      filename
      url(variant: THUMBNAIL)
      labels(candidates: $places) { label share }
    }
  }
}

# A live search yields each picture that matches
# when it is added. The command above adds one.
subscription LiveSearch {
  imageMatched(by: { text: "a lighthouse" }) {
    relevance
    node { id filename url(variant: THUMBNAIL) }
  }
}
`;

const upload =
  "mutation($f:[Upload!]!){uploadImages(input:{files:$f}){results{isDuplicate image{id filename}} userErrors{message}}}";

/** Return a command for a POSIX shell that uploads a file to this server. */
const curl = (key) => {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const operations = JSON.stringify({ query: upload, variables: { f: [null] } });
  return [
    `curl ${endpoint}`,
    `-H ${quoted(`Authorization: Bearer ${key || "KEY"}`)}`,
    "-H 'GraphQL-Require-Preflight: 1'",
    `-F operations=${quoted(operations)}`,
    `-F map=${quoted('{"0":["variables.f.0"]}')}`,
    "-F 0=@picture.jpg",
  ].join(" ");
};

/** Return the result of an action, or null where the browser allows no storage. */
const attempt = (action) => {
  try {
    return action();
  } catch {
    return null;
  }
};
const storedKey = () => attempt(() => sessionStorage.getItem(KEY)) ?? "";
const storeKey = (key) =>
  attempt(() => (key ? sessionStorage.setItem(KEY, key) : sessionStorage.removeItem(KEY)));

const isAuthorization = ([name]) => name.toLowerCase() === "authorization";
const headersWith = (key) => JSON.stringify({ Authorization: `Bearer ${key}` }, null, 2);

/** Return the key in the text of the header editor: empty for a line without a key, else undefined. */
const keyIn = (text) => {
  const [, value] = Object.entries(attempt(() => JSON.parse(text)) ?? {}).find(isAuthorization) ?? [];
  return /^bearer(?:\s+(.*))?$/i.exec(value)?.slice(1).map((key) => key?.trim() ?? "")[0];
};

/** Return the headers without an Authorization line that has no key yet. */
const filledIn = (headers = {}) =>
  Object.fromEntries(
    Object.entries(headers).filter(
      (header) => !(isAuthorization(header) && /^bearer\s*$/i.test(header[1])),
    ),
  );

/** Remove headers that an earlier version of GraphiQL stored, since keys belong to one tab. */
const forgetStoredHeaders = () =>
  attempt(() => {
    localStorage.removeItem("graphiql:headers");
    const state = JSON.parse(localStorage.getItem("graphiql:tabState"));
    for (const tab of state.tabs) tab.headers = null;
    localStorage.setItem("graphiql:tabState", JSON.stringify(state));
  });

const line = document.getElementById("curl");
const copy = document.getElementById("copy");
copy.addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(line.textContent);
    copy.textContent = "Copied";
  } catch {
    // Only secure pages may write to the clipboard. Select the text instead.
    getSelection().selectAllChildren(line);
    copy.textContent = "Selected";
  }
  setTimeout(() => (copy.textContent = "Copy"), 2000);
});

const Playground = () => {
  const { createElement, useEffect, useRef, useState } = React;
  const [key, setKey] = useState(storedKey);
  const tab = useRef({});
  useEffect(() => {
    line.textContent = curl(key);
  }, [key]);
  useEffect(() => {
    // The user comes back from another page, where the key may have changed.
    const onShow = ({ persisted }) => persisted && storedKey() !== key && location.reload();
    addEventListener("pageshow", onShow);
    return () => removeEventListener("pageshow", onShow);
  }, [key]);

  const [fetcher] = useState(() => {
    const fetchGraphQL = GraphiQL.createFetcher({ url: endpoint, subscriptionUrl: endpoint.replace(/^http/, "ws") });
    return (params, options) => {
      // The schema is requested before the header editor exists, and may need the key, too.
      const first = params.operationName === "IntrospectionQuery" && !options?.headers;
      const headers = first ? { Authorization: `Bearer ${storedKey()}` } : options?.headers;
      return fetchGraphQL(params, { ...options, headers: filledIn(headers) });
    };
  });
  const [headers] = useState(() => headersWith(key));
  const [explorer] = useState(() => GraphiQLPluginExplorer.explorerPlugin());
  const onTabChange = ({ tabs, activeTabIndex }) => {
    const { id, headers } = tabs[activeTabIndex];
    const before = tab.current;
    tab.current = { id, headers };
    // Use the key that was typed, not the one of another tab of GraphiQL.
    const typed = (before.id ?? id) === id && before.headers !== headers ? keyIn(headers) : undefined;
    if (typed === undefined) return;
    storeKey(typed);
    queueMicrotask(() => setKey(typed));
  };
  return createElement(GraphiQL, {
    fetcher,
    headers,
    onTabChange,
    plugins: [explorer],
    defaultQuery: welcome,
    defaultHeaders: headersWith(key),
    defaultEditorToolsVisibility: "headers",
    shouldPersistHeaders: false,
  });
};

line.textContent = curl(storedKey());
const place = document.getElementById("graphiql");
if (globalThis.React && globalThis.ReactDOM && globalThis.GraphiQL && globalThis.GraphiQLPluginExplorer) {
  forgetStoredHeaders();
  ReactDOM.createRoot(place).render(React.createElement(Playground));
} else {
  place.className = "empty";
  place.textContent =
    "GraphiQL could not be loaded. The API works without it: send queries to " + endpoint + ".";
}
