// graphql-ws 6 on its own: every kind of operation over one WebSocket.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createClient } from "graphql-ws";
import WebSocket from "ws";

import * as server from "./server.mjs";

const connect = (connectionParams) =>
  createClient({ url: server.socketUrl, webSocketImpl: WebSocket, connectionParams, retryAttempts: 0 });

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

test("a misspelt query, and one that cannot be read, are told so", async () => {
  const [misspelt] = await server.results(client, server.MISSPELT).catch((errors) => errors);
  assert.match(misspelt.message, /Did you mean 'searchImages'/);
  const [unreadable] = await server.results(client, "query {").catch((errors) => errors);
  assert.match(unreadable.message, /Syntax Error/);
});

test("what a user can mend is in userErrors, and a change needs the key", async () => {
  const [{ data }] = await server.results(client, server.DELETE, { ids: [server.NOWHERE] });
  server.assertNotFound(data.deleteImages);
  const keyless = connect();
  const [refused] = await server.results(keyless, server.DELETE, { ids: [server.NOWHERE] });
  assert.equal(refused.errors[0].extensions.code, "UNAUTHENTICATED");
  await keyless.dispose();
});

test("a key that nobody knows closes the connection as forbidden", async () => {
  const stranger = connect({ Authorization: "Bearer nobody-knows-me" });
  const closed = await server.results(stranger, server.PAGE).catch((event) => event);
  assert.equal(closed.code, 4403);
});

test("the status of images is told until they are done", async () => {
  const files = [await server.picture(), await server.picture()];
  const ids = server.assertUploaded(await server.post(files), 2);
  const told = await server.results(client, server.STATUS, { ids });
  assert.deepEqual(told.map(({ data }) => data.imageStatusChanged.status), ["READY", "READY"]);
  assert.deepEqual(told.map(({ data }) => data.imageStatusChanged.id).sort(), ids.sort());
});

test("a live search tells of what comes to match, beside other operations", async () => {
  const live = client.iterate({ query: server.MATCHED, variables: { text: server.TEXT } });
  const told = live.next().then(({ value }) => value.data.imageMatched);
  await server.untilTold(told, async (file) => server.assertUploaded(await server.post([file]), 1));
  server.assertSunsets(
    (await server.results(client, server.SUNSETS, { text: server.TEXT }))[0].data.searchImages,
  );
  await live.return();
});
