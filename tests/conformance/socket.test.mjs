// graphql-transport-ws, sentence by sentence: each check is one thing that the protocol's text (PROTOCOL.md of
// graphql-ws) or RFC 6455 says, tried with a raw client against the built hub.

import { randomUUID } from "node:crypto";
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Hub } from "../browser/hub.js";
import { checkIn } from "./guests.mjs";
import { Line, PROTOCOL, closes } from "./line.mjs";

const NAME = "{ venue { name } }";
const VIBE = "subscription { vibe { activeListeners } }";
const INIT = { type: "connection_init" };

let hub;
before(async () => (hub = await Hub.demo()));
after(() => hub.close());

const open = (options) => Line.open(hub, options);
const greeted = (token, options) => Line.greeted(hub, token, options);
const asked = (id, query = NAME, rest = {}) => ({ id, type: "subscribe", payload: { query, ...rest } });

describe("the handshake", { concurrency: true }, () => {
  test("the subprotocol is graphql-transport-ws", async () => {
    const line = await open();
    assert.equal(line.socket.protocol, PROTOCOL);
    await line.leave();
  });

  test("of several subprotocols it is chosen", async () => {
    const line = await open({ protocols: ["graphql-ws", "soap", PROTOCOL] });
    assert.equal(line.socket.protocol, PROTOCOL);
    await line.leave();
  });

  for (const other of ["graphql-ws", "soap", "Graphql-Transport-WS"]) {
    test(`the subprotocol ${other} is not spoken`, async () => {
      await assert.rejects(open({ protocols: [other] }), /no subprotocol|4406/i);
    });
  }

  test("without a subprotocol: 4406", async () => {
    const line = await open({ protocols: [] });
    await closes(line, 4406);
  });

  test("no extension is negotiated, also where compression is offered", async () => {
    const line = await open({ perMessageDeflate: true });
    assert.equal(line.socket.extensions, "");
    await line.leave();
  });

  test("another version of WebSocket is told which is spoken", async () => {
    const answer = await open({ protocolVersion: 8 }).catch((refused) => refused);
    assert.equal(answer.status, 426);
    assert.equal(answer.headers["sec-websocket-version"], "13");
  });

  test("a page of another origin is refused before the upgrade", async () => {
    const answer = await open({ origin: "https://attacker.example" }).catch((refused) => refused);
    assert.equal(answer.status, 403);
  });

  test("a foreign Host is refused before the upgrade", async () => {
    const answer = await open({ headers: { host: "attacker.example" } }).catch((refused) => refused);
    assert.equal(answer.status, 421);
  });
});

describe("connection_init", { concurrency: true }, () => {
  for (const [what, message] of [
    ["without a payload", INIT],
    ["with null as payload", { ...INIT, payload: null }],
    ["with a payload of things that we do not know", { ...INIT, payload: { client: "x", nested: { a: [1] } } }],
    ["with members that the protocol does not name", { ...INIT, extra: true, id: 7 }],
  ]) {
    test(`${what} is acknowledged`, async () => {
      const line = await open();
      assert.deepEqual(await line.say(message).hear(), { type: "connection_ack" });
      await line.leave();
    });
  }

  test("with a guest's token makes the connection theirs", async () => {
    const line = await greeted(await checkIn(hub));
    line.subscribe("1", "{ me { id } }");
    assert.ok((await line.hear()).payload.data.me.id);
    await line.leave();
  });

  test("where it does not come: 4408 after three seconds", async () => {
    const from = Date.now();
    await closes(await open(), 4408);
    assert.ok(Date.now() - from > 2_500, "no earlier");
  });

  test("pings do not put it off: 4408", async () => {
    const line = await open();
    const beat = setInterval(() => line.say({ type: "ping" }), 500);
    await closes(line, 4408);
    clearInterval(beat);
  });

  test("a second one: 4429", async () => {
    await closes((await greeted()).say(INIT), 4429);
  });

  test("a second one in the same breath: 4429", async () => {
    await closes((await open()).say(INIT).say(INIT), 4429);
  });

  test("with a token of nobody: 4403, and no acknowledgement before", async () => {
    const line = await open();
    await closes(line.say({ ...INIT, payload: { authorization: "Bearer nobody" } }), 4403);
    assert.deepEqual(line.heard, []);
  });

  for (const [what, payload] of [["text", "x"], ["a number", 7], ["a list", []], ["true", true]]) {
    test(`with ${what} as payload: 4400`, async () => {
      await closes((await open()).say({ ...INIT, payload }), 4400);
    });
  }

  test("with an authorization that is no text: 4400", async () => {
    await closes((await open()).say({ ...INIT, payload: { authorization: { bearer: "x" } } }), 4400);
  });

  test("subscribe before the acknowledgement: 4401", async () => {
    const line = await open();
    await closes(line.say(asked("1")), 4401);
    assert.deepEqual(line.heard, []);
  });

  test("what breaks the protocol before it: 4400", async () => {
    await closes((await open()).say("{"), 4400);
  });
});

