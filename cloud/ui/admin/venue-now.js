// What plays in each zone, what has played, who is there, and what is amiss.

import { numbers } from "/ui/curve.js";
import { closedUntil, minutes, mood, peopleHere, roomMood } from "/ui/words.js";
import { ask } from "./api.js";
import { filled, iso, last } from "./calendar.js";
import { chart } from "./chart.js";
import { h, icon, render } from "./dom.js";
import { SONG } from "./operations.js";
import { attempt, named, shape, toned } from "./parts.js";
import { STEPS, TIERS, clock, count, lasting, since, when } from "./say.js";

// Hubs tell every half minute: what is older than this is what was.
const OLD_MS = 180_000;

const QUERY = `query Day($id: ID!, $range: DateTimeRange!) { venue(id: $id) {
  history(first: 8) { nodes { id startedAt endedAt ended tier song { ${SONG} } zone { id } } }
  analytics(range: $range, bucket: HOUR) { plays listeners likes planSeconds cacheSeconds series { at plays listeners likes dislikes } } } }`;

export function tab(place, { id }) {
  let [day, venue, at, asked, came] = [null, null, null, 0, 0];
  // Between two looks a song goes on by itself.
  const timer = setInterval(() => {
    for (const line of place.querySelectorAll(".far")) {
      const { room } = venue.zones.find(({ id }) => id === line.dataset.key);
      render(line, ...far(room.nowPlaying, came));
    }
  }, 1000);

  async function lookBack() {
    const hours = last(24, "HOUR", venue.timeZone);
    const found = await attempt(() => ask(QUERY, { id, range: iso(hours) }));
    if (!found?.venue) return;
    day = { ...found.venue, hours: filled(found.venue.analytics.series, hours) };
    draw();
  }

  function draw() {
    const zones = venue.zones.filter(({ archivedAt }) => !archivedAt);
    render(place, h("div", { class: "two" },
      h("div", { class: "stack" },
        at.step && !venue.archivedAt && steps(venue, at),
        at.troubles.map((trouble) => alarm(trouble, venue)),
        at.players.length > 0 && zones.map((zone) => zoneNow(venue, zone, at, came)),
        day && day.analytics.series.length > 0 && lastDay(day)),
      h("div", { class: "stack" },
        at.step !== "hub" && h("section", { class: "card glance" },
          fact(icon("people"), count(venue.activeListeners, "person", "people"), "checked in"),
          fact(icon("sync"), when(at.seen, venue.timeZone), "hub heard of"),
          fact(icon("quiet"), at.silence ? lasting(at.silence) : "None", "unwanted silence")),
        day && day.history.nodes.length > 0 && before(venue, day))));
  }

  return {
    show(next, standing) {
      if (next !== venue) came = performance.now();
      [venue, at] = [next, standing];
      draw();
      // What was played changes with each song, not with each word of a hub.
      if (Date.now() - asked > 10_000) { asked = Date.now(); lookBack(); }
    },
    stop() { clearInterval(timer); },
  };
}

function alarm({ code, text }, venue) {
  const todo = code === "GUESTS_CUT_OFF" && h("a", { href: `/admin/venues/${venue.id}/settings` }, venue.guestCode ? "To its poster" : "Open the page for guests");
  return h("p", { class: "alarm", key: text }, text, todo && " ", todo);
}

// How far a song is, reckoned from when the cloud said so.
function far({ positionMs, song }, came) {
  const at = Math.min(positionMs + performance.now() - came, song.durationMs);
  return [
    h("span", { class: "bar", "aria-hidden": "true" }, h("span", { style: { transform: `scaleX(${at / Math.max(1, song.durationMs)})` } })),
    h("span", { class: "quiet" }, `${minutes(at)} of ${minutes(song.durationMs)}`),
  ];
}

const fact = (sign, value, about) => h("p", {}, sign, h("span", {}, h("strong", {}, value), h("span", { class: "quiet" }, about)));

function steps(venue, at) {
  const order = ["hub", "songs", "player"];
  const now = order.indexOf(at.step);
  const href = `/admin/venues/${venue.id}/${at.step === "songs" ? "songs" : "hubs"}`;
  const names = { hub: "The hub", songs: "Songs", player: "A player" };
  const has = (step) => ({ hub: at.hubs.some(({ status }) => status !== "WAITING"), songs: venue.songCount > 0, player: at.players.length > 0 })[step];
  return h("section", { class: "card first-steps", "aria-labelledby": "first-steps" },
    h("h2", { id: "first-steps" }, "To music in four steps"),
    h("ol", { class: "steps" },
      h("li", { class: "past" }, h("strong", {}, icon("done"), "The venue"), h("span", { class: "quiet" }, "It is open.")),
      order.map((step, n) => h("li", { class: has(step) ? "past" : n === now ? "now" : "" },
        h("strong", {}, has(step) && icon("done"), names[step]),
        h("span", { class: "quiet" }, has(step) ? "Done." : step === "hub" && at.hubs.length ? "Its code waits to be typed at the box." : STEPS[step])))),
    h("p", { class: "buttons" }, h("a", { class: "pill solid", href }, { hub: at.hubs.length ? "To its code" : "Enrol the hub", songs: "Upload songs", player: "Pair a player" }[at.step])));
}

