//! Songs as managers see them.

use std::fmt::Write as _;

use async_graphql::{Context, Enum, ID, Object, Result};
use roomtone_schema::AXES;
use roomtone_schema::id::Id as _;
use roomtone_server::listener::scalar::{Axis, DateTime, Url, axes};
use roomtone_server::listener::song::{Explicit, SongKind};

use super::asking::cloud;
use super::loaders::{StaffOf, VenuesOf, load, load_all};
use super::venue::{Organisation, Venue};
use super::words::{SongStatus, date};
use crate::catalogue;

/// One piece of music.
#[derive(Debug, Clone)]
pub(super) struct Song(pub(super) catalogue::Song);

/// What of a song a manager can say better than its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(super) enum SongValue {
    /// The album it belongs to.
    Album,
    /// Who made it.
    Artist,
    /// Beats per minute.
    Bpm,
    /// Where it stands on the five axes.
    Embedding,
    /// What its words are like.
    Explicit,
    /// Its recording code.
    Isrc,
    /// Its key.
    Key,
    /// Soundscape or instrumental.
    Kind,
    /// Who published it.
    Label,
    /// What it is called.
    Title,
}

impl SongValue {
    fn of_column(column: &str) -> Option<Self> {
        Some(match column {
            "album" => Self::Album,
            "artist" => Self::Artist,
            "bpm" => Self::Bpm,
            "embedding" => Self::Embedding,
            "explicit" => Self::Explicit,
            "isrc" => Self::Isrc,
            "key" => Self::Key,
            "type" | "kind" => Self::Kind,
            "label" => Self::Label,
            "title" => Self::Title,
            _ => return None,
        })
    }
}

/// One piece of music.
#[Object]
impl Song {
    /// Opaque, globally unique; same value on hub and cloud.
    pub(super) async fn id(&self) -> ID {
        self.0.id.to_global().into()
    }

    /// Whose catalogue it is in.
    async fn organisation(&self, ctx: &Context<'_>) -> Result<Option<Organisation>> {
        Ok(load(ctx, *self.0.organisation_id).await?.map(Organisation))
    }

    /// What it is called.
    async fn title(&self) -> &str {
        &self.0.title
    }

    /// Who made it.
    async fn artist(&self) -> Option<&str> {
        self.0.artist.as_deref()
    }

    /// The album it belongs to.
    async fn album(&self) -> Option<&str> {
        self.0.album.as_deref()
    }

    /// International Standard Recording Code, 12 characters.
    async fn isrc(&self) -> Option<&str> {
        self.0.isrc.as_deref()
    }

    /// Who published it.
    async fn label(&self) -> Option<&str> {
        self.0.label.as_deref()
    }

    /// Clean, explicit, or nobody has said.
    async fn explicit(&self) -> Explicit {
        self.0.explicit.0.into()
    }

    /// Soundscape or instrumental, where somebody has said.
    async fn kind(&self) -> Option<SongKind> {
        self.0.kind.map(|kind| kind.0.into())
    }

    /// Exact length; null until analysed.
    async fn duration_ms(&self) -> Option<i32> {
        self.0.duration_ms
    }

    /// Beats per minute, where the pulse is clear.
    async fn bpm(&self) -> Option<i32> {
        self.0.bpm
    }

    /// Musical key such as Am or D#m, where it is clear.
    async fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// Integrated loudness (EBU R128); null for silence.
    async fn loudness_lufs(&self) -> Option<f32> {
        self.0.loudness_lufs
    }

    /// True peak; null for silence.
    async fn true_peak_dbtp(&self) -> Option<f32> {
        self.0.true_peak_dbtp
    }

    /// Where the sound begins.
    async fn cue_in_ms(&self) -> Option<i32> {
        self.0.cue_in_ms
    }

    /// Where the sound ends.
    async fn cue_out_ms(&self) -> Option<i32> {
        self.0.cue_out_ms
    }

    /// Where it stands on the five axes; null where it has no direction (silence), or is not analysed.
    async fn axes(&self) -> Option<Vec<Axis>> {
        let values: [f32; AXES] = self.0.embedding.as_ref()?.to_vec().try_into().ok()?;
        Some(axes(values.map(f64::from)))
    }

    /// What of the above a manager has set: a new analysis leaves it alone.
    async fn own_values(&self) -> Vec<SongValue> {
        self.0.own_values.iter().filter_map(|column| SongValue::of_column(column)).collect()
    }

    /// Where it stands on its way to being played.
    async fn status(&self) -> SongStatus {
        self.0.status.0.into()
    }

    /// Why it could not be analysed.
    async fn failure(&self) -> Option<&str> {
        self.0.failure.as_deref()
    }

    /// The file's digest.
    async fn sha256(&self) -> String {
        self.0.content_sha256.iter().fold(String::new(), |mut text, byte| {
            let _never_fails = write!(text, "{byte:02x}");
            text
        })
    }

    /// The file's size.
    async fn bytes(&self) -> i64 {
        self.0.content_bytes
    }

    /// Container and codec of the file.
    async fn content_type(&self) -> &str {
        &self.0.content_type
    }

    /// When it was last played in any venue.
    async fn last_played_at(&self) -> Option<DateTime> {
        self.0.last_played.map(date)
    }

    /// When it joined the catalogue.
    async fn created_at(&self) -> DateTime {
        date(self.0.created_at)
    }

    /// Where its file can be had, for a quarter of an hour; null for whoever only looks.
    async fn download_url(&self, ctx: &Context<'_>) -> Result<Option<Url>> {
        if load(ctx, StaffOf(*self.0.organisation_id)).await?.is_none() {
            return Ok(None);
        }
        Ok(Some(Url(catalogue::download_url(cloud(ctx), &self.0).await?)))
    }

    /// The venues that play it, among those that the viewer may see.
    #[graphql(complexity = "5 * child_complexity")]
    async fn venues(&self, ctx: &Context<'_>) -> Result<Vec<Venue>> {
        let ids = load(ctx, VenuesOf(*self.0.id)).await?.unwrap_or_default();
        let mut found = load_all(ctx, ids.iter().copied()).await?;
        Ok(ids.iter().filter_map(|id| found.remove(id)).map(Venue).collect())
    }
}
