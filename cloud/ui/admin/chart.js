// One small line for one question, drawn by hand and labelled at its end. No legend, no axis that nobody reads.

import { h } from "./dom.js";

const [WIDTH, HEIGHT] = [320, 72];
const TOP = 10;

// `points` are [label, value], in order; `unit` says one and many.
export function chart(question, points, { total, unit = "", note = "" }) {
  const most = Math.max(1, ...points.map(([, value]) => value));
  const at = points.map(([, value], place) => [
    points.length > 1 ? (place / (points.length - 1)) * WIDTH : WIDTH / 2,
    HEIGHT - (value / most) * (HEIGHT - TOP),
  ]);
  const line = at.map(([x, y], place) => `${place ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
  const peak = points.findIndex(([, value]) => value === most);
  const [first, last] = [points[0]?.[0] ?? "", points.at(-1)?.[0] ?? ""];
  const isFlat = points.every(([, value]) => value === 0);
  const sentence = isFlat ? `${question}: none` : `${question}: ${total} in all, most ${points[peak][1]} ${unit} on ${points[peak][0]}`;
  return h("figure", { class: "chart", key: question },
    h("figcaption", {}, h("span", {}, question), h("strong", {}, total)),
    h("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT + 4}`, role: "img", "aria-label": sentence, preserveAspectRatio: "none" },
      h("path", { class: "area", d: at.length ? `${line}L${at.at(-1)[0]} ${HEIGHT}L${at[0][0]} ${HEIGHT}Z` : "" }),
      h("path", { class: "line", d: line })),
    h("div", { class: "ends quiet" }, h("span", {}, first), !isFlat && h("span", {}, `most ${most.toLocaleString("en")} · ${points[peak][0]}`), h("span", {}, last)),
    note && h("p", { class: "quiet" }, note));
}
