// A page is written as what it should be; what differs is changed in place, so that the focus, half-typed words and
// what a screen reader is at stay where they are.

import { animate } from "/ui/motion.js";

const SVG = "http://www.w3.org/2000/svg";
const IN_SVG = new Set(["svg", "path", "g", "circle", "line", "text", "rect", "use", "title"]);
const MOVE_MS = 500;

// An element: attributes, listeners (`onclick`), `style` as properties, `key` for a thing that keeps its identity.
export function h(tag, about = {}, ...children) {
  const element = IN_SVG.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(about)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element[name] = value;
    else if (name === "style") Object.entries(value).forEach(([property, set]) => element.style.setProperty(property, set));
    else if (name === "key") element.dataset.key = value;
    else if (name === "value") element.value = value;
    else if (name === "checked") element.checked = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  // A select knows its choice once it has its options.
  add(element, children);
  if (tag === "select" && about.value !== undefined) element.value = about.value;
  return element;
}

function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === "") continue;
    element.append(child);
  }
}

export const icon = (name) => h("svg", { class: "icon", "aria-hidden": "true" }, h("use", { href: `#i-${name}` }));

// Makes `place` hold these children.
export function render(place, ...children) {
  const wanted = document.createDocumentFragment();
  add(wanted, children);
  patchChildren(place, wanted);
}

const LISTENERS = ["onclick", "oninput", "onchange", "onsubmit", "onkeydown", "ondragover", "ondragleave", "ondrop"];

function patch(before, after) {
  if (before.nodeType === Node.TEXT_NODE) {
    if (before.data !== after.data) before.data = after.data;
    return before;
  }
  for (const { name } of [...before.attributes]) {
    const isUsers = ["style", "aria-invalid", "aria-busy"].includes(name) || (name === "open" && before.tagName === "DETAILS");
    if (!isUsers && !after.hasAttribute(name)) before.removeAttribute(name);
  }
  for (const { name, value } of after.attributes) {
    if (name !== "style" && before.getAttribute(name) !== value) before.setAttribute(name, value);
  }
  if (before.style.cssText !== after.style.cssText) before.style.cssText = after.style.cssText;
  for (const name of LISTENERS) before[name] = after[name];
  if (!before.hasAttribute("data-own")) patchChildren(before, after);
  patchValue(before, after);
  return before;
}

// What somebody has written into a form is theirs until it is sent.
const written = new WeakSet();
export const sent = (form) => [...form.elements].forEach((input) => written.delete(input));
document.addEventListener("input", ({ target }) => target.form && written.add(target), true);
document.addEventListener("reset", ({ target }) => sent(target), true);

function patchValue(before, after) {
  if (!["INPUT", "SELECT"].includes(before.tagName) || written.has(before)) return;
  if (before.type === "checkbox") before.checked = after.checked;
  else if (before.tagName === "SELECT" || (before !== document.activeElement && before.type !== "file")) {
    if (before.value !== after.value) before.value = after.value;
  }
}

const keyOf = (node) => node.dataset?.key;
const isAlike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);

function patchChildren(place, wanted) {
  const seen = new Map();
  const isList = place.classList?.contains("moving");
  if (isList) for (const child of place.children) seen.set(child, child.offsetTop);
  const left = [...place.childNodes];
  let at = place.firstChild;
  for (const child of [...wanted.childNodes]) {
    const found = left.findIndex((old) => isAlike(old, child));
    if (found < 0) {
      place.insertBefore(child, at);
      continue;
    }
    const [old] = left.splice(found, 1);
    patch(old, child);
    if (old === at) at = at.nextSibling;
    else place.insertBefore(old, at);
  }
  left.forEach((old) => old.remove());
  if (isList && seen.size) for (const child of place.children) slide(child, seen.get(child));
}

function slide(child, from) {
  if (from === undefined) animate(child, { opacity: [0, 1] }, { duration: MOVE_MS });
  else if (Math.abs(from - child.offsetTop) > 1) animate(child, { transform: [`translateY(${from - child.offsetTop}px)`, "none"] }, { duration: MOVE_MS });
}
