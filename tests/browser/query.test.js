// The query page: in the demo, where it is open, and in a venue, where it is the manager's.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";

import { Desk } from "./desk.js";
import { Hub } from "./hub.js";
import { openBrowser } from "./phone.js";

const examples = JSON.parse(await readFile(new URL("../../schema/server/ui/query/examples.json", import.meta.url), "utf8"));

let demo;
let venue;
let browser;

before(async () => {
  [demo, venue, browser] = await Promise.all([Hub.demo(), Hub.venue(), openBrowser("--host-resolver-rules=MAP roomtone.local 127.0.0.1")]);
  await demo.plays();
});

after(async () => {
  await browser?.close();
  await demo?.close();
  await venue?.close();
});

const door = () => demo.url(`/graphiql#code=${encodeURIComponent(demo.code)}`);

// Somebody at their desk: afterwards nothing went wrong there, and nobody else was called.
function desk(name, body, { url = door, options, allowed = /^$/ } = {}) {
  test(name, async () => {
    const at = await Desk.openAt(browser, url(), options);
    try {
      await body(at);
      assert.deepEqual(at.troubles.filter((trouble) => !allowed.test(trouble)), []);
      const strangers = at.requests.filter((asked) => new URL(asked).origin !== new URL(url()).origin);
      assert.deepEqual(strangers, []);
    } finally {
      await at.close();
    }
  });
}

desk("every example runs, in the order they stand in", async (at) => {
  const player = await demo.token("player", "add", "desk");
  assert.ok(examples.length >= 10);
  for (const { title, as, query } of examples) {
    if (as === "player") await at.page.getByLabel("Token", { exact: true }).fill(player);
    await at.example(title);
    assert.equal(await at.query(), query);
    if (query.startsWith("subscription")) {
      await at.page.keyboard.press("Control+Enter");
      await at.events().first().waitFor();
      await at.page.keyboard.press("Escape");
      await at.said("Stopped.");
    } else {
      const { data, errors } = await at.run();
      assert.equal(errors, undefined, `${title}: ${JSON.stringify(errors)}`);
      for (const payload of Object.values(data)) assert.deepEqual(payload?.userErrors ?? [], [], title);
    }
    if (title === "Check in") assert.notEqual(await at.page.getByLabel("Token", { exact: true }).inputValue(), "");
  }
});

desk("the code of a link leaves the address, and no token ever stands in it", async (at) => {
  assert.equal(await at.page.evaluate(() => location.hash), "");
  await at.example("Check in");
  const { data } = await at.run();
  const { token } = data.checkIn;
  assert.equal(await at.page.getByLabel("Token", { exact: true }).getAttribute("type"), "password");
  assert.ok(at.requests.every((url) => !url.includes(token)));
  assert.equal(await at.page.evaluate(() => JSON.stringify(localStorage) + document.cookie).then((kept) => kept.includes(token)), false);
  await at.page.reload();
  await at.ready();
  assert.equal(await at.page.getByLabel("Token", { exact: true }).inputValue(), token);
});

desk("a subscription shows its events with the newest first, and stops", async (at) => {
  await at.example("Follow the vibe");
  await at.page.getByRole("button", { name: "Run" }).click();
  await at.events().first().waitFor();
  const guest = await demo.ask("mutation($input: CheckInInput!) { checkIn(input: $input) { token } }",
    { input: { idempotencyKey: crypto.randomUUID(), venueCode: demo.code } });
  await at.events().nth(1).waitFor();
  const numbers = (await at.page.locator("#events summary b").allTextContents()).map((text) => parseInt(text, 10));
  assert.deepEqual(numbers, numbers.toSorted((a, b) => b - a));
  assert.equal(await at.events().first().locator("details").getAttribute("open"), "");
  await at.page.getByRole("button", { name: "Stop" }).click();
  await at.said("Stopped.");
  const count = await at.events().count();
  await demo.ask("mutation($input: CheckOutInput!) { checkOut(input: $input) { userErrors { code } } }",
    { input: { idempotencyKey: crypto.randomUUID() } }, guest.checkIn.token);
  assert.equal(await at.events().count(), count);
  await at.page.getByRole("button", { name: "Run" }).waitFor();
});

