//! What a manager has set at the cloud for this hub's zones, over what its configuration says.

use roomtone_schema::licence::{Licence, MOST_SKIPS};
use roomtone_schema::venue::ZoneSettings;
use roomtone_sync::wire::{Kind, VenueNews, ZoneNews, decode_noun};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::config::Config;
use crate::store::{Snapshot, TxResult, down_rows};

/// What the cloud has told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The zones' settings, by the zones' names.
    pub(crate) zones: Vec<(String, Map<String, Value>)>,
    /// The venue's time zone.
    pub(crate) time_zone: Option<String>,
    /// The venue's other settings.
    venue: Map<String, Value>,
}

/// What the cloud has told of the venue and its zones.
pub(crate) fn told(conn: &Snapshot) -> TxResult<Told> {
    let zones = told_zones(conn)?;
    let venues = down_rows::bodies(conn, Kind::Venue)?;
    let venue = venues.into_iter().find_map(|(_, body)| decode_noun::<VenueNews>(&body).ok());
    let Some(venue) = venue else { return Ok(Told { zones, ..Told::default() }) };
    let settings = serde_json::from_str(&venue.settings).unwrap_or_default();
    Ok(Told { zones, time_zone: Some(venue.timezone), venue: settings })
}

/// The configured licence with what the cloud has told of it over it; as configured where that makes no sense here.
pub(crate) fn licence_over(configured: Licence, told: &Told) -> Licence {
    let Some(Value::Object(over)) = told.venue.get("licence") else { return configured };
    let laid_over = over_known(&configured, over).filter(|licence| licence.skips_per_hour <= Some(MOST_SKIPS));
    laid_over.unwrap_or_else(|| {
        tracing::warn!("the licence that the cloud tells of does not fit this version; the configured one holds");
        configured
    })
}

fn told_zones(conn: &Snapshot) -> TxResult<Vec<(String, Map<String, Value>)>> {
    let bodies = down_rows::bodies(conn, Kind::Zone)?;
    let news = bodies.into_iter().filter_map(|(_, body)| decode_noun::<ZoneNews>(&body).ok());
    let settings = news.filter(|news| !news.archived).filter_map(|news| {
        let settings = serde_json::from_str(&news.settings).ok()?;
        Some((news.name, settings))
    });
    Ok(settings.collect())
}

/// Lays what was told over what is configured, setting by setting. What makes no sense here is left out: a zone plays on
/// by its configuration.
pub(crate) fn lay_over(zones: &mut [(String, ZoneSettings)], told: &[(String, Map<String, Value>)]) {
    for (name, settings) in zones {
        for (_, over) in told.iter().filter(|(of, _)| of == name) {
            if let Some(sound) = laid_over(name, settings, over) {
                *settings = sound;
            } else {
                tracing::warn!(
                    "the cloud's settings of the zone {name} do not fit this version; it keeps its own"
                );
            }
        }
    }
}

fn laid_over(name: &str, settings: &ZoneSettings, over: &Map<String, Value>) -> Option<ZoneSettings> {
    over_known(settings, over).filter(|sound| Config::is_sound(name, sound))
}

fn over_known<T: Serialize + DeserializeOwned>(settings: &T, over: &Map<String, Value>) -> Option<T> {
    let Ok(Value::Object(mut all)) = serde_json::to_value(settings) else { return None };
    // A later cloud may have settings that this version does not know.
    let known = over
        .iter()
        .filter(|(key, _)| all.contains_key(*key))
        .map(|(key, value)| (key.clone(), value.clone()));
    let known: Vec<_> = known.collect();
    all.extend(known);
    serde_json::from_value(Value::Object(all)).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_told_wins_setting_by_setting_where_it_makes_sense() {
        let own = ZoneSettings { fairness: 0.9, crossfade_ms: 0, ..ZoneSettings::default() };
        let told = |name: &str, settings: Value| {
            let Value::Object(settings) = settings else { panic!("an object") };
            let mut zones = [("main".to_owned(), own.clone())];
            lay_over(&mut zones, &[(name.to_owned(), settings)]);
            zones[0].1.clone()
        };
        assert_eq!(told("main", json!({})), own);
        assert_eq!(told("terrace", json!({ "fairness": 0.1 })), own);
        assert_eq!(
            told("main", json!({ "fairness": 0.1, "later": 1 })),
            ZoneSettings { fairness: 0.1, ..own.clone() }
        );
        assert_eq!(told("main", json!({ "fairness": 7.0 })), own, "out of its range");
        assert_eq!(told("main", json!({ "fairness": "much" })), own);
    }
}
