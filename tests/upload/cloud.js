// The cloud under test: `roomtone-cloud dev` on a folder of its own, and a page of another origin beside it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { ended } from "../ended.mjs";

// A Postgres is made and migrated in this time on a busy machine.
const READY_WITHIN_MS = 180_000;

// A page with nothing on it, at an address of its own.
export async function emptyPage() {
  const server = createServer((_, answer) => answer.setHeader("content-type", "text/html").end("<!doctype html><title>A page</title>"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { origin: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

export class Cloud {
  // Pages of these origins may talk to it.
  static async open(origins) {
    const cloud = new Cloud();
    cloud.folder = await mkdtemp(join(tmpdir(), "roomtone-upload-"));
    // Postgres does not run as root, and must get through.
    await chmod(cloud.folder, 0o711);
    const args = ["dev", "--data", join(cloud.folder, "data"), "--listen", "127.0.0.1:0"];
    const env = { ...process.env, ROOMTONE_CLOUD_SERVER_ORIGINS: origins.join(",") };
    cloud.process = spawn(process.env.CLOUD_UNDER_TEST, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    cloud.said = "";
    await new Promise((found, failed) => {
      const read = (chunk) => {
        cloud.said += chunk;
        const seen = /(http:\/\/\S+)\/graphql[^]*?^(ey\S+)$/m.exec(cloud.said);
        if (!seen) return;
        [, cloud.origin, cloud.token] = seen;
        found();
      };
      cloud.process.stdout.on("data", read);
      cloud.process.stderr.on("data", read);
      cloud.process.once("exit", (code) => failed(new Error(`the cloud ended with ${code}:\n${cloud.said}`)));
      setTimeout(() => failed(new Error(`the cloud printed no token:\n${cloud.said}`)), READY_WITHIN_MS).unref();
    });
    return cloud;
  }

  async ask(query, variables = {}) {
    const headers = { "content-type": "application/json", authorization: `Bearer ${this.token}` };
    const answer = await fetch(`${this.origin}/graphql`, { method: "POST", headers, body: JSON.stringify({ query, variables }) });
    const { data, errors } = await answer.json();
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  }

  async close() {
    await ended(this.process);
    await rm(this.folder, { recursive: true, force: true });
  }
}
