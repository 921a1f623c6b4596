// One venue: its name, what it needs, and the parts of it.

import { h, icon, render } from "./dom.js";
import { isAdmin, live } from "./frame.js";
import { HUB, PLAYER, ROOM, SETTINGS } from "./operations.js";
import { empty, toned } from "./parts.js";
import { KINDS, may, standing } from "./say.js";

const QUERY = `query Venue($id: ID!) { venue(id: $id) { id name slug kind timeZone penaltyHours crossfadeMs archivedAt guestCode viewerRole songCount activeListeners
  organisation { id name } licence { showUpNext skipsPerHour performanceComplement } zones { id name archivedAt ${SETTINGS} ${ROOM} } hubs { ${HUB} } players { ${PLAYER} }
  members { role since user { id email displayName } } } }`;

const TABS = [
  ["now", "Now", "VIEWER", () => import("./venue-now.js")],
  ["hubs", "Hubs and players", "VIEWER", () => import("./venue-hubs.js")],
  ["songs", "Songs", "VIEWER", () => import("./songs.js")],
  ["numbers", "Numbers", "VIEWER", () => import("./venue-numbers.js")],
  ["reports", "Reports", "MANAGER", () => import("./venue-reports.js")],
  ["members", "Members", "VIEWER", () => import("./venue-members.js")],
  ["week", "Week", "VIEWER", () => import("./venue-week.js")],
  ["settings", "Settings", "VIEWER", () => import("./venue-settings.js")],
  ["log", "Log", "MANAGER", () => import("./venue-log.js")],
];

// The music colours the page, as it does the listeners'.
function colour(song) {
  const { style } = document.documentElement;
  for (const [name, value] of Object.entries(song ? toned(song.axes) : { "--hue": "", "--chroma": "" })) style.setProperty(name, value);
}

export function open(root, { venue: id, tab: wanted = "now" }) {
  const [tab, , , load] = TABS.find(([name]) => name === wanted) ?? TABS[0];
  let [part, over, known] = [null, false, null];

  const { look, stop } = live(QUERY, { variables: () => ({ id }), venues: () => [id], show: take });
  load().then((module) => { part = { module, open: null }; fill(); });

  function take({ venue }) {
    known = venue;
    if (!venue) {
      document.title = "No such venue – Roomtone";
      return render(root, empty("There is no such venue", "Or it is not yours any more.", h("a", { class: "pill solid", href: "/admin" }, "All venues")));
    }
    return fill();
  }

  function fill() {
    if (over || !known || !part) return;
    const at = standing(known);
    const role = (needed) => may(known.viewerRole, needed, isAdmin());
    document.title = `${known.name} – Roomtone`;
    const { song } = at;
    colour(song);
    render(root,
      h("div", { class: "venue-head" },
        h("a", { class: "pill plain back", href: "/admin" }, icon("back"), h("span", {}, "Venues")),
        h("div", {}, h("h1", {}, known.name), h("p", { class: "sub" }, [KINDS[known.kind], known.organisation?.name !== known.name && known.organisation?.name].filter(Boolean).join(" · ")))),
      known.archivedAt && h("p", { class: "alarm calm" }, "This venue was put away. Nothing is lost, and its hubs play on."),
      h("nav", { class: "tabs", "aria-label": `Parts of ${known.name}` },
        TABS.filter(([, , needed]) => role(needed)).map(([name, text]) => h("a", { href: `/admin/venues/${id}/${name}`, "aria-current": name === tab ? "page" : null }, text))),
      h("div", { class: "tab toned", key: tab, "data-own": "", style: song ? toned(song.axes) : {} }));
    part.open ??= part.module.tab(root.querySelector(".tab"), { id, look, role });
    part.open.show(known, at);
    root.querySelector('.tabs [aria-current="page"]')?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  return () => { over = true; colour(null); stop(); part?.open?.stop?.(); };
}
