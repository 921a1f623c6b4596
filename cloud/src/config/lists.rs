//! Settings of which there may be several.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// One or more addresses; a single one may stand without a list around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Listen(#[serde(deserialize_with = "one_or_many")] pub Vec<SocketAddr>);

/// None or more names; a single one may stand without a list around it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Names(#[serde(deserialize_with = "one_or_many")] pub Vec<String>);

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
        Many(Vec<String>),
    }
    let texts = match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(text) => text.split(',').map(str::trim).map(str::to_owned).collect(),
        OneOrMany::Many(texts) => texts,
    };
    let parse = |text: &String| {
        text.parse().map_err(|error| serde::de::Error::custom(format!("{text:?} does not do here: {error}")))
    };
    texts.iter().filter(|text| !text.is_empty()).map(parse).collect()
}
