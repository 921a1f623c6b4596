// The vibe over the day: what was heard in each hour, day or week, as the shape of its songs' mean.

import { AXES, numbers } from "/ui/curve.js";
import { mood } from "/ui/words.js";
import { h } from "./dom.js";
import { shape, toned } from "./parts.js";

// Points are [label, axes], in order; where nothing with a direction was heard there is no shape.
export function soundCard(points) {
  const heard = points.filter(([, axes]) => axes);
  if (heard.length === 0) return null;
  return h("section", { class: "card sound", key: "sound", "aria-labelledby": "sound-head" },
    h("h2", { id: "sound-head" }, "What it sounded like"),
    h("ol", { class: `sounds${points.length > 12 ? " many" : ""}` }, points.map(([label, axes]) => h("li", { key: label, class: "toned", style: toned(axes), title: axes ? `${label}: ${mood(numbers(axes))}` : null, hidden: !axes && points.length > 12 },
      axes ? shape(axes) : h("span", { class: "still", "aria-hidden": "true" }),
      h("span", { class: "quiet" }, label),
      h("span", { class: "unseen" }, axes ? mood(numbers(axes)) : "nothing heard")))),
    h("p", { class: "quiet" }, "The mean of the songs that were heard."));
}

// The mean of several venues' points, each as heavy as its plays.
export function together(points) {
  const told = points.filter((point) => point?.axes && point.plays);
  const plays = told.reduce((sum, point) => sum + point.plays, 0);
  if (plays === 0) return null;
  const mean = AXES.map((_, axis) => told.reduce((sum, point) => sum + numbers(point.axes)[axis] * point.plays, 0) / plays);
  return AXES.map((name, axis) => ({ name, value: mean[axis] }));
}
