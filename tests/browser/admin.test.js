// The manager's page at the cloud: a first day from an empty database to music, on a desk and on a phone.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { Cloud } from "../upload/cloud.js";
import { Hub } from "./hub.js";
import { axe, readQr, serious, settled } from "./look.js";
import { CloudManager } from "./managers.js";
import { openBrowser } from "./phone.js";
import { Player } from "./player.js";
import { someSongs } from "./songs.js";

const skip = process.env.CLOUD_UNDER_TEST && process.env.ROOMTONE_POSTGRES_BIN ? false : "there is no cloud with a Postgres here";
const MOST_BYTES = 200 * 1024;
// Songs are analysed by child processes, on a busy machine; a hub tells of its players every half a minute.
const LONG = { timeout: 120_000 };

let cloud;
let hub;
let browser;
// Somebody plays from the first day on, until all is over.
let band = Promise.resolve();
let isOver = false;
const way = () => `${cloud.origin}/admin#token=${cloud.token}`;

before(async () => {
  if (skip) return;
  [cloud, hub, browser] = await Promise.all([Cloud.open([]), Hub.venue("--venue", "A box"), openBrowser()]);
});

after(async () => {
  isOver = true;
  await band;
  await browser?.close();
  await hub?.close();
  await cloud?.close();
});

function manager(name, body, { options, url = way, allowed = /^$/ } = {}) {
  test(name, { skip }, async () => {
    const at = await CloudManager.open(browser, url(), { viewport: { width: 1440, height: 900 }, ...options });
    try {
      await body(at);
      await at.shot(name);
      assert.deepEqual(at.troubles.filter((trouble) => !allowed.test(trouble)), []);
    } finally {
      await at.close();
    }
  });
}

manager("a token opens it, and leaves the address at once", async (at) => {
  await at.title("Let us open your first venue.");
  assert.equal(new URL(at.page.url()).hash, "");
  const sent = at.requests.filter((url) => url.includes(cloud.token));
  assert.deepEqual(sent, [], "the token is in no address that was asked for");
  await at.page.reload();
  await at.title("Let us open your first venue.");
  await at.button("Sign out").click();
  await at.page.getByLabel("Token").fill("nonsense");
  await at.button("Sign in").click();
  await at.page.getByRole("alert").filter({ hasText: "not good" }).waitFor();
  assert.equal(await at.page.evaluate(() => JSON.stringify(localStorage).includes("ey")), false, "what was signed out is forgotten");
});

manager("the first day: a venue, its hub by the code that is shown, songs, a member, a report", async (at) => {
  await at.page.getByLabel("Name", { exact: true }).fill("Café Resonance");
  await at.page.getByLabel("Time zone").fill("Europe/Nowhere");
  await at.button("Open the venue").click();
  await at.page.locator("[name=timeZone][aria-invalid=true]").waitFor();
  await at.page.getByLabel("Time zone").fill("Europe/Berlin");
  await at.button("Open the venue").click();
  await at.title("Café Resonance");
  await at.link("Enrol the hub").click();

  await at.page.getByLabel("Name", { exact: true }).fill("Counter");
  await at.button("Make a code").click();
  const command = await at.page.locator(".command code").textContent();
  const [, code] = /^roomtone-hub enrol (\S+) --cloud (\S+)$/.exec(command);
  assert.equal(await readQr(browser, await at.page.locator(".picture").screenshot()), command, "the picture says the very command");
  assert.equal(await at.page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage })).then((kept) => kept.includes(code)), false);
  await hub.order("enrol", code, "--cloud", cloud.origin);
  await at.notice("Counter is let in").waitFor(LONG);
  assert.equal(await at.page.locator(".code-card").count(), 0, "the code is gone");
  band = plays(await hub.token("player", "add", "Bar"));

  await at.tab("Songs");
  const songs = someSongs();
  await at.page.locator("#files").setInputFiles([...songs, { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("x") }]);
  await at.notice("no music that can be played").waitFor();
  await at.page.locator("#tray").waitFor();
  await at.link("Venues").first().click();
  await at.page.locator("#tray .tray-item").first().waitFor();
  await at.page.locator("#tray").getByText(`${songs.length} songs ready`).waitFor(LONG);
  await at.page.locator(".row", { hasText: "Café Resonance" }).click();
  await at.tab("Songs");
  await at.page.locator(".song-line").nth(songs.length - 1).waitFor();
  const shapes = await at.page.locator(".song-line .body").evaluateAll((paths) => paths.map((path) => path.getAttribute("d")));
  assert.equal(new Set(shapes).size, songs.length, "each song has a shape of its own");
  await at.page.locator("#files").setInputFiles(songs[0]);
  await at.page.locator("#tray .tray-item", { hasText: "in the catalogue already" }).waitFor();
  await at.button("Clear").click();

  await at.tab("Members");
  await person("ben@cafe.example");
  await at.page.getByLabel("E-mail").fill("nobody@cafe.example");
  await at.button("Add", { exact: true }).last().click();
  await at.page.locator("#member-email[aria-invalid=true]").waitFor();
  await at.page.getByLabel("E-mail").fill("ben@cafe.example");
  await at.page.locator("#member-role").selectOption("STAFF");
  await at.button("Add", { exact: true }).last().click();
  const ben = at.page.locator(".member", { hasText: "ben@cafe.example" });
  await ben.getByRole("combobox").selectOption("VIEWER");
  await at.undo("is viewer now");
  await at.page.waitForFunction(() => document.querySelector(".member:nth-child(2) select").value === "STAFF");

  await at.tab("Reports");
  await at.button("Make the report").click();
  const href = await at.page.locator("#tray a[download]").getAttribute("href", LONG);
  const report = await (await fetch(href)).text();
  assert.match(report.split("\n")[0], /title/i);
}, { allowed: /409|Failed to load resource/ });

