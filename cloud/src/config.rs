//! The cloud's configuration: defaults < file < environment < flags.
//!
//! A key nobody knows is refused, because a mistyped setting that is silently ignored is found weeks later. Secrets are
//! among the settings, so what is printed shows that they are set and not what they are.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

mod env;
mod lists;
mod sections;

pub use lists::{Listen, Names};

/// The port of a cloud, unless it is told another.
pub const DEFAULT_PORT: u16 = 4800;

/// The configuration file that is read from the current folder where `--config` names none.
pub const FILE_NAME: &str = "cloud.toml";

/// Everything that can be set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How the cloud is reached.
    pub server: ServerSection,
    /// Postgres.
    pub database: DatabaseSection,
    /// Whose tokens are believed.
    pub auth: AuthSection,
    /// Where songs and reports are stored.
    pub media: MediaSection,
    /// How replicas wake each other.
    pub bus: BusSection,
    /// What hubs may ask of the cloud.
    pub hubs: HubSection,
    /// What guests may do who come by the cloud.
    pub guests: GuestSection,
}

/// `[server]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSection {
    /// Where to listen. There is no TLS here: what stands in front of it speaks that.
    pub listen: Listen,
    /// Names under which the cloud may be asked besides IP addresses and `localhost`, such as `cloud.example.com`.
    pub hosts: Names,
    /// Origins of pages elsewhere that may talk to it, such as `https://admin.example.com`.
    pub origins: Names,
    /// Connections at once.
    pub connections: u32,
    /// Connections that stay open for events, at once.
    pub sockets: u32,
    /// Of these, how many one account may have.
    pub sockets_per_user: u32,
    /// Seconds between two looks at whether the token of such a connection still holds.
    pub check_s: u32,
    /// Seconds for which a query or a change may run.
    pub answer_s: u32,
}

/// `[database]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseSection {
    /// The login that the service works with: no superuser, no `bypassrls`, a member of `roomtone_cloud`.
    pub url: Secret,
    /// The login that owns the tables, for `migrate` and `admin grant`; the one above where it is empty.
    pub owner_url: Secret,
    /// Connections of one replica.
    pub connections: u32,
    /// Replicas that are planned: all their connections together must leave room for others.
    pub replicas: u32,
    /// Seconds for which one statement may run.
    pub statement_s: u32,
    /// Seconds for which a request waits for a connection.
    pub wait_s: u32,
}

/// `[auth]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthSection {
    /// The project, such as `https://abcdefghij.supabase.co`. The two below follow from it.
    pub supabase_url: String,
    /// The project's publishable (or `anon`) key, by which the manager's page signs people in. Everybody may see it.
    pub publishable_key: String,
    /// Who signs the tokens; `<supabase_url>/auth/v1` where it is empty.
    pub issuer: String,
    /// Where the keys are published; `<issuer>/.well-known/jwks.json` where it is empty.
    pub jwks_url: String,
    /// Whom the tokens must be for.
    pub audience: String,
    /// The shared secret of a project that still signs with HS256. Whoever has it can be anybody: better to move on to
    /// signing keys.
    pub jwt_secret: Secret,
}

/// `[media]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MediaSection {
    /// The S3 endpoint, such as `https://abcdefghij.storage.supabase.co/storage/v1/s3`; that of AWS where it is empty.
    pub endpoint: String,
    /// The region.
    pub region: String,
    /// The bucket, which is private.
    pub bucket: String,
    /// The access key.
    pub access_key: Secret,
    /// Its secret.
    pub secret_key: Secret,
    /// The endpoint as browsers and hubs reach it, where that is another one.
    pub public_endpoint: String,
}

/// `[hubs]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HubSection {
    /// Seconds between two words of a hub on what its rooms show, while that changes. 0: with the word of every half minute only.
    pub news_every_s: u32,
}

impl Default for HubSection {
    fn default() -> Self {
        Self { news_every_s: 5 }
    }
}

/// `[guests]`: each as the hub's own limit of that name, for a venue's page at `/v/<slug>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuestSection {
    /// Votes of one guest in any minute.
    pub votes_per_minute: u32,
    /// Phones that were never seen and may check in at once from one address.
    pub new_devices_burst: u32,
    /// After that, one more each so many seconds.
    pub new_device_every_s: u32,
    /// Wrong codes from one address before guessing slows down.
    pub code_guesses_burst: u32,
    /// After that, one more each so many seconds.
    pub code_guess_every_s: u32,
    /// Check-ins of one phone at once.
    pub device_check_ins_burst: u32,
    /// After that, one more each so many seconds.
    pub device_check_in_every_s: u32,
    /// Presences of one phone at once; beyond that its oldest ends.
    pub sessions_per_device: u32,
    /// Presences of a venue at once.
    pub sessions: u32,
    /// Hours after which a presence ends in any case.
    pub session_hours: u32,
    /// Minutes without any sign of life after which a presence ends.
    pub idle_minutes: u32,
    /// Seconds between two signs of life that a hub is told of.
    pub sign_every_s: u32,
    /// Connections that stay open for events, in one venue.
    pub sockets: u32,
    /// Of these, how many one phone may have.
    pub sockets_per_device: u32,
    /// Venues whose page is kept at hand; the one that was asked for longest ago gives way.
    pub venues: u32,
}

