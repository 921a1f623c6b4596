//! Mutations that only a hub takes: those of its players.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use roomtone_schema::{PickId, SongId};
use roomtone_server::listener::scalar::{PlayerStatus, Tier};
use roomtone_server::listener::venue::Player;
use roomtone_server::listener::{Payload, Unmet, UserError, id, key, settle};

use super::player::{Pick, PlayEnd, player};
use super::room::unmet;
use crate::hub::Hub;
use crate::view::PlaybackReport;

/// A player wants music.
#[derive(Debug, InputObject)]
pub(super) struct ClaimNextSongInput {
    /// A UUID, new for each intent.
    idempotency_key: ID,
}

/// The next song, or why there is none.
#[derive(Debug, Default, SimpleObject)]
pub(super) struct ClaimNextSongPayload {
    /// Play this.
    pick: Option<Pick>,
    /// And then these, should the hub be gone.
    plan: Vec<Pick>,
    /// Why not.
    user_errors: Vec<UserError>,
}

impl Payload for ClaimNextSongPayload {
    fn refused(error: UserError) -> Self {
        Self { user_errors: vec![error], ..Self::default() }
    }
}

/// What a player says of itself.
#[derive(Debug, InputObject)]
pub(super) struct ReportPlaybackInput {
    /// A UUID, new for each intent.
    idempotency_key: ID,
    /// Active, idle, offline.
    status: PlayerStatus,
    /// The pick it plays or has ended.
    pick_id: Option<ID>,
    /// The song, for players that do not know picks.
    song_id: Option<ID>,
    /// Position in the song.
    position_ms: Option<u32>,
    /// Heard so far, from the output's meter.
    heard_ms: Option<u32>,
    /// Unplanned silence since the last report.
    silence_ms: Option<u32>,
    /// Where its music comes from.
    tier: Option<Tier>,
    /// How the play ended, where it has.
    ended: Option<PlayEnd>,
}

impl ReportPlaybackInput {
    fn read(&self) -> Result<PlaybackReport, Unmet> {
        Ok(PlaybackReport {
            status: self.status.into(),
            pick: self.pick_id.as_ref().map(|given| id::<PickId>(given, "pickId")).transpose()?,
            song: self.song_id.as_ref().map(|given| id::<SongId>(given, "songId")).transpose()?,
            position_ms: self.position_ms,
            heard_ms: self.heard_ms,
            silence_ms: self.silence_ms,
            tier: self.tier.map(Into::into),
            ended: self.ended.map(Into::into),
        })
    }
}

/// Taken, or why not.
#[derive(Debug, Default, SimpleObject)]
pub(super) struct ReportPlaybackPayload {
    /// The player as it is known now.
    player: Option<Player>,
    /// Why not.
    user_errors: Vec<UserError>,
}

impl Payload for ReportPlaybackPayload {
    fn refused(error: UserError) -> Self {
        Self { user_errors: vec![error], ..Self::default() }
    }
}

#[derive(Debug, Default)]
pub(super) struct PlayerMutation;

#[Object]
impl PlayerMutation {
    /// Player: claims the next song, with the look-ahead plan for when the hub is gone.
    async fn claim_next_song(
        &self,
        ctx: &Context<'_>,
        input: ClaimNextSongInput,
    ) -> Result<ClaimNextSongPayload> {
        settle(claim(ctx, &input).await)
    }

    /// Player: heartbeat and facts of playing.
    async fn report_playback(
        &self,
        ctx: &Context<'_>,
        input: ReportPlaybackInput,
    ) -> Result<ReportPlaybackPayload> {
        settle(report(ctx, &input).await)
    }
}

async fn claim(ctx: &Context<'_>, input: &ClaimNextSongInput) -> Result<ClaimNextSongPayload, Unmet> {
    let hub = ctx.data_unchecked::<Hub>();
    let claim = hub.claim_next_song(player(ctx)?, key(&input.idempotency_key)?).await.map_err(unmet)?;
    let plan = claim.plan.into_iter().map(Pick).collect();
    Ok(ClaimNextSongPayload { pick: Some(Pick(claim.pick)), plan, user_errors: Vec::new() })
}

async fn report(ctx: &Context<'_>, input: &ReportPlaybackInput) -> Result<ReportPlaybackPayload, Unmet> {
    let hub = ctx.data_unchecked::<Hub>();
    let (player, key) = (player(ctx)?, key(&input.idempotency_key)?);
    let view = hub.report_playback(player, Some(key), input.read()?).await.map_err(unmet)?;
    Ok(ReportPlaybackPayload { player: Some(Player(view)), user_errors: Vec::new() })
}
