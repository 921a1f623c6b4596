//! The hub's configuration: defaults < file < environment < flags.
//!
//! A key nobody knows is refused, because a mistyped setting that is silently ignored is found weeks later. What is
//! absent: secrets. The hub makes its own and keeps them in its store, so this can be printed as it stands.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use roomtone_schema::licence::Licence;
use roomtone_schema::venue::ZoneSettings;
use roomtone_server::front::FrontSettings;
use serde::{Deserialize, Serialize};

use crate::limits::LimitSettings;

mod env;
mod folders;
mod ranges;
mod requests;

pub use folders::{default_data_dir, demo_data_dir};
pub use requests::{ConnectionSection, RequestSection};

/// The port of a hub, unless it is told another.
pub const DEFAULT_PORT: u16 = 4700;

/// The configuration file that is read from the data folder where `--config` names none.
pub const FILE_NAME: &str = "hub.toml";

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What the venue is called and where it is.
    pub venue: VenueSection,
    /// How the hub is reached.
    pub network: NetworkSection,
    /// What the hub does for its own health.
    pub upkeep: UpkeepSection,
    /// How it stands with a cloud.
    pub cloud: CloudSection,
    /// How often one may do what.
    pub limits: LimitSettings,
    /// What one request may cost.
    pub requests: RequestSection,
    /// Who may be connected, and how long they may keep others waiting.
    pub connections: ConnectionSection,
    /// The parts of the venue, by name.
    pub zones: BTreeMap<String, ZoneSettings>,
}

/// `[venue]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VenueSection {
    /// What people call it.
    pub name: String,
    /// IANA name, such as `Europe/Berlin`; that of the machine where it is empty.
    pub time_zone: String,
    /// What its licence allows.
    pub licence: Licence,
}

/// `[network]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkSection {
    /// Where to listen.
    pub listen: Listen,
    /// Where to listen for players and managers, who speak TLS; beside `listen`, one port higher, where none is named.
    pub tls: Listen,
    /// Names under which the hub may be asked besides IP addresses, `localhost` and its own `.local` names.
    pub hosts: Names,
    /// Whether the hub announces itself on the local network.
    pub mdns: bool,
}

/// `[upkeep]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpkeepSection {
    /// Seconds between two media files that are read again and compared with their sums; 0 = none.
    pub media_check_s: u32,
}

/// `[cloud]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CloudSection {
    /// Whether the hub talks to the cloud that it has enrolled at.
    pub sync: bool,
    /// Where the cloud is: what `enrol` uses where no `--cloud` is given, and where the hub looks for its cloud although it
    /// has enrolled at another address; empty for none.
    pub url: String,
    /// Megabytes (of 1 000 000 bytes) that the files of songs may take; 0 = what the disk has free, less 2 GiB, which stay
    /// free in any case.
    pub media_budget_mb: u32,
}

/// One or more addresses; a single one may stand without a list around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Listen(#[serde(deserialize_with = "one_or_many")] pub Vec<SocketAddr>);

/// None or more names; a single one may stand without a list around it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Names(#[serde(deserialize_with = "one_or_many")] pub Vec<String>);

/// What was given on the command line.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--listen`
    pub listen: Vec<SocketAddr>,
    /// `--venue`
    pub venue: Option<String>,
    /// `--no-mdns`
    pub no_mdns: bool,
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
    /// A limit outside what makes sense.
    #[error("{section}.{message}")]
    Limits {
        /// Such as `limits`.
        section: &'static str,
        /// Which setting of it, and what would do.
        message: String,
    },
    /// A number outside what makes sense.
    #[error("{key} is {value}, but must be {allowed}")]
    OutOfRange {
        /// Such as `zones.main.fairness`.
        key: String,
        /// What was given.
        value: String,
        /// What would do.
        allowed: String,
    },
}

impl Default for Config {
    fn default() -> Self {
        Self {
            venue: VenueSection::default(),
            network: NetworkSection::default(),
            upkeep: UpkeepSection::default(),
            cloud: CloudSection::default(),
            limits: LimitSettings::default(),
            requests: RequestSection::default(),
            connections: ConnectionSection::default(),
            zones: BTreeMap::from([("main".to_owned(), ZoneSettings::default())]),
        }
    }
}

