//! Voting to skip: a share of the room decides, never one phone.

use std::sync::Arc;

use roomtone_schema::id::Id as _;
use roomtone_schema::{IdempotencyKey, UnixMillis};

use crate::check_in::NoViewer;
use crate::hub::Inner;
use crate::locks::locked;
use crate::refusal::{Refusal, RefusalCode};
use crate::room::{Current, ZoneRoom};
use crate::store::guests::Wish as WishByCloud;
use crate::store::{StoreError, Tx, idempotency, skip_votes};
use crate::view::{NowPlayingView, Viewer};

/// What a repeated wish to skip is known by.
const SKIP: &str = "vote_to_skip";

/// What the store made of a wish.
enum Wish {
    New,
    Repeated,
    KeyUsed,
    NotHere,
    Silence,
}

/// The venue's licence allows no skip now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the venue's licence allows {most} skips an hour, and they are used up; in {minutes} min there is another one"
)]
pub struct NoSkip {
    most: u32,
    minutes: u64,
}

/// Why a wish to skip was not counted.
#[derive(Debug, thiserror::Error)]
pub enum SkipError {
    /// Not here (any more).
    #[error(transparent)]
    NotHere(#[from] NoViewer),
    /// Silence cannot be skipped.
    #[error("nothing plays that could be skipped")]
    NothingPlays,
    /// The licence.
    #[error(transparent)]
    Licence(#[from] NoSkip),
    /// The key belongs to something else.
    #[error("this idempotencyKey was used for something else; take a new one")]
    KeyUsed,
    /// Ours.
    #[error("the vote to skip could not be saved: {0}")]
    Store(#[from] StoreError),
}

impl Refusal for SkipError {
    fn code(&self) -> Option<RefusalCode> {
        match self {
            Self::NotHere(why) => why.code(),
            Self::NothingPlays => Some(RefusalCode::NotFound),
            Self::KeyUsed => Some(RefusalCode::Conflict),
            Self::Licence(_) => Some(RefusalCode::RateLimited),
            Self::Store(_) => None,
        }
    }

    fn field(&self) -> Option<&'static [&'static str]> {
        matches!(self, Self::KeyUsed).then_some(&["input", "idempotencyKey"])
    }
}

impl Inner {
    /// Counts a wish to leave the current song, and leaves it where that makes the share.
    pub(crate) async fn vote_to_skip(
        self: &Arc<Self>,
        viewer: &Viewer,
        key: IdempotencyKey,
    ) -> Result<Option<Arc<NowPlayingView>>, SkipError> {
        let now = self.clock.now();
        let room = Arc::clone(self.room(viewer.zone).ok_or(SkipError::NothingPlays)?);
        let _turn = room.advancing.lock().await;
        self.may_skip(&room)?;
        match self.wish(&room, viewer, key, now).await? {
            Wish::New => self.skip_if_wanted(&room).await?,
            Wish::Repeated => {}
            Wish::KeyUsed => return Err(SkipError::KeyUsed),
            Wish::NotHere => return Err(SkipError::NotHere(NoViewer::Expired)),
            Wish::Silence => return Err(SkipError::NothingPlays),
        }
        self.show_now_playing(&room);
        let shown = room.now_playing.borrow().clone();
        Ok(shown)
    }

    /// Counts the wish of somebody who came by the cloud, where it is for what plays.
    pub(crate) async fn wish_by_cloud(self: &Arc<Self>, wish: WishByCloud) -> Result<(), StoreError> {
        let now = self.clock.now();
        let here = locked(&self.people).session(wish.session).map(|here| (here.zone, here.listener));
        let Some((room, listener)) = here.and_then(|(zone, who)| Some((self.room(zone)?, who))) else {
            return Ok(());
        };
        let room = Arc::clone(room);
        let _turn = room.advancing.lock().await;
        {
            let mut stage = locked(&room.stage);
            let current = stage.current.as_mut().filter(|current| !current.has_faded(now));
            let meant = current.filter(|current| wish.is_for(current.pick.song.id, current.started_at));
            let Some(meant) = meant else { return Ok(()) };
            meant.skip_votes.insert(listener);
        }
        self.skip_if_wanted(&room).await?;
        self.show_now_playing(&room);
        Ok(())
    }

    /// Leaves the current song where enough of the people here want it. The caller holds `advancing`.
    pub(crate) async fn skip_if_wanted(self: &Arc<Self>, room: &Arc<ZoneRoom>) -> Result<(), StoreError> {
        let now = self.clock.now();
        let Some(current) = room.current().filter(|current| !current.is_over(now)) else { return Ok(()) };
        let (votes, needed) = self.skip_state(room, &current, now);
        if votes > 0 && votes >= needed && self.may_skip(room).is_ok() {
            self.skip(room).await
        } else {
            Ok(())
        }
    }

    /// Whether the venue's licence allows a skip now.
    pub(crate) fn may_skip(&self, room: &ZoneRoom) -> Result<(), NoSkip> {
        let (now, licence) = (self.clock.now(), self.licence());
        let again_at = licence.next_skip_at(locked(&room.stage).skips.make_contiguous(), now);
        again_at.map_or(Ok(()), |at| {
            let minutes = at.since(now).as_secs().div_ceil(60).max(1);
            Err(NoSkip { most: licence.skips_per_hour.unwrap_or_default(), minutes })
        })
    }

    /// How many people here want to skip, and how many it takes.
    pub(crate) fn skip_state(&self, room: &ZoneRoom, current: &Current, now: UnixMillis) -> (u32, u32) {
        let people = locked(&self.people);
        let present = people.count(Some(room.zone.id), now);
        let votes = people.count_of(&current.skip_votes, room.zone.id, now) as u32;
        let (in_reach, of_them) = people.count_in_reach(&current.skip_votes, room.zone.id, now);
        let settings = room.settings();
        let needed = needed(present, settings.skip_share, settings.skip_min);
        // Who came by the cloud may be anybody at home with many phones: while anybody of the room's own network is here, it
        // takes one of them as well.
        let takes_one_more = in_reach > 0 && of_them == 0;
        (votes, if takes_one_more { needed.max(votes + 1) } else { needed })
    }

    async fn wish(
        &self,
        room: &ZoneRoom,
        viewer: &Viewer,
        key: IdempotencyKey,
        now: UnixMillis,
    ) -> Result<Wish, StoreError> {
        let is_here = locked(&self.people).check(viewer, now).is_ok();
        let playing = room.current().filter(|current| !current.has_faded(now)).map(|current| current.pick.id);
        let listener = viewer.listener;
        let work = move |tx: &Tx<'_>| {
            let owner = listener.to_bytes();
            match idempotency::get::<()>(tx, owner, key, SKIP)? {
                Some(Ok(())) => return Ok(Wish::Repeated),
                Some(Err(_)) => return Ok(Wish::KeyUsed),
                None if !is_here => return Ok(Wish::NotHere),
                None => {}
            }
            let Some(pick) = playing else { return Ok(Wish::Silence) };
            skip_votes::insert(tx, pick, listener, now)?;
            idempotency::put(tx, owner, key, SKIP, &(), now)?;
            Ok(Wish::New)
        };
        let wish = self.store.write(work).await?;
        if matches!(wish, Wish::New)
            && let Some(current) = &mut locked(&room.stage).current
            && Some(current.pick.id) == playing
        {
            current.skip_votes.insert(listener);
        }
        Ok(wish)
    }
}

/// How many of `present` people it takes to leave a song.
fn needed(present: usize, share: f64, at_least: u32) -> u32 {
    let of_room = (share * present as f64).ceil() as u32;
    of_room.max(at_least).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_room_decides_and_never_one_phone() {
        let needed = |present| needed(present, 0.5, 2);
        assert_eq!([0, 1, 2, 3, 4, 5, 10, 11].map(needed), [2, 2, 2, 2, 2, 3, 5, 6]);
    }
}
