// A QR code as a picture (ISO/IEC 18004, byte mode, level L, versions 1 to 9), so that a code is sent nowhere to be drawn.

import { h } from "./dom.js";

// For each version: words of correction in a block, blocks, words of data in a block, and where the small squares stand.
const VERSIONS = [
  [7, 1, 19, []], [10, 1, 34, [6, 18]], [15, 1, 55, [6, 22]], [20, 1, 80, [6, 26]], [26, 1, 108, [6, 30]],
  [18, 2, 68, [6, 34]], [20, 2, 78, [6, 22, 38]], [24, 2, 97, [6, 24, 42]], [30, 2, 116, [6, 26, 46]],
];
const QUIET = 4;

// Numbers of GF(256) by their logarithm.
const EXP = [];
const LOG = [];
for (let i = 0, x = 1; i < 255; i += 1) {
  EXP[i] = x;
  LOG[x] = i;
  x = (x << 1) ^ (x & 0x80 ? 0x11d : 0);
}
const times = (a, b) => (a && b ? EXP[(LOG[a] + LOG[b]) % 255] : 0);

function correction(data, length) {
  let divisor = [1];
  for (let i = 0; i < length; i += 1) {
    divisor = [...divisor, 0].map((word, at) => word ^ (at ? times(divisor[at - 1], EXP[i]) : 0));
  }
  const rest = [...data, ...new Array(length).fill(0)];
  data.forEach((_, at) => {
    const factor = rest[at];
    divisor.forEach((word, n) => { rest[at + n] ^= times(word, factor); });
  });
  return rest.slice(data.length);
}

// The words as they stand in the picture, blocks interleaved.
function wordsOf(bytes, [length, blocks, size]) {
  const bits = [0, 1, 0, 0];
  const push = (value, count) => { for (let i = count - 1; i >= 0; i -= 1) bits.push((value >> i) & 1); };
  push(bytes.length, 8);
  bytes.forEach((byte) => push(byte, 8));
  const room = blocks * size * 8;
  push(0, Math.min(4, room - bits.length));
  while (bits.length % 8) bits.push(0);
  for (let pad = 0xec; bits.length < room; pad ^= 0xec ^ 0x11) push(pad, 8);
  const words = Array.from({ length: blocks * size }, (_, at) => parseInt(bits.slice(at * 8, at * 8 + 8).join(""), 2));
  const parts = Array.from({ length: blocks }, (_, block) => words.slice(block * size, (block + 1) * size));
  const checks = parts.map((part) => correction(part, length));
  const across = (lists, count) => Array.from({ length: count }, (_, at) => lists.map((list) => list[at])).flat();
  return [...across(parts, size), ...across(checks, length)];
}

// The picture's modules: rows of 0 and 1.
export function modules(text) {
  const bytes = [...new TextEncoder().encode(text)];
  const at = VERSIONS.findIndex(([, blocks, size]) => bytes.length + 2 <= blocks * size);
  if (at < 0) return null;
  const version = at + 1;
  const size = 17 + 4 * version;
  const grid = Array.from({ length: size }, () => new Array(size).fill(null));
  const set = (row, column, dark) => { if (row >= 0 && column >= 0 && row < size && column < size) grid[row][column] = dark ? 1 : 0; };
  frame(grid, set, size, version, VERSIONS[at][3]);
  fill(grid, size, wordsOf(bytes, VERSIONS[at]));
  return grid;
}

function frame(grid, set, size, version, places) {
  const corner = (row, column) => {
    for (let r = -1; r <= 7; r += 1) for (let c = -1; c <= 7; c += 1) {
      const ring = Math.max(Math.abs(r - 3), Math.abs(c - 3));
      set(row + r, column + c, ring !== 2 && ring <= 3);
    }
  };
  [[0, 0], [0, size - 7], [size - 7, 0]].forEach(([row, column]) => corner(row, column));
  for (const row of places) for (const column of places) {
    if (grid[row][column] !== null) continue;
    for (let r = -2; r <= 2; r += 1) for (let c = -2; c <= 2; c += 1) set(row + r, column + c, Math.max(Math.abs(r), Math.abs(c)) !== 1);
  }
  for (let n = 8; n < size - 8; n += 1) {
    if (grid[6][n] === null) set(6, n, n % 2 === 0);
    if (grid[n][6] === null) set(n, 6, n % 2 === 0);
  }
  // Level L and the first mask, with their correction, in both places.
  const format = 0b111011111000100;
  for (let n = 0; n < 15; n += 1) {
    const bit = (format >> n) & 1;
    set(n < 6 ? n : n < 8 ? n + 1 : size - 15 + n, 8, bit);
    set(8, n < 8 ? size - 1 - n : n < 9 ? 15 - n : 14 - n, bit);
  }
  set(size - 8, 8, 1);
  if (version >= 7) {
    let rest = version << 12;
    for (let n = 17; n >= 12; n -= 1) if ((rest >> n) & 1) rest ^= 0x1f25 << (n - 12);
    const told = (version << 12) | rest;
    for (let n = 0; n < 18; n += 1) {
      set(Math.floor(n / 3), size - 11 + (n % 3), (told >> n) & 1);
      set(size - 11 + (n % 3), Math.floor(n / 3), (told >> n) & 1);
    }
  }
}

// Two columns at a time, up and down in turn, where nothing stands yet; the mask is that of even diagonals.
function fill(grid, size, words) {
  let bit = 0;
  for (let right = size - 1, up = true; right > 0; right -= 2, up = !up) {
    if (right === 6) right -= 1;
    for (let n = 0; n < size; n += 1) for (const column of [right, right - 1]) {
      const row = up ? size - 1 - n : n;
      if (grid[row][column] !== null) continue;
      const dark = bit < words.length * 8 ? (words[bit >> 3] >> (7 - (bit & 7))) & 1 : 0;
      grid[row][column] = dark ^ ((row + column) % 2 === 0 ? 1 : 0);
      bit += 1;
    }
  }
}

export function qr(text, label = "The command as a QR code") {
  const grid = modules(text);
  if (!grid) return null;
  const side = grid.length + 2 * QUIET;
  const dark = grid.flatMap((row, y) => row.map((set, x) => (set ? `M${x + QUIET} ${y + QUIET}h1v1h-1z` : ""))).join("");
  return h("svg", { class: "picture", viewBox: `0 0 ${side} ${side}`, role: "img", "aria-label": label, "shape-rendering": "crispEdges" },
    h("rect", { width: side, height: side, fill: "#fff" }), h("path", { d: dark, fill: "#000" }));
}
