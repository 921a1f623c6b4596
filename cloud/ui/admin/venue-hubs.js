// The boxes of a venue: hubs are let in by a code that is shown once; players are let in and looked after here.

import { change } from "./api.js";
import { h, render } from "./dom.js";
import { attempt, button, empty, field, form, input, notice, panel, question, select } from "./parts.js";
import { qr } from "./qr.js";
import { pair } from "./venue-pairing.js";
import { TIERS, hubTroubles, lasting, playerTrouble, sentenceCase, since, when } from "./say.js";

const ENROLMENT = "code expiresAt hub { id name }";

export function tab(place, { id, look, role }) {
  let venue = null;
  // The code is known to this page alone, for as long as it is shown.
  let shown = null;
  let timer = 0;
  // The window in which a player is being let in.
  let door = null;

  async function enrol({ name }, key, at) {
    const { code, expiresAt, hub } = await change("createHubEnrolment", { venueId: id, name: name.trim() }, ENROLMENT, key);
    shown = { code, expiresAt, hub };
    at?.reset();
    await look();
    draw();
    document.getElementById("code")?.focus();
  }

  async function revoke(hub) {
    const text = "It stops being this venue’s hub for good: it speaks for nobody here any more, and a new code lets a box in again. What it told before stays. Its music goes on until somebody turns it off.";
    if (!(await question(`Revoke ${hub.name}?`, text, "Revoke it"))) return;
    await attempt(async () => {
      await change("revokeHub", { id: hub.id }, "hub { id status }");
      notice(`${hub.name} is revoked.`);
      await look();
    });
  }

  const rename = (thing, mutation, selection) => {
    const dialog = panel(`What is ${thing.name} called from now on?`, form({ class: "stack" }, async ({ name }) => {
      const before = thing.name;
      await change(mutation, { id: thing.id, name: name.trim() }, selection);
      dialog.close();
      await look();
      notice(`${before} is called ${name.trim()} now.`, async () => { await change(mutation, { id: thing.id, name: before }, selection); await look(); });
    }, field("Name", input("name", { value: thing.name, maxlength: 80, required: true })), h("button", { class: "big solid", type: "submit" }, "Rename")));
    dialog.querySelector("input").select();
  };

  async function move(player, zoneId) {
    const before = player.zone;
    await attempt(async () => {
      await change("updatePlayer", { id: player.id, zoneId }, "player { id }");
      const zone = venue.zones.find((zone) => zone.id === zoneId);
      notice(`${player.name} plays in ${zone.name} now.`, before && (async () => { await change("updatePlayer", { id: player.id, zoneId: before.id }, "player { id }"); await look(); }));
    });
    await look();
  }

  async function turn(player, percent) {
    const before = player.volumePercent;
    const to = (volumePercent) => change("updatePlayer", { id: player.id, volumePercent }, "player { id }");
    await attempt(async () => {
      await to(percent);
      notice(`${player.name} is at ${percent} % from now on.`, async () => { await to(before); await look(); });
    });
    await look();
  }

  async function revokePlayer(player) {
    const text = "It stops being a player of this venue, as soon as its hub hears of it, and has to be paired again to come back. What it has played stays in the history.";
    if (!(await question(`Revoke ${player.name}?`, text, "Revoke it"))) return;
    await attempt(async () => {
      await change("revokePlayer", { id: player.id }, "player { id }");
      notice(`${player.name} is revoked.`);
      await look();
    });
  }

  function openDoor() {
    door ??= pair(venue, look, () => { door = null; });
  }

  function draw() {
    const waiting = shown && venue.hubs.find((hub) => hub.id === shown.hub.id);
    if (waiting?.enrolledAt) {
      notice(`${waiting.name} is let in. Its venue belongs to this cloud now.`);
      shown = null;
    }
    clearInterval(timer);
    if (shown) timer = setInterval(draw, 1000);
    const hubs = venue.hubs.filter((hub) => hub.status !== "REVOKED");
    const gone = venue.hubs.filter((hub) => hub.status === "REVOKED");
    const players = venue.players.filter((player) => !player.revokedAt);
    const canDo = role("MANAGER");
    render(place, h("div", { class: "two" },
      h("div", { class: "stack" },
        shown && codeCard(shown, () => { shown = null; draw(); }),
        (!shown || hubs.length > 1) && h("section", { class: "stack", key: "hubs", "aria-labelledby": "hubs-head" }, h("h2", { id: "hubs-head" }, "Hubs"),
          hubs.length === 0 && !shown && h("p", { class: "quiet" }, "The hub is the small box that chooses the music here, with and without the internet. Let one in by a code."),
          h("ul", { class: "rows" }, hubs.filter((hub) => hub.id !== shown?.hub.id).map((hub) => hubCard(hub, venue, canDo, { revoke, rename: () => rename(hub, "renameHub", "hub { id }"), renew: () => attempt(() => enrol({ name: hub.name })) }))),
          gone.length > 0 && h("details", { key: "gone" }, h("summary", {}, `Revoked: ${gone.length}`), h("ul", { class: "rows" }, gone.map((hub) => h("li", { class: "quiet", key: hub.id }, `${hub.name}, ${since(hub.revokedAt, venue.timeZone)}`))))),
        h("section", { class: "stack", key: "players", "aria-labelledby": "players-head" }, h("h2", { id: "players-head" }, "Players"),
          players.length === 0
            ? h("p", { class: "quiet" }, hubs.some((hub) => hub.enrolledAt) ? "None has been paired yet." : "They can be paired once the hub is there.")
            : h("ul", { class: "rows" }, players.map((player) => playerCard(player, venue, canDo, { move, turn, revokePlayer, rename: () => rename(player, "updatePlayer", "player { id }") }))))),
      h("div", { class: "stack" },
        canDo && h("section", { class: "card stack", key: "enrol" }, h("h2", {}, hubs.length ? "Enrol another hub" : "Enrol the hub"),
          form({ class: "stack" }, enrol, field("Name", input("name", { value: hubs.length ? "" : "Counter", maxlength: 80, required: true }), "Where it stands, such as Counter."),
            h("button", { class: hubs.length ? "pill solid" : "big solid", type: "submit" }, "Make a code"))),
        h("section", { class: "card stack", key: "pair" }, h("h2", {}, "Pair a player"),
          canDo && hubs.some((hub) => hub.enrolledAt)
            ? [h("p", {}, "A player is the small box behind the amplifier. You get a code here, and somebody types it there."),
              h("p", {}, button("Pair a player", openDoor, { class: players.length ? "pill solid" : "big solid" }))]
            : h("p", {}, "A manager lets players in here, once there is a hub."),
          h("details", { key: "there" }, h("summary", {}, "Without this page"),
            h("ol", { class: "numbered" },
              h("li", {}, "On the hub, type ", h("code", {}, "roomtone-hub pair"), ", or show a code on its own page at ", h("code", {}, "/manage"), "."),
              h("li", {}, "On the box with the loudspeaker, type ", h("code", {}, "roomtone-player pair"), " and the digits.")))))));
  }

  return {
    show(next) { venue = next; draw(); door?.refresh(); },
    stop() { clearInterval(timer); door?.close(); },
  };
}

