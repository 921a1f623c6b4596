//! Plays that a player tells of after they have ended: it played on while the hub was out of reach.
//!
//! The player forgets a play once it is told that it was taken, so nothing here waits in memory: what is answered is
//! on the disk. Each counts once by its id, however often it is told and whatever else was said about it meanwhile.

use std::sync::Arc;
use std::time::Duration;

use roomtone_schema::id::Id as _;
use roomtone_schema::play::{Play, PlayEnd};
use roomtone_schema::song::Song;
use roomtone_schema::{FactId, IdempotencyKey, PlayerId, SongId, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::hub::Inner;
use crate::locks::{locked, writing};
use crate::refusal::{Refusal, RefusalCode};
use crate::room::ZoneRoom;
use crate::secrets::new_id;
use crate::store::plays::{self, Told};
use crate::store::{StoreError, Tx, idempotency};
use crate::view::LatePlay;

/// So many plays are taken at once: some hours of music, and a commit that nobody waits long for.
pub const MOST_LATE_PLAYS: usize = 100;

/// History reaches back so far; a play that is said to be older is one of that day.
const OLDEST: Duration = Duration::from_hours(180 * 24);

/// What a repeated request is known by.
const REPORT_PLAYS: &str = "report_plays";

/// What became of late plays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateTaken {
    /// So many are part of the history now, also those that were before.
    pub taken: u32,
    /// Songs that this venue has never had; their plays are dropped.
    pub unknown: Vec<SongId>,
}

/// Why late plays were not taken.
#[derive(Debug, thiserror::Error)]
pub enum LateError {
    /// Not one of ours (any more).
    #[error("this player is not known here; pair it with `roomtone-hub pair`")]
    UnknownPlayer,
    /// More than are taken at once.
    #[error("at most {MOST_LATE_PLAYS} plays at once: send the others after these were taken")]
    TooMany,
    /// The key belongs to something else.
    #[error("this idempotencyKey was used for something else; take a new one")]
    KeyUsed,
    /// Ours.
    #[error("the plays could not be saved: {0}")]
    Store(#[from] StoreError),
}

impl Refusal for LateError {
    fn code(&self) -> Option<RefusalCode> {
        match self {
            Self::UnknownPlayer => Some(RefusalCode::Forbidden),
            Self::TooMany => Some(RefusalCode::Invalid),
            Self::KeyUsed => Some(RefusalCode::Conflict),
            Self::Store(_) => None,
        }
    }

    fn field(&self) -> Option<&'static [&'static str]> {
        match self {
            Self::TooMany => Some(&["input", "plays"]),
            Self::KeyUsed => Some(&["input", "idempotencyKey"]),
            _ => None,
        }
    }
}

impl Inner {
    /// Takes plays that have ended, each once.
    pub(crate) async fn take_late_plays(
        self: &Arc<Self>,
        player: PlayerId,
        key: IdempotencyKey,
        late: Vec<LatePlay>,
    ) -> Result<LateTaken, LateError> {
        let room = self.room_of_player(player).ok_or(LateError::UnknownPlayer)?;
        if late.len() > MOST_LATE_PLAYS {
            return Err(LateError::TooMany);
        }
        let now = self.clock.now();
        let mut unknown = Vec::new();
        let mut known: Vec<(Play, Arc<Song>)> = Vec::new();
        for one in &late {
            match self.library.get(one.song) {
                Some(kept) => known.push((as_play(one, (player, &room), now), kept.song)),
                None if unknown.contains(&one.song) => {}
                None => unknown.push(one.song),
            }
        }
        let written = self.write_late_plays(player, key, &known, unknown, now).await??;
        self.remember_late_plays(&room, player, &known, &written.told);
        Ok(written.taken)
    }

    async fn write_late_plays(
        &self,
        player: PlayerId,
        key: IdempotencyKey,
        known: &[(Play, Arc<Song>)],
        unknown: Vec<SongId>,
        now: UnixMillis,
    ) -> Result<Result<Written, LateError>, LateError> {
        let named: Vec<(Play, (FactId, FactId))> =
            known.iter().map(|(play, _)| (play.clone(), (new_id(now), new_id(now)))).collect();
        let owner = player.to_bytes();
        let work = move |tx: &Tx<'_>| {
            match idempotency::get::<LateTaken>(tx, owner, key, REPORT_PLAYS)? {
                Some(Ok(taken)) => return Ok(Ok(Written { taken, told: Vec::new() })),
                Some(Err(_)) => return Ok(Err(LateError::KeyUsed)),
                None => {}
            }
            let told: Vec<Told> =
                named.iter().map(|(play, ops)| plays::tell(tx, *ops, play)).collect::<Result<_, _>>()?;
            let taken = told.iter().filter(|told| **told != Told::Another).count() as u32;
            let taken = LateTaken { taken, unknown: unknown.clone() };
            idempotency::put(tx, owner, key, REPORT_PLAYS, &taken, now)?;
            Ok(Ok(Written { taken, told }))
        };
        Ok(self.store.write(work).await?)
    }

    /// What late plays mean for what the zone plays next: it has heard these songs.
    fn remember_late_plays(
        &self,
        room: &Arc<ZoneRoom>,
        player: PlayerId,
        known: &[(Play, Arc<Song>)],
        told: &[Told],
    ) {
        for ((play, song), told) in known.iter().zip(told) {
            if *told == Told::Another {
                continue;
            }
            if let Some(known) = locked(&self.players).get_mut(player) {
                known.close(play.id);
            }
            if *told == Told::Begun {
                self.count_kept(play);
                locked(&room.stage).heard(song, play.started_at);
                writing(&room.order).mark_played(song.id, play.started_at);
                if play.ended == Some(PlayEnd::Failed) {
                    self.counters.failed_plays.up();
                }
            }
        }
        if told.contains(&Told::Begun) {
            self.stir(room);
        }
    }
}

/// What was written, and what was known of each play before.
struct Written {
    taken: LateTaken,
    told: Vec<Told>,
}

/// A late play by our own time: never in the future, and never before history begins.
fn as_play(late: &LatePlay, (player, room): (PlayerId, &ZoneRoom), now: UnixMillis) -> Play {
    let ago = |ms: i64| Duration::from_millis(ms.max(0).cast_unsigned()).min(OLDEST);
    let started_at = now - ago(late.started_ago_ms);
    Play {
        id: late.play,
        player,
        zone: room.zone.id,
        song: late.song,
        pick: late.pick,
        started_at,
        ended_at: Some((now - ago(late.ended_ago_ms)).max(started_at)),
        ended: Some(late.ended),
        heard_ms: Some(late.heard_ms),
        tier: late.tier,
    }
}
