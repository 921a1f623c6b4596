// How the hub stands with its cloud, in a person's words, and facts that the cloud keeps apart.

import { Refused, ask } from "./ask.js";
import { newKey } from "../memory.js";
import { ago } from "./players.js";
import { question } from "./question.js";

const $ = (id) => document.getElementById(id);
const KINDS = {
  vote_cast: "A vote", session_started: "Somebody came in", session_ended: "Somebody left", play_started: "A song began", play_ended: "A song ended",
  pick_made: "The hub chose a song", song_added: "A song was taken in", song_withdrawn: "A song was withdrawn", player_added: "A player was added",
  player_changed: "A player was changed", player_removed: "A player was removed", listener_signed_in: "Somebody signed in", votes_claimed: "Votes were claimed",
};
let shownFacts = "";
let told = -1;

export function show({ sync }) {
  set("cloud-state", standing(sync));
  set("cloud-means", meaning(sync));
  const facts = [
    sync.enrolled ? ["Waiting", waiting(sync)] : ["Kept", sync.pending === 0 ? "Nothing yet" : `${count(sync.pending, "fact")}, should there be a cloud one day`],
    ...(sync.enrolled ? [
      ["Sent last", sync.pushed_ago_s === null ? "Not since the hub was started" : ago(sync.pushed_ago_s)],
      ["Heard last", sync.pulled_ago_s === null ? "Not since the hub was started" : ago(sync.pulled_ago_s)],
      ["At", `${sync.venue}, ${sync.at}`],
      ["Kept apart", sync.dead_letters === 0 ? "Nothing" : count(sync.dead_letters, "fact")],
    ] : []),
  ];
  const text = JSON.stringify(facts);
  if (text !== shownFacts) {
    shownFacts = text;
    $("cloud-facts").replaceChildren(...facts.flatMap(([name, value]) => [line("dt", name), line("dd", value)]));
  }
  $("enrol-form").hidden = sync.enrolled;
  $("apart").hidden = sync.dead_letters === 0 && $("apart-list").children.length === 0;
  $("cloud-mark").hidden = sync.dead_letters === 0 && sync.state !== "blocked";
  if (sync.dead_letters !== told) {
    told = sync.dead_letters;
    look();
  }
}

export function createCloud({ onTold }) {
  // The cloud's page shows one line with both in it; whoever pastes that has done enough.
  $("enrol-code").addEventListener("input", () => {
    const [, code, cloud] = /^\s*roomtone-hub enrol (\S+) --cloud (\S+)\s*$/.exec($("enrol-code").value) ?? [];
    if (!code) return;
    $("enrol-code").value = code;
    $("enrol-cloud").value = cloud;
  });
  $("enrol-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const [said, button] = [$("enrol-said"), event.target.querySelector("button")];
    said.textContent = "The hub asks the cloud.";
    button.disabled = true;
    try {
      const told = await ask("/enrol", { code: $("enrol-code").value, cloud: $("enrol-cloud").value }, "POST", 30_000);
      event.target.reset();
      onTold(told);
      said.textContent = `This hub belongs to ${told.sync.venue} now. Its songs come down by themselves.`;
    } catch (error) {
      said.textContent = error instanceof Refused ? error.message : "The hub does not answer; look whether it is enrolled before you try again.";
    } finally {
      button.disabled = false;
    }
  });
}

function waiting({ pending, oldest_pending_s }) {
  if (pending === 0) return "Nothing";
  return `${count(pending, "fact")}${oldest_pending_s === null ? "" : `, the oldest from ${ago(oldest_pending_s)}`}`;
}

// It has just been enrolled, or started: nobody has answered, and nobody has failed to.
const isOnItsWay = ({ state, pulled_ago_s, last_error }) => state === "offline" && pulled_ago_s === null && !last_error;

function standing(sync) {
  const { enrolled, state } = sync;
  if (!enrolled) return "This hub has no cloud.";
  if (isOnItsWay(sync)) return "The hub is on its way to the cloud.";
  return { synced: "Everything is in the cloud.", syncing: "What is new goes to the cloud.", offline: "The cloud is out of reach.", blocked: "The cloud takes nothing from this hub." }[state];
}

function meaning(sync) {
  const { enrolled, state, last_error } = sync;
  if (!enrolled) return "Music, votes and history stay here, and nothing is missing for that.";
  if (isOnItsWay(sync)) return "Music and votes go on meanwhile.";
  if (state === "offline") return "Music and votes go on; they reach the cloud later.";
  if (state === "blocked") return `Music and votes go on here.${last_error ? ` It says: ${last_error}` : ""}`;
  return "Votes and plays are kept there as well as here.";
}

async function look() {
  try {
    fill((await ask("/facts")).facts);
  } catch { /* The next look mends it. */ }
}

function fill(facts) {
  $("apart-list").replaceChildren(...facts.map((fact) => {
    const row = $("fact-row").content.firstElementChild.cloneNode(true);
    const kind = KINDS[fact.kind] ?? fact.kind;
    row.querySelector("h4").textContent = `${kind}, ${ago(fact.happened_ago_s)}`;
    row.querySelector(".reason").textContent = `${fact.reason} ${fact.parked ? "The cloud tries again by itself." : "It cannot be applied as it is."}`;
    const decide = async (decision) => {
      try {
        fill((await ask("/facts", { fact: fact.id, decision, key: newKey() })).facts);
        $("apart-said").textContent = decision === "retry" ? "It is sent again." : "It was dropped.";
      } catch (error) {
        $("apart-said").textContent = error.message;
      }
    };
    const [retry, discard] = row.querySelectorAll("button");
    retry.setAttribute("aria-label", `Send again: ${kind}`);
    discard.setAttribute("aria-label", `Drop: ${kind}`);
    retry.addEventListener("click", () => decide("retry"));
    discard.addEventListener("click", async () => {
      if (await question("Drop this fact?", "The cloud is never told of it. What it says stays true on this hub. This cannot be taken back.", "Drop it", "Keep it")) decide("discard");
    });
    return row;
  }));
  $("apart").hidden = facts.length === 0;
}

const count = (n, noun) => (n === 1 ? `1 ${noun}` : `${n} ${noun}s`);

function line(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}

function set(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}
