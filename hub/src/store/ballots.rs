//! A listener's request to count a vote: cast once, however often it is asked.

use roomtone_schema::id::Id;
use roomtone_schema::taste::taste;
use roomtone_schema::visiting::Voted;
use roomtone_schema::vote::{Hlc, Vote, VoteValue};
use roomtone_schema::{AXES, FactId, IdempotencyKey, ListenerId, SessionId, SongId, UnixMillis, VoteId};
use rusqlite::Connection;
use rusqlite::types::Type;

use super::idempotency::{self, Kept};
use super::outbox::{self, FactKind};
use super::row;
use super::tx::Tx;
use super::votes::{self, CastOutcome, Direction};

/// What a repeated vote is known by.
const VOTE: &str = "vote";

/// Bytes of a kept taste.
const TASTE: usize = AXES * 8;

/// Bytes of a kept vote that the log may not have.
const WHOLE: usize = 16 + 16 + 16 + 1 + 8 + 8;

/// A request to count a vote.
#[derive(Debug, Clone, PartialEq)]
pub struct Ballot {
    /// Makes a retry the same request.
    pub key: IdempotencyKey,
    /// The fact's id.
    pub op: FactId,
    /// What is cast; the store gives it its `hlc`.
    pub vote: Vote,
    /// Where the song points, if anywhere.
    pub direction: Option<Direction>,
    /// What the listener's zone adds to their taste.
    pub prior: Option<[f64; AXES]>,
}

/// What the store made of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Cast {
    /// It was done.
    New(CastOutcome, Voted),
    /// It had been done before; this was its result.
    Repeated(Voted),
    /// The key belongs to a request of another kind.
    KeyUsed,
}

/// Casts a vote: log, effect, taste, fact and kept result in one transaction; or finds that it was done before.
pub fn cast(tx: &Tx<'_>, ballot: &Ballot) -> rusqlite::Result<Cast> {
    let Ballot { key, op, vote, direction, prior } = ballot;
    let before = votes::standing(tx, Some(*key), vote, direction.as_ref())?;
    if let Some(kept) = &before.kept {
        return repeated(tx, vote.listener, kept);
    }
    let vote = Vote { hlc: tx.hlc(vote.cast_at), ..*vote };
    let is_news = votes::is_news(&before, &vote);
    let fact = is_news.then(|| outbox::push(tx, FactKind::VoteCast, *op, vote.cast_at, &vote)).transpose()?;
    let outcome = votes::apply(tx, &before, &vote, direction.as_ref(), fact)?;
    let voted = Voted { vote: outcome.effective, taste: taste(&outcome.state, *prior) };
    let kept = to_bytes(&voted, outcome.recorded);
    idempotency::put_bytes(tx, vote.listener.to_bytes(), *key, VOTE, &kept, vote.cast_at)?;
    Ok(Cast::New(outcome, voted))
}

/// What a request by this key came to before: [`Cast::Repeated`] or [`Cast::KeyUsed`], `None` where it is a new one.
pub fn cast_before(
    conn: &Connection,
    listener: ListenerId,
    key: IdempotencyKey,
) -> rusqlite::Result<Option<Cast>> {
    let kept = idempotency::kept(conn, listener.to_bytes(), key)?;
    kept.map(|kept| repeated(conn, listener, &kept)).transpose()
}

fn repeated(conn: &Connection, listener: ListenerId, kept: &Kept) -> rusqlite::Result<Cast> {
    if kept.kind != VOTE {
        return Ok(Cast::KeyUsed);
    }
    let first = match from_bytes(listener, &kept.result) {
        Some(Known::Logged(id, taste)) => votes::by_id(conn, id)?.map(|vote| Voted { vote, taste }),
        Some(Known::Whole(voted)) => Some(voted),
        None => None,
    };
    let unreadable = || row::unreadable(1, Type::Blob, "a kept vote is neither in the log nor complete");
    first.map(Cast::Repeated).ok_or_else(unreadable)
}

/// What the kept bytes of a vote tell.
enum Known {
    /// It stands in the log.
    Logged(VoteId, Option<[f64; AXES]>),
    /// The equal vote from before counted on: the log may have forgotten it by now.
    Whole(Voted),
}

/// The taste where there is one, after the vote: of one that was logged its id, of another all but whose it is.
fn to_bytes(Voted { vote, taste }: &Voted, logged: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(WHOLE + TASTE);
    bytes.extend(vote.id.to_bytes());
    if !logged {
        bytes.extend(vote.session.to_bytes());
        bytes.extend(vote.song.to_bytes());
        bytes.push(u8::from(vote.value == VoteValue::Like));
        bytes.extend(vote.hlc.0.to_le_bytes());
        bytes.extend(vote.cast_at.0.to_le_bytes());
    }
    bytes.extend(taste.iter().flatten().flat_map(|axis| axis.to_le_bytes()));
    bytes
}

fn from_bytes(listener: ListenerId, bytes: &[u8]) -> Option<Known> {
    let (id, rest) = bytes.split_first_chunk()?;
    let id = VoteId::from_bytes(*id);
    if matches!(rest.len(), 0 | TASTE) {
        return Some(Known::Logged(id, taste_from_bytes(rest)?));
    }
    let (session, rest) = rest.split_first_chunk()?;
    let (song, rest) = rest.split_first_chunk()?;
    let (value, rest) = rest.split_first()?;
    let (hlc, rest) = rest.split_first_chunk()?;
    let (cast_at, rest) = rest.split_first_chunk()?;
    let vote = Vote {
        id,
        listener,
        session: SessionId::from_bytes(*session),
        song: SongId::from_bytes(*song),
        value: if *value == 1 { VoteValue::Like } else { VoteValue::Dislike },
        hlc: Hlc(u64::from_le_bytes(*hlc)),
        cast_at: UnixMillis(i64::from_le_bytes(*cast_at)),
    };
    Some(Known::Whole(Voted { vote, taste: taste_from_bytes(rest)? }))
}

/// `Some(None)` where there is none.
#[expect(clippy::option_option, reason = "no taste, and no readable one, are two things")]
fn taste_from_bytes(bytes: &[u8]) -> Option<Option<[f64; AXES]>> {
    match bytes.len() {
        0 => Some(None),
        TASTE => {
            let (axes, _) = bytes.as_chunks::<8>();
            Some(Some(std::array::from_fn(|axis| f64::from_le_bytes(axes[axis]))))
        }
        _ => None,
    }
}