impl Default for VenueSection {
    fn default() -> Self {
        Self { name: "Roomtone".to_owned(), time_zone: String::new(), licence: Licence::default() }
    }
}

impl Default for NetworkSection {
    fn default() -> Self {
        // The IPv6 wildcard takes IPv4 too.
        let everywhere = SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, DEFAULT_PORT));
        Self {
            listen: Listen(vec![everywhere]),
            tls: Listen(Vec::new()),
            hosts: Names::default(),
            mdns: true,
        }
    }
}

impl Default for CloudSection {
    fn default() -> Self {
        Self { sync: true, url: String::new(), media_budget_mb: 0 }
    }
}

impl Default for UpkeepSection {
    fn default() -> Self {
        Self { media_check_s: 30 }
    }
}

impl Config {
    /// Reads the layers over one another. `file` is the one named by `--config`; without it, the one in the data
    /// folder is read where there is one.
    pub fn load(
        data: &Path,
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
        flags: &Flags,
    ) -> Result<Self, ConfigError> {
        let mut table = match file {
            Some(path) => read_file(path)?.unwrap_or_default(),
            None => read_optional(&data.join(FILE_NAME))?,
        };
        merge(&mut table, env::layer(variables)?);
        let mut config: Self =
            table.try_into().map_err(|error| not_understood("the configuration", &error))?;
        config.apply(flags);
        config.zones.entry("main".to_owned()).or_default();
        ranges::check(&config)?;
        Ok(config)
    }

    /// Whether a zone's settings are within what makes sense.
    pub(crate) fn is_sound(zone: &str, settings: &ZoneSettings) -> bool {
        let zones = BTreeMap::from([(zone.to_owned(), settings.clone())]);
        ranges::check(&Self { zones, ..Self::default() }).is_ok()
    }

    /// As TOML, with every setting: what `--print-config` shows. There are no secrets among them.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string_pretty(self)
    }

    /// What the GraphQL front allows.
    pub fn front(&self) -> FrontSettings {
        requests::front(&self.requests, &self.connections)
    }

    /// The venue's time zone: that of the machine where none is set.
    pub fn time_zone(&self) -> String {
        if self.venue.time_zone.is_empty() {
            folders::system_time_zone()
        } else {
            self.venue.time_zone.clone()
        }
    }

    fn apply(&mut self, flags: &Flags) {
        if !flags.listen.is_empty() {
            self.network.listen = Listen(flags.listen.clone());
        }
        if let Some(name) = &flags.venue {
            self.venue.name.clone_from(name);
        }
        self.network.mdns &= !flags.no_mdns;
    }
}

fn read_optional(path: &Path) -> Result<toml::Table, ConfigError> {
    match read_file(path) {
        // Nothing there, or a folder that is not ours to look into: that is for the store to say, in better words.
        Err(ConfigError::Unreadable { .. }) if path.metadata().is_err() => Ok(toml::Table::new()),
        read => Ok(read?.unwrap_or_default()),
    }
}

/// The file as a table, once it is known to make sense by itself: so that an error names the file and the line.
fn read_file(path: &Path) -> Result<Option<toml::Table>, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let origin = format!("in {}", path.display());
    toml::from_str::<Config>(&text).map_err(|error| not_understood(&origin, &error))?;
    toml::from_str(&text).map(Some).map_err(|error| not_understood(&origin, &error))
}

fn not_understood(origin: &str, error: &toml::de::Error) -> ConfigError {
    ConfigError::NotUnderstood { origin: origin.to_owned(), message: error.to_string().trim_end().to_owned() }
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

fn one_or_many<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        /// What a variable that holds a number is read as.
        Number(i64),
        Many(Vec<String>),
    }
    let texts = match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(text) => text.split(',').map(str::trim).map(str::to_owned).collect(),
        OneOrMany::Number(number) => vec![number.to_string()],
        OneOrMany::Many(texts) => texts,
    };
    let parse = |text: &String| {
        text.parse().map_err(|error| serde::de::Error::custom(format!("{text:?} does not do here: {error}")))
    };
    texts.iter().filter(|text| !text.is_empty()).map(parse).collect()
}

#[cfg(test)]
mod tests;