describe("malformed messages", { concurrency: 8 }, () => {
  const deep = `{"type":"ping","payload":{"x":${"[".repeat(5_000)}${"]".repeat(5_000)}}}`;
  const subscribe = { id: "1", type: "subscribe" };
  for (const [what, message] of [
    ["not JSON", "{"],
    ["empty", ""],
    ["JSON and more", '{"type":"ping"} x'],
    ["a list", "[]"],
    ["text", '"ping"'],
    ["a number", "7"],
    ["null", "null"],
    ["nested five thousand deep", deep],
    ["without a type", {}],
    ["with a number as type", { type: 7 }],
    ["of an unknown type", { type: "hello" }],
    ["of a type in another case", { type: "Ping" }],
    ["start, of the legacy protocol", { id: "1", type: "start", payload: { query: NAME } }],
    ["stop, of the legacy protocol", { id: "1", type: "stop" }],
    ["connection_terminate, of the legacy protocol", { type: "connection_terminate" }],
    ["connection_ack, which only servers say", { type: "connection_ack" }],
    ["next, which only servers say", { id: "1", type: "next", payload: {} }],
    ["error, which only servers say", { id: "1", type: "error", payload: [] }],
    ["a ping with text as payload", { type: "ping", payload: "x" }],
    ["a pong with a list as payload", { type: "pong", payload: [] }],
    ["subscribe without id", { type: "subscribe", payload: { query: NAME } }],
    ["subscribe with an empty id", asked("")],
    ["subscribe with a number as id", asked(1)],
    ["subscribe with null as id", asked(null)],
    ["subscribe with an id of 2,000 letters", asked("x".repeat(2_000))],
    ["subscribe without payload", subscribe],
    ["subscribe with null as payload", { ...subscribe, payload: null }],
    ["subscribe with text as payload", { ...subscribe, payload: NAME }],
    ["subscribe with a list as payload", { ...subscribe, payload: [{ query: NAME }] }],
    ["subscribe without query", { ...subscribe, payload: {} }],
    ["subscribe with null as query", { ...subscribe, payload: { query: null } }],
    ["subscribe with a number as query", { ...subscribe, payload: { query: 7 } }],
    ["a number as operationName", asked("1", NAME, { operationName: 7 })],
    ["text as variables", asked("1", NAME, { variables: "x" })],
    ["a list as variables", asked("1", NAME, { variables: [] })],
    ["text as extensions", asked("1", NAME, { extensions: "x" })],
    ["complete without id", { type: "complete" }],
    ["complete with a number as id", { id: 1, type: "complete" }],
    ["complete with an empty id", { id: "", type: "complete" }],
  ]) {
    test(`${what}: 4400, and the reason tells nothing of the inside`, async () => {
      const line = await greeted();
      const over = await closes(line.say(message), 4400);
      assert.equal(over.reason, "Invalid message");
      assert.deepEqual(line.heard, []);
    });
  }
});

