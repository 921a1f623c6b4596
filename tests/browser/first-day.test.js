// A manager's first day, from nothing to music: after the three programs were started nobody types a command. A cloud, a
// hub, a player that writes down what its loudspeaker gets, ten recordings, two pages, a guest.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Cloud } from "../upload/cloud.js";
import { Hub } from "./hub.js";
import { readQr } from "./look.js";
import { CloudManager, HubManager } from "./managers.js";
import { Phone, openBrowser } from "./phone.js";
import { Player } from "./player.js";
import { recordings } from "./songs.js";

const skip = process.env.CLOUD_UNDER_TEST && process.env.ROOMTONE_POSTGRES_BIN ? false : "there is no cloud with a Postgres here";
const PIN = "7302 9146";
// Ten songs are analysed, on a busy machine; and a hub tells of its players every half a minute.
const LONG = { timeout: 180_000 };
// Between two songs of a recording there may be a breath; a room takes notice of more.
const BREATH_S = 1;

let cloud;
let hub;
let player;
let browser;
let house;
let office;
const places = [];

before(async () => {
  if (skip) return;
  [cloud, hub, browser] = await Promise.all([Cloud.open([]), Hub.venue(), openBrowser("--ignore-certificate-errors")]);
  player = await Player.start(hub, "Loudspeaker");
});

after(async () => {
  await browser?.close();
  await player?.close();
  await hub?.close();
  await cloud?.close();
});

// One step of the day; what goes wrong on a page is told with it.
function step(name, body, allowed = /^$/) {
  test(name, { skip }, async () => {
    await body();
    for (const place of places) {
      await place.shot(`first-day-${name}-${place.constructor.name}`);
      assert.deepEqual(place.troubles.splice(0).filter((trouble) => !allowed.test(trouble)), []);
    }
  });
}

