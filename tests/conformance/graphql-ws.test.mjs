// The real graphql-ws client against the built hub: what it subscribes to, how it comes back, what it gives up at.

import { randomUUID } from "node:crypto";
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";

import { Hub } from "../browser/hub.js";
import { checkIn, checkOut, until } from "./guests.mjs";

const VIBE = "subscription { vibe { activeListeners } }";

let hub;
before(async () => (hub = await Hub.demo()));
after(() => hub.close());

function connected(options = {}) {
  return createClient({ url: hub.url("/graphql").replace("http", "ws"), webSocketImpl: WebSocket, ...options });
}

// What a subscription brings, one after another; `end` is set when it has ended.
function watched(client, query, variables) {
  const seen = { events: [], end: undefined };
  const sink = {
    next: (event) => seen.events.push(event),
    error: (error) => (seen.end = { error }),
    complete: () => (seen.end = {}),
  };
  return Object.assign(seen, { stop: client.subscribe({ query, variables }, sink) });
}

const listeners = (seen) => seen.events.at(-1)?.data.vibe.activeListeners;

test("a query is iterated to its end", async () => {
  const client = connected();
  const results = [];
  for await (const result of client.iterate({ query: "{ venue { name } }" })) results.push(result);
  assert.equal(results.length, 1);
  assert.ok(results[0].data.venue.name);
  await client.dispose();
});

test("a subscription brings the state first, then every change", async () => {
  const client = connected();
  const seen = watched(client, VIBE);
  await until(() => seen.events.length > 0);
  const first = listeners(seen);
  const token = await checkIn(hub);
  await until(() => listeners(seen) === first + 1);
  await checkOut(hub, token);
  await until(() => listeners(seen) === first);
  assert.equal(seen.end, undefined);
  await client.dispose();
});

test("iterating is left in good order, and the line is used again", async () => {
  const client = connected();
  let sockets = 0;
  client.on("opened", () => (sockets += 1));
  const other = watched(client, VIBE);
  await until(() => other.events.length > 0);
  for await (const { data } of client.iterate({ query: VIBE })) {
    assert.equal(typeof data.vibe.activeListeners, "number");
    break;
  }
  for await (const { data } of client.iterate({ query: "{ __typename }" })) assert.deepEqual(data, { __typename: "Query" });
  assert.equal(sockets, 1);
  await client.dispose();
});

test("a query that is wrong throws its errors", async () => {
  const client = connected();
  const iterate = async () => {
    for await (const _ of client.iterate({ query: "subscription { nothing }" }));
  };
  await assert.rejects(iterate, (errors) => Array.isArray(errors) && /nothing/.test(errors[0].message));
  const more = async () => {
    for await (const _ of client.iterate({ query: "{" }));
  };
  await assert.rejects(more, (errors) => errors[0].extensions.code === "GRAPHQL_PARSE_FAILED");
  await client.dispose();
});

test("a mutation is run as the guest whose token the line was opened with", async () => {
  const token = await checkIn(hub);
  const client = connected({ connectionParams: { authorization: `Bearer ${token}` } });
  const query = "mutation ($input: CheckOutInput!) { checkOut(input: $input) { session { status } userErrors { code } } }";
  const variables = { input: { idempotencyKey: randomUUID() } };
  const closed = new Promise((heard) => client.on("closed", heard));
  const results = [];
  for await (const result of client.iterate({ query, variables })) results.push(result);
  assert.equal(results[0].data.checkOut.session.status, "ENDED", "it is answered before the line closes");
  assert.equal((await closed).code, 4401);
  await client.dispose();
});

test("a token of nobody: 4403, and a client with a good one next time gets in", async () => {
  const tokens = ["nobody", await checkIn(hub)];
  const closes = [];
  const client = connected({
    connectionParams: () => ({ authorization: `Bearer ${tokens.shift()}` }),
    retryWait: async () => {},
    on: { closed: ({ code }) => closes.push(code) },
  });
  for await (const { data } of client.iterate({ query: "{ me { id } }" })) assert.ok(data.me.id);
  assert.equal(closes[0], 4403);
  await client.dispose();
});

test("4403 in the middle, after a new login elsewhere: the client comes back with the fresh token and the state", async () => {
  const input = { idempotencyKey: randomUUID(), venueCode: hub.code };
  const enter = "mutation ($input: CheckInInput!) { checkIn(input: $input) { token userErrors { message } } }";
  const logIn = async () => (await hub.ask(enter, { input })).checkIn.token;
  let token = await logIn();
  const closes = [];
  const client = connected({
    connectionParams: () => ({ authorization: `Bearer ${token}` }),
    retryWait: async () => {},
    on: { closed: ({ code }) => closes.push(code) },
  });
  const seen = watched(client, VIBE);
  await until(() => seen.events.length > 0);
  const before = seen.events.length;
  // The same check-in again: the same session with a fresh token, the old one void.
  token = await logIn();
  await until(() => closes.length > 0);
  assert.equal(closes[0], 4403);
  await until(() => seen.events.length > before);
  assert.equal(seen.end, undefined);
  for await (const { data } of client.iterate({ query: "{ me { id } }" })) assert.ok(data.me.id);
  await client.dispose();
});

test("after a power cut a lazy client comes back by itself, and its first event is the state as it is now", async () => {
  const client = connected({ retryAttempts: Infinity, shouldRetry: () => true, retryWait: () => new Promise((go) => setTimeout(go, 50)) });
  const seen = watched(client, "subscription { vibe { activeListeners } }");
  await until(() => seen.events.length > 0);
  const first = listeners(seen);
  const token = await checkIn(hub);
  await until(() => listeners(seen) === first + 1);
  await hub.powerCut();
  seen.events.length = 0;
  await hub.start();
  await until(() => seen.events.length > 0);
  assert.equal(seen.events[0].data.vibe.activeListeners, first + 1, "what was acknowledged is still so, and comes first");
  assert.equal(seen.end, undefined);
  // Whatever happened while the line was down is in the first event, too.
  await hub.powerCut();
  seen.events.length = 0;
  await hub.start();
  await checkOut(hub, token);
  await until(() => listeners(seen) === first);
  await client.dispose();
});

test("a lazy client closes its line when nothing is left to watch", async () => {
  const client = connected();
  const closed = new Promise((heard) => client.on("closed", heard));
  const seen = watched(client, VIBE);
  await until(() => seen.events.length > 0);
  seen.stop();
  assert.equal((await closed).code, 1000);
});

test("pings of the client are answered, also while events flow", async () => {
  let pongs = 0;
  const client = connected({ keepAlive: 50, on: { pong: (received) => (pongs += received ? 1 : 0) } });
  const seen = watched(client, VIBE);
  await until(() => pongs >= 3);
  assert.equal(seen.end, undefined);
  await client.dispose();
});
