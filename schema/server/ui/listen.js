// "Listen here": this phone plays what the zone plays. It follows and never advances the music.
//
// Two audio elements take turns, so that one song fades out under the next. Where a browser does not let a page set
// the volume (iOS), songs change without a fade.

import { position } from "./clock.js";
import { crossfadeMs } from "./cover.js";
import { SAYS } from "./words.js";

const DRIFT_S = 1.5;
const FADE_STEP_MS = 50;
const LOOK_MS = 4000;
// The next song is fetched when it is nearly due: until then votes may still change it.
const FETCH_AHEAD_MS = 20_000;
const GAIN_DB = { least: -9, most: 3 };
// Below 1, so that a quiet song has somewhere to go: an element's volume cannot exceed 1.
const LEVEL = 0.7;

export function createListen({ say }) {
  const button = document.getElementById("listen");
  const decks = [new Audio(), new Audio()];
  decks.forEach((deck, at) => {
    deck.preload = "auto";
    deck.id = `deck-${at}`;
    deck.hidden = true;
    document.body.append(deck);
  });
  let front = 0;
  let on = false;
  let now = null;
  let following = null;
  let watch = 0;

  // iOS lets only those elements play later that were touched in a gesture.
  const bless = (deck) => deck.load();

  function start() {
    on = true;
    button.setAttribute("aria-pressed", "true");
    decks.forEach(bless);
    if (now) cue(now, 300);
    watch = setInterval(look, LOOK_MS);
  }

  function stop() {
    on = false;
    clearInterval(watch);
    button.setAttribute("aria-pressed", "false");
    decks.forEach((deck) => fade(deck, 0, 300, () => silence(deck)));
  }

  function cue(playing, fadeMs) {
    const url = playing.song.mediaUrl;
    const leaving = decks[front];
    front = 1 - front;
    const deck = decks[front];
    fade(leaving, 0, fadeMs, () => silence(leaving));
    if (!url) return;
    deck.dataset.song = playing.song.id;
    if (deck.getAttribute("src") !== url) deck.src = url;
    deck.volume = 0;
    const place = () => { deck.currentTime = position(playing) / 1000; };
    if (deck.readyState >= 1) place();
    else deck.addEventListener("loadedmetadata", place, { once: true });
    // Starting took its time too.
    deck.addEventListener("playing", keepPlace, { once: true });
    deck.play().then(() => fade(deck, level(playing.gainDb), fadeMs), unable);
  }

  function unable(error) {
    if (error.name === "AbortError") return;
    if (error.name === "NotAllowedError") stop();
    say(SAYS.noListen);
  }

  function look() {
    keepPlace();
    fetchNext();
  }

  // Back to the zone's place when this phone was held up.
  function keepPlace() {
    const deck = decks[front];
    if (!now || deck.dataset.song !== now.song.id || deck.paused || deck.seeking) return;
    const should = position(now) / 1000;
    if (should < deck.duration && Math.abs(deck.currentTime - should) > DRIFT_S) deck.currentTime = should;
  }

  function fetchNext() {
    const idle = decks[1 - front];
    const url = following?.mediaUrl;
    if (!now || !url || !idle.paused || idle.getAttribute("src") === url) return;
    if (now.song.durationMs - position(now) < FETCH_AHEAD_MS) idle.src = url;
  }

  button.addEventListener("click", () => (on ? stop() : start()));

  return {
    show(playing) {
      const isNew = playing?.song.id !== now?.song.id;
      now = playing;
      if (!on || !isNew) return;
      if (playing) cue(playing, crossfadeMs(playing));
      else decks.forEach((deck) => fade(deck, 0, 1000, () => silence(deck)));
    },
    next(song) {
      following = song ?? null;
    },
  };
}

// What brings the song to the zone's loudness, in the bounds of what a phone can do without clipping.
function level(gainDb) {
  const kept = Math.max(GAIN_DB.least, Math.min(GAIN_DB.most, gainDb));
  return Math.min(1, LEVEL * 10 ** (kept / 20));
}

const fades = new WeakMap();

// A fade of equal power: the sum of a song that goes and one that comes stays as loud as either.
function fade(deck, goal, ms, then = () => {}) {
  clearInterval(fades.get(deck));
  const from = deck.volume;
  const begun = performance.now();
  const timer = setInterval(() => {
    const share = Math.min(1, (performance.now() - begun) / Math.max(1, ms));
    const turn = goal > from ? Math.sin((share * Math.PI) / 2) : 1 - Math.cos((share * Math.PI) / 2);
    deck.volume = Math.max(0, Math.min(1, from + (goal - from) * turn));
    if (share < 1) return;
    clearInterval(timer);
    then();
  }, FADE_STEP_MS);
  fades.set(deck, timer);
}

function silence(deck) {
  deck.pause();
  delete deck.dataset.song;
}
