// One song: its shape, what is known of it, where it plays. What is changed is saved at once and can be undone.

import { AXES, numbers } from "/ui/curve.js";
import { AXIS_NAMES, minutes, mood } from "/ui/words.js";
import { ask, change } from "./api.js";
import { h, render } from "./dom.js";
import { FULL_SONG } from "./operations.js";
import { attempt, button, field, form, input, named, notice, panel, select, toned } from "./parts.js";
import { EXPLICIT, SONG_KINDS, SONG_STATES, size } from "./say.js";

const POLES = [["calm", "lively"], ["warm", "bright"], ["slow", "brisk"], ["textured", "melodic"], ["airy", "busy"]];
const LISTEN = "query($id: ID!) { song(id: $id) { downloadUrl } }";
const TEXTS = [["title", "Title"], ["artist", "Artist"], ["album", "Album"], ["label", "Label"], ["isrc", "ISRC"], ["key", "Key"], ["bpm", "Beats per minute"]];

export function edit(song, { canDo, venue, assign, unassign, withdraw, restore, look, places }) {
  const body = h("div", { class: "song-panel" });
  const dialog = panel(song.title, body);
  dialog.classList.add("wide");
  let now = song;

  async function save(name, value, form) {
    const before = name === "embedding" ? now.axes && numbers(now.axes) : now[name];
    const set = async (to) => {
      ({ song: now } = await change("updateSong", { id: song.id, [name]: to }, `song { ${FULL_SONG} }`));
      draw();
      look();
    };
    await set(value);
    const label = name === "embedding" ? "Shape" : TEXTS.find(([key]) => key === name)?.[1] ?? (name === "kind" ? "Kind" : "Words");
    // What was not there before cannot be made not there: the field says so by staying.
    notice(`${label} of ${now.title} saved.`, before !== null && before !== undefined && before !== "" && (() => set(before)));
    form?.querySelectorAll(".wrong").forEach((place) => { place.textContent = ""; });
  }

  const text = ([name, label]) => {
    const about = { value: now[name] ?? "", maxlength: 300, spellcheck: "false", disabled: !canDo, inputmode: name === "bpm" ? "numeric" : null };
    const isOwn = now.ownValues.includes(name.toUpperCase());
    const work = ({ [name]: value }, _, at) => {
      const given = value.trim();
      if (given === String(now[name] ?? "") || (given === "" && now[name] === null)) return undefined;
      return save(name, name === "bpm" ? Math.round(Number(given)) || 0 : given, at);
    };
    const at = form({ key: name, class: "one" }, work, field(label, input(name, about), isOwn ? "Yours; the analysis leaves it alone." : ""));
    at.onchange = (event) => event.currentTarget.requestSubmit();
    return at;
  };

  function axis(name, n) {
    const id = `axis-${name}`;
    const values = now.axes ? numbers(now.axes) : [0, 0, 0, 0, 0];
    const moved = (event) => values.map((value, at) => (at === n ? Number(event.target.value) : value));
    return h("div", { class: "axis", key: name }, h("label", { for: id }, AXIS_NAMES[n]),
      h("span", { class: "quiet" }, POLES[n][0]),
      h("input", { id, type: "range", min: "-1", max: "1", step: "0.05", value: values[n].toFixed(2), disabled: !canDo,
        oninput: (event) => { const next = moved(event); body.querySelector(".figure").replaceChildren(named(AXES.map((axis, at) => ({ name: axis, value: next[at] })))); },
        onchange: (event) => attempt(() => save("embedding", moved(event))) }),
      h("span", { class: "quiet" }, POLES[n][1]));
  }

  async function listen(event) {
    const at = event.currentTarget;
    const found = await attempt(() => ask(LISTEN, { id: song.id }));
    if (!found?.song?.downloadUrl) return;
    const audio = h("audio", { controls: true, src: found.song.downloadUrl, "data-own": "", key: "audio" });
    at.replaceWith(audio);
    audio.play().catch(() => notice("This browser cannot play the file."));
  }

  const close = (work) => () => { dialog.close(); work(); };

  function draw() {
    dialog.querySelector("h2").textContent = now.title;
    const values = now.axes && numbers(now.axes);
    const facts = [now.durationMs && minutes(now.durationMs), now.loudnessLufs != null && `${now.loudnessLufs.toFixed(1)} LUFS`, now.contentType.replace("audio/", "").toUpperCase(), size(now.bytes)].filter(Boolean).join(" · ");
    render(body,
      h("div", { class: "song-shape toned", style: toned(now.axes), key: "shape" },
        h("div", { class: "figure" }, named(now.axes)),
        h("p", {}, values ? `It sounds ${mood(values)}.` : now.failure ?? SONG_STATES[now.status] ?? "Nothing is known about its sound."),
        h("p", { class: "quiet" }, facts),
        canDo && h("p", { class: "buttons center" }, button("Listen", listen)),
        h("details", { key: "axes" }, h("summary", {}, "Correct its shape"), AXES.map(axis))),
      h("div", { class: "stack", key: "values" },
        h("div", { class: "pairs" }, TEXTS.map(text)),
        h("div", { class: "pairs" },
          field("Kind", select("kind", SONG_KINDS, now.kind ?? "", { id: "song-kind", disabled: !canDo, onchange: (event) => event.target.value && attempt(() => save("kind", event.target.value)) })),
          field("Its words", select("explicit", EXPLICIT, now.explicit, { id: "song-explicit", disabled: !canDo, onchange: (event) => attempt(() => save("explicit", event.target.value)) }))),
        h("h3", {}, "Where it plays"),
        now.venues.length === 0 && h("p", { class: "quiet" }, "Nowhere yet."),
        h("div", { class: "choices" }, places().map((place) => h("label", { class: "choice", key: place.id },
          h("input", { type: "checkbox", disabled: !canDo, checked: now.venues.some(({ id }) => id === place.id), onchange: async (event) => {
            const isWanted = event.target.checked;
            await (isWanted ? assign([now], [place.id]) : unassign([now], place));
            const venues = now.venues.filter(({ id }) => id !== place.id);
            now = { ...now, venues: isWanted ? [...venues, place] : venues };
            draw();
          } }), place.name))),
        canDo && h("p", { class: "buttons end" }, now.status === "WITHDRAWN"
          ? button("Bring it back", close(() => restore([now])), { class: "pill solid" })
          : button("Withdraw from the catalogue", close(() => withdraw([now]))))));
  }
  draw();
}