// A hub of the test's own making, for what the real one does not do when it is asked to.
function stand(name, serve, body) {
  test(name, async () => {
    const context = await browser.newContext();
    try {
      const page = await context.newPage();
      let lines = 0;
      await page.routeWebSocket(/graphql/, (socket) => {
        lines += 1;
        const line = lines;
        socket.onMessage((message) => {
          const { type, id } = JSON.parse(message);
          if (type === "connection_init") socket.send(JSON.stringify({ type: "connection_ack" }));
          if (type === "subscribe") serve(socket, line, (payload) => socket.send(JSON.stringify({ id, type: "next", payload })));
        });
      });
      await page.goto(door());
      await page.locator("#query").fill("subscription { n }");
      await page.keyboard.press("Control+Enter");
      await body(page);
    } finally {
      await context.close();
    }
  });
}

stand("a page that is left open keeps the last hundred events", (_socket, _line, next) => {
  for (let n = 1; n <= 250; n += 1) next({ data: { n } });
}, async (page) => {
  await page.locator("#meta", { hasText: "250 events, the last 100 shown" }).waitFor();
  assert.equal(await page.locator("#events > li").count(), 100);
  assert.match(await page.locator("#events pre").first().textContent(), /250/);
});

stand("a subscription goes on when the hub is back", (socket, line, next) => {
  next({ data: { n: line } });
  if (line === 1) socket.close({ code: 1001, reason: "Going away" });
}, async (page) => {
  await page.locator("#events > li").nth(1).waitFor();
  await page.getByRole("button", { name: "Stop" }).waitFor();
});

stand("a token that is refused is said to be so, once", (socket) => socket.close({ code: 4403, reason: "Forbidden" }), async (page) => {
  await page.locator("#errors", { hasText: "The hub does not accept this token." }).waitFor();
  await page.getByRole("button", { name: "Run" }).waitFor();
});

desk("a subscription that is refused says why", async (at) => {
  await at.write("subscription { nothingLikeThis }");
  await at.page.keyboard.press("Control+Enter");
  await at.page.locator("#errors li").first().waitFor();
  await at.page.getByRole("button", { name: "Run" }).waitFor();
});

desk("what is wrong is said where it is wrong", async (at) => {
  await at.write("{ venue { name } }", "{ \"first\": }");
  await at.page.locator("#variables-wrong", { hasText: /^This is no JSON yet/ }).waitFor();
  assert.equal(await at.page.locator("#variables").getAttribute("aria-invalid"), "true");
  await at.page.locator("#variables").fill("[1]");
  await at.page.locator("#variables-wrong", { hasText: "one object" }).waitFor();
  await at.page.locator("#query").focus();
  await at.page.keyboard.press("Control+Enter");
  assert.equal(await at.page.evaluate(() => document.activeElement.id), "variables");
  await at.write("");
  await at.page.keyboard.press("Control+Enter");
  assert.match(await at.text("query-wrong"), /no query here yet/);
  await at.write("query A {\n  venue {\n    nothingLikeThis\n  }\n}");
  const { errors } = await at.run();
  assert.equal(errors[0].locations[0].line, 3);
  assert.equal(await at.page.locator(".lines b").first().textContent(), "3");
  await at.page.getByRole("button", { name: "line 3" }).click();
  assert.match(await at.page.locator("#query").evaluate((area) => area.value.slice(area.selectionStart)), /^nothingLikeThis/);
}, { allowed: /status of 400/ });

test("without a code the page says where one is, and asks nothing", async () => {
  const at = await Desk.openAt(browser, demo.url("/graphiql"));
  try {
    await at.example("Check in");
    await at.page.keyboard.press("Control+Enter");
    await at.said("it is on the poster");
    assert.equal(await at.page.getByRole("button", { name: "Run" }).count(), 1);
  } finally {
    await at.close();
  }
});

