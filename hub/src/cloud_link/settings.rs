//! What a manager has set at the cloud for this hub's venue and zones, over what its configuration says. It counts as soon
//! as it has come, also for what plays.

use std::sync::Arc;

use jiff::tz::TimeZone;
use roomtone_schema::VenueId;
use roomtone_schema::licence::{Licence, MOST_SKIPS};
use roomtone_schema::schedule::Schedule;
use roomtone_schema::venue::{Venue, ZoneSettings};
use roomtone_sync::wire::{Kind, VenueNews, ZoneNews, decode_noun};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::hub::{Configured, Inner};
use crate::in_force::VenueRules;
use crate::locks::{locked, reading, writing};
use crate::store::{Snapshot, StoreError, TxResult, down_rows, hub_state};
use crate::view::PlayerCommandKind;

/// What the cloud told of the venue and its zones; nothing where the hub has no cloud.
#[derive(Debug, Default)]
pub(crate) struct Told {
    venue: Option<VenueNews>,
    /// By the zones' names.
    zones: Vec<(String, Map<String, Value>)>,
    /// Weeks that were set on the hub itself, by the zones' names: under what the cloud says.
    weeks: Vec<(String, Schedule)>,
}

/// What a week that was set on the hub is kept under.
pub(crate) fn week_key(zone: &str) -> String {
    format!("{WEEK_OF}{zone}")
}

const WEEK_OF: &str = "week of ";

/// What the cloud told.
pub(crate) fn told(conn: &Snapshot) -> TxResult<Told> {
    let venues = down_rows::bodies(conn, Kind::Venue)?;
    let venue = venues.into_iter().find_map(|(_, body)| decode_noun::<VenueNews>(&body).ok());
    let bodies = down_rows::bodies(conn, Kind::Zone)?;
    let news = bodies.into_iter().filter_map(|(_, body)| decode_noun::<ZoneNews>(&body).ok());
    let settings = news.filter(|news| !news.archived).filter_map(|news| {
        let settings = serde_json::from_str(&news.settings).ok()?;
        Some((news.name, settings))
    });
    let weeks = hub_state::texts_below(conn, WEEK_OF)?;
    let weeks = weeks.into_iter().filter_map(|(zone, text)| Some((zone, serde_json::from_str(&text).ok()?)));
    Ok(Told { venue, zones: settings.collect(), weeks: weeks.collect() })
}

impl Told {
    /// The venue as it is called now.
    pub(crate) fn venue_over(&self, configured: &Configured, id: VenueId) -> Venue {
        let (name, time_zone) = match &self.venue {
            Some(news) => (&news.name, &news.timezone),
            None => (&configured.venue_name, &configured.time_zone),
        };
        Venue { id, name: name.clone(), time_zone: time_zone.clone() }
    }

    /// What holds for the whole venue.
    pub(crate) fn rules_over(&self, configured: &Configured) -> VenueRules {
        let name = self.venue.as_ref().map_or(&configured.time_zone, |news| &news.timezone);
        VenueRules { time_zone: time_zone(name), licence: self.licence_over(configured.licence) }
    }

    /// The configured licence with what the cloud has told of it over it; as configured where that makes no sense here.
    fn licence_over(&self, configured: Licence) -> Licence {
        let told = self.venue.as_ref().and_then(|news| serde_json::from_str(&news.settings).ok());
        let Some(Value::Object(over)) = told.and_then(|told: Value| told.get("licence").cloned()) else {
            return configured;
        };
        let licence = over_known(&configured, &over);
        licence.filter(|licence| licence.skips_per_hour <= Some(MOST_SKIPS)).unwrap_or_else(|| {
            tracing::warn!(
                "the cloud's word on the licence does not fit this version; the configured one holds"
            );
            configured
        })
    }

    /// Lays what was told over what is configured, setting by setting: what the cloud says of the zone, else of the venue,
    /// else what stands here. What makes no sense here is left out: a zone plays on by its configuration.
    pub(crate) fn zones_over(&self, configured: &Configured) -> Vec<(String, ZoneSettings)> {
        let mut zones = configured.zones.clone();
        for (name, settings) in &mut zones {
            if let Some((_, week)) = self.weeks.iter().find(|(of, _)| of == name) {
                settings.schedule = week.clone();
            }
            let of_zone = self.zones.iter().filter(|(of, _)| of == name).map(|(_, over)| over);
            for over in self.venue.iter().map(of_venue).collect::<Vec<_>>().iter().chain(of_zone) {
                if let Some(sound) = laid_over(name, settings, over) {
                    *settings = sound;
                } else {
                    tracing::warn!(
                        "the cloud's settings of the zone {name} do not fit this version; it keeps its own"
                    );
                }
            }
        }
        zones
    }
}

