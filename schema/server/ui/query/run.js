// One operation at a time: questions and changes by POST, subscriptions over a WebSocket of their own.

import { createClient } from "../vendor/graphql-ws/client.js";

const ANSWER_WITHIN_MS = 20_000;
// What the hub says when it closes for good; anything else is a line that was lost and is tried again.
const FINAL = {
  4400: "The hub did not understand this page; it may be of another version. Reload it.",
  4401: "The session of this token has ended.",
  4403: "The hub does not accept this token.",
  4429: "Too many sockets are open; close another tab.",
};

const bearer = (token) => (token ? { authorization: `Bearer ${token}` } : {});

export async function post(params, token, signal) {
  const began = performance.now();
  const answer = await fetch("/graphql", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/graphql-response+json, application/json;q=0.9", ...bearer(token) },
    body: JSON.stringify(params),
    credentials: "same-origin",
    signal: AbortSignal.any?.([signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]) ?? signal,
  });
  const text = await answer.text();
  let json;
  try { json = JSON.parse(text); } catch { json = null; }
  return { status: answer.status, json, text, ms: performance.now() - began, bytes: new TextEncoder().encode(text).length };
}

// Follows until `stop()`; `told` hears what happens to the line.
export function follow(params, token, { next, fault, done, told }) {
  let over = false;
  // What comes after the end concerns whatever runs then.
  const still = (act) => (value) => over || act(value);
  const client = createClient({
    url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/graphql`,
    connectionParams: bearer(token),
    retryAttempts: Infinity,
    shouldRetry: (event) => !FINAL[event?.code],
    on: {
      closed: ({ code }) => { if (!over && !FINAL[code]) told("lost"); },
    },
  });
  const leave = client.subscribe(params, {
    next: still(next),
    error: still((error) => fault(Array.isArray(error) ? error : [{ message: FINAL[error?.code] ?? error?.reason ?? "The line to the hub was closed." }])),
    complete: still(done),
  });
  return () => {
    over = true;
    // A line that nobody uses closes itself.
    leave();
  };
}
