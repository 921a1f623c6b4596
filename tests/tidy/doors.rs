//! Who may know whom.

use std::path::Path;

use roomtone_tests::workspace;

use crate::source::{without_comments, without_unit_tests};

/// Which of our crates a crate may depend on.
const DOORS: &[(&str, &[&str])] = &[
    ("roomtone-schema", &[]),
    ("roomtone-analysis", &["roomtone-schema"]),
    ("roomtone-server", &["roomtone-schema"]),
    ("roomtone-sync", &["roomtone-schema"]),
    ("roomtone-hub", &["roomtone-schema", "roomtone-analysis", "roomtone-server", "roomtone-sync"]),
    ("roomtone-cloud", &["roomtone-schema", "roomtone-analysis", "roomtone-server", "roomtone-sync"]),
    ("roomtone-player", &["roomtone-schema", "roomtone-sync"]),
    // The simulation replaces the process's clock and randomness, so it stands apart from the other tests.
    ("roomtone-sim", &["roomtone-schema", "roomtone-sync", "roomtone-cloud"]),
];

#[test]
fn crates_depend_only_through_the_doors() {
    let metadata = workspace::metadata();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        if !package["source"].is_null() || name == "roomtone-tests" {
            continue;
        }
        let (_, doors) =
            DOORS.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name} has no doors"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let to = dependency["name"].as_str().unwrap();
            assert!(!to.starts_with("roomtone-") || doors.contains(&to), "{name} may not depend on {to}");
        }
    }
}

#[test]
fn the_schema_needs_no_runtime_no_database_and_no_server() {
    let metadata = workspace::metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let schema = packages.iter().find(|package| package["name"] == "roomtone-schema").unwrap();
    let banned = ["tokio", "rusqlite", "sqlx", "axum", "hyper", "reqwest", "rand", "getrandom"];
    for dependency in schema["dependencies"].as_array().unwrap() {
        let name = dependency["name"].as_str().unwrap();
        assert!(!banned.contains(&name), "schema may not depend on {name}");
    }
}

#[test]
fn every_version_stands_in_the_workspace() {
    for manifest in
        workspace::files().iter().filter(|path| path.ends_with("Cargo.toml") && path.components().count() > 1)
    {
        let text = std::fs::read_to_string(workspace::root().join(manifest)).unwrap();
        let parsed: toml::Table = text.parse().unwrap();
        // What stands outside of the workspace (the fuzz targets want another compiler) can inherit nothing from it.
        if parsed.contains_key("workspace") {
            continue;
        }
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (name, how) in parsed.get(section).and_then(|deps| deps.as_table()).into_iter().flatten() {
                let inherited = how.get("workspace").and_then(toml::Value::as_bool) == Some(true);
                assert!(inherited, "{}: {name} must take its version from the workspace", manifest.display());
            }
        }
    }
}

/// One rule on the text of code: these words only in these places.
struct OnlyIn {
    words: &'static [&'static str],
    places: &'static [&'static str],
    why: &'static str,
}

const PLACES: &[OnlyIn] = &[
    OnlyIn {
        words: &[
            "rusqlite::",
            "use rusqlite",
            "sqlx::query",
            "insert into ",
            "delete from ",
            "\"select ",
            "\"update ",
            "\"pragma ",
        ],
        places: &[
            "hub/src/store.rs",
            "hub/src/store/",
            "cloud/src/store.rs",
            "cloud/src/store/",
            "cloud/src/database.rs",
        ],
        why: "only the store speaks SQL",
    },
    OnlyIn {
        words: &["async_graphql"],
        places: &[
            "hub/src/graphql.rs",
            "hub/src/graphql/",
            "cloud/src/graphql.rs",
            "cloud/src/graphql/",
            "schema/server/",
            "schema/src/graphql.rs",
        ],
        why: "only the API knows GraphQL",
    },
    OnlyIn {
        words: &["SystemTime::now(", "Instant::now("],
        places: &["schema/src/time.rs"],
        why: "time is an argument; only the clock reads the clock",
    },
    OnlyIn {
        words: &["tokio::spawn(", "tokio::task::spawn(", "thread::spawn("],
        places: &["sync/src/supervisor.rs"],
        why: "every task has an owner",
    },
    OnlyIn {
        words: &["process::exit(", "process::abort("],
        places: &[],
        why: "only main ends the process, by returning",
    },
];

