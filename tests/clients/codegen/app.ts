// What an app in TypeScript asks: graphql-codegen's client preset types it, tsc holds it to that.

import assert from "node:assert/strict";

import { GraphQLClient } from "graphql-request";

import { getFragmentData, graphql } from "./gql/index.js";
import type { ImageStatus, RelevanceBand } from "./gql/graphql.js";

const CARD = graphql(`
  fragment Card on Image {
    id
    filename
    width
    createdAt
    url(variant: THUMBNAIL)
  }
`);

const SEARCH = graphql(`
  query Search($by: ImageSearchBy!, $filter: ImageFilter, $first: Int!, $after: String) {
    searchImages(by: $by, filter: $filter, first: $first, after: $after) {
      edges { relevance band node { id status ...Card } }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

const DELETE = graphql(`
  mutation Delete($ids: [ID!]!) {
    deleteImages(input: { ids: $ids }) { deletedImageIds userErrors { field message code } }
  }
`);

const client = new GraphQLClient(`${process.env.SERVER}/graphql`, {
  headers: { Authorization: `Bearer ${process.env.KEY}` },
});

const by = { text: "a red sailboat at sunset" };
const names: string[] = [];
let after: string | null | undefined;
do {
  const variables = { by, first: 25, after, filter: { tagsAny: ["postcard"] } };
  const { searchImages } = await client.request(SEARCH, variables);
  for (const { band, node, relevance } of searchImages.edges) {
    const card = getFragmentData(CARD, node);
    const width: number | null | undefined = card.width;
    assert.ok(width === 480 || width === 240);
    const status: ImageStatus = node.status;
    assert.equal(status, "READY");
    const strong: RelevanceBand = "STRONG";
    assert.equal(band === strong, relevance >= 0.9);
    assert.ok(!Number.isNaN(Date.parse(card.createdAt)));
    assert.equal(new URL(card.url).pathname.split("/").at(-1), "thumbnail");
    names.push(card.filename);
  }
  after = searchImages.pageInfo.hasNextPage ? searchImages.pageInfo.endCursor : null;
} while (after);
assert.equal(names.length, 50);
assert.equal(new Set(names).size, 50);
assert.deepEqual(names.slice(0, 3).sort(), ["sunset 0.png", "sunset 1.png", "sunset 2.png"]);

const nowhere = btoa("Image:00000000-0000-7000-8000-000000000000");
const { deleteImages } = await client.request(DELETE, { ids: [nowhere] });
assert.equal(deleteImages?.userErrors[0]?.code, "NOT_FOUND");

export async function wrong(): Promise<void> {
  // @ts-expect-error - exactly one thing to look for
  await client.request(SEARCH, { by: { text: "a dog", imageId: nowhere }, first: 1 });
  // @ts-expect-error - `first` is a number
  await client.request(SEARCH, { by, first: "1" });
  const { searchImages } = await client.request(SEARCH, { by, first: 1 });
  // @ts-expect-error - nobody asked for it
  console.log(searchImages.relevantCount);
  // @ts-expect-error - a band that there is not
  console.log(searchImages.edges[0]?.band === "PERFECT");
}
