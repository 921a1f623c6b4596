//! Zones and how they behave.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use roomtone_schema::id::Id as _;
use roomtone_schema::venue;
use roomtone_server::listener::scalar::{Axis, DateTime, axes};
use roomtone_server::listener::song::SongKind;

use super::fares::ZoneFairness;
use super::loaders::{FaresOf, PlayersOf, RoomsOf, load};
use super::player::Player;
use super::room::ZoneRoom;
use super::schedule::{Schedule, ScheduleInput};
use super::venue::{Venue, venue as venue_of};
use super::words::date;
use crate::refusal::Refusal;
use crate::venues::zones::{self, SettingsChanges};

/// A part of a venue with its own players and vibe.
#[derive(Debug, Clone)]
pub(super) struct Zone(pub(super) zones::Zone);

/// A part of a venue with its own players and vibe.
#[Object]
impl Zone {
    /// Opaque, globally unique; same value on hub and cloud.
    pub(super) async fn id(&self) -> ID {
        self.0.id.to_global().into()
    }

    /// Of which venue.
    async fn venue(&self, ctx: &Context<'_>) -> Result<Venue> {
        venue_of(ctx, *self.0.venue_id).await
    }

    /// main, terrace, ...
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// How it behaves.
    async fn settings(&self) -> ZoneSettings {
        (&self.0.settings.0).into()
    }

    /// When it was put away; null while it is in use.
    async fn archived_at(&self) -> Option<DateTime> {
        self.0.archived_at.map(date)
    }

    /// How its people fare, as its hub told last; null before it has.
    #[graphql(complexity = "5 + child_complexity")]
    async fn fairness(&self, ctx: &Context<'_>) -> Result<Option<ZoneFairness>> {
        let told = load(ctx, FaresOf(*self.0.venue_id)).await?.unwrap_or_default();
        Ok(told.iter().find(|fares| fares.zone_id == self.0.id).and_then(ZoneFairness::read))
    }

    /// What it shows, as its hub told last; null before it has.
    #[graphql(complexity = "1 + child_complexity")]
    async fn room(&self, ctx: &Context<'_>) -> Result<Option<ZoneRoom>> {
        let rooms = load(ctx, RoomsOf(*self.0.venue_id)).await?.unwrap_or_default();
        Ok(rooms.into_iter().find(|room| room.zone_id == self.0.id).map(ZoneRoom))
    }

    /// Its players; at most 200.
    #[graphql(complexity = "5 * child_complexity")]
    async fn players(&self, ctx: &Context<'_>) -> Result<Vec<Player>> {
        let players = load(ctx, PlayersOf(*self.0.venue_id)).await?.unwrap_or_default();
        Ok(players.into_iter().filter(|player| player.zone_id == Some(self.0.id)).map(Player).collect())
    }
}

/// How a zone behaves.
#[derive(Debug, Clone, SimpleObject)]
pub(super) struct ZoneSettings {
    /// What it sounds like when nobody is there; null where nobody has said.
    profile: Option<Vec<Axis>>,
    /// 0 = plain mean of tastes, 1 = strict turns.
    fairness: f64,
    /// How long a song rests after it was played.
    penalty_hours: u32,
    /// Overlap of two songs; 0 = gapless.
    crossfade_ms: u32,
    /// The loudness that every song is brought to.
    loudness_lufs: f32,
    /// Whether songs tagged explicit are played.
    allow_explicit: bool,
    /// For how long the same artist is not repeated, best effort.
    artist_separation_min: u32,
    /// The share of the people in the room that must want a skip.
    skip_share: f64,
    /// Never fewer than this many people skip a song.
    skip_min: u32,
    /// Whether listeners see what comes next.
    show_up_next: bool,
    /// Whether check-in asks for the rotating code.
    require_rotating_code: bool,
    /// As how many people the profile counts while somebody is there; 0: it stands in for nobody only.
    profile_weight: f64,
    /// Which kinds of songs are played; empty: all, also those of no known kind.
    kinds: Vec<SongKind>,
    /// When it is open, and what it sounds like when.
    schedule: Schedule,
}

impl From<&venue::ZoneSettings> for ZoneSettings {
    fn from(settings: &venue::ZoneSettings) -> Self {
        Self {
            profile: settings.profile.map(|profile| axes(profile.map(f64::from))),
            fairness: settings.fairness,
            penalty_hours: settings.penalty_hours,
            crossfade_ms: settings.crossfade_ms,
            loudness_lufs: settings.loudness_lufs,
            allow_explicit: settings.allow_explicit,
            artist_separation_min: settings.artist_separation_min,
            skip_share: settings.skip_share,
            skip_min: settings.skip_min,
            show_up_next: settings.show_up_next,
            require_rotating_code: settings.require_rotating_code,
            profile_weight: settings.profile_weight,
            kinds: settings.kinds.iter().copied().map(SongKind::from).collect(),
            schedule: (&settings.schedule).into(),
        }
    }
}

/// What of a zone's settings is to be otherwise; what is left out stays.
#[derive(Debug, Clone, Default, InputObject)]
pub(super) struct ZoneSettingsInput {
    /// Five finite numbers, not all zero: energy, brightness, tempo, tonality, density.
    profile: Option<Vec<f64>>,
    /// 0 to 1.
    fairness: Option<f64>,
    /// 1 to 48.
    penalty_hours: Option<i32>,
    /// 0 to 20,000.
    crossfade_ms: Option<i32>,
    /// -40 to -5.
    loudness_lufs: Option<f64>,
    /// Whether songs tagged explicit are played.
    allow_explicit: Option<bool>,
    /// 0 to 240.
    artist_separation_min: Option<i32>,
    /// 0.1 to 1.
    skip_share: Option<f64>,
    /// 1 to 100.
    skip_min: Option<i32>,
    /// Whether listeners see what comes next.
    show_up_next: Option<bool>,
    /// Whether check-in asks for the rotating code.
    require_rotating_code: Option<bool>,
    /// 0 to 20.
    profile_weight: Option<f64>,
    /// Which kinds of songs are played; empty: all, also those of no known kind.
    kinds: Option<Vec<SongKind>>,
    /// A whole week, in the place of the one before.
    schedule: Option<ScheduleInput>,
}

impl ZoneSettingsInput {
    /// The changes that are meant.
    pub(super) fn read(self) -> std::result::Result<SettingsChanges, Refusal> {
        let given = self;
        Ok(SettingsChanges {
            profile: given.profile,
            fairness: given.fairness,
            penalty_hours: given.penalty_hours,
            crossfade_ms: given.crossfade_ms,
            loudness_lufs: given.loudness_lufs,
            allow_explicit: given.allow_explicit,
            artist_separation_min: given.artist_separation_min,
            skip_share: given.skip_share,
            skip_min: given.skip_min,
            show_up_next: given.show_up_next,
            require_rotating_code: given.require_rotating_code,
            profile_weight: given.profile_weight,
            kinds: given.kinds.map(|kinds| kinds.into_iter().map(Into::into).collect()),
            schedule: given.schedule.map(ScheduleInput::read).transpose()?,
        })
    }
}
