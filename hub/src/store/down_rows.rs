//! What comes down: rows of the cloud's feed, each with its version and the sum of its content.
//!
//! Rows are made ready outside ([`make_ready`]) and written in bites, so that no vote waits for a catalogue. A row is
//! guarded by its version, so that a bite that is written twice changes nothing; the cursor moves with the last bite.

use std::time::Duration;

use roomtone_schema::id::Id as _;
use roomtone_schema::{HubId, ListenerId, PlayerId, SessionId, SongId, UnixMillis, VoteId};
use roomtone_sync::digest;
use roomtone_sync::wire::{BUCKETS, Cursor, Kind, PlayerNews, Row, Scope, VolumeOrder};
use rusqlite::{CachedStatement, Connection, params};
use uuid::Uuid;

use super::guests::{self, Came};
use super::tastes::{self, Shown};
use super::tx::Tx;
use super::{link, players, vec};

mod noun;
mod scrub;
mod songs;
mod stage;

pub use noun::Ready;
use noun::{Content, Sum};
pub use scrub::{Scrubbed, scrub};
pub use stage::{Part, Unstaging, clear_stage, part, put_part, stage, takes_what_comes, unstaging};

/// How many rows are written in one transaction.
pub const BITE: usize = 1_000;

/// So many songs that change are brought up to date in the second engine at once; more are left to those who fill it.
const REFRESHED_AT_ONCE: usize = 128;

/// The version of a row that has to be fetched again.
const DAMAGED: i64 = -1;

/// Whose tables these are, and when.
#[derive(Debug, Clone, Copy)]
pub struct Here {
    /// This hub as the cloud names it.
    pub me: HubId,
    /// The steady time.
    pub now: UnixMillis,
    /// What turns a time of the cloud's into a steady one.
    pub shift_ms: i64,
}

/// A time of the cloud's that lies further off than this is none: one of the clocks is not known yet.
const BELIEVABLE: Duration = Duration::from_hours(40 * 24);

impl Here {
    /// Something that happened at a time of the cloud's, by the steady clock: never later than now.
    pub(super) fn steady(self, at: UnixMillis) -> UnixMillis {
        let steady = UnixMillis(at.0.saturating_add(self.shift_ms)).min(self.now);
        if self.now.since(steady) < BELIEVABLE { steady } else { self.now }
    }

    /// How far off a time of the cloud's is that is still to come; nothing where it has passed.
    pub(super) fn steady_span(self, at: UnixMillis) -> Duration {
        UnixMillis(at.0.saturating_add(self.shift_ms)).since(self.now).min(BELIEVABLE)
    }
}

/// How a bite is written.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Of which scope.
    pub scope: Scope,
    /// Also over a row with the same version or a later one.
    pub over: bool,
    /// Only where the cursor is there.
    pub from: Option<Cursor>,
    /// Where the cursor is moved to in the end.
    pub to: Option<Cursor>,
}

/// What has changed, for those who hold it in memory.
#[derive(Debug, Clone, Default)]
pub struct Changed {
    /// Songs, by the hub's names.
    pub songs: Vec<SongId>,
    /// Tastes.
    pub tastes: Vec<Shown>,
    /// Players that the cloud has renamed, moved or sent away.
    pub players: Vec<(PlayerId, PlayerNews)>,
    /// Players that the cloud has turned up or down, with what is followed now.
    pub volumes: Vec<(PlayerId, VolumeOrder)>,
    /// Those who came by the cloud, and what they did.
    pub guests: Vec<Came>,
    /// Whether managers have begun to pair players, or ended it.
    pub pairings: bool,
    /// Whether the venue or its zones have changed.
    pub venue: bool,
    /// Rows of kinds that are not known.
    pub unknown: u64,
    /// Whether anything was written at all.
    pub done: bool,
}

impl Changed {
    /// Adds what has changed after.
    pub fn and(&mut self, later: Self) {
        self.songs.extend(later.songs);
        self.tastes.extend(later.tastes);
        self.players.extend(later.players);
        self.volumes.extend(later.volumes);
        self.guests.extend(later.guests);
        self.pairings |= later.pairings;
        self.venue |= later.venue;
        self.unknown += later.unknown;
        self.done |= later.done;
    }
}

/// Makes rows ready for [`write`]. Takes a while, and no lock.
pub fn make_ready(rows: Vec<Row>) -> Vec<Ready> {
    rows.into_iter().map(noun::ready).collect()
}

/// A row that is to go.
pub fn gone((kind, pk): (String, Uuid)) -> Ready {
    Ready { kind, pk, seq: i64::MAX, content: Content::Gone }
}

