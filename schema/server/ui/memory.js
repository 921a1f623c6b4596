// What this phone remembers between visits, and the keys it makes. A browser that forbids storage still gets a page:
// then the memory lasts as long as the tab.

const inTab = new Map();

export function recall(name) {
  try {
    return localStorage.getItem(`roomtone.${name}`) ?? inTab.get(name) ?? null;
  } catch {
    return inTab.get(name) ?? null;
  }
}

export function remember(name, value) {
  inTab.set(name, value);
  try {
    localStorage.setItem(`roomtone.${name}`, value);
  } catch {
    // Private mode: the tab's own memory has it.
  }
}

export function forget(name) {
  inTab.delete(name);
  try {
    localStorage.removeItem(`roomtone.${name}`);
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