function codeCard({ code, expiresAt, hub }, close) {
  const command = `roomtone-hub enrol ${code} --cloud ${location.origin}`;
  const left = Math.max(0, Math.ceil((new Date(expiresAt) - Date.now()) / 1000));
  const over = left === 0;
  return h("section", { class: "card code-card toned", key: `code ${hub.id}`, "aria-labelledby": "code-head" },
    h("h2", { id: "code-head" }, `Let ${hub.name} in`),
    h("p", {}, "Paste this line on the hub’s own page, under Cloud, or type it at the box. The code is shown this once and is good once."),
    h("p", { id: "code", class: `digits${over ? " over" : ""}`, tabindex: "-1" }, code),
    h("p", { class: "command" }, h("code", {}, command), button("Copy", () => attempt(async () => { await navigator.clipboard.writeText(command); notice("Copied."); }))),
    h("div", { class: "qr" }, qr(command), h("p", { class: "quiet" }, "The same as a picture, for a phone that is carried to the box.")),
    h("p", { class: "quiet", role: "timer" }, over ? "The code is used up. Make another one." : `Good for ${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}. This page goes on by itself as soon as the hub is let in.`),
    h("p", { class: "buttons" }, button("Put it away", close)));
}

const STATES = { WAITING: "Waits for its code to be typed", ONLINE: "Online", STALE: "Has missed a few words", OFFLINE: "Out of reach" };

