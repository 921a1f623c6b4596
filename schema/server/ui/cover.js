// What plays: the song's shape and colour, its title, its progress. The colours of the whole page come from here.

import { position } from "./clock.js";
import { FLAT, numbers, portrait, springy } from "./curve.js";
import { breathe, reducedMotion } from "./motion.js";
import { SAYS, minutes, mood } from "./words.js";

const $ = (id) => document.getElementById(id);
const AURAS = [1.28, 1.17, 1.07];
const GROOVES = [0.84, 0.68, 0.52, 0.36, 0.2];
const GROOVES_TO_CIRCLE = 0.75;

// A song's one colour: amber where it is dark and tonal, over rose and violet to blue where it is bright and noisy;
// the more energy, the more colour.
export function tone(values) {
  const [energy, brightness, , tonality] = values;
  const cool = Math.max(0, Math.min(1, 0.5 + 0.5 * (0.75 * brightness - 0.45 * tonality)));
  return { hue: 68 - 178 * cool ** 1.25, chroma: 0.06 + 0.026 * (energy + 1) };
}

export function paint(element, values, suffix = "") {
  const { hue, chroma } = tone(values);
  element.style.setProperty(`--hue${suffix}`, hue.toFixed(1));
  element.style.setProperty(`--chroma${suffix}`, chroma.toFixed(4));
}

// The zone may have gone from the settings since.
export const crossfadeMs = ({ zone }) => zone?.crossfadeMs ?? 5000;

export function createCover() {
  const svg = $("cover");
  const auras = [...svg.querySelectorAll(".aura")];
  const body = svg.querySelector(".body");
  const grooves = GROOVES.map(() => svg.querySelector(".grooves").appendChild(
    document.createElementNS("http://www.w3.org/2000/svg", "path")));
  const shape = springy((values) => draw(values, { auras, body, grooves }));
  const breaths = [
    breathe(svg.querySelector(".disc"), { swell: 0.018 }),
    ...auras.map((aura, at) => breathe(aura, { swell: 0.06 + 0.03 * (AURAS.length - at), lag: 0.1 * (AURAS.length - at) })),
  ];
  let playing = null;
  let closed = null;
  let ticking = 0;
  const tick = () => showPosition(playing);

  return {
    show(now, { atOnce }) {
      const isNew = now?.song.id !== playing?.song.id;
      playing = now;
      document.documentElement.classList.toggle("silent", !now);
      clearInterval(ticking);
      ticking = now ? setInterval(tick, 500) : 0;
      tick();
      if (!now) return showNothing(shape, closed);
      closed = null;
      if (!isNew) return undefined;
      const values = numbers(now.song.axes);
      document.documentElement.style.setProperty("--fade", `${Math.max(1, crossfadeMs(now) / 1000)}s`);
      paint(document.documentElement, values);
      shape.leanTo(values, { atOnce });
      breaths.forEach((breath) => breath.at(now.song.bpm, position(now)));
      return showWords(now.song, values, atOnce);
    },
    // Why nothing plays: in words where the room is closed, else null.
    closed(words) {
      if (closed === words) return;
      closed = words;
      if (!playing) showNothing(shape, closed);
    },
    next(song) {
      paint(document.documentElement, song ? numbers(song.axes) : numbers(playing?.song.axes), "-next");
    },
  };
}

function draw(values, { auras, body, grooves }) {
  body.setAttribute("d", portrait(values));
  auras.forEach((aura, at) => aura.setAttribute("d", portrait(values, AURAS[at])));
  grooves.forEach((groove, at) => {
    const rounder = values.map((value) => value * (1 - GROOVES_TO_CIRCLE * (1 - GROOVES[at])));
    groove.setAttribute("d", portrait(rounder, GROOVES[at]));
  });
}

function showWords(song, values, atOnce) {
  showTitle(song.title);
  $("artist").textContent = song.artist ?? "\u00a0";
  $("length").textContent = minutes(song.durationMs);
  const by = song.artist ? ` by ${song.artist}` : "";
  $("spoken").textContent = `Now playing: ${song.title}${by}. It sounds ${mood(values)}.`;
  $("cover").setAttribute("aria-label", `The song's shape: ${mood(values)}`);
  document.title = `${song.title}${song.artist ? ` – ${song.artist}` : ""}`;
  if (!atOnce && !reducedMotion()) {
    document.querySelector(".title").animate({ opacity: [0, 1], transform: ["translateY(8px)", "none"] }, { duration: 700, easing: "ease-out" });
  }
}

function showTitle(text) {
  const title = $("title");
  title.classList.remove("long");
  title.textContent = text;
  title.classList.toggle("long", title.scrollWidth > title.clientWidth);
}

function showNothing(shape, closed) {
  shape.leanTo(FLAT);
  showTitle(closed ?? SAYS.empty);
  $("artist").textContent = closed ? SAYS.closedHow : SAYS.emptyHow;
  $("elapsed").textContent = $("length").textContent = "\u00a0";
  $("spoken").textContent = closed ? `${closed}.` : SAYS.empty;
  document.title = closed ?? "Roomtone";
}

function showPosition(playing) {
  const at = playing ? position(playing) : 0;
  const share = playing ? at / playing.song.durationMs : 0;
  $("bar").firstElementChild.style.transform = `scaleX(${share.toFixed(4)})`;
  $("bar").setAttribute("aria-valuenow", String(Math.round(share * 100)));
  if (!playing) return;
  $("elapsed").textContent = minutes(at);
  $("bar").setAttribute("aria-valuetext", `${minutes(at)} of ${minutes(playing.song.durationMs)}`);
}
