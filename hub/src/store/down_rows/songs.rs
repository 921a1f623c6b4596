//! Songs of the catalogue in `songs`, and which of them this venue plays.

use roomtone_schema::SongId;
use roomtone_schema::id::Id as _;
use roomtone_schema::song::{Explicit, SongKind, SongStatus};
use roomtone_sync::wire::{CatalogueSong, LoudnessFacts};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, params};
use serde_bytes::ByteArray;

use crate::store::tx::Tx;
use crate::store::{aliases, outbox, row};

/// What follows from the cloud's word and the hub's own, which may be newer. What was born here plays until it is told
/// otherwise: its file is here, whether the cloud has it yet or not.
macro_rules! status {
    ($told:literal, $enabled:literal, $withdrawn:literal) => {
        concat!(
            "case when ",
            $withdrawn,
            " is not null or ",
            $told,
            " = 'withdrawn' or ",
            $enabled,
            " = 0 then 'withdrawn'",
            " when songs.born_here = 1 then 'ready' when ",
            $enabled,
            " is null then 'withdrawn'",
            " else coalesce(",
            $told,
            ", 'withdrawn') end"
        )
    };
}

/// Columns that a newer record of a song replaces.
macro_rules! replaced {
    () => {
        concat!(
            "do update set told = excluded.told, enabled = coalesce(excluded.enabled, enabled), stored = excluded.stored,
             bytes = excluded.bytes, content_type = excluded.content_type, title = excluded.title,
             artist = excluded.artist, album = excluded.album, isrc = excluded.isrc, label = excluded.label,
             explicit = excluded.explicit, kind = excluded.kind, duration_ms = excluded.duration_ms,
             bpm = excluded.bpm, key = excluded.key, loudness_lufs = excluded.loudness_lufs,
             true_peak_dbtp = excluded.true_peak_dbtp, cue_in_ms = excluded.cue_in_ms,
             cue_out_ms = excluded.cue_out_ms, embedding = excluded.embedding,
             embedding_version = excluded.embedding_version, created_at = excluded.created_at, status = ",
            status!("excluded.told", "coalesce(excluded.enabled, songs.enabled)", "songs.withdrawn_fact")
        )
    };
}

/// A file that is here under another name keeps it, and its number.
const PUT: &str = concat!(
    "insert into songs (id, told, enabled, born_here, stored, sha256, bytes, content_type, title, artist, album, isrc,
         label, explicit, kind, duration_ms, bpm, pulse_clarity, key, key_strength, loudness_lufs, true_peak_dbtp,
         cue_in_ms, cue_out_ms, embedding, embedding_version, created_at, status)
     select ?1, ?2, venue.enabled, 0, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, 0, ?16, 0, ?17, ?18, ?19,
         ?20, ?21, ?22, ?23, iif(venue.enabled = 1, ?2, 'withdrawn')
     from (select 1) left join (select enabled from down_rows where kind = 'venue_song' and pk = ?1) venue on true
     where true
     on conflict (id) ", replaced!(), ", sha256 = excluded.sha256
     on conflict (sha256) ", replaced!(), "
     returning id, row"
);

const ENABLE: &str = concat!(
    "update songs set enabled = ?2, withdrawn_fact = iif(?2 = 1 and withdrawn_fact <= ?3, null, withdrawn_fact), status = ",
    status!("songs.told", "?2", "iif(?2 = 1 and songs.withdrawn_fact <= ?3, null, songs.withdrawn_fact)"),
    " where id = coalesce((select local from aliases where canonical = ?1), ?1) returning id, row"
);

const TAKE_OUT: &str = "update songs set told = 'withdrawn', status = 'withdrawn'
    where id = coalesce((select local from aliases where canonical = ?1), ?1) returning id, row";

/// The statements at hand for many songs.
pub(super) struct Hands<'a> {
    put: CachedStatement<'a>,
    enable: CachedStatement<'a>,
    take_out: CachedStatement<'a>,
    acknowledged: i64,
}

