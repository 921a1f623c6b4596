//! A folder of real recordings: nothing lost, and all of it plays.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use roomtone_tests::{TestVenue, skip};
use sha2::{Digest, Sha256};

/// Real music that Debian carries: Ogg Vorbis, made by people.
const RECORDINGS: &str = "/usr/share/games/hedgewars/Data/Music";

#[tokio::test]
async fn a_folder_of_real_recordings_is_imported_whole_and_plays() {
    let folder = Path::new(RECORDINGS);
    if !folder.is_dir() {
        skip("a_folder_of_real_recordings_is_imported_whole_and_plays", "hedgewars-data is not installed");
        return;
    }
    let recordings = audio_files(folder);
    let venue = TestVenue::closed();
    let report = venue.run("import", [folder]).succeeded();
    println!("{}", report.stdout);

    let mut venue = venue.open();
    let songs = venue.passer_by().songs().await;
    assert_eq!(songs.len(), distinct(&recordings).len(), "of {} files:\n{}", recordings.len(), report.stdout);

    let terminal = venue.terminal("bar");
    let mut heard = BTreeSet::new();
    for _ in 0..3 {
        let song = terminal.plays_one().await;
        let bytes = terminal.fetch(song["url"].as_str().unwrap()).await;
        assert!(distinct(&recordings).contains(&hash(&bytes)), "{song} is not one of the files");
        assert!(song["duration"].as_f64().unwrap() > 1.0);
        heard.insert(song["title"].to_string());
    }
    assert_eq!(heard.len(), 3, "three songs, each once: {heard:?}");
    venue.close();
}

#[tokio::test]
async fn importing_the_same_folder_again_adds_nothing() {
    let mut venue = TestVenue::with_songs(3);
    let before = venue.passer_by().songs().await;
    let _while_it_runs = venue.run("import", [venue.library()]).succeeded();
    assert_eq!(venue.passer_by().songs().await, before);
    venue.close();
    let _while_it_rests = venue.run("import", [venue.library()]).succeeded();
    let mut venue = venue.open();
    assert_eq!(venue.passer_by().songs().await, before);
    venue.close();
}

#[tokio::test]
async fn music_imported_into_a_running_hub_is_there_without_a_restart() {
    let mut venue = TestVenue::empty();
    roomtone_tests::write_tones(&venue.library(), 3, 6);
    let _report = venue.run("import", [venue.library()]).succeeded();
    roomtone_tests::eventually("three songs are there", async || venue.passer_by().songs().await.len() == 3)
        .await;
    let song = venue.terminal("bar").plays_one().await;
    assert!(song["title"].is_string());
    venue.close_apart_from(&["no music yet"]);
}

fn audio_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|ext| ext == "ogg")).collect()
}

/// The same recording under two names is one song.
fn distinct(files: &[PathBuf]) -> BTreeSet<Vec<u8>> {
    files.iter().map(|file| hash(&std::fs::read(file).unwrap())).collect()
}

fn hash(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}
