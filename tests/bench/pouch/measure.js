// PouchDB 9 and express-pouchdb 4 over the loopback: documents pushed to an empty server, and pulled into an empty client.
//
//   node measure.js push|pull FILE     FILE: a JSON list of documents
//
// Prints {"documents": N, "seconds": S}. Both sides keep their data in LevelDB, in a temporary folder; batches of 1000
// and 100 were tried, and the default (100) is the quicker.
import { readFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import express from "express";
import PouchDB from "pouchdb";
import pouchServer from "express-pouchdb";

const [way, file] = process.argv.slice(2);
if (!["push", "pull"].includes(way) || !file) {
  console.error("usage: node measure.js push|pull FILE");
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), "roomtone-pouch-"));
const Remote = PouchDB.defaults({ prefix: join(folder, "server-") });
const app = express();
app.use("/db", pouchServer(Remote, { mode: "minimumForPouchDB", inMemoryConfig: true, logPath: join(folder, "log") }));
const server = app.listen(0, "127.0.0.1");
await new Promise((ready) => server.once("listening", ready));

const documents = JSON.parse(readFileSync(file, "utf8"));
const remote = new PouchDB(`http://127.0.0.1:${server.address().port}/db/facts`);
const local = new PouchDB(join(folder, "client"));
const from = way === "push" ? local : new Remote("facts");
for (let at = 0; at < documents.length; at += 1000) {
  await from.bulkDocs(documents.slice(at, at + 1000));
}
const began = performance.now();
const done = await (way === "push" ? local.replicate.to(remote) : local.replicate.from(remote));
const seconds = (performance.now() - began) / 1000;
if (done.docs_written !== documents.length) {
  console.error(`only ${done.docs_written} of ${documents.length} documents were written`);
  process.exit(1);
}
console.log(JSON.stringify({ documents: documents.length, seconds }));
server.close();
rmSync(folder, { recursive: true, force: true });
process.exit(0);
