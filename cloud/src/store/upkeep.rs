//! Partitions, roll-ups and retention: what the functions of the migrations do, one call each.

use chrono::{DateTime, NaiveDate, Utc};
use roomtone_schema::{UnixMillis, VenueId};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

/// A table of facts: partitioned by week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactTable {
    /// Who was there.
    Sessions,
    /// What they liked.
    Votes,
    /// What was played.
    Plays,
}

impl FactTable {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sessions, Self::Votes, Self::Plays];

    fn name(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Votes => "votes",
            Self::Plays => "songs_playing",
        }
    }
}

/// Rows that lie in a default partition, because there was no week for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strays {
    /// The table.
    pub fact: String,
    /// How many.
    pub rows: i64,
}

/// Takes the right to do upkeep until this connection ends; false where another replica has it.
pub async fn try_lock(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select pg_try_advisory_lock(hashtext('roomtone.upkeep'))").fetch_one(conn).await
}

/// Gives it back.
pub async fn unlock(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("select pg_advisory_unlock(hashtext('roomtone.upkeep'))").execute(conn).await.map(drop)
}

/// The database's own time.
pub async fn time(conn: &mut PgConnection) -> Result<UnixMillis, sqlx::Error> {
    let now: DateTime<Utc> = sqlx::query_scalar("select now()").fetch_one(conn).await?;
    Ok(UnixMillis(now.timestamp_millis()))
}

/// For how long statements of this transaction may run: longer than a request's.
pub async fn allow_minutes(conn: &mut PgConnection, minutes: u32) -> Result<(), sqlx::Error> {
    sqlx::query("select set_config('statement_timeout', $1, true)")
        .bind(format!("{minutes}min"))
        .execute(conn)
        .await?;
    Ok(())
}

/// Makes the weeks from `from` up to `to`; how many were missing.
pub async fn ensure_partitions(
    conn: &mut PgConnection,
    table: FactTable,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar("select private.ensure_partitions($1, $2, $3)")
        .bind(table.name())
        .bind(from)
        .bind(to)
        .fetch_one(conn)
        .await
}

/// Drops the weeks that lie wholly before `before`; how many there were.
pub async fn drop_partitions(
    conn: &mut PgConnection,
    table: FactTable,
    before: NaiveDate,
) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar("select private.drop_partitions($1, $2)")
        .bind(table.name())
        .bind(before)
        .fetch_one(conn)
        .await
}

/// Removes rows of the default partition that were received before `before`; how many there were.
pub async fn forget_strays(
    conn: &mut PgConnection,
    table: FactTable,
    before: NaiveDate,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select private.forget_strays($1, $2)")
        .bind(table.name())
        .bind(before)
        .fetch_one(conn)
        .await
}

/// Tables with rows in their default partition.
pub async fn strays(conn: &mut PgConnection) -> Result<Vec<Strays>, sqlx::Error> {
    let rows = sqlx::query("select fact, strays from private.stray_facts() where strays > 0 order by fact")
        .fetch_all(conn)
        .await?;
    rows.iter().map(|row| Ok(Strays { fact: row.try_get(0)?, rows: row.try_get(1)? })).collect()
}

/// Up to when everything is rolled up, and the database's own time; `None` where it has never been.
pub async fn rolled_up_to(
    conn: &mut PgConnection,
) -> Result<(Option<DateTime<Utc>>, DateTime<Utc>), sqlx::Error> {
    let row = sqlx::query("select (select done_to from private.upkeep where task = 'roll_up'), now()")
        .fetch_one(conn)
        .await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// Notes up to when everything is rolled up.
pub async fn note_rolled_up(conn: &mut PgConnection, done_to: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into private.upkeep (task, done_to) values ('roll_up', $1)
         on conflict (task) do update set done_to = excluded.done_to",
    )
    .bind(done_to)
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that weeks of a kind are dropped that lie before `before`.
pub async fn note_dropped(
    conn: &mut PgConnection,
    table: FactTable,
    before: NaiveDate,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into private.upkeep as u (task, done_to) values ('drop_' || $1, $2::date::timestamp at time zone 'UTC')
         on conflict (task) do update set done_to = greatest(u.done_to, excluded.done_to)",
    )
    .bind(table.name())
    .bind(before)
    .execute(conn)
    .await?;
    Ok(())
}

/// From which day on all facts of a kind are still there; `None` where none were ever dropped.
async fn whole_from(conn: &mut PgConnection, table: FactTable) -> Result<Option<NaiveDate>, sqlx::Error> {
    // A day more, for the venues' own days begin before or after that of UTC.
    sqlx::query_scalar(
        "select max((done_to at time zone 'UTC')::date + 1) from private.upkeep where task = 'drop_' || $1",
    )
    .bind(table.name())
    .fetch_one(conn)
    .await
}

/// The venues' days of which something was received since then; of all that is there, where `since` is `None`.
pub async fn touched_days(
    conn: &mut PgConnection,
    since: Option<DateTime<Utc>>,
) -> Result<Vec<(VenueId, NaiveDate)>, sqlx::Error> {
    let rows: Vec<(Uuid, NaiveDate)> = sqlx::query_as(
        "select venue_id, day from private.touched_days(coalesce($1, '-infinity'::timestamptz))",
    )
    .bind(since)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(venue, day)| (VenueId(venue), day)).collect())
}

/// Counts those days anew, as far as their facts are still there.
pub async fn roll_up(conn: &mut PgConnection, days: &[(VenueId, NaiveDate)]) -> Result<(), sqlx::Error> {
    let venues: Vec<Uuid> = days.iter().map(|(venue, _)| venue.0).collect();
    let dates: Vec<NaiveDate> = days.iter().map(|(_, day)| *day).collect();
    let sessions_from = whole_from(conn, FactTable::Sessions).await?;
    let votes_from = whole_from(conn, FactTable::Votes).await?;
    let plays_from = whole_from(conn, FactTable::Plays).await?;
    sqlx::query("select private.roll_up($1, $2, $3, $4, $5)")
        .bind(venues)
        .bind(dates)
        .bind(sessions_from)
        .bind(votes_from)
        .bind(plays_from)
        .execute(conn)
        .await?;
    Ok(())
}

/// Removes what nobody asks for any more; how many rows that were.
pub async fn sweep(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select private.sweep($1)").bind(now).fetch_one(conn).await
}

/// Trims feeds to what changed since `before`, and lets go of who was nowhere for a month; how many changes went.
pub async fn trim_feed(conn: &mut PgConnection, before: DateTime<Utc>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select private.trim_feed($1)").bind(before).fetch_one(conn).await
}
