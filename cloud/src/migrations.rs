//! The migrations, and who applies them.
//!
//! They are compiled in. One migrator per database: where the Supabase CLI began the list, ours compares and leaves
//! applying to it.

use std::collections::BTreeSet;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Connection as _, PgConnection};

use crate::store;

/// Where ours are listed: not in `public`, which is exposed.
const LIST: &str = "private._sqlx_migrations";

/// What running the migrations did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// This many were missing and are applied.
    Here(usize),
    /// The Supabase CLI keeps the list here, and has applied them all.
    ByTheCli,
}

/// Why the migrations are not applied.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The Supabase CLI keeps the list in this database, and these are missing in it.
    #[error(
        "the Supabase CLI keeps this database's migrations, and {} of ours are not applied (the first is {}): run \
         `supabase db push --workdir migrations`",
        .0.len(), .0[0]
    )]
    LeftToTheCli(Vec<i64>),
    /// A migration failed, or one that was applied is another now.
    #[error("the migrations: {0}")]
    Failed(#[from] MigrateError),
    /// The database failed.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
}

/// How what is applied differs from what this program knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drift {
    /// Known here, not applied there.
    pub missing: Vec<i64>,
    /// Applied there, not known here: the database is newer than the program.
    pub unknown: Vec<i64>,
}

impl Drift {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.missing.is_empty() && self.unknown.is_empty()
    }
}

/// Applies what is missing, or says that it is for the Supabase CLI to do.
///
/// # Errors
/// [`MigrationError`]; what was applied before the failure stays, each migration whole.
pub async fn run(url: &str) -> Result<Applied, MigrationError> {
    let mut conn = PgConnection::connect(url).await?;
    let applied = apply(&mut conn).await;
    conn.close().await?;
    applied
}

/// [`run`] on a connection.
///
/// # Errors
/// As [`run`].
pub async fn apply(conn: &mut PgConnection) -> Result<Applied, MigrationError> {
    let before = store::migrations::listed_here(conn).await?.len();
    // Who began with ours stays with it, whatever else the CLI is used for later.
    if before == 0
        && let Some(listed) = store::migrations::listed_by_cli(conn).await?
    {
        let missing = difference(&known(), &listed);
        return if missing.is_empty() {
            Ok(Applied::ByTheCli)
        } else {
            Err(MigrationError::LeftToTheCli(missing))
        };
    }
    migrator().run_direct(None, conn, false).await?;
    Ok(Applied::Here(store::migrations::listed_here(conn).await?.len() - before))
}

/// How the database differs from what this program knows; for a transaction of the cloud's own role.
///
/// # Errors
/// Where the database fails: also where none of the migrations was ever applied.
pub async fn drift(conn: &mut PgConnection) -> Result<Drift, sqlx::Error> {
    let listed = store::migrations::applied(conn).await?;
    let applied = listed.iter().map(|(version, _)| *version).collect();
    // The CLI's list may hold the project's own: what we do not know there says nothing about ours.
    let ours = listed.iter().filter(|(_, by_cli)| !by_cli).map(|(version, _)| *version).collect();
    Ok(Drift { missing: difference(&known(), &applied), unknown: difference(&ours, &known()) })
}

fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!("../migrations/cloud");
    migrator.create_schema("private");
    migrator.dangerous_set_table_name(LIST);
    migrator
}

fn known() -> BTreeSet<i64> {
    migrator().iter().map(|migration| migration.version).collect()
}

fn difference(whole: &BTreeSet<i64>, without: &BTreeSet<i64>) -> Vec<i64> {
    whole.difference(without).copied().collect()
}
