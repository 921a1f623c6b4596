// The query page: what is written on one side is answered on the other.

import { paint } from "../cover.js";
import { numbers, portrait } from "../curve.js";
import { remember } from "../memory.js";
import { reducedMotion } from "../motion.js";
import { createAnswer } from "./answer.js";
import { createEditor } from "./editor.js";
import { follow, post } from "./run.js";
import { createSchema } from "./schema.js";
import { BLANKS, blanksIn, fill, operationAt, operations } from "./text.js";
import { operation, selected } from "./write.js";

const $ = (id) => document.getElementById(id);
const PAUSE_MS = 500;
const WELCOME = `# What this room hears. Ctrl+Enter runs it.
query NowPlaying {
  nowPlaying {
    song { title artist }
    positionMs
    explanation { reasons { code value } }
  }
}
`;

// Kept as long as the tab: a reload loses nothing, and nobody else finds a token.
const kept = {
  get(name) {
    try { return sessionStorage.getItem(`roomtone.query.${name}`); } catch { return null; }
  },
  set(name, value) {
    try { sessionStorage.setItem(`roomtone.query.${name}`, value); } catch { /* The page has it as long as it is open. */ }
  },
};

// What a QR code says, as on the listener page: the code leaves the address at once.
const code = new URLSearchParams(location.hash.slice(1)).get("code");
if (code) {
  remember("code", code.trim());
  history.replaceState(null, "", location.pathname);
}

let stop = null;
let pause = 0;

const query = createEditor("query", "graphql", () => kept.set("query", query.text));
const variables = createEditor("variables", "json", () => {
  kept.set("variables", variables.text);
  read(true);
  const blanks = blanksIn(variables.text).map((name) => BLANKS[name]);
  $("variables-help").hidden = !blanks.length;
  $("variables-help").textContent = `When it runs, ${blanks.join("; ")}.`;
});
const answer = createAnswer({ onPlace: ({ line, column }) => query.go(line, column) });
const written = (value) => JSON.stringify(value, null, 2);
const token = () => $("token").value.trim();
const send = (params, signal = new AbortController().signal) => post(params, token(), signal);
const ask = async (text) => {
  const { json } = await send({ query: text });
  if (!json?.data) throw new Error(json?.errors?.[0]?.message ?? "The hub does not answer.");
  return json.data;
};
const schema = createSchema({ post: send, onInsert: insert });


// The variables, or null with the reason beside them; who is still typing is not interrupted.
function read(typing) {
  const text = variables.text.trim();
  let value = {};
  let wrong = "";
  try {
    value = text ? JSON.parse(text) : {};
    if (value === null || typeof value !== "object" || Array.isArray(value)) wrong = "Variables are one object, such as {\"first\": 5}.";
  } catch (error) {
    wrong = `This is no JSON yet: ${error.message}`;
  }
  clearTimeout(pause);
  const tell = () => {
    $("variables-wrong").textContent = wrong;
    variables.area.setAttribute("aria-invalid", String(wrong !== ""));
  };
  if (wrong && typing) pause = setTimeout(tell, PAUSE_MS);
  else tell();
  return wrong ? null : value;
}

function running(how) {
  stop = how;
  $("run").classList.toggle("running", how !== null);
  $("run").lastElementChild.textContent = how ? "Stop" : "Run";
}

function halt(words) {
  if (!stop) return;
  stop();
  running(null);
  answer.draw();
  if (words) answer.say(words);
}

async function run() {
  halt();
  query.mark(0);
  $("query-wrong").textContent = "";
  const chosen = operationAt(query.text, query.area.selectionStart);
  const values = read();
  if (!chosen) $("query-wrong").textContent = "There is no query here yet. Take an example, or write one from the schema.";
  if (!chosen) return query.area.focus();
  if (!values) return variables.area.focus();
  const given = new AbortController();
  running(() => given.abort());
  choose("answer");
  answer.asking();
  show();
  try {
    const params = { query: query.text, variables: await fill(values, ask) };
    if (chosen.name) params.operationName = chosen.name;
    if (given.signal.aborted) return undefined;
    if (chosen.kind === "subscription") return listen(params);
    const came = await send(params, given.signal);
    answer.one(came);
    point(came.json?.errors);
    settle(came.json?.data);
    running(null);
  } catch (error) {
    if (given.signal.aborted) return undefined;
    const gone = error instanceof TypeError || error.name === "TimeoutError";
    answer.failed(gone ? "The hub does not answer. Is it still running?" : error.message);
    running(null);
  }
  return undefined;
}

// Where the answer stands below, it is brought into sight.
function show() {
  const { top } = $("answer").getBoundingClientRect();
  if (top > innerHeight * 0.7) $("tab-answer").scrollIntoView({ block: "start", behavior: reducedMotion() ? "auto" : "smooth" });
}

