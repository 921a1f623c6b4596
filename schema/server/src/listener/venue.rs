//! The venue, its zones and its players.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use roomtone_schema::id::Id as _;
use roomtone_schema::venue;
use roomtone_schema::view::PlayerView;

use super::hours::OpenHours;
use super::play::NowPlaying;
use super::scalar::{DateTime, PlayerStatus};
use super::{date, room, shared};

/// One café, spa, gallery.
#[derive(Debug, Clone)]
pub struct Venue(pub venue::Venue);

/// One café, spa, gallery.
#[Object(directive = shared::apply())]
impl Venue {
    /// Opaque, globally unique; same value on hub and cloud.
    pub async fn id(&self) -> ID {
        self.0.id.to_global().into()
    }

    /// What people call it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// IANA name, such as Europe/Berlin.
    async fn time_zone(&self) -> &str {
        &self.0.time_zone
    }

    /// Its zones, the main one first.
    async fn zones(&self, ctx: &Context<'_>) -> Vec<Zone> {
        room(ctx).zones().iter().cloned().map(Zone).collect()
    }

    /// People checked in, in all zones.
    async fn active_listeners(&self, ctx: &Context<'_>) -> u32 {
        let room = room(ctx);
        let here = |zone: &venue::Zone| room.vibe(zone.id).map(|vibe| vibe.borrow().active_listeners);
        room.zones().iter().filter_map(here).sum()
    }
}

/// A part of a venue with its own players and vibe.
#[derive(Debug, Clone)]
pub struct Zone(pub venue::Zone);

/// A part of a venue with its own players and vibe.
#[Object(directive = shared::apply())]
impl Zone {
    /// Opaque, globally unique; same value on hub and cloud.
    pub async fn id(&self) -> ID {
        self.0.id.to_global().into()
    }

    /// main, terrace, ...
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// How long a song rests after it was played.
    async fn penalty_hours(&self) -> u32 {
        self.0.settings.penalty_hours
    }

    /// Overlap of two songs.
    async fn crossfade_ms(&self) -> u32 {
        self.0.settings.crossfade_ms
    }

    /// 0 = plain mean, 1 = strict turns.
    async fn fairness(&self) -> f64 {
        self.0.settings.fairness
    }

    /// When there is to be music; null where nobody here knows.
    async fn hours(&self, ctx: &Context<'_>) -> Option<OpenHours> {
        room(ctx).hours(self.0.id).map(OpenHours)
    }

    /// Its players.
    async fn players(&self, ctx: &Context<'_>) -> Vec<Player> {
        let players = room(ctx).players();
        let players = players.borrow();
        players.iter().filter(|view| view.player.zone == self.0.id).cloned().map(Player).collect()
    }
}

/// A box with a loudspeaker.
#[derive(Debug, Clone)]
pub struct Player(pub PlayerView);

/// A box with a loudspeaker.
#[Object(directive = shared::apply())]
impl Player {
    /// Opaque, globally unique; same value on hub and cloud.
    pub async fn id(&self) -> ID {
        self.0.player.id.to_global().into()
    }

    /// What people call it.
    async fn name(&self) -> &str {
        &self.0.player.name
    }

    /// Active, idle, offline.
    async fn status(&self) -> PlayerStatus {
        self.0.player.status.into()
    }

    /// What its zone hears, where it plays.
    async fn now_playing(&self) -> Option<NowPlaying> {
        self.0.now_playing.as_ref().map(|view| NowPlaying(Arc::clone(view)))
    }

    /// Its last heartbeat.
    async fn last_seen_at(&self) -> Option<DateTime> {
        self.0.player.last_seen_at.map(date)
    }

    /// 0 to 1.
    async fn volume(&self) -> f32 {
        self.0.player.volume
    }
}
