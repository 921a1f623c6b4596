//! A backup taken while the hub runs brings a venue back on another box.

use roomtone_tests::TestVenue;

#[tokio::test]
async fn a_backup_of_a_running_hub_restores_votes_sessions_and_players() {
    let mut venue = TestVenue::with_songs(4);
    let ana = venue.check_in("ana").await;
    ana.likes(&ana.songs().await[0].0).await;
    let terminal = venue.terminal("bar");
    let (songs, votes, code) = (ana.songs().await, ana.votes().await, venue.code().to_owned());
    let file = venue.library().join("evening.backup");
    let _report = venue.run("backup", [&file]).succeeded();
    ana.likes(&songs[1].0).await;
    venue.close();

    // A new box at the old address: same port, an empty data folder.
    std::fs::rename(venue.data(), venue.data().with_extension("old")).unwrap();
    let _report = venue.run("restore", [&file]).succeeded();
    let mut venue = venue.import().open();

    assert_eq!(venue.code(), code);
    assert_eq!(ana.votes().await, votes, "as of the backup");
    assert_eq!(ana.songs().await.len(), 4);
    assert!(terminal.next_song().await["title"].is_string(), "the player's token still counts");
    venue.close();
}

#[test]
fn restoring_over_a_running_hub_or_from_rubbish_is_refused() {
    let mut venue = TestVenue::with_songs(1);
    let file = venue.library().join("evening.backup");
    let _report = venue.run("backup", [&file]).succeeded();
    let words = venue.run("restore", [&file]).refused();
    assert!(words.contains("in use by another hub"), "{words}");
    venue.close();

    let rubbish = venue.library().join("rubbish");
    std::fs::write(&rubbish, "not a backup").unwrap();
    let words = venue.run("restore", [&rubbish]).refused();
    assert!(words.contains("rubbish"), "{words}");
    let mut venue = venue.open();
    venue.close();
}
