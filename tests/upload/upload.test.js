// A manager's page, at another origin than cloud and store, brings a song in: what only a browser can show is that the
// store lets pages in that may come, and no others.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";

import { chromium } from "playwright-core";

import { Cloud, emptyPage } from "./cloud.js";

// The song is looked at in a child process, on a busy machine.
const LOOKED_AT_WITHIN_MS = 120_000;

const CREATE = `mutation ($input: CreateSongUploadInput!) { createSongUpload(input: $input) {
  upload { id target { url headers { name value } } } userErrors { code message } } }`;
const FINALISE = `mutation ($input: FinaliseSongUploadInput!) { finaliseSongUpload(input: $input) {
  upload { state } userErrors { code message } } }`;
const WATCH = "subscription ($id: ID!) { songUploadUpdated(id: $id) { state refusal { message } song { title durationMs downloadUrl } } }";

let cloud;
let browser;
let known;
let unknown;
let venueId;

before(async () => {
  [known, unknown] = await Promise.all([emptyPage(), emptyPage()]);
  const flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  [cloud, browser] = await Promise.all([
    Cloud.open([known.origin]),
    chromium.launch({ executablePath: process.env.CHROMIUM, args: flags }),
  ]);
  const input = { idempotencyKey: crypto.randomUUID(), name: "Café Resonance", slug: "resonance", timeZone: "Europe/Berlin" };
  const { createVenue } = await cloud.ask("mutation ($input: CreateVenueInput!) { createVenue(input: $input) { venue { id } userErrors { message } } }", { input });
  assert.deepEqual(createVenue.userErrors, []);
  venueId = createVenue.venue.id;
});

after(async () => {
  await browser?.close();
  await cloud?.close();
  known?.close();
  unknown?.close();
});

// Three seconds of a tone, as a 16-bit WAV file.
function tone(hz) {
  const [rate, seconds] = [22_050, 3];
  const file = Buffer.alloc(44 + rate * seconds * 2);
  file.write("RIFF", 0);
  file.writeUInt32LE(file.length - 8, 4);
  file.write("WAVEfmt ", 8);
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(rate, 24);
  file.writeUInt32LE(rate * 2, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write("data", 36);
  file.writeUInt32LE(file.length - 44, 40);
  for (let n = 0; n < rate * seconds; n++) file.writeInt16LE(Math.round(6_000 * Math.sin((2 * Math.PI * hz * n) / rate)), 44 + 2 * n);
  return file;
}

async function openPage(origin) {
  const page = await browser.newPage();
  page.setDefaultTimeout(LOOKED_AT_WITHIN_MS);
  await page.goto(origin);
  return page;
}

async function announce(bytes) {
  const input = { idempotencyKey: crypto.randomUUID(), venueId, filename: "Rain.wav", contentType: "audio/wav", bytes: bytes.length };
  input.sha256 = createHash("sha256").update(bytes).digest("hex");
  const { createSongUpload } = await cloud.ask(CREATE, { input });
  assert.deepEqual(createSongUpload.userErrors, []);
  return createSongUpload.upload;
}

// What a page does: PUT to the target with its headers. "refused" is what a page learns where it may not.
const send = (page, target, bytes) =>
  page.evaluate(
    async ({ url, headers, base64 }) => {
      const body = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      try {
        const answer = await fetch(url, { method: "PUT", headers: Object.fromEntries(headers.map(({ name, value }) => [name, value])), body });
        return { status: answer.status, etag: answer.headers.get("etag") };
      } catch (error) {
        return { refused: error.name };
      }
    },
    { ...target, base64: bytes.toString("base64") },
  );

test("a page of another origin sends a song to the store, and sees it become one", async () => {
  const bytes = tone(220);
  const page = await openPage(known.origin);
  // Everything from here on is done by the page: it asks, sums up, sends, finalises and watches.
  const told = await page.evaluate(
    async ({ origin, token, venueId, base64, CREATE, FINALISE, WATCH }) => {
      const body = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
      const sha256 = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      const ask = async (query, input) => {
        const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
        const answer = await fetch(`${origin}/graphql`, { method: "POST", headers, body: JSON.stringify({ query, variables: { input } }) });
        return (await answer.json()).data;
      };
      const file = { filename: "Rain.wav", contentType: "audio/wav", bytes: body.length, sha256 };
      const { createSongUpload } = await ask(CREATE, { idempotencyKey: crypto.randomUUID(), venueId, ...file });
      const { id, target } = createSongUpload.upload;
      const seen = [];
      const watched = new Promise((over, broken) => {
        const socket = new WebSocket(`${origin.replace("http", "ws")}/graphql`, "graphql-transport-ws");
        socket.onopen = () => socket.send(JSON.stringify({ type: "connection_init", payload: { authorization: `Bearer ${token}` } }));
        socket.onclose = (event) => broken(new Error(`the socket closed with ${event.code} ${event.reason}`));
        socket.onmessage = (event) => {
          const message = JSON.parse(event.data);
          if (message.type === "connection_ack") socket.send(JSON.stringify({ type: "subscribe", id: "1", payload: { query: WATCH, variables: { id } } }));
          if (message.type === "next") seen.push(message.payload.data.songUploadUpdated);
          if (message.type === "error") broken(new Error(JSON.stringify(message.payload)));
          if (message.type === "complete") over();
        };
      });
      const headers = Object.fromEntries(target.headers.map(({ name, value }) => [name, value]));
      const sent = await fetch(target.url, { method: "PUT", headers, body });
      const { finaliseSongUpload } = await ask(FINALISE, { idempotencyKey: crypto.randomUUID(), id, venueIds: [venueId], title: "Rain on tin" });
      await watched;
      const heard = await fetch(seen.at(-1).song?.downloadUrl ?? "about:blank");
      return {
        origins: [location.origin, new URL(target.url).origin],
        sent: sent.status,
        etag: sent.headers.get("etag"),
        finalised: finaliseSongUpload,
        seen,
        heard: (await heard.arrayBuffer()).byteLength,
      };
    },
    { origin: cloud.origin, token: cloud.token, venueId, base64: bytes.toString("base64"), CREATE, FINALISE, WATCH },
  );
  assert.equal(new Set([...told.origins, cloud.origin]).size, 3);
  assert.equal(told.sent, 200);
  assert.ok(told.etag, "the page may read the ETag");
  assert.deepEqual(told.finalised.userErrors, []);
  const last = told.seen.at(-1);
  assert.equal(last.state, "DONE", JSON.stringify(told.seen));
  assert.equal(last.song.title, "Rain on tin");
  assert.equal(last.song.durationMs, 3000);
  assert.equal(told.heard, bytes.length);
});

test("a page of an origin that nobody named gets nothing in", async () => {
  const bytes = tone(440);
  const { id, target } = await announce(bytes);
  assert.deepEqual(await send(await openPage(unknown.origin), target, bytes), { refused: "TypeError" });
  const { finaliseSongUpload } = await cloud.ask(FINALISE, { input: { idempotencyKey: crypto.randomUUID(), id } });
  assert.equal(finaliseSongUpload.userErrors[0].code, "INVALID");
});

test("what a page sends besides what was announced is refused", async () => {
  const bytes = tone(550);
  const { target } = await announce(bytes);
  const page = await openPage(known.origin);
  assert.equal((await send(page, target, bytes.subarray(1))).status, 403);
  const headers = [{ name: "content-type", value: "text/html" }];
  assert.equal((await send(page, { ...target, headers }, bytes)).status, 403);
});
