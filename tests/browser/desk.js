// Somebody at the query page: one browser context with one page, and what went wrong on it.

import { Phone } from "./phone.js";

export class Desk extends Phone {
  static openAt(browser, url, options = {}) {
    return Desk.open(browser, url, { viewport: { width: 1280, height: 844 }, ...options });
  }

  ready() {
    return this.page.waitForFunction(() => document.querySelector("#list li, #door, .gate") && !document.documentElement.classList.contains("arriving"));
  }

  async write(query, variables = "") {
    await this.page.locator("#query").fill(query);
    await this.page.locator("#variables").fill(variables);
  }

  // Runs what is written and waits for the one answer.
  async run() {
    await this.page.keyboard.press("Control+Enter");
    await this.page.locator("#json").waitFor();
    return JSON.parse(await this.page.locator("#json").textContent());
  }

  async example(title) {
    await this.tab("Examples");
    await this.page.locator("#list button", { hasText: title }).first().click();
  }

  tab(name) {
    return this.page.getByRole("tab", { name }).click();
  }

  // Events as they stand on the page, the newest first.
  events() {
    return this.page.locator("#events > li");
  }

  said(part) {
    return this.page.locator("#meta", { hasText: part }).waitFor();
  }

  query() {
    return this.page.locator("#query").inputValue();
  }
}
