//! Why a song was picked, as codes with values; pages word them.
//!
//! Below three listeners nothing is said of the group: it would tell what one particular person thinks.

use serde::{Deserialize, Serialize};

use crate::pick::Pick;
use crate::time::UnixMillis;
use crate::vector::{Axes, dot};
use crate::vibe::VibeSource;

/// So many people must be there before a reason speaks of them as a group.
pub const GROUP_FROM: usize = 3;

/// A similarity from here on is worth telling.
const NEAR: f64 = 0.3;

/// Hours without a play that are worth telling.
const LONG_UNHEARD_HOURS: f64 = 24.0;

/// The share of the room that must like a song for it to be told.
const LIKED_SHARE: f64 = 0.2;

/// From the draw's so-manieth place on, a pick counts as exploring.
const EXPLORING_FROM: u32 = 4;

/// Why a song stands where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Dot of the vibe and the song's direction, -1 to 1.
    pub similarity: f64,
    /// What its last play costs it, 0 to 1.
    pub penalty: f64,
    /// Similarity less penalty and the other terms.
    pub score: f64,
    /// When the zone last heard it.
    pub last_played_at: Option<UnixMillis>,
    /// Until when it rests, where it does.
    pub rests_until: Option<UnixMillis>,
    /// The reasons worth telling, strongest first; no group reasons below 3 listeners.
    pub reasons: Vec<Reason>,
}

/// A reason as a code with its value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// Which.
    pub code: ReasonCode,
    /// How much of it; its meaning is the code's.
    pub value: Option<f64>,
}

/// Why, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReasonCode {
    /// Not the nearest: drawn so that the library is explored.
    Exploring,
    /// The share of the people here who like it (0 to 1).
    LikedHere,
    /// Hours since the zone last heard it; no value: never.
    LongUnheard,
    /// Near the zone's profile (similarity).
    Profile,
    /// Chosen for whoever has had least (their similarity).
    TurnOfTheUnheard,
    /// Like what the room wants (similarity).
    Vibe,
}

/// What the room adds to a pick's own terms.
#[derive(Debug, Clone, Copy)]
pub struct Onlookers<'a> {
    /// What songs were measured against.
    pub source: VibeSource,
    /// How many people are checked in.
    pub present: usize,
    /// How many of them like the song by their effective vote.
    pub likes: usize,
    /// The taste of whoever has had least, where fairness has raised their weight.
    pub unheard: Option<&'a Axes>,
    /// The song's direction.
    pub song: Option<&'a Axes>,
}

/// Explains a pick to the room.
pub fn explain(pick: &Pick, now: UnixMillis, onlookers: &Onlookers<'_>) -> Explanation {
    let terms = &pick.terms;
    let mut reasons: Vec<Reason> = group_reasons(onlookers);
    reasons.extend(nearness(terms.similarity, onlookers.source));
    reasons.extend(long_unheard(terms.last_played_at, now));
    if terms.place >= EXPLORING_FROM || reasons.is_empty() {
        reasons.push(Reason { code: ReasonCode::Exploring, value: None });
    }
    Explanation {
        similarity: terms.similarity,
        penalty: terms.penalty,
        score: terms.score,
        last_played_at: terms.last_played_at,
        rests_until: terms.rests_until,
        reasons,
    }
}

fn group_reasons(onlookers: &Onlookers<'_>) -> Vec<Reason> {
    if onlookers.present < GROUP_FROM {
        return Vec::new();
    }
    let share = onlookers.likes as f64 / onlookers.present as f64;
    let liked = (share >= LIKED_SHARE).then_some(Reason { code: ReasonCode::LikedHere, value: Some(share) });
    let theirs = onlookers.unheard.zip(onlookers.song).map(|(taste, song)| dot(taste, song));
    let turn = theirs
        .filter(|cosine| *cosine >= NEAR)
        .map(|cosine| Reason { code: ReasonCode::TurnOfTheUnheard, value: Some(cosine) });
    liked.into_iter().chain(turn).collect()
}

fn nearness(similarity: f64, source: VibeSource) -> Option<Reason> {
    let code = match source {
        VibeSource::Listeners => ReasonCode::Vibe,
        VibeSource::Profile => ReasonCode::Profile,
        VibeSource::Catalogue | VibeSource::None => return None,
    };
    (similarity >= NEAR).then_some(Reason { code, value: Some(similarity) })
}

fn long_unheard(last_played_at: Option<UnixMillis>, now: UnixMillis) -> Option<Reason> {
    let hours = last_played_at.map(|at| now.since(at).as_secs_f64() / 3_600.0);
    let worth_telling = hours.is_none_or(|hours| hours >= LONG_UNHEARD_HOURS);
    worth_telling.then_some(Reason { code: ReasonCode::LongUnheard, value: hours })
}
