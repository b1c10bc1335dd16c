// graphql-sse 2: every kind of operation as Server-Sent Events, a connection each.

import assert from "node:assert/strict";
import { test } from "node:test";

import { NetworkError, createClient } from "graphql-sse";

import * as server from "./server.mjs";

const connect = (headers) => createClient({ url: server.url, headers, retryAttempts: 0 });
const client = connect(server.withKey);

test.after(() => client.dispose());

test("a query is answered, once", async () => {
  const answers = await server.results(client, server.SUNSETS, { text: server.TEXT });
  assert.equal(answers.length, 1);
  server.assertSunsets(answers[0].data.searchImages);
});

test("pages follow each other, and nothing is there twice", async () => {
  const pages = [];
  do {
    const after = pages.at(-1)?.pageInfo.endCursor;
    pages.push((await server.results(client, server.PAGE, { after }))[0].data.images);
  } while (pages.at(-1).pageInfo.hasNextPage);
  server.assertPages(pages);
});

test("a misspelt query is told so in the stream", async () => {
  const [{ errors }] = await server.results(client, server.MISSPELT);
  assert.match(errors[0].message, /Did you mean 'searchImages'/);
});

test("what a user can mend is in userErrors, and a change needs the key", async () => {
  const [{ data }] = await server.results(client, server.DELETE, { ids: [server.NOWHERE] });
  server.assertNotFound(data.deleteImages);
  const [refused] = await server.results(connect(), server.DELETE, { ids: [server.NOWHERE] });
  assert.equal(refused.errors[0].extensions.code, "UNAUTHENTICATED");
});

test("a key that nobody knows is refused with 401", async () => {
  const stranger = connect({ Authorization: "Bearer nobody-knows-me" });
  const error = await server.results(stranger, server.PAGE).catch((error) => error);
  assert.ok(error instanceof NetworkError, error);
  assert.equal(error.response.status, 401);
});

test("the status of images is told until they are done", async () => {
  const files = [await server.picture(), await server.picture()];
  const ids = server.assertUploaded(await server.post(files), 2);
  const told = await server.results(client, server.STATUS, { ids });
  assert.deepEqual(told.map(({ data }) => data.imageStatusChanged.status), ["READY", "READY"]);
});

test("a live search tells of what comes to match, and ends when nobody listens", async () => {
  const live = client.iterate({ query: server.MATCHED, variables: { text: server.TEXT } });
  const told = live.next().then(({ value }) => value.data.imageMatched);
  await server.untilTold(told, async (file) => server.assertUploaded(await server.post([file]), 1));
  assert.equal((await live.return()).done, true);
});