/// Writes a bite.
pub fn write(tx: &Tx<'_>, here: Here, manner: &Manner, rows: &[Ready]) -> rusqlite::Result<Changed> {
    let mut changed = Changed::default();
    if manner.from.is_some_and(|from| link::cursor(tx, manner.scope).is_ok_and(|at| at != from)) {
        return Ok(changed);
    }
    changed.done = true;
    let scope = link::scope_number(tx, manner.scope)?;
    let mut numbers = Vec::new();
    let mut hands = Hands::new(tx, scope, manner.over)?;
    for row in rows {
        hands.write(tx, here, row, &mut changed, &mut numbers)?;
    }
    drop(hands);
    follow(tx, &changed.songs, &numbers)?;
    if let Some(to) = manner.to {
        link::move_cursor(tx, manner.scope, to)?;
    }
    Ok(changed)
}

/// The second engine follows: a few songs at once, many by those who fill it.
fn follow(tx: &Tx<'_>, songs: &[SongId], numbers: &[i64]) -> rusqlite::Result<()> {
    if songs.len() <= REFRESHED_AT_ONCE {
        return songs.iter().try_for_each(|song| vec::refresh(tx, *song));
    }
    numbers.iter().min().map_or(Ok(()), |first| vec::fill_again_from(tx, *first))
}

struct Hands<'a> {
    put: CachedStatement<'a>,
    remove: CachedStatement<'a>,
    songs: songs::Hands<'a>,
    scope: i64,
    over: bool,
}

const PUT: &str =
    "insert into down_rows (kind, pk, scope, seq, sum, enabled, body) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    on conflict (kind, pk, scope) do update
    set seq = excluded.seq, sum = excluded.sum, enabled = excluded.enabled, body = excluded.body
    where ?8 or seq < excluded.seq";

impl<'a> Hands<'a> {
    fn new(tx: &'a Tx<'_>, scope: i64, over: bool) -> rusqlite::Result<Self> {
        let remove = "delete from down_rows where kind = ?1 and pk = ?2 and scope = ?3 and (?5 or seq <= ?4)";
        Ok(Self {
            put: tx.prepare_cached(PUT)?,
            remove: tx.prepare_cached(remove)?,
            songs: songs::Hands::new(tx)?,
            scope,
            over,
        })
    }

    fn write(
        &mut self,
        tx: &Tx<'_>,
        here: Here,
        row: &Ready,
        changed: &mut Changed,
        numbers: &mut Vec<i64>,
    ) -> rusqlite::Result<()> {
        if !self.note(row)? {
            return Ok(());
        }
        let song = SongId::from_uuid(row.pk);
        let numbered = match (&row.content, Kind::of(&row.kind)) {
            (Content::Song(noun, _), _) => Some(self.songs.put(tx, song, noun)?),
            (Content::VenueSong(enabled, _), _) => self.songs.enable(song, *enabled)?,
            (Content::Gone, Some(Kind::Song)) => self.songs.take_out(song)?,
            (Content::Gone, Some(Kind::VenueSong)) => self.songs.enable(song, false)?,
            (other, kind) => {
                small(tx, here, row.pk, other, kind, changed)?;
                None
            }
        };
        if let Some((song, number)) = numbered {
            changed.songs.push(song);
            numbers.push(number);
        }
        Ok(())
    }

    /// Notes a row's version; false where it is not news.
    fn note(&mut self, row: &Ready) -> rusqlite::Result<bool> {
        let (sum, enabled, body): (Option<&Sum>, Option<bool>, Option<&[u8]>) = match &row.content {
            Content::Gone => {
                let key = params![row.kind, row.pk.as_bytes(), self.scope, row.seq, self.over];
                return Ok(0 < self.remove.execute(key)?);
            }
            Content::Unknown => (None, None, None),
            Content::Song(_, sum) => (Some(sum), None, None),
            Content::VenueSong(enabled, sum) => (Some(sum), Some(*enabled), None),
            Content::Taste(_, body, sum)
            | Content::Player(_, body, sum)
            | Content::GuestSession(_, body, sum)
            | Content::GuestVote(_, body, sum)
            | Content::GuestSkip(_, body, sum)
            | Content::Pairing(body, sum)
            | Content::Venue(body, sum)
            | Content::Zone(body, sum) => (Some(sum), None, Some(body)),
        };
        let key = params![row.kind, row.pk.as_bytes(), self.scope, row.seq, sum, enabled, body, self.over];
        Ok(0 < self.put.execute(key)?)
    }
}

