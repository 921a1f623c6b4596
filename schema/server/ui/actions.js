// Like, not for me, skip, why: what a guest can do. The button answers at once; the hub's answer corrects it.

import { numbers } from "./curve.js";
import { token } from "./door.js";
import { OutOfReach, change } from "./link.js";
import { newKey } from "./memory.js";
import { animate } from "./motion.js";
import { SKIP, VOTE } from "./operations.js";
import { SAYS, why } from "./words.js";

const $ = (id) => document.getElementById(id);
const SESSION_OVER = ["NOT_CHECKED_IN", "EXPIRED"];

export function createActions({ say, onTaste, onNow, onEnded }) {
  const like = $("like");
  const dislike = $("dislike");
  const skip = $("skip");
  let song = null;
  // What the hub has confirmed, by song; what the buttons show may be ahead of it for a moment.
  const votes = new Map();
  let skipped = null;

  function press(value) {
    like.setAttribute("aria-pressed", String(value === "LIKE"));
    dislike.setAttribute("aria-pressed", String(value === "DISLIKE"));
  }

  function refused(error) {
    if (SESSION_OVER.includes(error.code)) return onEnded();
    return say(error instanceof OutOfReach ? SAYS.notSent : error.message);
  }

  async function vote(value) {
    if (!song || !token() || song.wish === value) return;
    const asked = song;
    asked.wish = value;
    asked.touched = true;
    press(value);
    if (value === "LIKE") sow(like);
    try {
      const { taste } = await change(VOTE, "vote", { idempotencyKey: newKey(), songId: asked.id, value }, token());
      votes.set(asked.id, value);
      if (taste) onTaste(numbers(taste));
    } catch (error) {
      if (asked.wish === value) asked.wish = votes.get(asked.id) ?? null;
      if (song?.id === asked.id) press(asked.wish);
      refused(error);
    }
  }

  async function voteToSkip() {
    if (!song || !token() || skipped === song.id) return;
    const asked = song.id;
    skipped = asked;
    skip.setAttribute("aria-pressed", "true");
    try {
      const { nowPlaying } = await change(SKIP, "voteToSkip", { idempotencyKey: newKey() }, token());
      if (nowPlaying) onNow(nowPlaying);
    } catch (error) {
      if (skipped === asked) skipped = null;
      if (song?.id === asked) skip.setAttribute("aria-pressed", "false");
      refused(error);
    }
  }

  like.addEventListener("click", () => vote("LIKE"));
  dislike.addEventListener("click", () => vote("DISLIKE"));
  skip.addEventListener("click", voteToSkip);
  $("why").addEventListener("click", () => {
    const open = $("reasons").toggleAttribute("hidden") === false;
    $("why").setAttribute("aria-expanded", String(open));
    if (open) animate($("reasons"), { opacity: [0, 1], transform: ["translateY(-4px)", "none"] }, { duration: 300 });
  });
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.target.matches?.("input, textarea")) return;
    const act = { l: () => vote("LIKE"), d: () => vote("DISLIKE"), s: voteToSkip }[event.key.toLowerCase()];
    act?.();
  });

  return {
    show(now) {
      if (now?.song.id !== song?.id) {
        song = now ? { id: now.song.id, wish: votes.get(now.song.id) ?? null } : null;
        press(song?.wish);
        // A wish is for this time that a song plays: with another one it is over.
        if (song && song.id !== skipped) skipped = null;
        skip.setAttribute("aria-pressed", String(song !== null && skipped === song.id));
      }
      for (const button of [like, dislike]) button.disabled = !now;
      showSkip(skip, now);
      showReasons(now);
    },
    // What the hub has on record for this viewer and song. An answer to an older question: a vote since then wins.
    mine(songId, value) {
      if (song?.id === songId && song.touched) return;
      if (value) votes.set(songId, value);
      else votes.delete(songId);
      if (song?.id !== songId) return;
      song.wish = value;
      press(value);
    },
    forgetMe() {
      votes.clear();
      skipped = null;
      if (song) song = { id: song.id, wish: null };
      press(null);
      skip.setAttribute("aria-pressed", "false");
    },
  };
}

function showSkip(skip, now) {
  const needed = now?.skipVotesNeeded ?? 0;
  // Where the house does not allow skipping the place stays empty: nothing moves.
  skip.style.visibility = needed > 0 ? "visible" : "hidden";
  skip.querySelector(".fill").style.transform = `scaleX(${needed > 0 ? Math.min(1, now.skipVotes / needed) : 0})`;
  $("skip-count").textContent = now?.skipVotes > 0 ? `${now.skipVotes} of ${needed}` : "";
}

function showReasons(now) {
  $("why").style.visibility = now ? "visible" : "hidden";
  if (!now) return;
  const sentences = why(now, numbers(now.song.axes));
  [...$("reasons").children].forEach((line, at) => { line.textContent = sentences[at] ?? ""; });
}

// A like is a seed: it goes from the button to the room's shape, which then leans.
function sow(button) {
  animate(button.querySelector(".icon"), { transform: ["scale(1)", "scale(1.35)", "scale(1)"] }, { duration: 450 });
  const [from, to] = [button, $("vibe")].map((element) => element.getBoundingClientRect());
  const seed = document.createElement("div");
  seed.className = "seed";
  seed.setAttribute("aria-hidden", "true");
  const at = (box) => `translate(${box.left + box.width / 2}px, ${box.top + box.height / 2}px)`;
  document.body.append(seed);
  const flight = animate(seed, { transform: [`${at(from)} scale(1)`, `${at(to)} scale(0.4)`], opacity: [0.9, 0.9, 0] }, { duration: 650 });
  if (flight) flight.onfinish = () => seed.remove();
  else seed.remove();
}
