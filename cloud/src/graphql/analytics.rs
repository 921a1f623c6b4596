//! What happened in a venue, in numbers.

use async_graphql::{Context, Object, Result, SimpleObject};
use roomtone_schema::{AXES, SongId};
use roomtone_server::listener::scalar::{Axis, DateTime, axes};

use super::asking::{asker, cloud};
use super::song::Song;
use super::venue::song as song_of;
use super::words::date;
use crate::analytics::{self, Counts, Point, Question};

/// The most of the songs that were played most.
const MOST_TOP_SONGS: i32 = 50;

/// What happened in a venue, in numbers.
#[derive(Debug, Clone)]
pub(super) struct VenueAnalytics {
    question: Question,
    counts: Counts,
}

impl VenueAnalytics {
    /// The answer to a question.
    pub(super) async fn of(ctx: &Context<'_>, question: Question) -> Result<Self> {
        let counts = analytics::counts(cloud(ctx), asker(ctx)?, question).await?;
        Ok(Self { question, counts })
    }
}

/// What happened in a venue, in numbers.
#[Object]
impl VenueAnalytics {
    /// Songs that began.
    async fn plays(&self) -> i64 {
        self.counts.plays
    }

    /// Different ones.
    async fn unique_songs(&self) -> i64 {
        self.counts.songs
    }

    /// People who checked in; over ranges of more than 62 days or that begin more than 90 days ago, once a day each.
    async fn listeners(&self) -> i64 {
        self.counts.listeners
    }

    /// Likes.
    async fn likes(&self) -> i64 {
        self.counts.likes
    }

    /// Dislikes.
    async fn dislikes(&self) -> i64 {
        self.counts.dislikes
    }

    /// Music from the players' plans, while their hub was out of reach.
    async fn plan_seconds(&self) -> i64 {
        self.counts.plan_ms / 1_000
    }

    /// Music from the players' caches, when the plans had run out.
    async fn cache_seconds(&self) -> i64 {
        self.counts.cache_ms / 1_000
    }

    /// The same for each hour, day or week in which anything happened.
    #[graphql(complexity = "50 * child_complexity")]
    async fn series(&self, ctx: &Context<'_>) -> Result<Vec<AnalyticsPoint>> {
        let points = analytics::series(cloud(ctx), asker(ctx)?, self.question).await?;
        Ok(points.into_iter().map(AnalyticsPoint::of).collect())
    }

    /// The songs that were played most.
    #[graphql(complexity = "1 + first.clamp(1, 50) as usize * child_complexity")]
    async fn top_songs(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 10, desc = "1 to 50.")] first: i32,
    ) -> Result<Vec<SongPlays>> {
        let first = i64::from(first.clamp(1, MOST_TOP_SONGS));
        let top = analytics::top_songs(cloud(ctx), asker(ctx)?, self.question, first).await?;
        Ok(top.into_iter().map(|(song, plays)| SongPlays { song, plays }).collect())
    }
}

/// One hour, day or week.
#[derive(Debug, Clone, SimpleObject)]
pub(super) struct AnalyticsPoint {
    /// When it began, by the venue's clock.
    at: DateTime,
    /// Songs that began.
    plays: i64,
    /// People who checked in.
    listeners: i64,
    /// Likes.
    likes: i64,
    /// Dislikes.
    dislikes: i64,
    /// What was heard on the five axes: the mean of the songs that began, by how often; null where none has a direction.
    axes: Option<Vec<Axis>>,
}

impl AnalyticsPoint {
    fn of(point: Point) -> Self {
        let Counts { plays, listeners, likes, dislikes, .. } = point.counts;
        let sound = point.sound.and_then(|sound| <[f32; AXES]>::try_from(sound.to_vec()).ok());
        let axes = sound.map(|sound| axes(sound.map(f64::from)));
        Self { at: date(point.at), plays, listeners, likes, dislikes, axes }
    }
}

/// How often a song was played.
#[derive(Debug, Clone)]
pub(super) struct SongPlays {
    song: SongId,
    plays: i64,
}

/// How often a song was played.
#[Object]
impl SongPlays {
    /// Which; null where it is not in the catalogue.
    async fn song(&self, ctx: &Context<'_>) -> Result<Option<Song>> {
        song_of(ctx, self.song).await
    }

    /// How often.
    async fn plays(&self) -> i64 {
        self.plays
    }
}
