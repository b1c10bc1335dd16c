// Puts GraphiQL on the page, with queries to begin with and the key that this tab's pages share.
"use strict";

const KEY = "pictograph.key";
const here = new URL("graphql", document.baseURI).href;

const welcome = `# Pictograph finds pictures by what they show.
# Ctrl-Enter or the play button runs one of these six.
# The Explorer, on the left, puts others together,
# mutations too: they need a key, in the Headers below.

# Words, and only what answers them.
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

# A harbour without boats: words alone cannot say that.
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

# What looks like the newest picture, but for itself.
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

# The library within a filter, and what narrows it next.
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

# Labels that no model was trained for.
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

# A live search stays open, and tells of every picture
# that comes to match: the line above sends one.
subscription LiveSearch {
  imageMatched(by: { text: "a lighthouse" }) {
    relevance
    node { id filename url(variant: THUMBNAIL) }
  }
}
`;

const upload =
  "mutation($f:[Upload!]!){uploadImages(input:{files:$f}){results{isDuplicate image{id filename}} userErrors{message}}}";

/** The line that sends a file to this server, for a POSIX shell. */
const curl = (key) => {
  const word = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const operations = JSON.stringify({ query: upload, variables: { f: [null] } });
  return [
    `curl ${here}`,
    `-H ${word(`Authorization: Bearer ${key || "KEY"}`)}`,
    "-H 'GraphQL-Require-Preflight: 1'",
    `-F operations=${word(operations)}`,
    `-F map=${word('{"0":["variables.f.0"]}')}`,
    "-F 0=@picture.jpg",
  ].join(" ");
};

/** What a browser that allows no storage refuses is as good as empty. */
const attempt = (action) => {
  try {
    return action();
  } catch {
    return null;
  }
};
const keptKey = () => attempt(() => sessionStorage.getItem(KEY)) ?? "";
const keepKey = (key) =>
  attempt(() => (key ? sessionStorage.setItem(KEY, key) : sessionStorage.removeItem(KEY)));

const isAuthorization = ([name]) => name.toLowerCase() === "authorization";
const headersWith = (key) => JSON.stringify({ Authorization: `Bearer ${key}` }, null, 2);

/** The key in what the header editor holds: empty where it waits for one, undefined without. */
const keyIn = (text) => {
  const [, value] = Object.entries(attempt(() => JSON.parse(text)) ?? {}).find(isAuthorization) ?? [];
  return /^bearer(?:\s+(.*))?$/i.exec(value)?.slice(1).map((key) => key?.trim() ?? "")[0];
};

/** An Authorization line that waits to be filled in is not sent. */
const filledIn = (headers = {}) =>
  Object.fromEntries(
    Object.entries(headers).filter(
      (header) => !(isAuthorization(header) && /^bearer\s*$/i.test(header[1])),
    ),
  );

/** Keys belong to the tab: none that GraphiQL has ever stored for longer comes back. */
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
    // Only secure pages may write to the clipboard; on others one key is left to press.
    getSelection().selectAllChildren(line);
    copy.textContent = "Selected";
  }
  setTimeout(() => (copy.textContent = "Copy"), 2000);
});

const Playground = () => {
  const { createElement, useEffect, useRef, useState } = React;
  const [key, setKey] = useState(keptKey);
  const tab = useRef({});
  useEffect(() => {
    line.textContent = curl(key);
  }, [key]);
  useEffect(() => {
    // Back from another page, which may have another key by now.
    const shown = ({ persisted }) => persisted && keptKey() !== key && location.reload();
    addEventListener("pageshow", shown);
    return () => removeEventListener("pageshow", shown);
  }, [key]);

  const [fetcher] = useState(() => {
    const ask = GraphiQL.createFetcher({ url: here, subscriptionUrl: here.replace(/^http/, "ws") });
    return (params, options) => {
      // The schema is asked for before there is a header editor; a closed server wants the key then, too.
      const first = params.operationName === "IntrospectionQuery" && !options?.headers;
      const headers = first ? { Authorization: `Bearer ${keptKey()}` } : options?.headers;
      return ask(params, { ...options, headers: filledIn(headers) });
    };
  });
  const [headers] = useState(() => headersWith(key));
  const [explorer] = useState(() => GraphiQLPluginExplorer.explorerPlugin());
  const onTabChange = ({ tabs, activeTabIndex }) => {
    const { id, headers } = tabs[activeTabIndex];
    const before = tab.current;
    tab.current = { id, headers };
    // What is typed counts, not what another tab still holds.
    const typed = (before.id ?? id) === id && before.headers !== headers ? keyIn(headers) : undefined;
    if (typed === undefined) return;
    keepKey(typed);
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

line.textContent = curl(keptKey());
const place = document.getElementById("graphiql");
if (globalThis.React && globalThis.ReactDOM && globalThis.GraphiQL && globalThis.GraphiQLPluginExplorer) {
  forgetStoredHeaders();
  ReactDOM.createRoot(place).render(React.createElement(Playground));
} else {
  place.className = "empty";
  place.textContent =
    "GraphiQL did not load. The API answers all the same: send queries to " + here + ".";
}
