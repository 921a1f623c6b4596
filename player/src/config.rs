//! The player's configuration: defaults < file < environment < flags.
//!
//! A key nobody knows is refused. What is absent: secrets (they are in `identity.json`, which is the player's own), and
//! everything about the music, which the hub says.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::engine::OutputKind;
use crate::hub_address::HubAddress;

/// The configuration file that is read from the data folder where `--config` names none.
pub const FILE_NAME: &str = "player.toml";

/// What variables begin with.
const PREFIX: &str = "ROOMTONE_PLAYER_";

/// Variables that are no settings: the data folder and the file to read.
const OTHERS: [&str; 2] = ["data", "config"];

/// The longest name that a hub takes.
const LONGEST_NAME: usize = 60;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What people call this player; the machine's name where it is empty.
    pub name: String,
    /// Where the hub is, for networks on which it is not found by itself: `192.168.1.20`, or with the port of its page.
    pub hub: Option<HubAddress>,
    /// `device`, `device:NAME`, `discard` (real time, no sound) or `file:PATH.wav` (what a loudspeaker would get).
    #[serde(with = "as_text")]
    pub output: OutputKind,
    /// How much of the disk songs may take, in MB (10^6 bytes); 100 to 1,000,000. Four hours of music are about 300.
    pub cache_mb: u64,
    /// How much of the disk stays free for others, in MB; 16 to 100,000.
    pub keep_free_mb: u64,
}

impl Default for Config {
    fn default() -> Self {
        let output = OutputKind::Device(None);
        Self { name: String::new(), hub: None, output, cache_mb: 4_000, keep_free_mb: 200 }
    }
}

/// What was given on the command line.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--name`
    pub name: Option<String>,
    /// `--hub`
    pub hub: Option<HubAddress>,
    /// `--output`
    pub output: Option<OutputKind>,
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
    /// Not TOML, an unknown key, or a value that does not do.
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
        /// Which setting.
        key: &'static str,
        /// What was given.
        value: String,
        /// What would do.
        allowed: &'static str,
    },
}

impl Config {
    /// Reads the layers over one another. `file` is the one named by `--config`; without it, the one in the data
    /// folder is read where there is one.
    ///
    /// # Errors
    /// [`ConfigError`], with the place of the mistake.
    pub fn load(
        data: &Path,
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
        flags: &Flags,
    ) -> Result<Self, ConfigError> {
        let mut table = match file {
            Some(path) => read(path)?,
            None => match read(&data.join(FILE_NAME)) {
                Err(ConfigError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    toml::Table::new()
                }
                found => found?,
            },
        };
        for (name, value) in variables {
            let Some(key) = name.strip_prefix(PREFIX).map(str::to_ascii_lowercase) else { continue };
            if OTHERS.contains(&key.as_str()) {
                continue;
            }
            let layer = toml::Table::from_iter([(key, as_toml(&value))]);
            let origin = format!("the environment variable {name}={value:?}");
            understood(layer.clone(), &origin)?;
            table.extend(layer);
        }
        let mut config = understood(table, "the configuration")?;
        config.apply(flags);
        config.check()?;
        Ok(config)
    }

    /// As TOML, with every setting: what `--print-config` shows.
    ///
    /// # Errors
    /// None in practice: every setting has a form in TOML.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string_pretty(self)
    }

    /// What this player is called where nobody named it.
    pub fn name(&self) -> String {
        if !self.name.is_empty() {
            return self.name.clone();
        }
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host: String = host.trim().chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
        if host.is_empty() || host == "localhost" { "player".to_owned() } else { host }
    }

    fn apply(&mut self, flags: &Flags) {
        if let Some(name) = &flags.name {
            self.name.clone_from(name);
        }
        if flags.hub.is_some() {
            self.hub.clone_from(&flags.hub);
        }
        if let Some(output) = &flags.output {
            self.output = output.clone();
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let name = self.name.trim();
        let fits = name.chars().count() <= LONGEST_NAME && !name.chars().any(char::is_control);
        let wrong = |key, value: String, allowed| Err(ConfigError::OutOfRange { key, value, allowed });
        if !fits {
            return wrong("name", format!("{name:?}"), "at most 60 printable characters");
        }
        if !(100..=1_000_000).contains(&self.cache_mb) {
            return wrong("cache_mb", self.cache_mb.to_string(), "from 100 to 1,000,000");
        }
        if !(16..=100_000).contains(&self.keep_free_mb) {
            return wrong("keep_free_mb", self.keep_free_mb.to_string(), "from 16 to 100,000");
        }
        Ok(())
    }
}

