// The listener page at the cloud, for phones that do not reach the hub: it looks and counts as in the room, and says how
// fresh it is.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { Cloud } from "../upload/cloud.js";
import { Hub } from "./hub.js";
import { axe, serious, settled } from "./look.js";
import { Phone, openBrowser } from "./phone.js";

// A hub tells what its room shows within seconds; a machine may be busy.
const TOLD_WITHIN = { timeout: 120_000 };

const postgres = existsSync(join(process.env.ROOMTONE_POSTGRES_BIN ?? "", "postgres"));
const skip = postgres ? false : "there is no cloud with a Postgres here";
if (skip) console.log("SKIPPED: guests at the cloud: no Postgres for tests is installed (tests/run does that)");
const lens = await axe();

let cloud;
let hub;
let browser;
let venue;
let code;

before(async () => {
  if (skip) return;
  [cloud, hub, browser] = await Promise.all([Cloud.open([]), Hub.demo(), openBrowser()]);
  const place = { name: "Café Resonance", slug: "resonance", timeZone: "Europe/Berlin" };
  venue = (await asManager("createVenue", "CreateVenueInput", place, "venue { id }")).venue.id;
  const enrolment = await asManager("createHubEnrolment", "CreateHubEnrolmentInput", { venueId: venue, name: "Bar" }, "code");
  await hub.order("enrol", enrolment.code, "--cloud", cloud.origin);
  code = (await asManager("openGuestPage", "OpenGuestPageInput", { venueId: venue }, "venue { guestCode }")).venue.guestCode;
  await hub.plays();
  await until("the cloud knows what plays", async () => (await atCloud("{ nowPlaying { song { id } } }")).nowPlaying !== null);
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

async function atCloud(query) {
  const answer = await fetch(`${cloud.origin}/v/resonance/graphql`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ query }) });
  return (await answer.json()).data;
}

async function until(what, holds) {
  const end = Date.now() + TOLD_WITHIN.timeout;
  while (!(await holds())) {
    assert.ok(Date.now() < end, what);
    await new Promise((go) => setTimeout(go, 100));
  }
}

const people = async () => (await hub.ask("{ vibe { activeListeners } }")).vibe.activeListeners;
const page = () => `${cloud.origin}/v/resonance#code=${code}`;

async function shown(at, name) {
  if (process.env.SCREENSHOTS) await at.page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`) });
}

async function isAccessible(at) {
  await at.page.evaluate(lens);
  await at.page.evaluate(settled);
  assert.deepEqual(await at.page.evaluate(serious), []);
}

test("a phone checks in at the cloud, sees the room's music, and its vote counts at the hub", { skip }, async () => {
  const phone = await Phone.open(browser, page());
  try {
    assert.equal(await phone.text("venue"), "Café Resonance");
    const titles = (await hub.ask("{ songs(first: 100) { nodes { title } } }")).songs.nodes.map(({ title }) => title);
    assert.ok(titles.includes(await phone.text("title")), "what plays is a song of the room");
    assert.equal(await phone.page.locator("#listen").isVisible(), false, "the music stays in its room");
    assert.equal(new URL(phone.page.url()).hash, "", "the code leaves the address");
    const before = await people();
    await phone.checkIn();
    await until("the hub counts one more", async () => (await people()) === before + 1);
    await phone.button("Like").click();
    await phone.pressed("like");
    await until("the vote reaches the hub", async () => (await hub.ask("{ vibe { source } }")).vibe.source === "LISTENERS");
    await phone.page.reload();
    await phone.ready();
    await phone.page.locator("#votes").waitFor();
    await phone.pressed("like");
    // One wish is not enough, but the page says that the hub has counted it. Where the song ends meanwhile, the next one is meant.
    const wish = phone.page.locator("#skip");
    await until("a wish to skip counts", async () => {
      if ((await wish.isVisible()) && (await wish.getAttribute("aria-pressed")) !== "true") await wish.click();
      return (await phone.text("skip-count")) === "1 of 2";
    });
    await isAccessible(phone);
    await shown(phone, "guests-phone");
    const foreign = phone.requests.filter((url) => new URL(url).host !== new URL(cloud.origin).host);
    assert.deepEqual(foreign, []);
    assert.deepEqual(phone.troubles, []);
    await phone.button("Check out").click();
    await until("who left is gone", async () => (await people()) === before);
  } finally {
    await phone.close();
  }
});

test("another house knows nothing of this one's guest, and a house without a page is kindly not there", { skip }, async () => {
  const phone = await Phone.open(browser, page());
  await phone.checkIn();
  const other = await asManager("createVenue", "CreateVenueInput", { name: "Elsewhere", slug: "elsewhere", timeZone: "UTC" }, "venue { id }");
  const nowhere = await phone.page.goto(`${cloud.origin}/v/elsewhere`);
  assert.equal(nowhere.status(), 404);
  await phone.page.getByRole("heading", { name: "No room here" }).waitFor();
  await isAccessible(phone);
  await shown(phone, "guests-nowhere");
  await asManager("openGuestPage", "OpenGuestPageInput", { venueId: other.venue.id }, "venue { guestCode }");
  await phone.page.goto(`${cloud.origin}/v/elsewhere`);
  await phone.page.locator("#door").waitFor();
  await phone.notice("has not been heard from yet").waitFor();
  await shown(phone, "guests-unheard");
  await phone.close();
});

for (const [name, options] of [
  ["phone-dark", { colorScheme: "dark" }],
  ["desk-light", { viewport: { width: 1440, height: 900 } }],
  ["desk-dark", { viewport: { width: 1440, height: 900 }, colorScheme: "dark" }],
]) {
  test(`it is itself on a ${name}`, { skip }, async () => {
    const at = await Phone.open(browser, page(), options);
    await isAccessible(at);
    await shown(at, `guests-${name}`);
    assert.equal(await at.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
    assert.deepEqual(at.troubles, []);
    await at.close();
  });
}

test("when the hub falls silent the page says since when, and keeps what is voted until it is back", { skip }, async () => {
  const phone = await Phone.open(browser, page());
  await phone.checkIn();
  await until("the hub counts them", async () => (await people()) > 0);
  await hub.stop();
  await phone.notice("The room was last heard from").waitFor(TOLD_WITHIN);
  await shown(phone, "guests-silent");
  await phone.page.keyboard.press("d");
  await phone.pressed("dislike");
  await hub.start();
  await phone.notice("The room was last heard from").waitFor({ state: "detached", ...TOLD_WITHIN });
  await until("what was voted counts", async () => (await hub.ask("{ vibe { source } }")).vibe.source === "LISTENERS");
  await phone.close();
});