function zoneNow(venue, zone, at, came) {
  const { room } = zone;
  const players = at.players.filter((player) => player.zone?.id === zone.id);
  const lead = players.find((player) => player.status === "ACTIVE" && player.currentSong) ?? null;
  const song = room?.nowPlaying?.song ?? lead?.currentSong ?? null;
  const isClosed = room?.hours && !room.hours.isOpen;
  const isOnly = venue.zones.filter(({ archivedAt }) => !archivedAt).length === 1;
  return h("section", { class: "card zone toned", key: zone.id, style: toned(song?.axes), "aria-label": isOnly ? "Now" : `Now in ${zone.name}` },
    shape(song?.axes, { breathes: Boolean(song), bpm: song?.bpm, rich: true }),
    h("div", { class: "names" },
      !isOnly && h("p", { class: "quiet" }, zone.name),
      h("h2", {}, song ? song.title : players.length === 0 ? "No player stands here" : isClosed ? closedUntil(room.hours, venue.timeZone) : "Nothing is known to play"),
      !song && isClosed && h("p", { class: "quiet" }, "No song begins until it opens."),
      song && h("p", { class: "by" }, song.artist ?? ""),
      song && h("p", { class: "quiet" }, [mood(numbers(song.axes)), !room?.nowPlaying && minutes(song.durationMs), TIERS[lead?.tier]].filter(Boolean).join(" · ")),
      room?.nowPlaying && h("p", { class: "far", key: zone.id }, far(room.nowPlaying, came)),
      h("ul", { class: "players-in" }, players.map((player) => h("li", { class: "quiet" },
        h("span", { class: `dot ${player.status.toLowerCase()}`, "aria-hidden": "true" }), player.name, " ",
        h("span", {}, { ACTIVE: player.tier && player.tier !== "HUB" ? `plays ${TIERS[player.tier]}` : "plays", IDLE: "idle", OFFLINE: `last heard of ${when(player.lastSeenAt, venue.timeZone)}` }[player.status]))))),
    room && roomNow(room, venue));
}

// What the people of a zone want, and what they hear next: also where the licence hides that from them.
function roomNow({ toldAt, vibe, upNext }, { timeZone }) {
  const isOld = Date.now() - new Date(toldAt) > OLD_MS;
  const values = numbers(vibe.axes);
  return h("div", { class: `room${isOld ? " old" : ""}` },
    isOld && h("p", { class: "as-of" }, `Not heard of ${since(toldAt, timeZone)}. This is what it showed then:`),
    h("div", { class: "wants toned", style: toned(vibe.axes) }, named(vibe.source === "NONE" ? null : vibe.axes, "What the room wants"),
      h("p", { class: "names" }, h("span", {}, vibe.source === "NONE" ? "Nobody has wished anything yet" : roomMood(vibe, values)), h("span", { class: "quiet" }, peopleHere(vibe)))),
    upNext.length > 0 && h("div", { class: "coming" }, h("h3", {}, "Next"),
      h("ol", { class: "numbered" }, upNext.map(({ id, title, artist }) => h("li", { key: id }, title, artist && h("span", { class: "quiet" }, ` ${artist}`))))));
}

function before(venue, { history }) {
  return h("section", { class: "card before" }, h("h2", {}, "What has played"),
    h("ol", { class: "moving" }, history.nodes.filter(({ song }) => song).slice(0, 6).map((play) => h("li", { key: play.id, class: "toned", style: toned(play.song.axes) },
      shape(play.song.axes), h("span", { class: "names" }, h("span", {}, play.song.title), h("span", { class: "quiet" }, [play.song.artist, play.ended === "SKIPPED" && "skipped", play.ended === "FAILED" && "could not be played", TIERS[play.tier]].filter(Boolean).join(" · "))),
      h("time", { class: "quiet", datetime: play.startedAt }, clock(play.startedAt, venue.timeZone))))));
}

function lastDay({ analytics, hours }) {
  const of = (name) => hours.map((hour) => [hour.label, hour[name]]);
  const alone = analytics.planSeconds + analytics.cacheSeconds;
  return h("section", { class: "card" }, h("h2", {}, "The last 24 hours"),
    chart("Songs played", of("plays"), { total: analytics.plays, unit: "songs" }),
    chart("People who checked in", of("listeners"), { total: analytics.listeners, unit: "people" }),
    alone > 0 && h("p", { class: "quiet" }, `${lasting(alone)} of it played without the hub.`));
}
