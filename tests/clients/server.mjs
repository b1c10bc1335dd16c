// The server of these tests: where it is, the key that it knows, and pictures that it does not.

import assert from "node:assert/strict";
import { openAsBlob } from "node:fs";
import { readdirSync } from "node:fs";
import path from "node:path";

export const url = `${process.env.SERVER}/graphql`;
export const socketUrl = url.replace(/^http/, "ws");
export const key = process.env.KEY;
export const withKey = { Authorization: `Bearer ${key}` };
// Multipart is what forms of other sites send, too: one header says that this is none.
export const preflight = { "GraphQL-Require-Preflight": "1" };

const names = readdirSync(process.env.PICTURES).sort();

/** The next picture that was in no upload yet. */
export async function picture() {
  const name = names.shift();
  assert.ok(name, "there are no more pictures");
  return new File([await openAsBlob(path.join(process.env.PICTURES, name))], name, {
    type: "image/png",
  });
}

export const UPLOAD = `
  mutation Upload($files: [Upload!]!) {
    uploadImages(input: { files: $files }) {
      results { isDuplicate image { id filename status } }
      userErrors { field message code }
    }
  }`;

export const PAGE = `
  query Page($after: String) {
    images(first: 20, after: $after, filter: { tagsAny: ["postcard"] }) {
      edges { cursor node { id filename } }
      pageInfo { hasNextPage endCursor }
    }
  }`;

export const SUNSETS = `
  query Sunsets($text: String!) {
    searchImages(by: { text: $text }, minRelevance: 0.5, filter: { tagsAny: ["postcard"] }) {
      relevantCount
      nodes { id filename url(variant: THUMBNAIL) }
    }
  }`;

export const MISSPELT = "query { searchImage { id } }";

export const DELETE = `
  mutation Delete($ids: [ID!]!) {
    deleteImages(input: { ids: $ids }) { deletedImageIds userErrors { field message code } }
  }`;

export const STATUS = `
  subscription Status($ids: [ID!]!) { imageStatusChanged(imageIds: $ids) { id status } }`;

export const MATCHED = `
  subscription Matched($text: String!) {
    imageMatched(by: { text: $text }) { relevance node { id filename } }
  }`;

export const TEXT = "a red sailboat at sunset";
/** No image has it: how a mutation comes by an error that is the user's. */
export const NOWHERE = Buffer.from("Image:00000000-0000-7000-8000-000000000000").toString("base64");

/** What a page of Sunsets has to be. */
export function assertSunsets({ relevantCount, nodes }) {
  assert.equal(relevantCount, 3);
  assert.deepEqual(nodes.map((node) => node.filename).sort(), [
    "sunset 0.png",
    "sunset 1.png",
    "sunset 2.png",
  ]);
}

/** Two pages of 20 of which none has what the other has, and a third with the rest. */
export function assertPages(pages) {
  assert.deepEqual(pages.map((page) => page.edges.length), [20, 20, 10]);
  const ids = pages.flatMap((page) => page.edges.map((edge) => edge.node.id));
  assert.equal(new Set(ids).size, 50);
  assert.equal(pages.at(-1).pageInfo.hasNextPage, false);
}

/** The answer to an upload of so many files, none of which was here before. */
export function assertUploaded({ results, userErrors }, count) {
  assert.deepEqual(userErrors, []);
  assert.deepEqual(results.map((each) => each.isDuplicate), Array(count).fill(false));
  assert.deepEqual(results.map((each) => each.image.status), Array(count).fill("READY"));
  return results.map((each) => each.image.id);
}

/** The answer to a deletion of what is nowhere. */
export function assertNotFound({ deletedImageIds, userErrors }) {
  assert.deepEqual(deletedImageIds, []);
  assert.equal(userErrors.length, 1);
  assert.equal(userErrors[0].code, "NOT_FOUND");
  assert.deepEqual(userErrors[0].field, ["input", "ids", "0"]);
}

/** Send pictures until one is told of: nobody says when a live search has begun. */
export async function untilTold(told, send) {
  let isTold = false;
  const answer = told.finally(() => (isTold = true));
  answer.catch(() => {});
  const sent = [];
  while (!isTold) {
    sent.push(...(await send(await picture())));
    const pause = new Promise((resolve) => setTimeout(resolve, 1000));
    await Promise.race([answer.catch(() => {}), pause]);
  }
  const { relevance, node } = await answer;
  assert.ok(relevance >= 0.5);
  assert.ok(sent.includes(node.id));
}

/** Send files the way the specification says, where a client has no way of its own. */
export async function post(files) {
  const form = new FormData();
  const variables = { files: files.map(() => null) };
  form.append("operations", JSON.stringify({ query: UPLOAD, variables }));
  form.append("map", JSON.stringify(Object.fromEntries(files.map((_, n) => [n, [`variables.files.${n}`]]))));
  files.forEach((file, n) => form.append(String(n), file));
  const answer = await fetch(url, { method: "POST", headers: { ...withKey, ...preflight }, body: form });
  return (await answer.json()).data.uploadImages;
}

/** All results of an operation, to its end, of a client of graphql-ws or graphql-sse. */
export async function results(of, query, variables) {
  const all = [];
  for await (const result of of.iterate({ query, variables })) all.push(result);
  return all;
}
