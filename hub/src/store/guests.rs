//! Guests who came by the cloud's page: their presences and votes, as rows of the venue's scope. They are applied like those
//! of the room, with their own ids, and told of like those: whatever comes twice is there once, here and in history. Their
//! wishes to skip are of the moment, and no history.
//!
//! What is absent: their going. A row that is trimmed from the feed takes nothing back that was said.

use std::time::Duration;

use roomtone_schema::id::Id as _;
use roomtone_schema::session::{Session, SessionStatus};
use roomtone_schema::taste::fixed_unit;
use roomtone_schema::vote::{Hlc, Vote};
use roomtone_schema::{FactId, ListenerId, SessionId, SongId, UnixMillis, VoteId, ZoneId};
use roomtone_sync::wire::{GuestSession, GuestSkip, GuestVote, Kind, decode_noun};
use rusqlite::{Connection, OptionalExtension, params};

use super::down_rows::Here;
use super::outbox::{self, FactKind};
use super::row;
use super::tx::Tx;
use super::votes::{self, Direction};
use super::{aliases, picks, sessions, skip_votes, songs};
use crate::secrets::{Hash, new_id};

/// The cloud's time is known here to within this, amply; no song begins a second time within it.
const CLOCKS_DIFFER: Duration = Duration::from_secs(30);

/// What became of somebody who came by the cloud, for those who hold it in memory.
#[derive(Debug, Clone, PartialEq)]
pub enum Came {
    /// They are here. Nobody holds a token of this hash: they have theirs at the cloud.
    In(Session, Hash),
    /// They are still here.
    Sign(SessionId, UnixMillis),
    /// They have left.
    Out(Session),
    /// They have voted.
    Voted(ListenerId),
    /// They want to skip.
    Wants(Wish),
}

/// Somebody wants to skip what they see playing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// In which presence.
    pub session: SessionId,
    /// Which song, by the hub's name.
    pub song: SongId,
    /// When, by the steady clock.
    pub cast_at: UnixMillis,
}

impl Wish {
    /// Whether it is for a song that began then. The same song may have played before: that one began long ago, and this wish was
    /// there by then.
    pub fn is_for(&self, song: SongId, began_at: UnixMillis) -> bool {
        song == self.song && began_at <= self.cast_at + CLOCKS_DIFFER
    }
}

/// Takes a presence. `None` where it is no news, or of a zone that this hub does not have.
pub(super) fn take_session(
    tx: &Tx<'_>,
    here: Here,
    id: SessionId,
    news: &GuestSession,
) -> rusqlite::Result<Option<Came>> {
    let is_over = news.status != SessionStatus::Active;
    let last_seen_at = here.steady(news.last_seen_at);
    if let Some(known) = sessions::by_id(tx, id)? {
        if known.status != SessionStatus::Active {
            return Ok(None);
        }
        if is_over {
            let ended = sessions::end(tx, new_id(here.now), id, SessionStatus::Ended, here.now)?;
            return Ok(ended.map(Came::Out));
        }
        if last_seen_at <= known.last_seen_at {
            return Ok(None);
        }
        sessions::touch(tx, id, last_seen_at)?;
        return Ok(Some(Came::Sign(id, last_seen_at)));
    }
    let Some(zone) = zone_named(tx, &news.zone)? else {
        tracing::warn!(
            "somebody has checked in at the cloud for the zone {:?}, which this hub does not have; they do not count here",
            news.zone
        );
        return Ok(None);
    };
    let session = Session {
        id,
        listener: news.listener,
        device: news.device,
        zone,
        display_name: news.display_name.clone(),
        status: SessionStatus::Active,
        checked_in_at: here.steady(news.checked_in_at),
        last_seen_at,
        expires_at: here.now + here.steady_span(news.expires_at),
    };
    let token = nobodys(id);
    sessions::insert_row(tx, &session, &token)?;
    outbox::push(tx, FactKind::SessionStarted, FactId::from_uuid(id.uuid()), here.now, &session)?;
    if !is_over {
        return Ok(Some(Came::In(session, token)));
    }
    sessions::end(tx, new_id(here.now), id, SessionStatus::Ended, last_seen_at)?;
    Ok(None)
}

