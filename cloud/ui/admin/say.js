// What the manager's page says: what something means for the music, and what to do about it.

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const KINDS = { CAFE: "Café", SPA: "Spa", COWORKING: "Co-working room", GALLERY: "Gallery", OTHER: "Other" };
export const ROLES = { OWNER: "Owner", MANAGER: "Manager", STAFF: "Staff", VIEWER: "Viewer" };
export const MAY = {
  OWNER: "everything", MANAGER: "venue, zones, members, hubs and players", STAFF: "songs", VIEWER: "looking",
};
export const EXPLICIT = { CLEAN: "Clean", EXPLICIT: "Explicit", UNKNOWN: "Nobody has said" };
export const SONG_KINDS = { "": "Nobody has said", INSTRUMENTAL: "Instrumental", SOUNDSCAPE: "Soundscape" };
export const PROFILES = {
  "Calm morning": [-0.5, -0.1, -0.4, 0.4, -0.4], "Lively noon": [0.4, 0.4, 0.3, 0.2, 0.3],
  "Warm evening": [-0.1, -0.5, -0.1, 0.5, 0], "Night": [0.6, -0.1, 0.4, -0.2, 0.5],
};
export const TIERS = { HUB: "", PLAN: "from its plan", CACHE: "from its cache" };
export const SONG_STATES = { DRAFT: "Not complete", ANALYSING: "Being listened to", FAILED: "Could not be analysed", WITHDRAWN: "Withdrawn" };

const RANK = ["VIEWER", "STAFF", "MANAGER", "OWNER"];
export const may = (role, needed, isAdmin = false) => isAdmin || RANK.indexOf(role) >= RANK.indexOf(needed);

export const sentenceCase = (text) => text.charAt(0).toUpperCase() + text.slice(1);
export const count = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

const format = (options, timeZone) => new Intl.DateTimeFormat(undefined, { ...options, timeZone });
export const clock = (at, zone) => format({ hour: "2-digit", minute: "2-digit" }, zone).format(new Date(at));
export const day = (at, zone) => format({ weekday: "short", day: "numeric", month: "short" }, zone).format(new Date(at));
export const date = (at, zone) => format({ day: "numeric", month: "short", year: "numeric" }, zone).format(new Date(at));

// Relative under an hour, else by the clock.
export function when(at, zone) {
  if (!at) return "never";
  const ago = Date.now() - new Date(at);
  if (ago < 10_000) return "just now";
  if (ago < MINUTE) return `${Math.round(ago / 1000)} s ago`;
  if (ago < HOUR) return `${Math.round(ago / MINUTE)} min ago`;
  if (ago < DAY) return clock(at, zone);
  return `${day(at, zone)}, ${clock(at, zone)}`;
}

// Inside a sentence: "since 14:02", "for 5 minutes".
export function since(at, zone) {
  if (!at) return "ever";
  const ago = Date.now() - new Date(at);
  if (ago < HOUR) return `for ${count(Math.max(1, Math.round(ago / MINUTE)), "minute")}`;
  return `since ${ago < DAY ? clock(at, zone) : `${day(at, zone)}, ${clock(at, zone)}`}`;
}

