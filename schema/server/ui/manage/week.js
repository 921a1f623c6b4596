// The week of each zone: its hours and its dayparts. What is changed is kept as a whole, and can be taken back.

const $ = (id) => document.getElementById(id);
const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const NAMES = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MORNING = { days: DAYS, from: "09:00", to: "23:00" };
const forms = new Map();

/// Shows the weeks, but never over what somebody is changing.
export function show({ rooms, week, sync, licence }, acts) {
  showLicence(licence, week.of_the_cloud);
  const readOnly = week.of_the_cloud;
  $("week-clock").textContent = `Told by the clock of ${week.time_zone}. Outside of the hours no song begins, and that silence counts as none.`;
  $("week-of-cloud").hidden = !readOnly;
  if (readOnly) $("week-cloud").textContent = sync.at ?? "the cloud";
  const seen = new Set(rooms.map(({ id }) => id));
  for (const [id, form] of forms) {
    if (seen.has(id)) continue;
    form.root.remove();
    forms.delete(id);
  }
  for (const room of rooms) {
    if (!forms.has(room.id)) forms.set(room.id, make(room, rooms.length > 1, acts));
    const form = forms.get(room.id);
    const told = JSON.stringify([room.schedule, readOnly]);
    if (form.isChanged || form.told === told) continue;
    form.told = told;
    fill(form, room.schedule, readOnly);
  }
}

function make(room, isOneOfMany, acts) {
  const root = $("week-of-zone").content.firstElementChild.cloneNode(true);
  const find = (selector) => root.querySelector(selector);
  const form = {
    root, id: room.id, told: "", isChanged: false, kept: room.schedule, before: null,
    bars: find(".bars"), hours: find(".hours"), parts: find(".parts"), save: find(".save"), undo: find(".undo"), said: find(".said"),
  };
  find("h3").textContent = isOneOfMany ? room.name : "Every week";
  root.setAttribute("aria-label", `The week of ${room.name}`);
  find(".day-names").append(...NAMES.map((name) => {
    const row = document.createElement("span");
    row.textContent = name;
    return row;
  }));
  const changed = () => {
    form.isChanged = true;
    form.save.disabled = false;
    form.said.textContent = "";
    draw(form);
  };
  root.addEventListener("input", changed);
  find(".add-hours").addEventListener("click", () => {
    form.hours.append(hoursRow(MORNING));
    changed();
    form.hours.lastElementChild.querySelector("input").focus();
  });
  find(".add-part").addEventListener("click", () => {
    form.parts.append(partRow({ name: "", days: DAYS, from: "18:00", to: "23:00" }));
    changed();
    form.parts.lastElementChild.querySelector("input").focus();
  });
  root.addEventListener("click", (event) => {
    if (!event.target.closest(".drop")) return;
    const list = event.target.closest("ul");
    event.target.closest("li").remove();
    changed();
    list.parentElement.querySelector(".add").focus();
  });
  const keep = async (schedule, said) => {
    const before = form.kept;
    form.save.disabled = true;
    form.isChanged = false;
    const why = await acts.week(form.id, schedule);
    if (why) {
      form.isChanged = true;
      form.save.disabled = false;
      form.said.textContent = why;
      return;
    }
    form.kept = schedule;
    form.before = before;
    form.undo.hidden = false;
    form.said.textContent = said;
  };
  root.addEventListener("submit", (event) => {
    event.preventDefault();
    keep(read(form), "This week holds from now on.");
  });
  form.undo.addEventListener("click", () => {
    const [kept, before] = [form.kept, form.before];
    fill(form, before, false);
    form.kept = kept;
    keep(before, "The week is as it was before.");
  });
  $("weeks").append(root);
  return form;
}

function fill(form, schedule, readOnly) {
  form.kept = schedule;
  form.hours.replaceChildren(...schedule.hours.map(hoursRow));
  form.parts.replaceChildren(...schedule.dayparts.map(partRow));
  for (const part of form.root.querySelectorAll("input, button")) part.disabled = readOnly;
  for (const hidden of form.root.querySelectorAll(".add, .drop, .keep")) hidden.hidden = readOnly;
  form.save.disabled = true;
  draw(form);
}

