// Letting a player in: a code that is shown once, which the hub fetches and somebody types at the player.

import { ask, change } from "./api.js";
import { h, render } from "./dom.js";
import { attempt, button, field, form, input, notice, panel, select } from "./parts.js";

const PAIRING = "id state expiresAt hub { id name status } player { id name zone { name } }";
const LOOK = `query Pairing($id: ID!) { node(id: $id) { ... on PlayerPairing { ${PAIRING} } } }`;

// What is said of it where it is over without anybody.
const OVER = {
  EXPIRED: "Nobody came in time. The code opens nothing any more.",
  USED_UP: "The code was typed wrongly too often, and opens nothing any more.",
  NO_ZONE: "The hub does not know this zone yet: it takes a new zone at its next start. Start it again, or choose another zone.",
  CLOSED: "The hub has closed its door: it was started again, lost its line, or another pairing was begun.",
};
const UNREACHED = ["OFFLINE", "STALE"];
const isOpen = ({ state }) => state === "WAITING" || state === "READY";

// Opens the window; `look` looks at the venue again. What it gives back is told whenever something may have changed.
export function pair(venue, look, gone) {
  const hubs = venue.hubs.filter((hub) => hub.enrolledAt && hub.status !== "REVOKED");
  const zones = venue.zones.filter(({ archivedAt }) => !archivedAt);
  const body = h("div", { class: "stack" });
  const dialog = panel("Pair a player", body);
  // The code is known to this window alone, for as long as it is shown.
  let [now, code, timer] = [null, null, 0];
  let wish = {};

  async function begin(given, key) {
    wish = { name: given.name?.trim() || null, zoneId: given.zone ?? null, hubId: given.hub ?? hubs[0].id };
    const begun = await change("createPlayerPairing", wish, `pairing { ${PAIRING} } code`, key);
    [now, code] = [begun.pairing, begun.code];
    draw();
    body.querySelector(".digits")?.focus();
  }

  async function refresh() {
    if (!now || !isOpen(now)) return;
    const found = await attempt(() => ask(LOOK, { id: now.id }));
    if (!found?.node || !now || found.node.id !== now.id) return;
    const before = now;
    now = found.node;
    if (now.state === "PAIRED" && before.state !== "PAIRED") await look();
    if (dialog.open) draw();
  }

  function draw() {
    clearInterval(timer);
    if (now && isOpen(now)) timer = setInterval(draw, 1000);
    if (!now) return render(body, asked());
    return render(body, isOpen(now) ? shown() : now.state === "PAIRED" ? paired() : over());
  }

  const asked = () => form({ class: "stack", key: "ask" }, begin,
    h("p", {}, "You get a code. Somebody who stands before the box with the loudspeaker types it there within five minutes."),
    field("Name", input("name", { maxlength: 60, value: wish.name ?? "" }), "Such as Bar or Terrace. Left empty, the box says its own. A player that has this name already is let in anew."),
    zones.length > 1 && field("Zone", select("zone", Object.fromEntries(zones.map((zone) => [zone.id, zone.name])), wish.zoneId ?? (zones.find(({ name }) => name === "main") ?? zones[0]).id)),
    hubs.length > 1 && field("Hub", select("hub", Object.fromEntries(hubs.map((hub) => [hub.id, hub.name])), wish.hubId ?? hubs[0].id), "The box whose network the player is in."),
    h("button", { class: "big solid", type: "submit" }, "Make a code"));

  function shown() {
    const left = Math.max(0, Math.ceil((new Date(now.expiresAt) - Date.now()) / 1000));
    if (left === 0) refresh();
    const isReady = now.state === "READY";
    const waits = UNREACHED.includes(now.hub?.status)
      ? `${now.hub.name} is out of reach. It fetches the code as soon as it is back; until then nobody is let in.`
      : `Waiting for the hub ${now.hub?.name ?? ""} to fetch it.`;
    return h("div", { class: "stack", key: "shown" },
      h("p", { class: `digits large${left === 0 ? " over" : ""}`, tabindex: "-1" }, code),
      h("p", { class: "door-state", role: "status" }, h("span", { class: `dot ${isReady ? "online" : "waiting"}`, "aria-hidden": "true" }), h("span", {}, isReady ? `The hub ${now.hub?.name ?? ""} is ready. Type the code at the player.` : waits)),
      h("p", {}, "On the box with the loudspeaker, type"),
      h("p", { class: "command" }, h("code", {}, `roomtone-player pair ${code}`)),
      h("p", { class: "quiet", role: "timer" }, `Good for ${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}, for five tries and one player. This window goes on by itself.`),
      h("p", { class: "buttons end" }, button("Put it away", () => dialog.close())));
  }

  const paired = () => h("div", { class: "stack", key: "paired" },
    h("p", { class: "door-state", role: "status" }, h("span", { class: "dot online", "aria-hidden": "true" }), h("span", {}, now.player ? `${now.player.name} is paired, and plays in ${now.player.zone?.name ?? "the main zone"}.` : "The player is paired.")),
    h("p", { class: "buttons end" }, button("Pair another", again), h("button", { class: "pill solid", type: "button", onclick: () => dialog.close() }, "Done")));

  const over = () => h("div", { class: "stack", key: "over" },
    h("p", { class: "alarm", role: "status" }, OVER[now.state]),
    h("p", { class: "buttons end" }, button("Put it away", () => dialog.close()), h("button", { class: "pill solid", type: "button", onclick: again }, "Make another code")));

  function again() {
    if (now.state === "PAIRED") wish = { ...wish, name: null };
    [now, code] = [null, null];
    draw();
    body.querySelector("input")?.focus();
  }

  dialog.addEventListener("close", () => {
    clearInterval(timer);
    const left = now && isOpen(now) && now;
    [now, code] = [null, null];
    gone();
    // A code that nobody sees any more opens nothing any more.
    if (left) attempt(async () => { await change("cancelPlayerPairing", { id: left.id }, "pairing { id state }"); notice("The code opens nothing any more."); });
  });
  draw();
  return { refresh, close: () => dialog.close() };
}
