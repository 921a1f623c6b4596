// Who is signed in here. With Supabase by its Auth; without, by a token that `roomtone-cloud dev` printed.

import { forget, recall, remember } from "/ui/memory.js";
import * as gotrue from "./gotrue.js";

const KEPT = "admin.session";
const EARLY_S = 60;

let project = null;
let session = null;
let renewing = null;
let onLeave = () => {};

export class SignedOut extends Error {}

// Learns what there is, and who came in: by a link with a token, back from an e-mail, or as before.
export async function begin(left) {
  onLeave = left;
  const fragment = new URLSearchParams(location.hash.slice(1));
  const query = new URLSearchParams(location.search);
  const shown = fragment.get("token");
  // Neither a token nor a code stays in the address, where somebody could look over a shoulder, or copy it.
  if (location.hash || location.search) history.replaceState(null, "", location.pathname);
  const told = await fetch("/admin/config.json").then((answer) => answer.json());
  project = told.supabase;
  if (shown) keep({ access: shown });
  else if (project && query.has("code")) keep(await gotrue.trade(project, query.get("code")));
  else session = JSON.parse(recall(KEPT) ?? "null");
  return { refusal: query.get("error_description"), isOver: query.has("over") };
}

function keep(next) {
  session = next;
  if (next) remember(KEPT, JSON.stringify(next));
  else forget(KEPT);
}

export const hasProject = () => project !== null;
export const isIn = () => session !== null;

export async function token() {
  if (session?.refresh && session.expires - EARLY_S < Date.now() / 1000) await renew();
  return session?.access ?? "";
}

// A fresh token where there can be one. Many may ask at once; one of them goes.
export async function renew() {
  if (!session?.refresh || !project) return false;
  renewing ??= gotrue.refresh(project, session.refresh).then(
    (next) => { keep(next); return true; },
    // Out of reach is not over.
    (error) => !(error instanceof gotrue.No),
  ).finally(() => { renewing = null; });
  return renewing;
}

export const signIn = {
  token: (shown) => keep({ access: shown }),
  async password(email, password) { keep(await gotrue.password(project, email, password)); },
  link: (email) => gotrue.link(project, email),
};

// Ends it; whoever waits for an answer learns that there is none.
export function leave(why = "") {
  if (session?.refresh && project && !why) gotrue.leave(project, session.access);
  keep(null);
  onLeave(why);
  return new SignedOut("signed out");
}
