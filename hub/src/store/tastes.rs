//! Tastes that come down: what the cloud knows of somebody with an account, and what they said here since.
//!
//! `preferences` holds what is shown, so that a vote goes the same way for everybody: it adds its own, and takes away what
//! it replaces. News replaces the row by the cloud's sums and those of this hub's votes that are not in them yet.

use std::collections::HashMap;

use roomtone_schema::id::Id as _;
use roomtone_schema::taste::{FixedUnit, TasteState};
use roomtone_schema::vote::{Hlc, VoteValue};
use roomtone_schema::{EmbeddingVersion, HubId, ListenerId, SongId, UnixMillis};
use roomtone_sync::wire::TasteNews;
use rusqlite::{Connection, params};

use super::row;
use super::tx::Tx;
use super::{link, preferences};

/// A taste as it stands after the newest vote that it counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shown {
    /// Whose.
    pub listener: ListenerId,
    /// The taste.
    pub state: TasteState,
    /// The newest of their votes here.
    pub newest: Hlc,
}

/// Up to which fact of this hub the votes are in the sums. Numbers go on over epochs up to where the newest began.
fn folded_to(folded: &[(HubId, i64, i64)], me: HubId, epoch: i64, epoch_start: i64) -> i64 {
    let own = folded.iter().filter(|(hub, of, _)| *hub == me && *of <= epoch);
    match own.max_by_key(|(_, of, seq)| (*of, *seq)) {
        Some((_, of, seq)) if *of == epoch => *seq,
        Some((_, _, seq)) => (*seq).min(epoch_start),
        None => 0,
    }
}

/// Puts the cloud's sums and this hub's later votes in the place of what was shown.
pub(super) fn take(
    tx: &Tx<'_>,
    me: HubId,
    listener: ListenerId,
    news: &TasteNews,
    now: UnixMillis,
) -> rusqlite::Result<Shown> {
    let TasteNews { version, n_like, sum_like, n_dislike, sum_dislike, .. } = *news;
    let mut state = TasteState { n_like, sum_like, n_dislike, sum_dislike };
    let folded = folded_to(&news.folded, me, super::hub_state::epoch(tx)?, link::epoch_start(tx)?);
    let votes = votes_of(tx, listener)?;
    let newest = votes.iter().map(|vote| vote.hlc).max().unwrap_or(Hlc(0));
    if EmbeddingVersion(version) == EmbeddingVersion::CURRENT {
        add_later(&mut state, votes, folded);
    }
    preferences::put(tx, listener, EmbeddingVersion(version), &state, now)?;
    Ok(Shown { listener, state, newest })
}

/// Counts in the votes that the sums do not have, and out the folded ones that those replace.
fn add_later(state: &mut TasteState, votes: Vec<Cast>, folded: i64) {
    let mut in_sums: HashMap<SongId, Cast> = HashMap::new();
    let mut later: Vec<Cast> = Vec::new();
    for vote in votes {
        if folded < vote.fact {
            if vote.counts {
                later.push(vote);
            }
        } else if in_sums.get(&vote.song).is_none_or(|before| before.hlc < vote.hlc) {
            in_sums.insert(vote.song, vote);
        }
    }
    for vote in later {
        if let Some(Cast { value, unit: Some(unit), .. }) = in_sums.get(&vote.song) {
            state.remove(*value, unit);
        }
        if let Some(unit) = &vote.unit {
            state.add(vote.value, unit);
        }
    }
}

struct Cast {
    song: SongId,
    value: VoteValue,
    hlc: Hlc,
    unit: Option<FixedUnit>,
    counts: bool,
    fact: i64,
}

fn votes_of(conn: &Connection, listener: ListenerId) -> rusqlite::Result<Vec<Cast>> {
    let mut select = conn.prepare_cached(
        "select song, value, hlc, unit, counts, coalesce(fact, 0) from votes where listener = ?1 and counts = 1
         union all
         select song, value, hlc, unit, counts, coalesce(fact, 0) from votes where listener = ?1 and counts = 0",
    )?;
    let votes = select.query_map(params![listener.to_bytes()], |row| {
        Ok(Cast {
            song: row::id(row, 0)?,
            value: if row.get::<_, i64>(1)? == 1 { VoteValue::Like } else { VoteValue::Dislike },
            hlc: Hlc(row.get::<_, i64>(2)?.cast_unsigned()),
            unit: row.get::<_, Option<[u8; 40]>>(3)?.map(|bytes| row::sums_from_bytes(&bytes)),
            counts: row.get(4)?,
            fact: row.get(5)?,
        })
    })?;
    votes.collect()
}

/// The cloud says no more of somebody: they were not here for long.
pub(super) fn forget(tx: &Tx<'_>, listener: ListenerId) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "delete from preferences where listener = ?1
             and listener not in (select listener from sessions where status = 'active')",
    )?
    .execute(params![listener.to_bytes()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn hub(number: u128) -> HubId {
        HubId::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn numbers_of_an_ended_epoch_count_up_to_where_the_next_began() {
        let me = hub(1);
        let folded = [(me, 3, 40), (hub(2), 4, 900)];
        assert_eq!(folded_to(&folded, me, 3, 0), 40);
        assert_eq!(folded_to(&folded, me, 4, 30), 30, "a restored hub gives 31 to 40 a second time");
        assert_eq!(folded_to(&folded, me, 4, 50), 40);
        assert_eq!(folded_to(&[(me, 3, 40), (me, 4, 35)], me, 4, 30), 35);
        assert_eq!(folded_to(&folded, hub(3), 4, 30), 0);
    }

    fn cast(song: u128, value: VoteValue, fact: i64, counts: bool) -> Cast {
        let song = SongId::from_uuid(Uuid::from_u128(song));
        Cast { song, value, hlc: Hlc(fact.cast_unsigned()), unit: Some([1, 0, 0, 0, 0]), counts, fact }
    }

    #[test]
    fn later_votes_are_added_and_what_they_replace_is_taken_out() {
        let votes = || {
            vec![
                cast(1, VoteValue::Like, 1, false),
                cast(1, VoteValue::Dislike, 3, true),
                cast(2, VoteValue::Like, 2, true),
            ]
        };
        let whole = |folded: i64| {
            let mut state = TasteState::default();
            for vote in votes().into_iter().filter(|vote| vote.fact <= folded) {
                if let Some(before) =
                    votes().iter().find(|other| other.song == vote.song && other.fact < vote.fact)
                {
                    state.remove(before.value, &[1, 0, 0, 0, 0]);
                }
                state.add(vote.value, &[1, 0, 0, 0, 0]);
            }
            add_later(&mut state, votes(), folded);
            state
        };
        let expected =
            TasteState { n_like: 1, sum_like: [1, 0, 0, 0, 0], n_dislike: 1, sum_dislike: [1, 0, 0, 0, 0] };
        for folded in 0..=3 {
            assert_eq!(whole(folded), expected, "the cloud has {folded} of 3");
        }
    }
}
