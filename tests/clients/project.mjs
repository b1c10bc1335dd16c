// A folder to throw away in which a compiler works as in an app's own.

import { cpSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));

/** Where the programs of packages are. */
export const packages = path.join(here, "node_modules");

/** A folder with the sources, modules of a type, the schema, and the packages. */
export function project(sources, type) {
  const folder = mkdtempSync(path.join(tmpdir(), "pictograph-client-"));
  cpSync(path.join(here, sources), path.join(folder, "src"), { recursive: true });
  cpSync(path.join(here, "../../graph/schema.graphql"), path.join(folder, "schema.graphql"));
  symlinkSync(packages, path.join(folder, "node_modules"));
  writeFileSync(path.join(folder, "package.json"), JSON.stringify({ type }));
  return folder;
}
