// Parts of every view: the shape, notices with undo, questions, fields that say what is wrong with them.

import { AXES, FLAT, angle, numbers, path, portrait, reach } from "/ui/curve.js";
import { tone } from "/ui/cover.js";
import { breathMs } from "/ui/motion.js";
import { AXIS_NAMES, mood } from "/ui/words.js";
import { newKey } from "/ui/memory.js";
import { OutOfReach, Refused, words } from "./api.js";
import { h, icon, sent } from "./dom.js";
import { SignedOut } from "./session.js";

const READ_MS = 8000;
const $ = (id) => document.getElementById(id);

// The colours of a song, for an element with class `toned`.
export function toned(axes) {
  if (!axes) return { "--hue": "48", "--chroma": "0.03" };
  const { hue, chroma } = tone(numbers(axes));
  return { "--hue": hue.toFixed(1), "--chroma": chroma.toFixed(4) };
}

// The five-pointed shape of a song; a quiet circle where nothing is known. It breathes where it plays.
export function shape(axes, { breathes = false, bpm = null, rich = false, said = false } = {}) {
  const values = axes ? numbers(axes) : FLAT;
  const label = said ? { role: "img", "aria-label": axes ? `Its shape: ${mood(values)}` : "No shape yet" } : { "aria-hidden": "true" };
  const breath = breathes ? { "--breath": `${Math.round(breathMs(bpm))}ms` } : {};
  return h("svg", { class: `shape${axes ? "" : " unknown"}${breathes ? " breathes" : ""}`, viewBox: "-120 -120 240 240", ...label, style: breath },
    rich && [1.2, 1.1].map((scale) => h("path", { class: "aura", d: portrait(values, scale) })),
    h("path", { class: "body", d: portrait(values) }),
    rich && [0.75, 0.5, 0.27].map((scale) => h("path", { class: "groove", d: portrait(values.map((value) => value * scale), scale) })));
}

// The same with its axes named, of a song or of what a room wants.
export function named(axes, whose = "Its shape") {
  const values = axes ? numbers(axes) : FLAT;
  const at = (axis, radius) => [Math.cos(angle(axis)) * radius, Math.sin(angle(axis)) * radius];
  return h("svg", { class: "shape named", viewBox: "-160 -140 320 280", role: "img", "aria-label": `${whose}: ${mood(values)}` },
    AXES.map((_, axis) => h("line", { class: "spoke", x2: at(axis, 100)[0], y2: at(axis, 100)[1] })),
    h("circle", { class: "ring", r: reach(0) }),
    h("path", { class: axes ? "body" : "body unknown", d: path(values) }),
    AXES.map((_, axis) => {
      const [x, y] = at(axis, 118);
      const anchor = Math.abs(x) < 20 ? "middle" : x > 0 ? "start" : "end";
      return h("text", { x, y: y + (y > 80 ? 14 : 4), "text-anchor": Math.abs(y) > 90 ? "middle" : anchor }, AXIS_NAMES[axis]);
    }));
}

// Says something for a while; with `undo`, takes it back.
export function notice(text, undo = null) {
  const about = { class: "notice" };
  const button = undo && h("button", { class: "pill plain", type: "button", onclick: () => { end(); attempt(undo); } }, "Undo");
  const element = h("p", about, h("span", {}, text), button);
  const end = () => { clearTimeout(timer); element.remove(); };
  let timer = setTimeout(end, READ_MS);
  // Whoever is on the way to it has the time they need.
  element.onpointerenter = element.onfocusin = () => clearTimeout(timer);
  element.onpointerleave = element.onfocusout = () => { timer = setTimeout(end, READ_MS); };
  while ($("notices").children.length > 2) $("notices").firstChild.remove();
  // What lies outside of an open window cannot be used, so it is said inside.
  const place = document.querySelector("dialog[open]") ?? document.body;
  if ($("notices").parentElement !== place) place.append($("notices"));
  $("notices").append(element);
}

// Does something; what goes wrong is said in words.
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SignedOut) return undefined;
    if (!(error instanceof Refused)) console.warn(error);
    notice(words(error));
    return undefined;
  }
}

let fields = 0;

// Names of time zones to choose from, once for the whole page.
export function zones() {
  if ($("zones")) return;
  document.body.append(h("datalist", { id: "zones" }, Intl.supportedValuesOf?.("timeZone").map((zone) => h("option", { value: zone }))));
}

