// The hub's time, reckoned without the phone's clock, which may be wrong by years.
//
// Every value says when it was true (`asOf`, by the hub). It cannot arrive before that, so each arrival bounds the
// difference between the hub's clock and this page's stopwatch from below; the largest bound is the best estimate.

const stopwatch = () => performance.now();
let ahead = -Infinity;

export function heard(asOf) {
  const bound = Date.parse(asOf) - stopwatch();
  if (Number.isFinite(bound)) ahead = Math.max(ahead, bound);
}

// After a reconnect it may be another hub, or the same one with its clock mended.
export function startOver() {
  ahead = -Infinity;
}

export function hubNow() {
  return ahead === -Infinity ? null : stopwatch() + ahead;
}

// Where the song is now, in milliseconds.
export function position(playing) {
  const now = hubNow();
  const since = now === null ? 0 : Math.max(0, now - Date.parse(playing.asOf));
  return Math.min(playing.positionMs + since, playing.song.durationMs);
}
