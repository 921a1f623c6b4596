//! How long a catalogue takes, for whoever changes something here:
//! `cargo test -p roomtone-hub --lib speed -- --include-ignored --nocapture`.

use roomtone_schema::{Clock as _, SystemClock};

use super::*;
use crate::store::down_rows::Manner;

const MANY: u128 = 100_000;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn speed_of_a_catalogue() {
    let venue = Venue::empty().await;
    let store = link_of(&venue).await;
    let clock = SystemClock::new();
    let enable = |number: u128| enabled(number, number as i64 + 1, true);
    let add = |number: u128| song(number, number as i64 + 1);
    let makers: [(Scope, &dyn Fn(u128) -> Row); 2] = [(venue_scope(), &enable), (catalogue(), &add)];
    for (scope, make) in makers {
        let rows = (0..MANY).map(make).collect();
        let began = clock.monotonic_ms();
        let ready = down_rows::make_ready(rows);
        let prepared = clock.monotonic_ms();
        let manner = Manner { scope, over: true, from: None, to: Some(at(MANY as i64)) };
        let (inner, here) = (venue.hub.clone(), Here { me: me(), now: NOON });
        let work = move || super::super::sqlite_store::in_bites(inner.store(), here, manner, ready).unwrap();
        let changed = tokio::task::spawn_blocking(work).await.unwrap();
        let written = clock.monotonic_ms();
        venue.hub.0.bring_in(changed).await.unwrap();
        let brought = clock.monotonic_ms();
        store.digest(scope).await.unwrap();
        println!(
            "{scope}: made ready in {} ms, written in {} ms, brought in in {} ms, summed in {} ms",
            prepared - began,
            written - prepared,
            brought - written,
            clock.monotonic_ms() - brought
        );
    }
}
