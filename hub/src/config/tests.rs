use std::fs;

use rstest::rstest;

use super::*;

fn load(file: &str, variables: &[(&str, &str)], flags: &Flags) -> Result<Config, ConfigError> {
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join(FILE_NAME), file).unwrap();
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Config::load(data.path(), None, variables.iter().map(owned), flags)
}

#[test]
fn without_a_file_the_defaults_hold() {
    let data = tempfile::tempdir().unwrap();
    let config = Config::load(data.path(), None, [], &Flags::default()).unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.network.listen.0, ["[::]:4700".parse().unwrap()]);
}

#[test]
fn each_layer_wins_over_the_one_below() {
    let file =
        "[venue]\nname = 'file'\ntime_zone = 'Europe/Berlin'\n[zones.main]\nfairness = 0.1\nskip_min = 3\n";
    let variables = [("ROOMTONE_VENUE_NAME", "Café at the corner"), ("ROOMTONE_ZONES_MAIN_FAIRNESS", "0.9")];
    let flags = Flags { venue: Some("flag".to_owned()), ..Flags::default() };

    let from_file = load(file, &[], &Flags::default()).unwrap();
    assert_eq!((from_file.venue.name.as_str(), from_file.zones["main"].fairness), ("file", 0.1));
    let from_env = load(file, &variables, &Flags::default()).unwrap();
    assert_eq!((from_env.venue.name.as_str(), from_env.zones["main"].fairness), ("Café at the corner", 0.9));
    assert_eq!(load(file, &variables, &flags).unwrap().venue.name, "flag");

    let licence =
        [("ROOMTONE_VENUE_LICENCE_OFFLINE_STORAGE", "false"), ("ROOMTONE_VENUE_LICENCE_SKIPS_PER_HOUR", "6")];
    let licence = load(file, &licence, &Flags::default()).unwrap().venue.licence;
    assert_eq!(
        (licence.offline_storage, licence.skips_per_hour, licence.show_up_next),
        (false, Some(6), true)
    );

    // What an upper layer does not name stays as the lower one has it.
    assert_eq!((from_env.venue.time_zone.as_str(), from_env.zones["main"].skip_min), ("Europe/Berlin", 3));
}

#[rstest]
#[case::of_a_section("[venue]\nnmae = 'x'\n", "nmae")]
#[case::of_a_zone("[zones.main]\nfairnes = 0.5\n", "fairnes")]
#[case::of_the_limits("[limits]\nvotes = 5\n", "votes")]
#[case::a_section("[zone]\n", "zone")]
fn an_unknown_key_is_refused_with_its_name_and_line(#[case] file: &str, #[case] key: &str) {
    let refusal = load(file, &[], &Flags::default()).unwrap_err().to_string();
    assert!(refusal.contains(&format!("unknown field `{key}`")), "{refusal}");
    assert!(refusal.contains("hub.toml") && refusal.contains("line"), "{refusal}");
}

#[rstest]
#[case::fairness("[zones.main]\nfairness = 1.5\n", "zones.main.fairness is 1.5, but must be from 0 to 1")]
#[case::not_a_number("[zones.main]\nfairness = nan\n", "zones.main.fairness is NaN, but must be from 0 to 1")]
#[case::rest("[zones.bar]\npenalty_hours = 0\n", "zones.bar.penalty_hours is 0, but must be from 1 to 48")]
#[case::loudness("[zones.main]\nloudness_lufs = 0.0\n", "must be from -40 to -5")]
#[case::axes("[zones.main]\nprofile = [0.1, 0.2, 3.0, 0.0, 0.0]\n", "zones.main.profile is 3")]
#[case::no_direction("[zones.main]\nprofile = [0.0, 0.0, 0.0, 0.0, 0.0]\n", "a direction")]
#[case::limits(
    "[limits]\nvotes_per_minute = 0\n",
    "limits.votes_per_minute is 0; it must lie between 1 and 1000"
)]
#[case::requests("[requests]\nnesting = 5000\n", "requests.nesting is 5000; it must lie between 15 and 200")]
#[case::connections(
    "[connections]\nat_once = 0\n",
    "connections.at_once is 0; it must lie between 10 and 100000"
)]
#[case::files(
    "[cloud]\nmedia_budget_mb = 200000000\n",
    "cloud.media_budget_mb is 200000000, but must be from 0 to 100000000"
)]
#[case::name("[venue]\nname = ''\n", "1 to 60 printable characters")]
#[case::time_zone("[venue]\ntime_zone = '../etc'\n", "an IANA name")]
#[case::nowhere("[network]\nlisten = []\n", "at least one address")]
fn a_value_out_of_range_is_refused_with_what_would_do(#[case] file: &str, #[case] sentence: &str) {
    let refusal = load(file, &[], &Flags::default()).unwrap_err();
    assert!(matches!(refusal, ConfigError::OutOfRange { .. } | ConfigError::Limits { .. }), "{refusal}");
    assert!(refusal.to_string().contains(sentence), "{refusal}");
}

