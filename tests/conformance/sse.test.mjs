// GraphQL over server-sent events, "distinct connections mode": the real graphql-sse client, EventSource's GET, and the
// bytes themselves.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createClient } from "graphql-sse";

import { Hub } from "../browser/hub.js";
import { checkIn, checkOut, everybodyHasLeft, subscribers } from "./guests.mjs";

const VIBE = "subscription { vibe { activeListeners consensus } }";

let hub;
before(async () => (hub = await Hub.demo()));
after(() => hub.close());

const client = (options = {}) => createClient({ url: hub.url("/graphql"), retryAttempts: 0, ...options });

// A stream by hand; `path` holds a query where there is no body.
async function stream({ path = "/graphql", body, headers = {}, signal } = {}) {
  const post = body && { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  const head = { accept: "text/event-stream", ...post?.headers, ...headers };
  const answer = await fetch(hub.url(path), { ...post, headers: head, signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const read = async (enough = () => false) => {
    while (!enough(text)) {
      const { value, done } = await reader.read();
      if (done) return text;
      text += value;
    }
    return text;
  };
  return { answer, read, cancel: () => reader.cancel() };
}

test("a subscription brings the state first, then every change", async () => {
  const events = client().iterate({ query: VIBE });
  const first = (await events.next()).value.data.vibe.activeListeners;
  const token = await checkIn(hub);
  let now;
  do now = (await events.next()).value.data.vibe.activeListeners;
  while (now !== first + 1);
  await checkOut(hub, token);
  do now = (await events.next()).value.data.vibe.activeListeners;
  while (now !== first);
  await events.return();
});

test("a query is answered once and completed", async () => {
  const results = [];
  for await (const result of client().iterate({ query: "{ venue { name } }" })) results.push(result);
  assert.equal(results.length, 1);
  assert.ok(results[0].data.venue.name);
});

test("variables and operationName reach the query", async () => {
  const query = "query Other { __typename } query Venue($named: Boolean!) { venue { __typename name @include(if: $named) } }";
  const results = [];
  for await (const result of client().iterate({ query, operationName: "Venue", variables: { named: false } })) results.push(result);
  assert.deepEqual(results, [{ data: { venue: { __typename: "Venue" } } }]);
});

test("a mutation is run by POST", async () => {
  const token = await checkIn(hub);
  const query = 'mutation { checkOut(input: { idempotencyKey: "6e1a5b1e-58c5-7000-8000-000000000001" }) { userErrors { code } } }';
  const results = [];
  for await (const result of client({ headers: { authorization: `Bearer ${token}` } }).iterate({ query })) results.push(result);
  assert.deepEqual(results, [{ data: { checkOut: { userErrors: [] } } }]);
});

for (const [what, query] of [
  ["validation", "subscription { nothing }"],
  ["validation of a query", "{ nothing }"],
  ["parsing", "subscription {"],
  ["two root fields", "subscription { vibe { consensus } players { id } }"],
]) {
  test(`an error of ${what} comes as an event with errors and no data, then complete`, async () => {
    const results = [];
    for await (const result of client().iterate({ query })) results.push(result);
    assert.equal(results.length, 1);
    assert.ok(results[0].errors[0].message);
    assert.ok(!("data" in results[0]));
  });
}

test("two subscriptions of one client run beside each other", async () => {
  const both = client();
  const [one, two] = [both.iterate({ query: VIBE }), both.iterate({ query: "subscription { players { name } }" })];
  assert.ok((await one.next()).value.data.vibe);
  assert.ok((await two.next()).value.data.players);
  await Promise.all([one.return(), two.return()]);
});

test("the answer says that it is an event stream, not to be kept, and that it varies", async () => {
  const events = await stream({ body: { query: VIBE } });
  assert.equal(events.answer.status, 200);
  assert.match(events.answer.headers.get("content-type"), /^text\/event-stream/);
  assert.equal(events.answer.headers.get("cache-control"), "no-store");
  assert.match(events.answer.headers.get("vary"), /accept/i);
  assert.match(await events.read((text) => text.includes("\n\n", 4)), /^:\n\nevent: next\ndata: \{"data":\{"vibe":\{"activeListeners":\d+,"consensus":[\d.]+\}\}\}\n\n$/);
  await events.cancel();
});

test("EventSource's GET subscribes, with its query in the address", async () => {
  const events = await stream({ path: `/graphql?query=${encodeURIComponent(VIBE)}` });
  assert.match(await events.read((text) => text.includes("data: {")), /"vibe"/);
  await events.cancel();
});

test("complete has data, be it empty: EventSource hears it only then", async () => {
  const events = await stream({ path: `/graphql?query=${encodeURIComponent("{ __typename }")}` });
  assert.equal(await events.read(), ':\n\nevent: next\ndata: {"data":{"__typename":"Query"}}\n\nevent: complete\ndata: \n\n');
});

test("a mutation by GET is refused, also as a stream", async () => {
  const events = await stream({ path: `/graphql?query=${encodeURIComponent("mutation { __typename }")}` });
  assert.equal(events.answer.status, 405);
  assert.equal(events.answer.headers.get("allow"), "POST");
});

test("malformed parameters are 400 before there is a stream", async () => {
  const events = await stream({ body: { query: VIBE, variables: [] } });
  assert.equal(events.answer.status, 400);
});

test("a client that leaves frees its place at once", async () => {
  await everybodyHasLeft(hub);
  const leaving = new AbortController();
  const streams = await Promise.all([0, 1, 2].map(() => stream({ body: { query: VIBE }, signal: leaving.signal })));
  await Promise.all(streams.map(({ read }) => read((text) => text.includes("data: {"))));
  assert.equal(await subscribers(hub), 1 + 3);
  leaving.abort();
  await everybodyHasLeft(hub);
});

test("the client's own end of a subscription frees its place, too", async () => {
  await everybodyHasLeft(hub);
  const events = client().iterate({ query: VIBE });
  await events.next();
  assert.equal(await subscribers(hub), 1 + 1);
  await events.return();
  await everybodyHasLeft(hub);
});

test("a token that nobody gave out opens no stream", async () => {
  const events = await stream({ body: { query: VIBE }, headers: { authorization: "Bearer nobodys" } });
  assert.equal(events.answer.status, 401);
  assert.equal(events.answer.headers.get("www-authenticate"), "Bearer");
});

test("a check-out ends the guest's stream at once, with the reason", async () => {
  const token = await checkIn(hub);
  const events = await stream({ body: { query: VIBE }, headers: { authorization: `Bearer ${token}` } });
  await events.read((text) => text.includes("data: {"));
  await checkOut(hub, token);
  const text = await events.read();
  assert.match(text, /event: next\ndata: \{"errors":\[\{"message":"[^"]+","extensions":\{"code":"EXPIRED"\}\}\]\}\n\nevent: complete\ndata: \n\n$/);
});

test("a hub that stops ends its streams without completing them, and the client finds it again", async () => {
  const retries = [];
  const patient = client({ retryAttempts: 100, retry: async () => void (retries.push(1), await new Promise((again) => setTimeout(again, 100))) });
  const events = patient.iterate({ query: VIBE });
  assert.ok((await events.next()).value.data.vibe);
  await hub.stop("SIGTERM");
  await hub.start();
  assert.ok((await events.next()).value.data.vibe, "the state comes first again");
  assert.ok(retries.length > 0);
  await events.return();
});
