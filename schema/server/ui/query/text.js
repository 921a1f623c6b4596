// What can be read from a query's text without a parser: its operations, its shape, and the blanks in its variables.

import { newKey, recall } from "../memory.js";
import { pieces } from "./colour.js";

const ROOTS = ["query", "mutation", "subscription"];

// The operations of a document: kind, name, and from where to where.
export function operations(text) {
  const found = [];
  let depth = 0;
  let current = null;
  for (const [kind, piece, at] of pieces(text)) {
    if (kind === "c") continue;
    if (depth === 0 && !current) {
      current = { kind: piece === "{" ? "query" : piece, name: null, from: at };
      found.push(current);
    } else if (depth === 0 && kind === "n" && !current.name && !current.past) {
      current.name = piece;
    }
    if (depth === 0 && kind === "p") current.past = true;
    if ("{([".includes(piece)) depth += 1;
    if ("})]".includes(piece)) depth = Math.max(0, depth - 1);
    current.to = at + piece.length;
    if (piece === "}" && depth === 0) current = null;
  }
  return found.filter(({ kind }) => ROOTS.includes(kind));
}

// The one that the caret is in or after, else the first.
export function operationAt(text, caret) {
  const all = operations(text);
  return all.findLast(({ from }) => from <= caret) ?? all[0] ?? null;
}

// Blanks that are filled each time a query is run, so that a vote is for what plays then and its key is new.
const BLANK = /^\{\{(\w+)\}\}$/;
const FILL = {
  key: () => newKey(),
  song: async (ask) => {
    const { nowPlaying } = await ask("{ nowPlaying { song { id } } }");
    if (!nowPlaying) throw new Error("Nothing plays at the moment, so there is no song for {{song}}.");
    return nowPlaying.song.id;
  },
  code: () => {
    const code = recall("code");
    if (!code) throw new Error("Write the room\u2019s code in the place of {{code}}; it is on the poster or the screen.");
    return code;
  },
};
export const BLANKS = {
  key: "{{key}} is a new UUID each time",
  song: "{{song}} is the song that plays then",
  code: "{{code}} is the room\u2019s code",
};

export const blanksIn = (text) => Object.keys(BLANKS).filter((name) => text.includes(`"{{${name}}}"`));

export async function fill(value, ask) {
  if (Array.isArray(value)) return Promise.all(value.map((item) => fill(item, ask)));
  if (value && typeof value === "object") {
    return Object.fromEntries(await Promise.all(Object.entries(value).map(async ([key, item]) => [key, await fill(item, ask)])));
  }
  const [, name] = BLANK.exec(value) ?? [];
  return FILL[name] ? FILL[name](ask) : value;
}
