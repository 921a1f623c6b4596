// The soft closed curve of five axes: the one form of this page. Songs, the room's vibe and a listener's taste are all
// drawn by it.
//
// The five radii are joined by the only trigonometric polynomial of degree two that passes through them, which is as
// smooth as a closed line through five points can be; a slight swell at each axis keeps the five points in sight.

import { reducedMotion } from "./motion.js";

export const AXES = ["ENERGY", "BRIGHTNESS", "TEMPO", "TONALITY", "DENSITY"];
export const FLAT = [0, 0, 0, 0, 0];
const POINTS = 60;
const SWELL = 0.06;
const SIZE = 100;
const COVER = { mean: 84, most: 100 };

export const angle = (axis) => (axis / AXES.length) * 2 * Math.PI - Math.PI / 2;

// The list of the API as five numbers in their order; what is missing is neutral.
export function numbers(axes) {
  const byName = new Map((axes ?? []).map(({ name, value }) => [name, value]));
  return AXES.map((name) => Number(byName.get(name)) || 0);
}

export function reach(value) {
  return SIZE * (0.69 + 0.26 * Math.tanh(1.5 * value));
}

export function path(values, scale = 1) {
  return smooth(outline(values).map(([x, y]) => [x * scale, y * scale]));
}

// The same curve as a thing of its own, for covers: in the middle of its frame, and of even size.
export function portrait(values, scale = 1) {
  const points = outline(values);
  const middle = [0, 1].map((side) => points.reduce((sum, point) => sum + point[side], 0) / points.length);
  const moved = points.map(([x, y]) => [x - middle[0], y - middle[1]]);
  const radii = moved.map(([x, y]) => Math.hypot(x, y));
  const mean = radii.reduce((sum, radius) => sum + radius, 0) / radii.length;
  const even = Math.min(COVER.mean / mean, COVER.most / Math.max(...radii)) * scale;
  return smooth(moved.map(([x, y]) => [x * even, y * even]));
}

function outline(values) {
  const radii = values.map(reach);
  const wave = (part, times) =>
    (2 / AXES.length) * radii.reduce((sum, radius, axis) => sum + radius * part(times * angle(axis)), 0);
  const mean = radii.reduce((sum, radius) => sum + radius, 0) / AXES.length;
  const [c1, s1, c2, s2] = [wave(Math.cos, 1), wave(Math.sin, 1), wave(Math.cos, 2), wave(Math.sin, 2)];
  return Array.from({ length: POINTS }, (_, at) => {
    const t = (at / POINTS) * 2 * Math.PI - Math.PI / 2;
    const radius = mean + c1 * Math.cos(t) + s1 * Math.sin(t) + c2 * Math.cos(2 * t) + s2 * Math.sin(2 * t);
    const kept = Math.max(0.3 * SIZE, Math.min(1.05 * SIZE, radius)) * (1 + SWELL * Math.cos(AXES.length * (t - angle(0))));
    return [kept * Math.cos(t), kept * Math.sin(t)];
  });
}

function smooth(points) {
  const middle = (a, b) => `${((a[0] + b[0]) / 2).toFixed(2)} ${((a[1] + b[1]) / 2).toFixed(2)}`;
  const last = points[points.length - 1];
  const parts = points.map((point, at) => {
    const next = points[(at + 1) % points.length];
    return `Q${point[0].toFixed(2)} ${point[1].toFixed(2)} ${middle(point, next)}`;
  });
  return `M${middle(last, points[0])}${parts.join("")}Z`;
}

// Draws values that lean towards where they are sent, like a spring that barely swings over.
export function springy(draw, values = FLAT) {
  let at = [...values];
  let speed = FLAT;
  let goal = at;
  let frame = 0;
  let before = 0;
  draw(at);

  const step = (now) => {
    const dt = Math.min(0.032, (now - before) / 1000 || 0.016);
    before = now;
    speed = speed.map((v, axis) => v + (70 * (goal[axis] - at[axis]) - 11 * v) * dt);
    at = at.map((value, axis) => value + speed[axis] * dt);
    const still = at.every((value, axis) => Math.abs(goal[axis] - value) < 0.002 && Math.abs(speed[axis]) < 0.01);
    if (still) at = [...goal];
    draw(at);
    frame = still ? 0 : requestAnimationFrame(step);
  };

  return {
    leanTo(next, { atOnce = false } = {}) {
      goal = AXES.map((_, axis) => Number(next[axis]) || 0);
      if (atOnce || reducedMotion() || document.hidden) {
        at = [...goal];
        speed = FLAT;
        draw(at);
      } else if (!frame) {
        before = performance.now();
        frame = requestAnimationFrame(step);
      }
    },
  };
}
