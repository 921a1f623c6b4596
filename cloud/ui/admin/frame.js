// The frame around every view: where somebody is on the page, and what keeps a view up to date.

import * as api from "./api.js";
import { h, icon, render } from "./dom.js";
import { attempt, shape } from "./parts.js";
import * as session from "./session.js";
import * as tray from "./tray.js";

const desk = document.getElementById("desk");

// Places on the page. A view is loaded when somebody goes there for the first time.
const PLACES = [
  [/^\/admin\/?$/, () => import("./fleet.js"), "Venues"],
  [/^\/admin\/songs$/, () => import("./songs.js"), "Songs"],
  [/^\/admin\/venues\/(?<venue>[\w-]+)(?:\/(?<tab>\w+))?$/, () => import("./venue.js"), "Venues"],
];

let viewer = null;
let online = true;
let leaveView = () => {};
let visit = 0;

export const me = () => viewer;
export const isAdmin = () => viewer?.roles.includes("ADMIN") ?? false;

function frame(current) {
  const link = (href, text) => h("a", { class: "pill plain", href, "aria-current": text === current ? "page" : null }, text);
  render(desk,
    h("header", { class: "top" },
      h("a", { class: "brand", href: "/admin", "aria-label": "Roomtone: all venues" }, shape([{ name: "ENERGY", value: 0.4 }, { name: "TEMPO", value: -0.3 }, { name: "DENSITY", value: 0.5 }]), h("span", {}, "Roomtone")),
      h("nav", { "aria-label": "Main" }, link("/admin", "Venues"), link("/admin/songs", "Songs")),
      h("span", { class: "who quiet" }, viewer?.displayName ?? viewer?.email ?? ""),
      h("button", { class: "pill plain", type: "button", "aria-label": "Sign out", title: "Sign out", onclick: () => session.leave() }, icon("leave"))),
    h("p", { class: "alarm", role: "alert", hidden: online }, "The cloud does not answer. Music goes on in every venue; this page comes back by itself."),
    h("main", { id: "main", tabindex: "-1", "data-own": "", key: "main" }));
  return document.getElementById("main");
}

const placeOf = (path) => PLACES.find(([pattern]) => pattern.test(path)) ?? PLACES[0];

// Fetches the view that will be shown, while it is still being found out who asks.
export const fetchView = () => placeOf(location.pathname)[1]();

// Shows where the address says we are.
export async function show({ moved = false } = {}) {
  const turn = (visit += 1);
  const [pattern, load, current] = placeOf(location.pathname);
  const params = pattern.exec(location.pathname)?.groups ?? {};
  const view = await load();
  if (turn !== visit) return;
  leaveView();
  const main = frame(current);
  const place = h("div", { class: "view" });
  main.replaceChildren(place);
  if (moved) {
    tray.settle();
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
  leaveView = view.open(place, params) ?? (() => {});
}

export function go(path) {
  if (path !== location.pathname) history.pushState(null, "", path);
  show({ moved: true });
}

// Links within the page change the place, not the document.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.defaultPrevented;
  if (!link || !isPlain || link.target || link.hasAttribute("download") || link.origin !== location.origin || !link.pathname.startsWith("/admin") || link.hash) return;
  event.preventDefault();
  document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
  go(link.pathname);
});
addEventListener("popstate", () => viewer && show({ moved: true }));

// Everything that a view shows is asked for at once, again when something changed, and now and then for what only time
// changes.
const NOW_AND_THEN_MS = 30_000;
// What changes in bursts, as songs that are skipped do, is looked at so often and no more.
const PAUSE_MS = 2000;
export function live(query, { variables = () => ({}), venues = () => [], show: take, gone = () => {} }) {
  let [asking, next, over, looked, soon] = [null, null, false, -PAUSE_MS, 0];
  // One question at a time. Whoever wants to know meanwhile waits for one that was asked after that.
  function look() {
    if (!asking) asking = once().finally(() => { asking = null; });
    else next ??= asking.then(() => { next = null; return over ? undefined : look(); });
    return next ?? asking;
  }
  function hear() {
    soon ||= setTimeout(() => { soon = 0; look(); }, Math.max(0, looked + PAUSE_MS - performance.now()));
  }
  async function once() {
    looked = performance.now();
    const found = await attempt(() => api.ask(query, variables()));
    if (!over && found !== undefined) await take(found);
  }
  const unfollow = api.follow("subscription($venues: [ID!]!) { fleetStatus(venueIds: $venues) { id } }", { venues: venues() }, hear);
  const offUp = api.onUp(look);
  const timer = setInterval(() => document.hidden || look(), NOW_AND_THEN_MS);
  look();
  return {
    look,
    stop() { over = true; unfollow(); offUp(); clearInterval(timer); clearTimeout(soon); gone(); },
  };
}

// Learns who is here, and which catalogues are theirs.
export async function meet() {
  ({ viewer } = await api.ask("{ viewer { id email displayName roles organisations { id name } } }"));
  if (viewer && api.isOpen()) tray.begin(viewer.organisations);
  return viewer;
}

api.onState((isUp) => {
  if (online === isUp) return;
  online = isUp;
  if (viewer) desk.querySelector(":scope > .alarm").hidden = isUp;
});