impl<'a> Hands<'a> {
    pub(super) fn new(tx: &'a Tx<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            put: tx.prepare_cached(PUT)?,
            enable: tx.prepare_cached(ENABLE)?,
            take_out: tx.prepare_cached(TAKE_OUT)?,
            acknowledged: outbox::acknowledged(tx)?,
        })
    }

    /// Puts a song in its place; the hub's name and number of it.
    pub(super) fn put(
        &mut self,
        tx: &Tx<'_>,
        pk: SongId,
        song: &CatalogueSong,
    ) -> rusqlite::Result<(SongId, i64)> {
        let embedding: Option<Vec<u8>> =
            song.embedding.map(|values| values.iter().flat_map(|value| value.to_le_bytes()).collect());
        let numbered = self.put.query_row(
            params![
                pk.to_bytes(),
                status_word(song.status),
                song.stored,
                *song.sha256,
                song.bytes.cast_signed(),
                song.content_type,
                song.title,
                song.artist,
                song.album,
                song.isrc,
                song.label,
                explicit_word(song.explicit),
                song.kind.map(kind_word),
                song.duration_ms,
                song.bpm,
                song.key,
                song.loudness.lufs,
                song.loudness.true_peak_dbtp,
                song.loudness.cue_in_ms,
                song.loudness.cue_out_ms,
                embedding,
                song.embedding_version,
                song.created_at.0,
            ],
            numbered,
        )?;
        if numbered.0 != pk {
            aliases::put(tx, pk, numbered.0)?;
        }
        Ok(numbered)
    }

    /// Notes whether this venue plays a song, where the song is here already.
    pub(super) fn enable(&mut self, pk: SongId, enabled: bool) -> rusqlite::Result<Option<(SongId, i64)>> {
        self.enable.query_row(params![pk.to_bytes(), enabled, self.acknowledged], numbered).optional()
    }

    /// The catalogue has the song no more; its history stays.
    pub(super) fn take_out(&mut self, pk: SongId) -> rusqlite::Result<Option<(SongId, i64)>> {
        self.take_out.query_row(params![pk.to_bytes()], numbered).optional()
    }
}

/// The words of the wire, without the detour over it: a catalogue has a hundred thousand of each.
fn status_word(status: SongStatus) -> &'static str {
    match status {
        SongStatus::Draft => "draft",
        SongStatus::Analysing => "analysing",
        SongStatus::Ready => "ready",
        SongStatus::Failed => "failed",
        SongStatus::Withdrawn => "withdrawn",
    }
}

fn explicit_word(explicit: Explicit) -> &'static str {
    match explicit {
        Explicit::Clean => "clean",
        Explicit::Explicit => "explicit",
        Explicit::Unknown => "unknown",
    }
}

fn kind_word(kind: SongKind) -> &'static str {
    match kind {
        SongKind::Soundscape => "soundscape",
        SongKind::Instrumental => "instrumental",
    }
}

fn numbered(row: &Row<'_>) -> rusqlite::Result<(SongId, i64)> {
    Ok((row::id(row, 0)?, row.get(1)?))
}

/// The noun of a song as its columns have it; `None` where it is not there.
pub(super) fn told(conn: &Connection, pk: SongId) -> rusqlite::Result<Option<CatalogueSong>> {
    conn.prepare_cached(
        "select told, sha256, bytes, content_type, stored, title, artist, album, isrc, label, explicit, kind,
             duration_ms, bpm, key, loudness_lufs, true_peak_dbtp, cue_in_ms, cue_out_ms, embedding, embedding_version,
             created_at
         from songs where id = coalesce((select local from aliases where canonical = ?1), ?1) and told is not null",
    )?
    .query_row(params![pk.to_bytes()], told_from_row)
    .optional()
}

fn told_from_row(row: &Row<'_>) -> rusqlite::Result<CatalogueSong> {
    Ok(CatalogueSong {
        status: row::from_word(row, 0)?,
        sha256: ByteArray::new(row.get(1)?),
        bytes: row.get::<_, i64>(2)?.cast_unsigned(),
        content_type: row.get(3)?,
        stored: row.get(4)?,
        title: row.get(5)?,
        artist: row.get(6)?,
        album: row.get(7)?,
        isrc: row.get(8)?,
        label: row.get(9)?,
        explicit: row::from_word(row, 10)?,
        kind: row::maybe_from_word(row, 11)?,
        duration_ms: row.get(12)?,
        bpm: row.get(13)?,
        key: row.get(14)?,
        loudness: LoudnessFacts {
            lufs: row.get(15)?,
            true_peak_dbtp: row.get(16)?,
            cue_in_ms: row.get(17)?,
            cue_out_ms: row.get(18)?,
        },
        embedding: row::embedding(row, 19)?.map(|embedding| embedding.values()),
        embedding_version: row.get(20)?,
        created_at: row::time(row, 21)?,
    })
}
