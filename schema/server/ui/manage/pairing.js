// The window in which a player may join: its code, how long it is good, and who has come.

const $ = (id) => document.getElementById(id);
let shown = "";
let opened = false;

export function show(told) {
  const { pairing, paired, zones } = told;
  fillZones(zones);
  $("ask").hidden = Boolean(pairing);
  $("window").hidden = !pairing;
  if (pairing) {
    opened = true;
    fill(pairing);
  }
  const came = !pairing && paired && opened;
  $("paired").hidden = !came;
  if (came) $("paired").textContent = `${paired.name} has been paired and plays in the zone ${paired.zone}.`;
}

function fillZones(zones) {
  $("pair-where").hidden = zones.length < 2;
  const select = $("pair-zone");
  if (select.options.length === zones.length) return;
  select.replaceChildren(...zones.map((zone) => new Option(zone, zone)));
}

function fill(pairing) {
  $("meant").textContent = pairing.name ? ` ${pairing.name}` : "";
  const good = pairing.digits_for_s > 0 && pairing.tries_left > 0;
  $("digits").textContent = good ? pairing.digits : "– – – –";
  $("digits").classList.toggle("over", !good);
  $("left").textContent = good
    ? `The digits are good for ${countdown(pairing.digits_for_s)}`
    : `The digits are used up; the whole code is good for ${countdown(pairing.code_for_s)}`;
  const tried = 5 - pairing.tries_left;
  $("tries").textContent = good && tried > 0 ? ` · tried ${tried} times, ${pairing.tries_left} left` : "";
  if (shown === pairing.uri) return;
  shown = pairing.uri;
  $("uri").textContent = pairing.uri;
  $("picture").src = `data:image/svg+xml,${encodeURIComponent(pairing.picture)}`;
}

function countdown(seconds) {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
