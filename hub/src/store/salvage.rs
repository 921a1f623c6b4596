//! What a damaged database still tells.
//!
//! Facts prove themselves, by their own digest and by the chain on either side; only those are taken and applied
//! again. Beside them come the small tables that keep guests and players known (tokens, devices, zones): what is
//! readable there is better than sending everybody away, and a damaged token only opens nothing. Where the backup has a
//! row as well, it wins, but not in what opens something: a secret that was revoked since the backup stays revoked.

use std::cell::Cell;
use std::path::Path;

use roomtone_schema::play::Play;
use roomtone_schema::player::Player;
use roomtone_schema::taste::fixed_unit;
use roomtone_schema::vote::Hlc;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Transaction, params_from_iter};

use super::error::OpenError;
use super::outbox::{self, Fact, FactKind};
use super::songs::Withdrawal;
use super::tx::{Known, Stamp, Tx};
use super::votes::{self, Direction};
use super::{connection, picks, players, plays, sessions, sign_ins, songs};

/// Facts are looked for up to so many numbers past the last one found, where the damaged file does not say how many
/// there are.
const FARTHEST_GAP: i64 = 2_000;

/// What of the small tables is taken as it is: table, rows, and what of a row replaces the backup's. The counters of
/// the database's old life stay behind.
const SMALL_TABLES: [(&str, &str, &str); 5] = [
    (
        "hub_state",
        "select * from hub_state where key not in ('epoch', 'acknowledged', 'clean', 'probe', 'epoch_start',
             'instance', 'lies_at', 'begun', 'unstaging', 'scrubbed_to', 'song_vec_filled_to')",
        REVOKED_OF_HUB,
    ),
    ("zones", "select * from zones", ""),
    ("devices", "select * from devices", ""),
    ("players", "select * from players", REVOKED_OF_PLAYERS),
    ("sessions", "select * from sessions", ""),
];

/// Who the hub is never changes; its manager's token and its poster do. The hub could not start with another form of
/// either.
const REVOKED_OF_HUB: &str = "on conflict (key) do update set value = excluded.value
    where key in ('manager_token', 'manager_pin', 'poster_serial') and typeof(excluded.value) = typeof(value)
        and (typeof(value) <> 'blob' or length(excluded.value) = length(value))";

const REVOKED_OF_PLAYERS: &str = "on conflict (id) do update set token_hash = excluded.token_hash,
    next_token_hash = excluded.next_token_hash, paired = excluded.paired, secret_made_at = excluded.secret_made_at";

/// What was saved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Saved {
    /// Facts that proved themselves.
    pub(super) salvaged: u64,
    /// Facts that are known to be missing; `None`: the file does not tell any more.
    pub(super) lost: Option<u64>,
}

/// Takes what the damaged file has and `conn` has not, under the epoch that `conn` has by now.
pub(super) fn salvage(conn: &mut Connection, damaged: &Path) -> Result<Saved, OpenError> {
    let Ok(source) = connection::reader(damaged) else { return Ok(Saved::default()) };
    let known = outbox::last_seq(conn)?;
    let (facts, last) = read_facts(&source, known);
    let found = facts.len();
    let proven = proven(facts);
    tracing::info!(
        "the damaged database still tells {found} facts, of which {} prove themselves",
        proven.len()
    );
    let tx = conn.transaction()?;
    for (table, rows, newer) in SMALL_TABLES {
        copy_readable_rows(&source, &tx, (table, rows, newer));
    }
    for fact in &proven {
        apply_and_keep(&tx, fact)?;
    }
    tx.commit()?;
    let salvaged = proven.len() as u64;
    Ok(Saved {
        salvaged,
        lost: last.map(|last| (last - known).max(0).cast_unsigned().saturating_sub(salvaged)),
    })
}

/// The readable facts after `known`, one by one, so that a damaged page costs only what stood on it; and the number
/// of the last that there ever was, where the file says so.
fn read_facts(source: &Connection, known: i64) -> (Vec<Fact>, Option<i64>) {
    let oldest = source.query_row("select min(seq) from outbox", [], |row| row.get::<_, Option<i64>>(0));
    let first = oldest.ok().flatten().unwrap_or(1).max(known + 1);
    let last = last_number(source);
    let mut facts: Vec<Fact> = Vec::new();
    let mut seq = first;
    loop {
        let newest = facts.last().map_or(first, |fact| fact.seq);
        if seq > last.unwrap_or(newest + FARTHEST_GAP) {
            break;
        }
        facts.extend(read_fact(source, seq));
        seq += 1;
    }
    (facts, last)
}

