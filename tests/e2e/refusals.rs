//! Bad input gets a sentence that says what to do; nothing is stored, nothing is lost, nothing breaks.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use roomtone_tests::{TestVenue, faketime, hub, hub_binary, write_tone};
use serde_json::json;

#[tokio::test]
async fn an_unknown_room_code_opens_nothing() {
    let mut venue = TestVenue::with_songs(2);
    let mut stranger = venue.passer_by();
    let answer = stranger.try_check_in(json!({ "venueCode": "WRONG-CODE" })).await;
    let (code, message) = answer.refusal();
    assert_eq!(code, "FORBIDDEN");
    assert_says(message, "code");
    assert!(stranger.token().is_none());
    assert_eq!(stranger.vibe().await["activeListeners"], 0);
    venue.close();
}

#[tokio::test]
async fn without_checking_in_there_is_no_vote() {
    let mut venue = TestVenue::with_songs(2);
    let mut passer_by = venue.passer_by();
    let (song, _) = passer_by.songs().await.swap_remove(0);
    assert_eq!(passer_by.vote(&song, "LIKE").await.refusal().0, "NOT_CHECKED_IN");
    passer_by.use_token("made-up");
    assert_eq!(passer_by.vote(&song, "LIKE").await.refusal().0, "NOT_CHECKED_IN");
    venue.close();
}

#[tokio::test]
async fn yesterdays_session_is_over_and_says_so() {
    let Some(tomorrow) = faketime::fixed("yesterdays_session_is_over_and_says_so", "+13h") else { return };
    let mut venue = TestVenue::with_songs(2);
    let ana = venue.check_in("ana").await;
    let (song, _) = ana.songs().await.swap_remove(0);
    venue.close();

    let mut venue = venue.open_with_env(tomorrow);
    let answer = ana.vote(&song, "LIKE").await;
    let (code, message) = answer.refusal();
    assert_eq!(code, "EXPIRED");
    assert_says(message, "check in again");
    venue.close();
}

#[tokio::test]
async fn a_vote_for_an_unknown_song_is_refused() {
    let mut venue = TestVenue::with_songs(2);
    let ana = venue.check_in("ana").await;
    // A song's id of another venue: well formed, unknown here.
    let elsewhere = "U29uZzowMTkzMDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDE";
    let answer = ana.vote(elsewhere, "LIKE").await;
    let (code, message) = answer.refusal();
    assert_eq!(code, "NOT_FOUND");
    assert_says(message, "catalogue");
    assert_eq!(ana.vote("not an id", "LIKE").await.refusal().0, "INVALID");
    assert_eq!(ana.votes().await, []);
    venue.close();
}

#[tokio::test]
async fn a_vote_for_a_withdrawn_song_is_refused() {
    let mut venue = TestVenue::with_songs(2);
    let ana = venue.check_in("ana").await;
    let (song, title) = ana.songs().await.swap_remove(0);
    venue.close();
    let store = rusqlite::Connection::open(store_file(&venue.data())).unwrap();
    store.execute("update songs set status = 'withdrawn' where title = ?1", [&title]).unwrap();
    drop(store);

    let mut venue = venue.open();
    let answer = ana.vote(&song, "LIKE").await;
    let (code, message) = answer.refusal();
    assert_eq!(code, "NOT_FOUND");
    assert_says(message, "taken out of the catalogue");
    venue.close();
}

#[tokio::test]
async fn a_wrong_player_token_gets_no_music() {
    let mut venue = TestVenue::with_songs(2);
    let _the_api_is_on = venue.player_token("bar");
    for token in [None, Some("wrong"), Some("")] {
        let mut request = reqwest::Client::new().get(venue.url("/api/player/next-song"));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401);
        assert_says(&answer.text().await.unwrap(), "player add");
    }
    venue.close();
}

#[tokio::test]
async fn an_empty_library_says_how_to_fill_it() {
    let mut venue = TestVenue::empty();
    let token = venue.player_token("bar");
    let request = reqwest::Client::new().get(venue.url("/api/player/next-song")).bearer_auth(token);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    assert_says(&answer.text().await.unwrap(), "no music yet: run `roomtone-hub import DIR`");
    let guest = venue.check_in("ana").await;
    assert_eq!(guest.songs().await, []);
    assert_eq!(guest.up_next().await, [] as [&str; 0]);
    venue.close_apart_from(&["no music yet"]);
}

#[test]
fn a_data_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    for data in [folder.path().join("file"), folder.path().join("file/data"), "/proc/roomtone".into()] {
        let words = hub(["--data", data.to_str().unwrap(), "serve", "--listen", "127.0.0.1:0"]).refused();
        assert_says(&words, data.to_str().unwrap());
    }
}

