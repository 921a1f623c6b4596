//! What passes between the hub and a box with a loudspeaker.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use roomtone_schema::PlayerId;
use roomtone_schema::id::Id as _;
use roomtone_server::caller::Caller;
use roomtone_server::listener::hours::OpenHours;
use roomtone_server::listener::play::Explanation;
use roomtone_server::listener::scalar::Url;
use roomtone_server::listener::song::Song;
use roomtone_server::listener::{Unmet, UserError, UserErrorCode, caller};

use crate::hub::Hub;
use crate::media;
use crate::view::{self, PickView};

/// The player that asks, or why it is none.
pub(super) fn player(ctx: &Context<'_>) -> Result<PlayerId, Unmet> {
    if let Caller::Player(player) = caller(ctx) {
        return Ok(player);
    }
    let why = "this needs a player's token; `roomtone-hub pair` lets one in, `roomtone-hub player add NAME` prints one";
    Err(UserError::new(UserErrorCode::Forbidden, why).into())
}

/// One decision of the recommender, with all that a player needs to play it.
#[derive(Debug, Clone)]
pub(super) struct Pick(pub(super) Arc<PickView>);

/// One decision of the recommender, with all that a player needs to play it.
#[Object]
impl Pick {
    /// Opaque, globally unique.
    async fn id(&self) -> ID {
        self.0.id.to_global().into()
    }

    /// What to play.
    async fn song(&self) -> Song {
        Song(Arc::clone(&self.0.song))
    }

    /// Where the file can be had; good for some hours.
    async fn media_url(&self, ctx: &Context<'_>) -> Url {
        Url(media::url(ctx.data_unchecked::<Hub>(), &self.0.song.facts.sha256))
    }

    /// The file's digest, to check it by.
    async fn sha256(&self) -> String {
        self.0.song.facts.sha256.to_string()
    }

    /// The file's size.
    async fn bytes(&self) -> u64 {
        self.0.song.facts.bytes
    }

    /// Overlap with the song before.
    async fn crossfade_ms(&self) -> u32 {
        self.0.crossfade_ms
    }

    /// Where the music starts.
    async fn cue_in_ms(&self) -> u32 {
        self.0.song.facts.cue_in_ms
    }

    /// Where the music ends, and the crossfade may have begun.
    async fn cue_out_ms(&self) -> u32 {
        self.0.song.facts.cue_out_ms
    }

    /// What brings the song to the zone's loudness.
    async fn gain_db(&self) -> f32 {
        self.0.gain_db
    }

    /// Why this song.
    async fn explanation(&self) -> Explanation {
        (&self.0.explanation).into()
    }
}

/// What a player's zone plays, and what comes next.
#[derive(Debug, SimpleObject)]
pub(super) struct PlayerPlan {
    /// What plays; null where nothing does.
    pub(super) current: Option<Pick>,
    /// And then these, should the hub be gone.
    pub(super) plan: Vec<Pick>,
    /// When there is to be music: a player without its hub keeps them by itself.
    pub(super) hours: OpenHours,
    /// Whether a player may keep songs that it needs no more, by the licence; else what sounds, and the plan.
    pub(super) offline_storage: bool,
}

/// An order to one player.
#[derive(Debug, SimpleObject)]
pub(super) struct PlayerCommand {
    /// Counts up per player.
    id: ID,
    /// Which.
    kind: PlayerCommandKind,
    /// For `VOLUME`: 0 to 1.
    volume: Option<f32>,
    /// For `SKIP` and `PLAN_CHANGED`: what the zone plays now.
    pick: Option<Pick>,
}

impl From<view::PlayerCommand> for PlayerCommand {
    fn from(command: view::PlayerCommand) -> Self {
        Self {
            id: command.id.to_string().into(),
            kind: command.kind.into(),
            volume: command.volume,
            pick: command.pick.map(Pick),
        }
    }
}

/// What a player is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "view::PlayerCommandKind")]
pub(super) enum PlayerCommandKind {
    /// Hold.
    Pause,
    /// The look-ahead plan differs from the one you hold.
    PlanChanged,
    /// Go on.
    Resume,
    /// Leave this song.
    Skip,
    /// Stop playing.
    Stop,
    /// Change the volume.
    Volume,
}

/// How a play ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "roomtone_schema::play::PlayEnd")]
pub(super) enum PlayEnd {
    /// Could not be played.
    Failed,
    /// Heard to its end.
    Finished,
    /// The room voted it away, or a manager skipped it.
    Skipped,
    /// The player was stopped.
    Stopped,
}