/// What a venue says for those of its zones that do not say otherwise.
fn of_venue(news: &VenueNews) -> Map<String, Value> {
    let said = [("penalty_hours", json!(news.penalty_hours)), ("crossfade_ms", json!(news.crossfade_ms))];
    said.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The clocks of `name`; those of the whole world where nobody here knows them.
fn time_zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or_else(|_unknown| {
        tracing::warn!(
            "no time zone is called {name:?}; hours are taken as UTC's until venue.time_zone is right"
        );
        TimeZone::UTC
    })
}

impl Inner {
    /// Lets the venue and its zones be as the cloud and the configuration say now. What sounds goes on; vibe, plan and all
    /// that is shown follow.
    pub(crate) async fn take_settings(self: &Arc<Self>) -> Result<(), StoreError> {
        let told = self.store.read(told).await?;
        let venue = told.venue_over(&self.configured, reading(&self.venue).id);
        if **reading(&self.venue) != venue {
            tracing::info!(
                "the venue is called {} now, and keeps the time of {}",
                venue.name,
                venue.time_zone
            );
            *writing(&self.venue) = Arc::new(venue);
        }
        let before = std::mem::replace(&mut *writing(&self.rules), told.rules_over(&self.configured));
        let mut is_other = false;
        for (name, settings) in told.zones_over(&self.configured) {
            for room in self.rooms.iter().filter(|room| room.zone.name == name) {
                if room.behave(settings.clone()) {
                    tracing::info!("the zone {name} follows the settings that were made at the cloud");
                    is_other = true;
                }
            }
        }
        self.mind_the_hours().await?;
        if before.licence.offline_storage != self.licence().offline_storage {
            self.keep_by_the_licence();
        }
        for room in &self.rooms {
            self.show_up_next(room);
            self.show_now_playing(room);
        }
        if is_other {
            // How long songs rest may be another time: the orders are made anew, and all plans with them.
            self.mark_library_stale();
        }
        Ok(())
    }
}

impl Inner {
    /// Whether songs may be kept has changed: who carries files looks at once, and every player asks for its plan, which
    /// tells it.
    fn keep_by_the_licence(&self) {
        let may = if self.licence().offline_storage { "may" } else { "may not" };
        tracing::info!("by the venue's licence songs {may} be kept beyond what is needed to play on");
        for room in &self.rooms {
            self.stir(room);
            for known in locked(&self.players).of_zone(room.zone.id) {
                known.order(PlayerCommandKind::PlanChanged, |_| {});
            }
        }
        self.songs_came.notify_one();
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
            let zones = vec![("main".to_owned(), own.clone())];
            let (venue_name, time_zone, licence) = (String::new(), String::from("UTC"), Licence::default());
            let configured = Configured { venue_name, time_zone, licence, zones };
            let told = Told { zones: vec![(name.to_owned(), settings)], ..Told::default() };
            told.zones_over(&configured)[0].1.clone()
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

    #[test]
    fn a_week_that_was_set_here_lies_under_the_clouds() {
        let week = |from: &str| -> Schedule {
            let hours = json!([{ "days": ["mon"], "from": from, "to": "23:00" }]);
            serde_json::from_value(json!({ "hours": hours })).unwrap()
        };
        let zones = vec![("main".to_owned(), ZoneSettings::default())];
        let (venue_name, time_zone, licence) = (String::new(), String::from("UTC"), Licence::default());
        let configured = Configured { venue_name, time_zone, licence, zones };
        let weeks = vec![("main".to_owned(), week("08:00")), ("attic".to_owned(), week("01:00"))];
        let here = Told { weeks: weeks.clone(), ..Told::default() };
        assert_eq!(here.zones_over(&configured)[0].1.schedule, week("08:00"));
        let Value::Object(over) = json!({ "schedule": week("10:00") }) else { panic!("an object") };
        let clouds = Told { weeks, zones: vec![("main".to_owned(), over)], ..Told::default() };
        assert_eq!(clouds.zones_over(&configured)[0].1.schedule, week("10:00"));
    }
}