// A labelled input, with a line for what is wrong with it.
export function field(label, input, hint = "") {
  const id = input.id || `f${(fields += 1)}`;
  input.id = id;
  input.classList.add("field");
  const about = [hint && `${id}-hint`, `${id}-wrong`].filter(Boolean).join(" ");
  input.setAttribute("aria-describedby", about);
  return h("div", { class: "labelled" }, h("label", { for: id }, label), input,
    hint && h("p", { id: `${id}-hint`, class: "quiet" }, hint), h("p", { id: `${id}-wrong`, class: "wrong", role: "alert", "data-own": "" }));
}

export const input = (name, about = {}) => h("input", { name, autocomplete: "off", ...about });

export function select(name, options, value, about = {}) {
  return h("select", { name, value, ...about }, Object.entries(options).map(([key, text]) => h("option", { value: key }, text)));
}

function wrong(form, name, text) {
  const input = name && form.querySelector(`[name="${CSS.escape(name)}"]`);
  const place = input ? document.getElementById(`${input.id}-wrong`) : form.querySelector(".form-wrong");
  if (!place) return false;
  place.textContent = text;
  if (!input) return true;
  input.setAttribute("aria-invalid", "true");
  input.closest("details")?.setAttribute("open", "");
  input.focus();
  return true;
}

const forms = new WeakMap();

// A form that does something; a refusal is shown at its field. Its key stays the same while its words do: what did not
// reach the cloud may be sent again, and is done once.
export function form(about, work, ...children) {
  async function onsubmit(event) {
    event.preventDefault();
    const at = event.currentTarget;
    const state = forms.get(at) ?? { key: newKey(), busy: false };
    forms.set(at, state);
    if (state.busy) return;
    state.busy = true;
    at.querySelectorAll(".wrong").forEach((place) => { place.textContent = ""; });
    at.querySelectorAll("[aria-invalid]").forEach((input) => input.removeAttribute("aria-invalid"));
    at.setAttribute("aria-busy", "true");
    try {
      await work(Object.fromEntries(new FormData(at)), state.key, at);
      state.key = newKey();
      sent(at);
    } catch (error) {
      if (!(error instanceof OutOfReach)) state.key = newKey();
      if (!(error instanceof SignedOut) && !wrong(at, error.field, words(error)) && !wrong(at, null, words(error))) notice(words(error));
    } finally {
      state.busy = false;
      at.removeAttribute("aria-busy");
    }
  }
  const oninput = (event) => { const state = forms.get(event.currentTarget); if (state) state.key = newKey(); };
  return h("form", { autocomplete: "off", novalidate: true, ...about, onsubmit, oninput }, ...children, h("p", { class: "wrong form-wrong", role: "alert", "data-own": "" }));
}

// A window over the page, with a heading; it gives back the focus when it goes.
export function panel(title, ...children) {
  const id = `p${(fields += 1)}`;
  const close = h("button", { class: "pill plain close", type: "button", "aria-label": "Close", onclick: () => dialog.close() }, icon("close"));
  const dialog = h("dialog", { class: "panel", "aria-labelledby": id }, h("div", { class: "panel-head" }, h("h2", { id }, title), close), ...children);
  document.body.append(dialog);
  dialog.addEventListener("close", () => {
    if (dialog.contains($("notices"))) document.body.append($("notices"));
    dialog.remove();
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.showModal();
  return dialog;
}

// A plain question before what cannot be taken back.
export function question(title, text, yes, no = "Keep it") {
  return new Promise((answer) => {
    const say = (value) => () => { answer(value); dialog.close(); };
    const dialog = panel(title, h("p", {}, text), h("p", { class: "buttons end" },
      h("button", { class: "pill", type: "button", onclick: say(false), autofocus: true }, no),
      h("button", { class: "pill solid", type: "button", onclick: say(true) }, yes)));
    dialog.addEventListener("close", () => answer(false));
  });
}

export const button = (text, onclick, about = {}) => h("button", { class: "pill", type: "button", ...about, onclick }, about.icon && icon(about.icon), h("span", {}, text));

export const empty = (title, text, ...acts) => h("div", { class: "empty" }, shape(null), h("h2", {}, title), h("p", { class: "quiet" }, text), acts.length > 0 && h("p", { class: "buttons" }, acts));