manager("an upload that was interrupted is shown after a reload, and goes on with its file", async (at) => {
  await at.link("Songs").click();
  const file = { name: "Interrupted.wav", mimeType: "audio/wav", buffer: someSongs()[0].buffer.subarray(0) };
  file.buffer = Buffer.concat([file.buffer, Buffer.alloc(2)]);
  // The bytes never reach the store, as if the page had been closed on the way.
  await at.page.route("**/staging/**", () => {});
  await at.page.locator("#files").setInputFiles(file);
  await at.page.locator("#tray").getByText("0 % of").waitFor();
  at.page.on("dialog", (dialog) => dialog.accept());
  await at.page.reload();
  await at.page.unroute("**/staging/**");
  await at.page.locator("#tray").getByText("It was interrupted").waitFor();
  await at.page.locator("#files").setInputFiles(file);
  await at.page.locator("#tray").getByText("1 song ready").waitFor(LONG);
  const { organisations: [{ id }] } = await cloud.ask("{ organisations { id } }");
  const { songUploads } = await cloud.ask("query($id: ID!) { songUploads(organisationId: $id, first: 50) { nodes { filename } } }", { id });
  assert.equal(songUploads.nodes.filter(({ filename }) => filename === file.name).length, 1, "it is the same upload");
});

manager("songs are found, corrected, assigned and withdrawn, and each step can be undone", async (at) => {
  await at.link("Songs").click();
  await at.title("Songs");
  await at.page.getByLabel("Search songs").fill("low s");
  await at.page.locator('.song-line:has-text("Tramlines")').waitFor({ state: "detached" });
  await at.song("Low sun").getByRole("button").click();
  const dialog = at.page.getByRole("dialog");
  await dialog.getByLabel("Artist").fill("Ada");
  await dialog.getByLabel("Artist").press("Enter");
  await at.notice("Artist of Low sun saved").waitFor();
  await dialog.getByLabel("Its words").selectOption("EXPLICIT");
  await at.undo("Words of Low sun saved");
  await at.page.waitForFunction(() => document.querySelector("#song-explicit").value === "UNKNOWN");
  const before = await dialog.locator(".figure .body").getAttribute("d");
  await dialog.getByText("Correct its shape").click();
  await dialog.getByLabel("Energy").focus();
  await at.page.keyboard.press("Home");
  await at.undo("Shape of Low sun saved");
  await at.page.waitForFunction((d) => document.querySelector("dialog .figure .body").getAttribute("d") === d, before);
  await dialog.getByLabel("ISRC").fill("nonsense");
  await dialog.getByLabel("ISRC").press("Enter");
  await dialog.locator("[name=isrc][aria-invalid=true]").waitFor();
  await dialog.getByRole("button", { name: "Close" }).click();
  await at.song("Low sun").getByText("Ada").waitFor();

  await at.page.getByLabel("Choose Low sun").check();
  await at.button("Withdraw").click();
  await at.song("Low sun").waitFor({ state: "detached" });
  await at.undo("Low sun withdrawn");
  await at.song("Low sun").waitFor();
  assert.equal(await at.song("Low sun").getByText("Café Resonance").isVisible(), true, "it plays where it played");
});

