// How the people of each zone fare, now and by day: a mean alone hides who is left out.

const dayName = (date) => new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" }).format(new Date(`${date}T00:00:00Z`));

// From -1 to 1 as a part of a hundred; what is against a taste is below nothing.
export const hundredths = (value) => String(Math.round(100 * value)).replace("-", "\u2212");

const songs = (n) => (n === 1 ? "1 song" : `${n} songs`);

/// The figures of a zone in one line.
export function inWords({ setting, now, days }) {
  const fares = now ?? days[0];
  const who = now ? "Who is heard now" : `Who was heard on ${dayName(fares.date)}`;
  return `${who}: satisfied ${hundredths(fares.mean)} of 100, least so ${hundredths(fares.worst)}, longest drought ${songs(fares.longest_drought)}. Fairness is ${hundredths(setting)}.`;
}

function cell(tag, text, more = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  if (tag === "th") element.scope = "row";
  if (more) {
    const quiet = document.createElement("span");
    quiet.className = "quiet";
    quiet.textContent = more;
    element.append(quiet);
  }
  return element;
}

function row(name, told) {
  const line = document.createElement("tr");
  const share = told.worst_of_mean === null ? "" : `${hundredths(told.worst_of_mean)} % of it`;
  line.append(cell("th", name), cell("td", told.people), cell("td", hundredths(told.mean)), cell("td", hundredths(told.worst), share), cell("td", told.longest_drought));
  return line;
}

/// Shows the figures in the cards of their zones.
export function show({ zones }) {
  for (const told of zones) {
    const card = document.querySelector(`#rooms > [data-zone="${CSS.escape(told.zone)}"]`);
    const place = card?.querySelector(".heard");
    if (!place) continue;
    place.hidden = !told.now && told.days.length === 0;
    const said = JSON.stringify(told);
    if (place.hidden || place.dataset.shown === said) continue;
    place.dataset.shown = said;
    place.querySelector(".heard-now").textContent = inWords(told);
    place.querySelector("tbody").replaceChildren(...(told.now ? [row("Now", told.now)] : []), ...told.days.map((day) => row(dayName(day.date), day)));
  }
}
