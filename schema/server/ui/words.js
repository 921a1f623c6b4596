// What the page says. Plain, short, friendly; the words of the product.

import { atCloud } from "./place.js";

const POLES = [["calm", "lively"], ["warm", "bright"], ["slow", "brisk"], ["textured", "melodic"], ["airy", "busy"]];
export const AXIS_NAMES = ["Energy", "Brightness", "Tempo", "Tonality", "Density"];
const NEUTRAL = 0.12;
const MOST_WORDS = 3;
// A vibe shorter than this points nowhere: nobody has wished anything, or the wishes cancel out.
const NO_DIRECTION = 0.05;

// Five numbers in words, the most telling three in the order of the axes: "calm, warm, slow".
export function mood(values) {
  const strength = values.map(Math.abs);
  const told = values
    .map((_, axis) => axis)
    .filter((axis) => strength[axis] >= NEUTRAL)
    .sort((a, b) => strength[b] - strength[a])
    .slice(0, MOST_WORDS)
    .sort((a, b) => a - b);
  return told.length ? told.map((axis) => POLES[axis][values[axis] > 0 ? 1 : 0]).join(", ") : "even, in the middle";
}

// The hub's refusals are phrases; on the page they stand alone.
export function sentence(text) {
  const said = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.?]$/.test(said) ? said : `${said}.`;
}

export function minutes(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

export function peopleHere(vibe) {
  const people = vibe.activeListeners;
  if (people === 0) return "Nobody is checked in";
  if (people === 1) return "1 here";
  return `${people} here – ${agreement(vibe)}`;
}

function agreement({ source, consensus }) {
  if (source !== "LISTENERS" || consensus < NO_DIRECTION) return "no common wish yet";
  if (consensus >= 0.85) return "of one mind";
  if (consensus >= 0.55) return "mostly agreed";
  if (consensus >= 0.3) return "of several minds";
  return "split";
}

export function roomMood(vibe, values) {
  if (vibe.source === "LISTENERS" && vibe.consensus >= NO_DIRECTION) return `The room: ${mood(values)}`;
  if (vibe.source === "PROFILE") return `The house: ${mood(values)}`;
  if (vibe.source === "CATALOGUE") return "The middle of the library";
  return "The first like gives a direction";
}

export function myTaste(values) {
  return values ? `You: ${mood(values)}` : "";
}

const REASONS = {
  VIBE: (value) =>
    value >= 0.7 ? "It is very close to what the room wants."
    : value >= 0.3 ? "It goes well with what the room wants."
    : "It is among the nearest to what the room wants.",
  LIKED_HERE: (value) =>
    value >= 0.99 ? "Everybody here likes it."
    : value >= 0.5 ? "Most of the people here like it."
    : "Some of the people here like it.",
  LONG_UNHEARD: (value) => (value == null ? "It has not been played here before." : `It was last heard here ${ago(value)}.`),
  PROFILE: () => "It fits how this house wants to sound at this time of day.",
  EXPLORING: () => "It is a small detour, so that more of the library is heard.",
  TURN_OF_THE_UNHEARD: () => "It is for whoever here has waited longest for their kind of music.",
};

function ago(hours) {
  if (hours < 1) return "within the hour";
  if (hours < 1.5) return "an hour ago";
  if (hours < 36) return `${Math.round(hours)} hours ago`;
  return `${Math.round(hours / 24)} days ago`;
}

// Two plain sentences: the strongest reasons, and where there are fewer, what the song is like.
export function why({ explanation, song }, values) {
  const told = explanation.reasons.filter(({ code }) => REASONS[code]).map(({ code, value }) => REASONS[code](value));
  const like = song.axes.length ? `It sounds ${mood(values)}.` : "Nothing is known about its sound yet.";
  return [...new Set([...told, like, "Among the songs that have rested, it came out first."])].slice(0, 2);
}

// Until when a room is closed, told by the venue's clock, wherever the phone thinks it is.
export function closedUntil({ asOf, opensAt }, timeZone) {
  if (!opensAt) return SAYS.closed;
  const [now, opens] = [new Date(asOf), new Date(opensAt)];
  const told = (form, at) => new Intl.DateTimeFormat("en-GB", { timeZone, ...form }).format(at);
  const time = told({ hour: "2-digit", minute: "2-digit" }, opens);
  const day = (at) => told({ dateStyle: "short" }, at);
  if (day(opens) === day(now)) return `Closed until ${time}`;
  if (day(opens) === day(new Date(now.getTime() + 24 * 3_600_000))) return `Closed until tomorrow, ${time}`;
  return `Closed until ${told({ weekday: "long" }, opens)}, ${time}`;
}

const AT_HUB = {
  hubGone: "The hub is out of reach. The music goes on; this page comes back by itself.",
  neverThere: "The hub does not answer yet. This page keeps trying.",
  cloudGone: "The internet is gone. Music and votes go on; they will reach the cloud later.",
  cloudRefuses: "The cloud does not accept this hub at the moment. Music and votes go on here.",
  notSent: "That did not reach the hub, so it was not counted. Try again in a moment.",
  fault: "That did not work at the hub. The music goes on; try again in a moment.",
  ended: "Your check-in has ended. One tap brings you back.",
  out: "You are checked out. Thank you for listening.",
  welcome: "Check in, and the room's music follows you too.",
  yourTurn: "Many are coming in just now. You are next in a moment.",
  noCode: "The code is on the poster or the screen.",
  empty: "No music yet",
  emptyHow: "Run \u201croomtone-hub import DIR\u201d on the hub.",
  emptyNext: "The list fills as soon as there is music.",
  closed: "Closed",
  closedHow: "The music begins again when the house opens.",
  noNext: "What comes next stays a surprise here.",
  noListen: "This browser could not play the song. The next one may work.",
  here: "You are checked in.",
  signedIn: "You are checked in with your account.",
};

// The same page at the cloud, for phones that do not reach the hub.
const AT_CLOUD = {
  hubGone: "This page has lost its line. The music goes on; the page comes back by itself.",
  neverThere: "The cloud does not answer yet. This page keeps trying.",
  notSent: "That did not arrive, so it was not counted. Try again in a moment.",
  fault: "That did not work. The music goes on; try again in a moment.",
  welcome: "Check in, and the room\u2019s music follows you too.",
  noCode: "The code is on the poster.",
  empty: "Nothing heard from the room",
  emptyHow: "What it plays is shown here as soon as it is heard.",
};

export const SAYS = atCloud ? { ...AT_HUB, ...AT_CLOUD } : AT_HUB;

// How fresh a page at the cloud is whose hub is silent: when it was last heard, and what that means for a vote.
export function unheard(lastHeardMs, nowMs) {
  const kept = "What you vote is kept, and counts when it is back.";
  if (lastHeardMs === null) return `The room has not been heard from yet. ${kept}`;
  return `The room was last heard from ${sinceThen(Math.max(0, nowMs - lastHeardMs) / 60_000)}. ${kept}`;
}

function sinceThen(minutes) {
  if (minutes < 1.5) return "a minute ago";
  if (minutes < 10) return `${Math.round(minutes)} minutes ago`;
  if (minutes < 60) return `${Math.round(minutes / 5) * 5} minutes ago`;
  return ago(minutes / 60);
}