manager("a setting is saved at once, undone, and refused at its field", async (at) => {
  await at.page.locator(".row").click();
  await at.tab("Settings");
  const name = at.page.locator("#venue-name");
  await name.fill("Café Consonance");
  await name.press("Tab");
  await at.title("Café Consonance");
  await at.undo("Name of");
  await at.title("Café Resonance");
  await at.page.locator("#venue-penaltyHours").fill("99");
  await at.page.locator("#venue-penaltyHours").press("Tab");
  await at.page.locator("#venue-penaltyHours[aria-invalid=true]").waitFor();
  await at.button("Calm morning").click();
  await at.page.locator('.toggle[aria-pressed="true"]', { hasText: "Calm morning" }).waitFor();
  await at.page.getByLabel("Listeners see what comes next").uncheck();
  await at.undo("Listeners see what comes next");
  await at.page.waitForFunction(() => document.querySelector('.choice input[type="checkbox"]').checked);
  await at.tab("Log");
  await at.page.locator(".log li", { hasText: "changed a zone" }).first().waitFor();
});

manager("a player that plays is seen on the first screen, and is renamed", async (at) => {
  await Promise.race([band, at.page.locator("main h1", { hasText: "Music plays." }).waitFor(LONG)]);
  await at.page.locator(".row", { hasText: "Café Resonance" }).click();
  await at.page.locator(".zone .shape.breathes").waitFor();
  await at.tab("Hubs and players");
  await at.page.getByRole("button", { name: "Revoke Bar" }).click();
  await at.page.getByRole("dialog", { name: "Revoke Bar?" }).waitFor();
  await at.page.keyboard.press("Escape");
  await at.page.getByRole("button", { name: "Rename Bar" }).click();
  await at.page.getByRole("dialog").getByLabel("Name").fill("Terrace door");
  await at.page.getByRole("dialog").getByRole("button", { name: "Rename" }).click();
  await at.undo("Bar is called Terrace door now");
  await at.page.getByRole("heading", { name: "Bar", exact: true }).waitFor();
});

// What the cloud says of the venue, made to be as it would be another time.
const pretend = (at, change) => at.page.route("**/graphql", async (route) => {
  const response = await route.fetch();
  const told = await response.json();
  for (const venue of [told.data?.venue, ...(told.data?.venues?.nodes ?? [])]) if (venue?.hubs) change(venue);
  await route.fulfill({ response, json: told });
});

manager("the venue page shows what its room hears, how far it is, what comes next and what the room wants, as it changes", async (at) => {
  await at.page.locator(".row", { hasText: "Café Resonance" }).click();
  const zone = at.page.locator(".zone");
  await zone.locator(".far", { hasText: /^\d:\d\d of \d:\d\d$/ }).waitFor(LONG);
  await zone.locator(".coming li").first().waitFor(LONG);
  assert.ok((await zone.locator(".coming li").count()) <= 5);
  await zone.getByRole("img", { name: /^What the room wants: / }).waitFor();
  await zone.getByText("Nobody is checked in").waitFor();
  // Somebody skips from song to song: the page hears of each by the line, and asks for it then.
  const titles = new Set();
  const until = Date.now() + 25_000;
  while (titles.size < 4) {
    titles.add(await zone.locator("h2").textContent());
    assert.ok(Date.now() < until, `within less than it would ask by itself it has shown ${[...titles]}`);
    await new Promise((soon) => setTimeout(soon, 100));
  }
});