describe("operations", { concurrency: 8 }, () => {
  test("a query is one next and one complete, both with its id", async () => {
    const line = (await greeted()).subscribe("q", NAME);
    const next = await line.hear();
    assert.deepEqual([next.id, next.type, Object.keys(next.payload)], ["q", "next", ["data"]]);
    assert.ok(next.payload.data.venue.name);
    assert.deepEqual(await line.hear(), { id: "q", type: "complete" });
    assert.deepEqual(await line.untilPong(), []);
    await line.leave();
  });

  test("a mutation is one next and one complete, both with its id", async () => {
    const line = await greeted();
    const input = { idempotencyKey: randomUUID(), venueCode: hub.code };
    line.subscribe("m", "mutation ($input: CheckInInput!) { checkIn(input: $input) { token userErrors { code } } }", { variables: { input } });
    assert.ok((await line.hear()).payload.data.checkIn.token);
    assert.deepEqual(await line.hear(), { id: "m", type: "complete" });
    await line.leave();
  });

  test("a subscription brings the state at once, then goes on", async () => {
    const line = (await greeted()).subscribe("s", VIBE);
    const next = await line.hear();
    assert.deepEqual([next.id, next.type], ["s", "next"]);
    assert.equal(typeof next.payload.data.vibe.activeListeners, "number");
    assert.deepEqual((await line.untilPong()).filter(({ type }) => type !== "next"), []);
    await line.leave();
  });

  test("operationName chooses among operations", async () => {
    const query = "query A { venue { name } } query B { venue { id } }";
    const line = (await greeted()).subscribe("1", query, { operationName: "B" });
    assert.deepEqual(Object.keys((await line.hear()).payload.data.venue), ["id"]);
    await line.leave();
  });

  test("variables reach the query; null stands for none, as for operationName and extensions", async () => {
    const line = await greeted();
    line.subscribe("1", "query ($named: Boolean!) { venue { id name @include(if: $named) } }", { variables: { named: false } });
    assert.deepEqual(Object.keys((await line.of("1")).payload.data.venue), ["id"]);
    line.subscribe("2", NAME, { variables: null, operationName: null, extensions: null });
    assert.ok((await line.of("2")).payload.data.venue.name);
    line.subscribe("3", NAME, { extensions: { client: { name: "x" } } });
    assert.ok((await line.of("3")).payload.data.venue.name);
    await line.leave();
  });

  test("an error of a field is a next with errors and a path, then complete", async () => {
    const line = (await greeted()).subscribe("1", "{ venue { name } upNext(first: -1) { song { id } } }");
    const { type, payload } = await line.hear();
    assert.equal(type, "next");
    assert.deepEqual(payload.errors[0].path, ["upNext"]);
    assert.deepEqual(await line.hear(), { id: "1", type: "complete" });
    await line.leave();
  });

  test("a subscription that is not for this caller is a next with a typed error, then complete", async () => {
    const line = (await greeted()).subscribe("1", "subscription { playerCommands { id } }");
    const { type, payload } = await line.hear();
    assert.deepEqual([type, payload.errors[0].extensions.code], ["next", "FORBIDDEN"]);
    assert.deepEqual(await line.hear(), { id: "1", type: "complete" });
    await line.leave();
  });

  for (const [what, query, rest] of [
    ["a syntax error", "subscription {"],
    ["an empty document", ""],
    ["an unknown field", "{ nothing }"],
    ["an unknown field of a subscription", "subscription { nothing }"],
    ["an operation that the document does not hold", NAME, { operationName: "Other" }],
    ["several operations of which none is named", "query A { __typename } query B { __typename }"],
    ["a variable that is missing", "query ($id: ID!) { node(id: $id) { id } }"],
    ["a variable of the wrong type", "query ($id: ID!) { node(id: $id) { id } }", { variables: { id: [] } }],
    ["a document that is too deep", `{ x(a: ${"[".repeat(1_600)}${"]".repeat(1_600)}) }`],
    ["two fields at the root of a subscription", "subscription { vibe { consensus } players { id } }"],
    ["a directive that may leave nothing at the root", "subscription { vibe @skip(if: true) { consensus } }"],
    ["a fragment that may be left out at the root", "subscription { ... @include(if: false) { vibe { consensus } } }"],
    ["introspection at the root of a subscription", "subscription { __typename }"],
    ["two fields of other arguments at the root", "subscription { upNext(first: 1) { song { id } } upNext(first: 2) { song { id } } }"],
    ["two fields at the root behind a fragment", "subscription { ...F } fragment F on Subscription { vibe { consensus } players { id } }"],
  ]) {
    test(`${what} is one error with a list of errors, nothing after it, and the connection goes on`, async () => {
      const line = (await greeted()).subscribe("1", query, rest);
      const { id, type, payload } = await line.hear();
      assert.deepEqual([id, type], ["1", "error"]);
      assert.ok(Array.isArray(payload) && payload.length > 0);
      for (const error of payload) assert.equal(typeof error.message, "string");
      assert.deepEqual(await line.untilPong(), []);
      line.subscribe("1", NAME);
      assert.ok((await line.hear()).payload.data.venue.name, "the id is free again");
      await line.leave();
    });
  }

  for (const [what, query] of [
    ["a fragment at the root", "subscription { ...F } fragment F on Subscription { vibe { activeListeners } }"],
    ["an inline fragment at the root", "subscription { ... on Subscription { vibe { activeListeners } } }"],
    ["fragments in fragments at the root", "subscription { ... { ...F } } fragment F on Subscription { ... { vibe { activeListeners } } }"],
    ["the same field twice at the root", "subscription { vibe { consensus } ...F } fragment F on Subscription { vibe { activeListeners } }"],
    ["an alias at the root", "subscription { room: vibe { activeListeners } }"],
  ]) {
    test(`${what} brings events`, async () => {
      const line = (await greeted()).subscribe("1", query);
      const { type, payload } = await line.hear();
      assert.equal(type, "next");
      assert.equal(typeof Object.values(payload.data)[0].activeListeners, "number");
      await line.leave();
    });
  }
});

