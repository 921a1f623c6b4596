//! Several replicas, of which some die.

use std::path::PathBuf;
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

/// A child that says when it begins, and looks into the file once it is let go.
fn waiting(desk: &Desk) -> (PathBuf, PathBuf, PathBuf) {
    let (begun, go) = (desk.files.path().join("begun"), desk.files.path().join("go"));
    let program = env!("CARGO_BIN_EXE_roomtone-cloud");
    let commands = format!(
        "touch '{}'\nwhile [ -e \"$0\" ] && ! [ -e '{}' ]; do sleep 0.1; done\nexec '{program}' \"$@\"",
        begun.display(),
        go.display()
    );
    (script(desk.files.path(), &commands), begun, go)
}

#[tokio::test]
async fn what_a_dead_replica_was_at_is_taken_up_by_another() {
    let mut desk = Desk::open().await;
    let bytes = desk.tone(220.0);
    let id = desk.send("a.wav", "audio/wav", bytes.clone()).await;
    let (stuck, begun, _) = waiting(&desk);
    desk.hire(bench_with(stuck));
    desk.until(id, "begun", |upload| upload.state.0 == UploadState::Analysing && begun.exists()).await;
    desk.kill_all().await;
    assert_eq!(desk.upload(id).await.state.0, UploadState::Analysing);
    desk.expire_claims().await;
    desk.hire(bench());
    desk.until_done(id).await;
    assert_eq!(desk.value("select attempts from public.song_uploads").await, "2");
    desk.until_stored(&[desk.key_of(&bytes)]).await;
}

#[tokio::test]
async fn a_file_that_takes_long_stays_with_whoever_works_on_it() {
    let mut desk = Desk::open().await;
    let id = desk.send("a.wav", "audio/wav", desk.tone(220.0)).await;
    let (slow, begun, go) = waiting(&desk);
    desk.hire(Bench { lease: Duration::from_secs(30), ..bench_with(slow) });
    desk.until(id, "begun", |_| begun.exists()).await;
    desk.hire(bench());
    let first = desk.value("select claimed_until from public.song_uploads").await;
    desk.until_true("renewed", &format!("select claimed_until > '{first}' from public.song_uploads")).await;
    std::fs::write(go, "").unwrap();
    desk.until_done(id).await;
    assert_eq!(desk.value("select attempts from public.song_uploads").await, "1");
}

#[tokio::test]
async fn a_file_that_brings_everybody_down_is_given_up() {
    let mut desk = Desk::open().await;
    let id = desk.send("a.wav", "audio/wav", desk.tone(220.0)).await;
    let (stuck, begun, _) = waiting(&desk);
    for _ in 0..3 {
        desk.hire(bench_with(stuck.clone()));
        desk.until(id, "begun", |_| begun.exists()).await;
        desk.kill_all().await;
        std::fs::remove_file(&begun).unwrap();
        desk.expire_claims().await;
    }
    desk.hire(bench());
    let (code, why) = desk.until_refused(id).await;
    assert_eq!(code, Code::Unsupported);
    assert!(why.starts_with("looking at it broke off 3 times"), "{why}");
    desk.until_stored(&[]).await;
}

#[tokio::test]
async fn a_database_that_fails_for_a_while_breaks_nothing_off() {
    let mut desk = Desk::open().await;
    let id = desk.send("a.wav", "audio/wav", desk.tone(220.0)).await;
    let (slow, begun, go) = waiting(&desk);
    desk.hire(bench_with(slow));
    desk.until(id, "begun", |_| begun.exists()).await;
    let mut conn = desk.database.superuser().await;
    let failed =
        desk.value("select xact_rollback from pg_stat_database where datname = current_database()").await;
    sqlx::query("revoke update on public.song_uploads from roomtone_cloud").execute(&mut conn).await.unwrap();
    // More than one look each of whoever claims and whoever sweeps: one that breaks off at the first is gone by then.
    let often = format!(
        "select xact_rollback > {failed} + 20 from pg_stat_database where datname = current_database()"
    );
    desk.until_true("seen to fail", &often).await;
    sqlx::query("grant update on public.song_uploads to roomtone_cloud").execute(&mut conn).await.unwrap();
    std::fs::write(go, "").unwrap();
    desk.until_done(id).await;
    assert_eq!(desk.value("select attempts from public.song_uploads").await, "1");
}

#[tokio::test]
async fn whoever_is_told_to_stop_puts_back_what_it_was_at() {
    let mut desk = Desk::open().await;
    let id = desk.send("a.wav", "audio/wav", desk.tone(220.0)).await;
    let (stuck, begun, _) = waiting(&desk);
    let stop = desk.hire(bench_with(stuck));
    desk.until(id, "begun", |_| begun.exists()).await;
    let mut changes = desk.cloud.bus.subscribe([Topic::Upload(id)]);
    stop.cancel();
    assert!(tokio::time::timeout(Duration::from_secs(20), changes.next()).await.unwrap());
    assert_eq!(desk.upload(id).await.state.0, UploadState::Queued);
    let free =
        "select attempts = 0 and claimed_by is null and claimed_until is null from public.song_uploads";
    assert_eq!(desk.value(free).await, "true");
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
