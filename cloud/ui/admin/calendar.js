// Days where the venue is, which is not where the manager is.

const DAY_MS = 86_400_000;
const HOUR_MS = DAY_MS / 24;

const format = (zone, options) => new Intl.DateTimeFormat("en-CA", { timeZone: zone, hourCycle: "h23", ...options });

// The calendar's day of a time, such as 2026-11-30.
export const dayOf = (at, zone) => format(zone, { year: "numeric", month: "2-digit", day: "2-digit" }).format(at);

export const dayAfter = (day, days = 1) => day && new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);

// When a day begins. Around a change of the clocks the first guess is off by an hour, so it is looked at again.
export function midnight(day, zone) {
  if (!day) return null;
  const guess = Date.parse(`${day}T00:00:00Z`);
  const offset = (at) => {
    const parts = format(zone, { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" }).formatToParts(at);
    const { year, month, day: date, hour, minute, second } = Object.fromEntries(parts.map(({ type, value }) => [type, Number(value)]));
    return Date.UTC(year, month - 1, date, hour, minute, second) - Math.floor(at / 1000) * 1000;
  };
  return new Date(guess - offset(guess - offset(guess)));
}

// Last month as a whole, or this one so far.
export function month(which, zone) {
  const [year, number] = dayOf(new Date(), zone).split("-").map(Number);
  const first = (offset) => midnight(new Date(Date.UTC(year, number - 1 + offset, 1)).toISOString().slice(0, 10), zone);
  return which === "last" ? { from: first(-1), to: first(0) } : { from: first(0), to: new Date() };
}

// The last so many hours, days or weeks, this one among them.
export function last(count, bucket, zone) {
  const to = new Date();
  if (bucket === "HOUR") return { from: new Date((Math.floor(to / HOUR_MS) - count + 1) * HOUR_MS), to, bucket, count, zone };
  const today = bucket === "WEEK" ? monday(dayOf(to, zone)) : dayOf(to, zone);
  return { from: midnight(dayAfter(today, -(count - 1) * (bucket === "WEEK" ? 7 : 1)), zone), to, bucket, count, zone };
}

const monday = (day) => dayAfter(day, -((new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7));
export const iso = ({ from, to }) => ({ from: from.toISOString(), to: to.toISOString() });

// What the API leaves out, where nothing happened, is a zero here.
export function filled(series, { from, bucket, count, zone }) {
  const none = { plays: 0, listeners: 0, likes: 0, dislikes: 0, axes: null };
  if (bucket === "HOUR") {
    const key = (at) => Math.floor(at / HOUR_MS);
    const known = new Map(series.map((point) => [key(new Date(point.at)), point]));
    const label = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", timeZone: zone });
    return Array.from({ length: count }, (_, n) => new Date(from.getTime() + n * HOUR_MS)).map((at) => ({ label: label.format(at), ...none, ...known.get(key(at)) }));
  }
  const known = new Map(series.map((point) => [dayOf(new Date(point.at), zone), point]));
  const label = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
  const first = dayOf(from, zone);
  return Array.from({ length: count }, (_, n) => dayAfter(first, n * (bucket === "WEEK" ? 7 : 1))).map((day) => ({ label: label.format(new Date(`${day}T00:00:00Z`)), ...none, ...known.get(day) }));
}
