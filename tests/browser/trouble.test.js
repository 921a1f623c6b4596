// When things are gone, and where the network gives no secure context.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Hub } from "./hub.js";
import { Phone, openBrowser } from "./phone.js";

let hub;

before(async () => {
  hub = await Hub.demo("--guests", "4");
  await hub.plays();
});

after(() => hub?.close());

test("the hub is killed and comes back: the page says so, mends itself and is right", async () => {
  const browser = await openBrowser();
  try {
    const phone = await Phone.open(browser, hub.door);
    await phone.checkIn();
    await phone.button("Like").click();
    await phone.page.locator("#taste", { hasText: "You:" }).waitFor();
    const liked = await phone.text("title");
    await hub.powerCut();
    await phone.notice("The hub is out of reach.").waitFor();
    await phone.button("Not for me").click();
    await phone.notice("was not counted").waitFor();
    await phone.pressed("like");
    await hub.start();
    await phone.notice("The hub is out of reach.").waitFor({ state: "detached" });
    const { nowPlaying } = await hub.ask("{ nowPlaying { song { title } } }");
    await phone.page.waitForFunction((title) => !title || document.getElementById("title").textContent === title, nowPlaying?.song.title);
    // Still checked in, with the same taste; and where the song is the same one, with the same vote.
    await phone.page.locator("#votes").waitFor();
    await phone.page.locator("#taste", { hasText: "You:" }).waitFor();
    if (nowPlaying?.song.title === liked) await phone.pressed("like");
    const before = await phone.vibe();
    await phone.button("Not for me").click();
    await phone.pressed("dislike");
    await phone.vibeOtherThan(before);
  } finally {
    await browser.close();
  }
});

test("while guests come, vote and go and the song changes, nothing goes wrong on a phone that looks on", async () => {
  const browser = await openBrowser();
  try {
    const phone = await Phone.open(browser, hub.door);
    const [song, vibe] = [await phone.text("title"), await phone.vibe()];
    await phone.checkIn();
    await phone.vibeOtherThan(vibe, { timeout: 90_000 });
    await phone.page.waitForFunction((before) => document.getElementById("title").textContent !== before, song, { timeout: 90_000 });
    assert.match(await phone.page.locator("#vibe .felt").last().getAttribute("d"), /^M[-\d. Q]+Z$/);
    assert.deepEqual(phone.troubles, []);
  } finally {
    await browser.close();
  }
});

test("the internet is gone: one calm sentence, and it goes when the internet is back", async () => {
  const browser = await openBrowser();
  try {
    const context = await browser.newContext();
    const page = await context.newPage();
    let line;
    const tell = (state, lastError) => line.send(JSON.stringify({ id: line.sync, type: "next", payload: { data: { syncStatus: { state, lastError } } } }));
    await page.routeWebSocket(/graphql/, (socket) => {
      const hubSide = socket.connectToServer();
      line = { send: (message) => socket.send(message) };
      socket.onMessage((message) => {
        if (message.includes("subscription Sync")) line.sync = JSON.parse(message).id;
        hubSide.send(message);
      });
    });
    await page.goto(hub.door);
    await page.locator("#next li").first().waitFor();
    assert.equal(await page.locator(".notice").count(), 0, "a hub without a cloud has none to miss");
    tell("OFFLINE", "no route to the cloud");
    await page.locator(".notice", { hasText: "The internet is gone. Music and votes go on; they will reach the cloud later." }).waitFor();
    tell("SYNCED", null);
    await page.locator(".notice").waitFor({ state: "detached" });
  } finally {
    await browser.close();
  }
});

test("when a whole room comes in at once one tap is enough: the page waits its turn", async () => {
  const browser = await openBrowser();
  try {
    const page = await browser.newPage();
    let refusals = 0;
    await page.route("**/graphql", (route) => {
      if (refusals > 0 || !route.request().postData()?.includes("mutation CheckIn")) return route.fallback();
      refusals += 1;
      const userErrors = [{ code: "RATE_LIMITED", message: "too many tries from here; try again in 3 seconds" }];
      return route.fulfill({ json: { data: { checkIn: { token: null, session: null, userErrors } } } });
    });
    await page.goto(hub.door);
    await page.getByRole("button", { name: "Check in" }).click();
    await page.locator("#door-words", { hasText: "You are next in a moment." }).waitFor();
    await page.locator("#votes").waitFor();
    assert.equal(refusals, 1);
  } finally {
    await browser.close();
  }
});

test("by name over plain HTTP, which is no secure context, everything works", async () => {
  const browser = await openBrowser("--host-resolver-rules=MAP roomtone.local 127.0.0.1");
  try {
    const phone = await Phone.open(browser, hub.url(`/#code=${encodeURIComponent(hub.code)}`, "roomtone.local"));
    assert.equal(await phone.page.evaluate(() => isSecureContext), false);
    await phone.checkIn();
    await phone.button("Like").click();
    await phone.page.locator("#taste", { hasText: "You:" }).waitFor();
    await phone.button("Listen here").click();
    await phone.page.waitForFunction(() => [...document.querySelectorAll("audio")].some((audio) => !audio.paused && audio.currentTime > 0));
    assert.deepEqual(phone.troubles, []);
  } finally {
    await browser.close();
  }
});

test("a browser that keeps nothing still lets its guest in", async () => {
  const browser = await openBrowser();
  try {
    const context = await browser.newContext();
    await context.addInitScript(() => Object.defineProperty(window, "localStorage", { get() { throw new DOMException("no", "SecurityError"); } }));
    const page = await context.newPage();
    await page.goto(hub.door);
    await page.getByRole("button", { name: "Check in" }).click();
    await page.getByRole("button", { name: "Like" }).click();
    await page.locator("#like[aria-pressed=true]").waitFor();
    await page.locator("#taste", { hasText: "You:" }).waitFor();
  } finally {
    await browser.close();
  }
});
