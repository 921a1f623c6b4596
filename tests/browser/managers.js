// Whoever runs venues, at the two pages that are for them: the cloud's /admin and the hub's /manage.

import { join } from "node:path";

import { Phone } from "./phone.js";

// Somebody at the cloud's page.
export class CloudManager extends Phone {
  ready() {
    return this.page.waitForFunction(() => document.querySelector("main h1, main .empty h2"));
  }

  title(words) {
    return this.page.locator("main h1", { hasText: words }).waitFor();
  }

  notice(words) {
    return this.page.locator("#notices .notice", { hasText: words });
  }

  async undo(words) {
    const notice = this.notice(words);
    await notice.waitFor();
    await notice.getByRole("button", { name: "Undo" }).click();
  }

  link(name) {
    return this.page.getByRole("link", { name, exact: true });
  }

  async tab(name) {
    await this.page.locator(".tabs").getByRole("link", { name, exact: true }).click();
    await this.page.locator(`.tabs [aria-current="page"]`, { hasText: name }).waitFor();
  }

  song(title) {
    return this.page.locator(".song-line", { hasText: title });
  }

  // How the page was left, for whoever looks.
  shot(name) {
    const folder = process.env.ROOMTONE_SCREENSHOTS;
    return folder && this.page.screenshot({ path: join(folder, `${name.replace(/\W+/g, "-").slice(0, 60)}.png`) });
  }
}

// Somebody at the hub's page.
export class HubManager extends Phone {
  ready() {
    return this.page.waitForFunction(() => ["gate", "office", "sheet"].some((id) => document.getElementById(id)?.hidden === false));
  }

  async byPin(pin) {
    await this.page.locator("#pin").fill(pin);
    await this.button("Sign in").click();
  }

  inside() {
    return this.page.locator("#office").waitFor();
  }

  async view(name) {
    await this.page.getByRole("navigation").getByRole("link", { name }).click();
    await this.page.waitForFunction((name) => document.querySelector("nav [aria-current]").textContent.startsWith(name), name);
  }

  shot(name) {
    return process.env.ROOMTONE_SCREENSHOTS && this.page.screenshot({ path: join(process.env.ROOMTONE_SCREENSHOTS, `${name}.png`), fullPage: true });
  }

  hangsOut() {
    return this.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  }
}
