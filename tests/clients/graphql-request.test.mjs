// graphql-request 7: queries, changes and errors. It sends no files and knows no subscriptions.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ClientError, GraphQLClient, gql, request } from "graphql-request";

import * as server from "./server.mjs";

const client = new GraphQLClient(server.url, { headers: server.withKey });

test("a query is answered", async () => {
  const data = await request(server.url, server.SUNSETS, { text: server.TEXT });
  server.assertSunsets(data.searchImages);
});

test("a query is answered by GET", async () => {
  const reader = new GraphQLClient(server.url, { method: "GET" });
  server.assertSunsets((await reader.request(server.SUNSETS, { text: server.TEXT })).searchImages);
});

test("pages follow each other, and nothing is there twice", async () => {
  const pages = [];
  do {
    const after = pages.at(-1)?.pageInfo.endCursor;
    pages.push((await client.request(server.PAGE, { after })).images);
  } while (pages.at(-1).pageInfo.hasNextPage);
  server.assertPages(pages);
});

test("an error of GraphQL comes with its message, and beside data where that is asked for", async () => {
  const error = await client.request(server.MISSPELT).catch((error) => error);
  assert.ok(error instanceof ClientError, error);
  assert.match(error.response.errors[0].message, /Did you mean 'searchImages'/);
  const patient = new GraphQLClient(server.url, { errorPolicy: "all" });
  const query = gql`
    query Both($id: ID!) {
      service { version }
      image(id: $id) { id similarImages(first: 500) { nodes { id } } }
    }`;
  const { images } = await client.request(server.PAGE);
  const { data, errors } = await patient.rawRequest(query, { id: images.edges[0].node.id });
  assert.equal(typeof data.service.version, "string");
  assert.equal(data.image, null);
  assert.equal(errors[0].extensions.code, "BAD_USER_INPUT");
});

test("what a user can mend is in userErrors", async () => {
  const data = await client.request(server.DELETE, { ids: [server.NOWHERE] });
  server.assertNotFound(data.deleteImages);
});

test("a change without a key, and any request with an unknown one, is refused", async () => {
  const ids = { ids: [server.NOWHERE] };
  const keyless = await request(server.url, server.DELETE, ids).catch((error) => error);
  assert.equal(keyless.response.errors[0].extensions.code, "UNAUTHENTICATED");
  const headers = { Authorization: "Bearer nobody-knows-me" };
  const unknown = await request(server.url, server.PAGE, {}, headers).catch((error) => error);
  assert.ok(unknown instanceof ClientError, unknown);
  assert.equal(unknown.response.status, 401);
  assert.equal(unknown.response.errors[0].extensions.code, "UNAUTHENTICATED");
});
