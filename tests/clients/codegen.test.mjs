// graphql-codegen's client preset on the schema: what it generates is checked by tsc, and run.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { generate } from "@graphql-codegen/cli";

import { packages, project } from "./project.mjs";

const folder = project("codegen", "module");

test.after(() => rmSync(folder, { recursive: true }));

function run(...command) {
  const done = spawnSync(process.execPath, command, { cwd: folder, encoding: "utf8" });
  assert.equal(done.status, 0, done.stdout + done.stderr);
}

test("documents are typed", async () => {
  await generate({
    cwd: folder,
    schema: "schema.graphql",
    documents: ["src/app.ts"],
    silent: true,
    generates: {
      "src/gql/": {
        preset: "client",
        presetConfig: { fragmentMasking: { unmaskFunctionName: "getFragmentData" } },
        config: {
          importExtension: ".js",
          strictScalars: true,
          scalars: { DateTime: "string", LocalDateTime: "string", URL: "string", Upload: "File" },
        },
      },
    },
  });
});

test("the types hold what is right and refuse what is wrong", () => {
  run(path.join(packages, "typescript", "bin", "tsc"), "--project", "src");
});

test("typed documents are answered", () => run("built/app.js"));
