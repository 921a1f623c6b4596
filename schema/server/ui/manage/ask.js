// Asking the hub, with the manager's token. No cookie: nothing is sent that a script of ours did not mean to send, and
// the token ends with the tab.

const KEPT = "roomtone.manage.token";
const PATIENCE_MS = 5000;

export class Refused extends Error {
  constructor(status, why) {
    super(why);
    this.status = status;
  }
}

export const stored = () => { try { return sessionStorage.getItem(KEPT); } catch { return null; } };

export function store(token) {
  try {
    if (token) sessionStorage.setItem(KEPT, token);
    else sessionStorage.removeItem(KEPT);
  } catch { /* It has to be typed again after a reload. */ }
}

/// What the hub answers: everything that the page shows.
export async function ask(token, path = "", body = undefined, method = body ? "POST" : "GET") {
  const answer = await fetch(`/api/manage${path}`, {
    method,
    cache: "no-store",
    signal: AbortSignal.timeout(PATIENCE_MS),
    headers: { authorization: `Bearer ${token}` },
    body: body && JSON.stringify(body),
  });
  const told = await answer.json();
  if (!answer.ok) throw new Refused(answer.status, told.error);
  return told;
}
