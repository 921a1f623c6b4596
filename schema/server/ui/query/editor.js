// A textarea over its own text in colour, with line numbers. What it can do a plain textarea can: undo, selection,
// spelling aids and screen readers are the browser's.

import { colour } from "./colour.js";

export function createEditor(id, language, onChange) {
  const area = document.getElementById(id);
  const under = area.previousElementSibling;
  const numbers = area.closest(".code").firstElementChild;
  let marked = 0;

  function show() {
    // A last empty line has a height only where something stands in it.
    colour(under, `${area.value}\n`, language);
    const lines = Array.from({ length: area.value.split("\n").length }, (_, at) => at + 1);
    numbers.replaceChildren(...lines.flatMap((line) => {
      const number = document.createElement(line === marked ? "b" : "span");
      number.textContent = line;
      return [number, "\n"];
    }));
  }

  // By the browser's own command, so that it can be undone.
  function type(text) {
    area.focus();
    if (text === "" || !document.execCommand("insertText", false, text)) {
      area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
      area.dispatchEvent(new Event("input"));
    }
  }

  // The new line begins where the old one did, and deeper after a bracket.
  function breakLine() {
    const before = area.value.slice(0, area.selectionStart);
    const indent = /[^\n]*$/.exec(before)[0].match(/^ */)[0];
    const opens = /[{([]\s*$/.test(before);
    const closes = /^[ ]*[})\]]/.test(area.value.slice(area.selectionEnd));
    type(`\n${indent}${opens ? "  " : ""}`);
    if (!opens || !closes) return;
    const at = area.selectionStart;
    type(`\n${indent}`);
    area.setSelectionRange(at, at);
  }

  area.addEventListener("input", () => { marked = 0; show(); onChange?.(); });
  area.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    event.preventDefault();
    breakLine();
  });

  return {
    area,
    type,
    get text() { return area.value; },
    set text(text) {
      area.value = text;
      marked = 0;
      show();
      onChange?.();
    },
    // Replaces everything in a way that can be undone.
    rewrite(text) {
      area.focus();
      area.select();
      type(text);
    },
    mark(line) {
      marked = line;
      show();
    },
    go(line, column = 1) {
      const at = area.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0) + column - 1;
      area.focus();
      area.setSelectionRange(at, at);
    },
  };
}
