// The manager's page for players: what it shows of them, what it does with them, and how one comes to be paired.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Hub } from "./hub.js";
import { Phone, openBrowser } from "./phone.js";

// Somebody at the manager's page.
class Manager extends Phone {
  ready() {
    return this.page.waitForFunction(() => ["gate", "office"].some((id) => document.getElementById(id)?.hidden === false) || document.getElementById("there"));
  }

  async signIn() {
    await this.page.getByLabel("Manager’s token").fill(await hub.token("manager", "token"));
    await this.button("Sign in").click();
    await this.page.locator("#office").waitFor();
  }

  player(name) {
    return this.page.locator(".player", { has: this.page.getByRole("heading", { name, exact: true }) });
  }

  summary(words) {
    return this.page.locator("#summary", { hasText: words }).waitFor();
  }
}

// A player over the API, as any other would be one.
class Player {
  static async add(name) {
    const player = new this();
    player.token = await hub.token("player", "add", name);
    return player;
  }

  async say(status, health = {}) {
    const input = { idempotencyKey: crypto.randomUUID(), status, health };
    const query = "mutation($input: ReportPlaybackInput!) { reportPlayback(input: $input) { player { id volume } userErrors { message } } }";
    const { reportPlayback } = await hub.ask(query, { input }, this.token);
    assert.deepEqual(reportPlayback.userErrors, []);
    return reportPlayback.player;
  }
}

let hub;
let browser;

before(async () => {
  [hub, browser] = await Promise.all([Hub.venue("--venue", "Café Resonance"), openBrowser("--host-resolver-rules=MAP roomtone.local 127.0.0.1", "--ignore-certificate-errors")]);
});

after(async () => {
  await browser?.close();
  await hub?.close();
});

function manager(name, body, { options, url = () => hub.url("/manage"), allowed = /^$/ } = {}) {
  test(name, async () => {
    const at = await Manager.open(browser, url(), options);
    try {
      await body(at);
      assert.deepEqual(at.troubles.filter((trouble) => !allowed.test(trouble)), []);
    } finally {
      await at.close();
    }
  });
}

const REFUSED = /401 \(Unauthorized\)/;

manager("only the manager's token opens it, and it stays in the tab", async (at) => {
  await at.page.getByLabel("Manager’s token").fill("nonsense");
  await at.button("Sign in").click();
  await at.page.locator("#why", { hasText: "not the manager’s token" }).waitFor();
  await at.signIn();
  await at.summary("There is no player yet");
  const token = await at.page.evaluate(() => sessionStorage.getItem("roomtone.manage.token"));
  assert.ok(token.length > 20);
  assert.ok(at.requests.every((url) => !url.includes(token)));
  assert.equal(await at.page.evaluate(() => JSON.stringify(localStorage) + document.cookie).then((kept) => kept.includes(token)), false);
  await at.page.reload();
  await at.page.locator("#office").waitFor();
  await hub.token("manager", "token");
  await at.page.locator("#why", { hasText: "no longer good" }).waitFor();
  assert.equal(await at.page.locator("#office").isVisible(), false, "a newer token closes the page that shows the old one");
}, { allowed: REFUSED });

manager("a silent player and one out of reach are seen at once, on top", async (at) => {
  await at.signIn();
  const [bar, terrace] = [await Player.add("Bar"), await Player.add("Terrace")];
  await Promise.all([bar.say("ACTIVE"), terrace.say("ACTIVE")]);
  await at.summary("Music plays everywhere.");
  assert.equal(await at.page.locator(".alarm:visible").count(), 0);
  await terrace.say("ACTIVE", { silent: true });
  await at.summary("Terrace needs you.");
  await at.player("Terrace").locator(".alarm", { hasText: "silent though it should play" }).waitFor();
  assert.equal(await at.page.locator(".player .name").first().textContent(), "Terrace");
  await at.button("Pause Terrace").click();
  await at.summary("Music plays; 1 of 2 players are held.");
  await at.button("Resume Terrace").click();
  await terrace.say("ACTIVE", { silent: false });
  await at.summary("Music plays everywhere.");
  await hub.order("player", "remove", "Terrace");
  await at.player("Terrace").waitFor({ state: "detached" });
  await hub.order("player", "remove", "Bar");
});