function hoursRow(hours) {
  const row = $("hours-row").content.firstElementChild.cloneNode(true);
  fillTimes(row, hours);
  return row;
}

function partRow(part) {
  const row = $("part-row").content.firstElementChild.cloneNode(true);
  fillTimes(row, part);
  row.querySelector(".name").value = part.name;
  row.querySelector(".loud").value = part.volume_percent ?? "";
  // What this page has no field for stays as it is.
  row.kept = part;
  return row;
}

function fillTimes(row, { days, from, to }) {
  row.querySelector(".from").value = from;
  row.querySelector(".to").value = to;
  row.querySelector(".days").append(...DAYS.map((day, at) => {
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.value = day;
    box.checked = days.includes(day);
    const name = document.createElement("span");
    name.textContent = NAMES[at];
    label.append(box, name);
    return label;
  }));
}

function times(row) {
  const days = [...row.querySelectorAll(".days input:checked")].map(({ value }) => value);
  return { days, from: row.querySelector(".from").value, to: row.querySelector(".to").value };
}

function read(form) {
  const dayparts = [...form.parts.children].map((row) => {
    const { volume_percent: _before, ...rest } = row.kept ?? {};
    const loud = row.querySelector(".loud").value;
    return { ...rest, ...times(row), name: row.querySelector(".name").value.trim(), ...(loud !== "" && { volume_percent: Number(loud) }) };
  });
  return { hours: [...form.hours.children].map(times), dayparts };
}

// What the venue's licence allows, in a person's words.
function showLicence({ show_up_next, skips_per_hour, performance_complement, offline_storage }, isOfTheCloud) {
  const skips = skips_per_hour === null ? "A song may be skipped as often as people like." : skips_per_hour === 0 ? "No song is skipped." : `At most ${skips_per_hour} ${skips_per_hour === 1 ? "skip" : "skips"} an hour in each zone.`;
  const words = [
    show_up_next ? "Listeners may see what comes next." : "Listeners do not see what comes next.",
    skips,
    performance_complement ? "Within 3 hours at most 3 songs of an album (2 in a row) and 4 of an artist (3 in a row)." : "An album or an artist may come as often as the room likes.",
    offline_storage ? "Songs may be kept on this hub and its players." : "Songs are not kept: players hold the next hour, this hub what that needs and as much again of the cloud’s songs. What was heard is removed; in an outage an hour of music stays.",
  ];
  const text = words.join("\n");
  if ($("licence").dataset.shown !== text) {
    $("licence").dataset.shown = text;
    $("licence").replaceChildren(...words.map((word) => {
      const line = document.createElement("li");
      line.textContent = word;
      return line;
    }));
  }
  const where = isOfTheCloud ? "It is set on the cloud’s page of this venue, and holds while the cloud is out of reach." : "It is set in the hub’s configuration, under [venue.licence].";
  if ($("licence-where").textContent !== where) $("licence-where").textContent = where;
}

// The open hours of seven days as bars: how the week looks.
function draw(form) {
  const hours = [...form.hours.children].map(times);
  const minute = (text) => { const [h, m] = text.split(":").map(Number); return h * 60 + m; };
  const bars = [];
  DAYS.forEach((day, row) => {
    if (hours.length === 0) bars.push([row, 0, 1440]);
    for (const { days, from, to } of hours.filter((one) => one.days.includes(day) && one.from && one.to)) {
      const [begin, end] = [minute(from), minute(to)];
      if (begin < end) bars.push([row, begin, end]);
      else bars.push([row, begin, 1440], [(row + 1) % 7, 0, end]);
    }
  });
  form.bars.replaceChildren(...bars.filter(([, begin, end]) => begin < end).map(([row, begin, end]) => {
    const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const [name, value] of Object.entries({ x: begin / 4, y: row * 12 + 2, width: (end - begin) / 4, height: 8 })) bar.setAttribute(name, value);
    return bar;
  }));
}
