// Somebody comes from their account's page with a ticket in the address: they are that account here, or a guest who is told.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { Cloud } from "../upload/cloud.js";
import { Hub } from "./hub.js";
import { Phone, openBrowser } from "./phone.js";

// The first meeting of hub and cloud, on a busy machine.
const IN_TOUCH_WITHIN_MS = 60_000;

const postgres = existsSync(join(process.env.ROOMTONE_POSTGRES_BIN ?? "", "postgres"));
if (!postgres) console.log("SKIPPED: tickets on the page: no Postgres for tests is installed (tests/run does that)");

// Where Debian keeps the library that shows a program another time.
const faketime = readdirSync("/usr/lib").map((place) => `/usr/lib/${place}/faketime/libfaketime.so.1`).find(existsSync);
if (!faketime) console.log("SKIPPED: a ticket that has run out: libfaketime is not installed");

let cloud;
let hub;
let browser;
let venue;
let account;

before(async () => {
  if (!postgres) return;
  [cloud, hub, browser] = await Promise.all([Cloud.open([]), Hub.demo(), openBrowser()]);
  const place = { name: "Café Resonance", slug: "resonance", timeZone: "Europe/Berlin" };
  venue = (await asManager("createVenue", "CreateVenueInput", place, "venue { id }")).venue.id;
  const { code } = await asManager("createHubEnrolment", "CreateHubEnrolmentInput", { venueId: venue, name: "Bar" }, "code");
  await hub.order("enrol", code, "--cloud", cloud.origin);
  const words = ["dev-token", "--data", join(cloud.folder, "data"), "--email", "ana@roomtone.test", "--role", "listener"];
  account = (await promisify(execFile)(process.env.CLOUD_UNDER_TEST, words)).stdout.trim();
  await inTouch();
});

after(async () => {
  await browser?.close();
  await hub?.close();
  await cloud?.close();
});

async function asManager(name, type, input, select) {
  const query = `mutation($input: ${type}!) { ${name}(input: $input) { ${select} userErrors { message } } }`;
  const payload = (await cloud.ask(query, { input: { idempotencyKey: crypto.randomUUID(), ...input } }))[name];
  assert.deepEqual(payload.userErrors, []);
  return payload;
}

async function inTouch() {
  const until = Date.now() + IN_TOUCH_WITHIN_MS;
  while ((await hub.ask("{ syncStatus { state } }")).syncStatus.state !== "SYNCED") {
    assert.ok(Date.now() < until, "hub and cloud do not come together");
    await new Promise((go) => setTimeout(go, 100));
  }
}

// What the account's page hands out.
async function ticket() {
  const query = "mutation($input: CreateCheckInTicketInput!) { createCheckInTicket(input: $input) { ticket } }";
  const headers = { "content-type": "application/json", authorization: `Bearer ${account}` };
  const body = JSON.stringify({ query, variables: { input: { idempotencyKey: crypto.randomUUID(), venueId: venue } } });
  const answer = await fetch(`${cloud.origin}/graphql`, { method: "POST", headers, body });
  return (await answer.json()).data.createCheckInTicket.ticket;
}

// Who the account is, as everybody names it.
function ana() {
  const { sub } = JSON.parse(Buffer.from(account.split(".")[1], "base64url"));
  return Buffer.from(`Listener:${sub}`).toString("base64url");
}

async function me(phone) {
  return (await hub.ask("{ me { id votes(first: 10) { nodes { value } } } }", {}, await phone.token())).me;
}

function visit(name, body, { skip = !postgres } = {}) {
  test(name, { skip }, async () => {
    const phones = [];
    try {
      await body(async (url) => {
        phones.push(await Phone.open(browser, url));
        return phones.at(-1);
      });
      for (const phone of phones) assert.deepEqual(phone.troubles, []);
    } finally {
      for (const phone of phones) await phone.close();
    }
  });
}

// Nothing of the ticket is left where somebody may look over a shoulder, or share the page.
async function isForgotten(phone, shown) {
  assert.equal(await phone.page.evaluate(() => location.search), "");
  const kept = await phone.page.evaluate(() => document.documentElement.outerHTML + JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie);
  assert.ok(!kept.includes(shown));
  assert.equal(phone.requests.filter((url) => url.includes(shown)).length, 1, "the page itself, and nothing else");
}

visit("a guest who comes back from their account is that account, with what they had said", async (open) => {
  const phone = await open(hub.door);
  await phone.checkIn();
  await hub.plays();
  await phone.button("Like").click();
  await phone.page.locator("#taste", { hasText: "You:" }).waitFor();
  const guest = await me(phone);
  const shown = await ticket();
  await phone.page.goto(hub.url(`/?ticket=${shown}`));
  await phone.page.locator("#presence", { hasText: "with your account" }).waitFor();
  await isForgotten(phone, shown);
  assert.notEqual(guest.id, ana());
  assert.deepEqual(await me(phone), { ...guest, id: ana() }, "the votes are theirs");
  await phone.page.locator("#taste", { hasText: "You:" }).waitFor();
  await phone.page.reload();
  await phone.page.locator("#presence", { hasText: "You are checked in" }).waitFor();
  assert.equal((await me(phone)).id, ana());
});

visit("whoever comes from their account first is in by one tap, and a ticket is good once", async (open) => {
  const shown = await ticket();
  const door = `/?ticket=${shown}#code=${encodeURIComponent(hub.code)}`;
  const phone = await open(hub.url(door));
  await isForgotten(phone, shown);
  await phone.checkIn();
  await phone.page.locator("#presence", { hasText: "with your account" }).waitFor();
  assert.equal((await me(phone)).id, ana());
  await isForgotten(phone, shown);

  await staysAGuest(await open(hub.url(door)), shown);
});

visit("a ticket that has run out leaves a guest, who is told so", async (open) => {
  const shown = await ticket();
  await cloud.close();
  await hub.stop("SIGTERM");
  hub.env = { LD_PRELOAD: faketime, FAKETIME: "+20m", FAKETIME_DONT_FAKE_MONOTONIC: "1" };
  await hub.start();
  await staysAGuest(await open(hub.url(`/?ticket=${shown}#code=${encodeURIComponent(hub.code)}`)), shown);
}, { skip: !postgres || !faketime });

async function staysAGuest(phone, shown) {
  await phone.checkIn();
  await phone.notice("as a guest").waitFor();
  assert.match(await phone.notice("as a guest").innerText(), /^[A-Z][^.]*\.$/);
  await isForgotten(phone, shown);
  assert.equal(await phone.text("presence"), "You are checked in.");
  assert.notEqual((await me(phone)).id, ana());
  await hub.plays();
  await phone.button("Like").click();
  await phone.page.locator("#taste", { hasText: "You:" }).waitFor();
}
