//! How ids, times and words stand in a row.

use roomtone_schema::id::Id;
use roomtone_schema::{Embedding, UnixMillis};
use rusqlite::Row;
use rusqlite::types::Type;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The id in column `index`.
pub(crate) fn id<T: Id>(row: &Row<'_>, index: usize) -> rusqlite::Result<T> {
    row.get::<_, [u8; 16]>(index).map(T::from_bytes)
}

/// The id in column `index`, where there is one.
pub(crate) fn maybe_id<T: Id>(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<T>> {
    Ok(row.get::<_, Option<[u8; 16]>>(index)?.map(T::from_bytes))
}

/// The time in column `index`.
pub(crate) fn time(row: &Row<'_>, index: usize) -> rusqlite::Result<UnixMillis> {
    row.get(index).map(UnixMillis)
}

/// The time in column `index`, where there is one.
pub(crate) fn maybe_time(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<UnixMillis>> {
    Ok(row.get::<_, Option<i64>>(index)?.map(UnixMillis))
}

/// The embedding in column `index`; a damaged one is an error, never a wrong direction.
pub(crate) fn embedding(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Embedding>> {
    let Some(bytes) = row.get::<_, Option<Vec<u8>>>(index)? else { return Ok(None) };
    Embedding::from_bytes(&bytes).map(Some).map_err(|error| unreadable(index, Type::Blob, error))
}

/// The word that stands for a value of an enum: the same as on the wire.
pub(crate) fn word<T: Serialize>(value: T) -> rusqlite::Result<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        Ok(other) => Err(rusqlite::Error::ToSqlConversionFailure(format!("{other} is no word").into())),
        Err(error) => Err(rusqlite::Error::ToSqlConversionFailure(error.into())),
    }
}

/// The value that the word in column `index` stands for.
pub(crate) fn from_word<T: DeserializeOwned>(row: &Row<'_>, index: usize) -> rusqlite::Result<T> {
    let word: String = row.get(index)?;
    serde_json::from_value(word.into()).map_err(|error| unreadable(index, Type::Text, error))
}

/// As [`from_word`], where there is one.
pub(crate) fn maybe_from_word<T: DeserializeOwned>(
    row: &Row<'_>,
    index: usize,
) -> rusqlite::Result<Option<T>> {
    match row.get_ref(index)?.data_type() {
        Type::Null => Ok(None),
        _ => from_word(row, index).map(Some),
    }
}

/// Five i64 as 40 bytes, little-endian.
pub(crate) fn sums_to_bytes(sums: &[i64; 5]) -> [u8; 40] {
    let mut bytes = [0; 40];
    for (chunk, sum) in bytes.chunks_exact_mut(8).zip(sums) {
        chunk.copy_from_slice(&sum.to_le_bytes());
    }
    bytes
}

/// Reads what [`sums_to_bytes`] wrote.
pub(crate) fn sums_from_bytes(bytes: &[u8; 40]) -> [i64; 5] {
    let (chunks, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|axis| i64::from_le_bytes(chunks[axis]))
}

/// A value that stands in the database and is none.
pub(crate) fn unreadable(
    index: usize,
    kind: Type,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(index, kind, error.into())
}
