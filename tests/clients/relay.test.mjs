// relay-compiler 21 on the schema, and relay-runtime 21 with what it makes of relay/gallery.js.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { createClient } from "graphql-ws";
import relay from "relay-runtime";
import WebSocket from "ws";

import { packages, project } from "./project.mjs";
import * as server from "./server.mjs";

const folder = project("relay", "commonjs");
const socket = createClient({ url: server.socketUrl, webSocketImpl: WebSocket, lazy: true });

test.after(() => {
  socket.dispose();
  rmSync(folder, { recursive: true });
});

function compile() {
  const config = { src: "src", schema: "schema.graphql", language: "javascript", eagerEsModules: false };
  writeFileSync(path.join(folder, "relay.config.json"), JSON.stringify(config));
  const compiler = path.join(packages, "relay-compiler", "cli.js");
  return spawnSync(process.execPath, [compiler], { cwd: folder, encoding: "utf8" });
}

async function artifact(name) {
  return (await import(path.join(folder, "src/__generated__", `${name}.graphql.js`))).default;
}

async function send({ text, name }, variables, _, uploadables) {
  const operation = { query: text, operationName: name, variables };
  let body = JSON.stringify(operation);
  const headers = { Accept: "application/graphql-response+json, application/json" };
  if (uploadables) {
    const files = Object.entries(uploadables);
    body = new FormData();
    body.append("operations", JSON.stringify(operation));
    body.append("map", JSON.stringify(Object.fromEntries(files.map(([where]) => [where, [where]]))));
    for (const [where, file] of files) body.append(where, file);
    Object.assign(headers, server.preflight);
  } else {
    headers["Content-Type"] = "application/json";
  }
  const known = { ...headers, ...server.withKey };
  return (await fetch(server.url, { method: "POST", headers: known, body })).json();
}

const subscribe = ({ text: query, name: operationName }, variables) =>
  relay.Observable.create((sink) => socket.subscribe({ query, operationName, variables }, sink));

const environment = new relay.Environment({
  network: relay.Network.create(send, subscribe),
  store: new relay.Store(new relay.RecordSource()),
});

/** What a component is given: the data of a fragment, of what is in the store for its query. */
function read(query, variables, fragment) {
  const operation = relay.createOperationDescriptor(query, variables);
  const { data } = environment.lookup(operation.fragment);
  const selector = relay.getSingularSelector(fragment, data);
  return environment.lookup(selector).data;
}

/** All pages, as usePaginationFragment loads them: one after the other into one connection. */
async function pages(names, variables, field) {
  const [query, fragment, pagination] = await Promise.all(names.map(artifact));
  environment.retain(relay.createOperationDescriptor(query, variables));
  await relay.fetchQuery(environment, query, variables).toPromise();
  const lengths = [];
  for (;;) {
    const { edges, pageInfo } = read(query, variables, fragment)[field];
    lengths.push(edges.length);
    if (!pageInfo.hasNextPage) return { edges, lengths };
    const next = { ...variables, count: 20, cursor: pageInfo.endCursor };
    await relay.fetchQuery(environment, pagination, next).toPromise();
  }
}

function mutate(mutation, variables, uploadables) {
  return new Promise((onCompleted, onError) => {
    relay.commitMutation(environment, { mutation, variables, uploadables, onCompleted, onError });
  });
}

async function upload(files) {
  const variables = { files: files.map(() => null) };
  const uploadables = Object.fromEntries(files.map((file, n) => [`variables.files.${n}`, file]));
  const mutation = await artifact("galleryUploadMutation");
  const { uploadImages } = await mutate(mutation, variables, uploadables);
  return server.assertUploaded(uploadImages, files.length);
}

test("every operation compiles", () => {
  const { status, stdout, stderr } = compile();
  assert.equal(status, 0, stdout + stderr);
});

