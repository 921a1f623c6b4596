//! What a trial does in its database that a real cloud never does: it makes accounts, roles and a login.

use clap::ValueEnum;
use roomtone_schema::UserId;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

/// The login of the service.
pub const LOGIN: &str = "roomtone_app";

/// What somebody may do beyond the venues that they are members of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GlobalRole {
    /// Everything.
    Admin,
    /// Make organisations and venues.
    Manager,
    /// Nothing more.
    Listener,
}

impl GlobalRole {
    fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Manager => "manager",
            Self::Listener => "listener",
        }
    }
}

/// Makes a database where there is none of this name, which is ours and needs no quotes.
pub async fn make_database(connection: &mut PgConnection, name: &'static str) -> sqlx::Result<()> {
    let is_there: bool =
        sqlx::query_scalar("select exists (select from pg_catalog.pg_database where datname = $1)")
            .bind(name)
            .fetch_one(&mut *connection)
            .await?;
    if !is_there {
        sqlx::raw_sql(AssertSqlSafe(format!("create database {name}"))).execute(connection).await?;
    }
    Ok(())
}

/// Whether we are a superuser.
pub async fn is_superuser(connection: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar("select rolsuper from pg_catalog.pg_roles where rolname = current_user")
        .fetch_one(connection)
        .await
}

/// What a Supabase project has before its first migration.
pub async fn shim(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql(include_str!("../dev/shim.sql")).execute(connection).await.map(drop)
}

/// From here on as the owner of our tables.
pub async fn become_migrator(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql("set role roomtone_migrator").execute(connection).await.map(drop)
}

/// From here on as whoever logged in.
pub async fn become_oneself(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql("reset role").execute(connection).await.map(drop)
}

/// The login of the service, with this password, which is base64url and needs no escaping.
pub async fn make_login(connection: &mut PgConnection, password: &str) -> sqlx::Result<()> {
    let text = format!(
        "do $$ begin
           if not exists (select from pg_catalog.pg_roles where rolname = '{LOGIN}') then
             create role {LOGIN} noinherit in role roomtone_cloud;
           end if;
         end $$;
         alter role {LOGIN} login password '{password}'"
    );
    sqlx::raw_sql(AssertSqlSafe(text)).execute(connection).await.map(drop)
}

/// Somebody with an account of this address and these roles, who is made where there is nobody.
pub async fn person(
    connection: &mut PgConnection,
    email: &str,
    roles: &[GlobalRole],
) -> sqlx::Result<UserId> {
    let id: Uuid = sqlx::query_scalar(
        "insert into auth.users (id, email, aud, role, email_confirmed_at, created_at, updated_at)
         values (gen_random_uuid(), lower($1), 'authenticated', 'authenticated', now(), now(), now())
         on conflict (email) do update set updated_at = excluded.updated_at,
           email_confirmed_at = excluded.email_confirmed_at returning id",
    )
    .bind(email)
    .fetch_one(&mut *connection)
    .await?;
    for role in roles {
        sqlx::query("insert into public.roles (user_id, role) values ($1, $2) on conflict do nothing")
            .bind(id)
            .bind(role.name())
            .execute(&mut *connection)
            .await?;
    }
    Ok(UserId(id))
}
