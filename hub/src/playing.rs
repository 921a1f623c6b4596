//! What players do: claim the next song, say what they play, take orders.

use std::sync::Arc;
use std::time::Duration;

use roomtone_schema::id::Id as _;
use roomtone_schema::play::{Play, PlayEnd, Tier};
use roomtone_schema::player::PlayerStatus;
use roomtone_schema::{FactId, PickId, PlayId, PlayerId, SongId, UnixMillis};

use crate::hub::Inner;
use crate::locks::locked;
pub use crate::ordering::CommandError;
pub use crate::players::{AddPlayerError, AddedPlayer, ChangePlayerError, RenewTokenError};
use crate::refusal::{Refusal, RefusalCode};
pub use crate::reporting::ReportError;
use crate::room::{Current, ZoneRoom, length};
use crate::secrets::new_id;
use crate::store::{StoreError, Tx, idempotency, players, plays};
use crate::view::{NowPlayingView, OpenHoursView, PickView, PlayerCommandKind, PlayerView};

mod claiming;

pub use claiming::{Ahead, ClaimRequest};

/// A play that ends so near to its song's end was heard to the end.
const NEAR_THE_END: Duration = Duration::from_secs(15);

/// What a repeated claim is known by.
const CLAIM: &str = "claim_next_song";

/// The next song and what to do should the hub be gone after it.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Play this.
    pub pick: Arc<PickView>,
    /// And then these, hours of them.
    pub plan: Vec<Arc<PickView>>,
    /// Until when, and from when on again.
    pub hours: OpenHoursView,
    /// Whether the venue's licence lets players keep songs that they need no more.
    pub offline_storage: bool,
}

/// Why there is no song for a player.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Not one of ours (any more).
    #[error("this player is not known here; add it with `roomtone-hub player add NAME`")]
    UnknownPlayer,
    /// The catalogue is empty, or no file of it is here.
    #[error("no music yet: run `roomtone-hub import DIR`")]
    NoMusic,
    /// Outside the zone's hours.
    #[error("the zone is closed, so no song begins{}", opens(*opens_in))]
    Closed {
        /// When there is music again, where that is known.
        opens_in: Option<Duration>,
    },
    /// The key belongs to something else.
    #[error("this idempotencyKey was used for something else; take a new one")]
    KeyUsed,
    /// Ours.
    #[error("the pick could not be saved: {0}")]
    Store(#[from] StoreError),
}

fn opens(opens_in: Option<Duration>) -> String {
    let minutes = opens_in.map(|opens_in| opens_in.as_secs().div_ceil(60));
    minutes.map_or_else(String::new, |minutes| {
        format!("; it opens in {} h {:02} min", minutes / 60, minutes % 60)
    })
}

impl Refusal for ClaimError {
    fn code(&self) -> Option<RefusalCode> {
        match self {
            Self::UnknownPlayer => Some(RefusalCode::Forbidden),
            Self::NoMusic | Self::Closed { .. } => Some(RefusalCode::NotFound),
            Self::KeyUsed => Some(RefusalCode::Conflict),
            Self::Store(_) => None,
        }
    }

    fn field(&self) -> Option<&'static [&'static str]> {
        matches!(self, Self::KeyUsed).then_some(&["input", "idempotencyKey"])
    }
}

impl Inner {
    /// The older plan's way to the same programme.
    pub(crate) async fn next_song(self: &Arc<Self>, player: PlayerId) -> Result<Arc<PickView>, ClaimError> {
        let room = self.room_of_player(player).ok_or(ClaimError::UnknownPlayer)?;
        let _turn = room.advancing.lock().await;
        let now = self.clock.now();
        self.see(player, now);
        let (pick, is_known) = match room.current().filter(|current| !current.is_over(now)) {
            Some(current) => {
                let is_known = current.given_to.contains(&player);
                (current.pick, is_known)
            }
            None => (self.advance(&room, player).await?, false),
        };
        if !is_known {
            self.give(&room, player, &pick, None).await;
        }
        Ok(pick)
    }

    /// The room votes or a manager orders a song away. The caller holds `advancing`.
    pub(crate) async fn skip(self: &Arc<Self>, room: &Arc<ZoneRoom>) -> Result<(), StoreError> {
        let Some(current) = room.current() else { return Ok(()) };
        self.counters.skips.up();
        locked(&room.stage).skipped(self.clock.now());
        let pick = match self.advance(room, current.player).await {
            Ok(pick) => pick,
            Err(ClaimError::Store(error)) => return Err(error),
            Err(_) => return Ok(()),
        };
        for known in locked(&self.players).of_zone(room.zone.id) {
            known.order(PlayerCommandKind::Skip, |order| order.pick = Some(Arc::clone(&pick)));
        }
        Ok(())
    }

    /// Shows what a zone hears.
    pub(crate) fn show_now_playing(&self, room: &ZoneRoom) {
        let now = self.clock.now();
        let current = room.current().filter(|current| !current.has_faded(now));
        let view = current.map(|current| Arc::new(self.now_playing_view(room, &current, now)));
        room.now_playing.send_if_modified(|shown| {
            let same = match (&*shown, &view) {
                (None, None) => true,
                (Some(shown), Some(view)) => is_same(shown, view),
                _ => false,
            };
            if !same {
                *shown = view;
            }
            !same
        });
    }

