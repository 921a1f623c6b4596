// A venue's week: when its zones are open, what they sound like when, and what its licence allows. What is changed is saved
// at once, and can be undone.

import { numbers } from "/ui/curve.js";
import { mood } from "/ui/words.js";
import { change } from "./api.js";
import { h, render } from "./dom.js";
import { attempt, button, field, form, input, notice, select, toned } from "./parts.js";
import { PROFILES, SONG_KINDS } from "./say.js";

const DAYS = { MON: "Monday", TUE: "Tuesday", WED: "Wednesday", THU: "Thursday", FRI: "Friday", SAT: "Saturday", SUN: "Sunday" };
const ALL = Object.keys(DAYS);
const SOUNDS = { "": "As the zone has it", INSTRUMENTAL: "Instrumental only", SOUNDSCAPE: "Soundscapes only" };
const short = (day) => DAYS[day].slice(0, 2);

// Minutes from midnight; what ends no later than it begins ends on the next day.
const minutes = (time) => { const [hour, minute] = time.split(":").map(Number); return 60 * hour + minute; };

// The pieces of a stretch by the day that they lie on, 0 to 1440.
function pieces({ days, from, to }) {
  const [begin, end] = [minutes(from), minutes(to)];
  return days.flatMap((day) => {
    const n = ALL.indexOf(day);
    if (end > begin) return [[n, begin, end]];
    return [[n, begin, 1440], ...(end > 0 ? [[(n + 1) % 7, 0, end]] : [])];
  });
}

function daysOf(days) {
  if (days.length === 7) return "Every day";
  const sorted = ALL.filter((day) => days.includes(day));
  const [first, last] = [ALL.indexOf(sorted[0]), ALL.indexOf(sorted.at(-1))];
  if (sorted.length > 2 && last - first === sorted.length - 1) return `${DAYS[sorted[0]]} to ${DAYS[sorted.at(-1)]}`;
  return sorted.map((day) => DAYS[day]).join(", ");
}

// What a daypart changes, in words.
function changes(part) {
  const said = [part.profile && mood(numbers(part.profile)), part.volumePercent !== null && `volume ${part.volumePercent} %`,
    part.kinds?.length > 0 && `${part.kinds.map((kind) => SONG_KINDS[kind].toLowerCase()).join(" and ")} only`,
    part.allowExplicit !== null && (part.allowExplicit ? "explicit words allowed" : "no explicit words"),
    part.profileWeight > 0 && `its profile counts as ${part.profileWeight}`].filter(Boolean);
  return said.join(", ") || "as the zone has it";
}

// What is sent back for what came.
const given = ({ hours, dayparts }) => ({
  hours: hours.map(({ days, from, to }) => ({ days, from, to })),
  dayparts: dayparts.map(({ profile, ...part }) => ({ ...part, profile: profile && numbers(profile) })),
});

