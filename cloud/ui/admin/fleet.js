// The first screen: is music playing everywhere, since when not, and what needs me.

import { mood } from "/ui/words.js";
import { numbers } from "/ui/curve.js";
import { filled, iso, last } from "./calendar.js";
import { chart } from "./chart.js";
import { ask, change } from "./api.js";
import { h, icon, render } from "./dom.js";
import { go, live, meet } from "./frame.js";
import { attempt, button, field, form, input, panel, select, shape, toned, zones } from "./parts.js";
import { HUB, PLAYER, SONG } from "./operations.js";
import { KINDS, STEPS, TIERS, count, headline, lasting, needs, since, standing, when } from "./say.js";
import { soundCard, together } from "./sound.js";

const PAGE = 15;
const MOST = 200;
const CHARTED = 24;
const QUERY = `query Fleet($after: String, $archived: Boolean!) { venues(first: ${PAGE}, after: $after, archived: $archived) {
  totalCount pageInfo { hasNextPage endCursor }
  nodes { id name kind timeZone viewerRole songCount activeListeners archivedAt hubs { ${HUB} } players { ${PLAYER} }
    zones { archivedAt room { nowPlaying { song { ${SONG} } } } } } } }`;
const WEEK = `query Week($id: ID!, $range: DateTimeRange!) { venue(id: $id) { analytics(range: $range) {
  plays listeners likes series { at plays listeners likes axes { name value } } } } }`;

export function open(root) {
  let [venues, week, archived, filter] = [null, null, false, ""];

  // Trouble in the hundredth venue floats up as well: the other pages follow at once.
  async function take({ venues: page }) {
    let [nodes, info] = [page.nodes, page.pageInfo];
    while (info.hasNextPage && nodes.length < MOST) {
      const more = await attempt(() => ask(QUERY, { after: info.endCursor, archived }));
      if (!more) break;
      nodes = [...nodes, ...more.venues.nodes];
      info = more.venues.pageInfo;
    }
    const isFirst = venues === null;
    venues = nodes;
    show();
    if (isFirst) attempt(count7);
  }

  async function count7() {
    const all = await Promise.all(venues.slice(0, CHARTED).map(async ({ id, timeZone }) => {
      const days = last(7, "DAY", timeZone);
      const { venue } = await ask(WEEK, { id, range: iso(days) });
      return filled(venue.analytics.series, days);
    }));
    if (!all.length) return;
    week = all[0].map(({ label }, at) => {
      const sum = (name) => all.reduce((total, days) => total + (days[at]?.[name] ?? 0), 0);
      return { label, plays: sum("plays"), listeners: sum("listeners"), likes: sum("likes"), axes: together(all.map((days) => days[at])) };
    });
    show();
  }

  function show() {
    const places = venues.map((venue) => ({ venue, standing: standing(venue) }));
    const urgency = ({ standing }) => (standing.troubles.length ? 0 : standing.isOpen && !standing.isPlaying ? 1 : standing.isOpen ? 3 : 2);
    places.sort((a, b) => urgency(a) - urgency(b) || a.venue.name.localeCompare(b.venue.name));
    const active = places.filter(({ venue }) => !venue.archivedAt);
    document.title = `${headline(active)} – Roomtone`;
    const wanted = places.filter(({ venue }) => venue.name.toLowerCase().includes(filter));
    render(root,
      h("div", { class: "head" },
        h("div", {}, h("h1", { "aria-live": "polite" }, headline(active)), h("p", { class: "sub" }, needs(active))),
        venues.length > 0 && button("Open a venue", () => newVenue(look), { icon: "add" })),
      venues.length === 0 && !archived ? firstDay(look) : h("div", { class: "fleet" },
        venues.length > 8 && h("label", { class: "search" }, icon("search"), h("span", { class: "unseen" }, "Search venues"), h("input", { class: "field", type: "search", placeholder: "Search venues", value: filter, oninput: (event) => { filter = event.target.value.trim().toLowerCase(); show(); } })),
        h("ul", { class: "rows moving" }, wanted.map(row)),
        h("p", { class: "buttons" }, h("button", { class: "pill plain", type: "button", "aria-pressed": String(archived), onclick: () => { archived = !archived; look(); } }, archived ? "Without venues that were put away" : "Show venues that were put away"))),
      week && week.some(({ plays, listeners }) => plays || listeners) && h("section", { class: "charts", "aria-label": "The last seven days, all venues" },
        h("h2", {}, "The last seven days, all venues"),
        h("div", { class: "chart-row" }, charts(week)),
        soundCard(week.map(({ label, axes }) => [label, axes]))));
  }

  const { look, stop } = live(QUERY, { variables: () => ({ after: null, archived }), show: take });
  return stop;
}

