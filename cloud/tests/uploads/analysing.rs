//! Several replicas, of which some die.

use std::time::Duration;

use roomtone_cloud::analysing::Bench;
use roomtone_cloud::bus::Topic;
use roomtone_cloud::refusal::Code;
use roomtone_cloud::uploads::UploadState;

use crate::desk::{Desk, bench, bench_with, script};

#[tokio::test]
async fn two_replicas_look_at_each_file_once() {
    let mut desk = Desk::open().await;
    let mut ids = Vec::new();
    for n in 0..8_u8 {
        ids.push(desk.send("a.wav", "audio/wav", desk.tone(200.0 + f32::from(n))).await);
    }
    desk.hire(bench());
    desk.hire(bench());
    for id in ids {
        desk.until_done(id).await;
    }
    assert_eq!(desk.value("select count(*) from public.songs").await, "8");
    assert_eq!(desk.value("select max(attempts) from public.song_uploads").await, "1");
    assert_eq!(desk.value("select count(*) from public.audit_log where action = 'song.added'").await, "8");
}

#[tokio::test]
async fn what_a_dead_replica_was_at_is_taken_up_by_another() {
    let mut desk = Desk::open().await;
    let bytes = desk.tone(220.0);
    let id = desk.send("a.wav", "audio/wav", bytes.clone()).await;
    let begun = desk.files.path().join("begun");
    let stuck = script(desk.files.path(), &format!("touch '{}'\nexec sleep 600", begun.display()));
    desk.hire(bench_with(stuck));
    desk.until(id, "begun", |upload| upload.state.0 == UploadState::Analysing && begun.exists()).await;
    desk.kill_all().await;
    assert_eq!(desk.upload(id).await.state.0, UploadState::Analysing);
    desk.hire(bench());
    desk.until_done(id).await;
    assert_eq!(desk.value("select attempts from public.song_uploads").await, "2");
    desk.until_stored(&[desk.key_of(&bytes)]).await;
}

#[tokio::test]
async fn a_file_that_takes_long_stays_with_whoever_works_on_it() {
    let mut desk = Desk::open().await;
    let id = desk.send("a.wav", "audio/wav", desk.tone(220.0)).await;
    // Three claims long.
    let program = env!("CARGO_BIN_EXE_roomtone-cloud");
    let slow = script(desk.files.path(), &format!("sleep 3\nexec '{program}' \"$@\""));
    let lease = Duration::from_secs(1);
    desk.hire(Bench { lease, ..bench_with(slow) });
    desk.hire(Bench { lease, ..bench() });
    desk.until_done(id).await;
    assert_eq!(desk.value("select attempts from public.song_uploads").await, "1");
}

#[tokio::test]
async fn a_file_that_brings_everybody_down_is_given_up() {
    let mut desk = Desk::open().await;
    let id = desk.send("a.wav", "audio/wav", desk.tone(220.0)).await;
    let begun = desk.files.path().join("begun");
    let stuck = script(desk.files.path(), &format!("touch '{}'\nexec sleep 600", begun.display()));
    for _ in 0..3 {
        desk.hire(Bench { lease: Duration::from_millis(300), ..bench_with(stuck.clone()) });
        desk.until(id, "begun", |_| begun.exists()).await;
        desk.kill_all().await;
        std::fs::remove_file(&begun).unwrap();
    }
    desk.hire(bench());
    let (code, why) = desk.until_refused(id).await;
    assert_eq!(code, Code::Unsupported);
    assert!(why.starts_with("looking at it broke off 3 times"), "{why}");
    desk.until_stored(&[]).await;
}

#[tokio::test]
async fn a_child_that_cannot_be_started_is_no_fault_of_the_file() {
    let mut desk = Desk::open().await;
    let id = desk.send("a.wav", "audio/wav", desk.tone(220.0)).await;
    desk.hire(bench_with("/nowhere/roomtone-cloud".into()));
    let pause =
        "select claimed_by is null and claimed_until > now() and attempts = 0 from public.song_uploads";
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while desk.value(pause).await != "true" {
        assert!(tokio::time::Instant::now() < deadline, "it was not put back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(desk.upload(id).await.state.0, UploadState::Queued);
}

#[tokio::test]
async fn whoever_watches_hears_of_each_step() {
    let desk = Desk::at_work().await;
    let bytes = desk.tone(220.0);
    let (id, target) = desk.begin(desk.announce("a.wav", "audio/wav", &bytes)).await;
    let mut changes = desk.cloud.bus.subscribe([Topic::Upload(id)]);
    let mut catalogue = desk.cloud.bus.subscribe([Topic::Organisation(desk.organisation)]);
    crate::store::put_well(&target.whole.unwrap(), bytes).await;
    desk.finalise(id).await.unwrap();
    let mut seen = Vec::new();
    while seen.last() != Some(&UploadState::Done) {
        assert!(tokio::time::timeout(Duration::from_secs(20), changes.next()).await.unwrap());
        seen.push(desk.upload(id).await.state.0);
    }
    assert!(tokio::time::timeout(Duration::from_secs(20), catalogue.next()).await.unwrap());
}
