// The poster: looks at what is on it, and notes the address that goes to the printer.

import { Refused, ask } from "./ask.js";
import { question } from "./question.js";

const $ = (id) => document.getElementById(id);

function show(told) {
  $("choice").hidden = $("sheet").hidden = false;
  $("moved").hidden = !told.printed || told.printed === told.address;
  $("moved").textContent = `The poster that was printed last says http://${told.printed}/, but this hub is at ${told.shown_url} now: phones that scan it find nobody. Hang up a new one, or give the machine its old address.`;
  $("here").hidden = !told.only_here;
  $("screen").hidden = !told.needs_screen_code;
  $("which").hidden = told.zones.length < 2;
  if ($("zone").options.length !== told.zones.length) $("zone").replaceChildren(...told.zones.map((name) => new Option(name, name)));
  $("zone").value = told.zone;
  $("venue").textContent = told.venue;
  $("of-zone").textContent = told.zones.length > 1 ? told.zone : "";
  $("picture").src = `data:image/svg+xml,${encodeURIComponent(told.picture)}`;
  $("url").textContent = told.shown_url.replace(/\/$/, "");
  $("code-part").hidden = told.needs_screen_code;
  $("code").textContent = told.code;
  document.title = `Poster of ${told.venue} – Roomtone`;
}

async function look(method = "GET") {
  const zone = new URLSearchParams(location.search).get("zone");
  try {
    show(await ask(`/poster${zone ? `?zone=${encodeURIComponent(zone)}` : ""}`, undefined, method));
    $("why").textContent = "";
    return true;
  } catch (error) {
    if (error instanceof Refused && error.status === 401) location.replace("/manage#more");
    $("why").textContent = error instanceof Refused ? error.message : "The hub does not answer. Is it still running?";
    return false;
  }
}

$("zone").addEventListener("change", () => {
  history.replaceState(null, "", `?zone=${encodeURIComponent($("zone").value)}`);
  look();
});
for (const size of document.querySelectorAll("[name=size]")) {
  size.addEventListener("change", () => { $("a6").media = size.value === "a6" ? "all" : "not all"; });
}
$("choice").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!(await look("POST"))) return;
  $("said").textContent = "The hub has noted this address, and says so should it ever have another.";
  print();
});

$("renew").addEventListener("click", async () => {
  const text = "The room gets another code. Posters that hang open nothing any more, in all zones; who is checked in stays. This cannot be taken back: hang up new ones.";
  if (!(await question("Make old posters void?", text, "Make them void", "Keep them"))) return;
  if (await look("DELETE")) $("said").textContent = "The code is a new one. Print it now.";
});

look();
