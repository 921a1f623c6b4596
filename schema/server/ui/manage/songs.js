// Songs: how many there are, and new ones on their way in. The tray goes on while one looks at something else.

import { Refused, sendFile } from "./ask.js";

const $ = (id) => document.getElementById(id);
const MOST_BYTES = 512 * 1024 * 1024;
const WAIT_MS = 3000;
const waiting = [];
const counts = { added: 0, known: 0, refused: 0 };
let total = 0;
let isSending = false;

export function show({ sync }) {
  const missing = sync.songs - sync.songs_here;
  const files = missing === 0 ? "" : missing === 1 ? " The file of 1 song is not here." : ` The files of ${missing} songs are not here.`;
  const words = sync.songs === 0 ? "There is no music yet. Send the first songs." : `${sync.songs === 1 ? "1 song" : `${sync.songs} songs`}, ${size(sync.bytes_here)}.${files}`;
  if ($("songs-count").textContent !== words) $("songs-count").textContent = words;
}

export function size(bytes) {
  if (bytes < 1024 * 1024) return `${Math.ceil(bytes / 1024)} KB`;
  if (bytes < 1024 ** 3) return `${Math.round(bytes / 1024 ** 2)} MB`;
  return `${(bytes / 1024 ** 3).toFixed(1)} GB`;
}

export function createSongs() {
  $("song-files").addEventListener("change", () => {
    take($("song-files").files);
    $("song-files").value = "";
  });
  const zone = $("drop");
  for (const kind of ["dragenter", "dragover"]) zone.addEventListener(kind, (event) => { event.preventDefault(); zone.classList.add("over"); });
  for (const kind of ["dragleave", "drop"]) zone.addEventListener(kind, () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    take(event.dataTransfer.files);
  });
  addEventListener("beforeunload", (event) => { if (isSending) event.preventDefault(); });
}

function take(files) {
  for (const file of files) {
    const row = $("tray-row").content.firstElementChild.cloneNode(true);
    row.querySelector(".name").textContent = file.name;
    state(row, "waits", "Waits");
    $("tray").prepend(row);
    waiting.push({ file, row });
    total += 1;
  }
  $("tray-card").hidden = total === 0;
  sum();
  if (!isSending) send();
}

// One after another: the hub looks at each with all it has.
async function send() {
  isSending = true;
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const { file, row } = next;
    const { outcome, why } = await sendOne(file, row);
    counts[outcome] += 1;
    state(row, outcome, { added: "Plays from now on", known: "Was here already", refused: `Not taken: ${why}` }[outcome]);
    sum();
  }
  isSending = false;
}

async function sendOne(file, row) {
  if (file.size > MOST_BYTES) return { outcome: "refused", why: "it is longer than 512 MB" };
  state(row, "goes", "On its way");
  const bar = row.querySelector("progress");
  bar.hidden = false;
  try {
    return await again(() => sendFile(`/songs?name=${encodeURIComponent(file.name)}`, file, (share) => {
      bar.value = share;
      if (share === 1) state(row, "goes", "The hub listens to it");
    }));
  } catch (error) {
    return { outcome: "refused", why: error instanceof Refused ? lower(error.message) : "the hub did not answer; send it again" };
  } finally {
    bar.hidden = true;
  }
}

// Somebody else may be sending, too.
async function again(work) {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (error.status !== 429) throw error;
      await new Promise((go) => setTimeout(go, WAIT_MS));
    }
  }
}

const lower = (text) => text.charAt(0).toLowerCase() + text.slice(1).replace(/\.$/, "");

function state(row, name, words) {
  row.dataset.state = name;
  row.querySelector(".what").textContent = words;
}

function sum() {
  const done = counts.added + counts.known + counts.refused;
  const parts = [counts.added && `${counts.added} new`, counts.known && `${counts.known} known already`, counts.refused && `${counts.refused} not taken`].filter(Boolean);
  const words = done < total ? `${done} of ${total} songs` : total === 1 ? "1 song is done" : `All ${total} songs are done`;
  $("tray-sum").textContent = [words, ...parts].join(" · ");
  $("songs-mark").hidden = done === total;
  $("songs-mark").textContent = `${done}/${total}`;
}
