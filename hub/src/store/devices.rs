//! Devices: one phone or browser, by the cookie that the hub set. Only the cookie's hash is kept.

use roomtone_schema::id::Id;
use roomtone_schema::{DeviceId, ListenerId, UnixMillis};
use rusqlite::{Connection, OptionalExtension, named_params};

use super::row;
use super::tx::Tx;

/// A device, and whose votes its sessions cast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Made at its first check-in.
    pub id: DeviceId,
    /// All its sessions are this listener's.
    pub listener: ListenerId,
    /// When it was first seen.
    pub created_at: UnixMillis,
}

/// Records a device.
pub fn insert(tx: &Tx<'_>, device: &Device, cookie_hash: &[u8; 32]) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "insert into devices (id, cookie_hash, listener, created_at, last_seen_at)
         values (:id, :cookie, :listener, :at, :at)",
    )?
    .execute(named_params! {
        ":id": device.id.to_bytes(), ":cookie": cookie_hash, ":listener": device.listener.to_bytes(),
        ":at": device.created_at.0,
    })?;
    Ok(())
}

/// The device with this cookie.
pub fn by_cookie_hash(conn: &Connection, cookie_hash: &[u8; 32]) -> rusqlite::Result<Option<Device>> {
    conn.prepare_cached("select id, listener, created_at from devices where cookie_hash = :cookie")?
        .query_row(named_params! { ":cookie": cookie_hash }, |row| {
            Ok(Device { id: row::id(row, 0)?, listener: row::id(row, 1)?, created_at: row::time(row, 2)? })
        })
        .optional()
}

/// Gives a device another cookie; the old one is nobody's from then on.
pub fn renew_cookie(tx: &Tx<'_>, id: DeviceId, cookie_hash: &[u8; 32]) -> rusqlite::Result<()> {
    tx.prepare_cached("update devices set cookie_hash = :cookie where id = :id")?
        .execute(named_params! { ":id": id.to_bytes(), ":cookie": cookie_hash })?;
    Ok(())
}

/// Notes that a device is in use, so that it is not forgotten.
pub fn touch(tx: &Tx<'_>, id: DeviceId, at: UnixMillis) -> rusqlite::Result<()> {
    tx.prepare_cached("update devices set last_seen_at = max(last_seen_at, :at) where id = :id")?
        .execute(named_params! { ":id": id.to_bytes(), ":at": at.0 })?;
    Ok(())
}

/// Forgets devices that nobody has used since `before`.
pub(super) fn purge(tx: &Tx<'_>, before: UnixMillis, limit: u32) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "delete from devices where id in (select id from devices where last_seen_at < :before limit :limit)",
    )?
    .execute(named_params! { ":before": before.0, ":limit": limit })
}
