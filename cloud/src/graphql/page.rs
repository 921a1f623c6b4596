//! Lists that grow, a page at a time.
//!
//! A cursor holds the place of an entry: what its list is ordered by, then its id. So a page begins where the one
//! before it ended, whatever came or went in between, and also when the very entry is gone.

use async_graphql::{Result, SimpleObject};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::asking::coded;
use crate::venues::Slice;

/// Entries on a page where nobody says how many.
const USUAL: i32 = 50;
/// Entries on a page at most, however many are asked for.
const MOST: i32 = 200;

/// What lies around a page.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
pub(super) struct PageInfo {
    /// Whether there is more after it.
    has_next_page: bool,
    /// Whether there is more before it.
    has_previous_page: bool,
    /// Where it begins.
    start_cursor: Option<String>,
    /// Where it ends.
    end_cursor: Option<String>,
}

/// The four arguments of a connection.
#[derive(Debug, Default, Clone)]
pub(super) struct PageArguments {
    pub(super) first: Option<i32>,
    pub(super) after: Option<String>,
    pub(super) last: Option<i32>,
    pub(super) before: Option<String>,
}

/// How many entries a page may have, for what a query is reckoned to cost: one at least, for what is asked beside them
/// costs something, too.
pub(super) fn size(first: Option<i32>, last: Option<i32>) -> usize {
    first.or(last).unwrap_or(USUAL).clamp(1, MOST).unsigned_abs() as usize
}

impl PageArguments {
    /// The part of a list that is wanted, and one entry more: it tells whether there are more.
    pub(super) fn slice<P: DeserializeOwned>(&self) -> Result<Slice<P>> {
        if self.first.is_some() && self.last.is_some() {
            return Err(coded("INVALID", "give first or last, not both"));
        }
        if self.first.or(self.last).is_some_and(|n| n < 0) {
            return Err(coded("INVALID", "first and last are 0 to 200"));
        }
        let place = |cursor: &Option<String>| {
            let read =
                |cursor| place(cursor).ok_or_else(|| coded("INVALID", "this cursor is not of this list"));
            cursor.as_deref().map(read).transpose()
        };
        let entries = i64::from(self.first.or(self.last).unwrap_or(USUAL).min(MOST));
        Ok(Slice {
            limit: entries + 1,
            after: place(&self.after)?,
            before: place(&self.before)?,
            backwards: self.last.is_some(),
        })
    }
}

/// A page of a list, in the order of the list, each entry with its cursor.
#[derive(Debug, Clone)]
pub(super) struct Page<T> {
    pub(super) entries: Vec<(String, T)>,
    pub(super) info: PageInfo,
}

impl<T> Page<T> {
    /// What was read for a slice, as a page. `place` says where an entry stands.
    pub(super) fn of<P: Serialize>(slice: &Slice<P>, mut read: Vec<T>, place: impl Fn(&T) -> P) -> Self {
        let wanted = usize::try_from(slice.limit - 1).unwrap_or(0);
        let more = read.len() > wanted;
        read.truncate(wanted);
        if slice.backwards {
            read.reverse();
        }
        let entries: Vec<(String, T)> =
            read.into_iter().map(|entry| (cursor(&place(&entry)), entry)).collect();
        let end = |entry: Option<&(String, T)>| entry.map(|(cursor, _)| cursor.clone());
        let info = PageInfo {
            has_next_page: if slice.backwards { slice.before.is_some() } else { more },
            has_previous_page: if slice.backwards { more } else { slice.after.is_some() },
            start_cursor: end(entries.first()),
            end_cursor: end(entries.last()),
        };
        Self { entries, info }
    }

    /// The same page of what is made of its entries.
    pub(super) fn map<U>(self, make: impl Fn(T) -> U) -> Page<U> {
        let entries = self.entries.into_iter().map(|(cursor, entry)| (cursor, make(entry))).collect();
        Page { entries, info: self.info }
    }
}

fn cursor(place: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).expect("a place is plain data"))
}

fn place<P: DeserializeOwned>(cursor: &str) -> Option<P> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}

/// A connection, its edge and how a page becomes one: what Relay wants of a list.
macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ty, $counting:ty, $what:literal, $at:literal) => {
        #[doc = $at]
        #[derive(Debug, Clone, async_graphql::SimpleObject)]
        pub(crate) struct $edge {
            /// Where it stands.
            cursor: String,
            /// What stands there.
            node: $node,
        }

        #[doc = $what]
        #[derive(Debug, Clone)]
        pub(crate) struct $connection {
            page: $crate::graphql::page::Page<$node>,
            counting: $counting,
        }

        impl $connection {
            pub(super) fn new(page: $crate::graphql::page::Page<$node>, counting: $counting) -> Self {
                Self { page, counting }
            }
        }

        #[doc = $what]
        #[async_graphql::Object]
        impl $connection {
            /// The entries with their cursors.
            async fn edges(&self) -> Vec<$edge> {
                let edge =
                    |(cursor, node): &(String, $node)| $edge { cursor: cursor.clone(), node: node.clone() };
                self.page.entries.iter().map(edge).collect()
            }

            /// The entries.
            async fn nodes(&self) -> Vec<$node> {
                self.page.entries.iter().map(|(_, node)| node.clone()).collect()
            }

            /// What lies around them.
            async fn page_info(&self) -> $crate::graphql::page::PageInfo {
                self.page.info.clone()
            }

            /// Entries of the whole list.
            #[graphql(complexity = 5)]
            async fn total_count(&self, ctx: &async_graphql::Context<'_>) -> async_graphql::Result<i64> {
                self.counting.count(ctx).await
            }
        }
    };
}
pub(super) use connection;