test("pages of the library become one connection, and nothing is there twice", async () => {
  const names = ["galleryQuery", "gallery_images", "galleryPaginationQuery"];
  const { edges, lengths } = await pages(names, {}, "images");
  assert.deepEqual(lengths, [20, 40, 50]);
  assert.equal(new Set(edges.map((edge) => edge.node.id)).size, 50);
});

test("pages of a search become one connection, and nothing is there twice", async () => {
  const names = ["gallerySearchQuery", "gallery_found", "gallerySearchPaginationQuery"];
  const { edges, lengths } = await pages(names, { text: server.TEXT }, "searchImages");
  assert.deepEqual(lengths, [20, 40, 50]);
  assert.equal(new Set(edges.map((edge) => edge.node.id)).size, 50);
  const best = edges.slice(0, 3);
  assert.deepEqual(best.map(({ node }) => node.filename.slice(0, 6)), Array(3).fill("sunset"));
  assert.ok(best.every(({ band, relevance }) => band !== "WEAK" && relevance >= 0.5));
});

test("a fragment is fetched again by its id, and follows what a mutation changes", async () => {
  const [id] = await upload([await server.picture()]);
  const query = await artifact("galleryImageRefetchQuery");
  const fragment = await artifact("gallery_image");
  environment.retain(relay.createOperationDescriptor(query, { id }));
  await relay.fetchQuery(environment, query, { id }).toPromise();
  const shown = () => {
    const { data } = environment.lookup(relay.createOperationDescriptor(query, { id }).fragment);
    return environment.lookup(relay.getSingularSelector(fragment, data.node)).data;
  };
  assert.equal(shown().altText, null);
  assert.match(shown().thumbnail, /^http.*\/thumbnail$/);
  const describe = await artifact("galleryDescribeMutation");
  await mutate(describe, { id, altText: "Homewards" });
  assert.equal(shown().altText, "Homewards");
});

test("what is deleted leaves the store", async () => {
  const ids = await upload([await server.picture(), await server.picture()]);
  const mutation = await artifact("galleryDeleteMutation");
  const { deleteImages } = await mutate(mutation, { ids });
  assert.deepEqual(deleteImages.deletedImageIds, ids);
  assert.deepEqual(ids.map((id) => environment.getStore().getSource().get(id)), [null, null]);
});

test("what a user can mend is in userErrors", async () => {
  const mutation = await artifact("galleryDeleteMutation");
  server.assertNotFound((await mutate(mutation, { ids: [server.NOWHERE] })).deleteImages);
});

test("what the server refuses is an error of the query, with its message", async () => {
  const query = await artifact("galleryPaginationQuery");
  const asked = relay.fetchQuery(environment, query, { count: 20, cursor: "nonsense" });
  const error = await asked.toPromise().catch((error) => error);
  assert.match(error.source.errors[0].message, /`after` was not returned by this API/);
  assert.equal(error.source.errors[0].extensions.code, "BAD_USER_INPUT");
});

for (const name of ["galleryStatusSubscription", "galleryMatchedSubscription"]) {
  test(`${name} tells of what happens`, async () => {
    const subscription = await artifact(name);
    const isStatus = name === "galleryStatusSubscription";
    const ids = isStatus ? await upload([await server.picture()]) : [];
    let request;
    const told = new Promise((onNext, onError) => {
      const variables = isStatus ? { ids } : { text: server.TEXT };
      request = relay.requestSubscription(environment, { subscription, variables, onNext, onError });
    });
    if (isStatus) {
      assert.equal((await told).imageStatusChanged.status, "READY");
    } else {
      await server.untilTold(told.then((data) => data.imageMatched), (file) => upload([file]));
    }
    request.dispose();
  });
}

test("a misspelt query does not compile, and the compiler says where", () => {
  writeFileSync(
    path.join(folder, "src/wrong.js"),
    'import { graphql } from "relay-runtime";\ngraphql`query wrongQuery { searchImage { id } }`;\n',
  );
  const { status, stdout, stderr } = compile();
  assert.notEqual(status, 0);
  assert.match(stdout + stderr, /searchImage/);
});
