// What comes next: three rows that move to their new places when a vote moves the songs.

import { numbers, portrait } from "./curve.js";
import { paint } from "./cover.js";
import { animate } from "./motion.js";
import { SAYS, minutes, mood } from "./words.js";

const MOVE_MS = 700;

export function createNext() {
  const list = document.getElementById("next");
  const none = document.getElementById("next-none");
  const rows = new Map();

  return {
    show(recommendations, { atOnce, empty }) {
      const before = new Map([...rows].map(([id, row]) => [id, seenAt(row)]));
      const wanted = recommendations.map(({ song }) => song);
      const ids = new Set(wanted.map((song) => song.id));
      for (const [id, row] of rows) {
        if (ids.has(id)) continue;
        rows.delete(id);
        leave(row, before.get(id), atOnce);
      }
      wanted.forEach((song, place) => {
        const row = rows.get(song.id) ?? rowOf(song);
        rows.set(song.id, row);
        // Moving only what is out of place keeps the others' animations and a screen reader's place in the list.
        const living = [...list.children].filter((child) => !child.classList.contains("leaving"));
        if (living[place] !== row) list.insertBefore(row, living[place] ?? null);
      });
      if (!atOnce) rows.forEach((row, id) => move(row, before.get(id)));
      none.hidden = wanted.length > 0;
      none.textContent = empty ? SAYS.emptyNext : SAYS.noNext;
      list.hidden = wanted.length === 0;
    },
  };
}

// Where a row is seen, which is not where it stands while it still moves: a second change within the movement goes on
// from there.
function seenAt(row) {
  return row.getBoundingClientRect().top - row.closest(".rows").getBoundingClientRect().top;
}

function move(row, from) {
  if (from === undefined) {
    animate(row, { opacity: [0, 1], transform: ["translateY(16px)", "none"] }, { duration: MOVE_MS });
  } else if (Math.abs(from - row.offsetTop) > 0.5) {
    animate(row, { transform: [`translateY(${from - row.offsetTop}px)`, "none"] }, { duration: MOVE_MS });
  }
}

// `from` was measured before anything left: a row that has gone from the flow moves those below it.
function leave(row, from, atOnce) {
  row.style.top = `${from}px`;
  row.classList.add("leaving");
  row.setAttribute("aria-hidden", "true");
  const fade = atOnce ? null : animate(row, { opacity: [1, 0], transform: ["none", "translateY(-12px)"] }, { duration: 350, fill: "forwards" });
  if (fade) fade.onfinish = () => row.remove();
  else row.remove();
}

function rowOf(song) {
  const values = numbers(song.axes);
  const row = document.createElement("li");
  row.className = "toned";
  row.dataset.song = song.id;
  paint(row, values);
  const words = document.createElement("div");
  words.className = "words";
  words.append(line("span", song.title), line("span", song.artist ?? mood(values), "quiet"));
  row.append(small(values), words, line("span", minutes(song.durationMs), "length"));
  return row;
}

function line(tag, text, className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = className;
  return element;
}

function small(values) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "-112 -112 224 224");
  svg.setAttribute("aria-hidden", "true");
  const body = svg.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "path"));
  body.setAttribute("class", "body");
  body.setAttribute("d", portrait(values));
  return svg;
}
