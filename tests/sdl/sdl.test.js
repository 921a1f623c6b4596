// The schemas of hub and cloud: linted, and compared with what clients in the field rely on.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { buildSchema, isObjectType } from "graphql";
import announced from "./deprecation.cjs";

const here = dirname(fileURLToPath(import.meta.url));
const at = (path) => join(here, "../../schema", path);
const schema = at("hub.graphql");
const sdl = readFileSync(schema, "utf8");
// Both are held to the same rules. Faults are planted in the hub's alone: the rules are the same ones.
const both = ["hub", "cloud"].map((name) => {
  const text = readFileSync(at(`${name}.graphql`), "utf8");
  return { name, path: at(`${name}.graphql`), released: at(`released/${name}.graphql`), text };
});
const { faults } = announced;

const folder = mkdtempSync(join(tmpdir(), "sdl-"));
after(() => rmSync(folder, { recursive: true }));

let files = 0;

/** The schema with something else in it, as a file; fails where there was nothing to replace. */
function planted(...changes) {
  const text = changes.reduce((text, [from, to]) => {
    assert.ok(text.includes(from), `the schema has no "${from}" any more: plant this elsewhere`);
    return text.replace(from, to);
  }, sdl);
  const file = join(folder, `${(files += 1)}.graphql`);
  writeFileSync(file, text);
  return file;
}

function tool(name, args, options) {
  const program = join(here, "node_modules/.bin", name);
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: "utf8", ...options });
  return { status, said: stdout + stderr };
}

const lint = (file) =>
  tool("eslint", ["--config", join(here, "eslint.config.js"), file], {
    cwd: dirname(file),
    env: { ...process.env, SDL: file },
  });

const compare = (from, to) =>
  tool("graphql-inspector", ["diff", from, to, "--rule", join(here, "deprecation.cjs")], { cwd: here });