describe("ids", { concurrency: 8 }, () => {
  for (const id of ["7", "Ünïcødé 🎵", 'quoted " and \\ and \n', "x".repeat(1_000)]) {
    test(`come back as they were given: ${JSON.stringify(id.slice(0, 20))}`, async () => {
      const line = (await greeted()).subscribe(id, NAME);
      assert.equal((await line.hear()).id, id);
      assert.deepEqual(await line.hear(), { id, type: "complete" });
      await line.leave();
    });
  }

  test("one that is in use: 4409, and the reason names it", async () => {
    const line = (await greeted()).subscribe("mine", VIBE);
    await line.hear();
    const { reason } = await closes(line.subscribe("mine", VIBE), 4409);
    assert.equal(reason, "Subscriber for mine already exists");
  });

  test("one that is in use by a subscription is refused to a query, too: 4409", async () => {
    const line = (await greeted()).subscribe("1", VIBE);
    await line.hear();
    await closes(line.subscribe("1", NAME), 4409);
  });

  test("a long one that is in use: 4409 with a reason that fits", async () => {
    const id = "ü".repeat(500);
    const line = (await greeted()).subscribe(id, VIBE);
    await line.hear();
    await closes(line.subscribe(id, VIBE), 4409);
  });

  test("one may be used again after the server's complete", async () => {
    const line = await greeted();
    for (let round = 0; round < 3; round += 1) {
      line.subscribe("1", NAME);
      assert.equal((await line.hear()).type, "next");
      assert.equal((await line.hear()).type, "complete");
    }
    await line.leave();
  });

  test("one may be used again after the client's complete, at once", async () => {
    const line = (await greeted()).subscribe("1", VIBE);
    await line.hear();
    line.say({ id: "1", type: "complete" }).subscribe("1", NAME);
    assert.ok(await line.hear(({ payload }) => payload?.data?.venue));
    await line.leave();
  });

  test("connections do not share them", async () => {
    const [one, other] = [await greeted(), await greeted()];
    for (const line of [one, other]) assert.equal((await line.subscribe("1", VIBE).hear()).type, "next");
    await Promise.all([one.leave(), other.leave()]);
  });
});

