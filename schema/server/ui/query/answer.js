// What comes back: one answer, or events with the newest first.

import { colour } from "./colour.js";

const $ = (id) => document.getElementById(id);
// A page that is left open overnight keeps these and lets older ones go.
const MOST_EVENTS = 100;
const SPEAK_EVERY_MS = 2000;
const PREVIEW = 200;

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const many = (n, thing) => `${n} ${thing}${n === 1 ? "" : "s"}`;
// What fits into a line stands in one, so that five axes are five lines and not twenty.
const LINE = 64;
function pretty(value, indent = "") {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const list = Array.isArray(value);
  const [open, close] = list ? "[]" : "{}";
  const deeper = `${indent}  `;
  const parts = Object.entries(value).map(([key, item]) => `${list ? "" : `${JSON.stringify(key)}: `}${pretty(item, deeper)}`);
  if (!parts.length) return open + close;
  const flat = list ? `[${parts.join(", ")}]` : `{ ${parts.join(", ")} }`;
  return indent && flat.length + indent.length <= LINE && !flat.includes("\n") ? flat : `${open}\n${deeper}${parts.join(`,\n${deeper}`)}\n${indent}${close}`;
}

const size = (bytes) => (bytes < 1000 ? `${bytes} B` : `${(bytes / 1000).toFixed(1)} kB`);

export function createAnswer({ onPlace }) {
  let text = "";
  let count = 0;
  let spoken = 0;
  // A hot stream is drawn once a frame, and a page that nobody looks at draws nothing.
  let waiting = [];
  let frame = 0;

  function say(words, { aloud = words } = {}) {
    $("meta").textContent = words;
    if (aloud) $("said").textContent = aloud;
  }

  function clear() {
    text = "";
    count = 0;
    waiting = [];
    cancelAnimationFrame(frame);
    frame = 0;
    $("json").hidden = $("errors").hidden = $("events").hidden = $("copy").hidden = true;
    $("events").replaceChildren();
  }

  function showErrors(errors) {
    $("errors").hidden = !errors?.length;
    $("errors").replaceChildren(...(errors ?? []).map(({ message, extensions, locations }) => {
      const line = document.createElement("li");
      line.append(message, extensions?.code ? ` (${extensions.code})` : "");
      const [at] = locations ?? [];
      if (at) {
        const place = document.createElement("button");
        place.type = "button";
        place.textContent = `line ${at.line}`;
        place.addEventListener("click", () => onPlace(at));
        line.append(" ", place);
      }
      return line;
    }));
  }

  function showText(shown, language = "json") {
    text = shown;
    colour($("json"), shown, language);
    $("json").hidden = $("copy").hidden = false;
  }

  function draw() {
    cancelAnimationFrame(frame);
    frame = 0;
    if (!waiting.length) return;
    $("events").hidden = $("copy").hidden = false;
    const [latest] = $("events").children;
    if (latest && !latest.touched) latest.firstChild.open = false;
    const newest = waiting.at(-1).value;
    text = pretty(newest);
    showErrors(newest.errors);
    for (const event of waiting) $("events").prepend(eventRow(event, event.value === newest));
    while ($("events").childElementCount > MOST_EVENTS) $("events").lastChild.remove();
    waiting = [];
    const aloud = performance.now() - spoken > SPEAK_EVERY_MS ? `Event ${count}.` : null;
    if (aloud) spoken = performance.now();
    say(`${many(count, "event")}${count > MOST_EVENTS ? `, the last ${MOST_EVENTS} shown` : ""}`, { aloud });
  }

  return {
    say,
    clear,
    asking() {
      clear();
      say("Asking \u2026");
    },
    one({ status, json, text: raw, ms, bytes }) {
      clear();
      const errors = json?.errors;
      const outcome = errors ? many(errors.length, "error") : json ? "no errors" : "no JSON";
      say(`${status} \u00b7 ${outcome} \u00b7 ${ms.toFixed(0)} ms \u00b7 ${size(bytes)}`, { aloud: `Answered with ${outcome} in ${ms.toFixed(0)} milliseconds.` });
      showErrors(errors);
      showText(json ? pretty(json) : raw);
    },
    failed(message) {
      clear();
      say(message);
    },
    refused(errors) {
      showErrors(errors);
      say(`Refused: ${many(errors.length, "error")}.`);
    },
    event(value) {
      count += 1;
      waiting.push({ number: count, value, at: new Date() });
      if (waiting.length > MOST_EVENTS) waiting.shift();
      frame ||= requestAnimationFrame(draw);
    },
    draw,
    get count() { return count; },
    async copy() {
      const done = await copied(text);
      const button = $("copy");
      button.textContent = done ? "Copied" : "Select and copy";
      setTimeout(() => { button.textContent = "Copy"; }, 1600);
      if (!done) getSelection().selectAllChildren($("json").hidden ? $("events").querySelector("pre") : $("json"));
    },
  };
}

function eventRow({ number, value, at }, open) {
  const row = document.createElement("li");
  const box = document.createElement("details");
  const head = document.createElement("summary");
  const line = document.createElement("span");
  const when = document.createElement("b");
  const body = document.createElement("pre");
  line.textContent = JSON.stringify(value.data ?? value.errors).slice(0, PREVIEW);
  when.textContent = `${number} \u00b7 ${clock.format(at)}`;
  head.append(when, line);
  head.addEventListener("click", () => { row.touched = true; });
  body.tabIndex = 0;
  colour(body, pretty(value), "json");
  box.open = open;
  box.append(head, body);
  row.append(box);
  return row;
}

// The clipboard is for secure contexts only, which a hub on plain HTTP is not; the old way still works.
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "unseen";
    document.body.append(area);
    const back = document.activeElement;
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    back?.focus?.();
    return done;
  }
}