    /// Shows all players.
    pub(crate) fn show_players(&self) {
        let players: Vec<PlayerId> = locked(&self.players).all().map(|known| known.player.id).collect();
        let views: Arc<[PlayerView]> = players.into_iter().filter_map(|id| self.player_view(id)).collect();
        self.players_shown.send_replace(views);
    }

    pub(crate) fn player_view(&self, player: PlayerId) -> Option<PlayerView> {
        let player = locked(&self.players).get(player)?.player.clone();
        let zone = self.room(player.zone)?;
        let plays = player.status == PlayerStatus::Active;
        let now_playing = plays.then(|| zone.now_playing.borrow().clone()).flatten();
        Some(PlayerView { player, now_playing })
    }

    fn now_playing_view(&self, room: &ZoneRoom, current: &Current, now: UnixMillis) -> NowPlayingView {
        let (skip_votes, skip_votes_needed) = self.skip_state(room, current, now);
        let position = current.position(now).min(length(&current.pick.song));
        NowPlayingView {
            pick: Arc::clone(&current.pick),
            zone: room.zone.id,
            player: current.player,
            started_at: current.started_at,
            position_ms: position.as_millis() as u32,
            as_of: now,
            skip_votes,
            skip_votes_needed,
            tier: current.tier,
        }
    }

    pub(crate) fn room_of_player(&self, player: PlayerId) -> Option<Arc<ZoneRoom>> {
        let zone = locked(&self.players).get(player)?.player.zone;
        self.room(zone).cloned()
    }

    /// Notes a sign of life that says nothing else.
    fn see(&self, player: PlayerId, now: UnixMillis) {
        if let Some(known) = locked(&self.players).get_mut(player) {
            known.player.last_seen_at = Some(now);
            if known.player.status == PlayerStatus::Offline {
                known.player.status = PlayerStatus::Idle;
            }
        }
    }

    /// Hands a pick to a player: from now on it plays it.
    async fn give(
        &self,
        room: &ZoneRoom,
        player: PlayerId,
        pick: &Arc<PickView>,
        request: Option<ClaimRequest>,
    ) {
        let now = self.clock.now();
        let named = request.and_then(|request| request.play);
        // Whoever names its plays tells the end of each itself.
        let ending = if named.is_some() { None } else { self.ending(player, now) };
        let mut play = self.new_play(room, player, pick.song.id, Some(pick.id), Tier::Hub, now);
        play.id = named.unwrap_or(play.id);
        let (ended, started): (FactId, FactId) = (new_id(now), new_id(now));
        let silence = locked(&self.players).get(player).map_or(0, |known| known.player.silence_ms);
        let stored = play.clone();
        let record = move |tx: &Tx<'_>| {
            if let Some((before, end)) = ending {
                plays::end(tx, ended, before, end, None, now)?;
            }
            plays::tell(tx, (started, ended), &stored)?;
            players::heartbeat(tx, stored.player, PlayerStatus::Active, Some(stored.song), silence, now)?;
            match (request, stored.pick) {
                (Some(request), Some(pick)) => {
                    idempotency::put(tx, stored.player.to_bytes(), request.key, CLAIM, &pick, now)
                }
                _ => Ok(()),
            }
        };
        self.record(record).await;
        self.begin_play(room, play, now);
        self.show_now_playing(room);
        self.show_players();
    }

    /// The open play of a player and how it must have ended, where it moves on without saying so.
    pub(crate) fn ending(&self, player: PlayerId, now: UnixMillis) -> Option<(PlayId, PlayEnd)> {
        let play = locked(&self.players).get(player)?.play.clone()?;
        let song = self.library.get(play.song)?.song;
        let heard = now.since(play.started_at);
        let end = if heard + NEAR_THE_END >= length(&song) { PlayEnd::Finished } else { PlayEnd::Skipped };
        Some((play.id, end))
    }

    pub(crate) fn new_play(
        &self,
        room: &ZoneRoom,
        player: PlayerId,
        song: SongId,
        pick: Option<PickId>,
        tier: Tier,
        started_at: UnixMillis,
    ) -> Play {
        Play {
            id: new_id(self.clock.now()),
            player,
            zone: room.zone.id,
            song,
            pick,
            started_at,
            ended_at: None,
            ended: None,
            heard_ms: None,
            tier,
        }
    }

    /// What a play that has begun means in memory.
    pub(crate) fn begin_play(&self, room: &ZoneRoom, play: Play, now: UnixMillis) {
        let mut stage = locked(&room.stage);
        if let Some(current) = &mut stage.current
            && Some(current.pick.id) == play.pick
        {
            current.given_to.insert(play.player);
        }
        drop(stage);
        if let Some(known) = locked(&self.players).get_mut(play.player)
            && !known.has_closed(play.id)
        {
            known.player.status = PlayerStatus::Active;
            known.player.current_song = Some(play.song);
            known.player.last_seen_at = Some(now);
            known.saved_at = Some(now);
            known.play = Some(play);
        }
    }
}

/// Whether a view says nothing that the shown one does not, given that time passes for both.
fn is_same(shown: &NowPlayingView, view: &NowPlayingView) -> bool {
    const DRIFT_MS: i64 = 500;
    let expected = i64::from(shown.position_ms) + view.as_of.since(shown.as_of).as_millis() as i64;
    shown.pick.id == view.pick.id
        && shown.player == view.player
        && shown.skip_votes == view.skip_votes
        && shown.skip_votes_needed == view.skip_votes_needed
        && shown.tier == view.tier
        && (expected - i64::from(view.position_ms)).abs() < DRIFT_MS
}
