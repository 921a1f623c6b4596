//! Songs as listeners see them.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object};
use roomtone_schema::Embedding;
use roomtone_schema::id::Id as _;
use roomtone_schema::song;

use super::rows::{Asked, Plan, Row, View, write};
use super::scalar::{Axis, Url, VoteValue, axes};
use super::{per_viewer, room, shared, viewer};

/// One piece of music.
#[derive(Debug, Clone)]
pub struct Song(pub Arc<song::Song>);

/// What the words of a song are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "song::Explicit")]
pub enum Explicit {
    /// Tagged as clean.
    Clean,
    /// Tagged as explicit.
    Explicit,
    /// The file does not say.
    Unknown,
}

/// What sort of piece it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "song::SongKind")]
pub enum SongKind {
    /// Music without words.
    Instrumental,
    /// A sound of a place.
    Soundscape,
}

/// One piece of music.
#[Object(directive = shared::apply())]
impl Song {
    /// Opaque, globally unique; same value on hub and cloud.
    pub async fn id(&self) -> ID {
        self.0.id.to_global().into()
    }

    /// The tag, or the file's name.
    async fn title(&self) -> &str {
        &self.0.facts.title
    }

    /// Who made it.
    async fn artist(&self) -> Option<&str> {
        self.0.facts.artist.as_deref()
    }

    /// The album it belongs to.
    async fn album(&self) -> Option<&str> {
        self.0.facts.album.as_deref()
    }

    /// Exact length.
    async fn duration_ms(&self) -> u32 {
        self.0.facts.duration_ms
    }

    /// Beats per minute, where the pulse is clear.
    async fn bpm(&self) -> Option<f32> {
        self.0.facts.bpm
    }

    /// Musical key such as Am or D#m, where it is clear.
    async fn key(&self) -> Option<&str> {
        self.0.facts.key.as_deref()
    }

    /// Soundscape or instrumental, where tagged.
    async fn kind(&self) -> Option<SongKind> {
        self.0.facts.kind.map(Into::into)
    }

    /// Where it stands on the five axes; empty where it has no direction (silence).
    async fn axes(&self) -> Vec<Axis> {
        self.places()
    }

    /// Integrated loudness (EBU R128); null for silence.
    async fn loudness_lufs(&self) -> Option<f32> {
        self.0.facts.loudness_lufs
    }

    /// Clean, explicit, or nobody has said.
    async fn explicit(&self) -> Explicit {
        self.0.facts.explicit.into()
    }

    /// CSS colour derived from the embedding, for covers without art.
    async fn color(&self) -> String {
        colour(self.0.facts.embedding.as_ref())
    }

    /// Playable from this hub right now.
    async fn is_cached(&self, ctx: &Context<'_>) -> bool {
        room(ctx).is_cached(self.0.id)
    }

    /// Where the file can be had; good for some hours.
    async fn media_url(&self, ctx: &Context<'_>) -> Option<Url> {
        room(ctx).media_url(&self.0).map(Url)
    }

    /// The viewer's own vote.
    #[graphql(directive = per_viewer::apply())]
    async fn viewer_vote(&self, ctx: &Context<'_>) -> Option<VoteValue> {
        let viewer = viewer(ctx).ok()?;
        room(ctx).viewer_vote(&viewer, self.0.id).map(|vote| vote.value.into())
    }
}

impl Song {
    fn places(&self) -> Vec<Axis> {
        self.0.facts.embedding.map_or_else(Vec::new, |embedding| axes(embedding.values().map(f64::from)))
    }
}

/// See [`Row`].
#[derive(Debug)]
#[expect(missing_docs, reason = "they are the fields of the type, described there")]
pub enum SongField {
    Id,
    Title,
    Artist,
    Album,
    DurationMs,
    Bpm,
    Key,
    Kind,
    Axes(Plan<Axis>),
    LoudnessLufs,
    Explicit,
    Color,
    IsCached,
    MediaUrl,
    ViewerVote,
}

