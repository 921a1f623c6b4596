// The way in for whoever runs the venue. The page is asked for with the token and put in the place of this one: no
// cookie, so nothing is sent that a script of ours did not mean to send, and no other port of this machine gets it.

const KEPT = "roomtone.query.token";
const $ = (id) => document.getElementById(id);

const stored = () => { try { return sessionStorage.getItem(KEPT); } catch { return null; } };
function store(token) {
  try { sessionStorage.setItem(KEPT, token); } catch { /* It has to be typed again after a reload. */ }
}

async function enter(token) {
  const answer = await fetch(location.pathname, { headers: { authorization: `Bearer ${token}` }, cache: "no-store" });
  if (!answer.ok) return false;
  store(token);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.title = page.title;
  const loaded = [...page.head.querySelectorAll("link[rel=stylesheet]")]
    .filter((link) => !document.querySelector(`link[href="${link.getAttribute("href")}"]`))
    .map((link) => new Promise((done) => {
      const copy = document.importNode(link);
      copy.onload = copy.onerror = done;
      document.head.append(copy);
    }));
  await Promise.all(loaded);
  // Another page's looks are its own.
  for (const link of document.querySelectorAll("link[rel=stylesheet]")) {
    if (!page.head.querySelector(`link[href="${link.getAttribute("href")}"]`)) link.remove();
  }
  document.body.replaceWith(document.adoptNode(page.body));
  for (const { src } of page.head.querySelectorAll("script[type=module]")) await import(src);
  return true;
}

async function knock(token, refusal) {
  $("why").textContent = "";
  try {
    if (await enter(token)) return;
    $("why").textContent = refusal;
  } catch {
    $("why").textContent = "The hub does not answer. Is it still running?";
  }
  $("token").setAttribute("aria-invalid", "true");
  $("token").focus();
}

$("door").addEventListener("submit", (event) => {
  event.preventDefault();
  knock($("token").value.trim(), "This is not the manager\u2019s token, or a newer one was made since.");
});
if (stored()) knock(stored(), "The token of before is no longer good; a newer one was made since.");
