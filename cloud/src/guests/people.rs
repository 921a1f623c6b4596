//! Who was let in here lately: what the synchronous parts of the page need to know of them. The database has the last word;
//! this is what it said when they last showed their token.

use std::collections::HashMap;

use roomtone_schema::session::Session;
use roomtone_schema::taste::{TasteState, fixed_unit, taste};
use roomtone_schema::view::Viewer;
use roomtone_schema::vote::{Hlc, Vote};
use roomtone_schema::{AXES, SessionId, SongId};
use tokio_util::sync::CancellationToken;

use super::shown::Songs;

/// The hash of a presence's secret.
pub(super) type Hash = [u8; 32];

/// Somebody who was let in.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) token: Hash,
    pub(super) session: Session,
    /// Those that count, newest first.
    pub(super) votes: Vec<Vote>,
    /// Ends when their presence does.
    pub(super) end: CancellationToken,
    /// The higher, the later they were seen.
    seen: u64,
}

/// Everybody who was let in lately.
#[derive(Debug)]
pub(super) struct People {
    most: usize,
    counter: u64,
    known: HashMap<SessionId, Known>,
    by_token: HashMap<Hash, SessionId>,
}

impl People {
    /// Nobody yet. Beyond `most` whoever was seen longest ago is forgotten here, and looked up when they come again.
    pub(super) fn new(most: usize) -> Self {
        Self { most, counter: 0, known: HashMap::new(), by_token: HashMap::new() }
    }

    /// Notes what the database says of somebody who is here.
    pub(super) fn note(&mut self, token: Hash, session: Session, votes: Vec<Vote>) {
        self.counter += 1;
        let (id, seen) = (session.id, self.counter);
        let end = match self.known.remove(&id) {
            Some(before) if before.token == token => before.end,
            Some(before) => {
                self.forget_token(&before.token, id);
                before.end.cancel();
                CancellationToken::new()
            }
            None => CancellationToken::new(),
        };
        self.by_token.insert(token, id);
        self.known.insert(id, Known { token, session, votes, end, seen });
        if self.most < self.known.len()
            && let Some(oldest) = self.known.iter().min_by_key(|(_, known)| known.seen).map(|(id, _)| *id)
        {
            self.forget(oldest);
        }
    }

    /// Ends what somebody has open who is not here any more.
    pub(super) fn end(&mut self, token: &Hash) {
        if let Some(id) = self.by_token.get(token).copied() {
            self.forget(id);
        }
    }

    /// Ends what everybody has open.
    pub(super) fn end_all(&mut self) {
        self.by_token.clear();
        self.known.drain().for_each(|(_, known)| known.end.cancel());
    }

    /// What ends with this token.
    pub(super) fn lease(&self, token: &Hash) -> Option<CancellationToken> {
        self.by_token.get(token).and_then(|id| self.known.get(id)).map(|known| known.end.clone())
    }

    /// Somebody who was let in.
    pub(super) fn of(&self, viewer: &Viewer) -> Option<&Known> {
        self.known.get(&viewer.session)
    }

    fn forget(&mut self, id: SessionId) {
        if let Some(known) = self.known.remove(&id) {
            self.forget_token(&known.token, id);
            known.end.cancel();
        }
    }

    fn forget_token(&mut self, token: &Hash, id: SessionId) {
        if self.by_token.get(token) == Some(&id) {
            self.by_token.remove(token);
        }
    }
}

/// What somebody's votes come to; as their hub folds them, without the zone's profile.
pub(super) fn taste_of(votes: &[Vote], songs: &Songs) -> Option<[f64; AXES]> {
    let mut state = TasteState::default();
    for vote in votes {
        if let Some(embedding) = songs.get(&vote.song).and_then(|song| song.facts.comparable()) {
            state.add(vote.value, &fixed_unit(&embedding));
        }
    }
    taste(&state, None)
}

/// The place of a vote among its listener's: by when it was cast.
pub(super) fn order(cast_at: roomtone_schema::UnixMillis) -> Hlc {
    Hlc(cast_at.0.max(0).cast_unsigned() << 16)
}

/// The vote for a song, where it counts.
pub(super) fn vote_for(votes: &[Vote], song: SongId) -> Option<Vote> {
    votes.iter().find(|vote| vote.song == song).copied()
}
