//! What is asked of the hub, word for word. `schema/hub.graphql` has what it may answer.

macro_rules! pick {
    () => {
        "{ id song { id title artist durationMs } mediaUrl sha256 bytes crossfadeMs cueInMs cueOutMs gainDb }"
    };
}

macro_rules! hours {
    () => {
        "{ asOf isOpen closesAt opensAt }"
    };
}

/// The next song.
pub(super) const CLAIM: &str = concat!(
    "mutation Claim($input: ClaimNextSongInput!) { claimNextSong(input: $input) { pick ",
    pick!(),
    " plan ",
    pick!(),
    " hours ",
    hours!(),
    " offlineStorage userErrors { code message } } }"
);

/// What plays and what comes, without moving anything.
pub(super) const PLAN: &str = concat!(
    "query Plan { playerPlan { current ",
    pick!(),
    " plan ",
    pick!(),
    " hours ",
    hours!(),
    " offlineStorage } }"
);

/// The cheapest question that only a player is answered.
pub(super) const PLAN_ID: &str = "query Known { playerPlan { __typename } }";

/// A sign of life.
pub(super) const REPORT: &str = "mutation Report($input: ReportPlaybackInput!) { \
    reportPlayback(input: $input) { userErrors { code message } } }";

/// Plays that the hub has not seen.
pub(super) const REPORT_PLAYS: &str = "mutation ReportPlays($input: ReportPlaysInput!) { \
    reportPlays(input: $input) { taken unknown userErrors { code message } } }";

/// Orders as they come.
pub(super) const ORDERS: &str =
    concat!("subscription Orders { playerCommands { kind volume pick ", pick!(), " } }");
