//! The environment as a layer of configuration: the names that people with a Supabase project know, and for every
//! setting `ROOMTONE_CLOUD_<SECTION>_<KEY>`, such as `ROOMTONE_CLOUD_SERVER_LISTEN`, which lies above them.

use super::{Config, ConfigError};

const PREFIX: &str = "ROOMTONE_CLOUD_";

/// Variables that are no settings of a section: the folder of `dev` and the file to read.
const OTHERS: [&str; 2] = ["DATA", "CONFIG"];

/// Names that are known elsewhere, and where they stand here.
const KNOWN: [(&str, [&str; 2]); 14] = [
    ("DATABASE_URL", ["database", "url"]),
    ("DATABASE_OWNER_URL", ["database", "owner_url"]),
    ("SUPABASE_URL", ["auth", "supabase_url"]),
    ("SUPABASE_ANON_KEY", ["auth", "publishable_key"]),
    ("SUPABASE_PUBLISHABLE_KEY", ["auth", "publishable_key"]),
    ("JWT_ISSUER", ["auth", "issuer"]),
    ("JWT_SECRET", ["auth", "jwt_secret"]),
    ("S3_ENDPOINT", ["media", "endpoint"]),
    ("S3_PUBLIC_ENDPOINT", ["media", "public_endpoint"]),
    ("S3_REGION", ["media", "region"]),
    ("S3_BUCKET", ["media", "bucket"]),
    ("S3_ACCESS_KEY", ["media", "access_key"]),
    ("S3_SECRET_KEY", ["media", "secret_key"]),
    ("NATS_URL", ["bus", "nats_url"]),
];

/// The settings among the variables, as a table of the configuration's shape. An empty variable says nothing: that is
/// what many tools make of one that is not set.
///
/// A variable of ours that names no setting is refused.
pub(super) fn layer(
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<toml::Table, ConfigError> {
    let (mut layer, mut above) = (toml::Table::new(), toml::Table::new());
    for (name, value) in variables.into_iter().filter(|(_, value)| !value.is_empty()) {
        if let Some((_, [section, key])) = KNOWN.iter().find(|(known, _)| *known == name) {
            super::merge(&mut layer, understood(&name, section, key, toml::Value::String(value))?);
        } else if let Some(setting) = name.strip_prefix(PREFIX).filter(|rest| !OTHERS.contains(rest)) {
            let setting = setting.to_ascii_lowercase();
            let (section, key) = setting.split_once('_').unwrap_or((&setting, ""));
            super::merge(&mut above, understood(&name, section, key, as_toml(&value))?);
        }
    }
    super::merge(&mut layer, above);
    Ok(layer)
}

fn understood(name: &str, section: &str, key: &str, value: toml::Value) -> Result<toml::Table, ConfigError> {
    let section_table = toml::Table::from_iter([(key.to_owned(), value)]);
    let one = toml::Table::from_iter([(section.to_owned(), toml::Value::Table(section_table))]);
    // Without the value: it may be a secret.
    one.clone().try_into::<Config>().map_err(|error: toml::de::Error| ConfigError::NotUnderstood {
        origin: format!("the environment variable {name}"),
        message: error.message().to_owned(),
    })?;
    Ok(one)
}

/// A number where it is one; everything else is a text, so that names need no quotes.
fn as_toml(text: &str) -> toml::Value {
    text.parse().map_or_else(|_no_number| toml::Value::String(text.to_owned()), toml::Value::Integer)
}
