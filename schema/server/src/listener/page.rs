//! Lists that grow, a page at a time.
//!
//! A cursor holds the place of an entry: what its list is ordered by, then its id. So a page begins where the one
//! before it ended, whatever came or went in between, and also when the very entry is gone.

use std::cmp::Ordering;
use std::ops::Range;

use async_graphql::{Result, SimpleObject};

use super::{refusal, shared};

/// Entries on a page where nobody says how many.
const USUAL: usize = 20;
/// Entries on a page at most, however many are asked for.
const MOST: usize = 100;

/// What lies around a page.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
#[graphql(directive = shared::apply())]
pub struct PageInfo {
    /// Whether there is more after it.
    has_next_page: bool,
    /// Whether there is more before it.
    has_previous_page: bool,
    /// Where it begins.
    start_cursor: Option<String>,
    /// Where it ends.
    end_cursor: Option<String>,
}

impl PageInfo {
    /// What lies around a part of a list of `length` entries.
    pub(crate) fn of(part: &Range<usize>, length: usize, cursor: impl Fn(usize) -> String) -> Self {
        Self {
            has_next_page: part.end < length,
            has_previous_page: part.start > 0,
            start_cursor: part.clone().next().map(&cursor),
            end_cursor: part.clone().next_back().map(&cursor),
        }
    }
}

#[cfg(test)]
impl PageInfo {
    pub(crate) fn has_next(&self) -> bool {
        self.has_next_page
    }

    pub(crate) fn has_previous(&self) -> bool {
        self.has_previous_page
    }

    pub(crate) fn start(&self) -> Option<String> {
        self.start_cursor.clone()
    }

    pub(crate) fn end(&self) -> Option<String> {
        self.end_cursor.clone()
    }
}

/// The four arguments of a connection.
#[derive(Debug, Default, Clone)]
pub(crate) struct PageArguments {
    pub(crate) first: Option<i32>,
    pub(crate) after: Option<String>,
    pub(crate) last: Option<i32>,
    pub(crate) before: Option<String>,
}

fn invalid(why: &str) -> async_graphql::Error {
    refusal::coded("INVALID", why)
}

impl PageArguments {
    /// The part of a list of `length` entries that is wanted. `read` reads a cursor; `compare` says how the entry at
    /// a position stands to a place.
    pub(crate) fn range<P>(
        &self,
        length: usize,
        read: impl Fn(&str) -> Option<P>,
        compare: impl Fn(usize, &P) -> Ordering,
    ) -> Result<Range<usize>> {
        let place = |cursor: &Option<String>| {
            let place = |cursor| read(cursor).ok_or_else(|| invalid("this cursor is not of this list"));
            cursor.as_deref().map(place).transpose()
        };
        let (after, before) = (place(&self.after)?, place(&self.before)?);
        let until = |ends: &dyn Fn(usize) -> bool| first_where(length, ends);
        let start = after.map_or(0, |mark| until(&|at| compare(at, &mark) == Ordering::Greater));
        let end = before.map_or(length, |mark| until(&|at| compare(at, &mark) != Ordering::Less));
        self.cut(start, end)
    }

    /// Takes as many as are wanted off the front or the back of a range.
    fn cut(&self, start: usize, end: usize) -> Result<Range<usize>> {
        let end = end.max(start);
        match (self.first, self.last) {
            (Some(_), Some(_)) => Err(invalid("give first or last, not both")),
            (Some(n), None) => Ok(start..end.min(start + size(n)?)),
            (None, Some(n)) => Ok(start.max(end.saturating_sub(size(n)?))..end),
            (None, None) => Ok(start..end.min(start + USUAL)),
        }
    }
}

/// The first position at which something holds that holds from there on; `length` where it never does.
fn first_where(length: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, length);
    while low < high {
        let middle = usize::midpoint(low, high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

fn size(n: i32) -> Result<usize> {
    let size = usize::try_from(n).map_err(|_negative| invalid("first and last are 0 to 100"))?;
    Ok(size.min(MOST))
}