describe("complete", { concurrency: 8 }, () => {
  test("of the client ends the events, and is not echoed", async () => {
    const line = (await greeted()).subscribe("1", VIBE);
    await line.hear();
    line.say({ id: "1", type: "complete" });
    await line.untilPong();
    const token = await checkIn(hub);
    const other = (await greeted(token)).subscribe("1", "subscription { vibe { activeListeners } }");
    await other.hear();
    assert.deepEqual(await line.untilPong(), []);
    await Promise.all([line.leave(), other.leave()]);
  });

  test("of an id that was never used is ignored, also before the acknowledgement", async () => {
    const line = (await open()).say({ id: "never", type: "complete" }).say(INIT);
    assert.equal((await line.hear()).type, "connection_ack");
    line.say({ id: "never", type: "complete" });
    assert.deepEqual(await line.untilPong(), []);
    await line.leave();
  });

  test("of an operation that has ended is ignored", async () => {
    const line = (await greeted()).subscribe("1", NAME);
    await line.hear(({ type }) => type === "complete");
    line.say({ id: "1", type: "complete" }).say({ id: "1", type: "complete" });
    assert.deepEqual(await line.untilPong(), []);
    await line.leave();
  });

  test("of one operation leaves the others alone", async () => {
    const line = (await greeted()).subscribe("1", VIBE);
    await line.of("1");
    line.subscribe("2", VIBE);
    await line.of("2");
    line.say({ id: "1", type: "complete" });
    await line.untilPong();
    await closes(line.subscribe("2", VIBE), 4409);
  });
});

describe("ping and pong", { concurrency: 8 }, () => {
  test("a ping is answered before and after the acknowledgement", async () => {
    const line = (await open()).say({ type: "ping" });
    assert.deepEqual(await line.hear(), { type: "pong" });
    assert.equal((await line.say(INIT).hear()).type, "connection_ack");
    assert.deepEqual(await line.say({ type: "ping" }).hear(), { type: "pong" });
    await line.leave();
  });

  test("a ping's payload comes back", async () => {
    const payload = { sent: 1.5, nested: { list: [null, "é"] } };
    const line = (await greeted()).say({ type: "ping", payload });
    assert.deepEqual(await line.hear(), { type: "pong", payload });
    await line.leave();
  });

  test("a ping with null as payload is answered without one", async () => {
    const line = (await greeted()).say({ type: "ping", payload: null });
    assert.deepEqual(await line.hear(), { type: "pong" });
    await line.leave();
  });

  test("a pong that nobody asked for is a heartbeat, before and after the acknowledgement", async () => {
    const line = (await open()).say({ type: "pong" }).say({ type: "pong", payload: { x: 1 } }).say(INIT);
    assert.equal((await line.hear()).type, "connection_ack");
    line.say({ type: "pong" }).say({ type: "pong", payload: { x: 1 } });
    assert.deepEqual(await line.untilPong(), []);
    await line.leave();
  });

  test("a ping of WebSocket itself is answered with its bytes", async () => {
    const line = await greeted();
    const pong = new Promise((heard) => line.socket.once("pong", heard));
    line.socket.ping("beat");
    assert.equal((await pong).toString(), "beat");
    await line.leave();
  });

  test("the server asks for a sign of life itself, within 25 seconds", async () => {
    const line = await greeted();
    const late = new Promise((_, failed) => setTimeout(() => failed(new Error("no ping")), 25_000).unref());
    await Promise.race([new Promise((heard) => line.socket.once("ping", heard)), late]);
    assert.deepEqual(await line.untilPong(), []);
    await line.leave();
  });
});