/// Both counters are asked, and the higher is believed unless it is absurd: it decides how many are said to be lost.
fn last_number(source: &Connection) -> Option<i64> {
    let highest = source.query_row("select max(seq) from outbox", [], |row| row.get::<_, Option<i64>>(0));
    let counted = source
        .query_row("select seq from sqlite_sequence where name = 'outbox'", [], |row| row.get(0))
        .optional();
    match (highest.ok(), counted.ok()) {
        (Some(Some(highest)), Some(Some(counted)))
            if (highest..highest + FARTHEST_GAP).contains(&counted) =>
        {
            Some(counted)
        }
        (Some(Some(highest)), _) => Some(highest),
        (Some(None), Some(counted)) => Some(counted.unwrap_or(0)),
        _ => None,
    }
}

fn read_fact(source: &Connection, seq: i64) -> Option<Fact> {
    outbox::by_seq(source, seq).ok().flatten()
}

/// Those whose payload is what was written, and whose chain fits the row before or the row after.
fn proven(facts: Vec<Fact>) -> Vec<Fact> {
    let linked = |before: &Fact, after: &Fact| after.seq == before.seq + 1 && after.follows(&before.chain);
    let proves: Vec<bool> = (0..facts.len())
        .map(|index| {
            let fact = &facts[index];
            let by_the_one_before = match index.checked_sub(1) {
                Some(before) => linked(&facts[before], fact),
                None => fact.seq == 1 && fact.follows(&[0; 32]),
            };
            let by_the_one_after = facts.get(index + 1).is_some_and(|after| linked(fact, after));
            fact.is_sound() && (by_the_one_before || by_the_one_after)
        })
        .collect();
    facts.into_iter().zip(proves).filter_map(|(fact, proves)| proves.then_some(fact)).collect()
}

/// Applies a fact to the tables and queues it again with its own id and times. Where it cannot be applied (what it
/// refers to is lost) it is kept all the same: the cloud may know the rest.
fn apply_and_keep(conn: &Transaction<'_>, fact: &Fact) -> rusqlite::Result<()> {
    let stamp = Stamp { boot: fact.boot, mono_ms: fact.mono_ms, wall_ms: fact.wall_ms };
    let (hlc, seq) = (Cell::new(Hlc(fact.hlc)), Cell::new(0));
    let known = Known::default();
    let tx = Tx::new(conn, stamp, (&hlc, &seq, &known));
    conn.execute_batch("savepoint fact")?;
    if let Err(error) = apply(&tx, fact) {
        tracing::debug!("fact {} is kept but could not be applied: {error}", fact.op_id);
        conn.execute_batch("rollback to fact")?;
        known.forget();
    }
    conn.execute_batch("release fact")?;
    let seq = outbox::append(&tx, fact.kind, fact.op_id, fact.hlc, &fact.payload)?;
    match (fact.kind, fact.noun::<roomtone_schema::vote::Vote>()) {
        (FactKind::VoteCast, Ok(vote)) => votes::told_by(&tx, vote.id, seq),
        _ => Ok(()),
    }
}

fn apply(tx: &Tx<'_>, fact: &Fact) -> rusqlite::Result<()> {
    match fact.kind {
        FactKind::SongAdded => songs::insert_row(tx, &noun(fact)?).map(drop),
        FactKind::SongWithdrawn => songs::withdraw_row(tx, noun::<Withdrawal>(fact)?.song).map(drop),
        FactKind::SessionStarted => sessions::insert_row(tx, &noun(fact)?, &nobodys_token(fact)),
        FactKind::SessionEnded => {
            let ended: roomtone_schema::session::Session = noun(fact)?;
            sessions::end_row(tx, ended.id, ended.status, ended.last_seen_at).map(drop)
        }
        FactKind::VoteCast => cast(tx, &noun(fact)?),
        FactKind::PickMade => picks::insert_row(tx, &noun(fact)?),
        FactKind::PlayStarted => plays::start_row(tx, &noun(fact)?),
        FactKind::PlayEnded => end_play(tx, &noun(fact)?),
        FactKind::PlayerAdded => players::insert_row(tx, &noun(fact)?, &nobodys_token(fact)),
        FactKind::PlayerChanged => players::change_row(tx, &noun(fact)?).map(drop),
        FactKind::PlayerRemoved => players::remove_row(tx, noun::<Player>(fact)?.id).map(drop),
        FactKind::ListenerSignedIn => sign_ins::sign_in_rows(tx, &noun(fact)?).map(drop),
        FactKind::VotesClaimed => sign_ins::claim_rows(tx, &noun(fact)?).map(drop),
    }
}

fn cast(tx: &Tx<'_>, vote: &roomtone_schema::vote::Vote) -> rusqlite::Result<()> {
    let song = songs::by_id(tx, vote.song)?.map(|found| found.song.facts);
    let direction = song.and_then(|facts| {
        let unit = fixed_unit(&facts.comparable()?);
        Some(Direction { unit, version: facts.embedding_version })
    });
    let before = votes::standing(tx, None, vote, direction.as_ref())?;
    votes::apply(tx, &before, vote, direction.as_ref(), None).map(drop)
}