function listen(params) {
  answer.say("Waiting for the first event \u2026");
  running(follow(params, token(), {
    next: (value) => answer.event(value),
    fault(errors) {
      answer.refused(errors);
      point(errors);
      halt();
    },
    done() {
      halt(`The subscription has ended after ${answer.count} events.`);
    },
    told: () => answer.say("The line to the hub is lost; trying again \u2026"),
  }));
}

function point(errors) {
  const at = errors?.find(({ locations }) => locations?.length)?.locations[0];
  if (at) query.mark(at.line);
}

// Whoever has checked in here goes on as that listener.
function settle(data) {
  const fresh = Object.values(data ?? {}).find((payload) => payload?.session && payload.token)?.token;
  if (fresh) setToken(fresh, "that of your check-in, from now on");
}

function setToken(value, words) {
  $("token").value = value;
  kept.set("token", value);
  $("token-help").textContent = words ?? "whoever asks; kept in this tab only";
}

// From the schema: a whole operation after what is there, or a field where the caret is.
function insert(types, root, field) {
  if (!root) {
    const { area } = query;
    const indent = /[^\n]*$/.exec(area.value.slice(0, area.selectionStart))[0].match(/^ */)[0];
    query.type(selected(types, field).replace(/\n/g, `\n${indent}`));
    return;
  }
  const { text, variables: more } = operation(types, root, field, operations(query.text).map(({ name }) => name));
  const before = query.text.trimEnd();
  query.area.focus();
  query.area.setSelectionRange(before.length, query.text.length);
  query.type(`${before && "\n\n"}${text}`);
  const line = before ? before.split("\n").length + 2 : 1;
  query.go(line);
  if (Object.keys(more).length) variables.text = written({ ...read(), ...more });
}

function choose(name, focus) {
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const chosen = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    $(tab.getAttribute("aria-controls")).hidden = !chosen;
    if (chosen && focus) tab.focus();
  }
  if (name === "schema") schema.open();
}

function tabKeys(event) {
  const tabs = [...event.currentTarget.children];
  const at = tabs.indexOf(document.activeElement);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  choose(tabs.at(to % tabs.length).getAttribute("aria-controls"), true);
}

function take(example) {
  halt("Stopped.");
  query.rewrite(example.query);
  query.go(1);
  variables.text = Object.keys(example.variables ?? {}).length ? written(example.variables) : "";
  scrollTo({ top: 0 });
}

const NEEDS = { listener: "as a listener", player: "with a player\u2019s token" };

async function showExamples() {
  const examples = await (await fetch(new URL("examples.json", import.meta.url))).json();
  $("list").replaceChildren(...examples.map((example) => {
    const row = document.createElement("li");
    const button = document.createElement("button");
    const title = document.createElement("b");
    const about = document.createElement("span");
    button.type = "button";
    about.className = "quiet";
    title.textContent = example.title;
    about.textContent = [example.about, NEEDS[example.as] && `Asked ${NEEDS[example.as]}.`].filter(Boolean).join(" ");
    button.append(title, about);
    button.addEventListener("click", () => take(example));
    row.append(button);
    return row;
  }));
}

// The page wears the colours of what plays.
async function dress() {
  const { venue, nowPlaying } = await ask("{ venue { name } nowPlaying { song { axes { name value } } } }");
  $("where").textContent = venue.name;
  const values = numbers(nowPlaying?.song.axes);
  $("shape").setAttribute("d", portrait(values));
  if (!nowPlaying) return;
  paint(document.documentElement, values);
  paint(document.documentElement, values, "-next");
}

// Colours that have arrived may move; until then they are simply there.
function settled() {
  void document.documentElement.offsetWidth;
  document.documentElement.classList.remove("arriving");
}

$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  if (stop) halt("Stopped.");
  else run();
});
addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    run();
  } else if (event.key === "Escape") {
    halt("Stopped.");
  }
});
$("token").addEventListener("input", () => {
  kept.set("token", token());
  setToken($("token").value);
  schema.renew();
});
$("show").addEventListener("click", () => {
  const open = $("token").type === "password";
  $("token").type = open ? "text" : "password";
  $("show").textContent = open ? "Hide" : "Show";
  $("show").setAttribute("aria-pressed", String(open));
});
$("copy").addEventListener("click", () => answer.copy());
document.querySelector("[role=tablist]").addEventListener("keydown", tabKeys);
for (const tab of document.querySelectorAll("[role=tab]")) {
  tab.addEventListener("click", () => choose(tab.getAttribute("aria-controls")));
}

document.documentElement.classList.add("arriving");
query.text = kept.get("query") ?? WELCOME;
variables.text = kept.get("variables") ?? "";
$("token").value = kept.get("token") ?? "";
query.area.setSelectionRange(0, 0);
showExamples();
dress().catch(() => answer.say("The hub does not answer yet.")).finally(settled);
