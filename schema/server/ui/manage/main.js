// The manager's page: signs in, looks every second, shows what is asked for, and passes on what is done.

import { Refused, ask, byToken, sentence, show as showToken } from "./ask.js";
import * as cloud from "./cloud.js";
import * as fares from "./fares.js";
import { createGate } from "./gate.js";
import * as house from "./house.js";
import * as pairing from "./pairing.js";
import * as players from "./players.js";
import { question } from "./question.js";
import * as rooms from "./rooms.js";
import * as songs from "./songs.js";
import * as week from "./week.js";

const EVERY_MS = 1000;
const FARES_EVERY_MS = 20_000;
const VIEWS = ["now", "week", "songs", "cloud", "more"];
const ENDED_TOKEN = "The token is no longer good; a newer one was made since.";
const ENDED_PIN = "You are signed out: the time was over, the PIN was changed, or the hub was started anew.";
const GONE = "The hub does not answer; nothing was changed.";
const $ = (id) => document.getElementById(id);
const gate = createGate({ onIn: (told) => { enter(told); } });
let inside = false;
let timer = 0;
let asked = 0;
let faresAt = 0;

function show(told) {
  $("gate").hidden = true;
  $("office").hidden = false;
  $("lost").hidden = true;
  if ($("venue").textContent !== told.venue) $("venue").textContent = told.venue;
  const words = players.summary(told.players);
  if ($("summary").textContent !== words) $("summary").textContent = words;
  document.title = `${words} – Roomtone`;
  rooms.show(told, acts);
  lookAtFares();
  players.show(told.players, told.zones, acts);
  pairing.show(told);
  week.show(told, acts);
  songs.show(told);
  cloud.show(told);
  house.show(told);
}

function enter(told) {
  inside = true;
  asked += 1;
  faresAt = 0;
  show(told);
  turn();
  clearTimeout(timer);
  timer = setTimeout(beat, EVERY_MS);
}

async function leave(why = "") {
  clearTimeout(timer);
  inside = false;
  asked += 1;
  if (byToken()) showToken(null);
  $("office").hidden = true;
  document.title = "The venue – Roomtone";
  gate.open(await ask("/door").catch(() => ({})), why);
}

const ended = () => leave(byToken() ? ENDED_TOKEN : ENDED_PIN);

/// How people fare takes a look into the log, and changes with each song at most.
async function lookAtFares() {
  if (Date.now() < faresAt || $("now").hidden) return;
  faresAt = Date.now() + FARES_EVERY_MS;
  const told = await ask("/fares").catch(() => null);
  if (told && inside) fares.show(told);
}

/// Asks, and shows what comes back unless something newer was asked meanwhile.
async function look(...what) {
  const mine = ++asked;
  const told = await ask(...what);
  if (mine === asked && inside) show(told);
}

async function beat() {
  clearTimeout(timer);
  try {
    if (!document.hidden) await look();
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return ended();
    $("lost").hidden = false;
  }
  if (inside) timer = setTimeout(beat, EVERY_MS);
  return undefined;
}

/// Does something; gives the reason where it is refused.
async function reason(...what) {
  try {
    await look(...what);
    return null;
  } catch (error) {
    if (error instanceof Refused && error.status === 401) ended();
    return error instanceof Refused ? sentence(error.message) : GONE;
  }
}

/// Does something, and says why not above the players.
async function act(...what) {
  $("said").textContent = "";
  $("said").textContent = (await reason(...what)) ?? "";
}

const acts = {
  order: (player, order) => act("/order", { player: player.id, order }),
  async rename(player) {
    const name = await question(`What is ${player.name} called from now on?`, "", "Rename", "Keep the name", player.name);
    if (typeof name === "string" && name !== player.name) await act("/rename", { player: player.id, name });
  },
  async remove(player) {
    const text = "It stops being a player of this venue: what it shows opens nothing any more, and it has to be paired again to come back. What it has played stays in the history.";
    if (await question(`Remove ${player.name}?`, text, "Remove", "Keep it")) await act("/remove", { player: player.id });
  },
  skip: (room) => reason("/skip", { zone: room.id }),
  week: (zone, schedule) => reason("/week", { zone, schedule }),
};

/// Shows the view that the address names.
function turn() {
  const wanted = VIEWS.includes(location.hash.slice(1)) ? location.hash.slice(1) : VIEWS[0];
  for (const view of VIEWS) {
    $(view).hidden = view !== wanted;
    const link = document.querySelector(`nav a[href="#${view}"]`);
    if (view === wanted) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

songs.createSongs();
cloud.createCloud({ onTold: (told) => { asked += 1; show(told); } });
house.createHouse({ onTold: (told) => { asked += 1; show(told); }, onRestart: () => { clearTimeout(timer); timer = setTimeout(beat, 2 * EVERY_MS); } });
addEventListener("hashchange", () => { turn(); scrollTo({ top: 0 }); });
$("leave").addEventListener("click", async () => {
  if (!byToken()) await ask("/sign-out", {}).catch(() => {});
  leave();
});
$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const [name, zone] = [$("pair-name").value.trim(), $("pair-zone").value];
  act("/pairing", { name: name || null, zone: zone || null }).then(() => { $("pair-name").value = ""; });
});
$("close").addEventListener("click", () => act("/pairing", undefined, "DELETE"));
document.addEventListener("visibilitychange", () => { if (inside && !document.hidden) beat(); });

// The code leaves the address before anything else is done: it is in no history, and no screen shows it for long.
const [, setup = null] = /^#setup=([\w-]+)$/.exec(location.hash) ?? [];
if (setup) history.replaceState(null, "", location.pathname);

// The first picture of the page is the one that stays: nothing is shown before it is known which.
try {
  const door = await ask("/door");
  if (door.signed_in) enter(await ask());
  else if (byToken() && !setup) leave(ENDED_TOKEN);
  else gate.open(door, "", setup);
} catch {
  gate.open({}, "The hub does not answer. Is it still running?");
}