describe("frames", { concurrency: 8 }, () => {
  test("binary: 4400", async () => {
    const line = await greeted();
    line.socket.send(Buffer.from('{"type":"ping"}'), { binary: true });
    await closes(line, 4400);
  });

  test("64 KB are a message", async () => {
    const line = await greeted();
    const padding = "x".repeat(64 * 1024 - JSON.stringify({ type: "ping", payload: { x: "" } }).length);
    assert.equal((await line.say({ type: "ping", payload: { x: padding } }).hear()).type, "pong");
    await line.leave();
  });

  for (const size of [65 * 1024, 1 << 20, 16 << 20]) {
    test(`${size >> 10} KB are too long: 1009, also while they are still being sent`, async () => {
      await closes((await greeted()).say({ type: "ping", payload: { x: "x".repeat(size) } }), 1009);
    });
  }

  test("pieces that are too long together: 1009", async () => {
    const line = await greeted();
    for (let piece = 0; piece < 8; piece += 1) line.socket.send("x".repeat(16 * 1024), { fin: false });
    await closes(line, 1009);
  });

  test("a message in pieces is one message, with a ping between them", async () => {
    const line = await greeted();
    line.socket.send('{"type":', { fin: false });
    line.socket.ping();
    line.socket.send('"ping"}', { fin: true });
    assert.deepEqual(await line.hear(), { type: "pong" });
    await line.leave();
  });

  test("text that is not UTF-8: 1007", async () => {
    const line = await greeted();
    line.socket.send(Buffer.from([0x7b, 0xff, 0xfe]), { binary: false });
    await closes(line, 1007);
  });

  test("an unmasked frame breaks WebSocket: 1002", async () => {
    const line = await greeted();
    line.socket.send('{"type":"ping"}', { mask: false });
    await closes(line, 1002);
  });

  test("the client's goodbye is answered: 1000", async () => {
    const line = (await greeted()).subscribe("1", VIBE);
    await line.hear();
    assert.equal((await line.leave()).code, 1000);
  });
});

describe("many at once", { concurrency: false }, () => {
  test("ten operations run at once; the eleventh is refused, typed, and the ten go on", async () => {
    const line = await greeted();
    for (let id = 0; id < 10; id += 1) line.subscribe(`${id}`, VIBE);
    for (let id = 0; id < 10; id += 1) assert.equal((await line.hear()).type, "next");
    const { id, type, payload } = await line.subscribe("10", VIBE).of("10");
    assert.deepEqual([id, type, payload[0].extensions.code], ["10", "error", "RATE_LIMITED"]);
    await closes(line.subscribe("9", VIBE), 4409);
  });

  test("a place that is free again is used again", async () => {
    const line = await greeted();
    for (let id = 0; id < 10; id += 1) await line.subscribe(`${id}`, VIBE).of(`${id}`);
    line.say({ id: "3", type: "complete" }).subscribe("new", NAME);
    assert.equal((await line.of("new")).type, "next");
    await line.leave();
  });

  test("three hundred queries on one connection, ten in flight: each answered once, with its own data", async () => {
    const line = await greeted();
    const [total, flight] = [300, 10];
    let sent = 0;
    const ask = () => {
      line.subscribe(`${sent}`, `{ own${sent}: venue { name } }`);
      sent += 1;
    };
    while (sent < flight) ask();
    const answered = new Set();
    while (answered.size < total) {
      const { id, type, payload } = await line.hear();
      if (type === "next") assert.deepEqual(Object.keys(payload.data), [`own${id}`]);
      else {
        assert.equal(type, "complete");
        assert.ok(!answered.has(id));
        answered.add(id);
        if (sent < total) ask();
      }
    }
    assert.deepEqual(await line.untilPong(), []);
    await line.leave();
  });
});