const dated = (days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
const going = (since, until) =>
  `@deprecated(reason: "Use \`title\`. Deprecated ${dated(since)}, removed after ${dated(until)}.")`;

for (const { name, path } of both) {
  test(`the schema of the ${name} keeps the rules for schemas and for Relay`, () => {
    const { status, said } = lint(path);
    assert.equal(status, 0, said);
  });
}

for (const [rule, from, to] of [
  ["naming-convention", "displayName: String\n", "display_name: String\n"],
  ["require-description", '"What a zone hears."\ntype NowPlaying', "type NowPlaying"],
  ["strict-id-in-types", "type Vote implements Node {", 'type Loose { "x" a: Int }\ntype Vote implements Node { "x" loose: Loose'],
  ["relay-page-info", "hasNextPage: Boolean!", "hasNextPage: String"],
  ["relay-connection-types", "edges: [SongEdge!]!", "edges: SongEdge"],
  ["require-deprecation-reason", "album: String\n", "album: String @deprecated\n"],
  ["no-unreachable-types", '"One piece of music."\n', '"Nobody asks for it."\nenum Lost {\n  "One."\n  ONE\n}\n"One piece of music."\n'],
]) {
  test(`a schema against ${rule} is refused`, () => {
    const { status, said } = lint(planted([from, to]));
    assert.equal(status, 1, said);
    assert.match(said, new RegExp(`@graphql-eslint/${rule}`));
  });
}

for (const { name, path, released } of both) {
  test(`nothing that clients of the ${name} in the field rely on has gone or changed`, () => {
    const { status, said } = compare(released, path);
    assert.equal(status, 0, `${said}\nDeprecate it first, with a date: see CONTRIBUTING.md, "The API".`);
  });
}

for (const [what, from, to] of [
  ["a field that is gone", "  title: String!\n", "  name: String!\n"],
  ["a field that may be null now", "  title: String!\n", "  title: String\n"],
  ["an argument that must be given now", "nowPlaying(zoneId: ID): NowPlaying\n", "nowPlaying(zoneId: ID!): NowPlaying\n"],
  ["an input that must be given now", "  displayName: String\n  \"A UUID", "  displayName: String!\n  \"A UUID"],
  ["a value of an enum that is gone", '  "Less of this."\n  DISLIKE\n', ""],
  ["a type that has another name", "scalar DateTime", "scalar Instant"],
]) {
  test(`${what} breaks clients, and is said so`, () => {
    const changed = what.startsWith("a type") ? renamed("DateTime", "Instant") : planted([from, to]);
    const { status, said } = compare(schema, changed);
    assert.equal(status, 1, said);
    assert.match(said, /breaking/i);
  });
}

function renamed(from, to) {
  const file = join(folder, `${(files += 1)}.graphql`);
  writeFileSync(file, sdl.replaceAll(new RegExp(`\\b${from}\\b`, "g"), to));
  return file;
}

test("more fields, more types and optional arguments break nobody", () => {
  const more = planted(
    ["  title: String!\n", '  title: String!\n  "Its notes."\n  notes: [String!]\n'],
    ["nowPlaying(zoneId: ID): NowPlaying\n", "nowPlaying(zoneId: ID, at: DateTime): NowPlaying\n"],
  );
  const { status, said } = compare(schema, more);
  assert.equal(status, 0, said);
});

test("what was announced may go when its time is over, and not before", () => {
  const album = '  "The album it belongs to."\n  album: String\n';
  const without = planted([album, ""]);
  const due = compare(planted(["  album: String\n", `  album: String ${going(-100, -1)}\n`]), without);
  assert.equal(due.status, 0, due.said);
  const early = compare(planted(["  album: String\n", `  album: String ${going(-80, 20)}\n`]), without);
  assert.equal(early.status, 1, early.said);
});

test("every deprecation says what to use and when it ends, and none is overdue", () => {
  for (const { text } of both) assert.deepEqual(faults(buildSchema(text)), []);
});

for (const [what, directive, fits] of [
  ["as the policy has it", going(0, 90), true],
  ["without dates", '@deprecated(reason: "Use `title`.")', false],
  ["without a reason", "@deprecated", false],
  ["with too little time", going(0, 89), false],
  ["with a date that is none", '@deprecated(reason: "Use `title`. Deprecated 2026-13-01, removed after 2027-13-01.")', false],
  ["whose time has passed", going(-100, -1), false],
]) {
  test(`a deprecation ${what} is ${fits ? "taken" : "refused"}`, () => {
    for (const place of ["  album: String\n", "  ticket: String\n", "  DISLIKE\n"]) {
      const schema = buildSchema(readFileSync(planted([place, `${place.trimEnd()} ${directive}\n`]), "utf8"));
      assert.equal(faults(schema).length, fits ? 0 : 1, `${place} ${directive}: ${faults(schema)}`);
    }
  });
}

for (const { name: server, text } of both) {
  const types = Object.values(buildSchema(text).getTypeMap());

  test(`every scalar of the ${server}'s own says where it is specified`, () => {
    const own = types.filter((type) => type.astNode?.kind === "ScalarTypeDefinition");
    assert.ok(own.length > 0);
    assert.deepEqual(own.filter((type) => !type.specifiedByURL).map(String), []);
  });

  test(`what has an id at the ${server} is a node`, () => {
    const objects = types.filter((type) => isObjectType(type) && type.getFields().id);
    const loose = objects.filter((type) => !type.getInterfaces().some(({ name }) => name === "Node")).map(String);
    // A pick and a command are told to one player, once; their ids are for its answers, not for asking again.
    assert.deepEqual(loose.sort(), server === "hub" ? ["Pick", "PlayerCommand"] : []);
    assert.ok(objects.length > 7);
    for (const type of objects) assert.equal(String(type.getFields().id.type), "ID!", String(type));
  });

  test(`every mutation of the ${server} takes one input with an idempotency key and answers with a payload that can say no`, () => {
    const mutations = Object.values(buildSchema(text).getMutationType().getFields());
    const key = server === "hub" ? "ID!" : "UUID!";
    for (const { name, args, type } of mutations) {
      const title = name[0].toUpperCase() + name.slice(1);
      assert.deepEqual(args.map((arg) => `${arg.name}: ${arg.type}`), [`input: ${title}Input!`], name);
      assert.equal(String(args[0].type.ofType.getFields().idempotencyKey?.type), key, name);
      assert.equal(String(type), `${title}Payload!`, name);
      const fields = type.ofType.getFields();
      assert.equal(String(fields.userErrors?.type), "[UserError!]!", name);
      for (const field of Object.values(fields).filter((field) => field.name !== "userErrors")) {
        assert.ok(!String(field.type).endsWith("!") || String(field.type).startsWith("["), `${name}: ${field.name} must be null where it says no`);
      }
    }
  });
}
