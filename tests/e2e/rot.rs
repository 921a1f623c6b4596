//! Bits that rot: a media file that is no longer what it was is found, set aside, and not heard.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use roomtone_tests::{TestVenue, eventually, write_tones};

#[tokio::test]
async fn a_file_that_has_rotted_is_set_aside_and_the_music_goes_on_without_it() {
    let venue = TestVenue::closed();
    write_tones(&venue.library(), 3, 6);
    let mut venue = venue.import();
    let rotten = media(&venue.data()).pop().unwrap();
    flip_a_bit(&rotten);

    venue = venue.open_with_env([("ROOMTONE_UPKEEP_MEDIA_CHECK_S", "1".to_owned())]);
    eventually("the rotten file is found", async || venue.health().await["songs"]["playable"] == 2).await;
    assert!(!rotten.exists() && rotten.with_extension("damaged").exists(), "it is set aside, not destroyed");
    let rotten_name = rotten.file_name().unwrap().to_str().unwrap().to_owned();
    let terminal = venue.terminal("bar");
    for _ in 0..4 {
        let song = terminal.plays_one().await;
        assert!(!song["url"].as_str().unwrap().contains(&rotten_name), "{song}");
    }

    let _again = venue.run("import", [venue.library()]).succeeded();
    eventually("the song is back", async || venue.health().await["songs"]["playable"] == 3).await;
    venue.close_apart_from(&["is damaged; it is not played until you import it again"]);
}

/// The media files of a data folder.
fn media(data: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let shelves = entries(&data.join("media")).filter(|path| path.is_dir());
    shelves
        .flat_map(|shelf| entries(&shelf).collect::<Vec<_>>())
        .filter(|path| path.extension().is_none())
        .collect()
}

fn flip_a_bit(path: &Path) {
    let before = std::fs::read(path).unwrap();
    let middle = before.len() / 2;
    let mut file = std::fs::File::options().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(middle as u64)).unwrap();
    file.write_all(&[before[middle] ^ 1]).unwrap();
}