export function lasting(seconds) {
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(seconds < 36_000 ? 1 : 0)} h`;
}

export function size(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

// What a hub's manager should know of it, and do.
export function hubTroubles(hub, zone) {
  const { name } = hub;
  const says = {
    SILENT: hub.lastSeenAt
      ? `The hub ${name} has not been heard of ${since(hub.lastSeenAt, zone)}. Its venue plays on by itself; look at its power and its network.`
      : `The hub ${name} has never spoken. Look at its power and its network.`,
    CODE_EXPIRED: `The code for the hub ${name} was not typed in time. Make another one.`,
    DUPLICATE: `Two boxes speak as the hub ${name}. Music goes on at both, but one is not counted: enrol it anew.`,
    CLOCK_WRONG: `The clock of the hub ${name} is wrong by ${lasting(Math.abs(hub.clockSkewMs ?? 0) / 1000)}. Times are mended here; let it reach a time server.`,
    // As the hub itself says it (GUESTS_CUT_OFF in hub/src/health.rs).
    GUESTS_CUT_OFF: `Guests cannot reach the hub ${name}: they come by the cloud’s page, and no phone of its network was seen there since. The music and their votes go on; let the guests’ Wi-Fi reach the hub, or print the poster with the cloud’s address.`,
    FACTS_PENDING: `The hub ${name} still owes ${count(hub.pendingOperations ?? 0, "fact")}. Nothing is lost; look at its network if this lasts.`,
  };
  const reasons = hub.guestsCutOff ? [...hub.reasons, "GUESTS_CUT_OFF"] : hub.reasons;
  return reasons.map((code) => ({ code, hub, text: says[code] ?? code }));
}

export function playerTrouble(player, zone) {
  if (player.revokedAt) return null;
  if (player.status === "OFFLINE") {
    return player.lastSeenAt
      ? { player, text: `The player ${player.name} has not been heard of ${since(player.lastSeenAt, zone)}. It plays on from its plan where it can; look at its power and its network.` }
      : { player, text: `The player ${player.name} has never been heard of. Look at its power and its network.` };
  }
  if (player.status === "IDLE") return { player, text: `The player ${player.name} is there and plays nothing. Look whether its zone has songs, and whether it is held at the hub.` };
  return null;
}

// Everything that can be said of a venue: whether it plays, and what it needs.
export function standing(venue) {
  const hubs = venue.hubs.filter((hub) => hub.status !== "REVOKED");
  const players = venue.players.filter((player) => !player.revokedAt);
  const playing = players.filter((player) => player.status === "ACTIVE");
  const hubTrouble = hubs.flatMap((hub) => hubTroubles(hub, venue.timeZone));
  const silentHubs = new Set(hubTrouble.filter(({ code }) => code === "SILENT").map(({ hub }) => hub.id));
  // A hub that is out of reach says nothing of its players: one trouble, not one for each.
  const mute = players.filter((player) => !silentHubs.has(player.hub?.id)).map((player) => playerTrouble(player, venue.timeZone)).filter(Boolean);
  const enrolled = hubs.filter((hub) => hub.status !== "WAITING");
  const step = enrolled.length === 0 ? "hub" : venue.songCount === 0 ? "songs" : players.length === 0 ? "player" : null;
  const lead = playing.find((player) => player.currentSong) ?? playing[0] ?? players.find((player) => player.currentSong) ?? null;
  // A room tells what it hears at once; a player’s word comes with its hub’s next.
  const heard = (venue.zones ?? []).find(({ archivedAt, room }) => !archivedAt && room?.nowPlaying);
  const seen = [...enrolled.map((hub) => hub.lastSeenAt)].filter(Boolean).sort().at(-1) ?? null;
  return {
    hubs, players, playing, troubles: [...hubTrouble, ...mute], step, lead, seen,
    song: heard?.room.nowPlaying.song ?? lead?.currentSong ?? null,
    silence: players.reduce((sum, player) => sum + player.silenceSeconds, 0),
    isPlaying: playing.length > 0,
    isOpen: step === null,
  };
}

const listed = (names) => (names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)}` : names[0]);

export const STEPS = {
  hub: "Enrol the hub: the small box that plays here.",
  songs: "Upload songs.",
  player: "Pair a player: a box with a loudspeaker.",
};

export function headline(places) {
  if (places.length === 0) return "Let us open your first venue.";
  const open = places.filter(({ standing }) => standing.isOpen);
  if (open.length === 0) return places.length === 1 ? "Almost there." : "Your venues are being set up.";
  const playing = open.filter(({ standing }) => standing.isPlaying);
  if (playing.length === open.length) return open.length === 1 ? "Music plays." : "Music plays everywhere.";
  if (playing.length === 0) return open.length === 1 ? "No music is known to play." : "No music is known to play anywhere.";
  return `Music plays in ${playing.length} of ${open.length} venues.`;
}

export function needs(places) {
  const troubled = places.filter(({ standing }) => standing.troubles.length > 0).map(({ venue }) => venue.name);
  if (places.length === 0) return "It takes four steps: a venue, its hub, songs, a player.";
  if (troubled.length === 0) {
    const unfinished = places.filter(({ standing }) => !standing.isOpen).map(({ venue }) => venue.name);
    if (unfinished.length) return `Next: ${unfinished.slice(0, 3).join(", ")} ${unfinished.length === 1 ? "has" : "have"} a step to go.`;
    return "Nothing needs you.";
  }
  const named = listed(troubled.length > 3 ? [...troubled.slice(0, 3), `${troubled.length - 3} more`] : troubled);
  return `${named} ${troubled.length === 1 ? "needs" : "need"} you.`;
}

const DONE = {
  "admin.granted": "made somebody an admin", "export.created": "asked for a report",
  "hub.code_renewed": "made another code for a hub", "hub.created": "made a code for a hub", "hub.enrolled": "let a hub in",
  "hub.renamed": "renamed a hub", "hub.revoked": "revoked a hub",
  "member.added": "added a member", "member.changed": "gave a member another role", "member.removed": "removed a member",
  "pairing.closed": "took the code for a player back", "pairing.opened": "made a code for a player",
  "player.revoked": "revoked a player", "player.updated": "changed a player",
  "song.restored": "brought a song back", "song.updated": "corrected a song", "song.withdrawn": "withdrew a song",
  "songs.assigned": "assigned songs", "songs.unassigned": "took songs out",
  "venue.archived": "put the venue away", "venue.created": "opened the venue", "venue.restored": "brought the venue back",
  "venue.updated": "changed the venue",
  "zone.archived": "put a zone away", "zone.created": "added a zone", "zone.updated": "changed a zone",
};
export const done = (action) => DONE[action] ?? action.replaceAll(/[._]/g, " ");
