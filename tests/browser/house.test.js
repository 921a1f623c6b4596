// A day at the hub without any cloud: the PIN, the music, the week, new songs, the poster, a backup and the way back.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { Hub } from "./hub.js";
import { axe, readQr, serious } from "./look.js";
import { HubManager } from "./managers.js";
import { openBrowser } from "./phone.js";
import { someSongs } from "./songs.js";

const PIN = "4182 2390";
const SIZES = [{ width: 320, height: 640 }, { width: 390, height: 844 }, { width: 1440, height: 900 }];
const VIEWS = ["now", "week", "songs", "cloud", "more"];
const REFUSED = /40[13] \(|429 \(/;

let hub;
let browser;
let terminal;
let isOver = false;

before(async () => {
  [hub, browser] = await Promise.all([Hub.venue("--venue", "Café Resonance"), openBrowser("--ignore-certificate-errors")]);
  terminal = await hub.token("player", "add", "Bar");
  plays();
});

after(async () => {
  isOver = true;
  await browser?.close();
  await hub?.close();
});

// A loudspeaker as the older plan has it: it asks for the next song and says what it plays.
async function plays() {
  const headers = { authorization: `Bearer ${terminal}`, "content-type": "application/json" };
  while (!isOver) {
    const next = await fetch(hub.url("/api/player/next-song"), { headers }).catch(() => null);
    if (next?.ok) {
      const body = JSON.stringify({ song_id: (await next.json()).song_id, status: "active" });
      await fetch(hub.url("/api/player/status"), { method: "POST", headers, body }).catch(() => null);
    }
    await new Promise((go) => setTimeout(go, 500));
  }
}

function manager(name, body, { options, url = () => hub.secureUrl(), allowed = /^$/ } = {}) {
  test(name, async () => {
    const at = await HubManager.open(browser, url(), { ignoreHTTPSErrors: true, acceptDownloads: true, ...options });
    try {
      await body(at);
      assert.deepEqual(at.troubles.filter((trouble) => !allowed.test(trouble)), []);
    } finally {
      await at.close();
    }
  });
}

manager("the first time the token opens it, and a PIN is set", async (at) => {
  await at.page.getByLabel("Manager’s token").fill(await hub.token("manager", "token"));
  await at.button("Sign in").click();
  await at.inside();
  await at.page.locator("#no-pin").getByRole("link", { name: "Set one" }).click();
  const set = async (pin, again = pin) => {
    await at.page.getByLabel(/^New PIN/).fill(pin);
    await at.page.locator("#pin-again").fill(again);
    await at.button("Set the PIN").click();
  };
  await set("418223", "418224");
  await at.page.locator("#pin-said", { hasText: "two different PINs" }).waitFor();
  await set("123456");
  await at.page.locator("#pin-said", { hasText: "among the first" }).waitFor();
  await set(PIN);
  await at.page.locator("#pin-said", { hasText: "The PIN is set." }).waitFor();
  const cookies = await at.context.cookies();
  const { name, httpOnly, secure, sameSite } = cookies.find((cookie) => cookie.name.includes("manager"));
  assert.deepEqual([name, httpOnly, secure, sameSite], ["__Host-roomtone_manager", true, true, "Strict"]);
  assert.equal(await at.page.evaluate(() => sessionStorage.getItem("roomtone.manage.token")), null, "the token is not needed any more");
  await at.page.reload();
  await at.inside();
  await at.button("Sign out").click();
  await at.page.locator("#pin").waitFor();
  await at.page.reload();
  await at.page.locator("#pin").waitFor();
}, { allowed: /400 \(Bad Request\)/ });

manager("a wrong PIN is answered with a sentence, the right one opens the page, and it says what was tried", async (at) => {
  await at.byPin("918273");
  await at.page.locator("#why", { hasText: "This is not the PIN." }).waitFor();
  await at.byPin(PIN);
  await at.inside();
  await at.page.locator("#wrong-pins", { hasText: "A wrong PIN was shown" }).waitFor();
}, { allowed: REFUSED });

manager("songs are sent, many at once; a bad file is refused with its reason, and the rest plays", async (at) => {
  await at.byPin(PIN);
  await at.inside();
  await at.view("Songs");
  await at.page.locator("#songs-count", { hasText: "There is no music yet" }).waitFor();
  const songs = someSongs();
  const bad = [{ name: "Notes.txt", mimeType: "text/plain", buffer: Buffer.from("no music") }, { name: "Broken.mp3", mimeType: "audio/mpeg", buffer: Buffer.alloc(5000, 7) }];
  await at.page.locator("#song-files").setInputFiles([songs[0], ...bad, ...songs.slice(1)]);
  // The tray goes on while one looks at something else.
  await at.view("Week");
  await at.view("Songs");
  await at.page.locator("#tray-sum", { hasText: `All ${songs.length + 2} songs are done · ${songs.length} new · 2 not taken` }).waitFor({ timeout: 120_000 });
  await at.page.locator("#tray li", { hasText: "Notes.txt" }).locator(".what", { hasText: /^Not taken: it is not audio/ }).waitFor();
  await at.page.locator("#tray li", { hasText: "Broken.mp3" }).locator(".what", { hasText: /^Not taken: \w+/ }).waitFor();
  await at.page.locator("#songs-count", { hasText: `${songs.length} songs` }).waitFor();
  await at.shot("songs");
  await at.page.locator("#song-files").setInputFiles([songs[0]]);
  await at.page.locator("#tray li", { hasText: songs[0].name }).first().locator(".what", { hasText: "Was here already" }).waitFor({ timeout: 60_000 });
  const { songs: listed } = await hub.ask("{ songs(first: 50) { nodes { title isCached } } }");
  assert.equal(listed.nodes.length, songs.length);
  assert.ok(listed.nodes.every(({ isCached }) => isCached));
  assert.ok(listed.nodes.some(({ title }) => title === "Low sun"), "a song without tags has its file's name");
});

manager("what the room hears is seen and left, a player is renamed and turned down", async (at) => {
  await at.byPin(PIN);
  await at.inside();
  // The songs are short: between two of them there is nothing to leave, and the page says so.
  let [title, said] = ["", ""];
  for (let tries = 0; tries < 5 && !said.includes("cannot be taken back"); tries += 1) {
    await at.page.waitForFunction(() => document.querySelector(".hearing-card .skip")?.disabled === false);
    title = await at.page.locator(".hearing-card .title").textContent();
    await at.page.locator(".hearing-card .said").evaluate((said) => { said.textContent = ""; });
    await at.button("Skip this song").click();
    await at.page.locator(".hearing-card .said", { hasText: /\w/ }).waitFor();
    said = await at.page.locator(".hearing-card .said").textContent();
  }
  assert.match(said, /was left for all players here. That cannot be taken back/);
  await at.page.waitForFunction((before) => document.querySelector(".hearing-card .title").textContent !== before, title);
  await at.page.getByLabel("Volume of Bar").fill("40");
  await at.page.locator(".player output", { hasText: "40 %" }).waitFor();
  await at.button("Rename Bar").click();
  await at.page.getByRole("dialog").getByLabel("Name").fill("Counter");
  await at.page.getByRole("dialog").getByRole("button", { name: "Rename", exact: true }).click();
  await at.page.getByRole("heading", { name: "Counter", exact: true }).waitFor();
  await at.button("Show a code").click();
  await at.page.locator("#digits", { hasText: /^\d{4} \d{4}$/ }).waitFor();
  await at.button("Stop waiting").click();
}, { allowed: /404 \(/ });

manager("how people fare is told in the card of their zone, now and by day", async (at) => {
  await at.byPin(PIN);
  await at.inside();
  assert.equal(await at.page.locator(".heard:not([hidden])").count(), 0, "nobody has been here yet");
  const key = () => crypto.randomUUID();
  const { checkIn } = await hub.ask("mutation($input: CheckInInput!) { checkIn(input: $input) { token userErrors { message } } }", { input: { venueCode: hub.code, idempotencyKey: key() } });
  const { songs } = await hub.ask("{ songs(first: 2) { nodes { id } } }");
  for (const { id } of songs.nodes) {
    const { vote } = await hub.ask("mutation($input: VoteInput!) { vote(input: $input) { userErrors { message } } }", { input: { songId: id, value: "LIKE", idempotencyKey: key() } }, checkIn.token);
    assert.deepEqual(vote.userErrors, []);
  }
  // The page asks for this three times a minute.
  const heard = at.page.locator(".heard");
  await heard.locator("summary", { hasText: /^Who is heard now: satisfied \S+ of 100, least so \S+, longest drought \d+ songs?\. Fairness is \d+\.$/ }).waitFor({ timeout: 90_000 });
  await heard.locator("summary").click();
  await heard.locator("tbody tr", { hasText: /^Now1/ }).waitFor();
  const lens = await axe();
  await at.page.evaluate(lens);
  assert.deepEqual(await at.page.evaluate(serious), []);
  await at.page.setViewportSize(SIZES[1]);
  assert.equal(await at.hangsOut(), 0);
  await at.shot("house-fares");
});

manager("guests who do not reach the hub are a finding above the rooms, in the hub’s own words", async (at) => {
  const said = "Guests cannot reach this hub: they come by the cloud's page.";
  await at.page.route("**/api/manage", async (route) => {
    const response = await route.fetch();
    const told = await response.json();
    if (told.rooms) assert.equal(told.guests_cut_off, null, "this hub has no cloud");
    await route.fulfill({ response, json: told.rooms ? { ...told, guests_cut_off: said } : told });
  });
  await at.byPin(PIN);
  await at.inside();
  await at.page.locator("#guests-cut-off", { hasText: said }).waitFor();
  await at.page.unroute("**/api/manage");
  await at.page.locator("#guests-cut-off").waitFor({ state: "hidden" });
});

manager("a week is set, holds at once and is taken back", async (at) => {
  await at.byPin(PIN);
  await at.inside();
  await at.view("Week");
  await at.button("Add hours").click();
  const week = at.page.locator("form.week");
  const row = week.locator(".hours li");
  const [day] = new Date().toLocaleDateString("en-GB", { weekday: "short", timeZone: "UTC" }).split(",");
  await row.getByLabel(day).uncheck();
  await row.getByLabel("From").fill("00:00");
  await row.getByLabel("To").fill("00:01");
  await at.button("Add a daypart").click();
  await week.locator(".parts").getByLabel("Called").fill("evening");
  await week.locator(".parts").getByLabel("Volume").fill("65");
  await at.button("Keep this week").click();
  await week.locator(".said", { hasText: "holds from now on" }).waitFor();
  await at.page.getByText("Songs may be kept on this hub and its players.").waitFor();
  await at.shot("week");
  const { venue } = await hub.ask("{ venue { zones { hours { isOpen daypart } } } }");
  assert.equal(venue.zones[0].hours.isOpen, false);
  await at.page.reload();
  await at.inside();
  assert.equal(await week.locator(".parts").getByLabel("Called").inputValue(), "evening", "and is there after a reload");
  assert.equal(await week.locator(".parts").getByLabel("Volume").inputValue(), "65");
  await week.locator(".parts").getByRole("button", { name: "Remove" }).click();
  await week.locator(".hours").getByRole("button", { name: "Remove" }).click();
  await at.button("Keep this week").click();
  await week.locator(".said", { hasText: "holds from now on" }).waitFor();
  await at.button("Undo").click();
  await week.locator(".said", { hasText: "as it was before" }).waitFor();
  assert.equal((await hub.ask("{ venue { zones { hours { isOpen } } } }")).venue.zones[0].hours.isOpen, false);
  await at.button("Undo").click();
  await week.locator(".said", { hasText: "as it was before" }).waitFor();
  await at.page.waitForFunction(() => document.querySelector(".week .hours").children.length === 0);
  assert.equal((await hub.ask("{ venue { zones { hours { isOpen } } } }")).venue.zones[0].hours.isOpen, true);
});

manager("a poster fits its paper, reads, and says when the hub has moved since", async (at) => {
  await at.byPin(PIN);
  await at.inside();
  await at.view("More");
  await at.page.getByRole("link", { name: "Look at the poster" }).click();
  await at.page.locator("#sheet").waitFor();
  await at.page.waitForFunction(() => document.getElementById("picture").naturalWidth > 100);
  assert.equal(await at.page.locator("#code").textContent(), hub.code);
  assert.equal(await at.page.locator("#venue").textContent(), "Café Resonance");
  await at.page.evaluate(() => { window.print = () => { window.printed = true; }; });
  for (const [size, width, height] of [["A4", 210, 297], ["A6", 105, 148]]) {
    await at.page.emulateMedia({ media: "screen" });
    await at.page.getByLabel(size).check();
    await at.page.emulateMedia({ media: "print" });
    const [wide, high] = [Math.round(width * 96 / 25.4), Math.round(height * 96 / 25.4)];
    await at.page.setViewportSize({ width: wide, height: high });
    const over = await at.page.evaluate(() => {
      const sheet = document.getElementById("sheet");
      const paper = sheet.getBoundingClientRect();
      const outside = [...sheet.querySelectorAll("*")].filter((part) => part.checkVisibility()).filter((part) => {
        const at = part.getBoundingClientRect();
        return at.left < paper.left || at.right > paper.right + 1 || at.top < paper.top || at.bottom > paper.bottom + 1;
      });
      return { outside: outside.map(({ id, className }) => id || className), wide: document.documentElement.scrollWidth, high: document.documentElement.scrollHeight, controls: document.getElementById("choice").checkVisibility() };
    });
    assert.deepEqual(over.outside, [], size);
    assert.ok(over.wide <= wide + 1 && over.high <= high + 2, `${size}: ${JSON.stringify(over)} on ${wide} x ${high}`);
    assert.equal(over.controls, false, "no controls on the paper");
    await at.shot(`poster-${size}`);
    const picture = await at.page.locator("#picture").screenshot();
    assert.equal(await readQr(browser, picture), hub.door);
    if (process.env.ROOMTONE_SCREENSHOTS) await at.page.pdf({ path: join(process.env.ROOMTONE_SCREENSHOTS, `poster-${size}.pdf`), preferCSSPageSize: true });
    const pdf = (await at.page.pdf({ preferCSSPageSize: true })).toString("latin1");
    assert.equal(pdf.match(/\/Type\s*\/Page\b/g).length, 1, `${size} is one page`);
  }
  await at.page.emulateMedia({ media: "screen" });
  await at.page.setViewportSize({ width: 390, height: 844 });
  assert.equal(await at.page.locator("#moved").isVisible(), false);
  await at.button("Print").click();
  await at.page.waitForFunction(() => window.printed);
  await at.button("Make old posters void").click();
  await at.page.getByRole("dialog").getByRole("button", { name: "Make them void" }).click();
  await at.page.locator("#said", { hasText: "The code is a new one." }).waitFor();
  const code = await at.page.locator("#code").textContent();
  assert.notEqual(code, hub.code);
  assert.match(await hub.order("qr"), new RegExp(code));
  await writeFile(join(hub.folder, "data", "printed-address"), "192.0.2.7:4700");
  await at.page.reload();
  await at.page.locator("#moved", { hasText: "says http://192.0.2.7:4700/, but this hub is at http://127.0.0.1" }).waitFor();
  await at.shot("poster-moved");
});

for (const colorScheme of ["light", "dark"]) {
  manager(`every view in ${colorScheme}: nothing hangs out, axe finds nothing serious`, async (at) => {
    const lens = await axe();
    const look = async (name) => {
      for (const viewport of SIZES) {
        await at.page.setViewportSize(viewport);
        assert.equal(await at.hangsOut(), 0, `${name} at ${viewport.width} px: nothing hangs out`);
        if (viewport.width > 320) await at.shot(`${name}-${colorScheme}-${viewport.width}`);
      }
      await at.page.evaluate(lens);
      assert.deepEqual(await at.page.evaluate(serious), [], `${name} in ${colorScheme}`);
    };
    await look("gate");
    await at.byPin(PIN);
    await at.inside();
    for (const view of VIEWS) {
      await at.page.goto(hub.secureUrl(`/manage#${view}`));
      await at.inside();
      if (view === "week" && colorScheme === "light") {
        await at.button("Add hours").click();
        await at.button("Add a daypart").click();
      }
      await look(view);
      const named = await at.page.evaluate(() => [...document.querySelectorAll("a, button, input, select")].filter((at) => at.checkVisibility()).every((at) => at.labels?.length || at.getAttribute("aria-label") || at.textContent.trim()));
      assert.ok(named, "everything that can be used has a name");
    }
    await at.page.goto(hub.secureUrl("/manage/poster"));
    await at.page.locator("#sheet").waitFor();
    await look("poster");
  }, { options: { colorScheme } });
}

manager("a rehearsal that could show nothing is refused with the reason", async (at) => {
  await at.byPin(PIN);
  await at.inside();
  await at.view("More");
  await at.button("Begin").click();
  await at.page.locator("#drill-said", { hasText: "This hub has no cloud to be cut off from." }).waitFor();
  await at.page.getByLabel("Cut off").selectOption("hub");
  await at.button("Begin").click();
  await at.page.locator("#drill-said", { hasText: /could play on for 0 min without the hub/ }).waitFor();
}, { allowed: /409 \(/ });

manager("a backup is downloaded, and the hub goes back to it", async (at) => {
  await at.byPin(PIN);
  await at.inside();
  await at.view("More");
  const [download] = await Promise.all([at.page.waitForEvent("download"), at.button("Download a backup").click()]);
  assert.match(download.suggestedFilename(), /^roomtone-hub-\d{4}-\d\d-\d\d\.db$/);
  const file = await download.path();
  assert.equal((await readFile(file)).subarray(0, 15).toString(), "SQLite format 3");
  await hub.order("player", "rename", "Counter", "Window");
  const pick = (file) => at.page.locator("#restore-file").setInputFiles(file);
  const dialog = at.page.getByRole("dialog", { name: "Go back to this backup?" });
  await pick({ name: "no.db", mimeType: "application/octet-stream", buffer: Buffer.from("SQLite format 3, or so it says") });
  await dialog.getByRole("button", { name: "Go back to it" }).click();
  await at.page.locator("#restore-said", { hasText: "no sound backup" }).waitFor();
  await pick(file);
  await dialog.getByRole("button", { name: "Keep what is here" }).click();
  await pick(file);
  await dialog.getByRole("button", { name: "Go back to it" }).click();
  await at.page.locator("#why", { hasText: "You are signed out" }).waitFor({ timeout: 60_000 });
  await at.byPin(PIN);
  await at.inside();
  await at.view("Now");
  await at.page.getByRole("heading", { name: "Counter", exact: true }).waitFor();
  await hub.plays();
}, { allowed: /40[01] \(|ERR_CONNECTION|ERR_EMPTY|Failed to load|net::/ });

manager("wrong PINs are slowed, and the token still opens", async (at) => {
  // Five in a minute, and the tests before have shown one or the other.
  let said = "";
  for (let tries = 0; tries < 7 && !said.startsWith("Too many"); tries += 1) {
    await at.byPin(`9182${tries}0`);
    await at.page.locator("#why", { hasText: /\w/ }).waitFor();
    said = await at.page.locator("#why").textContent();
    await at.page.locator("#why").evaluate((why) => { why.textContent = ""; });
  }
  await at.byPin(PIN);
  await at.page.locator("#why", { hasText: /Too many wrong PINs; try again in \d+ seconds/ }).waitFor();
  await at.button("Use the manager’s token instead").click();
  await at.page.getByLabel("Manager’s token").fill(await hub.token("manager", "token"));
  await at.button("Sign in").click();
  await at.inside();
}, { allowed: REFUSED });

test("on the hub the PIN is set from the input, and never as a word of the command", async () => {
  const set = (pin, ...words) => new Promise((done) => {
    const child = execFile(process.env.HUB_UNDER_TEST, ["--data", join(hub.folder, "data"), "manager", "pin", ...words], (error, stdout, stderr) => done({ code: error?.code ?? 0, said: stdout + stderr }));
    // A command that is not understood reads nothing.
    child.stdin.on("error", () => {});
    child.stdin.end(`${pin}\n`);
  });
  assert.match((await set("111111")).said, /among the first/);
  const { code, said } = await set("604 917");
  assert.equal(code, 0, said);
  assert.ok(!said.includes("604"), said);
  assert.equal((await set("", "604917")).code, 2);
});

manager("in the open the page says where the PIN is taken", async (at) => {
  await at.page.getByLabel("Manager’s token").waitFor();
  const there = await at.page.locator("#pin-there").getAttribute("href");
  assert.equal(there, hub.secureUrl());
}, { url: () => hub.url("/manage") });

