// How a venue and its zones behave. What is changed is saved at once, and can be undone.

import { AXES, numbers } from "/ui/curve.js";
import { AXIS_NAMES, mood } from "/ui/words.js";
import { change } from "./api.js";
import { h, render } from "./dom.js";
import { attempt, button, field, form, input, named, notice, question, select, shape, toned, zones as zonesOfTime } from "./parts.js";
import { KINDS, PROFILES } from "./say.js";
import { guestsCard } from "./venue-guests.js";

export function tab(place, { id, look, role }) {
  let venue = null;
  zonesOfTime();

  // One value of something: saved, and put back by undo.
  async function save(label, mutation, input, undo) {
    await change(mutation, input, "__typename");
    await look();
    notice(`${label} saved.`, undo && (async () => { await change(mutation, undo, "__typename"); await look(); }));
  }

  // A field that saves itself when somebody is done with it.
  function own(label, name, at, { read, write, hint = "", what }) {
    const work = ({ [name]: given }) => {
      const [before, after] = [read(), write(given)];
      if (after === before) return undefined;
      return save(`${label} of ${what}`, at.mutation, at.input(name, after), at.input(name, before));
    };
    const control = at.control(name);
    const made = form({ key: name, class: "one" }, work, field(label, control, hint));
    made.onchange = (event) => event.currentTarget.requestSubmit();
    return made;
  }

  const canDo = () => role("MANAGER");

  function venueCard() {
    const at = (control) => ({ mutation: "updateVenue", control, input: (name, value) => ({ id, [name]: value }) });
    const text = (label, name, about = {}, hint = "") => own(label, name, at((name) => input(name, { id: `venue-${name}`, value: venue[name], disabled: !canDo(), spellcheck: "false", ...about })),
      { what: venue.name, hint, read: () => venue[name], write: (given) => (about.type === "number" ? Number(given) : given.trim()) });
    return h("section", { class: "card stack", key: "venue", "aria-labelledby": "venue-head" }, h("h2", { id: "venue-head" }, "The venue"),
      h("div", { class: "pairs" },
        text("Name", "name", { maxlength: 200 }),
        own("Kind", "kind", at((name) => select(name, KINDS, venue.kind, { id: "venue-kind", disabled: !canDo() })), { what: venue.name, read: () => venue.kind, write: (given) => given }),
        text("Name in addresses", "slug", { maxlength: 63 }),
        text("Time zone", "timeZone", { list: "zones" }),
        text("A song rests for (hours)", "penaltyHours", { type: "number", min: 1, max: 48 }),
        own("Songs overlap for (seconds)", "crossfadeMs", at((name) => input(name, { id: "venue-crossfadeMs", type: "number", min: 0, max: 20, step: 0.5, value: venue.crossfadeMs / 1000, disabled: !canDo() })),
          { what: venue.name, read: () => venue.crossfadeMs, write: (given) => Math.round(Number(given) * 1000) })),);
  }

  function zoneCard(zone) {
    const { settings } = zone;
    const set = (name, value) => ({ id: zone.id, settings: { [name]: value } });
    const at = (control) => ({ mutation: "updateZone", control, input: set });
    const key = (name) => `${zone.id}-${name}`;
    const number = (label, name, about, hint = "", [factor, digits] = [1, 0]) => own(label, name,
      at((name) => input(name, { id: key(name), type: "number", value: Number((settings[name] / factor).toFixed(digits)), disabled: !canDo(), ...about })),
      { what: zone.name, hint, read: () => settings[name], write: (given) => Number((Number(given) * factor).toFixed(3)) });
    const toggle = (label, name) => h("label", { class: "choice", key: name },
      h("input", { type: "checkbox", checked: settings[name], disabled: !canDo(), onchange: (event) => attempt(() => save(`${label} of ${zone.name}`, "updateZone", set(name, event.target.checked), set(name, !event.target.checked))) }), label);
    const isMain = zone.name === "main";
    return h("section", { class: "card stack zone-card", key: zone.id, "aria-label": `Zone ${zone.name}` },
      h("div", { class: "box-head" }, h("h2", {}, isMain ? "The zone main" : `The zone ${zone.name}`)),
      profile(zone, set),
      h("div", { class: "labelled", key: "fairness" }, h("label", { for: key("fairness") }, "Fairness"),
        h("div", { class: "axis" }, h("span", { class: "quiet" }, "the plain mean"),
          h("input", { id: key("fairness"), type: "range", min: 0, max: 1, step: 0.05, value: settings.fairness, disabled: !canDo(),
            onchange: (event) => attempt(() => save(`Fairness of ${zone.name}`, "updateZone", set("fairness", Number(event.target.value)), set("fairness", settings.fairness))) }),
          h("span", { class: "quiet" }, "strict turns"))),
      h("div", { class: "choices" }, toggle("Listeners see what comes next", "showUpNext"), toggle("Songs with explicit words are played", "allowExplicit"), toggle("Check-in asks for the code on the screen", "requireRotatingCode")),
      h("details", { key: "more" }, h("summary", {}, "More"), h("div", { class: "pairs" },
        !isMain && own("Name", "name", { mutation: "updateZone", control: (name) => input(name, { id: key(name), value: zone.name, disabled: !canDo() }), input: (name, value) => ({ id: zone.id, [name]: value }) }, { what: zone.name, read: () => zone.name, write: (given) => given.trim() }),
        number("A song rests for (hours)", "penaltyHours", { min: 1, max: 48 }),
        number("Songs overlap for (seconds)", "crossfadeMs", { min: 0, max: 20, step: 0.5 }, "", [1000, 1]),
        number("The same artist again after (minutes)", "artistSeparationMin", { min: 0, max: 240 }),
        number("Loudness (LUFS)", "loudnessLufs", { min: -40, max: -5, step: 0.5 }, "Every song is brought to it.", [1, 1]),
        number("A skip needs (% of the room)", "skipShare", { min: 10, max: 100, step: 5 }, "", [0.01, 0]),
        number("And at least (people)", "skipMin", { min: 1, max: 100 })),
      !isMain && canDo() && h("p", { class: "buttons end" }, button("Put this zone away", () => archiveZone(zone)))));
  }

  // The profile is what the room sounds like when nobody is there.
  function profile(zone, set) {
    const values = zone.settings.profile ? numbers(zone.settings.profile) : null;
    const keep = (next) => attempt(() => save(`The profile of ${zone.name}`, "updateZone", set("profile", next), values && set("profile", values)));
    return h("div", { class: "profile toned", key: "profile", style: toned(zone.settings.profile) },
      h("div", { class: "figure" }, named(zone.settings.profile)),
      h("div", {}, h("p", {}, h("strong", {}, "Profile"), " ", h("span", { class: "quiet" }, values ? mood(values) : "nobody has said")),
        h("p", { class: "quiet" }, "What it sounds like when nobody is there, and a voice among those who are."),
        canDo() && h("p", { class: "buttons" }, Object.entries(PROFILES).map(([name, next]) => h("button", { class: "pill toggle", type: "button", key: name, "aria-pressed": String(Boolean(values) && next.every((value, n) => Math.abs(value - values[n]) < 0.02)), onclick: () => keep(next) }, shape(AXES.map((axis, n) => ({ name: axis, value: next[n] }))), name))),
        canDo() && h("details", { key: "by hand" }, h("summary", {}, "By hand"), AXES.map((axis, n) => h("div", { class: "axis", key: axis },
          h("label", { for: `${zone.id}-${axis}` }, AXIS_NAMES[n]),
          h("input", { id: `${zone.id}-${axis}`, type: "range", min: -1, max: 1, step: 0.05, value: (values?.[n] ?? 0).toFixed(2), onchange: (event) => { const next = (values ?? [0, 0, 0, 0, 0]).with(n, Number(event.target.value)); if (next.some(Boolean)) keep(next); } }))))));
  }

  async function archiveZone(zone) {
    if (!(await question(`Put the zone ${zone.name} away?`, "It cannot be brought back. Its players play on until they are given another zone; what was played in it stays in the history.", "Put it away"))) return;
    await attempt(async () => { await change("archiveZone", { id: zone.id }, "__typename"); notice(`The zone ${zone.name} is put away.`); await look(); });
  }

  const archive = (isAway) => attempt(async () => {
    const [there, back] = ["archiveVenue", "unarchiveVenue"];
    await change(isAway ? back : there, { id }, "__typename");
    await look();
    notice(isAway ? `${venue.name} is back.` : `${venue.name} is put away. Nothing is lost, and its hubs play on.`, async () => { await change(isAway ? there : back, { id }, "__typename"); await look(); });
  });

  async function addZone({ name }, key, at) {
    await change("createZone", { venueId: id, name: name.trim() }, "zone { id }", key);
    at.reset();
    await look();
    notice(`The zone ${name.trim()} is there. Give it players under “Hubs and players”.`);
  }

  function draw() {
    const zones = venue.zones.filter(({ archivedAt }) => !archivedAt);
    render(place, h("div", { class: "two even" },
      h("div", { class: "stack" }, zones.map(zoneCard)),
      h("div", { class: "stack" }, venueCard(), guestsCard({ venue, id, look, role }),
        canDo() && h("section", { class: "card stack", key: "zone" }, h("h2", {}, "Add a zone"), h("p", { class: "quiet" }, "A part of the venue with its own players and its own vibe, such as the terrace."),
          form({ class: "stack" }, addZone, field("Name", input("name", { id: "zone-name", maxlength: 80, required: true })), h("button", { class: "pill solid", type: "submit" }, "Add the zone"))),
        role("OWNER") && h("section", { class: "card stack", key: "away" }, h("h2", {}, venue.archivedAt ? "Bring this venue back" : "Put this venue away"),
          h("p", { class: "quiet" }, venue.archivedAt ? "It stands among your venues again." : "It leaves your list. Nothing is lost, its hubs play on, and it can be brought back."),
          h("p", { class: "buttons" }, button(venue.archivedAt ? "Bring it back" : "Put it away", () => archive(Boolean(venue.archivedAt))))))));
  }

  return { show(next) { venue = next; draw(); } };
}