manager("what a room showed before its hub fell silent looks old, and guests who do not reach it are a finding with a way out", async (at) => {
  await pretend(at, (venue) => {
    venue.hubs[0].guestsCutOff = true;
    for (const { room } of venue.zones) if (room?.toldAt) Object.assign(room, { toldAt: new Date(Date.now() - 40 * 60_000).toISOString(), nowPlaying: null });
  });
  await at.page.reload();
  await at.page.locator(".row", { hasText: "Café Resonance" }).waitFor();
  await at.page.locator(".place .alarm", { hasText: "Guests cannot reach the hub Counter" }).waitFor();
  await at.page.locator(".row", { hasText: "Café Resonance" }).click();
  const room = at.page.locator(".zone .room.old");
  await room.getByText("Not heard of for 40 minutes. This is what it showed then:").waitFor();
  assert.equal(await at.page.locator(".zone .far").count(), 0, "how far it is nobody knows");
  await at.page.evaluate(await axe());
  assert.deepEqual(await at.page.evaluate(serious), [], "what is old is read as well");
  await at.page.unrouteAll({ behavior: "ignoreErrors" });
  await pretend(at, (venue) => {
    venue.hubs[0].guestsCutOff = true;
    for (const { currentSong, ...player } of venue.players) if (currentSong) Object.assign(venue.players.find(({ id }) => id === player.id), { currentSong: null, status: "IDLE" });
    for (const { room } of venue.zones) if (room?.toldAt) Object.assign(room, { nowPlaying: null, hours: { isOpen: false, asOf: "2026-11-30T12:00:00Z", opensAt: "2026-11-30T16:30:00Z", daypart: null } });
  });
  await at.page.reload();
  await at.page.locator(".zone h2", { hasText: "Closed until 17:30" }).waitFor();
  await at.page.locator(".alarm", { hasText: "Guests cannot reach the hub Counter" }).getByRole("link", { name: "Open the page for guests" }).click();
  await at.button("Open the page").waitFor();
});

manager("a player is let in by the code that is shown, and is turned down and up again", async (at) => {
  await at.page.locator(".row").click();
  await at.tab("Hubs and players");
  const door = at.page.getByRole("dialog", { name: "Pair a player" });
  const code = async () => {
    await at.button("Pair a player").click();
    await door.getByLabel("Name").fill("Terrace");
    await door.getByRole("button", { name: "Make a code" }).click();
    await door.getByRole("status").filter({ hasText: "The hub Counter is ready" }).waitFor(LONG);
    const shown = await door.locator(".digits").textContent();
    assert.match(shown, /^\d{4} \d{4}$/);
    return shown;
  };
  const box = await Player.start(hub, "Box 7");
  try {
    const put = await code();
    assert.equal(await focused(at), put, "whoever listens hears the code");
    assert.equal(await at.page.evaluate((code) => JSON.stringify({ ...localStorage, ...sessionStorage }).includes(code), put), false);
    await at.page.evaluate(await axe());
    for (const colorScheme of ["light", "dark"]) {
      await at.page.emulateMedia({ colorScheme });
      for (const [width, height] of [[390, 844], [1440, 900]]) {
        await at.page.setViewportSize({ width, height });
        await at.page.evaluate(settled);
        assert.deepEqual(await at.page.evaluate(serious), []);
        assert.ok(await door.locator(".digits").evaluate((digits) => digits.scrollWidth <= digits.clientWidth), `the code fits at ${width}`);
        await at.shot(`pairing ${colorScheme} ${width}`);
      }
    }
    await door.getByRole("button", { name: "Put it away" }).click();
    await at.notice("The code opens nothing any more").waitFor();

    box.type(await code());
    await box.says(/Paired: this is Terrace/);
    await door.getByRole("status").filter({ hasText: "Terrace is paired, and plays in main" }).waitFor(LONG);
    await door.getByRole("button", { name: "Done" }).click();
    const slider = at.page.getByRole("slider", { name: "Volume of Terrace" });
    await slider.waitFor(LONG);
    for (const colorScheme of ["light", "dark"]) {
      await at.page.emulateMedia({ colorScheme });
      await at.shot(`players ${colorScheme}`);
    }
    await slider.fill("35");
    await at.notice("Terrace is at 35 %").waitFor();
    await turnedTo(box, 0.35);
    await at.undo("Terrace is at 35 %");
    await turnedTo(box, 1);
    await at.page.getByRole("button", { name: "Revoke Terrace" }).click();
    await at.page.getByRole("dialog").getByRole("button", { name: "Revoke it" }).click();
    await at.notice("Terrace is revoked").waitFor();
  } finally {
    await box.close();
  }
});

async function turnedTo(player, volume) {
  const until = Date.now() + 60_000;
  for (;;) {
    const status = await player.status();
    if (Math.abs(status.volume - volume) < 0.001) return;
    assert.ok(Date.now() < until, `the player is at ${status.volume}`);
    await new Promise((soon) => setTimeout(soon, 200));
  }
}

