// What happened in a venue, as one small line for each question.

import { ask } from "./api.js";
import { filled, iso, last } from "./calendar.js";
import { chart } from "./chart.js";
import { h, render } from "./dom.js";
import { FAIRNESS, fairnessCard } from "./fairness.js";
import { SONG } from "./operations.js";
import { attempt, shape, toned } from "./parts.js";
import { count, lasting } from "./say.js";
import { soundCard } from "./sound.js";

const SPANS = { day: ["Day", 24, "HOUR"], week: ["Week", 7, "DAY"], month: ["Month", 30, "DAY"], year: ["Year", 52, "WEEK"] };
const QUERY = `query Numbers($id: ID!, $range: DateTimeRange!, $bucket: AnalyticsBucket!) { venue(id: $id) { ${FAIRNESS} analytics(range: $range, bucket: $bucket) {
  plays uniqueSongs listeners likes dislikes planSeconds cacheSeconds series { at plays listeners likes dislikes axes { name value } } topSongs(first: 8) { plays song { ${SONG} } } } } }`;

export function tab(place, { id }) {
  let [span, told, venue, turn, asked] = ["week", null, null, 0, 0];

  async function look() {
    const mine = (turn += 1);
    asked = Date.now();
    const [, count, bucket] = SPANS[span];
    const time = last(count, bucket, venue.timeZone);
    const found = await attempt(() => ask(QUERY, { id, bucket, range: iso(time) }));
    if (!found?.venue || mine !== turn) return;
    told = { ...found.venue.analytics, zones: found.venue.zones, points: filled(found.venue.analytics.series, time), span };
    draw();
  }

  function draw() {
    const of = (name) => told.points.map((point) => [point.label, point[name]]);
    const alone = told ? told.planSeconds + told.cacheSeconds : 0;
    render(place,
      h("div", { class: "spans", role: "group", "aria-label": "Of which time" }, Object.entries(SPANS).map(([key, [text]]) =>
        h("button", { class: "pill toggle", type: "button", "aria-pressed": String(key === span), onclick: () => { span = key; draw(); look(); } }, text))),
      told && told.plays + told.listeners === 0 && h("p", { class: "quiet" }, "Nothing is known of this time. What a hub has not told yet is added when it does."),
      told && h("div", { class: "two" },
        h("div", { class: "stack" },
          h("section", { class: "card" }, chart("Songs played", of("plays"), { total: told.plays.toLocaleString("en"), unit: "songs", note: told.plays ? `${count(told.uniqueSongs, "different one")}.` : "" })),
          soundCard(of("axes")),
          h("section", { class: "card" }, chart("People who checked in", of("listeners"), { total: told.listeners.toLocaleString("en"), unit: "people" })),
          h("section", { class: "card" }, chart("Likes", of("likes"), { total: told.likes.toLocaleString("en"), unit: "likes" }))),
        h("div", { class: "stack" },
          told.topSongs.length > 0 && h("section", { class: "card before" }, h("h2", {}, "Played most"),
            h("ol", {}, told.topSongs.filter(({ song }) => song).map(({ song, plays }) => h("li", { key: song.id, class: "toned", style: toned(song.axes) }, shape(song.axes),
              h("span", { class: "names" }, h("span", {}, song.title), h("span", { class: "quiet" }, song.artist ?? "")), h("span", { class: "quiet" }, count(plays, "time")))))),
          fairnessCard(told.zones, venue.timeZone),
          h("section", { class: "card" }, h("h2", {}, "Without the hub"), h("p", {}, alone
            ? `${lasting(alone)} of music came from the players alone: ${lasting(told.planSeconds)} from their plans, ${lasting(told.cacheSeconds)} from their caches.`
            : "No player had to play alone.")))));
  }

  return {
    show(next) {
      venue = next;
      // Numbers grow with each play, but nobody reads them by the second.
      if (Date.now() - asked > 10_000) look();
      draw();
    },
  };
}
