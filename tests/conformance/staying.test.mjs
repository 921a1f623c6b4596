// How long a connection stays: places for it, what ends it, and the goodbye. The hub is the built one.

import { randomUUID } from "node:crypto";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { Hub } from "../browser/hub.js";
import { checkIn, checkOut, subscribers, until } from "./guests.mjs";
import { Line, closes } from "./line.mjs";

const VIBE = "subscription { vibe { activeListeners } }";

let hub;
// The demo's own player is on a line, too.
let players;
before(async () => {
  hub = await Hub.demo();
  await until(async () => (players = await subscribers(hub)) === 1);
});
after(() => hub.close());

// What a command says to the running hub's owner.
async function command(...args) {
  const folder = ["--data", join(hub.folder, "data")];
  return (await promisify(execFile)(process.env.HUB_UNDER_TEST, [...folder, ...args])).stdout;
}

const token = (said) => /^ *([A-Za-z0-9_-]{43})$/m.exec(said)[1];

// Checks in as a phone would, and keeps the cookie that the hub gives it.
async function phone() {
  const query = "mutation ($input: CheckInInput!) { checkIn(input: $input) { token } }";
  const input = { idempotencyKey: randomUUID(), venueCode: hub.code };
  const body = JSON.stringify({ query, variables: { input } });
  const answer = await fetch(hub.url("/graphql"), { method: "POST", body, headers: { "content-type": "application/json" } });
  const cookie = answer.headers.get("set-cookie").split(";")[0];
  return { cookie, token: (await answer.json()).data.checkIn.token };
}

test("a check-out closes the guest's lines at once with 4401, and nobody else's", async () => {
  const [own, other] = [await checkIn(hub), await checkIn(hub)];
  const lines = [await Line.greeted(hub, own), await Line.greeted(hub, own)];
  const bystanders = [await Line.greeted(hub, other), await Line.greeted(hub)];
  for (const line of [...lines, ...bystanders]) await line.subscribe("1", VIBE).of("1");
  await checkOut(hub, own);
  // The next look would be in a minute.
  for (const line of lines) await closes(line, 4401, 2_000);
  for (const line of bystanders) {
    await line.untilPong();
    await line.leave();
  }
});

test("a check-out over the line itself is answered before it closes", async () => {
  const line = await Line.greeted(hub, await checkIn(hub));
  await line.subscribe("watch", VIBE).of("watch");
  const input = { idempotencyKey: randomUUID() };
  line.subscribe("out", "mutation ($input: CheckOutInput!) { checkOut(input: $input) { session { status } } }", { variables: { input } });
  assert.equal((await line.of("out")).payload.data.checkOut.session.status, "ENDED");
  assert.equal((await line.of("out")).type, "complete");
  await closes(line, 4401);
});

test("whoever has left is told so when they knock again: 4403", async () => {
  const own = await checkIn(hub);
  await checkOut(hub, own);
  const line = await Line.open(hub);
  await closes(line.say({ type: "connection_init", payload: { authorization: `Bearer ${own}` } }), 4403);
});

test("a check-in that is repeated has a fresh token; lines with the old one end with 4403", async () => {
  const input = { idempotencyKey: randomUUID(), venueCode: hub.code };
  const enter = async () => (await hub.ask("mutation ($input: CheckInInput!) { checkIn(input: $input) { token } }", { input })).checkIn.token;
  const line = await Line.greeted(hub, await enter());
  const fresh = await enter();
  await closes(line, 4403, 2_000);
  await (await Line.greeted(hub, fresh)).leave();
});

test("a new manager's token ends the lines of the one before with 4403", async () => {
  const line = await Line.greeted(hub, token(await command("manager", "token")));
  const fresh = token(await command("manager", "token"));
  await closes(line, 4403, 2_000);
  await (await Line.greeted(hub, fresh)).leave();
});

test("a player's new token ends the lines of the one before with 4403", async () => {
  const line = await Line.greeted(hub, token(await command("player", "add", "Terrace")));
  const fresh = token(await command("player", "token", "Terrace"));
  await closes(line, 4403, 2_000);
  await (await Line.greeted(hub, fresh)).leave();
});