step("the hub says where its page is, and the first PIN is chosen there", async () => {
  const [, address] = /(https:\/\/\S+\/manage#setup=\S+)/.exec(hub.said) ?? assert.fail(hub.said);
  house = await HubManager.open(browser, address, { ignoreHTTPSErrors: true });
  places.push(house);
  await house.page.getByRole("button", { name: "Set the PIN" }).waitFor();
  assert.equal(new URL(house.page.url()).hash, "", "the code leaves the address");
  const choose = async (pin, again) => {
    await house.page.locator("#first-pin").fill(pin);
    await house.page.locator("#first-again").fill(again);
    await house.button("Set the PIN").click();
  };
  await choose(PIN, "7302 9147");
  await house.page.locator("#why", { hasText: "two different PINs" }).waitFor();
  await choose("111111", "111111");
  await house.page.locator("#why", { hasText: "among the first" }).waitFor();
  await choose(PIN, PIN);
  await house.inside();
  await house.page.goto(address);
  await house.page.reload();
  await house.inside();
  await house.button("Sign out").click();
  await house.page.goto(address.replace(/setup=\S+/, "setup=again"));
  await house.page.reload();
  await house.page.locator("#why", { hasText: "has its PIN already" }).waitFor();
  await house.byPin(PIN);
  await house.inside();
}, /400 \(Bad Request\)/);

step("a venue is opened at the cloud, and its code enrols the hub on the hub's own page", async () => {
  office = await CloudManager.open(browser, `${cloud.origin}/admin#token=${cloud.token}`, { viewport: { width: 1440, height: 900 } });
  places.push(office);
  await office.page.getByLabel("Name", { exact: true }).fill("Café Resonance");
  await office.page.getByLabel("Time zone").fill("Europe/Berlin");
  await office.button("Open the venue").click();
  await office.title("Café Resonance");
  await office.link("Enrol the hub").click();
  await office.page.getByLabel("Name", { exact: true }).fill("Counter");
  await office.button("Make a code").click();
  const line = await office.page.locator(".command code").textContent();
  await house.view("Cloud");
  await house.page.getByLabel(/^Code/).fill("ABCD-EFGH");
  await house.page.getByLabel("Address of the cloud").fill(cloud.origin);
  await house.button("Enrol this hub").click();
  await house.page.locator("#enrol-said", { hasText: "does not know this code" }).waitFor();
  await house.page.getByLabel(/^Code/).fill(line);
  assert.equal(await house.page.getByLabel("Address of the cloud").inputValue(), cloud.origin, "one line is enough");
  await house.button("Enrol this hub").click();
  await house.page.locator("#enrol-said", { hasText: "belongs to Café Resonance now" }).waitFor();
  await house.page.locator("#enrol-form").waitFor({ state: "hidden" });
  await office.notice("Counter is let in").waitFor(LONG);
}, /409 \(Conflict\)/);

step("ten recordings are dropped on the page, and each has a shape when it is ready", async () => {
  const songs = recordings();
  assert.equal(songs.length, 10, "Debian's hedgewars-data has them");
  await office.tab("Songs");
  await office.page.locator("#files").setInputFiles(songs);
  await office.page.locator("#tray").getByText(`${songs.length} songs ready`).waitFor(LONG);
  await office.page.locator(".song-line").nth(songs.length - 1).waitFor();
  const shapes = await office.page.locator(".song-line .body").evaluateAll((paths) => paths.map((path) => path.getAttribute("d")));
  assert.equal(new Set(shapes).size, songs.length);
});

step("the player asks for a code, gets the one that the hub's page shows, and the room hears music", async () => {
  await player.says(/belongs to no hub yet/);
  player.type("1234");
  await player.says(/Type the code again/);
  await house.view("Now");
  await house.button("Show a code").click();
  await house.page.locator("#digits", { hasText: /^\d{4} \d{4}$/ }).waitFor();
  player.type(await house.page.locator("#digits").textContent());
  await player.says(/Paired: this is Loudspeaker/);
  await house.page.locator("#paired", { hasText: "Loudspeaker has been paired" }).waitFor();
  await house.page.locator(".hearing-card .bar").waitFor();
  await house.page.waitForFunction(() => document.querySelector(".hearing-card .skip")?.disabled === false, null, LONG);
  const title = await house.page.locator(".hearing-card .title").textContent();
  const { songs } = await hub.ask("{ songs(first: 50) { nodes { title } } }");
  assert.ok(songs.nodes.some((song) => song.title === title), title);
  await office.link("Venues").first().click();
  await office.page.locator("main h1", { hasText: "Music plays." }).waitFor(LONG);
});

step("a poster is looked at, and a guest who scans it changes the vibe", async () => {
  await house.view("More");
  await house.page.getByRole("link", { name: "Look at the poster" }).click();
  await house.page.locator("#sheet").waitFor();
  await house.page.waitForFunction(() => document.getElementById("picture").naturalWidth > 100);
  const door = await readQr(browser, await house.page.locator("#picture").screenshot());
  assert.equal((await house.page.pdf({ preferCSSPageSize: true })).subarray(0, 5).toString(), "%PDF-");
  const guest = await Phone.open(browser, door);
  assert.equal(await guest.text("venue"), "Café Resonance");
  await guest.checkIn();
  const before = await guest.vibe();
  await guest.button("Like").click();
  await guest.pressed("like");
  await guest.vibeOtherThan(before);
  assert.deepEqual(guest.troubles, []);
  await guest.close();
  await house.page.goto(hub.secureUrl("/manage#now"));
  await house.inside();
});

step("a daypart of the cloud's week holds at the hub, which shows it and leaves it to the cloud", async () => {
  await office.page.locator(".row", { hasText: "Café Resonance" }).click();
  await office.tab("Week");
  await office.page.getByText("Add a daypart").click();
  const part = office.page.locator("form", { has: office.page.getByRole("button", { name: "Add the daypart" }) });
  await part.getByLabel("Name").fill("Soft opening");
  await part.getByLabel("From").fill("00:00");
  await part.getByLabel("Until").fill("00:00");
  await part.getByLabel("Volume (%)").fill("70");
  await part.getByRole("button", { name: "Add the daypart" }).click();
  await office.page.locator(".line", { hasText: "Soft opening 00:00–00:00" }).waitFor();
  await house.view("Week");
  await house.page.locator("#week-of-cloud", { hasText: cloud.origin }).waitFor(LONG);
  const shown = () => [...document.querySelectorAll("#weeks .parts input")].some((input) => input.value === "Soft opening" && input.disabled);
  await house.page.waitForFunction(shown, null, LONG);
  assert.equal(await house.page.getByRole("button", { name: "Keep this week" }).count(), 0, "there is one week, and the cloud keeps it");
});

step("the cloud goes away and both pages say so, in a room that hears nothing of it", async () => {
  const before = await player.heard();
  await house.view("Cloud");
  cloud.process.kill("SIGSTOP");
  try {
    await office.page.getByText("Music goes on in every venue").waitFor({ timeout: 60_000 });
    await house.page.locator("#cloud-state", { hasText: "out of reach" }).waitFor({ timeout: 120_000 });
    await moreIsHeard(before, 21);
  } finally {
    cloud.process.kill("SIGCONT");
  }
  await house.page.locator("#cloud-state", { hasText: "Everything is in the cloud." }).waitFor(LONG);
  await office.page.getByText("Music goes on in every venue").waitFor({ state: "hidden", ...LONG });
}, /WebSocket|Failed to load|net::/);

step("the hub goes away, the player plays on from its plan, and the page says who plays by itself", async () => {
  const before = await player.heard();
  await hub.stop("SIGTERM");
  await house.page.locator("#lost", { hasText: "Players play on by themselves" }).waitFor(LONG);
  // More than one song: the next one comes from the plan.
  await moreIsHeard(before, 25);
  await hub.start();
  await house.page.goto(hub.secureUrl("/manage"));
  await house.byPin(PIN);
  await house.inside();
  await house.page.locator("#summary", { hasText: /plays/ }).waitFor(LONG);
}, /WebSocket|Failed to load|net::|401/);

step("an outage of the cloud is rehearsed by a button, and nobody would have noticed", async () => {
  await house.view("Cloud");
  await house.page.locator("#cloud-state", { hasText: "Everything is in the cloud." }).waitFor(LONG);
  await house.view("More");
  await house.page.getByLabel("Cut off").selectOption("cloud");
  await house.page.getByLabel("For so many minutes").fill("1");
  await house.page.locator("#drill-form").getByRole("button", { name: "Begin" }).click();
  await house.page.locator("#drill-said", { hasText: /\w/ }).waitFor();
  assert.match(await house.page.locator("#drill-said").textContent(), /^The hub is cut off from its cloud for 1 more min/);
  assert.match(await hub.order("status"), /A drill keeps the cloud out of reach for \d+ /);
  const guest = await Phone.open(browser, hub.door);
  await guest.checkIn();
  await guest.button("Like").click();
  await guest.pressed("like");
  await guest.close();
  await house.view("Cloud");
  await house.page.locator("#cloud-state", { hasText: "out of reach" }).waitFor(LONG);
  await house.view("More");
  await house.button("End it now").click();
  await house.page.locator("#drill-last", { hasText: /without the cloud: nobody would have noticed\. .* 1 of 1 votes are kept\./ }).waitFor(LONG);
  await house.view("Cloud");
  await house.page.locator("#cloud-state", { hasText: "Everything is in the cloud." }).waitFor(LONG);
});

async function moreIsHeard(before, seconds) {
  const end = Date.now() + LONG.timeout;
  for (;;) {
    const heard = await player.heard();
    if (heard.seconds >= before.seconds + seconds) return;
    assert.ok(Date.now() < end, JSON.stringify({ before, heard }));
    await new Promise((go) => setTimeout(go, 500));
  }
}

step("the report has the songs that were heard, with their seconds", async () => {
  await office.tab("Reports");
  const rows = async () => {
    await office.button("Make the report").click();
    const link = office.page.locator("#tray a[download]").last();
    await link.waitFor(LONG);
    const text = await (await fetch(await link.getAttribute("href"))).text();
    const [head, ...lines] = text.trim().split(/\r?\n/).map((line) => line.split(","));
    await office.button("Clear").click();
    return lines.map((line) => Object.fromEntries(line.map((cell, at) => [head[at], cell])));
  };
  const sum = (told, ...columns) => told.reduce((all, row) => all + columns.reduce((some, column) => some + Number(row[column]), 0), 0);
  let told = await rows();
  // What was played while the hub was away comes up last.
  const isHeardAlone = (row) => Number(row.PLAN_PLAYS) > 0 && Number(row.SECONDS_HEARD) > 0;
  for (let tries = 0; tries < 30 && !told.some(isHeardAlone); tries += 1) told = await rows();
  assert.ok(told.some(isHeardAlone) && sum(told, "HUB_PLAYS") > 2, JSON.stringify(told));
  assert.equal(sum(told, "HUB_PLAYS", "PLAN_PLAYS", "CACHE_PLAYS"), sum(told, "ACTUAL_TOTAL_PERFORMANCES"));
  assert.ok(sum(told, "SECONDS_HEARD") > 60, "most of what began was heard to its end");
  const { silence } = await player.heard();
  assert.ok(silence < BREATH_S, `the longest silence was ${silence} s`);
});
