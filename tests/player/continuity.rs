//! Never silent: hubs that die, players that die, disks that are full.

use std::collections::BTreeSet;
use std::time::Duration;

use roomtone_tests::{eventually_within, player as command};

use super::{HUB_GONE, SOME_SECONDS, heard, hears, open, playing, plays, venue};

#[tokio::test]
async fn a_hub_that_is_killed_is_not_heard_and_history_is_whole_afterwards() {
    let mut venue = venue(10);
    let mut player = playing(&venue, "bar").await;
    hears(&player, 1).await;
    venue.power_cut();
    eventually_within(SOME_SECONDS, "the player knows", async || !player.is_linked()).await;
    hears(&player, 3).await;

    let mut venue = open(venue);
    eventually_within(SOME_SECONDS, "it is with its hub again", async || player.is_linked()).await;
    hears(&player, 1).await;
    eventually_within(SOME_SECONDS, "every play is told", async || {
        player.status().is_some_and(|status| status["untold_plays"] == 0)
    })
    .await;
    assert_eq!(player.recording().gaps(0.05), [], "nobody has heard that the hub was gone");
    let status = player.status().unwrap();
    assert_eq!(status["silence_ms"], 0);
    player.stop(HUB_GONE);

    let history = venue.history();
    let titles: Vec<String> = history.iter().map(|play| play.0.clone()).collect();
    let heard = heard(&player, 10);
    assert_eq!(titles[..heard.len()], heard[..], "each song once, in the order in which it was heard");
    let tiers: BTreeSet<&str> = history.iter().map(|play| play.1.as_str()).collect();
    assert_eq!(tiers, BTreeSet::from(["hub", "plan"]), "{history:?}");
    let ended = history.iter().filter(|play| play.2.as_deref() == Some("finished"));
    for (title, _, _, heard_ms) in ended {
        let heard_ms = heard_ms.expect("what was heard");
        assert!((5_000..=7_500).contains(&heard_ms), "{title}: {heard_ms} ms");
    }
    venue.close_apart_from(&["salvage", "unclean", "killed"]);
}

#[tokio::test]
async fn a_player_that_is_killed_goes_on_in_the_same_song() {
    let mut venue = venue(6);
    let mut player = playing(&venue, "bar").await;
    eventually_within(SOME_SECONDS, "it is in the middle of a song", async || {
        player.status().is_some_and(|status| {
            (2_500..4_500).contains(&status["song"]["position_ms"].as_u64().unwrap_or(0))
        })
    })
    .await;
    let before = player.status().unwrap();
    player.kill();
    player.start();
    eventually_within(Duration::from_secs(5), "it sounds again", async || {
        player.recording().first_sound().is_some()
    })
    .await;
    eventually_within(SOME_SECONDS, "it says what it plays", async || player.title().is_some()).await;
    let after = player.status().unwrap();
    assert_eq!(after["song"]["title"], before["song"]["title"]);
    let place = |status: &serde_json::Value| status["song"]["position_ms"].as_u64().unwrap();
    assert!(
        2_000 <= place(&after),
        "it went on where it was: {} ms after {} ms",
        place(&after),
        place(&before)
    );

    hears(&player, 1).await;
    player.stop(&[]);
    let history = venue.history();
    let plays = history.iter().filter(|play| play.0 == before["song"]["title"].as_str().unwrap());
    assert_eq!(plays.count(), 1, "one song, heard in two runs, is one play: {history:?}");
    venue.close();
}

#[tokio::test]
async fn a_player_that_starts_without_its_hub_plays_from_its_plan_and_without_a_plan_from_its_cache() {
    let mut venue = venue(5);
    let mut player = playing(&venue, "bar").await;
    eventually_within(SOME_SECONDS, "all songs are here", async || {
        player.status().is_some_and(|status| status["cached_songs"] == 5)
    })
    .await;
    player.stop(&[]);
    venue.close();

    // What it has played last would be taken up again.
    std::fs::remove_file(player.data().join("place.json")).unwrap();
    for (without, tier) in [(None, "plan"), (Some("plan.json"), "cache")] {
        if let Some(file) = without {
            std::fs::remove_file(player.data().join(file)).unwrap();
        }
        player.start();
        plays(&player).await;
        hears(&player, 2).await;
        assert_eq!(player.status().unwrap()["song"]["tier"], tier);
        assert_eq!(player.recording().gaps(0.05), []);
        player.stop(HUB_GONE);
        std::fs::remove_file(player.data().join("place.json")).unwrap();
    }
}

#[tokio::test]
async fn on_a_small_disk_that_somebody_else_fills_the_music_goes_on() {
    let Some(disk) = SmallDisk::of_megabytes(4) else {
        roomtone_tests::skip(
            "on a small disk that somebody else fills",
            "no small file system can be mounted here",
        );
        return;
    };
    let mut venue = venue(12);
    let mut player = roomtone_tests::Loudspeaker::at(&venue, "bar").keeping(disk.path());
    player.pair(&venue);
    player.start();
    plays(&player).await;
    hears(&player, 2).await;
    let status = player.status().unwrap();
    let cached = status["cached_songs"].as_u64().unwrap();
    assert!((3..=7).contains(&cached), "songs take half of so small a disk: {cached} of 12 are here");

    disk.fill();
    hears(&player, 3).await;
    assert_eq!(player.recording().gaps(0.05), [], "and nobody hears that it is full");
    let said = command(["--data", player.data().to_str().unwrap(), "doctor", "--json"].map(str::to_owned));
    assert!(said.stdout.contains("disk_low"), "{}", said.stdout);
    player.stop(&["written down", "address could not be kept", "could not write"]);
    venue.close();
}

/// A file system in memory, of a size that is soon full.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn of_megabytes(size: u32) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let options = format!("size={size}m");
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(folder.path())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(folder))
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().to_owned()
    }

    /// Somebody else writes until nothing more goes.
    fn fill(&self) {
        use std::io::Write as _;
        let mut ballast = std::fs::File::create(self.0.path().join("ballast")).expect("a file");
        while ballast.write_all(&[0; 4_096]).is_ok() {}
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _unmounted = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}