fn end_play(tx: &Tx<'_>, play: &Play) -> rusqlite::Result<()> {
    if let (Some(at), Some(ended)) = (play.ended_at, play.ended) {
        plays::end_row(tx, play.id, ended, play.heard_ms, at, Some(play.tier))?;
    }
    Ok(())
}

/// A hash that no token has: whoever had one asks for another.
fn nobodys_token(fact: &Fact) -> [u8; 32] {
    *blake3::hash(&fact.chain).as_bytes()
}

fn noun<T: serde::de::DeserializeOwned>(fact: &Fact) -> rusqlite::Result<T> {
    fact.noun().map_err(|error| super::row::unreadable(4, rusqlite::types::Type::Blob, error))
}

/// Copies rows until the first unreadable one; what is there already, apart from what is `newer`, and what the table
/// refuses, stays out. An older program's file may have fewer columns: the others are as they are where nothing is
/// said.
fn copy_readable_rows(source: &Connection, into: &Transaction<'_>, (table, rows, newer): (&str, &str, &str)) {
    let Ok(mut select) = source.prepare(rows) else { return };
    let columns = select.column_count();
    let (names, places) = (select.column_names().join(", "), vec!["?"; columns].join(", "));
    let sql = format!("insert or ignore into {table} ({names}) values ({places}) {newer}");
    let Ok(mut insert) = into.prepare(&sql) else { return };
    let found = select.query_map([], |row| {
        (0..columns).map(|column| row.get(column)).collect::<rusqlite::Result<Vec<Value>>>()
    });
    for row in found.into_iter().flatten().map_while(Result::ok) {
        let _refused = insert.execute(params_from_iter(row));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use roomtone_schema::id::Id as _;
    use roomtone_schema::player::{PlayerMode, PlayerStatus};
    use roomtone_schema::{FactId, ManualClock, PlayerId, UnixMillis, ZoneId};

    use super::super::{FILE_NAME, Store, hub_state};
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    fn player() -> Player {
        Player {
            id: PlayerId::mint(NOW, [1; 10]),
            name: "bar".to_owned(),
            tag: None,
            zone: ZoneId::mint(NOW, [2; 10]),
            status: PlayerStatus::Idle,
            current_song: None,
            last_seen_at: None,
            volume: 1.0,
            silence_ms: 0,
            created_at: NOW,
            paired: true,
            secret_made_at: Some(NOW),
            mode: PlayerMode::Playing,
        }
    }

    #[test]
    fn what_was_revoked_since_the_backup_stays_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path(), Arc::new(ManualClock::at(NOW))).unwrap();
        let before = |tx: &Tx<'_>| {
            players::insert(tx, FactId::mint(NOW, [3; 10]), &player(), &[1; 32])?;
            players::offer_token(tx, player().id, &[1; 32], &[2; 32])?;
            hub_state::put(tx, hub_state::MANAGER, [1_u8; 32])?;
            hub_state::put(tx, hub_state::SECRET, [1_u8; 32])
        };
        store.write_blocking(before).unwrap();
        let backup = folder.path().join("backup.db");
        store.backup_to(&backup).unwrap();
        let after = |tx: &Tx<'_>| {
            players::renew_token(tx, player().id, &[9; 32])?;
            players::set_volume(tx, player().id, 0.5)?;
            hub_state::put(tx, hub_state::MANAGER, [9_u8; 32])?;
            hub_state::put(tx, hub_state::SECRET, [9_u8; 32])
        };
        store.write_blocking(after).unwrap();
        store.close();
        let mut conn = connection::writer(&backup).unwrap();
        salvage(&mut conn, &folder.path().join(FILE_NAME)).unwrap();
        let kept = players::all(&conn).unwrap();
        assert_eq!(kept, [players::Kept { player: player(), token: [9; 32], next: None, volume_order: 0 }]);
        let known = |key| hub_state::get::<[u8; 32]>(&conn, key).unwrap().unwrap();
        assert_eq!(known(hub_state::MANAGER), [9; 32]);
        assert_eq!(known(hub_state::SECRET), [1; 32], "who the hub is stands in its backup");
    }

    #[test]
    fn a_damaged_token_does_not_keep_the_hub_from_starting() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path(), Arc::new(ManualClock::at(NOW))).unwrap();
        store.write_blocking(|tx| hub_state::put(tx, hub_state::MANAGER, [1_u8; 32])).unwrap();
        let backup = folder.path().join("backup.db");
        store.backup_to(&backup).unwrap();
        store.write_blocking(|tx| hub_state::put(tx, hub_state::MANAGER, [9_u8; 31])).unwrap();
        store.close();
        let mut conn = connection::writer(&backup).unwrap();
        salvage(&mut conn, &folder.path().join(FILE_NAME)).unwrap();
        assert_eq!(hub_state::get(&conn, hub_state::MANAGER).unwrap(), Some([1_u8; 32]));
    }
}
