//! What a room hears, what it wants, what it hears next and why.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object, SimpleObject};
use roomtone_schema::view;

use super::rows::{Asked, Plan, Row, View, write};
use super::scalar::{Axis, DateTime, Tier, axes};
use super::song::Song;
use super::venue::{Player, Zone};
use super::{date, room, shared};

/// The weighted mean of the tastes in the room; the zone's profile when nobody is there.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(directive = shared::apply())]
pub struct Vibe {
    /// The five axes.
    axes: Vec<Axis>,
    /// 0 = the room is split, 1 = all want the same.
    consensus: f64,
    /// People checked in.
    active_listeners: u32,
    /// What the axes come from.
    source: VibeSource,
    /// When they last changed.
    updated_at: DateTime,
}

impl From<&view::VibeView> for Vibe {
    fn from(vibe: &view::VibeView) -> Self {
        Self {
            axes: axes(vibe.axes),
            consensus: vibe.consensus,
            active_listeners: vibe.active_listeners,
            source: vibe.source.into(),
            updated_at: date(vibe.updated_at),
        }
    }
}

/// What a zone's vibe comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "view::VibeSource")]
pub enum VibeSource {
    /// Nobody is there and no profile is set: the middle of the catalogue.
    Catalogue,
    /// The people in the room.
    Listeners,
    /// Nothing to go by.
    None,
    /// Nobody is there: the zone's profile.
    Profile,
}

/// What a zone hears.
#[derive(Debug, Clone)]
pub struct NowPlaying(pub Arc<view::NowPlayingView>);

/// What a zone hears.
#[Object(directive = shared::apply())]
impl NowPlaying {
    /// What plays.
    async fn song(&self) -> Song {
        Song(Arc::clone(&self.0.pick.song))
    }

    /// Where.
    async fn zone(&self, ctx: &Context<'_>) -> Option<Zone> {
        room(ctx).zones().iter().find(|zone| zone.id == self.0.zone).cloned().map(Zone)
    }

    /// The player that advanced to it; null when it has been removed since.
    async fn player(&self, ctx: &Context<'_>) -> Option<Player> {
        let players = room(ctx).players();
        let players = players.borrow();
        players.iter().find(|view| view.player.id == self.0.player).cloned().map(Player)
    }

    /// When its first player began.
    async fn started_at(&self) -> DateTime {
        date(self.0.started_at)
    }

    /// Position at asOf.
    async fn position_ms(&self, ctx: &Context<'_>) -> u32 {
        let since = room(ctx).now().since(self.0.as_of).as_millis();
        let reached = u128::from(self.0.position_ms) + since;
        u32::try_from(reached).unwrap_or(u32::MAX).min(self.0.pick.song.facts.duration_ms)
    }

    /// When positionMs was true: the server's time of this answer. Reckon from here, never from your own clock.
    async fn as_of(&self, ctx: &Context<'_>) -> DateTime {
        date(room(ctx).now())
    }

    /// What brings the song to the zone's loudness, in dB.
    async fn gain_db(&self) -> f32 {
        self.0.pick.gain_db
    }

    /// Why this song.
    async fn explanation(&self) -> Explanation {
        (&self.0.pick.explanation).into()
    }

    /// How many people want to skip it.
    async fn skip_votes(&self) -> u32 {
        self.0.skip_votes
    }

    /// How many it takes.
    async fn skip_votes_needed(&self) -> u32 {
        self.0.skip_votes_needed
    }

    /// From which tier the music comes.
    async fn tier(&self) -> Tier {
        self.0.tier.into()
    }
}

/// A place in a list of songs.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(directive = shared::apply())]
pub struct Recommendation {
    /// From 1.
    rank: u32,
    /// What.
    song: Song,
    /// Why.
    explanation: Explanation,
}

impl From<&view::Recommendation> for Recommendation {
    fn from(entry: &view::Recommendation) -> Self {
        Self {
            rank: entry.rank,
            song: Song(Arc::clone(&entry.song)),
            explanation: (&entry.explanation).into(),
        }
    }
}

/// See [`Row`].
#[derive(Debug)]
#[expect(missing_docs, reason = "they are the fields of the type, described there")]
pub enum RecommendationField {
    Rank,
    Song(Plan<Song>),
    Explanation(Plan<Explanation>),
}