impl Default for GuestSection {
    fn default() -> Self {
        Self {
            votes_per_minute: 10,
            new_devices_burst: 20,
            new_device_every_s: 10,
            code_guesses_burst: 10,
            code_guess_every_s: 6,
            device_check_ins_burst: 30,
            device_check_in_every_s: 10,
            sessions_per_device: 5,
            sessions: 500,
            session_hours: 12,
            idle_minutes: 180,
            sign_every_s: 300,
            sockets: 500,
            sockets_per_device: 5,
            venues: 200,
        }
    }
}

/// `[bus]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BusSection {
    /// A NATS server, for more than eight replicas; Postgres does it where it is empty.
    pub nats_url: Secret,
}

/// What was given on the command line.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--listen`
    pub listen: Vec<SocketAddr>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there or not readable.
    #[error("the configuration file {} cannot be read: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not TOML, an unknown key, or a value of the wrong kind.
    #[error("{origin}: {message}")]
    NotUnderstood {
        /// The file or the variable.
        origin: String,
        /// What the parser said, with the line where there is one.
        message: String,
    },
    /// A value outside what makes sense.
    #[error("{key} is {value}, but must be {allowed}")]
    OutOfRange {
        /// Such as `database.connections`.
        key: String,
        /// What was given.
        value: String,
        /// What would do.
        allowed: String,
    },
    /// A setting without which there is no cloud.
    #[error("{key} is not set")]
    Missing {
        /// Which, and the variable that sets it.
        key: &'static str,
    },
}

impl Default for ServerSection {
    fn default() -> Self {
        Self {
            listen: Listen(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT))]),
            hosts: Names::default(),
            origins: Names::default(),
            connections: 20_000,
            sockets: 10_000,
            sockets_per_user: 50,
            check_s: 60,
            answer_s: 10,
        }
    }
}

impl Default for DatabaseSection {
    fn default() -> Self {
        Self {
            url: Secret::default(),
            owner_url: Secret::default(),
            connections: 10,
            replicas: 2,
            statement_s: 8,
            wait_s: 5,
        }
    }
}

impl Default for AuthSection {
    fn default() -> Self {
        Self {
            supabase_url: String::new(),
            publishable_key: String::new(),
            issuer: String::new(),
            jwks_url: String::new(),
            audience: "authenticated".to_owned(),
            jwt_secret: Secret::default(),
        }
    }
}

impl Default for MediaSection {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            region: "us-east-1".to_owned(),
            bucket: "roomtone".to_owned(),
            access_key: Secret::default(),
            secret_key: Secret::default(),
            public_endpoint: String::new(),
        }
    }
}

impl Config {
    /// Reads the layers over one another. `file` is the one named by `--config`; without it, the one in `folder` is
    /// read where there is one.
    ///
    /// # Errors
    /// [`ConfigError`], with the place of the mistake.
    pub fn load(
        folder: &Path,
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
        flags: &Flags,
    ) -> Result<Self, ConfigError> {
        let mut table = match file {
            Some(path) => read(path)?,
            None => match read(&folder.join(FILE_NAME)) {
                Err(ConfigError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    toml::Table::new()
                }
                found => found?,
            },
        };
        merge(&mut table, env::layer(variables)?);
        let mut config = understood(table, "the configuration")?;
        if !flags.listen.is_empty() {
            config.server.listen = Listen(flags.listen.clone());
        }
        config.check()?;
        Ok(config)
    }

    /// As TOML, with every setting and without the secrets: what `--print-config` shows.
    ///
    /// # Errors
    /// None in practice: every setting has a form in TOML.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string_pretty(self)
    }
}

fn read(path: &Path) -> Result<toml::Table, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let origin = format!("in {}", path.display());
    // A line of the file may hold a secret: the place is told, not the line.
    let told = |error: &toml::de::Error| not_understood(&place_in(&origin, &text, error), error);
    toml::from_str::<Config>(&text).map_err(|error| told(&error))?;
    toml::from_str(&text).map_err(|error| told(&error))
}

fn place_in(origin: &str, text: &str, error: &toml::de::Error) -> String {
    match error.span() {
        Some(span) => {
            let line = text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1);
            format!("{origin}, line {line}")
        }
        None => origin.to_owned(),
    }
}

fn understood(table: toml::Table, origin: &str) -> Result<Config, ConfigError> {
    table.try_into().map_err(|error: toml::de::Error| not_understood(origin, &error))
}

fn not_understood(origin: &str, error: &toml::de::Error) -> ConfigError {
    ConfigError::NotUnderstood { origin: origin.to_owned(), message: error.message().trim_end().to_owned() }
}

/// Lays `over` over `under`, key by key.
fn merge(under: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) => merge(below, above),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests;
