// The zones: what each hears, what comes next, until when, and the way to leave a song.

import { FLAT, portrait } from "../curve.js";
import { paint } from "../cover.js";
import { closedUntil, minutes, mood } from "../words.js";

const $ = (id) => document.getElementById(id);
const cards = new Map();

/// Shows every zone. Between two looks the positions go on by themselves.
export function show({ rooms, week, guests_cut_off }, acts) {
  $("guests-cut-off").hidden = !guests_cut_off;
  set($("guests-cut-off"), guests_cut_off ?? "");
  const seen = new Set(rooms.map(({ id }) => id));
  for (const [id, card] of cards) {
    if (!seen.has(id)) {
      card.root.remove();
      cards.delete(id);
    }
  }
  for (const room of rooms) {
    if (!cards.has(room.id)) cards.set(room.id, make(acts));
    fill(cards.get(room.id), room, week.time_zone, rooms.length > 1);
  }
  const first = rooms.find(({ now }) => now)?.now;
  if (first?.axes) paint(document.documentElement, first.axes);
}

function make(acts) {
  const root = $("room").content.firstElementChild.cloneNode(true);
  const find = (selector) => root.querySelector(selector);
  const card = {
    root, room: null, zone: find(".zone-name"), hours: find(".hours"), title: find(".title"), artist: find(".artist"),
    body: find(".body"), bar: find(".bar span"), time: find(".time"), people: find(".people"), next: find(".coming ol"), coming: find(".coming"),
    skip: find(".skip"), said: find(".said"),
  };
  card.skip.addEventListener("click", async () => {
    const left = card.room.now?.title;
    card.skip.disabled = true;
    const why = await acts.skip(card.room);
    // A song that was left cannot be brought back: the players are past it.
    card.said.textContent = why ?? `${left} was left for all players here. That cannot be taken back; it rests now like any song that was played.`;
    card.skip.disabled = !card.room.now;
  });
  $("rooms").append(root);
  return card;
}

function fill(card, room, timeZone, isOneOfMany) {
  const { now } = room;
  card.room = room;
  card.root.dataset.zone = room.id;
  set(card.zone, isOneOfMany ? room.name : "What the room hears");
  set(card.hours, hoursInWords(room.hours, timeZone));
  set(card.title, now ? now.title : room.hours.is_open ? "Nothing plays" : "Closed");
  set(card.artist, now ? now.artist ?? (now.axes ? mood(now.axes) : "") : room.hours.is_open ? "A player that asks for music begins it." : "No song begins until it opens.");
  const shape = portrait(now?.axes ?? FLAT);
  if (card.body.getAttribute("d") !== shape) card.body.setAttribute("d", shape);
  card.root.classList.toggle("still", !now);
  if (now?.axes) paint(card.root, now.axes);
  card.bar.style.transform = `scaleX(${now ? now.position_ms / Math.max(1, now.duration_ms) : 0})`;
  set(card.time, now ? `${minutes(now.position_ms)} of ${minutes(now.duration_ms)}` : "");
  set(card.people, room.people === 0 ? "Nobody is checked in" : room.people === 1 ? "1 person is checked in" : `${room.people} people are checked in`);
  card.coming.hidden = room.next.length === 0;
  const coming = room.next.map(({ title, artist }) => (artist ? `${title} – ${artist}` : title));
  if (coming.join("\n") !== card.next.dataset.shown) {
    card.next.dataset.shown = coming.join("\n");
    card.next.replaceChildren(...coming.map((words) => {
      const row = document.createElement("li");
      row.textContent = words;
      return row;
    }));
  }
  card.skip.disabled = !now;
  card.skip.setAttribute("aria-label", isOneOfMany ? `Skip this song in ${room.name}` : "Skip this song");
}

export function hoursInWords({ is_open, closes_at, opens_at, as_of, daypart }, timeZone) {
  const called = daypart ? ` · ${daypart}` : "";
  if (!is_open) return closedUntil({ asOf: as_of, opensAt: opens_at }, timeZone) + called;
  if (!closes_at) return daypart ?? "";
  const time = new Intl.DateTimeFormat("en-GB", { timeZone, hour: "2-digit", minute: "2-digit" }).format(new Date(closes_at));
  return `Open until ${time}${called}`;
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
