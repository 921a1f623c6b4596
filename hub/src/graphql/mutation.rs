//! Mutations that only a hub takes: those of its players.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use roomtone_schema::player::PlayerHealth;
use roomtone_schema::{PickId, PlayId, SongId};
use roomtone_server::listener::hours::OpenHours;
use roomtone_server::listener::scalar::{PlayerStatus, Tier};
use roomtone_server::listener::venue::Player;
use roomtone_server::listener::{Payload, Unmet, UserError, id, key, settle};
use roomtone_sync::trouble::harmless;

use super::dead_letters::{
    DiscardDeadLetterInput, DiscardDeadLetterPayload, RetryDeadLetterInput, RetryDeadLetterPayload,
};
use super::late::{ReportPlaysInput, ReportPlaysPayload};
use super::ordering::{OrderPlayerInput, OrderPlayerPayload};
use super::player::{Pick, PlayEnd, player};
use super::room::unmet;
use crate::hub::Hub;
use crate::playing::ClaimRequest;
use crate::view::PlaybackReport;

/// A player wants music.
#[derive(Debug, InputObject)]
pub(super) struct ClaimNextSongInput {
    /// A UUID, new for each intent.
    idempotency_key: ID,
    /// The global id of a `Play` that the player made; whoever names its plays tells the end of each itself.
    play_id: Option<ID>,
    /// The pick of its plan that it has begun already: its zone follows, unless another player has moved on first.
    begun: Option<ID>,
    /// The song of `begun`, for a hub that was started anew since it made that plan.
    begun_song_id: Option<ID>,
}

impl ClaimNextSongInput {
    fn read(&self) -> Result<ClaimRequest, Unmet> {
        Ok(ClaimRequest {
            key: key(&self.idempotency_key)?,
            play: self.play_id.as_ref().map(|given| id::<PlayId>(given, "playId")).transpose()?,
            begun: self.begun.as_ref().map(|given| id::<PickId>(given, "begun")).transpose()?,
            begun_song: self
                .begun_song_id
                .as_ref()
                .map(|given| id::<SongId>(given, "begunSongId"))
                .transpose()?,
        })
    }
}

/// The next song, or why there is none.
#[derive(Debug, Default, SimpleObject)]
pub(super) struct ClaimNextSongPayload {
    /// Play this.
    pick: Option<Pick>,
    /// And then these, should the hub be gone.
    plan: Vec<Pick>,
    /// When there is to be music: a player without its hub keeps them by itself.
    hours: Option<OpenHours>,
    /// Whether a player may keep songs that it needs no more, by the licence; else what sounds, and the plan.
    offline_storage: Option<bool>,
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
    /// Which play this is about, where the player names its plays; one that is not known yet begins with this.
    play_id: Option<ID>,
    /// How the player is.
    health: Option<PlayerHealthInput>,
}

/// How a player is. What it cannot say it leaves out.
#[derive(Debug, Clone, InputObject)]
pub(super) struct PlayerHealthInput {
    /// How loud its output is right now, in dB below full scale.
    level_db: Option<f64>,
    /// Whether nothing is heard though something should be.
    silent: Option<bool>,
    /// Room on its disk.
    disk_free_bytes: Option<u64>,
    /// Songs that it holds.
    cached_songs: Option<u32>,
    /// For how long it could play on without the hub.
    planned_ms: Option<u64>,
    /// Whether it believes its clock.
    clock_trusted: Option<bool>,
    /// What it plays on.
    output: Option<String>,
    /// What is wrong with that.
    output_trouble: Option<String>,
    /// Its program's version.
    version: Option<String>,
    /// Somebody on the network who says to be its hub and is not.
    rogue: Option<String>,
}

/// Whoever runs the venue reads this; a player that has gone mad must not fill their screen.
const LONGEST_WORD: usize = 200;

impl From<&PlayerHealthInput> for PlayerHealth {
    fn from(given: &PlayerHealthInput) -> Self {
        let cut = |text: &Option<String>| text.as_ref().map(|text| harmless(text, LONGEST_WORD));
        Self {
            level_db: given.level_db.filter(|level| level.is_finite()),
            silent: given.silent.unwrap_or(false),
            disk_free_bytes: given.disk_free_bytes,
            cached_songs: given.cached_songs,
            planned_ms: given.planned_ms,
            clock_trusted: given.clock_trusted,
            output: cut(&given.output),
            output_trouble: cut(&given.output_trouble),
            version: cut(&given.version),
            rogue: cut(&given.rogue),
        }
    }
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
            play: self.play_id.as_ref().map(|given| id::<PlayId>(given, "playId")).transpose()?,
            health: self.health.as_ref().map(Into::into),
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

    /// Player: plays that have ended while the hub was out of reach; each counts once by its id.
    async fn report_plays(&self, ctx: &Context<'_>, input: ReportPlaysInput) -> Result<ReportPlaysPayload> {
        settle(super::late::report(ctx, &input).await)
    }

    /// Manager: an order to one player. What holds on (volume, pause, stop) is kept over restarts.
    async fn order_player(&self, ctx: &Context<'_>, input: OrderPlayerInput) -> Result<OrderPlayerPayload> {
        settle(super::ordering::order(ctx, &input).await)
    }

    /// Manager: sends a fact that the cloud keeps apart again.
    async fn retry_dead_letter(
        &self,
        ctx: &Context<'_>,
        input: RetryDeadLetterInput,
    ) -> Result<RetryDeadLetterPayload> {
        settle(super::dead_letters::retry(ctx, &input).await)
    }

    /// Manager: drops a fact that the cloud keeps apart; it is told no more.
    async fn discard_dead_letter(
        &self,
        ctx: &Context<'_>,
        input: DiscardDeadLetterInput,
    ) -> Result<DiscardDeadLetterPayload> {
        settle(super::dead_letters::discard(ctx, &input).await)
    }
}

async fn claim(ctx: &Context<'_>, input: &ClaimNextSongInput) -> Result<ClaimNextSongPayload, Unmet> {
    let hub = ctx.data_unchecked::<Hub>();
    let claim = hub.claim_next_song(player(ctx)?, input.read()?).await.map_err(unmet)?;
    let plan = claim.plan.into_iter().map(Pick).collect();
    let (pick, hours) = (Some(Pick(claim.pick)), Some(OpenHours(claim.hours)));
    let offline_storage = Some(claim.offline_storage);
    Ok(ClaimNextSongPayload { pick, plan, hours, offline_storage, user_errors: Vec::new() })
}

async fn report(ctx: &Context<'_>, input: &ReportPlaybackInput) -> Result<ReportPlaybackPayload, Unmet> {
    let hub = ctx.data_unchecked::<Hub>();
    let (player, key) = (player(ctx)?, key(&input.idempotency_key)?);
    let view = hub.report_playback(player, Some(key), input.read()?).await.map_err(unmet)?;
    Ok(ReportPlaybackPayload { player: Some(Player(view)), user_errors: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_player_says_of_itself_cannot_change_how_the_rest_is_shown() {
        let said = "Speaker\n\u{202e}1\u{1b}[2J\u{2069}\u{200f}".to_owned() + &"x".repeat(300);
        let given = PlayerHealthInput {
            level_db: None,
            silent: None,
            disk_free_bytes: None,
            cached_songs: None,
            planned_ms: None,
            clock_trusted: None,
            output: Some(said),
            output_trouble: None,
            version: None,
            rogue: None,
        };
        let output = PlayerHealth::from(&given).output.unwrap();
        assert!(output.starts_with("Speaker  1 [2J  x"), "{output:?}");
        assert_eq!(output.chars().count(), LONGEST_WORD);
    }
}
