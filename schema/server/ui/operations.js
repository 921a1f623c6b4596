// What the page asks the hub. The state subscriptions select only what is the same for everybody, so that the hub can
// answer a whole room with one message; what is mine comes by `MINE`.

const SONG = "id title artist durationMs bpm mediaUrl axes { name value }";
const EXPLANATION = "explanation { reasons { code value } }";
const NOW = `song { ${SONG} } zone { id crossfadeMs } positionMs asOf gainDb skipVotes skipVotesNeeded ${EXPLANATION}`;
const VIBE = "axes { name value } consensus activeListeners source updatedAt";
const NEXT = `rank song { ${SONG} }`;
const SYNC = "state lastError lastPulledAt";
const REFUSALS = "userErrors { code message }";

const HOURS_OF = "timeZone zones { id hours { asOf isOpen opensAt } }";

export const SNAPSHOT = `query Snapshot($zone: ID) {
  venue { id name ${HOURS_OF} }
  nowPlaying(zoneId: $zone) { ${NOW} }
  vibe(zoneId: $zone) { ${VIBE} }
  upNext(zoneId: $zone, first: 3) { ${NEXT} }
  syncStatus { ${SYNC} }
}`;

// Asked for only while nothing plays.
export const HOURS = `query Hours { venue { id ${HOURS_OF} } }`;

export const MINE = `query Mine($song: ID!) {
  me { session { status expiresAt } preference }
  node(id: $song) { ... on Song { id viewerVote } }
}`;

export const FOLLOW = {
  nowPlaying: `subscription Now($zone: ID) { nowPlaying(zoneId: $zone) { ${NOW} } }`,
  vibe: `subscription Vibe($zone: ID) { vibe(zoneId: $zone) { ${VIBE} } }`,
  upNext: `subscription Next($zone: ID) { upNext(zoneId: $zone, first: 3) { ${NEXT} } }`,
  syncStatus: `subscription Sync { syncStatus { ${SYNC} } }`,
};

export const CHECK_IN = `mutation CheckIn($input: CheckInInput!) {
  checkIn(input: $input) { token session { expiresAt } ${REFUSALS} }
}`;

export const SIGN_IN = `mutation SignIn($input: SignInInput!) { signIn(input: $input) { claimedVotes ${REFUSALS} } }`;

export const CHECK_OUT = `mutation CheckOut($input: CheckOutInput!) { checkOut(input: $input) { ${REFUSALS} } }`;

export const VOTE = `mutation Vote($input: VoteInput!) { vote(input: $input) { taste { name value } ${REFUSALS} } }`;

export const SKIP = `mutation Skip($input: VoteToSkipInput!) {
  voteToSkip(input: $input) { nowPlaying { ${NOW} } ${REFUSALS} }
}`;
