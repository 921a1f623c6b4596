// Coming in and going out: the room code, the guest token, and the way back when a session has ended.

import { CHECK_IN, CHECK_OUT, SIGN_IN } from "./operations.js";
import { OutOfReach, change } from "./link.js";
import { forget, newKey, recall, remember } from "./memory.js";
import { SAYS } from "./words.js";

const $ = (id) => document.getElementById(id);
// A minute of patience at the door.
const TURNS = 20;
const TURN_MS = 3000;

// What the QR code says, `#code=...`; it leaves the address bar once it is known, so that a shared link carries none.
function readAddress() {
  const said = new URLSearchParams(location.hash.slice(1));
  const code = said.get("code")?.trim();
  if (code) {
    remember("code", code);
    if (said.get("zone")) remember("zone", said.get("zone"));
    history.replaceState(null, "", location.pathname + location.search);
  }
}

// What the account's page has sent along, `?ticket=...`. It is good once, and for minutes: the address forgets it at once,
// the tab holds it until somebody is in.
function readTicket() {
  const asked = new URLSearchParams(location.search);
  const ticket = asked.get("ticket");
  if (ticket === null) return null;
  asked.delete("ticket");
  const rest = asked.toString();
  history.replaceState(null, "", location.pathname + (rest ? `?${rest}` : "") + location.hash);
  return ticket.trim() || null;
}

export function createDoor({ onIn, onOut, say }) {
  const form = $("door");
  const input = $("code");
  const button = $("check-in");
  let ticket = readTicket();
  readAddress();

  // Who is outside sees the music too, and in the place of the votes the way in.
  function show(words) {
    const inside = token() !== null;
    const known = recall("code") !== null;
    form.hidden = inside;
    $("votes").hidden = !inside;
    $("skip").hidden = !inside;
    $("door-words").hidden = inside;
    $("check-out").hidden = !inside;
    $("presence").textContent = inside ? SAYS.here : "";
    form.classList.toggle("known", known);
    button.firstChild.textContent = known && recall("been") ? "Check in again" : "Check in";
    if (inside) return;
    $("door-words").textContent = words ?? (known ? SAYS.welcome : SAYS.noCode);
  }

  async function comeIn(event) {
    event.preventDefault();
    const code = recall("code") ?? input.value.trim();
    if (!code) return input.focus();
    button.disabled = true;
    try {
      const fresh = await knock({ idempotencyKey: newKey(), venueCode: code, zoneId: recall("zone") ?? undefined });
      remember("code", code);
      remember("been", "1");
      remember("token", fresh);
      input.value = "";
      show();
      await signIn();
      onIn();
      $("like").focus({ preventScroll: true });
    } catch (error) {
      turnedAway(error);
    } finally {
      button.disabled = false;
    }
    return undefined;
  }

  // When a whole room comes in at once the hub lets people in one by one: one tap is enough, the page waits its turn.
  async function knock(wish) {
    for (let left = TURNS; ; left -= 1) {
      try {
        return (await change(CHECK_IN, "checkIn", wish)).token;
      } catch (error) {
        if (error.code !== "RATE_LIMITED" || left === 0) throw error;
        $("door-words").textContent = SAYS.yourTurn;
        await new Promise((go) => setTimeout(go, TURN_MS));
      }
    }
  }

  // Who comes from their account is that account here; what this phone said before as a guest counts for it. A ticket that
  // is not good leaves a guest, who is told so.
  async function signIn() {
    if (!ticket || token() === null) return;
    const shown = ticket;
    try {
      await change(SIGN_IN, "signIn", { idempotencyKey: newKey(), ticket: shown, claimVotes: true }, token());
      ticket = null;
      $("presence").textContent = SAYS.signedIn;
    } catch (error) {
      if (error instanceof OutOfReach) return say(SAYS.notSent);
      ticket = null;
      say(error.message);
    }
  }

  function turnedAway(error) {
    if (error instanceof OutOfReach) return say(SAYS.notSent);
    // An old code helps nobody: ask for the one that is on the screen now.
    if (["NOT_FOUND", "EXPIRED", "INVALID", "FORBIDDEN"].includes(error.code)) {
      forget("code");
      forget("zone");
    }
    show(error.message);
    input.setAttribute("aria-invalid", "true");
    return input.focus();
  }

  async function goOut() {
    const old = token();
    forget("token");
    show(SAYS.out);
    onOut();
    scrollTo({ top: 0 });
    button.focus({ preventScroll: true });
    try {
      await change(CHECK_OUT, "checkOut", { idempotencyKey: newKey() }, old);
    } catch {
      // The hub lets the session run out by itself.
    }
  }

  form.addEventListener("submit", comeIn);
  input.addEventListener("input", () => input.removeAttribute("aria-invalid"));
  $("check-out").addEventListener("click", goOut);
  addEventListener("hashchange", () => { readAddress(); show(); });
  show();
  if (ticket && token() !== null) signIn().then(onIn);

  return {
    // The hub no longer knows this session.
    ended() {
      if (token() === null) return;
      forget("token");
      show(recall("code") ? SAYS.ended : undefined);
      onOut();
    },
  };
}

export const token = () => recall("token");
export const zone = () => recall("zone");