/// Files that may do what the rules above forbid elsewhere, each with its reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "sync/src/supervisor.rs",
        "Instant::now(",
        "how long a task lived decides its next pause; tokio's clock, which tests hold still",
    ),
    (
        "schema/analysis/src/worker.rs",
        "Instant::now(",
        "how long a child process may live; no rule of ours depends on it",
    ),
    (
        "schema/server/src/socket.rs",
        "Instant::now(",
        "when a connection is pinged and given up; tokio's clock, and `Pulse` is told it",
    ),
    (
        "player/src/player/fetcher.rs",
        "Instant::now(",
        "when a file that could not be had is tried again; tokio's clock, no rule depends on it",
    ),
    ("schema/server/src/shared.rs", "Instant::now(", "how old an answer is for whoever joins; tokio's clock"),
];

#[test]
fn words_stay_in_their_places() {
    let mut strays = Vec::new();
    for (path, text) in program_files() {
        let code = without_unit_tests(&without_comments(&text));
        for rule in PLACES {
            let at_home = rule.places.iter().any(|place| is_in(&path, place));
            let words = rule.words.iter().filter(|word| !at_home && code.contains(**word));
            let words = words.filter(|word| {
                !EXCEPTIONS.iter().any(|(file, known, _)| is_in(&path, file) && known == *word)
            });
            strays.extend(words.map(|word| format!("{}: `{word}`: {}", path.display(), rule.why)));
        }
    }
    assert!(strays.is_empty(), "{strays:#?}");
}

#[test]
fn every_exception_is_still_needed() {
    for (file, word, _) in EXCEPTIONS {
        let text = std::fs::read_to_string(workspace::root().join(file)).unwrap_or_default();
        assert!(text.contains(word), "{file} no longer says `{word}`: take it off the list");
    }
}

/// What the parts of a program may not name, from the outside in.
const INSIDE: &[(&str, &[&str])] = &[
    (
        "hub/src/store",
        &["cli", "config", "control", "demo", "graphql", "http", "hub", "import", "media", "player_api"],
    ),
    ("hub/src/graphql", &["cli", "config", "control", "demo", "http", "import", "store"]),
    ("hub/src/player_api.rs", &["cli", "config", "control", "demo", "graphql", "import", "store"]),
    ("hub/src/hub.rs", &["cli", "control", "demo", "graphql", "http", "player_api"]),
    ("hub/src/index.rs", &["cli", "config", "graphql", "http", "hub", "player_api", "store"]),
    ("cloud/src/store", &["auth", "cli", "config", "dev", "graphql", "http", "media", "service"]),
    ("cloud/src/graphql", &["cli", "config", "database", "dev", "http", "store"]),
    // The sound of a player knows neither the network nor what should play.
    ("player/src/decode", WILL),
    ("player/src/deck", WILL),
    ("player/src/mix", WILL),
    ("player/src/output", WILL),
    ("player/src/engine", WILL),
    ("player/src/queue.rs", &["cli", "engine", "files", "hub_client", "hub_finder", "journal", "player"]),
];

/// What steers a player's sound.
const WILL: &[&str] = &[
    "cli",
    "config",
    "doctor",
    "files",
    "hub_address",
    "hub_client",
    "hub_finder",
    "identity",
    "journal",
    "pairing",
    "pinned",
    "place",
    "player",
    "queue",
    "status",
];

#[test]
fn the_inner_rooms_do_not_know_the_outer_ones() {
    let mut strays = Vec::new();
    for (path, text) in program_files() {
        let code = without_unit_tests(&without_comments(&text));
        for (room, strangers) in
            INSIDE.iter().filter(|(room, _)| path.starts_with(room) || is_in(&path, &format!("{room}.rs")))
        {
            let met = strangers.iter().filter(|stranger| code.contains(&format!("crate::{stranger}::")));
            strays.extend(
                met.map(|stranger| format!("{}: {room} may not know crate::{stranger}", path.display())),
            );
        }
    }
    assert!(strays.is_empty(), "{strays:#?}");
}

/// The Rust source of what we ship.
fn program_files() -> impl Iterator<Item = (std::path::PathBuf, String)> {
    let ships = |path: &Path| {
        [
            "hub/src",
            "cloud/src",
            "player/src",
            "sync/src",
            "schema/src",
            "schema/analysis/src",
            "schema/server/src",
        ]
        .iter()
        .any(|src| path.starts_with(src))
    };
    workspace::rust_files().into_iter().filter(move |(path, _)| ships(path))
}

/// Whether `path` is `place`, or lies in it where `place` ends with a slash.
fn is_in(path: &Path, place: &str) -> bool {
    if place.ends_with('/') { path.starts_with(place) } else { path == Path::new(place) }
}
