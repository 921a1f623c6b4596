// Songs: a whole catalogue, or what one venue plays of it. New ones are dropped here.

import { numbers } from "/ui/curve.js";
import { minutes, mood } from "/ui/words.js";
import { ask, change, onUp } from "./api.js";
import { h, icon, render } from "./dom.js";
import { isAdmin, me } from "./frame.js";
import { FULL_SONG } from "./operations.js";
import { attempt, button, empty, notice, panel, select, shape, toned } from "./parts.js";
import { edit } from "./song.js";
import { EXPLICIT, SONG_STATES, count, may } from "./say.js";
import { onSong } from "./tray.js";
import { ACCEPT, take } from "./upload.js";

const PAGE = 40;
// More would be more than one question may ask for.
const MOST = 160;
const QUERY = `query Songs($after: String, $first: Int!, $filter: SongFilter, $order: SongOrder) { songs(first: $first, after: $after, filter: $filter, order: $order) {
  totalCount pageInfo { hasNextPage endCursor } nodes { ${FULL_SONG} } } }`;
const VENUES = "query Places($id: ID!) { node(id: $id) { ... on Organisation { venues(first: 200) { nodes { id name archivedAt viewerRole } } } } }";
const ORDERS = { newest: { field: "CREATED_AT", direction: "DESC" }, title: { field: "TITLE" }, artist: { field: "ARTIST" } };
const STATES = { "": "All songs", FAILED: "Not analysed", EXPLICIT: "Explicit", UNKNOWN: "Explicit or not: unknown", WITHDRAWN: "Withdrawn" };

// The place of a whole catalogue.
export function open(root) {
  document.title = "Songs – Roomtone";
  const { organisations } = me();
  if (organisations.length === 0) {
    render(root, empty("Songs belong to venues", "Open a venue first; then its songs have a place.", h("a", { class: "pill solid", href: "/admin" }, "Open a venue")));
    return undefined;
  }
  let organisation = organisations[0];
  let list = null;
  const head = h("div", { class: "head" });
  const body = h("div", {});
  root.append(head, body);
  function choose(id) {
    organisation = organisations.find((one) => one.id === id);
    list?.stop();
    body.replaceChildren();
    list = songs(body, { organisation });
    draw();
  }
  function draw() {
    render(head, h("div", {}, h("h1", {}, "Songs"), h("p", { class: "sub" }, organisations.length > 1 ? "One catalogue for each organisation; its venues share it." : "One catalogue; all venues share it.")),
      organisations.length > 1 && h("label", {}, h("span", { class: "unseen" }, "Whose catalogue"), select("organisation", Object.fromEntries(organisations.map(({ id, name }) => [id, name])), organisation.id, { class: "field", onchange: (event) => choose(event.target.value) })));
  }
  choose(organisation.id);
  return () => list.stop();
}

// The part of one venue.
export function tab(place, { role }) {
  let list = null;
  return {
    show(venue) {
      list ??= songs(place, { organisation: venue.organisation, venue, canDo: role("STAFF") });
    },
    stop: () => list?.stop(),
  };
}