impl Row for Song {
    const TYPES: &'static [&'static str] = &["Song", "Node"];
    type Field = SongField;

    fn field(asked: &Asked<'_>) -> Option<SongField> {
        Some(match asked.name {
            "id" => SongField::Id,
            "title" => SongField::Title,
            "artist" => SongField::Artist,
            "album" => SongField::Album,
            "durationMs" => SongField::DurationMs,
            "bpm" => SongField::Bpm,
            "key" => SongField::Key,
            "kind" => SongField::Kind,
            "axes" => SongField::Axes(asked.plan()?),
            "loudnessLufs" => SongField::LoudnessLufs,
            "explicit" => SongField::Explicit,
            "color" => SongField::Color,
            "isCached" => SongField::IsCached,
            "mediaUrl" => SongField::MediaUrl,
            "viewerVote" => SongField::ViewerVote,
            _ => return None,
        })
    }

    fn write(&self, field: &SongField, view: &View<'_>, out: &mut Vec<u8>) {
        let facts = &self.0.facts;
        match field {
            SongField::Id => write::id(self.0.id, out),
            SongField::Title => write::text(&facts.title, out),
            SongField::Artist => write::optional(facts.artist.as_deref(), out, write::text),
            SongField::Album => write::optional(facts.album.as_deref(), out, write::text),
            SongField::DurationMs => write::value(&facts.duration_ms, out),
            SongField::Bpm => write::optional(facts.bpm, out, |bpm, out| write::float(bpm.into(), out)),
            SongField::Key => write::optional(facts.key.as_deref(), out, write::text),
            SongField::Kind => write::optional(facts.kind, out, write::name::<SongKind>),
            SongField::Axes(plan) => plan.write_all(&self.places(), view, out),
            SongField::LoudnessLufs => {
                write::optional(facts.loudness_lufs, out, |lufs, out| write::float(lufs.into(), out));
            }
            SongField::Explicit => write::name::<Explicit>(facts.explicit, out),
            SongField::Color => write::text(&colour(facts.embedding.as_ref()), out),
            SongField::IsCached => write::value(&view.room.is_cached(self.0.id), out),
            SongField::MediaUrl => {
                write::optional(view.room.media_url(&self.0), out, |url, out| write::text(&url, out));
            }
            SongField::ViewerVote => {
                let vote = view.viewer().and_then(|viewer| view.room.viewer_vote(viewer, self.0.id));
                write::optional(vote, out, |vote, out| write::name::<VoteValue>(vote.value, out));
            }
        }
    }
}

/// Warm amber for what is dark and tonal, over rose and violet to blue for what is bright and noisy; the more energy, the more
/// colour. The page computes the same from the axes, with the lightness of its theme.
fn colour(embedding: Option<&Embedding>) -> String {
    const AMBER: f32 = 68.0;
    const TO_BLUE: f32 = 178.0;
    let Some(embedding) = embedding else { return "oklch(0.68 0 0)".to_owned() };
    let [energy, brightness, _, tonality, _] = embedding.values();
    let cool = 0.5 + 0.5 * (0.75 * brightness - 0.45 * tonality);
    let hue = (AMBER - TO_BLUE * cool.clamp(0.0, 1.0).powf(1.25)).rem_euclid(360.0);
    let chroma = 0.06 + 0.026 * (energy.clamp(-1.0, 1.0) + 1.0);
    format!("oklch(0.68 {chroma:.3} {hue:.0})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_colour_runs_from_amber_to_blue() {
        let colour_of = |values| colour(Some(&Embedding::new(values).unwrap()));
        assert_eq!(colour_of([1.0, -1.0, 0.0, 1.0, 0.0]), "oklch(0.68 0.112 68)");
        assert_eq!(colour_of([-1.0, 1.0, 0.0, -1.0, 0.0]), "oklch(0.68 0.060 250)");
        assert_eq!(colour(None), "oklch(0.68 0 0)");
    }
}