#[test]
fn a_data_folder_of_somebody_else_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (program, data) = (folder.path().join("roomtone-hub"), folder.path().join("data"));
    std::fs::copy(hub_binary(), &program).unwrap();
    std::fs::create_dir(&data).unwrap();
    for (path, mode) in [(folder.path(), 0o755), (&program, 0o755), (&data, 0o555)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    // Root may write anywhere, so as root the hub is started as nobody.
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
        command
    } else {
        Command::new(&program)
    };
    let out = command.arg("--data").arg(&data).args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    let words = String::from_utf8_lossy(&out.stderr);
    assert!(!out.status.success() && !words.contains("panicked"), "{words}");
    assert_says(&words, data.to_str().unwrap());
}

#[test]
fn a_taken_port_is_named() {
    let venue = TestVenue::closed();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let words = venue.run("serve --listen", [format!("127.0.0.1:{port}")]).refused();
    assert_says(&words, &port.to_string());
    assert_says(&words, "--listen");
}

#[tokio::test]
async fn a_second_hub_on_the_same_data_is_refused_and_harms_nothing() {
    let mut venue = TestVenue::with_songs(2);
    let ana = venue.check_in("ana").await;
    let words = venue.run("serve --listen", ["127.0.0.1:0"]).refused();
    assert_says(&words, &venue.hub().id().to_string());
    ana.likes(&ana.songs().await[0].0).await;
    venue.close();
}

#[test]
fn data_of_a_newer_program_is_left_alone() {
    let mut venue = TestVenue::empty();
    venue.close();
    let file = store_file(&venue.data());
    let store = rusqlite::Connection::open(&file).unwrap();
    store.pragma_update(None, "user_version", 9_999).unwrap();
    drop(store);
    let words = venue.run("serve --listen", ["127.0.0.1:0"]).refused();
    assert_says(&words, "newer");
    let store = rusqlite::Connection::open(&file).unwrap();
    let version: i64 = store.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 9_999, "nothing was written");
}

#[tokio::test]
async fn what_is_not_audio_is_listed_with_its_reason_and_the_rest_is_imported() {
    let venue = TestVenue::closed();
    let library = venue.library();
    std::fs::create_dir_all(library.join("deep/er")).unwrap();
    write_tone(&library.join("good.wav"), 220.0, 6);
    write_tone(&library.join("deep/er/Ünïcode “name” ☕.wav"), 330.0, 6);
    std::fs::write(library.join("words.mp3"), "These are words, not music. ".repeat(200)).unwrap();
    std::fs::write(library.join("empty.flac"), "").unwrap();
    let whole = std::fs::read(library.join("good.wav")).unwrap();
    std::fs::write(library.join("cut.wav"), &whole[..30]).unwrap();
    std::fs::write(library.join("cover.jpg"), [0xff, 0xd8, 0xff]).unwrap();

    let report = venue.run("import", [&library]).succeeded();
    let words = format!("{}{}", report.stdout, report.stderr);
    for refused in ["words.mp3", "empty.flac", "cut.wav"] {
        let line = words
            .lines()
            .find(|line| line.contains(refused))
            .unwrap_or_else(|| panic!("{refused} is not listed:\n{words}"));
        assert!(line.len() > refused.len() + 10, "no reason: {line}");
    }

    let mut venue = venue.open();
    assert_eq!(venue.passer_by().songs().await.len(), 2);
    venue.close();
}

#[test]
fn importing_a_folder_that_is_not_there_fails_with_its_name() {
    let venue = TestVenue::closed();
    let words = venue.run("import", ["/no/such/folder"]).refused();
    assert_says(&words, "/no/such/folder");
}

#[test]
fn a_mistyped_setting_is_named() {
    let venue = TestVenue::closed();
    let config = venue.data().with_extension("toml");
    std::fs::write(&config, "[venue]\nnmae = \"Café\"\n").unwrap();
    let words = venue.run("--config", [config.as_path(), Path::new("serve")]).refused();
    assert_says(&words, "nmae");
}

#[tokio::test]
async fn what_is_no_graphql_is_answered_not_dropped() {
    let mut venue = TestVenue::with_songs(2);
    let client = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
    let post = |kind: &'static str, body: String| {
        client.post(venue.url("/graphql")).header("content-type", kind).body(body).send()
    };
    assert_eq!(post("text/plain", "{\"query\":\"{ venue { name } }\"}".into()).await.unwrap().status(), 415);
    assert!(post("application/json", "{".into()).await.unwrap().status().is_client_error());
    assert_eq!(post("application/json", "x".repeat(100_000)).await.unwrap().status(), 413);
    let deep = format!("{{ venue(a: {}1{}) {{ name }} }}", "[".repeat(3_000), "]".repeat(3_000));
    let answer = post("application/json", json!({ "query": deep }).to_string()).await.unwrap();
    assert!(answer.status().is_success() || answer.status().is_client_error());
    assert_eq!(venue.health().await["status"], "ok", "the hub is still there");
    venue.close();
}

fn assert_says(words: &str, expected: &str) {
    assert!(words.contains(expected), "it does not say {expected:?}:\n{words}");
    for internal in ["rusqlite", "src/", "panicked", "SqliteFailure", "os error 0"] {
        assert!(!words.contains(internal), "it shows its insides ({internal}):\n{words}");
    }
}

fn store_file(data: &Path) -> PathBuf {
    data.join("hub.db")
}
