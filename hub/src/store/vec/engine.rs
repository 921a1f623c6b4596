//! Both ranking rules over `song_vec`, exact.

use std::collections::HashSet;
use std::time::Duration;

use roomtone_schema::id::Id;
use roomtone_schema::rank::{Candidate, Ranked, Ranking, Standing, place, place_plan};
use roomtone_schema::vector::{Axes, dot, unit};
use roomtone_schema::{EmbeddingVersion, UnixMillis, ZoneId};
use rusqlite::{Connection, ToSql, named_params};

use super::{COMPARABLE, candidate};

/// The most that sqlite-vec returns of one search.
const MOST_NEIGHBOURS: usize = 4_096;

/// So many more than asked for are searched, so that the usual tie or two costs no second search.
const SPARE_NEIGHBOURS: usize = 8;

/// How far sqlite-vec's f32 distance may lie from the true one, doubled, with room to spare.
const MARGIN: f64 = 1e-5;

/// One zone's view of `song_vec`, on one snapshot of the database.
#[derive(Debug)]
pub struct VecEngine<'c> {
    conn: &'c Connection,
    zone: ZoneId,
    window: Duration,
    /// No other zone has heard anything, so that `song_vec.last_played` is this zone's.
    is_alone: bool,
}

/// "Not heard since then" says "never heard": nothing was ever played at or before it.
const EVER: UnixMillis = UnixMillis(0);

impl Ranking for VecEngine<'_> {
    type Error = rusqlite::Error;

    fn window(&self) -> Duration {
        self.window
    }

    fn top(&self, vibe: &Axes, k: usize, now: UnixMillis) -> rusqlite::Result<Vec<Ranked>> {
        self.rank(vibe, k, now)
    }
}

