// The page's pure parts: the curve, the clock, the words. No browser needed.

import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.matchMedia = () => ({ matches: true, addEventListener() {} });
const ui = new URL("../../schema/server/ui/", import.meta.url);
const { numbers, path, portrait } = await import(new URL("curve.js", ui));
const { heard, position, startOver } = await import(new URL("clock.js", ui));
const { breathMs } = await import(new URL("motion.js", ui));
const { closedUntil, minutes, mood, peopleHere, why } = await import(new URL("words.js", ui));
const { newKey } = await import(new URL("memory.js", ui));

const points = (d) => d.match(/-?\d+(\.\d+)?/g).map(Number);

test("axes come in any order and missing ones are neutral", () => {
  assert.deepEqual(numbers([{ name: "TEMPO", value: 0.5 }, { name: "ENERGY", value: -1 }]), [-1, 0, 0.5, 0, 0]);
  assert.deepEqual(numbers(null), [0, 0, 0, 0, 0]);
});

test("every curve is closed and stays in its frame", () => {
  const ends = [-1, -0.5, 0, 0.5, 1];
  for (const a of ends) for (const b of ends) for (const c of ends) for (const d of ends) for (const e of ends) {
    for (const draw of [path, portrait]) {
      const line = draw([a, b, c, d, e]);
      assert.ok(line.startsWith("M") && line.endsWith("Z"));
      assert.ok(points(line).every((at) => Number.isFinite(at) && Math.abs(at) <= 112), `${[a, b, c, d, e]}`);
    }
  }
});

test("a mood names the most telling axes in their order", () => {
  assert.equal(mood([-0.6, -0.5, -0.5, 0.1, 0]), "calm, warm, slow");
  assert.equal(mood([0.9, 0.1, 0.2, -0.3, 0.05]), "lively, brisk, textured");
  assert.equal(mood([0, 0, 0, 0, 0]), "even, in the middle");
});

test("the room is told in words, and a lone guest is not told that all agree", () => {
  const room = { source: "LISTENERS", consensus: 0.7, activeListeners: 12 };
  assert.equal(peopleHere(room), "12 here – mostly agreed");
  assert.equal(peopleHere({ ...room, activeListeners: 1 }), "1 here");
  assert.equal(peopleHere({ ...room, activeListeners: 0 }), "Nobody is checked in");
  assert.equal(peopleHere({ ...room, consensus: 0.1 }), "12 here – split");
});

test("a song is explained in exactly two sentences, whatever the reasons", () => {
  const song = { axes: [{ name: "ENERGY", value: -1 }] };
  const reasons = ["VIBE", "LIKED_HERE", "LONG_UNHEARD", "PROFILE", "EXPLORING", "TURN_OF_THE_UNHEARD", "SOMETHING_NEW"];
  for (const count of reasons.keys()) {
    for (const value of [null, 0, 0.5, 1, 48]) {
      const told = why({ song, explanation: { reasons: reasons.slice(count).map((code) => ({ code, value })) } }, [-1, 0, 0, 0, 0]);
      assert.equal(told.length, 2);
      assert.ok(told.every((sentence) => /^[A-Z].*\.$/.test(sentence)), told.join(" "));
    }
  }
});

test("the position comes from the hub's clock, whatever the phone's says", () => {
  startOver();
  const playing = { positionMs: 10_000, asOf: "1999-01-01T00:00:00Z", song: { durationMs: 200_000 } };
  assert.equal(position(playing), 10_000);
  heard("1999-01-01T00:00:05Z");
  assert.ok(Math.abs(position(playing) - 15_000) < 50);
  heard("1999-01-01T00:00:01Z");
  assert.ok(Math.abs(position(playing) - 15_000) < 50, "an old value does not turn time back");
  heard("1999-01-01T00:10:00Z");
  assert.equal(position(playing), 200_000);
});

test("a breath is about a bar, and never hectic", () => {
  assert.equal(breathMs(60), 4000);
  assert.equal(breathMs(174), (4 * 60_000 / 174) * 2);
  assert.ok(breathMs(null) > 4000);
});

test("a closed room is told by the venue's clock, with the day where it is not today", () => {
  const at = (asOf, opensAt, zone = "Europe/Berlin") => closedUntil({ asOf, opensAt }, zone);
  assert.equal(at("2026-11-30T12:00:00Z", "2026-11-30T16:00:00Z"), "Closed until 17:00");
  assert.equal(at("2026-11-30T22:30:00Z", "2026-12-01T07:05:00Z"), "Closed until tomorrow, 08:05");
  assert.equal(at("2026-11-30T23:30:00Z", "2026-12-01T07:05:00Z"), "Closed until 08:05", "after midnight in Berlin");
  assert.equal(at("2026-11-30T12:00:00Z", "2026-12-04T16:00:00Z", "Asia/Tokyo"), "Closed until Saturday, 01:00");
  assert.equal(at("2026-11-30T12:00:00Z", null), "Closed");
});

test("times are minutes and seconds", () => {
  assert.equal(minutes(0), "0:00");
  assert.equal(minutes(61_999), "1:01");
  assert.equal(minutes(-5), "0:00");
});

test("keys are random UUIDs, also where randomUUID is missing", () => {
  const keys = new Set(Array.from({ length: 1000 }, newKey));
  assert.equal(keys.size, 1000);
  for (const key of keys) assert.match(key, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
