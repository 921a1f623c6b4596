//! Songs of the catalogue.

use roomtone_schema::id::Id;
use roomtone_schema::song::{Sha256, Song, SongFacts, SongStatus};
use roomtone_schema::{EmbeddingVersion, FactId, SongId, UnixMillis};
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use serde::{Deserialize, Serialize};

use super::outbox::{self, FactKind};
use super::tx::Tx;
use super::{row, vec};

/// A song and its dense number, which the index and `song_vec` know it by.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberedSong {
    /// The number; never given to another song.
    pub row: u32,
    /// The song.
    pub song: Song,
}

/// The fact that a song was taken out of the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// Which.
    pub song: SongId,
    /// When.
    pub at: UnixMillis,
}

const COLUMNS: &str = "row, id, status, sha256, bytes, content_type, title, artist, album, isrc, label, explicit,
    kind, duration_ms, bpm, pulse_clarity, key, key_strength, loudness_lufs, true_peak_dbtp, cue_in_ms, cue_out_ms,
    embedding, embedding_version, created_at";

/// Adds a song with its fact, and gives its number.
pub fn insert(tx: &Tx<'_>, op: FactId, song: &Song) -> rusqlite::Result<u32> {
    let row = insert_row(tx, song)?;
    outbox::push(tx, FactKind::SongAdded, op, song.created_at, song)?;
    Ok(row)
}

pub(super) fn insert_row(tx: &Tx<'_>, song: &Song) -> rusqlite::Result<u32> {
    let facts = &song.facts;
    tx.prepare_cached(
        "insert into songs (id, status, sha256, bytes, content_type, title, artist, album, isrc, label, explicit,
             kind, duration_ms, bpm, pulse_clarity, key, key_strength, loudness_lufs, true_peak_dbtp, cue_in_ms,
             cue_out_ms, embedding, embedding_version, created_at)
         values (:id, :status, :sha256, :bytes, :content_type, :title, :artist, :album, :isrc, :label, :explicit,
             :kind, :duration_ms, :bpm, :pulse_clarity, :key, :key_strength, :loudness, :true_peak, :cue_in,
             :cue_out, :embedding, :embedding_version, :created_at)",
    )?
    .execute(named_params! {
        ":id": song.id.to_bytes(), ":status": row::word(song.status)?, ":sha256": facts.sha256.0,
        ":bytes": facts.bytes.cast_signed(), ":content_type": facts.content_type, ":title": facts.title,
        ":artist": facts.artist, ":album": facts.album, ":isrc": facts.isrc, ":label": facts.label,
        ":explicit": row::word(facts.explicit)?, ":kind": facts.kind.map(row::word).transpose()?,
        ":duration_ms": facts.duration_ms, ":bpm": facts.bpm, ":pulse_clarity": facts.pulse_clarity,
        ":key": facts.key, ":key_strength": facts.key_strength, ":loudness": facts.loudness_lufs,
        ":true_peak": facts.true_peak_dbtp, ":cue_in": facts.cue_in_ms, ":cue_out": facts.cue_out_ms,
        ":embedding": facts.embedding.map(|embedding| embedding.to_bytes()),
        ":embedding_version": facts.embedding_version.0, ":created_at": song.created_at.0,
    })?;
    Ok(tx.last_insert_rowid() as u32)
}

/// Every song that may be played, by id.
pub fn all_playable(conn: &Connection) -> rusqlite::Result<Vec<NumberedSong>> {
    conn.prepare_cached(&format!("select {COLUMNS} from songs where status = 'ready' order by id"))?
        .query_map([], from_row)?
        .collect()
}

/// Up to `limit` songs of any status after `after`, by id.
pub fn page(conn: &Connection, after: Option<SongId>, limit: u32) -> rusqlite::Result<Vec<NumberedSong>> {
    let after = after.map_or([0; 16], Id::to_bytes);
    conn.prepare_cached(&format!("select {COLUMNS} from songs where id > :after order by id limit :limit"))?
        .query_map(named_params! { ":after": after, ":limit": limit }, from_row)?
        .collect()
}

/// The song with this id, whatever its status.
pub fn by_id(conn: &Connection, id: SongId) -> rusqlite::Result<Option<NumberedSong>> {
    conn.prepare_cached(&format!("select {COLUMNS} from songs where id = :id"))?
        .query_row(named_params! { ":id": id.to_bytes() }, from_row)
        .optional()
}

/// The song that this file belongs to, whatever its status.
pub fn by_sha256(conn: &Connection, sha256: Sha256) -> rusqlite::Result<Option<NumberedSong>> {
    conn.prepare_cached(&format!("select {COLUMNS} from songs where sha256 = :sha256"))?
        .query_row(named_params! { ":sha256": sha256.0 }, from_row)
        .optional()
}

/// Takes a song out of the catalogue; its history stays. False where there was nothing to do.
pub fn withdraw(tx: &Tx<'_>, op: FactId, song: SongId, at: UnixMillis) -> rusqlite::Result<bool> {
    let changed = withdraw_row(tx, song)?;
    if changed {
        let fact = outbox::push(tx, FactKind::SongWithdrawn, op, at, &Withdrawal { song, at })?;
        tx.prepare_cached("update songs set withdrawn_fact = :fact where id = :id")?
            .execute(named_params! { ":id": song.to_bytes(), ":fact": fact })?;
    }
    Ok(changed)
}

pub(super) fn withdraw_row(tx: &Tx<'_>, song: SongId) -> rusqlite::Result<bool> {
    let changed = tx
        .prepare_cached("update songs set status = 'withdrawn' where id = :id and status <> 'withdrawn'")?
        .execute(named_params! { ":id": song.to_bytes() })?;
    if changed == 1 {
        vec::refresh(tx, song)?;
    }
    Ok(changed == 1)
}

/// Brings a withdrawn song back, as a file that is imported again does. False where there was nothing to do.
pub fn bring_back(tx: &Tx<'_>, op: FactId, song: &Song, at: UnixMillis) -> rusqlite::Result<bool> {
    let changed = tx
        .prepare_cached("update songs set status = 'ready', withdrawn_fact = null where id = :id and status = 'withdrawn'")?
        .execute(named_params! { ":id": song.id.to_bytes() })?;
    if changed == 1 {
        let back = Song { status: SongStatus::Ready, ..song.clone() };
        outbox::push(tx, FactKind::SongAdded, op, at, &back)?;
        vec::refresh(tx, song.id)?;
    }
    Ok(changed == 1)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<NumberedSong> {
    let facts = SongFacts {
        sha256: Sha256(row.get(3)?),
        bytes: row.get::<_, i64>(4)?.cast_unsigned(),
        content_type: row.get(5)?,
        title: row.get(6)?,
        artist: row.get(7)?,
        album: row.get(8)?,
        isrc: row.get(9)?,
        label: row.get(10)?,
        explicit: row::from_word(row, 11)?,
        kind: row::maybe_from_word(row, 12)?,
        duration_ms: row.get(13)?,
        bpm: row.get(14)?,
        pulse_clarity: row.get(15)?,
        key: row.get(16)?,
        key_strength: row.get(17)?,
        loudness_lufs: row.get(18)?,
        true_peak_dbtp: row.get(19)?,
        cue_in_ms: row.get(20)?,
        cue_out_ms: row.get(21)?,
        embedding: row::embedding(row, 22)?,
        embedding_version: EmbeddingVersion(row.get(23)?),
    };
    let song = Song {
        id: row::id(row, 1)?,
        status: row::from_word(row, 2)?,
        facts,
        created_at: row::time(row, 24)?,
    };
    Ok(NumberedSong { row: row.get(0)?, song })
}
