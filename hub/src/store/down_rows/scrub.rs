//! Rows are read again and compared with the sums of what came: a disk that rots is found before the room hears it.

use roomtone_schema::SongId;
use roomtone_schema::id::Id as _;
use roomtone_sync::wire::Kind;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::super::{hub_state, tx::Tx};
use super::noun::{self, Sum};
use super::{DAMAGED, songs};

/// What a look at some rows found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Rows whose content is not what came.
    pub damaged: Vec<(String, Uuid)>,
    /// Where the next look begins; `None` where this was the last of a round.
    pub next: Option<Vec<u8>>,
}

/// Looks at `most` rows behind where the last look ended.
pub fn scrub(conn: &Connection, most: u32) -> rusqlite::Result<Scrubbed> {
    let from: Vec<u8> = hub_state::get(conn, hub_state::SCRUBBED_TO)?.unwrap_or_default();
    let (kind, pk) = place_of(&from);
    let mut select = conn.prepare_cached(
        "select kind, pk, sum, enabled, body from down_rows where (kind, pk) > (?1, ?2) and sum is not null
         order by kind, pk limit ?3",
    )?;
    let mut rows = select.query(params![kind, pk, most])?;
    let (mut found, mut seen, mut last) = (Scrubbed::default(), 0, None);
    while let Some(row) = rows.next()? {
        let (kind, pk): (String, Uuid) = (row.get(0)?, Uuid::from_bytes(row.get(1)?));
        let is = sum_of(conn, &kind, pk, row.get(3)?, row.get_ref(4)?.as_blob_or_null().unwrap_or_default());
        if is != Some(row.get(2)?) {
            found.damaged.push((kind.clone(), pk));
        }
        seen += 1;
        last = Some((kind, pk));
    }
    found.next =
        last.filter(|_| seen == most).map(|(kind, pk)| [kind.as_bytes(), &[0], pk.as_bytes()].concat());
    Ok(found)
}

/// The sum of what stands in the tables. What cannot be read is damaged, too.
fn sum_of(
    conn: &Connection,
    kind: &str,
    pk: Uuid,
    enabled: Option<bool>,
    body: Option<&[u8]>,
) -> Option<Sum> {
    match Kind::of(kind)? {
        Kind::Song => songs::told(conn, SongId::from_uuid(pk)).ok()?.map(|song| noun::of_song(&song)),
        Kind::VenueSong => Some(noun::of_venue_song(pk, enabled?)),
        _ => Some(noun::of_bytes(body?)),
    }
}

impl Scrubbed {
    /// Marks what is damaged, so that digests differ until it is fetched again, and notes where to go on.
    pub fn note(&self, tx: &Tx<'_>) -> rusqlite::Result<()> {
        for (kind, pk) in &self.damaged {
            tx.prepare_cached("update down_rows set seq = ?3 where kind = ?1 and pk = ?2")?
                .execute(params![kind, pk.as_bytes(), DAMAGED])?;
        }
        match &self.next {
            Some(next) => hub_state::put(tx, hub_state::SCRUBBED_TO, next),
            None => hub_state::remove(tx, hub_state::SCRUBBED_TO),
        }
    }
}

fn place_of(bytes: &[u8]) -> (String, Vec<u8>) {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (kind, rest) = bytes.split_at(end);
    (String::from_utf8_lossy(kind).into_owned(), rest.get(1..).unwrap_or_default().to_vec())
}
