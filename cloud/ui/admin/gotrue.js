// Signing in with Supabase's Auth over its REST interface, by password or by a link in an e-mail (PKCE).
//
// supabase-js is not published as one file that a browser could load as it is, and this is the part of it that is
// needed here.

import { forget, recall, remember } from "/ui/memory.js";

const VERIFIER = "admin.verifier";
const ANSWER_WITHIN_MS = 15_000;

export class No extends Error {}

async function post(project, path, body, access) {
  const answer = await fetch(`${project.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", apikey: project.publishableKey, ...(access && { authorization: `Bearer ${access}` }) },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new No(told.msg ?? told.error_description ?? told.message ?? `Auth says ${answer.status}.`);
  return told;
}

const kept = ({ access_token: access, refresh_token: refresh, expires_in: seconds }) =>
  ({ access, refresh, expires: Date.now() / 1000 + seconds });

export const password = async (project, email, secret) =>
  kept(await post(project, "/token?grant_type=password", { email, password: secret }));

export const refresh = async (project, token) =>
  kept(await post(project, "/token?grant_type=refresh_token", { refresh_token: token }));

// The other half of the proof stays in this browser: whoever reads the e-mail elsewhere has nothing.
export async function link(project, email) {
  const verifier = base64url(crypto.getRandomValues(new Uint8Array(48)));
  remember(VERIFIER, verifier);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  const back = encodeURIComponent(`${location.origin}/admin`);
  await post(project, `/otp?redirect_to=${back}`, {
    email, create_user: false, code_challenge: base64url(new Uint8Array(digest)), code_challenge_method: "s256",
  });
}

export async function trade(project, code) {
  const verifier = recall(VERIFIER);
  forget(VERIFIER);
  try {
    return kept(await post(project, "/token?grant_type=pkce", { auth_code: code, code_verifier: verifier ?? "" }));
  } catch {
    return null;
  }
}

export const leave = (project, access) => post(project, "/logout?scope=local", {}, access).catch(() => {});

const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
