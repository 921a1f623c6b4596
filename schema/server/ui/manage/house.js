// What is done now and then: the poster, the PIN, a rehearsal, backups.

import { Refused, ask, byToken, fetchFile, sendFile, sentence, show as showToken } from "./ask.js";
import { question } from "./question.js";
import { size } from "./songs.js";

const $ = (id) => document.getElementById(id);
let zones = "";

export function show({ zones: names, me, can_restore, drill }) {
  showDrill(drill);
  if (names.join("\n") !== zones) {
    zones = names.join("\n");
    $("posters").replaceChildren(...names.map((name) => {
      const link = document.createElement("a");
      link.className = "pill link";
      link.href = `/manage/poster?zone=${encodeURIComponent(name)}`;
      link.textContent = names.length > 1 ? `Poster of ${name}` : "Look at the poster";
      return link;
    }));
  }
  $("restore-part").hidden = !can_restore;
  $("no-restore").hidden = can_restore;
  const takesPin = location.protocol === "https:";
  $("pin-form").hidden = !takesPin;
  $("pin-not-here").hidden = takesPin;
  $("pin-current-part").hidden = me.by !== "pin";
  $("pin-current").required = me.by === "pin";
  const words = me.has_pin ? "Another PIN ends every session of the one before." : "With a PIN you come back without the token, from any phone or desk in this network.";
  if ($("pin-words").textContent !== words) $("pin-words").textContent = words;
  $("no-pin").hidden = me.has_pin || !takesPin;
  const tries = me.wrong_before > 0 ? `${me.wrong_before === 1 ? "A wrong PIN was" : `${me.wrong_before} wrong PINs were`} shown since the last sign-in. Where that was not you, take a longer PIN.` : "";
  if ($("wrong-pins").textContent !== tries) $("wrong-pins").textContent = tries;
  $("wrong-pins").hidden = !tries;
}

// How a drill stands, and what came of the last one, in a person's words.
function showDrill({ running, last }) {
  $("drill-form").hidden = Boolean(running);
  $("drill-stop").hidden = !running || running.is_over;
  const gone = running?.cut === "hub" ? "Nobody reaches the hub" : "The hub is cut off from its cloud";
  const now = !running ? "" : running.is_over ? "The cut is over; the hub listens for what was played meanwhile." : `${gone} for ${Math.ceil(running.left_s / 60)} more min.`;
  if (running || $("drill-said").dataset.running) set("drill-said", now);
  $("drill-said").dataset.running = running ? "yes" : "";
  set("drill-last", last ? inWords(last) : "");
}

function inWords(last) {
  const cut = `The last one, ${Math.max(1, Math.round(last.lasted_s / 60))} min without ${last.cut === "hub" ? "the hub" : "the cloud"}: `;
  const { hub, plan, cache } = last.plays;
  const heard = `${hub + plan + cache} songs began${plan + cache > 0 ? `, ${plan + cache} of them without the hub` : ""}`;
  const votes = last.votes === 0 ? "" : ` ${last.votes_kept} of ${last.votes} votes are kept.`;
  const missing = last.missing.length ? ` Not heard since: ${last.missing.join(", ")}.` : "";
  return `${cut}${last.is_good ? "nobody would have noticed" : `${last.silence_s} s of silence`}. ${heard}.${votes}${missing}`;
}

function set(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

export function createHouse({ onTold, onRestart }) {
  $("pin-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const said = $("pin-said");
    said.textContent = "";
    if ($("pin-new").value !== $("pin-again").value) {
      said.textContent = "These are two different PINs.";
      return;
    }
    try {
      const current = byToken() ? undefined : $("pin-current").value;
      const told = await ask("/pin", { pin: $("pin-new").value, current }, "POST", 20_000);
      showToken(null);
      for (const field of ["pin-current", "pin-new", "pin-again"]) $(field).value = "";
      onTold(told);
      said.textContent = "The PIN is set. Other browsers that were signed in sign in again.";
    } catch (error) {
      said.textContent = error instanceof Refused ? error.message : "The hub does not answer; the PIN is as it was.";
    }
  });

  const drill = async (...what) => {
    try {
      onTold(await ask("/drill", ...what));
    } catch (error) {
      $("drill-said").textContent = error instanceof Refused ? sentence(error.message) : "";
    }
  };
  $("drill-form").addEventListener("submit", (event) => {
    event.preventDefault();
    drill({ cut: $("drill-cut").value, minutes: Number($("drill-minutes").value) });
  });
  $("drill-stop").addEventListener("click", () => drill(undefined, "DELETE"));

  $("backup").addEventListener("click", async () => {
    const said = $("backup-said");
    $("backup").disabled = true;
    said.textContent = "The hub makes a copy.";
    try {
      const { name, blob } = await fetchFile("/backup");
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = name ?? "roomtone-hub.db";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
      said.textContent = `${link.download}, ${size(blob.size)}. Keep it where the hub is not.`;
    } catch (error) {
      said.textContent = error instanceof Refused ? error.message : "The hub does not answer; there is no copy.";
    } finally {
      $("backup").disabled = false;
    }
  });

  $("restore-file").addEventListener("change", async () => {
    const [file] = $("restore-file").files;
    $("restore-file").value = "";
    if (!file) return;
    const text = `Votes, plays, players and settings become those of ${file.name}. What is here now is kept on the hub’s disk, but nothing brings it back from this page. The music pauses for a moment while the hub begins anew, and you sign in again.`;
    if (!(await question("Go back to this backup?", text, "Go back to it", "Keep what is here"))) return;
    const said = $("restore-said");
    try {
      said.textContent = "The backup goes to the hub.";
      await sendFile("/restore", file, (share) => { said.textContent = share < 1 ? `The backup goes to the hub: ${Math.round(share * 100)} %` : "The hub looks at it."; });
      said.textContent = "The hub begins anew with the backup.";
      onRestart();
    } catch (error) {
      said.textContent = error instanceof Refused ? error.message : "The hub does not answer; nothing was changed.";
    }
  });
}