#[rstest]
#[case::typo("ROOMTONE_VENUE_NMAE", "x", "unknown field `nmae`")]
#[case::kind("ROOMTONE_LIMITS_SESSIONS", "many", "invalid type")]
#[case::address("ROOMTONE_NETWORK_LISTEN", "4700", "does not do here")]
fn a_variable_that_cannot_be_meant_is_named(#[case] name: &str, #[case] value: &str, #[case] why: &str) {
    let refusal = load("", &[(name, value)], &Flags::default()).unwrap_err().to_string();
    assert!(refusal.contains(name) && refusal.contains(why), "{refusal}");
}

#[test]
fn variables_of_other_programs_are_left_alone() {
    let others = [("ROOMTONE_LOG", "debug"), ("ROOMTONE_PLAYER_VOLUME", "0.5"), ("PATH", "/bin")];
    assert_eq!(load("", &others, &Flags::default()).unwrap(), Config::default());
}

#[test]
fn one_address_needs_no_list_and_a_variable_may_hold_several() {
    let one = load("[network]\nlisten = '127.0.0.1:0'\n", &[], &Flags::default()).unwrap();
    assert_eq!(one.network.listen.0, ["127.0.0.1:0".parse().unwrap()]);
    let two = load("", &[("ROOMTONE_NETWORK_LISTEN", "127.0.0.1:1, [::1]:2")], &Flags::default()).unwrap();
    assert_eq!(two.network.listen.0.len(), 2);
}

#[test]
fn what_is_printed_reads_back_as_the_same_configuration() {
    let file = "[zones.terrace]\nprofile = [0.5, 0.0, -0.25, 0.0, 1.0]\n[network]\nhosts = ['hub.example']\n";
    let config = load(file, &[], &Flags::default()).unwrap();
    assert_eq!(load(&config.to_toml().unwrap(), &[], &Flags::default()).unwrap(), config);
}

#[test]
fn the_example_file_shows_every_setting_with_its_default() {
    let example = include_str!("../../hub.example.toml");
    assert_eq!(load(example, &[], &Flags::default()).unwrap(), Config::default());
    let table: toml::Table = toml::from_str(example).unwrap();
    let printed: toml::Table = toml::from_str(&Config::default().to_toml().unwrap()).unwrap();
    assert_eq!(table, printed, "the example shows each setting; those without a default are in its comments");
    assert!(example.contains("# profile = "));
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let data = tempfile::tempdir().unwrap();
    let missing = data.path().join("none.toml");
    let refusal = Config::load(data.path(), Some(&missing), [], &Flags::default()).unwrap_err();
    assert!(matches!(refusal, ConfigError::Unreadable { .. }), "{refusal}");
}

#[rstest]
#[case::service(&[("STATE_DIRECTORY", "/var/lib/roomtone"), ("HOME", "/")], "/var/lib/roomtone")]
#[case::xdg(&[("XDG_DATA_HOME", "/x"), ("HOME", "/home/ana")], "/x/roomtone")]
#[case::home(&[("HOME", "/home/ana")], "/home/ana/.local/share/roomtone")]
#[case::nobody(&[], "/var/lib/roomtone")]
fn the_data_folder_is_where_such_things_belong(#[case] variables: &[(&str, &str)], #[case] expected: &str) {
    let variable = |name: &str| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| std::ffi::OsString::from(value))
    };
    assert_eq!(default_data_dir(variable), Path::new(expected));
}