manager("a daypart comes down to the hub, and is taken back by undo; so is a word on the licence", async (at) => {
  await at.page.locator(".row").click();
  await at.tab("Week");
  await at.page.getByText("Add a daypart").click();
  const part = at.page.locator("form", { has: at.page.getByRole("button", { name: "Add the daypart" }) });
  await part.getByLabel("Name").fill("Quiet");
  await part.getByLabel("From").fill("00:00");
  await part.getByLabel("Until").fill("00:00");
  await part.getByLabel("Volume (%)").fill("140");
  await part.getByRole("button", { name: "Add the daypart" }).click();
  await part.locator(".wrong", { hasText: "volume above 100 %" }).waitFor();
  await part.getByLabel("Volume (%)").fill("40");
  await part.getByRole("button", { name: "Add the daypart" }).click();
  await at.page.locator(".line", { hasText: "Quiet 00:00–00:00, Every day" }).waitFor();
  await daypart("Quiet");
  await at.undo("Quiet is part of the week of main");
  await at.page.locator(".line").waitFor({ state: "detached" });
  await daypart(null);
  await at.page.getByLabel("Listeners may see what comes next").uncheck();
  await at.undo("The licence of Café Resonance saved");
  await at.page.waitForFunction(() => document.querySelector('.choice input[type="checkbox"]').checked);
  const kept = at.page.getByLabel("Songs may be kept on the venue's hubs and players");
  await kept.uncheck();
  await at.page.getByText("Players hold what sounds and the next hour.").waitFor();
  await at.shot("licence");
  await at.undo("The licence of Café Resonance saved");
  await at.page.getByText("Players hold what sounds and the next hour.").waitFor({ state: "detached" });
  assert.ok(await kept.isChecked());
});

// Waits until the hub says that it is this daypart.
async function daypart(name) {
  const until = Date.now() + 60_000;
  for (;;) {
    const { venue } = await hub.ask("{ venue { zones { hours { daypart } } } }");
    if (venue.zones[0].hours.daypart === name) return;
    assert.ok(Date.now() < until, `the hub keeps ${JSON.stringify(venue)}`);
    await new Promise((soon) => setTimeout(soon, 200));
  }
}

manager("what a hub told and the cloud could not take is tried again, or discarded after a question", async (at) => {
  const letter = (seq) => `insert into public.sync_quarantine (hub_id, hub_epoch, seq, venue_id, kind, payload, outcome, error)
    select id, 1, ${seq}, venue_id, 'vote_cast', '{"value": 1}', 'rejected', 'the song is not in this catalogue' from public.hubs`;
  await sql(letter(900_001));
  await at.page.locator(".row").click();
  await at.tab("Log");
  await at.page.getByText("Counter: 1 dead letter").waitFor();
  await at.button("Discard").click();
  await at.page.getByRole("dialog").getByRole("button", { name: "Keep it" }).click();
  await at.button("Discard").click();
  await at.page.getByRole("dialog").getByRole("button", { name: "Discard it" }).click();
  await at.notice("It is discarded").waitFor();
  await at.page.getByText("None: all that the hubs told could be taken.").waitFor();
});

manager("files are dropped, and what is no music is told from it", async (at) => {
  await at.page.locator(".row").click();
  await at.tab("Songs");
  await at.page.locator(".drop").waitFor();
  const dropped = await at.page.evaluateHandle((text) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([text], "Not music.mp3"));
    return transfer;
  }, "no music ".repeat(200));
  await at.page.dispatchEvent(".drop", "dragover", { dataTransfer: dropped });
  await at.page.locator(".dropping").waitFor();
  await at.page.dispatchEvent(".drop", "drop", { dataTransfer: dropped });
  await at.page.locator("#tray .wrong", { hasText: "not audio" }).waitFor(LONG);
});

manager("while the cloud does not answer it says so, and comes back by itself", async (at) => {
  await at.page.locator(".row").waitFor();
  cloud.process.kill("SIGSTOP");
  try {
    await at.page.getByText("Music goes on in every venue").waitFor({ timeout: 40_000 });
  } finally {
    cloud.process.kill("SIGCONT");
  }
  await at.page.getByText("Music goes on in every venue").waitFor({ state: "hidden", timeout: 40_000 });
}, { allowed: /WebSocket|Failed to load|net::/ });