function charts(week) {
  const of = (name) => week.map((day) => [day.label, day[name]]);
  const total = (name) => week.reduce((sum, day) => sum + day[name], 0).toLocaleString("en");
  return [
    chart("Songs played", of("plays"), { total: total("plays"), unit: "songs" }),
    chart("People who checked in", of("listeners"), { total: total("listeners"), unit: "people" }),
    chart("Likes", of("likes"), { total: total("likes"), unit: "likes" }),
  ];
}

function row({ venue, standing: at }) {
  const { song } = at;
  const place = `/admin/venues/${venue.id}`;
  return h("li", { key: venue.id, class: `card place toned${at.troubles.length ? " alarmed" : ""}`, style: toned(song?.axes) },
    h("a", { class: "row", href: place },
      shape(song?.axes, { breathes: at.isPlaying, bpm: song?.bpm }),
      h("span", { class: "names" }, h("strong", {}, venue.name), h("span", { class: "plays" }, plays(venue, at, song))),
      h("span", { class: "facts quiet" }, facts(venue, at))),
    at.troubles.slice(0, 2).map(({ text }, n) => h("p", { class: "alarm", key: `trouble ${n}` }, text)),
    at.troubles.length > 2 && h("p", { class: "quiet more" }, `And ${at.troubles.length - 2} more.`),
    at.step && !venue.archivedAt && h("p", { class: "next" }, "Next: ", at.step === "hub" && at.hubs.length ? "Type the code at its box." : STEPS[at.step], " ", h("a", { href: `${place}/${at.step === "songs" ? "songs" : "hubs"}` }, "Do it now")));
}

function plays(venue, at, song) {
  if (venue.archivedAt) return `Put away ${since(venue.archivedAt, venue.timeZone)}`;
  if (at.step === "hub") return at.hubs.length ? "Waits for its hub" : KINDS[venue.kind];
  if (song && at.isPlaying) return `${song.title} – ${song.artist ?? mood(numbers(song.axes))}`;
  if (at.isPlaying) return "Plays";
  if (at.step) return KINDS[venue.kind];
  return song ? `Last known: ${song.title}` : KINDS[venue.kind];
}

function facts(venue, at) {
  if (venue.archivedAt || at.step === "hub") return [];
  const tier = at.isPlaying ? TIERS[at.lead?.tier] ?? "" : "";
  return [
    tier && h("span", {}, tier),
    h("span", { title: "People who are checked in" }, icon("people"), h("span", { class: "unseen" }, "People: "), String(venue.activeListeners)),
    at.silence > 0 && h("span", { title: "Silence that nobody wanted, in all" }, icon("quiet"), h("span", { class: "unseen" }, "Silence: "), lasting(at.silence)),
    h("span", { title: "When its hub last spoke" }, icon("sync"), h("span", { class: "unseen" }, "Hub heard of "), when(at.seen, venue.timeZone)),
  ];
}

function firstDay(look) {
  return h("section", { class: "first" },
    h("ol", { class: "steps" },
      [["A venue", "Its name, and where it is."], ["Its hub", "You get a code, and the command to type at the box."], ["Songs", "Drop your files; each is listened to and gets its shape."], ["A player", "Any box with a loudspeaker."]]
        .map(([title, text]) => h("li", {}, h("strong", {}, title), h("span", { class: "quiet" }, text)))),
    h("div", { class: "card" }, h("h2", {}, "Open a venue"), venueForm(look)));
}

function newVenue(look) {
  const dialog = panel("Open a venue", venueForm(async () => { dialog.close(); await look(); }));
  dialog.querySelector("input").focus();
}

const slugOf = (name) => name.normalize("NFKD").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 63);

function venueForm(opened) {
  zones();
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const name = input("name", { required: true, maxlength: 200 });
  const slug = input("slug", { maxlength: 63, spellcheck: "false" });
  name.oninput = ({ target: { value, form: { elements } } }) => { if (!elements.slug.isOwn) elements.slug.value = slugOf(value); };
  slug.oninput = ({ target }) => { target.isOwn = target.value !== ""; };
  async function work({ name: called, slug: address, kind, timeZone }, key) {
    const { venue } = await change("createVenue", { name: called.trim(), slug: address.trim() || slugOf(called), kind, timeZone: timeZone.trim() }, "venue { id }", key);
    await meet();
    await opened();
    go(`/admin/venues/${venue.id}`);
  }
  return form({ class: "stack" }, work,
    field("Name", name),
    field("Kind", select("kind", KINDS, "CAFE")),
    field("Time zone", input("timeZone", { value: here, list: "zones", spellcheck: "false" })),
    field("Name in addresses", slug, "Small letters, digits and hyphens."),
    h("button", { class: "big solid", type: "submit" }, "Open the venue"));
}