impl<'c> VecEngine<'c> {
    /// The zone's engine. `window`: how long songs rest by the rule `rank`.
    pub fn new(conn: &'c Connection, zone: ZoneId, window: Duration) -> rusqlite::Result<Self> {
        let is_alone = conn
            .prepare_cached(
                "select coalesce((select min(zone) from zone_plays) = :zone
                     and (select max(zone) from zone_plays) = :zone, true)",
            )?
            .query_row(named_params! { ":zone": zone.to_bytes() }, |row| row.get(0))?;
        Ok(Self { conn, zone, window, is_alone })
    }

    /// The best `k` by the older plan's rule, where songs rest for `penalty`.
    pub fn rank_plan(
        &self,
        query: &Axes,
        k: usize,
        now: UnixMillis,
        penalty: Duration,
    ) -> rusqlite::Result<Vec<Ranked>> {
        let query = unit(query);
        let place = |one: &Candidate| place_plan(query.as_ref(), one, now, penalty);
        let since = if penalty.is_zero() { UnixMillis(i64::MAX) } else { now - penalty };
        let mut top: Vec<Ranked> = self.nearest(query.as_ref(), k, since)?.iter().map(place).collect();
        best(&mut top, k);
        if top.len() < k {
            let mut others: Vec<Ranked> =
                self.undescribed()?.iter().chain(&self.heard()?).map(place).collect();
            others.retain(|one| one.standing != Standing::Rested);
            others.sort_unstable_by(Ranked::order);
            // A song without an embedding that was heard comes from both lists.
            others.dedup_by_key(|one| one.song);
            top.extend(others);
            top.truncate(k);
        }
        Ok(top)
    }

    /// The best `k` by the rule that Roomtone plays by. What the zone has heard is scored one by one, so that it
    /// costs more the longer the history is; the rest is a search.
    pub fn rank(&self, vibe: &Axes, k: usize, now: UnixMillis) -> rusqlite::Result<Vec<Ranked>> {
        let place = |one: &Candidate| place(vibe, one, now, self.window);
        let mut top: Vec<Ranked> = self.heard()?.iter().map(place).collect();
        top.extend(self.nearest(unit(vibe).as_ref(), k, EVER)?.iter().map(place));
        if top.iter().filter(|one| one.standing == Standing::Rested).count() < k {
            let heard: HashSet<_> = top.iter().map(|one| one.song).collect();
            let never_heard = self.undescribed()?.into_iter().filter(|one| !heard.contains(&one.song));
            top.extend(never_heard.map(|one| place(&one)));
        }
        best(&mut top, k);
        Ok(top)
    }

    /// At least the `k` nearest of the songs with an embedding that the zone has not heard after `since`, in no order;
    /// without a direction, all of them.
    fn nearest(&self, query: Option<&Axes>, k: usize, since: UnixMillis) -> rusqlite::Result<Vec<Candidate>> {
        let Some(query) = query else { return self.described(since) };
        let mut asked = k.saturating_add(SPARE_NEIGHBOURS);
        while asked <= MOST_NEIGHBOURS {
            let (found, farthest) = self.search(query, asked, since)?;
            if found.len() < asked || is_beyond(query, &found, k, farthest) {
                return Ok(found);
            }
            asked *= 2;
        }
        self.described(since)
    }

    /// What sqlite-vec finds, and its distance of the farthest.
    fn search(&self, query: &Axes, k: usize, since: UnixMillis) -> rusqlite::Result<(Vec<Candidate>, f64)> {
        let query: Vec<u8> = query.iter().flat_map(|term| (*term as f32).to_le_bytes()).collect();
        let zone = self.zone.to_bytes();
        let sql = format!(
            "with found as materialized (
                 select song_id, distance from song_vec where embedding match :query and k = :k and {})
             select songs.id, {COMPARABLE}, zone_plays.last_played_at, found.distance
             from found join songs on songs.row = found.song_id
             left join zone_plays on zone_plays.zone = :zone and zone_plays.song = songs.row",
            self.filter()
        );
        let (k, version) = (k as i64, EmbeddingVersion::CURRENT.0);
        let params: &[(&str, &dyn ToSql)] =
            &[(":query", &query), (":k", &k), (":zone", &zone), (":since", &since.0), (":version", &version)];
        let mut statement = self.conn.prepare_cached(&sql)?;
        let found: Vec<(Candidate, f64)> = statement
            .query_map(params, |row| Ok((candidate(row)?, row.get(3)?)))?
            .collect::<Result<_, _>>()?;
        let farthest = found.iter().map(|(_, distance)| *distance).fold(0.0, f64::max);
        Ok((found.into_iter().map(|(one, _)| one).collect(), farthest))
    }

    /// The condition that sqlite-vec applies while it searches.
    fn filter(&self) -> &'static str {
        if self.is_alone {
            "last_played <= :since"
        } else {
            "song_id in (select row from songs where row not in
                 (select song from zone_plays where zone = :zone and last_played_at > :since))"
        }
    }

    /// All songs with an embedding: what is left where a search cannot tell them apart.
    fn described(&self, since: UnixMillis) -> rusqlite::Result<Vec<Candidate>> {
        let mut all = self.candidates(&format!("{COMPARABLE} is not null"))?;
        all.retain(|one| one.last_played_at.is_none_or(|at| at <= since));
        Ok(all)
    }

    /// Every playable song that the zone has heard.
    fn heard(&self) -> rusqlite::Result<Vec<Candidate>> {
        self.candidates("zone_plays.last_played_at is not null")
    }

    /// Every playable song without an embedding.
    fn undescribed(&self) -> rusqlite::Result<Vec<Candidate>> {
        self.candidates(&format!("{COMPARABLE} is null"))
    }

    fn candidates(&self, condition: &str) -> rusqlite::Result<Vec<Candidate>> {
        self.conn
            .prepare_cached(&format!(
                "select songs.id, {COMPARABLE}, zone_plays.last_played_at
                 from songs left join zone_plays on zone_plays.zone = :zone and zone_plays.song = songs.row
                 where songs.status = 'ready' and {condition}"
            ))?
            .query_map(
                named_params! { ":zone": self.zone.to_bytes(), ":version": EmbeddingVersion::CURRENT.0 },
                candidate,
            )?
            .collect()
    }
}

/// Whether the farthest one found is so much farther than the k-th best that none outside can be among these.
fn is_beyond(query: &Axes, found: &[Candidate], k: usize, farthest: f64) -> bool {
    let mut distances: Vec<f64> = found
        .iter()
        .filter_map(|one| one.embedding)
        .map(|embedding| 1.0 - dot(query, &embedding.unit()))
        .collect();
    distances.sort_unstable_by(f64::total_cmp);
    let Some(kth) = k.checked_sub(1).and_then(|at| distances.get(at)) else { return true };
    farthest > kth + MARGIN
}

/// Keeps the best `k`, in order.
fn best(ranked: &mut Vec<Ranked>, k: usize) {
    ranked.sort_unstable_by(Ranked::order);
    ranked.truncate(k);
}