function songs(place, { organisation, venue = null, canDo }) {
  const root = place.appendChild(h("div", {}));
  let [nodes, total, more, places, over, turn] = [null, 0, null, [], false, 0];
  let [search, state, order] = ["", "", "newest"];
  const chosen = new Set();
  const targets = new Set(venue ? [venue.id] : []);

  const filter = () => ({
    organisationId: organisation.id, ...(venue && { venueId: venue.id }), ...(search && { search }),
    ...(["EXPLICIT", "UNKNOWN"].includes(state) ? { explicit: state } : state ? { status: state } : {}),
  });

  async function look(isMore = false) {
    const mine = (turn += 1);
    const first = isMore ? PAGE : Math.max(PAGE, Math.min(MOST, nodes?.length ?? 0));
    const found = await attempt(() => ask(QUERY, { first, after: isMore ? more : null, filter: filter(), order: ORDERS[order] }));
    if (!found || over || mine !== turn) return;
    nodes = isMore ? [...nodes, ...found.songs.nodes] : found.songs.nodes;
    ({ totalCount: total } = found.songs);
    more = found.songs.pageInfo.hasNextPage ? found.songs.pageInfo.endCursor : null;
    for (const id of chosen) if (!nodes.some((song) => song.id === id)) chosen.delete(id);
    draw();
  }

  async function lookForPlaces() {
    const found = await attempt(() => ask(VENUES, { id: organisation.id }));
    if (!found?.node) return;
    places = found.node.venues.nodes.filter(({ archivedAt }) => !archivedAt);
    canDo ??= places.some(({ viewerRole }) => may(viewerRole, "STAFF", isAdmin()));
    if (!venue) places.filter(({ viewerRole }) => may(viewerRole, "STAFF", isAdmin())).forEach(({ id }) => targets.add(id));
    if (nodes) draw();
  }

  const theirs = () => nodes.filter(({ id }) => chosen.has(id));

  async function assign(list, venueIds) {
    await attempt(async () => {
      const pairs = list.flatMap((song) => venueIds.filter((id) => !song.venues.some((known) => known.id === id)).map((id) => [song.id, id]));
      const { assigned } = await change("assignSongs", { songIds: list.map(({ id }) => id), venueIds }, "assigned");
      const names = places.filter(({ id }) => venueIds.includes(id)).map(({ name }) => name).join(", ");
      notice(assigned ? `${count(list.length, "song")} for ${names}.` : `${names} played ${list.length === 1 ? "it" : "them"} already.`, pairs.length > 0 && (() => takeOut(pairs)));
      chosen.clear();
      await look();
    });
  }

  // Only the pairs that were new are taken back.
  async function takeOut(pairs) {
    for (const venueId of new Set(pairs.map(([, id]) => id))) {
      await change("unassignSongs", { songIds: pairs.filter(([, id]) => id === venueId).map(([song]) => song), venueIds: [venueId] }, "unassigned");
    }
    await look();
  }

  async function unassign(list, from) {
    await attempt(async () => {
      const songIds = list.map(({ id }) => id);
      await change("unassignSongs", { songIds, venueIds: [from.id] }, "unassigned");
      notice(`${from.name} does not play ${list.length === 1 ? list[0].title : count(list.length, "song")} any more.`, async () => { await change("assignSongs", { songIds, venueIds: [from.id] }, "assigned"); await look(); });
      chosen.clear();
      await look();
    });
  }

  async function withdraw(list) {
    await attempt(async () => {
      for (const { id } of list) await change("withdrawSong", { id }, "song { id status }");
      notice(`${list.length === 1 ? list[0].title : count(list.length, "song")} withdrawn: no venue plays ${list.length === 1 ? "it" : "them"} any more.`, () => restore(list));
      chosen.clear();
      await look();
    });
  }

  async function restore(list) {
    await attempt(async () => {
      for (const { id } of list) await change("restoreSong", { id }, "song { id status }");
      notice(`${list.length === 1 ? list[0].title : count(list.length, "song")} back in the catalogue.`);
      chosen.clear();
      await look();
    });
  }

  const acts = { assign, unassign, withdraw, restore, look, places: () => places };
  const details = (song) => edit(song, { canDo, venue, ...acts });
  const send = (files) => take(files, { organisationId: organisation.id, venueIds: [...targets] });

  function assignSome(list) {
    const wanted = new Set();
    const dialog = panel(`Where should ${list.length === 1 ? list[0].title : count(list.length, "song")} play?`,
      h("div", { class: "choices" }, places.filter(({ viewerRole }) => may(viewerRole, "STAFF", isAdmin())).map(({ id, name }) => h("label", { class: "choice" },
        h("input", { type: "checkbox", onchange: (event) => (event.target.checked ? wanted.add(id) : wanted.delete(id)) }), name))),
      h("p", { class: "buttons end" }, button("Assign", () => { dialog.close(); if (wanted.size) assign(list, [...wanted]); }, { class: "pill solid" })));
  }

  function draw() {
    const list = theirs();
    const isFirst = total === 0 && !search && !state;
    render(root, h("div", { class: "catalogue" },
      canDo && drop(isFirst),
      isFirst ? (!canDo || venue) && h("p", { class: "quiet" }, venue ? "This venue plays no songs yet. Drop some here, or assign some in the catalogue." : "There are no songs yet.")
        : h("div", { class: "filters" },
          h("label", { class: "search" }, icon("search"), h("span", { class: "unseen" }, "Search songs"), h("input", { class: "field", type: "search", placeholder: "Title, artist, album, label, ISRC", value: search, oninput: typed, "aria-label": "Search songs" })),
          h("label", {}, h("span", { class: "unseen" }, "Which"), select("state", STATES, state, { class: "field", onchange: (event) => { state = event.target.value; look(); } })),
          h("label", {}, h("span", { class: "unseen" }, "Order"), select("order", { newest: "Newest first", title: "By title", artist: "By artist" }, order, { class: "field", onchange: (event) => { order = event.target.value; look(); } }))),
      list.length > 0 && h("div", { class: "chosen card", role: "region", "aria-label": "What to do with the chosen songs" },
        h("strong", {}, `${count(list.length, "song")} chosen`),
        h("span", { class: "buttons" },
          state !== "WITHDRAWN" && !venue && button("Assign to venues", () => assignSome(list), { class: "pill solid" }),
          state !== "WITHDRAWN" && venue && button(`Not for ${venue.name}`, () => unassign(list, venue)),
          state === "WITHDRAWN" ? button("Bring back", () => restore(list)) : button("Withdraw", () => withdraw(list)),
          button("Choose none", () => { chosen.clear(); draw(); }, { class: "pill plain" }))),
      !isFirst && h("p", { class: "quiet", role: "status" }, nodes.length === 0 ? "No song is like that." : count(total, "song")),
      h("ul", { class: "songs" }, nodes.map(line)),
      more && h("p", { class: "buttons" }, button("Show more", () => look(true)))));
  }

  let typing = 0;
  function typed(event) {
    search = event.target.value.trim();
    clearTimeout(typing);
    typing = setTimeout(look, 200);
  }

  function drop(isFirst) {
    const input = h("input", { id: "files", type: "file", multiple: true, accept: ACCEPT, class: "unseen", onchange: (event) => { send(event.target.files); event.target.value = ""; } });
    const mine = places.filter(({ viewerRole }) => may(viewerRole, "STAFF", isAdmin()));
    return h("section", { class: `drop${isFirst ? " first" : ""}`, key: "drop", "aria-label": "Add songs" },
      isFirst && shape([{ name: "ENERGY", value: -0.2 }, { name: "BRIGHTNESS", value: 0.5 }, { name: "TONALITY", value: 0.6 }]),
      h("p", { class: "files" }, h("label", { class: "pill solid pick", for: "files" }, icon("up"), "Choose files"), input, h("span", { class: "quiet" }, "or drop them anywhere here: MP3, FLAC, Ogg, WAV, M4A")),
      isFirst && h("p", { class: "quiet" }, "Each is listened to on its way in: its shape, its loudness, where it begins and ends. That takes some seconds for a song."),
      !venue && mine.length > 0 && h("p", { class: "targets" }, h("span", { class: "quiet" }, "New songs play at"), mine.slice(0, 12).map(({ id, name }) => h("button", { class: "pill toggle", type: "button", key: id, "aria-pressed": String(targets.has(id)), onclick: () => { if (!targets.delete(id)) targets.add(id); draw(); } }, name)),
        targets.size === 0 && h("span", { class: "quiet" }, "no venue yet")));
  }

  function line(song) {
    const isChosen = chosen.has(song.id);
    const elsewhere = venue ? [] : song.venues;
    const marks = [SONG_STATES[song.status], song.explicit === "EXPLICIT" && "Explicit", song.kind === "SOUNDSCAPE" && "Soundscape"].filter(Boolean);
    return h("li", { key: song.id, class: `song-line toned${isChosen ? " is-chosen" : ""}`, style: toned(song.axes) },
      canDo && h("input", { type: "checkbox", class: "tick", checked: isChosen, "aria-label": `Choose ${song.title}`, onchange: (event) => { if (event.target.checked) chosen.add(song.id); else chosen.delete(song.id); draw(); } }),
      h("button", { class: "song-open", type: "button", onclick: () => details(song) },
        shape(song.axes),
        h("span", { class: "names" }, h("strong", {}, song.title), h("span", { class: "quiet" }, song.artist ?? (song.axes ? mood(numbers(song.axes)) : ""))),
        h("span", { class: "marks" }, marks.map((mark) => h("span", { class: "mark" }, mark))),
        h("span", { class: "where quiet" }, venue ? song.album ?? "" : elsewhere.length === 0 ? "No venue" : elsewhere.length > 2 ? count(elsewhere.length, "venue") : elsewhere.map(({ name }) => name).join(", ")),
        h("span", { class: "beat quiet" }, [song.bpm && `${Math.round(song.bpm)} bpm`, song.key].filter(Boolean).join(" ")),
        h("span", { class: "length quiet" }, song.durationMs ? minutes(song.durationMs) : "")));
  }

  const dropping = (on) => root.classList.toggle("dropping", on);
  root.ondragover = (event) => { if (canDo && event.dataTransfer.types.includes("Files")) { event.preventDefault(); dropping(true); } };
  root.ondragleave = (event) => { if (!root.contains(event.relatedTarget)) dropping(false); };
  root.ondrop = (event) => {
    if (!canDo || !event.dataTransfer.files.length) return;
    event.preventDefault();
    dropping(false);
    send(event.dataTransfer.files);
  };
  let soon = 0;
  const offSong = onSong(() => { clearTimeout(soon); soon = setTimeout(look, 300); });
  const offUp = onUp(() => look());
  look();
  lookForPlaces();
  return { stop() { over = true; offSong(); offUp(); clearTimeout(soon); root.ondragover = root.ondragleave = root.ondrop = null; } };
}
