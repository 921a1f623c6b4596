// What takes longer than a view is looked at: uploads and reports, with their progress. It stays while somebody goes
// elsewhere on the page.

import { recall, remember } from "/ui/memory.js";
import { sentence } from "/ui/words.js";
import { change, follow } from "./api.js";
import { h, icon, render } from "./dom.js";
import { attempt, button, shape, toned } from "./parts.js";
import { EXPORT, SONG } from "./operations.js";
import { count, date, size } from "./say.js";

const UPLOADS = `subscription($id: ID!) { songUploadsUpdated(organisationId: $id) { id filename bytes state createdAt
  refusal { message } song { ${SONG} } organisation { id } } }`;
const REPORT = `subscription($id: ID!) { exportUpdated(id: $id) { ${EXPORT} } }`;
const UNDER_WAY = ["QUEUED", "ANALYSING"];

const place = document.getElementById("tray");
const items = new Map();
const stops = new Map();
const listeners = new Set();
let folded = false;

// Follows the uploads of these catalogues; those of before that are still under way are shown, too.
export function begin(organisations) {
  for (const { id } of organisations) {
    if (!stops.has(id)) stops.set(id, follow(UPLOADS, { id }, ({ songUploadsUpdated: list }) => list.forEach(heard)));
  }
}

function heard(upload) {
  const known = items.get(upload.id);
  if (!known && upload.state === "WAITING" && isMine(upload)) return interrupted(upload);
  if (!known && !UNDER_WAY.includes(upload.state)) return;
  const step = { QUEUED: "queued", ANALYSING: "analysing", DONE: "done", REFUSED: "wrong", CANCELLED: "gone", EXPIRED: "wrong" }[upload.state];
  if (!step || (known && known.step === step && known.song?.id === upload.song?.id)) return;
  put(upload.id, { kind: "upload", name: known?.name ?? upload.filename, bytes: upload.bytes, step, song: upload.song, why: upload.refusal?.message ?? (upload.state === "EXPIRED" ? "its bytes did not come in time" : "") });
  if (step === "done") changed();
}

// An upload that this browser began and did not end: its page was closed. Its bytes can only come from whoever has the
// file, so it is dropped again, or given up.
function interrupted({ id, filename, bytes }) {
  put(id, { kind: "upload", name: filename, bytes, step: "wrong", why: "it was interrupted; drop the file again, or give it up", isAnnounced: true, isLeft: true });
}

// What this browser has announced and not sent yet, also after a reload.
const ANNOUNCED = "admin.announced";
const announced = () => JSON.parse(recall(ANNOUNCED) ?? "[]");
const begun = new Set();
const isMine = ({ id }) => !begun.has(id) && announced().includes(id);
export function announce(id) {
  begun.add(id);
  remember(ANNOUNCED, JSON.stringify([...announced(), id].slice(-200)));
}
// One that was interrupted, of a file that looks like this one.
export const left = ({ name, size }) => [...items.values()].find((item) => item.isLeft && item.name === name && item.bytes === size);
export const sent = (id) => remember(ANNOUNCED, JSON.stringify(announced().filter((known) => known !== id)));

// A song has joined a catalogue, or a venue.
export const changed = () => listeners.forEach((listener) => listener());

