// How people fare in the zones of a venue, as its hub told last: a mean alone hides who is left out.

import { h } from "./dom.js";
import { count, when } from "./say.js";

export const FAIRNESS = `zones { id name archivedAt settings { fairness } fairness { toldAt people now { ${figures()} } days { date visits songs figures { ${figures()} } } } }`;

function figures() {
  return "mean worst worstOfMean longestDrought";
}

// By the venue's calendar already: no time zone moves it.
const named = (date) => new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" }).format(new Date(`${date}T00:00:00Z`));

// From -1 to 1 as a part of a hundred; what is against a taste is below nothing.
const hundredths = (value) => String(Math.round(100 * value)).replace("-", "\u2212");

function row(key, name, people, told) {
  const share = told.worstOfMean === null ? "" : `${hundredths(told.worstOfMean)} % of it`;
  return h("tr", { key }, h("th", { scope: "row" }, name), h("td", {}, String(people)), h("td", {}, hundredths(told.mean)),
    h("td", {}, hundredths(told.worst), share && h("span", { class: "quiet" }, share)), h("td", {}, String(told.longestDrought)));
}

// The last days first.
function table(zone) {
  const { now, people, days } = zone.fairness;
  const heads = ["When", "People", "Satisfied", "Least so", "Drought"];
  return h("div", { class: "scrolls", tabindex: 0, role: "region", "aria-label": `Who is heard in ${zone.name}, as a table` }, h("table", { class: "fares" },
    h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col", key: head }, head)))),
    h("tbody", {}, now && row("now", "Now", people, now), [...days].reverse().slice(0, 7).map((day) => row(day.date, named(day.date), day.visits, day.figures)))));
}

function zoneFares(zone, { isOnly, timeZone }) {
  const told = zone.fairness;
  const known = told && (told.now || told.days.length > 0);
  return h("div", { class: "zone-fares", key: zone.id },
    !isOnly && h("h3", {}, zone.name),
    known
      ? [h("p", { class: "quiet" }, `Fairness is ${hundredths(zone.settings.fairness)} of 100. Told ${when(told.toldAt, timeZone)}; ${told.people ? `${count(told.people, "person", "people")} here now.` : "nobody is here now."}`), table(zone)]
      : h("p", { class: "quiet" }, told ? "Nobody has stayed for five songs yet." : "Its hub has not told yet."));
}

export function fairnessCard(zones, timeZone) {
  const open = zones.filter(({ archivedAt }) => !archivedAt);
  return h("section", { class: "card", "aria-labelledby": "who-is-heard" },
    h("h2", { id: "who-is-heard" }, "Who is heard"),
    open.map((zone) => zoneFares(zone, { isOnly: open.length === 1, timeZone })),
    h("p", { class: "quiet" }, "Satisfied: how near the songs were to what people like. 100 is just that, 0 has nothing to do with it, below 0 is against it. Least so: whoever had least. Drought: the most songs in a row against somebody\u2019s taste."),
    h("p", { class: "quiet" }, "What another fairness would have made of these days, the hub tells: ", h("code", {}, "roomtone-hub replay --fairness 0.7")));
}
