// Bundles GraphiQL and Monaco's workers into `dist`, each file gzip'd, with the list that the server embeds and the
// licences of all that is inside. The same lock file gives the same bytes.

import { build } from "esbuild";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "dist");

const { outputFiles, metafile } = await build({
  absWorkingDir: here,
  entryPoints: {
    entry: "entry.js",
    "editor.worker": "monaco-editor/esm/vs/editor/editor.worker.js",
    "json.worker": "monaco-editor/esm/vs/language/json/json.worker.js",
    "graphql.worker": "monaco-graphql/esm/graphql.worker.js",
  },
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "none",
  define: { "process.env.NODE_ENV": '"production"' },
  loader: { ".ttf": "file", ".svg": "file" },
  entryNames: "[name]",
  chunkNames: "chunk-[hash]",
  assetNames: "asset-[hash]",
  outdir: out,
  metafile: true,
  write: false,
});

await rm(out, { recursive: true, force: true });
await mkdir(out);
const names = [];
let whole = 0;
let packed = 0;
for (const { path, contents: bundled } of outputFiles) {
  const name = path.slice(out.length + 1);
  const contents = name === "entry.css" ? withoutFonts(bundled) : bundled;
  const small = gzipSync(contents, { level: 9 });
  // The header's operating system is the only byte that depends on the machine.
  small[9] = 255;
  await writeFile(`${path}.gz`, small);
  names.push(name);
  whole += contents.length;
  packed += small.length;
}
names.sort();
await writeFile(join(here, "files.in"), `// Written by build.mjs.\npacked![\n${names.map((name) => `    ${JSON.stringify(name)},\n`).join("")}]\n`);

// The style sheet brings Roboto and Fira Code inside itself; the system's fonts do, and the page needs no `data:` fonts.
function withoutFonts(css) {
  return Buffer.from(Buffer.from(css).toString("utf8").replace(/@font-face\s*\{[^}]*url\("?data:[^}]*\}/g, ""));
}

// Whose work is inside: every package that gave the bundle a file. The same text is printed once.
const packages = new Set(Object.keys(metafile.inputs).flatMap((input) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1] ?? []));
// Parts of one repository that carry no text of their own.
const SIBLINGS = [[/^@graphiql\//, "graphiql"], [/^react-compiler-runtime$/, "react"], [/^react-remove-scroll-bar$/, "react-remove-scroll"]];
const byText = new Map();
for (const name of [...packages].sort()) {
  const folder = join(here, "node_modules", name);
  const { version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  let text = await licence(folder);
  const [, sibling] = SIBLINGS.find(([fits]) => fits.test(name)) ?? [];
  if (!text && sibling) text = await licence(join(here, "node_modules", sibling));
  if (!text) console.log(`no licence text: ${name} (${license})`);
  byText.set(text, [...(byText.get(text) ?? []), `${name} ${version} (${license})`]);
}
async function licence(folder) {
  const texts = (await readdir(folder)).filter((file) => /^(licen[cs]e|notice|copying|thirdpartynotices)/i.test(file)).sort();
  const words = await Promise.all(texts.map((file) => readFile(join(folder, file), "utf8")));
  return words.map((text) => text.replaceAll("\r\n", "\n").replace(/[ \t]+$/gm, "").trim()).join("\n\n");
}
const parts = [...byText].map(([text, names]) => `${"=".repeat(80)}\n${names.join("\n")}\n\n${text || "The package carries no text; the expression above is its own."}\n`);
await writeFile(join(here, "THIRD-PARTY-LICENSES.txt"), `What is inside dist, and under which licence.\n\n${parts.join("\n")}`);
console.log(`${names.length} files, ${whole} bytes, ${packed} packed; ${packages.size} packages`);
