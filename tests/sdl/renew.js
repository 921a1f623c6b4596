// At a release: what clients may rely on from now on is the schema as it is, less the words.
import { readFileSync, writeFileSync } from "node:fs";
import { parse, print, visit } from "graphql";

const at = (path) => new URL(`../../schema/${path}`, import.meta.url);
const withoutWords = (node) => ("description" in node ? { ...node, description: undefined } : undefined);
for (const name of ["hub.graphql", "cloud.graphql"]) {
  const schema = visit(parse(readFileSync(at(name), "utf8")), { enter: withoutWords });
  writeFileSync(at(`released/${name}`), `# What clients in the field rely on; \`tests/sdl/run --renew\` writes it at a release.\n\n${print(schema)}\n`);
}
