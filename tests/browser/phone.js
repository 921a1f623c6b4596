// A phone: one browser context with one page, and what went wrong on it.

import { chromium } from "playwright-core";

// `--no-sandbox`: tests may run as root. The rest keeps Chromium from calling home.
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

export const openBrowser = (...flags) =>
  chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: [...FLAGS, ...flags] });

export class Phone {
  static async open(browser, url, options = {}) {
    const context = await browser.newContext({ viewport: { width: 390, height: 844 }, ...options });
    const phone = new this();
    phone.context = context;
    phone.page = await context.newPage();
    phone.page.setDefaultTimeout(15_000);
    phone.troubles = [];
    phone.requests = [];
    phone.page.on("console", (message) => message.type() === "error" && phone.troubles.push(message.text()));
    phone.page.on("pageerror", (error) => phone.troubles.push(String(error.stack)));
    phone.page.on("request", (request) => phone.requests.push(request.url()));
    phone.page.on("websocket", (socket) => phone.requests.push(socket.url().replace(/^ws/, "http")));
    await phone.page.addInitScript(watchShifts);
    await phone.page.goto(url);
    await phone.ready();
    return phone;
  }

  // The title of the song is there, and the colours are in place.
  ready() {
    return this.page.waitForFunction(() => document.getElementById("title").textContent.trim() && !document.documentElement.classList.contains("arriving"));
  }

  async checkIn() {
    await this.button("Check in").click();
    await this.page.locator("#votes").waitFor();
  }

  button(name) {
    return this.page.getByRole("button", { name });
  }

  // Waits until the button says so.
  pressed(id, state = true) {
    return this.page.locator(`#${id}[aria-pressed="${state}"]`).waitFor();
  }

  // Presses a key and waits for the hub's answer to the vote.
  async voteBy(key) {
    const answered = this.page.waitForResponse((answer) => answer.request().postData()?.includes("mutation Vote"));
    await this.page.keyboard.press(key);
    await (await answered).finished();
  }

  vibe() {
    return this.page.locator("#vibe").getAttribute("data-axes");
  }

  vibeOtherThan(axes, options) {
    return this.page.waitForFunction((before) => document.getElementById("vibe").dataset.axes !== before, axes, options);
  }

  text(id) {
    return this.page.locator(`#${id}`).innerText();
  }

  notice(part) {
    return this.page.locator(".notice", { hasText: part });
  }

  token() {
    return this.page.evaluate(() => localStorage.getItem("roomtone.token"));
  }

  shifts() {
    return this.page.evaluate(() => window.shifts);
  }

  close() {
    return this.context.close();
  }
}

function watchShifts() {
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const moved = entry.sources.map(({ node }) => node?.id || node?.className || node?.nodeName);
      if (!entry.hadRecentInput) window.shifts.push({ value: entry.value, moved });
    }
  }).observe({ type: "layout-shift", buffered: true });
}