test("a phone has five lines; a sixth is refused with a typed answer, and nobody else is", async () => {
  const [own, other] = [await phone(), await phone()];
  const open = ({ cookie }) => Line.open(hub, { headers: { cookie } });
  const lines = [];
  for (let n = 0; n < 5; n += 1) lines.push(await open(own));
  const refused = await open(own).catch((answer) => answer);
  assert.equal(refused.status, 429);
  assert.match(refused.headers["retry-after"], /^\d+$/);
  assert.equal(JSON.parse(refused.body).errors[0].extensions.code, "RATE_LIMITED");
  for (const bystander of [await open(other), await Line.open(hub)]) await bystander.leave();
  await lines.pop().leave();
  let again;
  await until(async () => (again = await open(own).catch(() => undefined)));
  await Promise.all([again, ...lines].map((line) => line.leave()));
});

test("a line that breaks off gives its place back", async () => {
  await until(async () => (await subscribers(hub)) === players);
  const line = await Line.greeted(hub);
  await line.subscribe("1", VIBE).of("1");
  assert.equal(await subscribers(hub), players + 1);
  line.socket.terminate();
  await until(async () => (await subscribers(hub)) === players);
});

test("the hub has five hundred places; one more is told to come back, and the five hundred go on", async () => {
  await until(async () => (await subscribers(hub)) === players);
  const lines = await Promise.all(Array.from({ length: 500 - players }, () => Line.open(hub)));
  for (const line of lines) line.say({ type: "connection_init" });
  await Promise.all(lines.map((line) => line.hear()));
  const refused = await Line.open(hub).catch((answer) => answer);
  assert.equal(refused.status, 503);
  assert.match(refused.headers["retry-after"], /^\d+$/);
  assert.equal(JSON.parse(refused.body).errors[0].extensions.code, "RATE_LIMITED");
  await Promise.all(lines.map((line) => line.subscribe("1", VIBE).of("1")));
  assert.ok((await hub.ask("{ venue { name } }")).venue.name, "queries are answered meanwhile");
  await lines.pop().leave();
  let again;
  await until(async () => (again = await Line.open(hub).catch(() => undefined)));
  await Promise.all([again, ...lines].map((line) => line.leave()));
});

test("while events rain, a simple query on the same line is answered promptly", async () => {
  // The demo makes its songs while it runs; there is no rain without some.
  const songs = "{ songs(first: 3) { edges { cursor } } }";
  await until(async () => (await hub.ask(songs)).songs.edges.length === 3, 120_000);
  const player = token(await command("player", "add", "Bar"));
  const headers = { authorization: `Bearer ${player}`, "content-type": "application/json" };
  const line = await Line.greeted(hub);
  for (let n = 0; n < 4; n += 1) {
    line.subscribe(`now${n}`, "subscription { nowPlaying { song { title artist durationMs } asOf } }");
    line.subscribe(`next${n}`, "subscription { upNext(first: 10) { song { title artist } } }");
  }
  let raining = true;
  const skip = async () => {
    const { song_id } = await (await fetch(hub.url("/api/player/next-song"), { headers })).json();
    const body = JSON.stringify({ song_id, status: "idle", ended: "skipped" });
    await fetch(hub.url("/api/player/status"), { method: "POST", headers, body });
  };
  const rain = (async () => {
    while (raining) await skip();
  })();
  const waits = [];
  let events = 0;
  try {
    for (let n = 0; events < 100 || n < 30; n += 1) {
      const from = performance.now();
      line.subscribe(`q${n}`, "{ __typename }");
      for (;;) {
        const message = await line.hear();
        assert.notEqual(message.type, "error", JSON.stringify(message));
        if (message.id === `q${n}` && message.type === "next") break;
        if (!message.id.startsWith("q")) events += 1;
        assert.ok(performance.now() - from < 5_000, `${events} events, and no answer to the query`);
      }
      waits.push(performance.now() - from);
    }
  } finally {
    raining = false;
    await rain;
  }
  waits.sort((a, b) => a - b);
  assert.ok(waits.at(-1) < 1_000, `the slowest took ${waits.at(-1)} ms`);
  await line.leave();
});

test("a hub that is told to stop says goodbye to all: 1001, and ends in good order", async () => {
  const lines = await Promise.all(Array.from({ length: 20 }, () => Line.greeted(hub)));
  for (const line of lines) await line.subscribe("1", VIBE).of("1");
  const silent = await Line.open(hub);
  const exit = once(hub.process, "exit");
  hub.process.kill("SIGTERM");
  for (const line of [...lines, silent]) await closes(line, 1001);
  assert.deepEqual(await exit, [0, null]);
});
