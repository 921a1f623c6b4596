// A plain question; the name where one is asked for.

const $ = (id) => document.getElementById(id);

export function question(title, text, yes, no, name) {
  const box = $("question");
  $("question-title").textContent = title;
  $("question-text").textContent = text;
  $("question-yes").textContent = yes;
  $("question-no").textContent = no;
  $("question-label").hidden = name === undefined;
  $("question-field").required = name !== undefined;
  $("question-field").value = name ?? "";
  box.returnValue = "no";
  box.showModal();
  if (name !== undefined) $("question-field").select();
  else $("question-no").focus();
  return new Promise((done) => {
    box.addEventListener("close", () => done(box.returnValue === "yes" ? $("question-field").value.trim() || true : false), { once: true });
  });
}
