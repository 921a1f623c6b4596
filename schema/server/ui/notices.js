// Calm sentences over the stage: some stay while something lasts, some go by themselves.

import { animate } from "./motion.js";

const READ_MS = 7000;

export function createNotices() {
  const place = document.getElementById("notices");
  const shown = new Map();

  function hide(kind) {
    const notice = shown.get(kind);
    if (!notice) return;
    shown.delete(kind);
    clearTimeout(notice.timer);
    const fade = animate(notice.element, { opacity: [1, 0] }, { duration: 400, fill: "forwards" });
    if (fade) fade.onfinish = () => notice.element.remove();
    else notice.element.remove();
  }

  function show(kind, sentence, { lasting = false } = {}) {
    const held = shown.get(kind);
    if (held?.element.textContent === sentence && lasting) return;
    if (held) {
      shown.delete(kind);
      clearTimeout(held.timer);
      held.element.remove();
    }
    const element = document.createElement("p");
    element.className = "notice";
    element.textContent = sentence;
    place.append(element);
    animate(element, { opacity: [0, 1], transform: ["translateY(-8px)", "none"] }, { duration: 500 });
    shown.set(kind, { element, timer: lasting ? 0 : setTimeout(() => hide(kind), READ_MS) });
  }

  return { show, hide };
}
