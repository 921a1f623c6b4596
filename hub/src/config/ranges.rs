//! What values make sense: checked once at the start, so that nothing behind it needs to ask again.

use std::fmt::Display;
use std::ops::RangeInclusive;

use roomtone_schema::licence::MOST_SKIPS;
use roomtone_schema::schedule::HEAVIEST_PROFILE;
use roomtone_schema::venue::ZoneSettings;

use super::{Config, ConfigError};

/// As long as a name may be on a small screen.
const LONGEST_NAME: usize = 60;

pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    check_name("venue.name", &config.venue.name)?;
    check_time_zone(&config.venue.time_zone)?;
    if config.network.listen.0.is_empty() {
        return Err(refused("network.listen", "empty", "at least one address, such as \"0.0.0.0:4700\""));
    }
    let skips = config.venue.licence.skips_per_hour;
    skips.map_or(Ok(()), |skips| within("venue.licence.skips_per_hour", skips, 0..=MOST_SKIPS))?;
    within("upkeep.media_check_s", config.upkeep.media_check_s, 0..=86_400)?;
    within("cloud.media_budget_mb", config.cloud.media_budget_mb, 0..=100_000_000)?;
    let section = |section| move |message| ConfigError::Limits { section, message };
    config.limits.check().map_err(section("limits"))?;
    config.requests.check().map_err(section("requests"))?;
    config.connections.check().map_err(section("connections"))?;
    config.zones.iter().try_for_each(|(name, zone)| check_zone(name, zone))
}

fn check_zone(name: &str, zone: &ZoneSettings) -> Result<(), ConfigError> {
    check_name("the name of a zone", name)?;
    let key = |setting: &str| format!("zones.{name}.{setting}");
    within(&key("fairness"), zone.fairness, 0.0..=1.0)?;
    within(&key("penalty_hours"), zone.penalty_hours, 1..=48)?;
    within(&key("crossfade_ms"), zone.crossfade_ms, 0..=20_000)?;
    within(&key("loudness_lufs"), zone.loudness_lufs, -40.0..=-5.0)?;
    within(&key("artist_separation_min"), zone.artist_separation_min, 0..=240)?;
    within(&key("skip_share"), zone.skip_share, 0.1..=1.0)?;
    within(&key("skip_min"), zone.skip_min, 1..=1_000)?;
    within(&key("profile_weight"), zone.profile_weight, 0.0..=HEAVIEST_PROFILE)?;
    zone.volume_percent.map_or(Ok(()), |percent| within(&key("volume_percent"), percent, 0..=100))?;
    zone.schedule
        .check()
        .map_err(|why| refused(&key("schedule"), "not one that is kept", &why.to_string()))?;
    zone.profile.map_or(Ok(()), |profile| check_profile(&key("profile"), &profile))
}

fn check_profile(key: &str, profile: &[f32]) -> Result<(), ConfigError> {
    profile.iter().try_for_each(|axis| within(key, *axis, -1.0..=1.0))?;
    if profile.iter().all(|axis| *axis == 0.0) {
        return Err(refused(key, "all zeros", "a direction: at least one number other than 0, or left out"));
    }
    Ok(())
}

/// NaN lies in no range, so it is refused like any other number outside.
fn within<T: PartialOrd + Display + Copy>(
    key: &str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(refused(key, &value.to_string(), &format!("from {} to {}", range.start(), range.end())))
}

fn check_name(key: &str, name: &str) -> Result<(), ConfigError> {
    let length = name.chars().count();
    if (1..=LONGEST_NAME).contains(&length) && !name.chars().any(char::is_control) && !name.trim().is_empty()
    {
        return Ok(());
    }
    Err(refused(key, &format!("{name:?}"), &format!("1 to {LONGEST_NAME} printable characters")))
}

fn check_time_zone(name: &str) -> Result<(), ConfigError> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '+' | '-');
    if name.len() <= LONGEST_NAME && name.chars().all(known) && !name.starts_with('/') {
        return Ok(());
    }
    Err(refused("venue.time_zone", &format!("{name:?}"), "an IANA name such as \"Europe/Berlin\", or empty"))
}

fn refused(key: &str, value: &str, allowed: &str) -> ConfigError {
    ConfigError::OutOfRange { key: key.to_owned(), value: value.to_owned(), allowed: allowed.to_owned() }
}
