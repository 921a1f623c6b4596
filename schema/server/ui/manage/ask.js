// Asking the hub, as whoever has signed in: by the PIN, which gave this browser a cookie that no script reads, or by the
// manager's token, which stays in the tab. Every request says that it is this page's own; a page elsewhere cannot.

const KEPT = "roomtone.manage.token";
const PATIENCE_MS = 5000;
const OURS = { "x-roomtone": "manage" };

export class Refused extends Error {
  constructor(status, why) {
    super(why);
    this.status = status;
  }
}

let token = null;
try { token = sessionStorage.getItem(KEPT); } catch { /* It has to be typed again after a reload. */ }

/// From now on the token; null where the PIN's cookie is what counts.
export function show(shown) {
  token = shown;
  try {
    if (shown) sessionStorage.setItem(KEPT, shown);
    else sessionStorage.removeItem(KEPT);
  } catch { /* As above. */ }
}

export const byToken = () => token !== null;

const headers = () => (token ? { ...OURS, authorization: `Bearer ${token}` } : OURS);

async function told(answer) {
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, sentence(said.error ?? "The hub could not do that."));
  return said;
}

/// What the hub answers.
export async function ask(path = "", body = undefined, method = body ? "POST" : "GET", patience = PATIENCE_MS) {
  const answer = await fetch(`/api/manage${path}`, {
    method, cache: "no-store", credentials: "same-origin", signal: AbortSignal.timeout(patience), headers: headers(),
    body: body && JSON.stringify(body),
  });
  return told(answer);
}

/// A file that the hub gives, with its name.
export async function fetchFile(path) {
  const answer = await fetch(`/api/manage${path}`, { cache: "no-store", credentials: "same-origin", headers: headers() });
  if (!answer.ok) await told(answer);
  const name = /filename="([^"]+)"/.exec(answer.headers.get("content-disposition") ?? "")?.[1];
  return { name, blob: await answer.blob() };
}

/// Sends a file, telling how far it has come, from 0 to 1. Only the older way of asking tells that.
export function sendFile(path, file, onProgress = () => {}) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/manage${path}`);
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.setRequestHeader("content-type", "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => onProgress(total ? loaded / total : 1);
    request.upload.onload = () => onProgress(1);
    request.onload = () => {
      if (request.status < 300) done(request.response);
      else failed(new Refused(request.status, sentence(request.response?.error ?? "The hub could not take it.")));
    };
    request.onerror = () => failed(new Error("The hub does not answer."));
    request.send(file);
  });
}

/// The hub's refusals are phrases; on the page they stand alone.
export function sentence(text) {
  const said = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.?]$/.test(said) ? said : `${said}.`;
}
