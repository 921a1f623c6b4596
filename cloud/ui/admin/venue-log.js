// Who changed what, and what a hub told that could not be taken.

import { ask, change } from "./api.js";
import { h, render } from "./dom.js";
import { attempt, button, notice, question } from "./parts.js";
import { sentence } from "/ui/words.js";
import { clock, count, day, done, sentenceCase, when } from "./say.js";

const PAGE = 30;
const LOG = `query Log($id: ID!, $after: String) { venue(id: $id) { auditLog(first: ${PAGE}, after: $after) { totalCount pageInfo { hasNextPage endCursor }
  nodes { id action at detail target actor { displayName email } } } } }`;
const LETTERS = `query Letters($id: ID!) { node(id: $id) { ... on Hub { id name deadLetters(first: 50) { totalCount nodes { id seq epoch kind outcome reason payload receivedAt } } } } }`;

export function tab(place, { id }) {
  let [venue, entries, total, more, letters, seen] = [null, [], 0, null, [], ""];

  async function look(isMore = false) {
    const found = await attempt(() => ask(LOG, { id, after: isMore ? more : null }));
    if (!found?.venue) return;
    const { auditLog } = found.venue;
    entries = isMore ? [...entries, ...auditLog.nodes] : auditLog.nodes;
    total = auditLog.totalCount;
    more = auditLog.pageInfo.hasNextPage ? auditLog.pageInfo.endCursor : null;
    draw();
  }

  async function lookForLetters() {
    const found = await Promise.all(venue.hubs.map((hub) => attempt(() => ask(LETTERS, { id: hub.id }))));
    letters = found.map((one) => one?.node).filter((hub) => hub?.deadLetters.totalCount > 0);
    draw();
  }

  async function retry(letter) {
    await attempt(async () => {
      await change("retryDeadLetter", { id: letter.id }, "hub { id }");
      notice("It is tried again. What still cannot be taken comes back here.");
      await lookForLetters();
    });
  }

  async function discard(letter) {
    const text = "It counts for nothing from then on, and cannot be brought back. This log keeps what it said.";
    if (!(await question("Discard what the hub told?", text, "Discard it"))) return;
    await attempt(async () => {
      await change("discardDeadLetter", { id: letter.id }, "hub { id }");
      notice("It is discarded.");
      await Promise.all([lookForLetters(), look()]);
    });
  }

  function draw() {
    let before = "";
    render(place, h("div", { class: "two" },
      h("section", { class: "stack", "aria-labelledby": "log-head" }, h("h2", { id: "log-head" }, "Who changed what"),
        h("ol", { class: "log" }, entries.map((entry) => {
          const on = day(entry.at, venue.timeZone);
          const head = on === before ? null : h("span", { class: "on quiet" }, on);
          before = on;
          return h("li", { key: entry.id }, head, h("span", { class: "at quiet" }, clock(entry.at, venue.timeZone)),
            h("span", {}, h("strong", {}, entry.actor?.displayName ?? entry.actor?.email ?? "The cloud or its hub"), ` ${done(entry.action)}`, detail(entry)));
        })),
        entries.length === 0 && h("p", { class: "quiet" }, "Nothing yet."),
        more && h("p", { class: "buttons" }, button(`Show more of ${total}`, () => look(true)))),
      h("section", { class: "stack", "aria-labelledby": "letters-head" }, h("h2", { id: "letters-head" }, "Dead letters"),
        h("p", { class: "quiet" }, letters.length === 0 ? "None: all that the hubs told could be taken." : "What a hub told and the cloud could not take. It holds up nothing else."),
        letters.map((hub) => h("div", { class: "stack", key: hub.id }, h("h3", {}, `${hub.name}: ${count(hub.deadLetters.totalCount, "dead letter")}`),
          h("ul", { class: "rows" }, hub.deadLetters.nodes.map((letter) => h("li", { class: "card box", key: letter.id },
            h("h3", {}, sentenceCase(letter.kind.replaceAll("_", " "))), h("p", {}, sentence(letter.reason)),
            h("p", { class: "quiet" }, `No. ${letter.seq}, ${when(letter.receivedAt, venue.timeZone)}${letter.outcome === "PARKED" ? "; it is tried again by itself" : ""}`),
            h("details", {}, h("summary", {}, "What it says"), h("pre", {}, pretty(letter.payload))),
            h("p", { class: "buttons" }, button("Try again", () => retry(letter), { class: "pill solid" }), button("Discard", () => discard(letter)))))))))));
  }

  return {
    show(next) {
      venue = next;
      // The log moves with the venue, and only then.
      const now = JSON.stringify([next.hubs, next.members, next.zones, next.name]);
      if (now === seen) return draw();
      seen = now;
      look();
      return lookForLetters();
    },
  };
}

function pretty(json) {
  try { return JSON.stringify(JSON.parse(json), null, 1); } catch { return json; }
}

// The plain values of a detail, such as a name; the rest is for programs.
function detail({ detail: json }) {
  try {
    const { asked, changed } = JSON.parse(json) ?? {};
    if (asked !== undefined) return h("span", { class: "quiet" }, ` – ${changed} of ${asked}`);
    const told = Object.entries(JSON.parse(json) ?? {}).filter(([, value]) => ["string", "number", "boolean"].includes(typeof value) && !/^[0-9a-f-]{36}$/.test(value));
    return told.length ? h("span", { class: "quiet" }, ` – ${told.map(([key, value]) => `${key.replaceAll("_", " ")}: ${value}`).join(", ")}`) : null;
  } catch {
    return null;
  }
}