desk("of several operations the one with the caret runs", async (at) => {
  await at.write("query One { venue { name } }\n\n# between\nquery Two { syncStatus { state } }\nquery Three { players { name } }");
  for (const [name, field] of [["One", "venue"], ["Two", "syncStatus"], ["Three", "players"]]) {
    await at.page.locator("#query").evaluate((area, word) => { area.focus(); area.setSelectionRange(area.value.indexOf(word), area.value.indexOf(word)); }, name);
    assert.deepEqual(Object.keys((await at.run()).data), [field]);
  }
});

desk("a new line keeps its place, and what was typed can be undone", async (at) => {
  await at.write("");
  await at.page.locator("#query").focus();
  await at.page.keyboard.type("query {}");
  await at.page.keyboard.press("ArrowLeft");
  await at.page.keyboard.press("Enter");
  await at.page.keyboard.type("venue {");
  await at.page.keyboard.press("Enter");
  await at.page.keyboard.type("name");
  assert.equal(await at.query(), "query {\n  venue {\n    name\n}");
  await at.page.keyboard.press("Control+z");
  assert.notEqual(await at.query(), "query {\n  venue {\n    name\n}");
});

desk("what stands under the text is the text, in colour, at the same place", async (at) => {
  await at.write("# a comment\nquery A($first: Int!) {\n  upNext(first: $first) { song { title(x: \"a \\\" b\") } }\n}");
  const [over, under] = await at.page.evaluate(() => {
    const area = document.getElementById("query");
    const pre = area.previousElementSibling;
    const look = (element) => {
      const { fontFamily, fontSize, lineHeight, letterSpacing, paddingLeft, paddingTop, tabSize } = getComputedStyle(element);
      const { left, top } = element.getBoundingClientRect();
      return { fontFamily, fontSize, lineHeight, letterSpacing, paddingLeft, paddingTop, tabSize, left, top, text: element.value ?? element.textContent.slice(0, -1) };
    };
    return [look(area), look(pre)];
  });
  assert.deepEqual(over, under);
  assert.equal(await at.page.locator("#query").evaluate((area) => area.scrollWidth <= area.clientWidth && area.scrollHeight <= area.clientHeight), true);
});

