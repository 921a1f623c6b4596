// The room: its vibe as a breathing shape, my taste as a thin line over it, how many are here and how far they agree.

import { AXES, angle, numbers, path, springy } from "./curve.js";
import { paint } from "./cover.js";
import { breathe } from "./motion.js";
import { AXIS_NAMES, myTaste, peopleHere, roomMood } from "./words.js";

const $ = (id) => document.getElementById(id);
const LAYERS = [1.16, 1.08, 1];
const SVG = "http://www.w3.org/2000/svg";

export function createRoom() {
  const button = $("vibe");
  const felt = [...button.querySelectorAll(".felt")];
  const mine = button.querySelector(".mine");
  const vibe = springy((values) => felt.forEach((layer, at) => layer.setAttribute("d", path(values, LAYERS[at]))));
  const taste = springy((values) => mine.setAttribute("d", path(values)));
  const breaths = felt.map((layer, at) => breathe(layer, { swell: 0.09 - 0.025 * at, lag: 0.12 * (LAYERS.length - 1 - at) }));
  drawAxes(button);
  button.addEventListener("click", () => {
    const open = button.closest(".room").classList.toggle("open");
    button.setAttribute("aria-expanded", String(open));
  });

  return {
    show(view, { atOnce }) {
      const values = numbers(view.axes);
      vibe.leanTo(values, { atOnce });
      paint(button, values);
      // For whoever looks in from outside, a test or a wall display: where the shape leans to.
      button.dataset.axes = values.map((value) => value.toFixed(4)).join(" ");
      $("here").textContent = peopleHere(view);
      $("mood").textContent = roomMood(view, values);
    },
    taste(values, { atOnce } = {}) {
      mine.toggleAttribute("hidden", !values);
      if (values) taste.leanTo(values, { atOnce });
      $("taste").textContent = myTaste(values);
    },
    breatheWith: (song, phase) => breaths.forEach((breath) => breath.at(song?.bpm, phase)),
  };
}

function drawAxes(button) {
  const spokes = button.querySelector(".spokes");
  const names = button.querySelector(".names");
  AXES.forEach((_, axis) => {
    const [x, y] = [Math.cos(angle(axis)), Math.sin(angle(axis))];
    const spoke = spokes.appendChild(document.createElementNS(SVG, "path"));
    spoke.setAttribute("d", `M${(x * 12).toFixed(1)} ${(y * 12).toFixed(1)}L${(x * 98).toFixed(1)} ${(y * 98).toFixed(1)}`);
    const name = names.appendChild(document.createElementNS(SVG, "text"));
    name.setAttribute("x", (x * 99).toFixed(1));
    name.setAttribute("y", (y * 99 + (y < -0.5 ? 0 : y > 0.5 ? 8 : 3)).toFixed(1));
    name.setAttribute("text-anchor", "middle");
    name.textContent = AXIS_NAMES[axis];
  });
}
