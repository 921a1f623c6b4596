// The manager's page for players: signs in, looks every second, and passes on what is asked.

import { Refused, ask, store, stored } from "./ask.js";
import * as pairing from "./pairing.js";
import * as players from "./players.js";

const EVERY_MS = 1000;
const $ = (id) => document.getElementById(id);
let token = stored();
let timer = 0;
let asked = 0;

function show(told) {
  $("gate").hidden = true;
  $("office").hidden = false;
  $("lost").hidden = true;
  if ($("venue").textContent !== told.venue) $("venue").textContent = told.venue;
  const words = players.summary(told.players);
  if ($("summary").textContent !== words) $("summary").textContent = words;
  document.title = `${words} – Roomtone`;
  players.show(told.players, told.zones, acts);
  pairing.show(told);
}

function leave(why = "") {
  clearTimeout(timer);
  token = null;
  store(null);
  $("office").hidden = true;
  $("gate").hidden = false;
  $("why").textContent = why;
  $("token").value = "";
  document.title = "Players – Roomtone";
  $("token").focus();
}

/// Asks, and shows what comes back unless something newer was asked meanwhile.
async function look(...what) {
  const turn = ++asked;
  const told = await ask(token, ...what);
  if (turn === asked && token) show(told);
}

async function beat() {
  clearTimeout(timer);
  try {
    if (!document.hidden) await look();
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return leave("The token is no longer good; a newer one was made since.");
    $("lost").hidden = false;
  }
  if (token) timer = setTimeout(beat, EVERY_MS);
}

/// Does something, and says why not where it is refused.
async function act(...what) {
  $("said").textContent = "";
  try {
    await look(...what);
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return leave("The token is no longer good; a newer one was made since.");
    $("said").textContent = error instanceof Refused ? error.message : "The hub does not answer; nothing was changed.";
  }
}

/// A plain question; the name where one is asked for.
function question(title, text, yes, no, name) {
  const box = $("question");
  $("question-title").textContent = title;
  $("question-text").textContent = text;
  $("question-yes").textContent = yes;
  $("question-no").textContent = no;
  $("question-label").hidden = name === undefined;
  $("question-field").required = name !== undefined;
  $("question-field").value = name ?? "";
  box.returnValue = "no";
  box.showModal();
  if (name !== undefined) $("question-field").select();
  else $("question-no").focus();
  return new Promise((done) => {
    box.addEventListener("close", () => done(box.returnValue === "yes" ? $("question-field").value.trim() || true : false), { once: true });
  });
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
};

$("door").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("why").textContent = "";
  token = $("token").value.trim();
  try {
    await look();
    store(token);
    beat();
  } catch (error) {
    token = null;
    $("why").textContent = error instanceof Refused
      ? "This is not the manager’s token, or a newer one was made since."
      : "The hub does not answer. Is it still running?";
    $("token").setAttribute("aria-invalid", "true");
    $("token").focus();
  }
});
$("leave").addEventListener("click", () => leave());
$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const [name, zone] = [$("pair-name").value.trim(), $("pair-zone").value];
  act("/pairing", { name: name || null, zone: zone || null }).then(() => { $("pair-name").value = ""; });
});
$("close").addEventListener("click", () => act("/pairing", undefined, "DELETE"));
document.addEventListener("visibilitychange", () => { if (token && !document.hidden) beat(); });

// The first picture of the page is the one that stays: nothing is shown before it is known which.
if (token) beat().then(() => { if (token && $("office").hidden) { $("office").hidden = false; } });
else leave();
