//! What every database of the cloud must do for hubs, on the real one: the same checks that the simulation's passes.

#[expect(unreachable_pub, reason = "they are of a library that stands elsewhere")]
#[path = "../../../tests/sim/src/conformance_cloud.rs"]
mod checks;

use roomtone_schema::UnixMillis;
use rstest::rstest;

use crate::postgres::{Version, run};
use crate::sync::Stage;

const NOW: UnixMillis = UnixMillis(1_796_000_000_000);

#[rstest]
#[tokio::test]
async fn postgres_does_what_every_store_must_do(#[values(Version::V16, Version::V18)] version: Version) {
    let mut stage = Stage::on(version).await;
    let other = crate::sync::hub(&stage.test, &stage.store, stage.venue, "Other").await;
    checks::facts_are_taken_once_and_in_order(&stage.store, &stage.hub, NOW).await;
    checks::lives_of_a_database_are_told_apart(&stage.store, &other, NOW).await;
    run(
        &mut stage.eyes,
        "insert into public.songs (organisation_id, title, file_url, object_key, content_sha256, content_bytes, content_type)
         select o.id, 'Song', 's3://songs/x', 'x', sha256(int4send(i)), 1, 'audio/flac'
         from public.organisations o, generate_series(1, 5) i;
         insert into public.venue_songs (venue_id, song_id) select v.id, s.id from public.venues v, public.songs s;
         update public.songs set title = 'Another' where true",
    )
    .await;
    for scope in stage.hub.scopes() {
        checks::a_feed_is_read_without_a_hole(&stage.store, &stage.hub, scope).await;
        checks::rows_add_up_to_the_digest(&stage.store, &stage.hub, scope).await;
    }
}
