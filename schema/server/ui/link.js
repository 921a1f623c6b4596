// The line to the hub: questions by POST, the live values over one WebSocket. It mends itself.

import { createClient } from "./vendor/graphql-ws/client.js";
import { base } from "./place.js";
import { SAYS, sentence } from "./words.js";

const ANSWER_WITHIN_MS = 6000;
const PONG_WITHIN_MS = 4000;
const PING_EVERY_MS = 10_000;
const SLOWEST_RETRY_MS = 5000;
const FIRST_RETRY_MS = 250;
const TOO_BUSY = "TIMEOUT";
// One who votes just as the hub restarts need not notice: the key makes a repeated request the same request.
const MUTATION_RETRIES_MS = [400, 1000, 2000];

export class OutOfReach extends Error {}

// Asks once. Throws OutOfReach where nobody answered, Refused where the hub could not do it.
export async function ask(query, variables, token) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), ANSWER_WITHIN_MS);
  const headers = { "content-type": "application/json", accept: "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  try {
    const answer = await fetch(`${base}/graphql`, {
      method: "POST", headers, body: JSON.stringify({ query, variables }), signal: stop.signal, credentials: "same-origin",
    });
    const { data, errors } = await answer.json();
    // A hub that is too busy is asked again, like one that is away.
    if (errors?.[0]?.extensions?.code === TOO_BUSY) throw new OutOfReach(errors[0].message);
    if (errors?.length) throw fault(errors[0]);
    return data;
  } catch (error) {
    throw error instanceof Refused || error instanceof OutOfReach ? error : new OutOfReach(String(error));
  } finally {
    clearTimeout(timer);
  }
}

export class Refused extends Error {
  constructor(message, code) {
    super(sentence(message));
    this.code = code;
  }
}

// An error that is no refusal is nobody's business but a developer's; a guest is told what it means for them.
function fault(error) {
  console.warn("the hub could not answer:", error.message);
  return new Refused(SAYS.fault, error.extensions?.code);
}

// Asks again while the hub is out of reach, a few times; throws Refused for a user error.
export async function change(query, name, input, token) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const payload = (await ask(query, { input }, token))[name];
      const [error] = payload.userErrors;
      if (error) throw new Refused(error.message, error.code);
      return payload;
    } catch (error) {
      if (!(error instanceof OutOfReach) || attempt >= MUTATION_RETRIES_MS.length) throw error;
      await new Promise((go) => setTimeout(go, MUTATION_RETRIES_MS[attempt]));
    }
  }
}

// Opens the WebSocket. `onUp` runs at each (re)connection, `onDown` when it is lost.
export function openLink({ token, onUp, onDown }) {
  let pongTimer = 0;
  const client = createClient({
    url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${base}/graphql`,
    connectionParams: () => (token() ? { authorization: `Bearer ${token()}` } : {}),
    lazy: false,
    onNonLazyError: () => {},
    connectionAckWaitTimeout: ANSWER_WITHIN_MS,
    keepAlive: PING_EVERY_MS,
    retryAttempts: Infinity,
    shouldRetry: () => true,
    retryWait: waitBeforeRetry,
    on: {
      connected: onUp,
      closed: (event) => { clearTimeout(pongTimer); onDown(event); },
      ping: (received) => {
        if (!received) pongTimer = setTimeout(() => client.terminate(), PONG_WITHIN_MS);
      },
      pong: (received) => { if (received) clearTimeout(pongTimer); },
    },
  });
  return {
    // A hub that stops may end its streams in good order; the page asks again, for as long as it is open, or until what
    // this returns is called.
    follow(query, variables, take) {
      let tries = 0;
      let isOver = false;
      let end = () => {};
      const again = () => isOver || waitBeforeRetry((tries += 1)).then(() => isOver || begin());
      const next = ({ data }) => {
        tries = 0;
        if (data && !isOver) take(data);
      };
      const begin = () => { end = client.subscribe({ query, variables }, { next, error: again, complete: again }); };
      begin();
      return () => {
        isOver = true;
        end();
      };
    },
    // The same line under another name: after a check-in the hub learns who this is.
    renew: () => client.terminate(),
  };
}

// Full jitter, so that a room full of phones does not knock at once; cut short when the phone wakes or finds a network.
function waitBeforeRetry(attempt) {
  const longest = Math.min(SLOWEST_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt);
  return new Promise((go) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      document.removeEventListener("visibilitychange", woken);
      go();
    };
    const woken = () => document.hidden || done();
    const timer = setTimeout(done, 50 + Math.random() * longest);
    addEventListener("online", done);
    document.addEventListener("visibilitychange", woken);
  });
}
