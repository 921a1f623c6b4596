//! Which migrations are applied, by whichever list there is.

use std::collections::BTreeSet;

use sqlx::PgConnection;

/// What the Supabase CLI has applied; `None` where it has never been here.
pub async fn listed_by_cli(conn: &mut PgConnection) -> Result<Option<BTreeSet<i64>>, sqlx::Error> {
    if !exists(conn, "supabase_migrations.schema_migrations").await? {
        return Ok(None);
    }
    let versions: Vec<i64> = sqlx::query_scalar(
        "select version::bigint from supabase_migrations.schema_migrations where version ~ '^[0-9]+$'",
    )
    .fetch_all(conn)
    .await?;
    Ok(Some(versions.into_iter().collect()))
}

/// What we have applied ourselves.
pub async fn listed_here(conn: &mut PgConnection) -> Result<BTreeSet<i64>, sqlx::Error> {
    if !exists(conn, "private._sqlx_migrations").await? {
        return Ok(BTreeSet::new());
    }
    let versions: Vec<i64> = sqlx::query_scalar("select version from private._sqlx_migrations where success")
        .fetch_all(conn)
        .await?;
    Ok(versions.into_iter().collect())
}

/// What is applied, for those who may read neither list, and whether the CLI says so.
pub async fn applied(conn: &mut PgConnection) -> Result<Vec<(i64, bool)>, sqlx::Error> {
    sqlx::query_as("select version, by_cli from private.applied_migrations()").fetch_all(conn).await
}

async fn exists(conn: &mut PgConnection, table: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select to_regclass($1) is not null").bind(table).fetch_one(conn).await
}