export function tab(place, { id, look, role }) {
  let venue = null;
  const canDo = () => role("MANAGER");

  async function save(zone, schedule, said) {
    const before = given(zone.settings.schedule);
    const set = (value) => change("updateZone", { id: zone.id, settings: { schedule: value } }, "__typename");
    await set(schedule);
    await look();
    notice(said, async () => { await set(before); await look(); });
  }

  // Seven lines of a day each: the open hours as a band, the dayparts in the colour of their sound.
  function picture(zone) {
    const { hours, dayparts } = zone.settings.schedule;
    const open = hours.length ? hours.flatMap(pieces) : ALL.map((_, n) => [n, 0, 1440]);
    const said = hours.length ? hours.map((one) => `${daysOf(one.days)} from ${one.from} to ${one.to}`).join("; ") : "always open";
    return h("div", { class: "week", key: "week", role: "img", "aria-label": `The week of ${zone.name}: ${said}` },
      ALL.map((day, n) => h("div", { class: "week-day" }, h("span", { class: "quiet" }, short(day)),
        h("div", { class: "week-line" },
          open.filter(([at]) => at === n).map(([, from, to]) => h("span", { class: "week-open", style: { left: `${from / 14.4}%`, width: `${(to - from) / 14.4}%` } })),
          dayparts.flatMap((part) => pieces(part).filter(([at]) => at === n).map(([, from, to]) =>
            h("span", { class: "week-part toned", title: part.name, style: { left: `${from / 14.4}%`, width: `${(to - from) / 14.4}%`, ...toned(part.profile) } })))))),
      h("div", { class: "week-day", "aria-hidden": "true" }, h("span", {}), h("div", { class: "week-hours quiet" }, [0, 6, 12, 18, 24].map((hour) => h("span", {}, `${hour}`)))));
  }

  const dayChoice = (name) => h("fieldset", { class: "days" }, h("legend", {}, "Days"),
    ALL.map((day) => h("label", { class: "day" }, h("input", { type: "checkbox", name, value: day, checked: true }), h("span", { "aria-hidden": "true" }, short(day)), h("span", { class: "unseen" }, DAYS[day]))));
  const picked = (at, name) => [...at.querySelectorAll(`[name="${name}"]:checked`)].map(({ value }) => value);
  const times = (zone, kind) => [
    field("From", input("from", { id: `${zone.id}-${kind}-from`, type: "time", required: true, value: kind === "open" ? "08:00" : "18:00" })),
    field("Until", input("to", { id: `${zone.id}-${kind}-to`, type: "time", required: true, value: kind === "open" ? "18:00" : "23:00" }), "Midnight is 00:00.")];

  function rows(zone, list, line, without) {
    return h("ul", { class: "lines" }, list.map((one, n) => h("li", { class: "line" }, line(one),
      canDo() && button("Remove", () => attempt(() => save(zone, without(n), `Removed from the week of ${zone.name}.`)), { class: "pill plain" }))));
  }

  function zoneCard(zone) {
    const week = given(zone.settings.schedule);
    const { hours, dayparts } = zone.settings.schedule;
    const but = (list, n) => list.filter((_, at) => at !== n);
    const addHours = ({ from, to }, _key, at) => save(zone, { ...week, hours: [...week.hours, { days: picked(at, "days"), from, to }] }, `Opening hours of ${zone.name} saved.`);
    function addPart({ name, from, to, profile, weight, volume, kind }, _key, at) {
      const part = { name: name.trim(), days: picked(at, "days"), from, to, profile: PROFILES[profile] ?? null, kinds: kind ? [kind] : null,
        profileWeight: PROFILES[profile] && weight !== "" ? Number(weight) : null, volumePercent: volume === "" ? null : Number(volume), allowExplicit: null };
      return save(zone, { ...week, dayparts: [...week.dayparts, part] }, `${part.name} is part of the week of ${zone.name}.`);
    }
    return h("section", { class: "card stack", key: zone.id, "aria-label": `The week of the zone ${zone.name}` },
      h("div", { class: "box-head" }, h("h2", {}, `The zone ${zone.name}`)),
      picture(zone),
      h("h3", {}, "Open"),
      hours.length === 0 && h("p", { class: "quiet" }, "Always. With opening hours, no song begins outside of them, and that silence is meant."),
      rows(zone, hours, ({ days, from, to }) => h("span", {}, h("strong", {}, `${from}–${to}`), " ", daysOf(days)), (n) => ({ ...week, hours: but(week.hours, n) })),
      canDo() && h("details", { key: "add-hours" }, h("summary", {}, "Add opening hours"),
        form({ class: "stack week-form" }, addHours, dayChoice("days"), h("div", { class: "pairs" }, times(zone, "open")), h("p", { class: "buttons" }, h("button", { class: "pill solid", type: "submit" }, "Add them")))),
      h("h3", {}, "Dayparts"),
      dayparts.length === 0 && h("p", { class: "quiet" }, "None. A daypart gives some hours a sound, a volume or a kind of song of their own."),
      rows(zone, dayparts, (part) => h("span", { class: "toned part-line", style: toned(part.profile) }, h("span", { class: "dot", "aria-hidden": "true" }), h("span", {}, h("strong", {}, part.name), ` ${part.from}–${part.to}, ${daysOf(part.days)}`, h("br"), h("span", { class: "quiet" }, changes(part)))), (n) => ({ ...week, dayparts: but(week.dayparts, n) })),
      canDo() && h("details", { key: "add-part" }, h("summary", {}, "Add a daypart"),
        form({ class: "stack week-form" }, addPart, field("Name", input("name", { id: `${zone.id}-part-name`, maxlength: 60, required: true })), dayChoice("days"),
          h("div", { class: "pairs" }, times(zone, "part"),
            field("Sounds like", select("profile", { "": "As the zone has it", ...Object.fromEntries(Object.keys(PROFILES).map((name) => [name, name])) }, "", { id: `${zone.id}-part-profile` })),
            field("Counts as (people)", input("weight", { id: `${zone.id}-part-weight`, type: "number", min: 0, max: 20, step: 0.5, value: 1 }), "The profile, among those who are there."),
            field("Volume (%)", input("volume", { id: `${zone.id}-part-volume`, type: "number", min: 0, max: 100, placeholder: "as set" })),
            field("Songs", select("kind", SOUNDS, "", { id: `${zone.id}-part-kind` }))),
          h("p", { class: "buttons" }, h("button", { class: "pill solid", type: "submit" }, "Add the daypart")))));
  }

  function licenceCard() {
    const { showUpNext, skipsPerHour, performanceComplement, offlineStorage } = venue.licence;
    const now = { showUpNext, skipsPerHour, performanceComplement, offlineStorage };
    const set = (next) => attempt(async () => {
      const to = (licence) => change("updateVenue", { id, licence }, "__typename");
      await to({ ...now, ...next });
      await look();
      notice(`The licence of ${venue.name} saved.`, async () => { await to(now); await look(); });
    });
    const toggle = (label, name) => h("label", { class: "choice", key: name }, h("input", { type: "checkbox", checked: now[name], disabled: !canDo(), onchange: (event) => set({ [name]: event.target.checked }) }), label);
    return h("section", { class: "card stack", key: "licence", "aria-labelledby": "licence-head" }, h("h2", { id: "licence-head" }, "What the licence allows"),
      h("p", { class: "quiet" }, "As it stands: music of your own, or free of royalties, allows everything. The hubs hold to it, with or without the internet."),
      h("div", { class: "choices" }, toggle("Listeners may see what comes next", "showUpNext"),
        toggle("In 3 hours at most 3 songs of an album (2 in a row) and 4 of an artist (3 in a row)", "performanceComplement"),
        toggle("Songs may be kept on the venue's hubs and players", "offlineStorage")),
      !offlineStorage && h("p", { class: "quiet" }, "Players hold what sounds and the next hour. Hubs hold of these songs what that hour needs, and as much again to choose from. What was heard is removed. An outage is not heard: an hour of music stays until it is over."),
      field("Skips an hour, at most", input("skips", { id: "licence-skips", type: "number", min: 0, max: 60, value: skipsPerHour ?? "", placeholder: "as many as people like", disabled: !canDo(),
        onchange: (event) => set({ skipsPerHour: event.target.value === "" ? null : Number(event.target.value) }) })));
  }

  function draw() {
    render(place, h("div", { class: "two even" },
      h("div", { class: "stack" }, venue.zones.filter(({ archivedAt }) => !archivedAt).map(zoneCard)),
      h("div", { class: "stack" }, licenceCard(), h("p", { class: "quiet" }, `All times are those of ${venue.timeZone}. A day of 23 or 25 hours has every daypart once.`))));
  }

  return { show(next) { venue = next; draw(); } };
}