/// Kinds of which there are few.
fn small(
    tx: &Tx<'_>,
    here: Here,
    pk: Uuid,
    content: &Content,
    kind: Option<Kind>,
    changed: &mut Changed,
) -> rusqlite::Result<()> {
    match (content, kind) {
        (Content::Taste(news, ..), _) => {
            changed.tastes.push(tastes::take(tx, here.me, ListenerId::from_uuid(pk), news, here.now)?);
        }
        (Content::Gone, Some(Kind::Taste)) => tastes::forget(tx, ListenerId::from_uuid(pk))?,
        (Content::GuestSession(news, ..), _) => {
            changed.guests.extend(guests::take_session(tx, here, SessionId::from_uuid(pk), news)?);
        }
        (Content::GuestVote(news, ..), _) => {
            changed.guests.extend(guests::take_vote(tx, here, VoteId::from_uuid(pk), news)?);
        }
        (Content::GuestSkip(news, ..), _) => changed.guests.extend(guests::take_skip(tx, here, news)?),
        (Content::Player(news, ..), _) => {
            let player = PlayerId::from_uuid(pk);
            changed.players.push((player, news.clone()));
            // In this transaction: a hub that is killed before the room hears of it has it all the same.
            if let Some(order) = news.volume.filter(|_| !news.revoked)
                && players::follow_volume(tx, player, order)?
            {
                changed.volumes.push((player, order));
            }
        }
        (Content::Venue(..) | Content::Zone(..), _) | (Content::Gone, Some(Kind::Venue | Kind::Zone)) => {
            changed.venue = true;
        }
        (Content::Pairing(..), _) | (Content::Gone, Some(Kind::PlayerPairing)) => changed.pairings = true,
        (Content::Unknown, _) => changed.unknown += 1,
        _ => {}
    }
    Ok(())
}

/// What a scope's rows add up to.
pub fn digest_of(conn: &Connection, scope: Scope) -> rusqlite::Result<Vec<digest::Sum>> {
    let mut sums = vec![[0; 16]; BUCKETS];
    let Some(scope) = link::known_number(conn, scope)? else { return Ok(sums) };
    let mut select = conn.prepare_cached("select kind, pk, seq from down_rows where scope = ?1")?;
    let mut rows = select.query(params![scope])?;
    while let Some(row) = rows.next()? {
        let pk = Uuid::from_bytes(row.get(1)?);
        let sum = digest::of_row(row.get_ref(0)?.as_str()?, pk, row.get(2)?);
        digest::toggle(&mut sums[usize::from(digest::bucket_of(pk))], &sum);
    }
    Ok(sums)
}

/// The rows of a scope that lie in some buckets (none: in all) and are of some kinds (none: of all).
pub fn keys(
    conn: &Connection,
    scope: Scope,
    kinds: &[String],
    buckets: &[u8],
) -> rusqlite::Result<Vec<(String, Uuid)>> {
    let Some(scope) = link::known_number(conn, scope)? else { return Ok(Vec::new()) };
    let mut select = conn.prepare_cached("select kind, pk from down_rows where scope = ?1")?;
    let mut rows = select.query(params![scope])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (kind, pk): (String, _) = (row.get(0)?, Uuid::from_bytes(row.get(1)?));
        let is_of_kind = kinds.is_empty() || kinds.contains(&kind);
        if is_of_kind && (buckets.is_empty() || buckets.contains(&digest::bucket_of(pk))) {
            found.push((kind, pk));
        }
    }
    Ok(found)
}

/// The nouns of a kind of which there are few.
pub fn bodies(conn: &Connection, kind: Kind) -> rusqlite::Result<Vec<(Uuid, Vec<u8>)>> {
    conn.prepare_cached("select pk, body from down_rows where kind = ?1 and body is not null order by pk")?
        .query_map(params![kind.word()], |row| Ok((Uuid::from_bytes(row.get(0)?), row.get(1)?)))?
        .collect()
}

/// The first 16 bytes of a hash.
pub(super) fn short(hash: blake3::Hash) -> [u8; 16] {
    let (first, _) = hash.as_bytes().split_at(16);
    std::array::from_fn(|index| first[index])
}

/// The songs with these names, whatever their status.
pub fn songs_of(conn: &Connection, ids: &[SongId]) -> rusqlite::Result<Vec<super::songs::NumberedSong>> {
    ids.iter().filter_map(|id| super::songs::by_id(conn, *id).transpose()).collect()
}

/// What a dying disk does to a song.
#[cfg(test)]
pub(crate) fn spoil(tx: &Tx<'_>, song: SongId) -> rusqlite::Result<()> {
    tx.execute("update songs set title = 'rotten' where id = ?1", [song.to_bytes()]).map(drop)
}