// A project's Auth, as far as the page needs it: it gives out the trial's token.
async function auth(context, seen) {
  await context.route("**/admin/config.json", (route) => route.fulfill({ json: { supabase: { url: "https://project.test/auth/v1", publishableKey: "sb_publishable_x" } } }));
  await context.route("https://project.test/**", async (route) => {
    const request = route.request();
    const headers = { "access-control-allow-origin": "*", "access-control-allow-headers": "*" };
    if (request.method() === "OPTIONS") return route.fulfill({ status: 204, headers });
    const path = request.url().replace("https://project.test/auth/v1", "");
    const body = request.postDataJSON();
    seen.push({ path, body, key: request.headers().apikey });
    if (path.startsWith("/token?grant_type=password") && body.password !== "right") return route.fulfill({ status: 400, headers, json: { msg: "Invalid login credentials" } });
    return route.fulfill({ headers, json: path.startsWith("/token") ? { access_token: cloud.token, refresh_token: "r", expires_in: 3600 } : {} });
  });
}

test("with a project one signs in by password, or by a link whose other half stays in this browser", { skip }, async () => {
  const context = await browser.newContext({ bypassCSP: true });
  const seen = [];
  await auth(context, seen);
  const page = await context.newPage();
  await page.goto(`${cloud.origin}/admin`);
  await page.getByLabel("E-mail").fill("ana@cafe.example");
  await page.getByLabel("Password").fill("wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("Invalid login credentials").waitFor();
  await page.getByRole("button", { name: "Send me a link instead" }).click();
  await page.getByText("A link is on its way to ana@cafe.example").waitFor();
  const { body } = seen.find(({ path }) => path.startsWith("/otp"));
  await page.goto(`${cloud.origin}/admin?code=from-the-mail`);
  await page.getByRole("link", { name: "Songs", exact: true }).waitFor();
  assert.equal(new URL(page.url()).search, "", "the code leaves the address");
  const traded = seen.find(({ path }) => path.includes("grant_type=pkce")).body;
  const digest = Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from(traded.code_verifier))).toString("base64url");
  assert.deepEqual([traded.auth_code, digest], ["from-the-mail", body.code_challenge]);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Password").waitFor();
  assert.ok(seen.some(({ path }) => path.startsWith("/logout")), "the project is told");
  await page.getByLabel("E-mail").fill("ana@cafe.example");
  await page.getByLabel("Password").fill("right");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("link", { name: "Songs", exact: true }).waitFor();
  assert.ok(seen.every(({ key }) => key === "sb_publishable_x"));
  await context.close();
});

const SIZES = [{ width: 390, height: 844 }, { width: 1440, height: 900 }];
async function viewsOf(at) {
  const venue = new URL(await at.page.locator(".row").first().getAttribute("href"), cloud.origin).pathname;
  return ["/admin", "/admin/songs", ...["", "/hubs", "/songs", "/numbers", "/reports", "/members", "/week", "/settings", "/log"].map((tab) => venue + tab)];
}

manager("every view weighs at most 200 KB for whoever has nothing of it yet", async (at) => {
  const storageState = await at.context.storageState();
  for (const path of await viewsOf(at)) {
    const context = await browser.newContext({ storageState });
    const page = await context.newPage();
    await page.goto(cloud.origin + path);
    await page.locator("main h1").waitFor();
    const shown = await page.evaluate(() => Math.round(performance.now()));
    await page.waitForLoadState("networkidle");
    const weight = await page.evaluate(() => performance.getEntriesByType("resource").filter(({ name }) => !name.endsWith("/graphql"))
      .reduce((sum, { decodedBodySize }) => sum + decodedBodySize, performance.getEntriesByType("navigation")[0].decodedBodySize));
    await context.close();
    console.log(`${path}: ${Math.round(weight / 1024)} KB, to be used after ${shown} ms`);
    assert.ok(weight > MOST_BYTES / 4 && weight <= MOST_BYTES, `${path} weighs ${weight} bytes`);
  }
});