/// The player's data folder: what systemd gives a service, else the user's, else the machine's.
pub fn default_data_dir(variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    if let Some(state) = variable("STATE_DIRECTORY") {
        let first = state.to_string_lossy().split(':').next().map(PathBuf::from);
        return first.unwrap_or_default();
    }
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let user = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
    user.map_or_else(|| PathBuf::from("/var/lib/roomtone-player"), |dir| dir.join("roomtone-player"))
}

fn read(path: &Path) -> Result<toml::Table, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let origin = format!("in {}", path.display());
    let table: toml::Table = toml::from_str(&text).map_err(|error| not_understood(&origin, &error))?;
    toml::from_str::<Config>(&text).map_err(|error| not_understood(&origin, &error))?;
    Ok(table)
}

fn understood(table: toml::Table, origin: &str) -> Result<Config, ConfigError> {
    table.try_into().map_err(|error| not_understood(origin, &error))
}

fn not_understood(origin: &str, error: &toml::de::Error) -> ConfigError {
    ConfigError::NotUnderstood { origin: origin.to_owned(), message: error.to_string().trim_end().to_owned() }
}

/// A number where it is one; everything else is a text, so that names need no quotes.
fn as_toml(text: &str) -> toml::Value {
    text.parse().map_or_else(|_no_number| toml::Value::String(text.to_owned()), toml::Value::Integer)
}

/// An output as people write it.
mod as_text {
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    use super::OutputKind;

    pub(super) fn serialize<S: Serializer>(output: &OutputKind, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(output)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OutputKind, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn load(file: &str, env: &[(&str, &str)], flags: &Flags) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE_NAME), file).unwrap();
        Config::load(folder.path(), None, variables(env), flags).map_err(|error| error.to_string())
    }

    #[test]
    fn each_layer_lies_over_the_one_before() {
        let flags = Flags { name: Some("flag".to_owned()), ..Flags::default() };
        let env = [("ROOMTONE_PLAYER_CACHE_MB", "500"), ("ROOMTONE_PLAYER_NAME", "variable"), ("HOME", "/x")];
        let config = load("name = \"file\"\ncache_mb = 300\nkeep_free_mb = 50", &env, &flags).unwrap();
        assert_eq!((config.name.as_str(), config.cache_mb, config.keep_free_mb), ("flag", 500, 50));
    }

    #[test]
    fn without_any_file_the_defaults_hold() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::load(folder.path(), None, [], &Flags::default()).unwrap();
        assert_eq!(config, Config::default());
        assert!(!config.name().is_empty());
    }

    #[rstest]
    #[case::unknown_key("volume = 3", &[], "volume")]
    #[case::unknown_variable("", &[("ROOMTONE_PLAYER_VOLUME", "3")], "ROOMTONE_PLAYER_VOLUME")]
    #[case::no_output("output = \"loud\"", &[], "discard")]
    #[case::too_small("cache_mb = 1", &[], "from 100")]
    fn a_mistake_is_named(#[case] file: &str, #[case] env: &[(&str, &str)], #[case] names: &str) {
        let refusal = load(file, env, &Flags::default()).unwrap_err();
        assert!(refusal.contains(names), "{refusal}");
    }

    #[test]
    fn what_is_printed_can_be_read_again() {
        let config = Config { hub: Some("192.0.2.1".parse().unwrap()), ..Config::default() };
        assert_eq!(load(&config.to_toml().unwrap(), &[], &Flags::default()).unwrap(), config);
    }

    #[test]
    fn the_example_shows_every_setting_with_its_default() {
        let example = include_str!("../player.example.toml");
        let bare = example.replace("#= ", "");
        let table: toml::Table = toml::from_str(&bare).unwrap();
        let config: Config = table.clone().try_into().unwrap();
        assert_eq!(Config { hub: None, ..config }, Config::default());
        let all: toml::Table =
            toml::Table::try_from(Config { hub: Some("192.0.2.1".parse().unwrap()), ..Config::default() })
                .unwrap();
        assert_eq!(table.keys().collect::<Vec<_>>(), all.keys().collect::<Vec<_>>());
    }
}
