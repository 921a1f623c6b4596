// The real @apollo/client: queries and mutations by HTTP, subscriptions over multipart HTTP.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { ApolloClient, HttpLink, InMemoryCache, gql } from "@apollo/client";

import { Hub } from "../browser/hub.js";
import { checkIn, checkOut, everybodyHasLeft, subscribers, until } from "./guests.mjs";

const VIBE = gql`
  subscription {
    vibe {
      activeListeners
      consensus
    }
  }
`;

let hub;
before(async () => (hub = await Hub.demo()));
after(() => hub.close());

function client(token) {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  return new ApolloClient({ link: new HttpLink({ uri: hub.url("/graphql"), headers }), cache: new InMemoryCache() });
}

// What a subscription brings, one after another; `end` is set when it has ended.
function watched(observable) {
  const seen = { events: [], end: undefined };
  const watching = observable.subscribe({
    next: (event) => seen.events.push(event),
    error: (error) => (seen.end = { error }),
    complete: () => (seen.end = {}),
  });
  return Object.assign(seen, { stop: () => watching.unsubscribe() });
}

// The same by hand, as bytes.
async function multipart(body, headers = {}) {
  return fetch(hub.url("/graphql"), {
    method: "POST",
    headers: { "content-type": "application/json", accept: "multipart/mixed;subscriptionSpec=1.0, application/json", ...headers },
    body: JSON.stringify(body),
  });
}

test("a query is answered", async () => {
  const { data } = await client().query({ query: gql("{ venue { id name } }") });
  assert.ok(data.venue.name);
});

test("a query that is wrong is an error of GraphQL, not of the network", async () => {
  await assert.rejects(client().query({ query: gql("{ nothing }") }), (error) => error.name === "CombinedGraphQLErrors");
});

test("a mutation is run", async () => {
  const apollo = client(await checkIn(hub));
  const mutation = gql("mutation ($input: CheckOutInput!) { checkOut(input: $input) { userErrors { code } } }");
  const { data } = await apollo.mutate({ mutation, variables: { input: { idempotencyKey: randomUUID() } } });
  assert.deepEqual(data.checkOut.userErrors, []);
});

test("a subscription brings the state first, then every change", async () => {
  const seen = watched(client().subscribe({ query: VIBE }));
  const listeners = () => seen.events.at(-1)?.data.vibe.activeListeners;
  await until(() => seen.events.length > 0);
  const first = listeners();
  const token = await checkIn(hub);
  await until(() => listeners() === first + 1);
  await checkOut(hub, token);
  await until(() => listeners() === first);
  assert.equal(seen.end, undefined);
  seen.stop();
});

test("whoever unsubscribes frees their place", async () => {
  await everybodyHasLeft(hub);
  const seen = watched(client().subscribe({ query: VIBE }));
  await until(() => seen.events.length > 0);
  assert.equal(await subscribers(hub), 1 + 1);
  seen.stop();
  await everybodyHasLeft(hub);
});

test("a subscription that is wrong ends with its errors", async () => {
  const seen = watched(client().subscribe({ query: gql("subscription { nothing }") }));
  await until(() => seen.end);
  assert.equal(seen.events[0]?.error?.name, "CombinedGraphQLErrors");
});

test("every answer is wrapped in a payload, and the boundary after it comes at once", async () => {
  const answer = await multipart({ query: "subscription { vibe { activeListeners } }" });
  assert.match(answer.headers.get("content-type"), /^multipart\/mixed; ?boundary="?graphql"?/);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!/\}\r\n--graphql$/.test(text)) text += (await reader.read()).value;
  assert.match(text, /^\r\n--graphql\r\ncontent-type: application\/json; charset=utf-8\r\n\r\n\{"payload":\{"data":\{"vibe":\{"activeListeners":\d+\}\}\}\}\r\n--graphql$/);
  await reader.cancel();
});

test("a query is plain JSON where plain JSON is read as well", async () => {
  const answer = await multipart({ query: "{ __typename }" });
  assert.match(answer.headers.get("content-type"), /^application\/json/);
  assert.deepEqual(await answer.json(), { data: { __typename: "Query" } });
});

test("a query is one part where nothing else is read", async () => {
  const answer = await multipart({ query: "{ __typename }" }, { accept: "multipart/mixed;subscriptionSpec=1.0" });
  assert.match(await answer.text(), /\{"payload":\{"data":\{"__typename":"Query"\}\}\}\r\n--graphql--\r\n$/);
});

test("a check-out ends the guest's subscription with an error of the protocol", async () => {
  const token = await checkIn(hub);
  const seen = watched(client(token).subscribe({ query: VIBE }));
  await until(() => seen.events.length > 0);
  await checkOut(hub, token);
  await until(() => seen.end);
  assert.match(String(seen.events.at(-1).error), /session here has ended/);
});

test("a hub that stops says so", async () => {
  const seen = watched(client().subscribe({ query: VIBE }));
  await until(() => seen.events.length > 0);
  await hub.stop("SIGTERM");
  await until(() => seen.end);
  assert.match(String(seen.events.at(-1).error), /the hub stops/);
});
