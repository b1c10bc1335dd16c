// @urql/core 6, which urql 5 stands on, with its subscription exchange over graphql-ws.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Client, cacheExchange, fetchExchange, gql, subscriptionExchange } from "@urql/core";
import { createClient } from "graphql-ws";
import WebSocket from "ws";

import * as server from "./server.mjs";

const socket = createClient({ url: server.socketUrl, webSocketImpl: WebSocket, lazy: true });

const overSocket = subscriptionExchange({
  forwardSubscription: ({ query = "", variables }) => ({
    subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables }, sink) }),
  }),
});

function clientWith(headers, exchanges = [overSocket]) {
  return new Client({
    url: server.url,
    exchanges: [cacheExchange, fetchExchange, ...exchanges],
    fetchOptions: { headers: { ...headers, ...server.preflight } },
  });
}

const client = clientWith(server.withKey);

test.after(() => socket.dispose());

test("a query is answered as JSON, though urql says that it takes events, too", async () => {
  let accepted = "";
  const { data, error } = await client
    .query(gql(server.SUNSETS), { text: server.TEXT }, {
      fetch: (url, options) => {
        accepted = new Headers(options.headers).get("accept");
        return fetch(url, options);
      },
    })
    .toPromise();
  assert.match(accepted, /text\/event-stream/);
  assert.equal(error, undefined);
  server.assertSunsets(data.searchImages);
});

for (const preferGetMethod of [true, false, "force"]) {
  test(`a query is answered where GET is preferred: ${preferGetMethod}`, async () => {
    const { data, error } = await client
      .query(gql(server.SUNSETS), { text: server.TEXT }, { preferGetMethod, requestPolicy: "network-only" })
      .toPromise();
    assert.equal(error, undefined);
    server.assertSunsets(data.searchImages);
  });
}

test("pages follow each other, and nothing is there twice", async () => {
  const pages = [];
  do {
    const after = pages.at(-1)?.pageInfo.endCursor;
    const { data, error } = await client.query(gql(server.PAGE), { after }).toPromise();
    assert.equal(error, undefined);
    pages.push(data.images);
  } while (pages.at(-1).pageInfo.hasNextPage);
  server.assertPages(pages);
});

test("a misspelt query is an error of GraphQL, not of the network", async () => {
  const { error } = await client.query(gql(server.MISSPELT), {}).toPromise();
  assert.equal(error.networkError, undefined);
  assert.match(error.graphQLErrors[0].message, /Did you mean 'searchImages'/);
});

test("what a user can mend is in userErrors", async () => {
  const { data, error } = await client
    .mutation(gql(server.DELETE), { ids: [server.NOWHERE] })
    .toPromise();
  assert.equal(error, undefined);
  server.assertNotFound(data.deleteImages);
});

test("a change without a key is refused", async () => {
  const { error } = await clientWith({})
    .mutation(gql(server.DELETE), { ids: [server.NOWHERE] })
    .toPromise();
  assert.equal(error.graphQLErrors[0].extensions.code, "UNAUTHENTICATED");
});

test("a key that nobody knows is refused with 401, and the reason can be read", async () => {
  const stranger = clientWith({ Authorization: "Bearer nobody-knows-me" });
  const { error } = await stranger.query(gql(server.PAGE), {}).toPromise();
  assert.equal(error.response.status, 401);
  assert.equal(error.graphQLErrors[0].extensions.code, "UNAUTHENTICATED");
});

for (const count of [1, 3]) {
  test(`${count} uploaded at once become images`, async () => {
    const files = await Promise.all(Array.from({ length: count }, server.picture));
    const { data, error } = await client.mutation(gql(server.UPLOAD), { files }).toPromise();
    assert.equal(error, undefined);
    server.assertUploaded(data.uploadImages, count);
  });
}

async function upload(file) {
  const { data, error } = await client.mutation(gql(server.UPLOAD), { files: [file] }).toPromise();
  assert.equal(error, undefined);
  return server.assertUploaded(data.uploadImages, 1);
}

const ways = {
  "graphql-ws": client,
  "the events that it asks for itself": new Client({
    url: server.url,
    exchanges: [fetchExchange],
    fetchSubscriptions: true,
  }),
};

for (const [way, subscriber] of Object.entries(ways)) {
  test(`the status of images is told over ${way}`, async () => {
    const ids = await upload(await server.picture());
    const told = await new Promise((resolve) => {
      const { unsubscribe } = subscriber.subscription(gql(server.STATUS), { ids }).subscribe((result) => {
        resolve(result);
        setImmediate(() => unsubscribe());
      });
    });
    assert.equal(told.error, undefined);
    assert.equal(told.data.imageStatusChanged.status, "READY");
  });

  test(`a live search over ${way} tells of what comes to match`, async () => {
    let subscription;
    const told = new Promise((resolve, reject) => {
      subscription = subscriber
        .subscription(gql(server.MATCHED), { text: server.TEXT })
        .subscribe(({ data, error }) => (error ? reject(error) : resolve(data.imageMatched)));
    });
    await server.untilTold(told, upload);
    subscription.unsubscribe();
  });
}