impl Row for Recommendation {
    const TYPES: &'static [&'static str] = &["Recommendation"];
    type Field = RecommendationField;

    fn field(asked: &Asked<'_>) -> Option<RecommendationField> {
        Some(match asked.name {
            "rank" => RecommendationField::Rank,
            "song" => RecommendationField::Song(asked.plan()?),
            "explanation" => RecommendationField::Explanation(asked.plan()?),
            _ => return None,
        })
    }

    fn write(&self, field: &RecommendationField, view: &View<'_>, out: &mut Vec<u8>) {
        match field {
            RecommendationField::Rank => write::value(&self.rank, out),
            RecommendationField::Song(plan) => plan.write(&self.song, view, out),
            RecommendationField::Explanation(plan) => plan.write(&self.explanation, view, out),
        }
    }
}

/// Why a song stands where it stands.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(directive = shared::apply())]
pub struct Explanation {
    /// Dot of vibe and song, -1 to 1.
    similarity: f64,
    /// What its last play costs it, 0 to 1.
    penalty: f64,
    /// Similarity less penalty and the other terms.
    score: f64,
    /// When the zone last heard it.
    last_played_at: Option<DateTime>,
    /// Until when it rests, where it does.
    rests_until: Option<DateTime>,
    /// The reasons worth telling, strongest first. No group reasons below 3 listeners.
    reasons: Vec<Reason>,
}

impl From<&view::Explanation> for Explanation {
    fn from(why: &view::Explanation) -> Self {
        Self {
            similarity: why.similarity,
            penalty: why.penalty,
            score: why.score,
            last_played_at: why.last_played_at.map(date),
            rests_until: why.rests_until.map(date),
            reasons: why.reasons.iter().map(Into::into).collect(),
        }
    }
}

/// See [`Row`].
#[derive(Debug)]
#[expect(missing_docs, reason = "they are the fields of the type, described there")]
pub enum ExplanationField {
    Similarity,
    Penalty,
    Score,
    LastPlayedAt,
    RestsUntil,
    Reasons(Plan<Reason>),
}

impl Row for Explanation {
    const TYPES: &'static [&'static str] = &["Explanation"];
    type Field = ExplanationField;

    fn field(asked: &Asked<'_>) -> Option<ExplanationField> {
        Some(match asked.name {
            "similarity" => ExplanationField::Similarity,
            "penalty" => ExplanationField::Penalty,
            "score" => ExplanationField::Score,
            "lastPlayedAt" => ExplanationField::LastPlayedAt,
            "restsUntil" => ExplanationField::RestsUntil,
            "reasons" => ExplanationField::Reasons(asked.plan()?),
            _ => return None,
        })
    }

    fn write(&self, field: &ExplanationField, view: &View<'_>, out: &mut Vec<u8>) {
        match field {
            ExplanationField::Similarity => write::float(self.similarity, out),
            ExplanationField::Penalty => write::float(self.penalty, out),
            ExplanationField::Score => write::float(self.score, out),
            ExplanationField::LastPlayedAt => write::optional(self.last_played_at, out, write::time),
            ExplanationField::RestsUntil => write::optional(self.rests_until, out, write::time),
            ExplanationField::Reasons(plan) => plan.write_all(&self.reasons, view, out),
        }
    }
}

/// A reason as a code with its value; pages word them.
#[derive(Debug, Clone, Copy, SimpleObject)]
#[graphql(directive = shared::apply())]
pub struct Reason {
    /// Which.
    code: ReasonCode,
    /// How much of it; its meaning is the code's.
    value: Option<f64>,
}

impl From<&view::Reason> for Reason {
    fn from(reason: &view::Reason) -> Self {
        Self { code: reason.code.into(), value: reason.value }
    }
}

/// See [`Row`].
#[derive(Debug, Clone, Copy)]
pub enum ReasonField {
    /// Which.
    Code,
    /// How much of it.
    Value,
}

impl Row for Reason {
    const TYPES: &'static [&'static str] = &["Reason"];
    type Field = ReasonField;

    fn field(asked: &Asked<'_>) -> Option<ReasonField> {
        Some(match asked.name {
            "code" => ReasonField::Code,
            "value" => ReasonField::Value,
            _ => return None,
        })
    }

    fn write(&self, field: &ReasonField, _view: &View<'_>, out: &mut Vec<u8>) {
        match field {
            ReasonField::Code => write::name::<ReasonCode>(self.code, out),
            ReasonField::Value => write::optional(self.value, out, write::float),
        }
    }
}

/// Why, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "view::ReasonCode")]
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
