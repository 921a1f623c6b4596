//! A listener's request to count a vote: cast once, however often it is asked.

use roomtone_schema::id::Id;
use roomtone_schema::taste::taste;
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

/// Counted, and durable.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Voted {
    /// The listener's effective vote for the song.
    pub vote: Vote,
    /// Their taste after it, where it has a direction.
    pub taste: Option<[f64; AXES]>,
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
        return repeated(vote.listener, kept);
    }
    let vote = Vote { hlc: tx.hlc(vote.cast_at), ..*vote };
    let outcome = votes::apply(tx, before, &vote, direction.as_ref())?;
    if outcome.recorded {
        outbox::push(tx, FactKind::VoteCast, *op, vote.cast_at, &vote)?;
    }
    let voted = Voted { vote: outcome.effective, taste: taste(&outcome.state, *prior) };
    idempotency::put_bytes(tx, vote.listener.to_bytes(), *key, VOTE, &to_bytes(&voted), vote.cast_at)?;
    Ok(Cast::New(outcome, voted))
}

/// What a request by this key came to before: [`Cast::Repeated`] or [`Cast::KeyUsed`], `None` where it is a new one.
pub fn cast_before(
    conn: &Connection,
    listener: ListenerId,
    key: IdempotencyKey,
) -> rusqlite::Result<Option<Cast>> {
    let kept = idempotency::kept(conn, listener.to_bytes(), key)?;
    kept.map(|kept| repeated(listener, &kept)).transpose()
}

fn repeated(listener: ListenerId, kept: &Kept) -> rusqlite::Result<Cast> {
    if kept.kind != VOTE {
        return Ok(Cast::KeyUsed);
    }
    from_bytes(listener, &kept.result)
        .map(Cast::Repeated)
        .ok_or_else(|| row::unreadable(1, Type::Blob, "a kept vote is 65 or 105 bytes long"))
}

/// The vote's ids, value and times, then the taste where there is one. Whose it is stands beside it.
fn to_bytes(Voted { vote, taste }: &Voted) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(105);
    bytes.extend(vote.id.to_bytes());
    bytes.extend(vote.session.to_bytes());
    bytes.extend(vote.song.to_bytes());
    bytes.push(u8::from(vote.value == VoteValue::Like));
    bytes.extend(vote.hlc.0.to_le_bytes());
    bytes.extend(vote.cast_at.0.to_le_bytes());
    bytes.extend(taste.iter().flatten().flat_map(|axis| axis.to_le_bytes()));
    bytes
}

fn from_bytes(listener: ListenerId, bytes: &[u8]) -> Option<Voted> {
    let (id, bytes) = bytes.split_first_chunk()?;
    let (session, bytes) = bytes.split_first_chunk()?;
    let (song, bytes) = bytes.split_first_chunk()?;
    let (value, bytes) = bytes.split_first()?;
    let (hlc, bytes) = bytes.split_first_chunk()?;
    let (cast_at, taste) = bytes.split_first_chunk()?;
    let vote = Vote {
        id: VoteId::from_bytes(*id),
        listener,
        session: SessionId::from_bytes(*session),
        song: SongId::from_bytes(*song),
        value: if *value == 1 { VoteValue::Like } else { VoteValue::Dislike },
        hlc: Hlc(u64::from_le_bytes(*hlc)),
        cast_at: UnixMillis(i64::from_le_bytes(*cast_at)),
    };
    let (axes, rest) = taste.as_chunks::<8>();
    let axes: Vec<f64> = axes.iter().map(|axis| f64::from_le_bytes(*axis)).collect();
    match axes.len() {
        0 => rest.is_empty().then_some(Voted { vote, taste: None }),
        _ => Some(Voted { vote, taste: Some(axes.try_into().ok()?) }).filter(|_| rest.is_empty()),
    }
}