desk("the schema can be searched and walked through, and writes what is asked", async (at) => {
  await at.tab("Schema");
  await at.page.getByRole("heading", { name: "Query", exact: true }).waitFor();
  await at.page.getByLabel("Search the schema").fill("skip");
  await at.page.getByText("voteToSkip").first().waitFor();
  await at.page.getByLabel("Search the schema").fill("no such word");
  await at.page.getByText("Nothing here is called that.").waitFor();
  await at.page.getByRole("button", { name: "Back" }).click();
  await at.page.getByRole("button", { name: "NowPlaying", exact: true }).first().click();
  await at.page.getByRole("heading", { name: "NowPlaying" }).waitFor();
  await at.page.getByText("Position at asOf.").waitFor();
  await at.page.getByRole("button", { name: "Back" }).click();
  await at.write("");
  await at.page.getByRole("button", { name: "Write a query of nowPlaying" }).click();
  assert.match(await at.query(), /^query NowPlaying \{\n {2}nowPlaying \{\n/);
  assert.equal((await at.run()).errors, undefined);
  await at.tab("Schema");
  await at.page.getByRole("button", { name: "Write a mutation of checkIn" }).click();
  assert.match(await at.query(), /mutation CheckIn\(\$input: CheckInInput!\)/);
  assert.deepEqual(JSON.parse(await at.page.locator("#variables").inputValue()).input, { idempotencyKey: "{{key}}", venueCode: "{{code}}" });
  const { data } = await at.run();
  assert.deepEqual(data.checkIn.userErrors, []);
});

desk("every operation that the schema can write is one that the hub understands", async (at) => {
  await at.tab("Schema");
  const buttons = at.page.locator("[aria-label^='Write a ']");
  await buttons.first().waitFor();
  const labels = await buttons.evaluateAll((all) => all.map((button) => button.getAttribute("aria-label")));
  assert.ok(labels.length >= 20, labels.join());
  for (const label of labels.filter((label) => !label.includes("subscription"))) {
    await at.write("");
    await at.tab("Schema");
    await at.page.getByRole("button", { name: label, exact: true }).click();
    const { errors = [] } = await at.run();
    assert.deepEqual(errors.filter(({ extensions }) => extensions?.code === "GRAPHQL_VALIDATION_FAILED" || extensions?.code === "GRAPHQL_PARSE_FAILED"), [], label);
  }
}, { allowed: /status of 400/ });

desk("a field is inserted where the caret is", async (at) => {
  await at.write("{\n  venue {\n    \n  }\n}");
  await at.page.locator("#query").evaluate((area) => area.setSelectionRange(16, 16));
  await at.tab("Schema");
  await at.page.getByRole("button", { name: "Venue", exact: true }).first().click();
  await at.page.getByRole("button", { name: "Insert zones" }).click();
  assert.match(await at.query(), /venue \{\n {4}zones \{\n {6}\w+/);
  assert.equal((await at.run()).errors, undefined);
});

desk("the answer can be copied where no context is secure", async (at) => {
  await at.write("{ venue { name } }");
  await at.run();
  await at.page.getByRole("button", { name: "Copy" }).click();
  await at.page.getByRole("button", { name: "Copied" }).waitFor();
  await at.page.locator("#variables").focus();
  await at.page.keyboard.press("Control+v");
  assert.match(await at.page.locator("#variables").inputValue(), /"venue"/);
}, { url: () => `http://roomtone.local:${demo.port}/graphiql` });

desk("with the keyboard alone: every control is reached and shows its focus", async (at) => {
  await at.page.keyboard.press("Tab");
  const seen = new Map();
  for (let tab = 0; tab < 14; tab += 1) {
    const here = await at.page.evaluate(() => {
      const element = document.activeElement;
      const box = element.closest(".code") ?? element;
      const { outlineStyle } = getComputedStyle(element);
      return { name: element.id || element.textContent.trim(), shown: outlineStyle === "solid" || getComputedStyle(box).boxShadow.includes("2px") };
    });
    seen.set(here.name, here.shown);
    await at.page.keyboard.press("Tab");
  }
  for (const name of ["Listener page", "run", "query", "variables", "token", "show", "tab-examples"]) {
    assert.equal(seen.get(name), true, `${name}: ${seen.get(name)}`);
  }
  await at.page.locator("#tab-examples").focus();
  await at.page.keyboard.press("ArrowLeft");
  assert.equal(await at.page.evaluate(() => document.activeElement.id), "tab-schema");
  assert.equal(await at.page.locator("#tab-schema").getAttribute("aria-selected"), "true");
  await at.page.keyboard.press("Home");
  assert.equal(await at.page.evaluate(() => document.activeElement.id), "tab-answer");
});

desk("a screen reader hears what is what, and how it went", async (at) => {
  const { page } = at;
  await page.getByRole("textbox", { name: "Query" }).waitFor();
  await page.getByRole("textbox", { name: "Variables" }).waitFor();
  await page.getByRole("tabpanel", { name: "Examples" }).waitFor();
  await at.write("{ venue { name } }");
  await at.run();
  assert.match(await page.locator("#said[role=status]").textContent(), /^Answered with no errors in \d+ milliseconds\.$/);
  await page.getByRole("region", { name: "The answer as JSON" }).waitFor();
  const bare = await page.locator("button:visible, input:visible, textarea:visible").evaluateAll((controls) =>
    controls.filter((control) => !(control.innerText || control.getAttribute("aria-label") || control.labels?.length)).map((control) => control.id));
  assert.deepEqual(bare, []);
});

desk("at 320 pixels nothing runs out of the page", async (at) => {
  const fits = async (what) => assert.ok(await at.page.evaluate(() => document.documentElement.scrollWidth <= 320), what);
  await fits("examples");
  await at.tab("Schema");
  await at.page.locator("#types li").first().waitFor();
  await fits("schema");
  await at.example("Like what plays");
  await fits("a long example");
  await at.run();
  await fits("answer");
  assert.ok(await at.page.locator("#tab-answer").evaluate((tab) => tab.getBoundingClientRect().top < innerHeight), "the answer is in sight");
}, { options: { viewport: { width: 320, height: 640 }, reducedMotion: "reduce" } });

desk("the page is light, and its policy strict", async (at) => {
  const answer = await at.page.request.get(demo.url("/graphiql/small"));
  const policy = answer.headers()["content-security-policy"];
  assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
  assert.doesNotMatch(policy, /unsafe/);
  const own = await at.page.evaluate(() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .filter(({ name }) => /\/graphiql|\/ui\/query\//.test(name)).map(({ name, encodedBodySize }) => [name, encodedBodySize]));
  const weight = own.reduce((sum, [, bytes]) => sum + bytes, 0);
  console.log(`the query page loads ${weight} bytes in ${own.length} files of its own`);
  assert.ok(own.length >= 10 && weight > 10_000 && weight <= 30_000, `${weight} bytes: ${own.join(" ")}`);
});

// What a browser says itself of a page that is not shown yet.
const KNOCKING = { url: () => venue.url("/graphiql"), allowed: /status of 40[01]/ };

desk("in a venue the manager signs in, stays in for the tab, and out goes an old token", async (at) => {
  const { page } = at;
  const token = await venue.token("manager", "token");
  await page.getByLabel("Manager’s token").fill("not the one");
  await page.keyboard.press("Enter");
  await page.locator("#why", { hasText: "This is not the manager" }).waitFor();
  await page.getByLabel("Manager’s token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator("#list li").first().waitFor();
  assert.equal(await page.title(), "Queries – Roomtone");
  await at.write("{ venue { name } }");
  assert.equal((await at.run()).errors, undefined);
  await at.tab("Schema");
  await page.getByRole("heading", { name: "Query", exact: true }).waitFor();
  await page.reload();
  await page.locator("#list li").first().waitFor();
  assert.ok(at.requests.every((url) => !url.includes(token)));
  assert.equal(await page.evaluate(() => document.cookie + JSON.stringify(localStorage)).then((kept) => kept.includes(token)), false);
  await venue.token("manager", "token");
  await page.reload();
  await page.locator("#why", { hasText: "no longer good" }).waitFor();
}, KNOCKING);

desk("where the schema is refused the page says so plainly and works on", async (at) => {
  const { page } = at;
  await page.getByLabel("Manager’s token").fill(await venue.token("manager", "token"));
  await page.keyboard.press("Enter");
  await page.locator("#list li").first().waitFor();
  await page.getByLabel("Token", { exact: true }).fill("");
  await at.tab("Schema");
  await page.getByText("This hub tells its schema to its manager only.").waitFor();
  await at.write("{ venue { name } }");
  assert.equal((await at.run()).errors, undefined);
}, { ...KNOCKING, allowed: /status of 40[0134]/ });

test("with --dev the page is open to everybody, on the network too", async () => {
  const open = await Hub.venue("--dev");
  try {
    const at = await Desk.openAt(browser, `http://roomtone.local:${open.port}/graphiql`);
    await at.tab("Schema");
    await at.page.getByRole("heading", { name: "Query", exact: true }).waitFor();
    await at.write("{ venue { name } }");
    assert.equal((await at.run()).errors, undefined);
    await at.close();
  } finally {
    await open.close();
  }
});

desk("from elsewhere the hub takes no manager's token, and says where it does", async (at) => {
  await at.page.getByRole("heading", { name: "Not from here" }).waitFor();
  assert.equal(await at.page.locator("input").count(), 0);
  const token = await venue.token("manager", "token");
  const answer = await at.page.evaluate((token) => fetch("/graphiql", { headers: { authorization: `Bearer ${token}` } }).then((came) => came.status), token);
  assert.equal(answer, 403);
}, { url: () => `http://roomtone.local:${venue.port}/graphiql`, allowed: /status of 403/ });