// Runs whenever one has.
export function onSong(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function put(id, news) {
  if (!items.has(id)) folded = false;
  items.set(id, { ...items.get(id), ...news, id });
  if (items.get(id).step === "gone") items.delete(id);
  show();
}

// Somebody goes elsewhere: what has nothing more to tell makes room.
export function settle() {
  if ([...items.values()].every(({ kind, step }) => kind === "upload" && step === "done")) folded = true;
  show();
}

export const drop = (id) => { items.delete(id); show(); };
export const get = (id) => items.get(id);
// The upload has an id of the cloud's from now on.
export function rename(before, id) {
  const item = items.get(before);
  const entries = [...items].map(([key, value]) => (key === before ? [id, { ...item, id }] : [key, value]));
  items.clear();
  entries.forEach(([key, value]) => items.set(key, value));
}

// A report that was asked for, until it can be had.
export function report(asked) {
  const told = (report) => put(report.id, { kind: "report", name: nameOf(report), step: { QUEUED: "queued", RUNNING: "writing", READY: "done", FAILED: "wrong" }[report.status], rows: report.rows, href: report.downloadUrl, why: report.failure ?? "" });
  told(asked);
  const stop = follow(REPORT, { id: asked.id }, ({ exportUpdated: report }) => {
    told(report);
    if (["READY", "FAILED"].includes(report.status)) stop();
  });
}

export function nameOf({ kind, from, to, venue }) {
  const last = new Date(new Date(to) - 1);
  return `${kind === "REPORT" ? "Songs played" : "Every play"}, ${venue.name}, ${date(from, venue.timeZone)} – ${date(last, venue.timeZone)}`;
}

const STEPS = { waiting: "Waits its turn", hashing: "Being read", sending: "On its way", queued: "Waits to be listened to", analysing: "Being listened to", writing: "Being written", done: "", wrong: "" };
const isOver = ({ step }) => step === "done" || step === "wrong";

let asked = 0;
function show() {
  asked ||= requestAnimationFrame(() => { asked = 0; draw(); });
}

function draw() {
  const all = [...items.values()];
  place.hidden = all.length === 0;
  if (all.length === 0) return render(place);
  const open = all.filter((item) => !isOver(item));
  const share = all.reduce((sum, item) => sum + (isOver(item) ? 1 : item.share ?? 0), 0) / all.length;
  const wrong = all.filter(({ step }) => step === "wrong").length;
  // What needs somebody first, then what is under way, then what is done.
  const order = ({ step }) => (step === "wrong" ? 0 : step === "done" ? 2 : 1);
  const sorted = [...all].sort((a, b) => order(a) - order(b));
  return render(place,
    h("div", { class: "tray-head" },
      h("button", { class: "pill plain", type: "button", "aria-expanded": String(!folded), "aria-controls": "tray-list", onclick: () => { folded = !folded; show(); } },
        h("span", { role: "status" }, summary(all, open, wrong)), icon("turn")),
      open.length === 0 && button("Clear", () => { items.clear(); show(); }, { class: "pill plain" })),
    open.length > 0 && h("progress", { class: "bar", max: "1", value: share, "aria-label": "All of it" }),
    !folded && h("ul", { id: "tray-list", class: "tray-list" }, sorted.slice(0, 60).map(line)));
}

function summary(all, open, wrong) {
  if (open.length) return `${all.length - open.length} of ${all.length} done`;
  const songs = all.filter(({ kind, step }) => kind === "upload" && step === "done").length;
  const said = [songs && `${count(songs, "song")} ready`, wrong && `${wrong} could not be done`].filter(Boolean).join(", ");
  return said || "All done";
}

function line(item) {
  const { id, kind, name, step, song, why, href, rows, share, bytes, known } = item;
  const title = song?.title ?? name;
  const said = step === "wrong" ? sentence(why) : step === "done" ? (kind === "report" ? `${count(rows, "line")}` : known ? "Was in the catalogue already" : "Ready") : step === "sending" ? `${Math.round((share ?? 0) * 100)} % of ${size(bytes)}` : STEPS[step];
  return h("li", { key: id, class: `tray-item toned ${step}`, style: toned(song?.axes) },
    kind === "upload" ? shape(song?.axes) : icon("down"),
    h("span", { class: "names" }, h("strong", {}, title), h("span", { class: "quiet" }, said)),
    href && h("a", { class: "pill solid", href, download: "" }, "Download"),
    item.isLeft && button("Give up", () => stopIt(item), { class: "pill plain", "aria-label": `Give up ${name}` }),
    step === "wrong" && item.again && button("Try again", item.again, { class: "pill plain" }),
    ["waiting", "hashing", "sending"].includes(step) && button("Stop", () => stopIt(item), { class: "pill plain", "aria-label": `Stop ${name}` }));
}

function stopIt(item) {
  item.stop?.();
  sent(item.id);
  if (item.isAnnounced) attempt(() => change("cancelSongUpload", { id: item.id }, "upload { state }"));
  drop(item.id);
}

addEventListener("beforeunload", (event) => {
  if ([...items.values()].some(({ step }) => ["waiting", "hashing", "sending"].includes(step))) event.preventDefault();
});