for (const colorScheme of ["light", "dark"]) {
  manager(`every view in ${colorScheme}: nothing hangs out, axe finds nothing serious`, async (at) => {
    const lens = await axe();
    const views = await viewsOf(at);
    for (const path of views) {
      await at.page.goto(cloud.origin + path);
      await at.page.locator("main h1").waitFor();
      await at.page.waitForLoadState("networkidle");
      for (const viewport of SIZES) {
        await at.page.setViewportSize(viewport);
        const wide = await at.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.equal(wide, 0, `${path} at ${viewport.width} px: nothing hangs out`);
      }
      await at.page.evaluate(lens);
      assert.deepEqual(await at.page.evaluate(serious, colorScheme === "dark" ? ["color-contrast"] : null), [], `${path} in ${colorScheme}`);
    }
  }, { options: { colorScheme } });
}

manager("it is used by the keyboard alone, from a small screen with a large font", async (at) => {
  await at.page.locator(".row").waitFor();
  await at.page.setViewportSize({ width: 320, height: 640 });
  await at.page.keyboard.press("Tab");
  assert.equal(await focused(at), "To the content");
  for (let tabs = 0; tabs < 20 && !(await focused(at)).includes("Café Resonance"); tabs += 1) await at.page.keyboard.press("Tab");
  await at.page.keyboard.press("Enter");
  await at.title("Café Resonance");
  assert.equal(await at.page.evaluate(() => document.activeElement.id), "main", "whoever goes somewhere is there");
  const named = await at.page.evaluate(() => [...document.querySelectorAll("a, button, input, select")].filter((at) => at.checkVisibility()).every((at) => at.labels?.length || at.getAttribute("aria-label") || at.textContent.trim()));
  assert.ok(named, "everything that can be used has a name");
  const wide = await at.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(wide, 0);
});

manager("numbers are drawn, a point for each day or hour", async (at) => {
  await at.page.locator(".row").click();
  await at.tab("Numbers");
  await at.page.locator(".chart", { hasText: "Songs played" }).locator("strong", { hasText: /^[1-9]/ }).waitFor(LONG);
  await at.page.locator(".before li").first().waitFor();
  await at.page.getByRole("heading", { name: "Who is heard" }).waitFor();
  const sounds = at.page.locator(".sounds li", { has: at.page.locator(".shape") });
  assert.equal(await at.page.locator(".sounds li").count(), 7);
  assert.match(await sounds.first().getAttribute("title"), /: \w+/, "what it sounded like has words, too");
  const line = await at.page.locator(".chart .line").first().getAttribute("d");
  assert.equal(line.match(/[ML]/g).length, 7, "a point for each day");
  await at.button("Day").click();
  await at.page.waitForFunction(() => document.querySelector(".chart .line").getAttribute("d").match(/[ML]/g).length === 24);
});

manager("a hub is revoked after a plain question, and its venue says what comes next", async (at) => {
  await at.page.locator(".row").click();
  await at.tab("Hubs and players");
  await at.page.getByRole("button", { name: "Revoke Counter" }).click();
  await at.page.getByRole("dialog").getByRole("button", { name: "Keep it" }).click();
  await at.page.getByRole("button", { name: "Revoke Counter" }).click();
  await at.page.getByRole("dialog").getByRole("button", { name: "Revoke it" }).click();
  await at.notice("Counter is revoked").waitFor();
  await at.page.getByText("Revoked: 1").waitFor();
  await at.tab("Now");
  await at.link("Enrol the hub").waitFor();
});

const focused = (at) => at.page.evaluate(() => document.activeElement.textContent);

// Somebody who has an account.
const person = (email) => promisify(execFile)(process.env.CLOUD_UNDER_TEST, ["dev-token", "--data", join(cloud.folder, "data"), "--email", email, "--role", "listener"]);

// What only a fault would bring about is arranged behind the cloud's back.
const sql = (text) => promisify(execFile)(join(process.env.ROOMTONE_POSTGRES_BIN, "psql"), ["-h", join(cloud.folder, "data/cluster"), "-U", "postgres", "-v", "ON_ERROR_STOP=1", "-c", text, "roomtone"]);

// As a dumb terminal would: it plays what comes next, as soon as the hub has fetched something from the cloud.
async function plays(token) {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  for (let position = 1; !isOver; position += 1) {
    const next = await fetch(hub.url("/api/player/next-song"), { headers });
    if (next.ok) {
      const body = JSON.stringify({ song_id: (await next.json()).song_id, status: "active", position });
      assert.ok((await fetch(hub.url("/api/player/status"), { method: "POST", headers, body })).ok);
    }
    await new Promise((go) => setTimeout(go, 500));
  }
}
