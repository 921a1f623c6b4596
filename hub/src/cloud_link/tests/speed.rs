//! How long a catalogue takes, for whoever changes something here: `cargo test -p roomtone-hub --lib speed -- --nocapture`.

use super::*;

const MANY: u128 = 100_000;

#[tokio::test]
#[ignore = "a measurement"]
async fn speed_of_a_catalogue() {
    let venue = Venue::empty().await;
    let store = link_of(&venue).await;
    let clock = roomtone_schema::SystemClock::new();
    let now = || roomtone_schema::Clock::monotonic_ms(&clock);
    for (scope, make) in [
        (venue_scope(), &(|n| enabled(n, n as i64 + 1, true)) as &dyn Fn(u128) -> Row),
        (catalogue(), &|n| song(n, n as i64 + 1)),
    ] {
        store.stage(scope, "all".to_owned()).await.unwrap();
        let parts: Vec<Vec<Row>> =
            (0..MANY / 10_000).map(|part| (part * 10_000..(part + 1) * 10_000).map(make).collect()).collect();
        let began = now();
        for (number, rows) in parts.into_iter().enumerate() {
            store.stage_part(scope, number as u64, rows).await.unwrap();
        }
        let staged = now();
        store.unstage(scope, at(MANY as i64), true).await.unwrap();
        let done = now();
        let digest = store.digest(scope).await;
        eprintln!(
            "{scope}: staged {} ms, in place {} ms, digest {} ms {}",
            staged - began,
            done - staged,
            now() - done,
            digest.is_ok()
        );
    }
    eprintln!("{:?}", venue.hub.store().stats().commits_by_ms);
}
