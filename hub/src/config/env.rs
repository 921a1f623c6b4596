//! The environment as a layer of configuration: `ROOMTONE_<SECTION>_<KEY>`, such as `ROOMTONE_VENUE_NAME`,
//! `ROOMTONE_VENUE_LICENCE_<KEY>` and `ROOMTONE_ZONES_<ZONE>_<KEY>`.

use super::{Config, ConfigError};

const PREFIX: &str = "ROOMTONE_";

/// Variables that are no settings of a section: the data folder, the file to read, what is logged.
const OTHERS: [&str; 3] = ["DATA", "CONFIG", "LOG"];

/// The settings among the variables, as a table of the configuration's shape.
///
/// A variable that names no section is left alone, as it may be meant for another program of the family; one that
/// names a section but no setting of it is refused.
pub(super) fn layer(
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<toml::Table, ConfigError> {
    let mut layer = toml::Table::new();
    for (name, value) in variables {
        let Some(setting) = name.strip_prefix(PREFIX).filter(|rest| !OTHERS.contains(rest)) else { continue };
        let setting = setting.to_ascii_lowercase();
        let Some(path) = path_of(&setting) else { continue };
        let one = nested(&path, parsed(&value));
        one.clone().try_into::<Config>().map_err(|error: toml::de::Error| ConfigError::NotUnderstood {
            origin: format!("the environment variable {name}={value:?}"),
            message: error.message().to_owned(),
        })?;
        super::merge(&mut layer, one);
    }
    Ok(layer)
}

/// Where a setting stands: `zones_main_skip_share` is `zones`, `main`, `skip_share`.
fn path_of(setting: &str) -> Option<Vec<&str>> {
    let (section, key) = setting.split_once('_')?;
    match section {
        "zones" => {
            let (zone, key) = key.split_once('_')?;
            Some(vec![section, zone, key])
        }
        "venue" => match key.split_once('_') {
            Some(("licence", allowed)) => Some(vec![section, "licence", allowed]),
            _ => Some(vec![section, key]),
        },
        "network" | "upkeep" | "cloud" | "limits" | "requests" | "connections" => Some(vec![section, key]),
        _ => None,
    }
}

/// A value as TOML would read it; what is no TOML is a plain text, so that names need no quotes.
fn parsed(text: &str) -> toml::Value {
    let document = format!("value = {text}");
    let table = toml::from_str::<toml::Table>(&document).ok();
    let value = table.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

fn nested(path: &[&str], value: toml::Value) -> toml::Table {
    let (first, rest) = path.split_first().unwrap_or((&"", &[]));
    let value = if rest.is_empty() { value } else { toml::Value::Table(nested(rest, value)) };
    toml::Table::from_iter([((*first).to_owned(), value)])
}