function hubCard(hub, venue, canDo, { revoke, rename, renew }) {
  const troubles = hubTroubles(hub, venue.timeZone);
  const about = [
    hub.enrolledAt && `heard of ${when(hub.lastSeenAt, venue.timeZone)}`,
    hub.pendingOperations > 0 && `owes ${hub.pendingOperations} facts`,
    hub.version && `version ${hub.version}`,
    hub.duplicates > 0 && `${hub.duplicates} facts told twice`,
  ].filter(Boolean);
  return h("li", { class: `card box${troubles.length ? " alarmed" : ""}`, key: hub.id },
    troubles.map(({ text }) => h("p", { class: "alarm" }, text)),
    h("div", { class: "box-head" }, h("span", { class: `dot ${hub.status.toLowerCase()}`, "aria-hidden": "true" }), h("h3", {}, hub.name), h("span", { class: "quiet" }, STATES[hub.status])),
    about.length > 0 && h("p", { class: "quiet" }, sentenceCase(about.join(" · "))),
    canDo && h("p", { class: "buttons" },
      hub.status === "WAITING" && button("Make another code", renew),
      button("Rename", rename, { "aria-label": `Rename ${hub.name}` }),
      button("Revoke", () => revoke(hub), { "aria-label": `Revoke ${hub.name}` })));
}

const DOES = { ACTIVE: "Plays", IDLE: "Idle", OFFLINE: "Out of reach" };

function playerCard(player, venue, canDo, { move, turn, rename, revokePlayer }) {
  const trouble = playerTrouble(player, venue.timeZone);
  const zones = venue.zones.filter(({ archivedAt }) => !archivedAt);
  const about = [
    TIERS[player.tier], `heard of ${when(player.lastSeenAt, venue.timeZone)}`,
    player.silenceSeconds > 0 && `${lasting(player.silenceSeconds)} of silence in all`,
  ].filter(Boolean);
  return h("li", { class: `card box${trouble ? " alarmed" : ""}`, key: player.id },
    trouble && h("p", { class: "alarm" }, trouble.text),
    h("div", { class: "box-head" }, h("span", { class: `dot ${player.status.toLowerCase()}`, "aria-hidden": "true" }), h("h3", {}, player.name), h("span", { class: "quiet" }, player.currentSong && player.status === "ACTIVE" ? player.currentSong.title : DOES[player.status])),
    h("p", { class: "quiet" }, sentenceCase(about.join(" · "))),
    player.volumePercent !== null && volume(player, canDo, turn),
    canDo && h("div", { class: "buttons" },
      zones.length > 1 && h("label", { class: "inline" }, h("span", { class: "unseen" }, `Zone of ${player.name}`),
        select("zone", Object.fromEntries(zones.map((zone) => [zone.id, zone.name])), player.zone?.id, { class: "field small", onchange: (event) => move(player, event.target.value) })),
      button("Rename", rename, { "aria-label": `Rename ${player.name}` }),
      button("Revoke", () => revokePlayer(player), { "aria-label": `Revoke ${player.name}` })));
}

// What is not known is not shown: its hub tells of it within half a minute, or is of before.
function volume(player, canDo, turn) {
  const id = `volume-${player.id}`;
  const said = (percent) => `${percent} %`;
  return h("div", { class: "volume" }, h("label", { for: id }, "Volume", h("span", { class: "unseen" }, ` of ${player.name}`)),
    canDo && h("input", { id, type: "range", min: 0, max: 100, value: player.volumePercent, "aria-valuetext": said(player.volumePercent),
      oninput: ({ target }) => { target.setAttribute("aria-valuetext", said(target.value)); target.nextElementSibling.textContent = said(target.value); },
      onchange: ({ target }) => turn(player, Number(target.value)) }),
    h("output", { for: id }, said(player.volumePercent)));
}
