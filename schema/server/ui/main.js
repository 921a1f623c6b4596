// The listener page: takes the hub's values and hands each to the part that shows it.

import { createActions } from "./actions.js";
import { heard, position, startOver } from "./clock.js";
import { createCover } from "./cover.js";
import { createDoor, token, zone } from "./door.js";
import { OutOfReach, ask, openLink } from "./link.js";
import { createHours } from "./hours.js";
import { createListen } from "./listen.js";
import { createNext } from "./next.js";
import { createNotices } from "./notices.js";
import { FOLLOW, MINE, SNAPSHOT } from "./operations.js";
import { atCloud } from "./place.js";
import { createRoom } from "./room.js";
import { SAYS, unheard } from "./words.js";

// Shorter interruptions are nobody's concern.
const PATIENCE_MS = 2500;
const AGES_MS = 20_000;
// How the hub closes the line when a visit has ended, and on a token that it does not (or no longer) know.
const VISIT_ENDED = [4401, 4403];

if (atCloud) standAtCloud();
const notices = createNotices();
const say = (sentence) => notices.show("said", sentence);
const cover = createCover();
const room = createRoom();
const next = createNext();
const listen = createListen({ say });
const hours = createHours({ zone, token, onWords: (words) => playing || cover.closed(words) });
const actions = createActions({
  say,
  onTaste: (values) => room.taste(values),
  onNow: (now) => showNow(now),
  onEnded: () => door.ended(),
});
const door = createDoor({ say, onIn: arrive, onOut: leave });

let playing = null;
let upNext = [];
// The first values of a visit are simply there; only what changes afterwards moves.
let arriving = true;
document.documentElement.classList.add("arriving");

const show = {
  nowPlaying: showNow,
  vibe(vibe) {
    heard(vibe.updatedAt);
    room.show(vibe, { atOnce: arriving });
  },
  upNext(list) {
    upNext = list;
    next.show(list, { atOnce: arriving, empty: playing === null });
    cover.next(list[0]?.song);
    listen.next(list[0]?.song);
  },
  syncStatus(status) {
    if (atCloud) return tellHowFresh(status);
    const { state, lastError } = status;
    // A hub that was never enrolled is offline too, but nothing went wrong: it has no cloud to miss.
    if (state === "OFFLINE" && lastError) notices.show("cloud", SAYS.cloudGone, { lasting: true });
    else if (state === "BLOCKED") notices.show("cloud", SAYS.cloudRefuses, { lasting: true });
    else notices.hide("cloud");
    return undefined;
  },
};

// At the cloud: whether the room is heard, and if not, since when. The sentence ages while nothing comes.
let standing = null;
function tellHowFresh(status) {
  standing = status;
  if (status.state !== "OFFLINE") return notices.hide("room");
  const heardAt = status.lastPulledAt === null ? null : Date.parse(status.lastPulledAt);
  return notices.show("room", unheard(heardAt, Date.now()), { lasting: true });
}

// What only the room's own network can do is not offered there: its music stays in its room.
function standAtCloud() {
  document.documentElement.classList.add("at-cloud");
  document.getElementById("listen").hidden = true;
  document.querySelector("link[rel=manifest]").remove();
  setInterval(() => standing && tellHowFresh(standing), AGES_MS);
}

function showNow(now) {
  const isNew = now?.song.id !== playing?.song.id;
  playing = now;
  if (now) {
    heard(now.asOf);
    hours.rest();
  } else if (isNew || arriving) {
    hours.look();
  }
  cover.show(now, { atOnce: arriving });
  actions.show(now);
  listen.show(now);
  if (!isNew && !arriving) return;
  room.breatheWith(now?.song, now ? position(now) : 0);
  next.show(upNext, { atOnce: arriving, empty: now === null });
  askForMine();
}

// What only I may see: whether I am still checked in, my taste, my vote on this song. It is also a sign of life.
async function askForMine() {
  if (!token() || !playing) return;
  const asked = token();
  const song = playing.song.id;
  try {
    const { me, node } = await ask(MINE, { song }, asked);
    if (asked !== token()) return;
    if (!me?.session || me.session.status !== "ACTIVE") return door.ended();
    room.taste(me.preference.length ? me.preference : null, { atOnce: arriving });
    actions.mine(song, node?.viewerVote ?? null);
  } catch {
    // Out of reach: the next connection asks again.
  }
}

function arrive() {
  link.renew();
  askForMine();
}

function leave() {
  notices.hide("said");
  actions.forgetMe();
  room.taste(null);
  link.renew();
}

let patience = setTimeout(() => notices.show("hub", SAYS.neverThere, { lasting: true }), PATIENCE_MS);

async function up() {
  clearTimeout(patience);
  patience = 0;
  startOver();
  try {
    const { venue, ...values } = await ask(SNAPSHOT, { zone: zone() }, token());
    document.getElementById("venue").textContent = venue.name;
    hours.take(venue);
    for (const [name, value] of Object.entries(values)) show[name](value);
    if (!arriving) askForMine();
  } catch (error) {
    if (!(error instanceof OutOfReach)) say(error.message);
  }
  notices.hide("hub");
  settle();
}

// The colours of the arrival have to be in place before they learn to move.
function settle() {
  arriving = false;
  void document.documentElement.offsetWidth;
  document.documentElement.classList.remove("arriving");
}

function down({ code }) {
  if (VISIT_ENDED.includes(code)) door.ended();
  if (!patience) patience = setTimeout(() => notices.show("hub", SAYS.hubGone, { lasting: true }), PATIENCE_MS);
}

const link = openLink({ token, onUp: up, onDown: down });
for (const [name, query] of Object.entries(FOLLOW)) {
  link.follow(query, { zone: zone() }, (data) => show[name](data[name]));
}
