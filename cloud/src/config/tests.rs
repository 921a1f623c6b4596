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
    let file =
        "[database]\nurl = \"postgres://file/x\"\nconnections = 3\n[auth]\nsupabase_url = \"https://file\"";
    let env = [
        ("DATABASE_URL", "postgres://known/x"),
        ("ROOMTONE_CLOUD_AUTH_SUPABASE_URL", "https://ours"),
        ("SUPABASE_URL", "https://known"),
        ("NATS_URL", ""),
        ("ROOMTONE_CLOUD_SERVER_LISTEN", "127.0.0.1:1, [::1]:2"),
        ("HOME", "/x"),
    ];
    let config = load(file, &env, &Flags::default()).unwrap();
    assert_eq!(config.database.url.reveal(), "postgres://known/x");
    assert_eq!(config.database.connections, 3);
    assert_eq!(config.auth.issuer(), "https://ours/auth/v1");
    assert_eq!(config.auth.jwks_url(), "https://ours/auth/v1/.well-known/jwks.json");
    assert_eq!(config.server.listen.0.len(), 2);
    assert!(config.bus.nats_url.is_empty());
    let flags = Flags { listen: vec!["127.0.0.1:9".parse().unwrap()] };
    assert_eq!(load(file, &env, &flags).unwrap().server.listen.0, flags.listen);
}

#[rstest]
#[case::unknown_key("[server]\nlisten_on = 3", &[], "line 2: unknown field `listen_on`")]
#[case::unknown_section("[sever]\nlisten = 3", &[], "sever")]
#[case::unknown_variable("", &[("ROOMTONE_CLOUD_SERVER_LISTN", "3")], "ROOMTONE_CLOUD_SERVER_LISTN")]
#[case::too_many("[database]\nconnections = 5000", &[], "between 2 and 1000")]
#[case::no_address("", &[("SUPABASE_URL", "abc.supabase.co")], "begins with https://")]
#[case::secret_key("", &[("SUPABASE_PUBLISHABLE_KEY", "sb_secret_x")], "a secret key")]
#[case::service_role("", &[("SUPABASE_ANON_KEY", "e30.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.x")], "a secret key")]
#[case::no_origin("[server]\norigins = [\"admin.example.com\"]", &[], "server.origins")]
fn a_mistake_is_named(#[case] file: &str, #[case] env: &[(&str, &str)], #[case] names: &str) {
    let refusal = load(file, env, &Flags::default()).unwrap_err();
    assert!(refusal.contains(names), "{refusal}");
}

#[test]
fn a_mistake_beside_a_secret_does_not_show_it() {
    let file = "[media]\nsecret_key = \"canary\" oops";
    let refusal = load(file, &[], &Flags::default()).unwrap_err();
    assert!(!refusal.contains("canary"), "{refusal}");
    let refusal = load("[auth]\njwt_secret = [\"canary\"]", &[], &Flags::default()).unwrap_err();
    assert!(!refusal.contains("canary"), "{refusal}");
}

#[test]
fn what_is_printed_holds_no_secret() {
    let env = [
        ("DATABASE_URL", "postgres://app:canary@db.example/x"),
        ("DATABASE_OWNER_URL", "postgres://postgres:canary@db.example/x"),
        ("JWT_SECRET", "canary"),
        ("S3_ACCESS_KEY", "canary"),
        ("S3_SECRET_KEY", "canary"),
        ("NATS_URL", "nats://u:canary@bus"),
    ];
    let config = load("", &env, &Flags::default()).unwrap();
    let printed = format!("{}{config:?}", config.to_toml().unwrap());
    assert!(!printed.contains("canary") && printed.contains("postgres://app:***@db.example/x"), "{printed}");
}

#[test]
fn what_is_missing_is_named_with_its_variable() {
    let told = Config::default().is_complete().unwrap_err().to_string();
    assert!(told.contains("DATABASE_URL"), "{told}");
}

#[test]
fn the_example_shows_every_setting_with_its_default() {
    let bare = include_str!("../../cloud.example.toml").replace("#= ", "");
    let table: toml::Table = toml::from_str(&bare).unwrap();
    let config: Config = table.clone().try_into().unwrap();
    assert_eq!(config, Config::default());
    let all = toml::Table::try_from(Config::default()).unwrap();
    for (section, settings) in &all {
        let shown = table[section].as_table().unwrap();
        assert_eq!(shown.keys().collect::<Vec<_>>(), settings.as_table().unwrap().keys().collect::<Vec<_>>());
    }
}

/// A variable of the sample that nobody reads would be set in vain.
#[test]
fn every_variable_of_the_sample_is_read() {
    let sample = include_str!("../../../.env.example");
    let lines =
        sample.lines().map(|line| line.trim_start_matches("#= ")).filter(|line| !line.starts_with('#'));
    let pairs: Vec<_> = lines.filter_map(|line| line.split_once('=')).collect();
    assert!(pairs.iter().any(|(name, _)| *name == "SUPABASE_URL"), "{pairs:?}");
    for (name, value) in pairs {
        let value = if value.is_empty() { "https://x" } else { value };
        let config = load("", &[(name, value)], &Flags::default()).unwrap();
        assert_ne!(config, Config::default(), "{name} sets nothing, or what holds anyway");
    }
}

#[test]
fn the_key_that_pages_show_may_be_either_of_the_public_ones() {
    for key in ["sb_publishable_x", "e30.eyJyb2xlIjoiYW5vbiJ9.x"] {
        let config = load("", &[("SUPABASE_PUBLISHABLE_KEY", key)], &Flags::default()).unwrap();
        assert_eq!(config.auth.publishable_key, key);
    }
}
