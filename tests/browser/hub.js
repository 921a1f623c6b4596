// The hub under test: `roomtone-hub demo`, or `serve`, on a folder of its own.

import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { ended } from "../ended.mjs";

// A debug build synthesises and imports its songs in this time on a busy machine.
const READY_WITHIN_MS = 180_000;

export class Hub {
  static demo(...args) {
    return Hub.open("demo", args);
  }

  // As it stands in a venue; it has no music.
  static venue(...args) {
    return Hub.open("serve", args);
  }

  static async open(command, args) {
    const hub = new Hub();
    hub.folder = await mkdtemp(join(tmpdir(), "roomtone-hub-"));
    hub.command = command;
    hub.args = args;
    hub.port = 0;
    await hub.start();
    return hub;
  }

  // The first time on a free port, ever after on the same.
  async start() {
    const args = ["--data", join(this.folder, "data"), this.command, "--no-mdns", "--listen", `127.0.0.1:${this.port}`, ...this.args];
    this.process = spawn(process.env.HUB_UNDER_TEST, args, { env: { ...process.env, ...this.env }, stdio: ["ignore", "pipe", "pipe"] });
    this.said = "";
    const address = new Promise((found, failed) => {
      const read = (chunk) => {
        this.said += chunk;
        const seen = /http:\/\/\S+?:(\d+)\/\S*#code=([^\s&]+)/.exec(this.said);
        if (seen) found(seen);
      };
      this.process.stdout.on("data", read);
      this.process.stderr.on("data", read);
      this.process.once("error", failed);
      this.process.once("exit", (code) => failed(new Error(`the hub ended with ${code}:\n${this.said}`)));
      setTimeout(() => failed(new Error(`the hub printed no address:\n${this.said}`)), READY_WITHIN_MS).unref();
    });
    const [, port, code] = await address;
    // Said right after it.
    while (!/https:\/\/\S+:\d+\/manage/.test(this.said)) await new Promise((go) => setTimeout(go, 20));
    this.tlsPort = Number(/https:\/\/\S+:(\d+)\/manage/.exec(this.said)[1]);
    this.port = Number(port);
    this.code = decodeURIComponent(code);
  }

  url(path = "/", host = "127.0.0.1") {
    return `http://${host}:${this.port}${path}`;
  }

  // Where whoever runs the venue comes; by the hub's own certificate, which no browser knows.
  secureUrl(path = "/manage") {
    return `https://127.0.0.1:${this.tlsPort}${path}`;
  }

  // What the QR code says.
  get door() {
    return this.url(`/#code=${encodeURIComponent(this.code)}`);
  }

  async ask(query, variables = {}, token = undefined) {
    const headers = { "content-type": "application/json" };
    if (token) headers.authorization = `Bearer ${token}`;
    const answer = await fetch(this.url("/graphql"), { method: "POST", headers, body: JSON.stringify({ query, variables }) });
    const { data, errors } = await answer.json();
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  }

  // Somebody has to have made music before it can be liked: on a busy machine that takes a while.
  async plays() {
    while (!(await this.ask("{ nowPlaying { song { id } } }")).nowPlaying);
    return this;
  }

  // What an order to the running hub prints.
  async order(...words) {
    const { stdout } = await promisify(execFile)(process.env.HUB_UNDER_TEST, ["--data", join(this.folder, "data"), ...words]);
    return stdout;
  }

  // A token stands on a line of its own.
  async token(...words) {
    return /^ +(\S{20,})$/m.exec(await this.order(...words))[1];
  }

  stop(signal) {
    return ended(this.process, signal);
  }

  powerCut() {
    return this.stop("SIGKILL");
  }

  async close() {
    await this.stop("SIGTERM");
    await rm(this.folder, { recursive: true, force: true });
  }
}
