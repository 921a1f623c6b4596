//! What the hub knows about itself, by key.

use roomtone_schema::UnixMillis;
use rusqlite::types::{FromSql, ToSql};
use rusqlite::{Connection, OptionalExtension, named_params};

use super::outbox;
use super::tx::Tx;

/// The hub's own id (16 bytes).
pub const HUB_ID: &str = "hub_id";
/// The venue's id (16 bytes).
pub const VENUE_ID: &str = "venue_id";
/// The secret that all others derive from (32 bytes).
pub const SECRET: &str = "secret";
/// The hash of the manager's token (32 bytes).
pub const MANAGER: &str = "manager_token";
/// The manager's PIN as an argon2id hash (text).
pub const MANAGER_PIN: &str = "manager_pin";
/// How often the poster was renewed (integer).
pub const POSTER: &str = "poster_serial";
/// The steady clock when it was last written down (integer).
pub const LAST_MS: &str = "last_ms";
/// Counts the lives of this database: one more after each restore (integer).
pub const EPOCH: &str = "epoch";
/// Up to which fact the cloud has everything (integer).
pub const ACKNOWLEDGED: &str = "acknowledged";
/// Up to which fact the cloud had everything when this epoch began (integer).
pub const EPOCH_START: &str = "epoch_start";
/// The run of the program that the cloud welcomed last (16 bytes).
pub const INSTANCE: &str = "instance";
/// Where the database lay then: a digest of the machine and the file (32 bytes).
pub const LIES_AT: &str = "lies_at";
/// The run that began last, welcomed or not (16 bytes), and where the database lay then (32 bytes).
pub const BEGUN: &str = "begun";
/// Who this hub is at the cloud, as JSON.
pub const ENROLMENT: &str = "enrolment";
/// The keys by which check-in tickets are known, 32 bytes each.
pub const TICKET_KEYS: &str = "ticket_keys";
/// What is being put in place in bites, as JSON.
pub const UNSTAGING: &str = "unstaging";
/// Behind which row the next look at the content of rows begins (kind, 0, pk).
pub const SCRUBBED_TO: &str = "scrubbed_to";
/// When the last look at all of them was done (integer).
pub const SCRUBBED: &str = "scrubbed";
/// When the whole database was last looked at closely (integer).
pub const LOOKED_CLOSELY: &str = "looked_closely";
/// 1 while nobody has the database open.
pub(super) const CLEAN: &str = "clean";
/// Changed by the writer to see whether the disk takes writes again.
pub(super) const PROBE: &str = "probe";

/// The value of `key`.
pub fn get<T: FromSql>(conn: &Connection, key: &str) -> rusqlite::Result<Option<T>> {
    conn.prepare_cached("select value from hub_state where key = :key")?
        .query_row(named_params! { ":key": key }, |row| row.get(0))
        .optional()
}

/// The texts whose keys begin so, by what follows.
pub fn texts_below(conn: &Connection, beginning: &str) -> rusqlite::Result<Vec<(String, String)>> {
    conn.prepare_cached(
        "select substr(key, length(:beginning) + 1), value from hub_state
         where substr(key, 1, length(:beginning)) = :beginning and typeof(value) = 'text' order by key",
    )?
    .query_map(named_params! { ":beginning": beginning }, |row| Ok((row.get(0)?, row.get(1)?)))?
    .collect()
}

/// Sets the value of `key`.
pub fn put(conn: &Connection, key: &str, value: impl ToSql) -> rusqlite::Result<()> {
    conn.prepare_cached(
        "insert into hub_state (key, value) values (:key, :value)
         on conflict (key) do update set value = excluded.value",
    )?
    .execute(named_params! { ":key": key, ":value": value })?;
    Ok(())
}

/// The epoch of this database.
pub fn epoch(conn: &Connection) -> rusqlite::Result<i64> {
    Ok(get(conn, EPOCH)?.unwrap_or(1))
}

/// The latest steady time that this database has seen: the last written down, or that of the newest fact.
pub fn last_time(conn: &Connection) -> rusqlite::Result<UnixMillis> {
    let written: i64 = get(conn, LAST_MS)?.unwrap_or(0);
    let newest = (outbox::last_hlc(conn)? >> 16).cast_signed();
    Ok(UnixMillis(written.max(newest)))
}

/// Takes a value away.
pub fn remove(conn: &Connection, key: &str) -> rusqlite::Result<()> {
    conn.prepare_cached("delete from hub_state where key = :key")?.execute(named_params! { ":key": key })?;
    Ok(())
}

/// Writes the steady time down.
pub fn keep_time(tx: &Tx<'_>, now: UnixMillis) -> rusqlite::Result<()> {
    put(tx, LAST_MS, now.0)
}