manager("volume, pause and stop are kept; a player is renamed, and removed after a plain question", async (at) => {
  await at.signIn();
  const bar = await Player.add("Bar");
  await bar.say("ACTIVE");
  await at.page.getByLabel("Volume of Bar").fill("35");
  await at.player("Bar").locator("output", { hasText: "35 %" }).waitFor();
  await at.button("Stop Bar").click();
  await at.player("Bar").locator(".song", { hasText: "Stopped" }).waitFor();
  const listed = JSON.parse(await hub.order("player", "list", "--json"));
  assert.deepEqual(listed.map(({ name, volume, mode }) => ({ name, volume, mode })), [{ name: "Bar", volume: 35, mode: "stopped" }]);
  await at.button("Rename Bar").click();
  await at.page.getByRole("dialog").getByLabel("Name").fill("Counter");
  await at.page.getByRole("dialog").getByRole("button", { name: "Rename", exact: true }).click();
  await at.player("Counter").waitFor();
  await at.button("Remove Counter").click();
  await at.page.getByRole("dialog", { name: "Remove Counter?" }).waitFor();
  await at.page.keyboard.press("Escape");
  await at.player("Counter").waitFor();
  await at.button("Remove Counter").click();
  await at.page.getByRole("dialog").getByRole("button", { name: "Remove", exact: true }).click();
  await at.summary("There is no player yet");
});

manager("a player is paired with the code that is shown, and the page says which", async (at) => {
  await at.signIn();
  await at.page.getByLabel(/^Name/).first().fill("Library");
  await at.button("Show a code").click();
  await at.page.locator("#digits", { hasText: /^\d{4} \d{4}$/ }).waitFor();
  await at.page.locator("#left", { hasText: /4:5\d|5:00/ }).waitFor();
  await at.page.waitForFunction(() => document.getElementById("picture").naturalWidth > 100);
  const uri = await at.page.locator("#uri").textContent();
  const [port, token] = [/hub=[^&]*:(\d+)&/.exec(uri)[1], /token=([\w-]+)$/.exec(uri)[1]];
  // The hub's own certificate is nobody's business here but the browser's, which was told to take it.
  const paired = await at.page.context().request.post(`https://127.0.0.1:${port}/pair/token`, { data: { name: "box", token }, ignoreHTTPSErrors: true });
  assert.equal(paired.status(), 200);
  assert.equal((await paired.json()).name, "Library");
  await at.page.locator("#paired", { hasText: "Library has been paired" }).waitFor();
  await at.player("Library").waitFor();
  await at.button("Show a code").click();
  await at.button("Stop waiting").click();
  await at.button("Show a code").waitFor();
  const late = await at.page.context().request.post(`https://127.0.0.1:${port}/pair/token`, { data: { name: "box", token }, ignoreHTTPSErrors: true });
  assert.equal(late.status(), 404);
  await hub.order("player", "remove", "Library");
});

manager("a network that could read the token is shown the way to where it could not", async (at) => {
  const there = await at.page.getByRole("link", { name: "Go there" }).getAttribute("href");
  assert.match(there, /^https:\/\/roomtone\.local:\d+\/manage$/);
  await at.page.goto(there);
  await at.page.locator("#gate").waitFor();
  await at.signIn();
  await at.summary("There is no player yet");
}, { url: () => hub.url("/manage", "roomtone.local"), options: { ignoreHTTPSErrors: true }, allowed: /403 \(Forbidden\)/ });

manager("it fits a small screen, a large font, and the keyboard", async (at) => {
  await at.signIn();
  const bar = await Player.add("A player with quite a long name beside the old piano");
  await bar.say("ACTIVE", { silent: true, outputTrouble: "no such device" });
  await at.summary("needs you");
  await at.button("Show a code").click();
  await at.page.locator("#digits", { hasText: /\d/ }).waitFor();
  for (const viewport of [{ width: 320, height: 640 }, { width: 390, height: 844 }, { width: 1440, height: 900 }]) {
    await at.page.setViewportSize(viewport);
    const wide = await at.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(wide, 0, `${viewport.width} px: nothing hangs out`);
  }
  await at.button("Stop waiting").click();
  const named = await at.page.evaluate(() => [...document.querySelectorAll("button, input, select")].filter((at) => at.checkVisibility()).every((at) => at.labels?.length || at.getAttribute("aria-label") || at.textContent.trim()));
  assert.ok(named, "everything that can be used has a name");
  await hub.order("player", "remove", "A player with quite a long name beside the old piano");
});
