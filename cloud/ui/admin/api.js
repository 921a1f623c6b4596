// Asking the cloud: questions and changes by POST, news over one WebSocket. Whatever changes anything carries a key of
// its own, so that asking twice does it once.

import { OutOfReach, Refused, openLink } from "/ui/link.js";
import { sentence } from "/ui/words.js";
import { newKey } from "/ui/memory.js";
import { No } from "./gotrue.js";
import { leave, renew, token } from "./session.js";

const ANSWER_WITHIN_MS = 15_000;
const TRY_AGAIN_MS = [400, 1200, 3000];
const PATIENCE_MS = 2500;
const TOKEN_OVER = [4401, 4403];

export { OutOfReach, Refused };

// Asks once; once more with a fresh token where the old one is over.
export async function ask(query, variables = {}) {
  const answer = await post(query, variables);
  if (!isSignedOut(answer)) return read(answer);
  if (!(await renew())) throw leave("over");
  const again = await post(query, variables);
  if (isSignedOut(again)) throw leave("over");
  return read(again);
}

const isSignedOut = ({ errors }) => errors?.some(({ extensions }) => extensions?.code === "UNAUTHENTICATED");

function read({ data, errors }) {
  if (!errors?.length) return data;
  const [{ message, extensions }] = errors;
  if (extensions?.code === "TIMEOUT") throw new OutOfReach(message);
  console.warn("the cloud could not answer:", message);
  throw new Refused(extensions?.code ? message : "that did not work at the cloud; try again in a moment", extensions?.code);
}

async function post(query, variables) {
  try {
    const response = await fetch("/graphql", {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json", authorization: `Bearer ${await token()}` },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      credentials: "same-origin",
    });
    return await response.json();
  } catch (error) {
    throw new OutOfReach(String(error));
  }
}

// What a change asks back of its payload, beside its refusals.
const mutation = (name, selection) => {
  const type = `${name[0].toUpperCase()}${name.slice(1)}Input`;
  return `mutation($input: ${type}!) { ${name}(input: $input) { ${selection} userErrors { code field message } } }`;
};

// One intent. A refusal names its field, so that a form can say it there.
export async function change(name, input, selection = "", key = newKey()) {
  const variables = { input: { idempotencyKey: key, ...input } };
  for (let attempt = 0; ; attempt += 1) {
    try {
      const payload = (await ask(mutation(name, selection), variables))[name];
      const [error] = payload.userErrors;
      if (error) throw Object.assign(new Refused(error.message, error.code), { field: error.field?.at(-1) });
      return payload;
    } catch (error) {
      if (!(error instanceof OutOfReach) || attempt >= TRY_AGAIN_MS.length) throw error;
      await new Promise((go) => setTimeout(go, TRY_AGAIN_MS[attempt]));
    }
  }
}

// The words for whatever went wrong.
export const words = (error) => error instanceof Refused || error instanceof No ? sentence(error.message)
  : error instanceof OutOfReach ? "The cloud does not answer, so nothing was changed. Try again in a moment."
  : "That did not work. Try again in a moment.";

let link = null;
let known = null;
const ups = new Set();
const states = new Set();

// Opens the line; each time that it is up again, whoever wants to know asks anew.
export async function open() {
  known = await token();
  let patience = 0;
  const say = (isUp) => states.forEach((told) => told(isUp));
  link = openLink({
    token: () => known,
    onUp() {
      clearTimeout(patience);
      patience = 0;
      say(true);
      ups.forEach((up) => up());
    },
    async onDown({ code }) {
      if (!patience) patience = setTimeout(() => say(false), PATIENCE_MS);
      if (TOKEN_OVER.includes(code) && !(await renew())) return leave("over");
      known = await token();
      return undefined;
    },
  });
}

export const isOpen = () => link !== null;
export const onState = (told) => states.add(told);

// Runs whenever the line comes up, until what is returned is called.
export function onUp(up) {
  ups.add(up);
  return () => ups.delete(up);
}

export const follow = (query, variables, take) => link.follow(query, variables, take);
