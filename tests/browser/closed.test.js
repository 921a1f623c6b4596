// A zone outside its hours: the page says until when, by the venue's clock.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { Hub } from "./hub.js";
import { Phone, openBrowser } from "./phone.js";

const HOUR_MS = 3_600_000;
const inTokyo = (at) => new Intl.DateTimeFormat("en-GB", { timeZone: "Asia/Tokyo", hour: "2-digit", minute: "2-digit" }).format(at);

test("a closed room says until when, in the venue's time and not the phone's", async () => {
  const folder = await mkdtemp(join(tmpdir(), "roomtone-closed-"));
  const [from, to] = [inTokyo(Date.now() + 2 * HOUR_MS), inTokyo(Date.now() + 3 * HOUR_MS)];
  const days = '["mon", "tue", "wed", "thu", "fri", "sat", "sun"]';
  const settings = `[venue]\ntime_zone = "Asia/Tokyo"\n[zones.main.schedule]\nhours = [{ days = ${days}, from = "${from}", to = "${to}" }]\n`;
  await writeFile(join(folder, "hub.toml"), settings);
  const [hub, browser] = await Promise.all([Hub.venue("--config", join(folder, "hub.toml")), openBrowser()]);
  try {
    for (const options of [{ timezoneId: "America/New_York" }, { timezoneId: "Europe/Berlin", colorScheme: "dark" }]) {
      const phone = await Phone.open(browser, hub.door, options);
      assert.match(await phone.text("title"), new RegExp(`^Closed until (tomorrow, )?${from}$`));
      assert.equal(await phone.text("artist"), "The music begins again when the house opens.");
      assert.match(await phone.page.title(), /^Closed until/);
      assert.deepEqual(phone.troubles, []);
      if (process.env.ROOMTONE_SCREENSHOTS) await phone.page.screenshot({ path: join(process.env.ROOMTONE_SCREENSHOTS, `closed-${options.colorScheme ?? "light"}.png`) });
      await phone.close();
    }
  } finally {
    await browser.close();
    await hub.close();
    await rm(folder, { recursive: true, force: true });
  }
});
