//! What people with an account like: the votes that count, and their fold (`roomtone_schema::taste`).
//!
//! The order in which votes arrive changes nothing: of those for one song the one of the greatest (hlc, id) counts, and
//! it is taken out by exactly what it had put in.

use std::collections::{BTreeMap, HashMap};

use pgvector::Vector;
use roomtone_schema::taste::{FixedUnit, TasteState, fixed_unit, taste};
use roomtone_schema::vote::VoteValue;
use roomtone_schema::{Embedding, HubId, VenueId};
use serde_json::{Value, json};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::facts::column;

/// A vote of somebody with an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cast {
    /// Whose.
    pub profile: Uuid,
    /// For what.
    pub song: Uuid,
    /// Which.
    pub vote: Uuid,
    /// What it is ordered by.
    pub hlc: i64,
    /// Like or dislike.
    pub value: VoteValue,
    /// By which of the hub's facts it was told.
    pub seq: i64,
}

/// A vote that counts, with what it has put into the fold.
#[derive(Debug, Clone, Copy)]
struct Effective {
    vote: Uuid,
    hlc: i64,
    value: VoteValue,
    unit: Option<FixedUnit>,
}

/// Somebody's fold, and up to which fact of which hub.
#[derive(Debug, Clone)]
struct Fold {
    state: TasteState,
    folded: Value,
}

/// Which votes of a hub these are.
#[derive(Debug, Clone, Copy)]
pub struct Teller {
    /// The hub.
    pub hub: HubId,
    /// The life of its database.
    pub epoch: i64,
}

/// Folds votes in. Nobody else folds for the same people until the transaction ends.
pub async fn fold(conn: &mut PgConnection, teller: Teller, casts: &[Cast]) -> Result<(), sqlx::Error> {
    let mut folds = lock(&mut *conn, casts).await?;
    let units = units(&mut *conn, casts).await?;
    let mut effective = effective(&mut *conn, casts).await?;
    let mut changed = BTreeMap::new();
    for cast in casts {
        let Some(fold) = folds.get_mut(&cast.profile) else { continue };
        let key = (cast.profile, cast.song);
        if let Some(newer) = replace(&mut fold.state, effective.get(&key), cast, units.get(&cast.song)) {
            effective.insert(key, newer);
            changed.insert(key, newer);
        }
        note_folded(&mut fold.folded, teller, cast.seq);
    }
    put_effective(&mut *conn, &changed).await?;
    put_folds(conn, &folds).await
}

/// What counts from now on, where this vote is newer than what did.
fn replace(
    state: &mut TasteState,
    old: Option<&Effective>,
    cast: &Cast,
    unit: Option<&FixedUnit>,
) -> Option<Effective> {
    if old.is_some_and(|old| (old.hlc, old.vote) >= (cast.hlc, cast.vote)) {
        return None;
    }
    if let Some(Effective { value, unit: Some(unit), .. }) = old {
        state.remove(*value, unit);
    }
    if let Some(unit) = unit {
        state.add(cast.value, unit);
    }
    Some(Effective { vote: cast.vote, hlc: cast.hlc, value: cast.value, unit: unit.copied() })
}

fn note_folded(folded: &mut Value, teller: Teller, seq: i64) {
    let hub = teller.hub.0.to_string();
    let known = folded.get(&hub).and_then(|at| Some((at.get(0)?.as_i64()?, at.get(1)?.as_i64()?)));
    if known.is_none_or(|known| known < (teller.epoch, seq)) {
        folded[hub] = json!([teller.epoch, seq]);
    }
}

async fn lock(conn: &mut PgConnection, casts: &[Cast]) -> Result<BTreeMap<Uuid, Fold>, sqlx::Error> {
    let people = column(casts, |cast| cast.profile);
    sqlx::query(
        "insert into public.preferences (user_id, embedding_model_id)
         select distinct id, private.current_model() from unnest($1::uuid[]) n (id) order by id
         on conflict (user_id) do nothing",
    )
    .bind(&people)
    .execute(&mut *conn)
    .await?;
    let rows = sqlx::query(
        "select user_id, n_like, sum_like, n_dislike, sum_dislike, folded from public.preferences
         where user_id = any ($1) order by user_id for update",
    )
    .bind(&people)
    .fetch_all(conn)
    .await?;
    let mut folds = BTreeMap::new();
    for row in rows {
        let (like, dislike): (Vec<i64>, Vec<i64>) = (row.try_get(2)?, row.try_get(4)?);
        let state = TasteState {
            n_like: row.try_get(1)?,
            sum_like: like.try_into().unwrap_or_default(),
            n_dislike: row.try_get(3)?,
            sum_dislike: dislike.try_into().unwrap_or_default(),
        };
        folds.insert(row.try_get(0)?, Fold { state, folded: row.try_get(5)? });
    }
    Ok(folds)
}

