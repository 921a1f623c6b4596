//! Plays that a player tells of after they have ended.

use async_graphql::{Context, ID, InputObject, SimpleObject};
use roomtone_schema::id::Id as _;
use roomtone_schema::{PickId, PlayId, SongId};
use roomtone_server::listener::scalar::Tier;
use roomtone_server::listener::{Payload, Unmet, UserError, id, key};

use super::player::{PlayEnd, player};
use super::room::unmet;
use crate::hub::Hub;
use crate::view::LatePlay;

/// What a player has played while the hub was out of reach.
#[derive(Debug, InputObject)]
pub(super) struct ReportPlaysInput {
    /// A UUID, new for each intent.
    idempotency_key: ID,
    /// At most 100 at once.
    plays: Vec<LatePlayInput>,
}

/// A play that has ended. How long ago it was is told instead of when: no two clocks need to agree.
#[derive(Debug, InputObject)]
pub(super) struct LatePlayInput {
    /// The global id of a `Play` that the player made.
    play_id: ID,
    /// What was played.
    song_id: ID,
    /// By which decision.
    pick_id: Option<ID>,
    /// How many milliseconds ago it began.
    started_ago_ms: i64,
    /// How many milliseconds ago it ended.
    ended_ago_ms: i64,
    /// Heard, from the output's meter.
    heard_ms: u32,
    /// How it ended.
    ended: PlayEnd,
    /// Where the music came from.
    tier: Tier,
}

impl LatePlayInput {
    fn read(&self) -> Result<LatePlay, Unmet> {
        Ok(LatePlay {
            play: id::<PlayId>(&self.play_id, "plays")?,
            song: id::<SongId>(&self.song_id, "plays")?,
            pick: self.pick_id.as_ref().map(|given| id::<PickId>(given, "plays")).transpose()?,
            started_ago_ms: self.started_ago_ms,
            ended_ago_ms: self.ended_ago_ms,
            heard_ms: self.heard_ms,
            ended: self.ended.into(),
            tier: self.tier.into(),
        })
    }
}

/// Taken, or why not.
#[derive(Debug, Default, SimpleObject)]
pub(super) struct ReportPlaysPayload {
    /// So many are part of the history now, also those that were before.
    taken: Option<u32>,
    /// Songs that this venue has never had; their plays are dropped.
    unknown: Vec<ID>,
    /// Why not.
    user_errors: Vec<UserError>,
}

impl Payload for ReportPlaysPayload {
    fn refused(error: UserError) -> Self {
        Self { user_errors: vec![error], ..Self::default() }
    }
}

pub(super) async fn report(ctx: &Context<'_>, input: &ReportPlaysInput) -> Result<ReportPlaysPayload, Unmet> {
    let (player, key) = (player(ctx)?, key(&input.idempotency_key)?);
    let late: Vec<LatePlay> = input.plays.iter().map(LatePlayInput::read).collect::<Result<_, _>>()?;
    let taken = ctx.data_unchecked::<Hub>().report_plays(player, key, late).await.map_err(unmet)?;
    let unknown = taken.unknown.into_iter().map(|song| song.to_global().into()).collect();
    Ok(ReportPlaysPayload { taken: Some(taken.taken), unknown, user_errors: Vec::new() })
}
