// A closed room says until when. The hours are asked for while nothing plays, and again when they are over.

import { heard, hubNow } from "./clock.js";
import { ask } from "./link.js";
import { HOURS } from "./operations.js";
import { closedUntil } from "./words.js";

// A manager may open the room before its time.
const LOOK_AGAIN_MS = 60_000;
// So that whoever asks at the very moment is not told that it is still closed.
const AFTER_MS = 500;

export function createHours({ zone, token, onWords }) {
  let timer = 0;
  let turn = 0;

  function take({ timeZone, zones }) {
    const { hours } = zones.find(({ id }) => id === zone()) ?? zones[0];
    if (hours) heard(hours.asOf);
    onWords(hours && !hours.isOpen ? closedUntil(hours, timeZone) : null);
    return hours;
  }

  async function look() {
    const mine = ++turn;
    clearTimeout(timer);
    let wait = LOOK_AGAIN_MS;
    try {
      const { venue } = await ask(HOURS, {}, token());
      if (mine !== turn) return;
      const hours = take(venue);
      const opens = hours?.opensAt ? Date.parse(hours.opensAt) - hubNow() + AFTER_MS : wait;
      wait = Math.min(wait, Math.max(AFTER_MS, opens));
    } catch {
      // Out of reach: what was said stays, the next look mends it.
    }
    if (mine === turn) timer = setTimeout(look, wait);
  }

  return {
    // The hours as they came with everything else, so that the first picture of the page is right.
    take,
    // Nothing plays: is that so because it is closed?
    look,
    rest() {
      turn += 1;
      clearTimeout(timer);
    },
  };
}