async fn units(conn: &mut PgConnection, casts: &[Cast]) -> Result<HashMap<Uuid, FixedUnit>, sqlx::Error> {
    let rows: Vec<(Uuid, Vector)> = sqlx::query_as(
        "select id, embedding from public.songs
         where id = any ($1) and embedding is not null and embedding_model_id = private.current_model()",
    )
    .bind(column(casts, |cast| cast.song))
    .fetch_all(conn)
    .await?;
    let unit = |(song, vector): (Uuid, Vector)| {
        let numbers = vector.to_vec().try_into().ok()?;
        Some((song, fixed_unit(&Embedding::new(numbers).ok()?)))
    };
    Ok(rows.into_iter().filter_map(unit).collect())
}

async fn effective(
    conn: &mut PgConnection,
    casts: &[Cast],
) -> Result<HashMap<(Uuid, Uuid), Effective>, sqlx::Error> {
    let rows = sqlx::query(
        "select e.user_id, e.song_id, e.vote_id, e.hlc, e.vote_value, e.unit from private.effective_votes e
         join (select distinct * from unnest($1::uuid[], $2::uuid[]) n (user_id, song_id)) n
           on n.user_id = e.user_id and n.song_id = e.song_id",
    )
    .bind(column(casts, |cast| cast.profile))
    .bind(column(casts, |cast| cast.song))
    .fetch_all(conn)
    .await?;
    let mut effective = HashMap::new();
    for row in rows {
        let unit: Option<Vec<i64>> = row.try_get(5)?;
        let value = if row.try_get::<i32, _>(4)? > 0 { VoteValue::Like } else { VoteValue::Dislike };
        let unit = unit.and_then(|unit| unit.try_into().ok());
        let vote = Effective { vote: row.try_get(2)?, hlc: row.try_get(3)?, value, unit };
        effective.insert((row.try_get(0)?, row.try_get(1)?), vote);
    }
    Ok(effective)
}

async fn put_effective(
    conn: &mut PgConnection,
    votes: &BTreeMap<(Uuid, Uuid), Effective>,
) -> Result<(), sqlx::Error> {
    // A list of lists has to be a rectangle for Postgres: texts are none.
    let text = |unit: FixedUnit| format!("{{{}}}", unit.map(|value| value.to_string()).join(","));
    let votes: Vec<_> = votes.iter().collect();
    sqlx::query(
        "insert into private.effective_votes (user_id, song_id, vote_id, hlc, vote_value, unit)
         select a, b, c, d, e, f::bigint[]
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::int[], $6::text[]) n (a, b, c, d, e, f)
         on conflict (user_id, song_id) do update
           set vote_id = excluded.vote_id, hlc = excluded.hlc, vote_value = excluded.vote_value, unit = excluded.unit",
    )
    .bind(column(&votes, |(key, _)| key.0))
    .bind(column(&votes, |(key, _)| key.1))
    .bind(column(&votes, |(_, vote)| vote.vote))
    .bind(column(&votes, |(_, vote)| vote.hlc))
    .bind(column(&votes, |(_, vote)| sign(vote.value)))
    .bind(column(&votes, |(_, vote)| vote.unit.map(text)))
    .execute(conn)
    .await?;
    Ok(())
}

async fn put_folds(conn: &mut PgConnection, folds: &BTreeMap<Uuid, Fold>) -> Result<(), sqlx::Error> {
    for (profile, fold) in folds {
        let direction =
            taste(&fold.state, None).map(|axes| Vector::from(axes.map(|value| value as f32).to_vec()));
        sqlx::query(
            "update public.preferences set n_like = $2, sum_like = $3, n_dislike = $4, sum_dislike = $5, folded = $6,
                    preference = $7
             where user_id = $1",
        )
        .bind(profile)
        .bind(fold.state.n_like)
        .bind(fold.state.sum_like.to_vec())
        .bind(fold.state.n_dislike)
        .bind(fold.state.sum_dislike.to_vec())
        .bind(&fold.folded)
        .bind(direction)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Gives a guest's votes to a profile, which is whom the guest turned out to be, and says which they are.
pub async fn claim(
    conn: &mut PgConnection,
    venue: VenueId,
    guest: Uuid,
    profile: Uuid,
    seq: i64,
) -> Result<Vec<Cast>, sqlx::Error> {
    sqlx::query(
        "insert into public.guests as g (id, venue_id, claimed_by) values ($2, $1, $3)
         on conflict (id) do update set claimed_by = excluded.claimed_by where g.claimed_by is null",
    )
    .bind(venue.0)
    .bind(guest)
    .bind(profile)
    .execute(&mut *conn)
    .await?;
    let rows = sqlx::query(
        "update public.votes set user_id = $3, guest_id = null where venue_id = $1 and guest_id = $2
         returning song_id, id, coalesce(hlc, (extract(epoch from vote_time) * 1000)::bigint << 16), vote_value",
    )
    .bind(venue.0)
    .bind(guest)
    .bind(profile)
    .fetch_all(conn)
    .await?;
    let mut casts = Vec::with_capacity(rows.len());
    for row in rows {
        let value = if row.try_get::<i32, _>(3)? > 0 { VoteValue::Like } else { VoteValue::Dislike };
        let (song, vote, hlc) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        casts.push(Cast { profile, song, vote, hlc, value, seq });
    }
    Ok(casts)
}

/// How a vote's value stands in a column.
pub fn sign(value: VoteValue) -> i32 {
    match value {
        VoteValue::Like => 1,
        VoteValue::Dislike => -1,
    }
}
