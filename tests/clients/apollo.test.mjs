// @apollo/client 4 with apollo-upload-client 20, and graphql-ws for subscriptions.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ApolloClient, ApolloLink, CombinedGraphQLErrors, InMemoryCache, gql } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { relayStylePagination } from "@apollo/client/utilities";
import UploadHttpLink from "apollo-upload-client/UploadHttpLink.mjs";
import { OperationTypeNode } from "graphql";
import { createClient } from "graphql-ws";
import WebSocket from "ws";

import * as server from "./server.mjs";

const socket = createClient({ url: server.socketUrl, webSocketImpl: WebSocket, lazy: true });

function clientWith(headers) {
  return new ApolloClient({
    cache: new InMemoryCache({
      typePolicies: { Query: { fields: { images: relayStylePagination(["filter"]) } } },
    }),
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new GraphQLWsLink(socket),
      new UploadHttpLink({ uri: server.url, headers: { ...headers, ...server.preflight } }),
    ),
  });
}

const client = clientWith(server.withKey);

test.after(() => socket.dispose());

test("a query is answered", async () => {
  const variables = { text: server.TEXT };
  const { data } = await client.query({ query: gql(server.SUNSETS), variables });
  server.assertSunsets(data.searchImages);
});

test("the queries of a page that has no files go by GET, too", async () => {
  const link = new UploadHttpLink({ uri: server.url, useGETForQueries: true });
  const reader = new ApolloClient({ cache: new InMemoryCache(), link });
  const variables = { text: server.TEXT };
  const { data } = await reader.query({ query: gql(server.SUNSETS), variables });
  server.assertSunsets(data.searchImages);
});

test("pages follow each other in the cache, and nothing is there twice", async () => {
  const watched = client.watchQuery({ query: gql(server.PAGE) });
  const pages = [(await watched.refetch()).data.images];
  while (pages.at(-1).pageInfo.hasNextPage) {
    const after = pages.at(-1).pageInfo.endCursor;
    pages.push((await watched.fetchMore({ variables: { after } })).data.images);
  }
  server.assertPages(pages);
  const cached = client.readQuery({ query: gql(server.PAGE) }).images;
  assert.equal(new Set(cached.edges.map((edge) => edge.node.id)).size, 50);
  assert.equal(cached.edges.length, 50);
});

test("a misspelt query is an error of GraphQL, not of the network", async () => {
  const error = await client.query({ query: gql(server.MISSPELT) }).catch((error) => error);
  assert.ok(CombinedGraphQLErrors.is(error), error);
  assert.match(error.message, /Did you mean 'searchImages'/);
});

test("what a user can mend is in userErrors", async () => {
  const variables = { ids: [server.NOWHERE] };
  const { data } = await client.mutate({ mutation: gql(server.DELETE), variables });
  server.assertNotFound(data.deleteImages);
});

test("a change without a key is refused", async () => {
  const mutation = { mutation: gql(server.DELETE), variables: { ids: [server.NOWHERE] } };
  const error = await clientWith({}).mutate(mutation).catch((error) => error);
  assert.ok(CombinedGraphQLErrors.is(error), error);
  assert.equal(error.errors[0].extensions.code, "UNAUTHENTICATED");
});

test("a key that nobody knows is refused with 401, and the reason can be read", async () => {
  const stranger = clientWith({ Authorization: "Bearer nobody-knows-me" });
  const error = await stranger.query({ query: gql(server.PAGE) }).catch((error) => error);
  assert.ok(CombinedGraphQLErrors.is(error), error);
  assert.equal(error.errors[0].extensions.code, "UNAUTHENTICATED");
});

for (const count of [1, 3]) {
  test(`${count} uploaded at once can be found by their ids`, async () => {
    const files = await Promise.all(Array.from({ length: count }, server.picture));
    const { data } = await client.mutate({ mutation: gql(server.UPLOAD), variables: { files } });
    const ids = server.assertUploaded(data.uploadImages, count);
    const query = gql`query Again($ids: [ID!]!) { nodes(ids: $ids) { id } }`;
    const again = await client.query({ query, variables: { ids } });
    assert.deepEqual(again.data.nodes.map((node) => node.id), ids);
  });
}

test("a picture is searched by without being kept", async () => {
  const query = gql`
    query Like($image: Upload!) {
      searchImages(by: { image: $image }, first: 3, filter: { tagsAny: ["postcard"] }) {
        nodes { id filename }
      }
    }`;
  const variables = { image: await server.picture() };
  const { data } = await client.query({ query, variables });
  assert.deepEqual(data.searchImages.nodes.map(({ filename }) => filename.slice(0, 7)), [
    "sunset ", "sunset ", "sunset ",
  ]);
});

test("the status of images is told until they are done", async () => {
  const variables = { files: [await server.picture()] };
  const { data } = await client.mutate({ mutation: gql(server.UPLOAD), variables });
  const ids = server.assertUploaded(data.uploadImages, 1);
  const told = [];
  await new Promise((complete, error) => {
    client.subscribe({ query: gql(server.STATUS), variables: { ids } }).subscribe({
      next: ({ data }) => told.push(data.imageStatusChanged.status),
      complete,
      error,
    });
  });
  assert.deepEqual(told, ["READY"]);
});

test("a live search tells of what comes to match", async () => {
  const variables = { text: server.TEXT };
  const live = client.subscribe({ query: gql(server.MATCHED), variables });
  let subscription;
  const told = new Promise((resolve, reject) => {
    const next = ({ data, error }) => (error ? reject(error) : resolve(data.imageMatched));
    subscription = live.subscribe({ next, error: reject });
  });
  await server.untilTold(told, async (file) => {
    const mutation = { mutation: gql(server.UPLOAD), variables: { files: [file] } };
    return server.assertUploaded((await client.mutate(mutation)).data.uploadImages, 1);
  });
  subscription.unsubscribe();
});
