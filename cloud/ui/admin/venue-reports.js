// Reports of what was played: asked for here, written in the background, kept for a while.

import { Refused, ask, change } from "./api.js";
import { h, icon, render } from "./dom.js";
import { EXPORT } from "./operations.js";
import { attempt, field, form, input, select } from "./parts.js";
import { dayAfter, iso, midnight, month } from "./calendar.js";
import { count, date, when } from "./say.js";
import { nameOf, report } from "./tray.js";

const QUERY = `query Exports($id: ID!) { venue(id: $id) { exports { ${EXPORT} } } }`;
const AGAIN_MS = 5000;

export function tab(place, { id }) {
  let [venue, exports, timer, over, isOwn] = [null, [], 0, false, false];

  async function look() {
    clearTimeout(timer);
    const found = await attempt(() => ask(QUERY, { id }));
    if (over || !found?.venue) return;
    ({ exports } = found.venue);
    draw();
    if (exports.some(({ status }) => ["QUEUED", "RUNNING"].includes(status))) timer = setTimeout(look, AGAIN_MS);
  }

  async function work({ kind, format, span, from, to }, key) {
    const range = span === "own" ? { from: midnight(from, venue.timeZone), to: midnight(dayAfter(to), venue.timeZone) } : month(span, venue.timeZone);
    if (!range.from || !range.to) throw Object.assign(new Refused("say both days"), { field: range.from ? "to" : "from" });
    const { export: asked } = await change("createHistoryExport", { venueId: id, kind, format, range: iso(range) }, `export { ${EXPORT} }`, key);
    report(asked);
    await look();
  }

  function draw() {
    const own = h("div", { class: "pairs own-span", hidden: !isOwn }, field("From", input("from", { type: "date", id: "from" })), field("To and with", input("to", { type: "date", id: "to" })));
    render(place, h("div", { class: "two" },
      h("section", { class: "stack", "aria-labelledby": "reports-head" }, h("h2", { id: "reports-head" }, "Reports"),
        exports.length === 0 && h("p", { class: "quiet" }, "None has been asked for yet. Rights societies want a line per song; it holds every play, also those that a hub told days later."),
        h("ul", { class: "rows" }, exports.map(line))),
      h("section", { class: "card stack", key: "ask" }, h("h2", {}, "A new report"),
        form({ class: "stack" }, work,
          field("What", select("kind", { REPORT: "A line for each song, for rights societies", PLAYS: "A line for each play" }, "REPORT", { id: "kind" })),
          field("Of which time", select("span", { last: "Last month", this: "This month so far", own: "From and to" }, "this", { id: "span", onchange: (event) => { isOwn = event.target.value === "own"; draw(); } })),
          own,
          field("As", select("format", { CSV: "A table (CSV)", NDJSON: "JSON, a line each" }, "CSV", { id: "format" })),
          h("button", { class: "big solid", type: "submit" }, "Make the report")))));
  }

  function line(report) {
    const { status, rows, downloadUrl, failure, createdAt, format } = report;
    const said = { QUEUED: "Waits to be written", RUNNING: "Being written", FAILED: failure ?? "It was given up", READY: `${count(rows, "line")}, ${format === "CSV" ? "CSV" : "JSON"}` }[status];
    return h("li", { class: "card box report", key: report.id },
      h("div", { class: "names" }, h("h3", {}, nameOf(report)), h("p", { class: "quiet" }, `${said} · asked for ${when(createdAt, venue.timeZone)}${report.expiresAt ? ` · kept until ${date(report.expiresAt, venue.timeZone)}` : ""}`)),
      downloadUrl && h("a", { class: "pill solid", href: downloadUrl, download: "" }, icon("down"), "Download"));
  }

  return { show(next) { const isFirst = !venue; venue = next; draw(); if (isFirst) look(); }, stop() { over = true; clearTimeout(timer); } };
}
