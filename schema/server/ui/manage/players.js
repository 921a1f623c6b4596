// The players as cards, each with what is wrong with it on top, and what can be done.

const $ = (id) => document.getElementById(id);
const cards = new Map();

/// Said of a player only where it is not as it should be.
export function alarm(player) {
  const { name, status, silent, health } = player;
  if (status === "offline") {
    if (player.seen_ago_s === null) return `${name} has never been heard of. Look at its power and its network.`;
    return `${name} was last heard of ${ago(player.seen_ago_s)}. Look at its power and its network; it plays on from its plan where it can.`;
  }
  if (silent) return `${name} is silent though it should play. Look at its cable and at the amplifier.`;
  if (health?.output_trouble) return `${name} cannot use its output: ${health.output_trouble}`;
  if (health?.rogue) return `Somebody near ${name} says to be this hub and is not: ${health.rogue}`;
  return "";
}

export function ago(seconds) {
  if (seconds < 120) return `${seconds} seconds ago`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} minutes ago`;
  return `${Math.floor(seconds / 3600)} hours ago`;
}

function does(player) {
  if (player.status === "offline") return "Out of reach";
  if (player.mode === "paused") return "Paused";
  if (player.mode === "stopped") return "Stopped";
  if (player.song) return player.song;
  return player.status === "active" ? "Plays" : "Idle";
}

const TIERS = { plan: "Plays by its plan, without the hub", cache: "Plays what it holds, without the hub" };

function more(player) {
  const { health } = player;
  const words = [];
  if (player.status !== "offline" && TIERS[player.tier]) words.push(TIERS[player.tier]);
  if (player.silence_s >= 1) words.push(`${lasting(player.silence_s)} of silence so far`);
  if (health?.planned_ms) words.push(`could go on alone for ${lasting(health.planned_ms / 1000)}`);
  if (health?.cached_songs != null) words.push(`holds ${health.cached_songs} songs`);
  if (health?.clock_trusted === false) words.push("its clock is wrong");
  if (health?.output) words.push(health.output);
  if (!player.paired) words.push("terminal");
  return words.join(" · ");
}

function lasting(seconds) {
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h`;
}

/// Shows all players; trouble floats up.
export function show(players, zones, acts) {
  const urgent = (player) => (alarm(player) ? 0 : 1);
  const sorted = [...players].sort((a, b) => urgent(a) - urgent(b));
  const seen = new Set(players.map((player) => player.id));
  for (const [id, card] of cards) {
    if (seen.has(id)) continue;
    card.root.remove();
    cards.delete(id);
  }
  sorted.forEach((player, place) => {
    if (!cards.has(player.id)) cards.set(player.id, make(acts));
    const card = cards.get(player.id);
    fill(card, player, zones);
    const list = $("players");
    if (list.children[place] !== card.root) list.insertBefore(card.root, list.children[place] ?? null);
  });
}

function make(acts) {
  const root = $("player").content.firstElementChild.cloneNode(true);
  const find = (selector) => root.querySelector(selector);
  const card = {
    root, player: null, moving: false,
    alarm: find(".alarm"), name: find(".name"), zone: find(".zone"), song: find(".song"), more: find(".more"),
    label: find(".unseen"), range: find("input"), percent: find("output"), hold: find(".hold"),
    skip: find(".skip"), stop: find(".stop"), rename: find(".rename"), remove: find(".remove"),
  };
  card.range.addEventListener("input", () => {
    card.moving = true;
    card.percent.value = `${card.range.value} %`;
  });
  card.range.addEventListener("change", async () => {
    await acts.order(card.player, { volume: Number(card.range.value) });
    card.moving = false;
  });
  card.hold.addEventListener("click", () => acts.order(card.player, card.player.mode === "playing" ? "pause" : "resume"));
  card.skip.addEventListener("click", () => acts.order(card.player, "skip"));
  card.stop.addEventListener("click", () => acts.order(card.player, "stop"));
  card.rename.addEventListener("click", () => acts.rename(card.player));
  card.remove.addEventListener("click", () => acts.remove(card.player));
  return card;
}

function fill(card, player, zones) {
  card.player = player;
  const why = alarm(player);
  set(card.alarm, why);
  card.alarm.hidden = !why;
  card.root.classList.toggle("alarmed", Boolean(why));
  set(card.name, player.name);
  set(card.zone, zones.length > 1 ? player.zone : "");
  set(card.song, does(player));
  set(card.more, more(player));
  set(card.label, `Volume of ${player.name}`);
  if (!card.moving) {
    card.range.value = player.volume;
    card.percent.value = `${player.volume} %`;
  }
  set(card.hold, player.mode === "playing" ? "Pause" : "Resume");
  card.stop.disabled = player.mode === "stopped";
  card.skip.disabled = player.mode !== "playing";
  for (const [button, word] of [[card.hold, card.hold.textContent], [card.skip, "Skip the song of"], [card.stop, "Stop"], [card.rename, "Rename"], [card.remove, "Remove"]]) {
    button.setAttribute("aria-label", `${word} ${player.name}`);
  }
}

/// Text that is the same is left alone, so that nothing that reads it aloud says it twice.
function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/// Whether music plays everywhere, in a sentence.
export function summary(players) {
  if (players.length === 0) return "There is no player yet. Add the first.";
  const troubled = players.filter(alarm).map((player) => player.name);
  if (troubled.length === 1) return `${troubled[0]} needs you.`;
  if (troubled.length > 1) return `${troubled.length} players need you: ${troubled.join(", ")}.`;
  const held = players.filter((player) => player.mode !== "playing").length;
  if (held === players.length) return "Nothing plays: every player is held.";
  if (held > 0) return `Music plays; ${held} of ${players.length} players are held.`;
  const idle = players.filter((player) => player.status !== "active").length;
  if (idle > 0) return "Players are there and wait for music.";
  return players.length === 1 ? "Music plays." : "Music plays everywhere.";
}
