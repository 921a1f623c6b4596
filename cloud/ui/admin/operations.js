// What the page asks of what it shows in several places.

export const SONG = "id title artist bpm durationMs axes { name value }";
export const HUB = "id name status reasons guestsCutOff lastSeenAt pendingOperations clockSkewMs duplicates codeExpiresAt enrolledAt revokedAt version epoch";
export const PLAYER = `id name status tier silenceSeconds volumePercent lastSeenAt revokedAt zone { id name } hub { id } currentSong { ${SONG} }`;
export const ROOM = `room { toldAt hours { isOpen asOf opensAt daypart } nowPlaying { positionMs song { ${SONG} } } upNext { id title artist }
  vibe { axes { name value } consensus activeListeners source } }`;
export const SETTINGS = `settings { profile { name value } fairness penaltyHours crossfadeMs loudnessLufs allowExplicit artistSeparationMin
  skipShare skipMin showUpNext requireRotatingCode
  schedule { hours { days from to } dayparts { name days from to profile { name value } profileWeight volumePercent kinds allowExplicit } } }`;
export const FULL_SONG = `id title artist album label isrc bpm key kind explicit durationMs loudnessLufs bytes contentType status failure ownValues
  createdAt axes { name value } venues { id name } organisation { id }`;
export const EXPORT = "id kind format from to status rows failure downloadUrl expiresAt createdAt venue { id name timeZone }";
