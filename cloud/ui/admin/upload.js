// Files on their way from this page into a catalogue: summed up here, sent straight to the store, finalised, and from
// then on followed by the tray.

import { newKey } from "/ui/memory.js";
import { OutOfReach, ask, change, words } from "./api.js";
import { notice } from "./parts.js";
import * as tray from "./tray.js";

const AT_ONCE = 3;
const TRIES = 4;
const LARGEST = 512 * 2 ** 20;
const TYPES = { mp3: "audio/mpeg", flac: "audio/flac", ogg: "audio/ogg", oga: "audio/ogg", wav: "audio/wav", m4a: "audio/mp4", mp4: "audio/mp4", aac: "audio/aac" };
const TARGET = "target { url headers { name value } partBytes parts }";
const LEFT = `query($id: ID!) { songUpload(id: $id) { id sha256 ${TARGET} } }`;
const PARTS = "query($id: ID!, $numbers: [Int!]!) { songUploadParts(uploadId: $id, numbers: $numbers) { number offset bytes arrived url headers { name value } } }";

export const ACCEPT = Object.keys(TYPES).map((ending) => `.${ending}`).join(",");

const queue = [];
let busy = 0;
let reading = Promise.resolve();

// Takes many files at once; `venueIds` are to play them.
export function take(files, { organisationId, venueIds }) {
  const songs = [...files].filter(({ name }) => endingOf(name) in TYPES);
  const others = files.length - songs.length;
  if (others > 0) notice(`${others === 1 ? "One file is" : `${others} files are`} no music that can be played: MP3, FLAC, Ogg Vorbis, WAV, M4A and AAC can.`);
  for (const file of songs) enqueue({ file, organisationId, venueIds, key: newKey(), id: tray.left(file)?.id });
}

const endingOf = (name) => name.slice(name.lastIndexOf(".") + 1).toLowerCase();

function enqueue(job) {
  const id = job.id ?? newKey();
  const before = tray.get(id)?.isLeft ? id : null;
  tray.put(id, { isLeft: false, kind: "upload", name: job.file.name, bytes: job.file.size, step: "waiting", share: 0, why: "", again: null, stop: () => stop(job) });
  queue.push(Object.assign(job, { id, before, stopped: false }));
  pump();
}

function stop(job) {
  job.stopped = true;
  job.request?.abort();
}

function pump() {
  while (busy < AT_ONCE && queue.length) {
    busy += 1;
    carry(queue.shift()).finally(() => { busy -= 1; pump(); });
  }
}

class Stopped extends Error {}

async function carry(job) {
  try {
    if (job.stopped) return;
    if (job.file.size > LARGEST) throw Object.assign(new Error(), { said: "It is larger than 512 MB; split or compress it." });
    await send(job);
  } catch (error) {
    if (error instanceof Stopped || job.stopped) return;
    tray.put(job.id, { step: "wrong", why: error.said ?? words(error), again: () => enqueue({ ...job, key: error instanceof OutOfReach ? job.key : newKey() }) });
  }
}

async function send(job) {
  const { file, organisationId, venueIds } = job;
  tray.put(job.id, { step: "hashing" });
  job.sha256 ??= await digest(file);
  if (job.stopped) throw new Stopped();
  const about = { organisationId, filename: file.name, contentType: TYPES[endingOf(file.name)], bytes: file.size, sha256: job.sha256 };
  const { upload, existingSong } = (await goOn(job)) ?? await change("createSongUpload", about, `upload { id ${TARGET} } existingSong { id title status axes { name value } }`, job.key);
  if (existingSong) return isThere(job, existingSong);
  tray.announce(upload.id);
  tray.rename(job.id, upload.id);
  job.id = upload.id;
  tray.put(job.id, { step: "sending", share: 0, isAnnounced: true });
  if (upload.target) await (upload.target.url ? whole(job, upload.target) : inParts(job, upload.target));
  if (job.stopped) throw new Stopped();
  await change("finaliseSongUpload", { id: job.id, venueIds }, "upload { state }");
  tray.sent(job.id);
  if (tray.get(job.id)?.step === "sending") tray.put(job.id, { step: "queued", share: 0.9, stop: null });
  return undefined;
}

// What was interrupted goes on where it stopped, where it is the same file.
async function goOn({ before, sha256 }) {
  const { songUpload: upload } = before ? await ask(LEFT, { id: before }) : {};
  return upload?.sha256 === sha256 && upload.target ? { upload } : null;
}

// These very bytes are a song already: it only has to be played here, too.
async function isThere(job, song) {
  if (song.status === "WITHDRAWN") await change("restoreSong", { id: song.id }, "song { id }");
  if (job.venueIds.length) await change("assignSongs", { songIds: [song.id], venueIds: job.venueIds }, "assigned");
  tray.put(job.id, { step: "done", song, known: true, stop: null });
  tray.changed();
}

// One file at a time is read: a phone has not the memory for three.
function digest(file) {
  const read = reading.then(async () => {
    const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()).catch(() => {
      throw Object.assign(new Error(), { said: "The file cannot be read any more. Drop it again." });
    }));
    return [...sum].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  });
  reading = read.catch(() => {});
  return read;
}

const whole = (job, target) => put(job, target, job.file, (sent) => sent / job.file.size);

async function inParts(job, { parts, partBytes }) {
  for (let number = 1; number <= parts; number += 1) {
    const { songUploadParts: [part] } = await ask(PARTS, { id: job.id, numbers: [number] });
    const before = (number - 1) * partBytes;
    if (!part.arrived) await put(job, part, job.file.slice(part.offset, part.offset + part.bytes), (sent) => (before + sent) / job.file.size);
  }
}

// A PUT that says how far it is, tried again where the line breaks.
async function put(job, { url, headers }, body, share) {
  for (let attempt = 1; ; attempt += 1) {
    if (job.stopped) throw new Stopped();
    const status = await once(job, url, headers, body, (sent) => tray.put(job.id, { share: share(sent) * 0.9 }));
    if (status >= 200 && status < 300) return;
    if (attempt >= TRIES || (status >= 400 && status < 500)) {
      throw Object.assign(new Error(), { said: status ? `The store did not take it (${status}). Try again.` : "The store cannot be reached from here. Look at the network, then try again." });
    }
    await new Promise((go) => setTimeout(go, 500 * 2 ** attempt * (0.5 + Math.random())));
  }
}

// Only this old way of asking tells how much has been sent.
function once(job, url, headers, body, told) {
  return new Promise((done) => {
    const request = new XMLHttpRequest();
    job.request = request;
    request.open("PUT", url);
    headers.forEach(({ name, value }) => request.setRequestHeader(name, value));
    request.upload.onprogress = ({ loaded }) => told(loaded);
    request.onload = () => done(request.status);
    request.onerror = request.ontimeout = request.onabort = () => done(0);
    request.send(body);
  });
}
