//! What decisions were made from, and how people fared by them, by day.

use roomtone_schema::fairness::Fairness;
use roomtone_schema::id::Id;
use roomtone_schema::replay::{Figures, Logged, Occasion};
use roomtone_schema::{PickId, SongId, UnixMillis, ZoneId};
use roomtone_sync::wire::{decode_noun, encode_noun};
use rusqlite::{Connection, Row, named_params};

use super::row;
use super::tx::Tx;

/// An occasion as it is kept; `None` where it cannot be written, which no occasion that was really met is.
pub fn pack(occasion: &Occasion) -> Option<Vec<u8>> {
    encode_noun(occasion).ok()
}

/// Records what a decision was made from.
pub fn insert(
    tx: &Tx<'_>,
    (pick, zone, at): (PickId, ZoneId, UnixMillis),
    occasion: &[u8],
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "insert into pick_occasions (zone, decided_at, pick, occasion) values (:zone, :at, :pick, :occasion)
         on conflict do nothing",
    )?
    .execute(named_params! {
        ":zone": zone.to_bytes(), ":at": at.0, ":pick": pick.to_bytes(), ":occasion": occasion,
    })?;
    Ok(())
}

/// What a zone's decisions since `since` were made from, oldest first. One that a newer program wrote is left out.
pub fn since(
    conn: &Connection,
    zone: ZoneId,
    since: UnixMillis,
) -> rusqlite::Result<Vec<(UnixMillis, SongId, Occasion)>> {
    let mut found = Vec::new();
    let mut asked = conn.prepare_cached(
        "select o.decided_at, p.song, o.occasion from pick_occasions o join picks p on p.id = o.pick
         where o.zone = :zone and o.decided_at >= :since order by o.decided_at, o.pick",
    )?;
    let mut rows = asked.query(named_params! { ":zone": zone.to_bytes(), ":since": since.0 })?;
    while let Some(row) = rows.next()? {
        if let Some(occasion) = occasion(row, 2)? {
            found.push((row::time(row, 0)?, row::id(row, 1)?, occasion));
        }
    }
    Ok(found)
}

/// A zone's whole log, oldest first; decisions before `since` are only history.
pub fn log(conn: &Connection, zone: ZoneId, since: UnixMillis) -> rusqlite::Result<Vec<Logged>> {
    conn.prepare_cached(
        "select p.song, p.seed, p.decided_at, o.occasion from picks p
         left join pick_occasions o
           on o.zone = p.zone and o.decided_at = p.decided_at and o.pick = p.id and p.decided_at >= :since
         where p.zone = :zone order by p.decided_at, p.id",
    )?
    .query_map(named_params! { ":zone": zone.to_bytes(), ":since": since.0 }, |row| {
        Ok(Logged {
            song: row::id(row, 0)?,
            seed: row.get::<_, i64>(1)?.cast_unsigned(),
            decided_at: row::time(row, 2)?,
            occasion: occasion(row, 3)?,
        })
    })?
    .collect()
}

/// When a zone's newest decision was made, of those that can be made again.
pub fn newest(conn: &Connection, zone: ZoneId) -> rusqlite::Result<Option<UnixMillis>> {
    conn.prepare_cached("select max(decided_at) from pick_occasions where zone = :zone")?
        .query_row(named_params! { ":zone": zone.to_bytes() }, |row| row::maybe_time(row, 0))
}

/// When a zone heard what nobody decided on at that moment: from a player's cache, or while the hub was gone.
pub fn undecided(conn: &Connection, zone: ZoneId) -> rusqlite::Result<Vec<(UnixMillis, SongId)>> {
    conn.prepare_cached(
        "select started_at, song from songs_playing
         where zone = :zone and (pick is null or pick not in (select id from picks)) order by started_at, id",
    )?
    .query_map(named_params! { ":zone": zone.to_bytes() }, |row| Ok((row::time(row, 0)?, row::id(row, 1)?)))?
    .collect()
}

fn occasion(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Occasion>> {
    let packed: Option<Vec<u8>> = row.get(index)?;
    Ok(packed.and_then(|packed| decode_noun(&packed).ok()))
}

/// Forgets what decisions from before `before` were made from.
pub(super) fn purge(tx: &Tx<'_>, before: UnixMillis, limit: u32) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "delete from pick_occasions where rowid in
           (select rowid from pick_occasions where decided_at < :before limit :limit)",
    )?
    .execute(named_params! { ":before": before.0, ":limit": limit })
}

/// Records how people fared on a day that is over; where that is known already, it stays.
pub fn close_day(tx: &Tx<'_>, zone: ZoneId, day: i32, figures: Option<&Figures>) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "insert into fairness_days (zone, day, visits, songs, mean, worst, longest_drought)
         values (:zone, :day, :visits, :songs, :mean, :worst, :drought) on conflict do nothing",
    )?
    .execute(named_params! {
        ":zone": zone.to_bytes(), ":day": day,
        ":visits": figures.map_or(0, |of| of.visits), ":songs": figures.map_or(0, |of| of.songs),
        ":mean": figures.map(|of| of.fares.mean), ":worst": figures.map(|of| of.fares.worst),
        ":drought": figures.map(|of| of.fares.longest_drought),
    })?;
    Ok(())
}

/// The days since `from` that are over, oldest first, with how people fared where anybody stayed.
pub fn closed_days(
    conn: &Connection,
    zone: ZoneId,
    from: i32,
) -> rusqlite::Result<Vec<(i32, Option<Figures>)>> {
    conn.prepare_cached(
        "select day, visits, songs, mean, worst, longest_drought from fairness_days
         where zone = :zone and day >= :from order by day",
    )?
    .query_map(named_params! { ":zone": zone.to_bytes(), ":from": from }, |row| {
        let (mean, worst): (Option<f64>, Option<f64>) = (row.get(3)?, row.get(4)?);
        let longest_drought: Option<u32> = row.get(5)?;
        let (visits, songs) = (row.get(1)?, row.get(2)?);
        let fares = mean.zip(worst).zip(longest_drought);
        let figures = fares.map(|((mean, worst), longest_drought)| Figures {
            visits,
            songs,
            fares: Fairness { mean, worst, longest_drought },
        });
        Ok((row.get(0)?, figures))
    })?
    .collect()
}