/// Takes a vote. `None` where it is no news, of somebody who does not count here, or for a song that has not come yet: it
/// waits for that ([`take_waiting`]).
pub(super) fn take_vote(
    tx: &Tx<'_>,
    here: Here,
    id: VoteId,
    news: &GuestVote,
) -> rusqlite::Result<Option<Came>> {
    if votes::by_id(tx, id)?.is_some() {
        return Ok(None);
    }
    let song = songs::by_id(tx, aliases::local(tx, news.song)?)?;
    let (Some(session), Some(song)) = (sessions::by_id(tx, news.session)?, song) else { return Ok(None) };
    let song = song.song;
    let cast_at = here.steady(news.cast_at);
    let vote = Vote {
        id,
        listener: session.listener,
        session: session.id,
        song: song.id,
        value: news.value,
        hlc: order(id, cast_at),
        cast_at,
    };
    let direction = song
        .facts
        .comparable()
        .map(|embedding| Direction { unit: fixed_unit(&embedding), version: song.facts.embedding_version });
    let before = votes::standing(tx, None, &vote, direction.as_ref())?;
    if !votes::is_news(&before, &vote) {
        return Ok(None);
    }
    let fact = outbox::push(tx, FactKind::VoteCast, FactId::from_uuid(id.uuid()), here.now, &vote)?;
    votes::apply_in_order(tx, &before, &vote, direction.as_ref(), fact)?;
    Ok(Some(Came::Voted(vote.listener)))
}

/// Takes a vote to skip. `None` of somebody who is not here. Where it is for the zone's newest pick it is written down with that.
pub(super) fn take_skip(tx: &Tx<'_>, here: Here, news: &GuestSkip) -> rusqlite::Result<Option<Came>> {
    let session = sessions::by_id(tx, news.session)?.filter(|known| known.status == SessionStatus::Active);
    let Some(session) = session else { return Ok(None) };
    let wish = Wish {
        session: session.id,
        song: aliases::local(tx, news.song)?,
        cast_at: here.steady(news.cast_at),
    };
    let newest = picks::recent(tx, session.zone, 1)?.pop();
    if let Some(pick) = newest.filter(|pick| wish.is_for(pick.song, pick.decided_at)) {
        skip_votes::insert(tx, pick.id, session.listener, here.now)?;
    }
    Ok(Some(Came::Wants(wish)))
}

/// Takes the votes whose songs have come by now.
pub fn take_waiting(tx: &Tx<'_>, here: Here) -> rusqlite::Result<Vec<Came>> {
    let waiting: Vec<([u8; 16], Vec<u8>)> = tx
        .prepare_cached(
            "select pk, body from down_rows where kind = ?1 and body is not null and pk not in (select id from votes)
             order by seq",
        )?
        .query_map(params![Kind::GuestVote.word()], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut came = Vec::new();
    for (id, body) in waiting {
        if let Ok(news) = decode_noun::<GuestVote>(&body) {
            came.extend(take_vote(tx, here, VoteId::from_bytes(id), &news)?);
        }
    }
    Ok(came)
}

/// Where a vote of the cloud's stands among its listener's: by when it was cast there, in whatever order they come.
fn order(id: VoteId, cast_at: UnixMillis) -> Hlc {
    let [.., high, low] = id.to_bytes();
    Hlc((cast_at.0.max(0).cast_unsigned() << 16) | u64::from(u16::from_be_bytes([high, low])))
}

fn zone_named(conn: &Connection, name: &str) -> rusqlite::Result<Option<ZoneId>> {
    conn.prepare_cached("select id from zones where name = ?1")?
        .query_row(params![name], |row| row::id(row, 0))
        .optional()
}

/// The hash of a token that nobody has: no text is known that has this for its sha256.
pub(crate) fn nobodys(id: SessionId) -> Hash {
    blake3::derive_key("roomtone: somebody who came by the cloud", &id.to_bytes())
}
