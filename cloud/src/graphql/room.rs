//! What a zone shows, as its hub told last.

use async_graphql::{Context, Object, Result, SimpleObject};
use roomtone_schema::view::{VibeSource, VibeView};
use roomtone_server::listener::hours::OpenHours;
use roomtone_server::listener::play::Vibe;
use roomtone_server::listener::scalar::DateTime;
use serde_json::Value;

use super::asking::cloud;
use super::loaders::load_all;
use super::song::Song;
use super::venue::song;
use super::words::date;
use crate::rooms::{Room, hours, millis};

/// Songs of what comes next; a song's own fields are asked that often.
const NEXT: usize = 5;

/// What a zone shows, as its hub told last. A hub out of reach tells nothing: look at `toldAt`.
#[derive(Debug, Clone)]
pub(super) struct ZoneRoom(pub(super) Room);

/// What a zone shows, as its hub told last. A hub out of reach tells nothing: look at `toldAt`.
#[Object]
impl ZoneRoom {
    /// When it told: every half minute while it is in reach.
    async fn told_at(&self) -> DateTime {
        date(self.0.told_at)
    }

    /// What plays, as far as is known; null where nothing does, or the last song that is known of is over.
    #[graphql(complexity = "1 + child_complexity")]
    async fn now_playing(&self, ctx: &Context<'_>) -> Result<Option<RoomPlaying>> {
        let Some(heard) = self.0.heard() else { return Ok(None) };
        let Some(song) = song(ctx, heard.song).await? else { return Ok(None) };
        let now = cloud(ctx).now();
        let duration_ms = song.0.duration_ms.and_then(|ms| u32::try_from(ms).ok()).unwrap_or(0);
        if heard.is_over(duration_ms, now) {
            return Ok(None);
        }
        Ok(Some(RoomPlaying {
            song,
            started_at: roomtone_server::listener::date(heard.started_at),
            position_ms: heard.position_ms(duration_ms, now),
            as_of: roomtone_server::listener::date(now),
        }))
    }

    /// What comes next, at most five songs. Staff see them also where the licence or the zone hides them from listeners.
    #[graphql(complexity = "NEXT * child_complexity")]
    async fn up_next(&self, ctx: &Context<'_>) -> Result<Vec<Song>> {
        let next = self.0.next();
        let songs = load_all(ctx, next.iter().copied()).await?;
        Ok(next.iter().take(NEXT).filter_map(|id| songs.get(id).cloned().map(Song)).collect())
    }

    /// When its music is, as was told and carried on to now; null where that was not told.
    async fn hours(&self, ctx: &Context<'_>) -> Option<OpenHours> {
        let told = self.0.told.hours.as_ref()?;
        Some(OpenHours(hours(told, cloud(ctx).now())))
    }

    /// What it wants, and how many people are checked in.
    async fn vibe(&self) -> Vibe {
        let told = &self.0.told;
        let source = serde_json::from_value(Value::String(told.source.clone()));
        Vibe::from(&VibeView {
            axes: told.axes,
            consensus: told.consensus,
            active_listeners: told.listeners,
            source: source.unwrap_or(VibeSource::None),
            updated_at: millis(self.0.told_at),
        })
    }
}

/// What a zone hears, as far as is known.
#[derive(Debug, Clone, SimpleObject)]
pub(super) struct RoomPlaying {
    /// What plays.
    song: Song,
    /// When it began.
    started_at: DateTime,
    /// Position at asOf.
    position_ms: u32,
    /// When positionMs was true: the server's time of this answer. Reckon from here, never from your own clock.
    as_of: DateTime,
}
