//! What the database says of itself, for `doctor` and the checks at the start.

use sqlx::{AssertSqlSafe, PgConnection, Row as _};

/// Who we are logged in as.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Login {
    /// The role.
    pub name: String,
    /// Whether nothing is forbidden to it.
    pub is_superuser: bool,
    /// Whether row policies do not bind it.
    pub bypasses_policies: bool,
    /// Whether tables of ours are its own.
    pub owns_tables: bool,
}

/// Whether it answers at all.
pub async fn is_there(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("select 1").execute(connection).await.map(drop)
}

/// The server's version, as a number to compare and as it calls itself.
pub async fn version(connection: &mut PgConnection) -> sqlx::Result<(i32, String)> {
    sqlx::query_as("select current_setting('server_version_num')::int, current_setting('server_version')")
        .fetch_one(connection)
        .await
}

/// How many connections the server allows those who are no superuser.
pub async fn max_connections(connection: &mut PgConnection) -> sqlx::Result<u32> {
    let most: i32 = sqlx::query_scalar(
        "select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int",
    )
    .fetch_one(connection)
    .await?;
    Ok(most.max(0).cast_unsigned())
}

/// The server's time, in milliseconds since 1970.
pub async fn now_ms(connection: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("select (extract(epoch from clock_timestamp()) * 1000)::bigint")
        .fetch_one(connection)
        .await
}

/// Who we are, and what that could do.
pub async fn login(connection: &mut PgConnection) -> sqlx::Result<Login> {
    sqlx::query_as(
        "select r.rolname::text as name, r.rolsuper as is_superuser, r.rolbypassrls as bypasses_policies,
                exists (select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                        where c.relowner = r.oid and n.nspname in ('public', 'private', 'partitions')
                          and c.relkind in ('r', 'p')) as owns_tables
         from pg_catalog.pg_roles r where r.rolname = current_user",
    )
    .fetch_one(connection)
    .await
}

/// The version of pgvector, where it is there.
pub async fn vector_version(connection: &mut PgConnection) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar("select extversion from pg_catalog.pg_extension where extname = 'vector'")
        .fetch_optional(connection)
        .await
}

/// The tables of the exposed schema that have no row level security.
pub async fn tables_without_policies(connection: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select c.relname::text from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relrowsecurity order by 1",
    )
    .fetch_all(connection)
    .await
}

/// Leaves a mark on a session that outlives a transaction; the backend that took it. By the simple protocol, which
/// prepares nothing: behind a pooler that alone could go wrong. `mark` is of our own making.
pub async fn leave_mark(session: &mut PgConnection, mark: &str) -> sqlx::Result<i32> {
    let text = format!("select set_config('roomtone.mark', '{mark}', false), pg_backend_pid()");
    let row = sqlx::raw_sql(AssertSqlSafe(text)).fetch_one(session).await?;
    row.try_get(1)
}

/// The mark that is there, and the backend that answers.
pub async fn find_mark(session: &mut PgConnection) -> sqlx::Result<(String, i32)> {
    let text = "select coalesce(current_setting('roomtone.mark', true), ''), pg_backend_pid()";
    let row = sqlx::raw_sql(text).fetch_one(session).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}
