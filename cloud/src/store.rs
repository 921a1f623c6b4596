//! SQL, and nothing else: plain functions on a connection that already acts in somebody's name, a file per table.
//!
//! What is absent: rules. Whether something may be seen or done is for policies and functions of the migrations to say;
//! here it is only asked for.

use std::fmt;
use std::ops::Deref;

use roomtone_schema::id::Id;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};
use uuid::Uuid;

pub mod access;
pub mod aliases;
pub mod audit_log;
pub mod checks;
pub mod dead_letters;
pub mod enrolment;
pub mod entering;
pub mod facts;
pub mod fares;
pub mod feed;
pub mod guests;
pub mod history_exports;
pub mod hub_media;
pub mod hubs;
pub mod idempotency;
pub mod migrations;
pub mod notices;
pub mod organisations;
pub mod pairings;
pub mod people;
pub mod players;
pub mod profiles;
pub mod roles;
pub mod rooms;
pub mod snapshots;
pub mod songs;
pub mod songs_playing;
pub mod sync_state;
pub mod tastes;
pub mod tickets;
pub mod trial;
pub mod upkeep;
pub mod uploads;
pub mod venue_daily;
pub mod venue_members;
pub mod venue_songs;
pub mod venues;
pub mod zones;

/// An id of ours as a column holds it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key<T>(pub T);

impl<T> Deref for Key<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: fmt::Debug> fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> Type<Postgres> for Key<T> {
    fn type_info() -> PgTypeInfo {
        <Uuid as Type<Postgres>>::type_info()
    }
}

impl<T> PgHasArrayType for Key<T> {
    fn array_type_info() -> PgTypeInfo {
        <Uuid as PgHasArrayType>::array_type_info()
    }
}

impl<'r, T: Id> Decode<'r, Postgres> for Key<T> {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(T::from_uuid(<Uuid as Decode<Postgres>>::decode(value)?)))
    }
}

impl<T: Id> Encode<'_, Postgres> for Key<T> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode_by_ref(&self.0.uuid(), buffer)
    }
}

/// One of a few words, which a column holds as text and Rust as an enum: the names are those that serde gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word<T>(pub T);

impl<T> Type<Postgres> for Word<T> {
    fn type_info() -> PgTypeInfo {
        <str as Type<Postgres>>::type_info()
    }

    fn compatible(ty: &PgTypeInfo) -> bool {
        <str as Type<Postgres>>::compatible(ty)
    }
}

impl<'r, T: DeserializeOwned> Decode<'r, Postgres> for Word<T> {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        let word = <String as Decode<Postgres>>::decode(value)?;
        Ok(Self(serde_json::from_value(serde_json::Value::String(word))?))
    }
}

impl<T: Serialize> Encode<'_, Postgres> for Word<T> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let serde_json::Value::String(word) = serde_json::to_value(&self.0)? else {
            return Err("only what serde writes as a text is a word".into());
        };
        <String as Encode<Postgres>>::encode(word, buffer)
    }
}

/// The plain ids, as they are bound.
pub fn uuids<T: Id>(ids: &[T]) -> Vec<Uuid> {
    ids.iter().map(|id| id.uuid()).collect()
}

/// The part of a list that is wanted: so many entries behind a place, from the front or from the back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice<P> {
    /// Entries to read: one more than are shown tells whether there are more.
    pub limit: i64,
    /// Only what comes after this.
    pub after: Option<P>,
    /// Only what comes before this.
    pub before: Option<P>,
    /// Whether the last ones are wanted; they come in reverse.
    pub backwards: bool,
}

/// What somebody looks for, as a pattern of `ilike` in which nothing they typed means anything but itself.
pub fn pattern(search: &str) -> String {
    let mut pattern = String::with_capacity(search.len() + 2);
    pattern.push('%');
    for letter in search.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::pattern;

    #[test]
    fn what_is_searched_for_means_itself() {
        assert_eq!(pattern(r"100%_a\b"), r"%100\%\_a\\b%");
        assert_eq!(pattern(""), "%%");
    }
}
