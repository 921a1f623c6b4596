// Motion, and the wish for less of it.

const less = matchMedia("(prefers-reduced-motion: reduce)");
const breaths = new Set();

export const reducedMotion = () => less.matches;
less.addEventListener("change", () => breaths.forEach((breath) => breath.again()));

const BEATS_A_BREATH = 4;
const CALM_MS = 5200;

// One breath is about a bar of the song; where no beat was found, it is that of somebody resting.
export function breathMs(bpm) {
  if (!bpm) return CALM_MS;
  const bar = (BEATS_A_BREATH * 60_000) / bpm;
  return bar < 2000 ? bar * 2 : bar;
}

// Lets `element` breathe. `phase` is the position in the song, so that all phones in a room breathe together.
export function breathe(element, { swell, lag = 0 }) {
  let animation = null;
  let last = null;
  const breath = {
    at(bpm, phase) {
      last = { bpm, phase };
      animation?.cancel();
      animation = null;
      if (reducedMotion()) return;
      const duration = breathMs(bpm);
      animation = element.animate(
        { transform: ["scale(1)", `scale(${1 + swell})`, "scale(1)"], easing: "ease-in-out" },
        { duration, iterations: Infinity },
      );
      animation.currentTime = duration * 100 + (phase % duration) - lag * duration;
    },
    again() {
      if (last) breath.at(last.bpm, last.phase);
    },
  };
  breaths.add(breath);
  return breath;
}

export function animate(element, frames, options) {
  return reducedMotion() ? null : element.animate(frames, { easing: "cubic-bezier(0.2, 0.8, 0.2, 1)", ...options });
}
