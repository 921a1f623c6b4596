// What this phone remembers between visits, and the keys it makes. A browser that forbids storage still gets a page:
// then the memory lasts as long as the tab.

import { base } from "./place.js";

const inTab = new Map();
// Houses at the cloud share one origin, and nothing else.
const key = (name) => `roomtone${base}.${name}`;

export function recall(name) {
  try {
    return localStorage.getItem(key(name)) ?? inTab.get(name) ?? null;
  } catch {
    return inTab.get(name) ?? null;
  }
}

export function remember(name, value) {
  inTab.set(name, value);
  try {
    localStorage.setItem(key(name), value);
  } catch {
    // Private mode: the tab's own memory has it.
  }
}

export function forget(name) {
  inTab.delete(name);
  try {
    localStorage.removeItem(key(name));
  } catch {
    // As above.
  }
}

// A random UUID. `crypto.randomUUID` needs a secure context, which a hub on plain HTTP is not; getRandomValues does not.
export function newKey() {
  const bytes = new Uint8Array(16);
  if (globalThis.crypto?.getRandomValues) crypto.getRandomValues(bytes);
  else bytes.forEach((_, at) => { bytes[at] = Math.floor(Math.random() * 256); });
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
