// A raw line of `graphql-transport-ws`: what is said goes out as it is, what is heard is taken apart and nothing more.

import assert from "node:assert/strict";
import { WebSocket } from "ws";

export const PROTOCOL = "graphql-transport-ws";
const PATIENCE_MS = 15_000;

export class Line {
  // A socket that has not introduced itself; fails with the status where the hub refuses the upgrade.
  static async open(hub, { protocols = [PROTOCOL], ...options } = {}) {
    const socket = new WebSocket(hub.url("/graphql").replace("http", "ws"), protocols, options);
    const line = new Line(socket);
    await new Promise((opened, failed) => {
      socket.once("open", opened);
      socket.once("error", failed);
      socket.once("unexpected-response", (_request, answer) => {
        let body = "";
        answer.on("data", (chunk) => (body += chunk));
        answer.on("end", () => {
          const { statusCode: status, headers } = answer;
          failed(Object.assign(new Error(`refused with ${status}: ${body}`), { status, headers, body }));
          socket.terminate();
        });
      });
    });
    return line;
  }

  // One that has been acknowledged.
  static async greeted(hub, token, options) {
    const line = await Line.open(hub, options);
    line.say({ type: "connection_init", payload: token ? { authorization: `Bearer ${token}` } : {} });
    assert.deepEqual(await line.hear(), { type: "connection_ack" });
    return line;
  }

  constructor(socket) {
    this.socket = socket;
    this.heard = [];
    this.waiting = [];
    socket.on("message", (data, binary) => {
      this.heard.push(binary ? { binary: data } : JSON.parse(data));
      this.wake();
    });
    this.end = new Promise((ended) => {
      socket.once("close", (code, reason) => {
        this.over = { code, reason: reason.toString(), bytes: reason.length };
        ended(this.over);
        this.wake();
      });
    });
    // A reset after the end is the end, too.
    socket.on("error", () => {});
  }

  wake() {
    for (const woken of this.waiting.splice(0)) woken();
  }

  say(message) {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
    return this;
  }

  subscribe(id, query, rest = {}) {
    return this.say({ id, type: "subscribe", payload: { query, ...rest } });
  }

  // The next message that is `wanted`; what is not is dropped.
  async hear(wanted = () => true) {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const at = this.heard.findIndex(wanted);
      if (at >= 0) return this.heard.splice(0, at + 1).at(-1);
      if (this.over) throw new Error(`closed instead: ${JSON.stringify(this.over)}`);
      if (Date.now() > end) throw new Error(`not heard within ${PATIENCE_MS} ms: ${wanted}`);
      await new Promise((woken) => {
        this.waiting.push(woken);
        setTimeout(woken, end - Date.now() + 1).unref();
      });
    }
  }

  // The next message of one operation; others are dropped.
  of(id) {
    return this.hear((message) => message.id === id);
  }

  // Everything that was said until the answer to a ping: what comes after a ping was said after it.
  async untilPong() {
    const mark = { mark: Math.random() };
    this.say({ type: "ping", payload: mark });
    const before = [];
    for (;;) {
      const message = await this.hear();
      if (message.type === "pong" && message.payload?.mark === mark.mark) return before;
      before.push(message);
    }
  }

  // How the hub ends it.
  async closed(patience = PATIENCE_MS) {
    const late = new Promise((_, failed) => {
      setTimeout(() => failed(new Error(`not closed within ${patience} ms; heard ${JSON.stringify(this.heard)}`)), patience).unref();
    });
    return Promise.race([this.end, late]);
  }

  async leave() {
    this.socket.close(1000);
    return this.end;
  }
}

// Asserts the code that a line is closed with, and that its reason fits and betrays nothing of the inside.
export async function closes(line, code, patience) {
  const over = await line.closed(patience);
  assert.equal(over.code, code, `closed with ${over.code} ${over.reason}`);
  assert.ok(over.bytes <= 123, `a reason of ${over.bytes} bytes`);
  assert.doesNotMatch(over.reason, /serde|line \d|column|expected|panick|src\/|::|\.rs|EOF|tungstenite/i);
  return over;
}
