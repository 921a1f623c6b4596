//! Voting: likes and dislikes.

use roomtone_schema::song::{Song, SongStatus};
use roomtone_schema::taste::fixed_unit;
use roomtone_schema::visiting::{Opinion, Voted};
use roomtone_schema::vote::{Hlc, Vote};
use roomtone_schema::{AXES, FactId, IdempotencyKey, UnixMillis};

use crate::check_in::NoViewer;
use crate::hub::Inner;
use crate::limits::TooOften;
use crate::locks::locked;
use crate::refusal::{Refusal, RefusalCode};
use crate::secrets::new_id;
use crate::store::StoreError;
use crate::store::ballots::{self, Ballot, Cast};
use crate::store::votes::{CastOutcome, Direction};
use crate::view::Viewer;

/// Why a vote was not counted.
#[derive(Debug, thiserror::Error)]
pub enum VoteError {
    /// Not here (any more).
    #[error(transparent)]
    NotHere(#[from] NoViewer),
    /// Never heard of it.
    #[error("this song is not in the venue's catalogue; reload the page")]
    UnknownSong,
    /// It was there once.
    #[error("this song was taken out of the catalogue; vote for another")]
    WithdrawnSong,
    /// The 11th in a minute.
    #[error("that is a lot of votes; try again in {retry_s} seconds")]
    TooOften {
        /// When to try again.
        retry_s: u64,
    },
    /// The key belongs to something else.
    #[error("this idempotencyKey was used for something else; take a new one")]
    KeyUsed,
    /// Ours.
    #[error("the vote could not be saved: {0}")]
    Store(#[from] StoreError),
}

impl Refusal for VoteError {
    fn code(&self) -> Option<RefusalCode> {
        match self {
            Self::NotHere(why) => why.code(),
            Self::UnknownSong | Self::WithdrawnSong => Some(RefusalCode::NotFound),
            Self::TooOften { .. } => Some(RefusalCode::RateLimited),
            Self::KeyUsed => Some(RefusalCode::Conflict),
            Self::Store(_) => None,
        }
    }

    fn field(&self) -> Option<&'static [&'static str]> {
        match self {
            Self::UnknownSong | Self::WithdrawnSong => Some(&["input", "songId"]),
            Self::KeyUsed => Some(&["input", "idempotencyKey"]),
            Self::NotHere(_) | Self::TooOften { .. } | Self::Store(_) => None,
        }
    }
}

impl Inner {
    /// Counts a like or dislike, once: whoever asks again is answered as before, whatever has changed since.
    pub(crate) async fn vote(&self, viewer: &Viewer, input: Opinion) -> Result<Voted, VoteError> {
        let refused = match self.try_vote(viewer, input).await {
            Ok(voted) => return Ok(voted),
            Err(ours @ (VoteError::KeyUsed | VoteError::Store(_))) => return Err(ours),
            Err(refused) => refused,
        };
        if let Some(first) = self.voted_before(viewer, input.key).await? {
            return Ok(first);
        }
        if matches!(refused, VoteError::TooOften { .. }) {
            self.counters.votes_limited.up();
        }
        Err(refused)
    }

    async fn try_vote(&self, viewer: &Viewer, input: Opinion) -> Result<Voted, VoteError> {
        let now = self.clock.now();
        locked(&self.people).check(viewer, now)?;
        let song = self.library.get(input.song).ok_or(VoteError::UnknownSong)?.song;
        if song.status == SongStatus::Withdrawn {
            return Err(VoteError::WithdrawnSong);
        }
        if let Err(refused) = self.take_vote(viewer, now)? {
            return Err(VoteError::TooOften { retry_s: refused.retry_s() });
        }
        let cast = self.cast(viewer, input, &song, now).await;
        if !matches!(cast, Ok(Cast::New(..))) {
            self.give_vote_back(viewer, now);
        }
        match cast? {
            Cast::New(outcome, voted) => {
                self.count_vote(viewer, &outcome);
                Ok(voted)
            }
            Cast::Repeated(first) => Ok(first),
            Cast::KeyUsed => Err(VoteError::KeyUsed),
        }
    }

    /// Counts a vote against the listener's allowance. By listener and not by session: checking in again on the same
    /// phone brings no fresh one.
    fn take_vote(&self, viewer: &Viewer, now: UnixMillis) -> Result<Result<(), TooOften>, NoViewer> {
        let mut people = locked(&self.people);
        let listener = people.listener_mut(viewer.listener).ok_or(NoViewer::Expired)?;
        Ok(listener.minute.take(self.limits.votes_per_minute, now))
    }

    fn give_vote_back(&self, viewer: &Viewer, at: UnixMillis) {
        if let Some(listener) = locked(&self.people).listener_mut(viewer.listener) {
            listener.minute.give_back(at);
        }
    }

    /// What a vote was answered with the first time.
    async fn voted_before(&self, viewer: &Viewer, key: IdempotencyKey) -> Result<Option<Voted>, VoteError> {
        let listener = viewer.listener;
        match self.store.read(move |conn| ballots::cast_before(conn, listener, key)).await? {
            None => Ok(None),
            Some(Cast::New(_, first) | Cast::Repeated(first)) => Ok(Some(first)),
            Some(Cast::KeyUsed) => Err(VoteError::KeyUsed),
        }
    }

    async fn cast(
        &self,
        viewer: &Viewer,
        input: Opinion,
        song: &Song,
        now: UnixMillis,
    ) -> Result<Cast, StoreError> {
        let op: FactId = new_id(now);
        let vote = Vote {
            id: new_id(now),
            listener: viewer.listener,
            session: viewer.session,
            song: song.id,
            value: input.value,
            hlc: Hlc(0),
            cast_at: now,
        };
        let direction = song.facts.comparable().map(|embedding| Direction {
            unit: fixed_unit(&embedding),
            version: song.facts.embedding_version,
        });
        let ballot = Ballot { key: input.key, op, vote, direction, prior: self.prior(viewer) };
        self.store.write(move |tx| ballots::cast(tx, &ballot)).await
    }

    /// Brings a durable vote into memory. Votes of one listener may arrive here in another order than the store saw
    /// them: the hybrid clock decides, as everywhere.
    fn count_vote(&self, viewer: &Viewer, outcome: &CastOutcome) {
        let CastOutcome { recorded, effective, state, .. } = *outcome;
        if recorded {
            self.counters.votes.up();
        }
        if let Some(listener) = locked(&self.people).listener_mut(viewer.listener) {
            if listener.newest < effective.hlc {
                listener.newest = effective.hlc;
                listener.state = state;
            }
            let known = listener.votes.entry(effective.song).or_insert(effective);
            if known.hlc < effective.hlc {
                *known = effective;
            }
        }
        if let Some(room) = self.room(viewer.zone) {
            self.stir(room);
        }
    }

    /// What the viewer's zone adds to every taste in it.
    pub(crate) fn prior(&self, viewer: &Viewer) -> Option<[f64; AXES]> {
        let profile = self.room(viewer.zone)?.settings().profile?;
        Some(profile.map(f64::from))
    }
}
