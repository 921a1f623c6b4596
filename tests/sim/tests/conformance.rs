//! The simulation's own databases do what every database must.

use roomtone_schema::id::Id as _;
use roomtone_schema::{BootId, HubId, OrganisationId, UnixMillis, VenueId};
use roomtone_sim::defences::Defences;
use roomtone_sim::model_cloud::{Fate, Said, SimCloud, known_hub};
use roomtone_sim::model_hub::SimHub;
use roomtone_sim::versions::Age;
use roomtone_sim::{conformance_cloud, conformance_hub};
use roomtone_sync::store::KnownHub;
use roomtone_sync::wire::{Row, Scope, Stamp};
use uuid::Uuid;

const NOW: UnixMillis = UnixMillis(1_795_348_800_000);

fn cloud() -> (SimCloud, KnownHub, Scope) {
    let (venue, organisation) = (VenueId(Uuid::from_u128(2)), OrganisationId(Uuid::from_u128(3)));
    let hub = known_hub(HubId::from_uuid(Uuid::from_u128(1)), venue, organisation, [0; 32]);
    let cloud = SimCloud::new(vec![hub.clone()], Age::New, Defences::default());
    let scope = Scope::Catalogue(organisation);
    for number in 0..9_u8 {
        let body = (number % 4 > 0).then(|| vec![number]);
        cloud.change(scope, "song", Uuid::from_u128(u128::from(number % 5)), body, i64::from(number) * 3);
    }
    (cloud, hub, scope)
}

#[tokio::test]
async fn the_cloud_conforms() {
    let (store, hub, scope) = cloud();
    conformance_cloud::facts_are_taken_once_and_in_order(&store, &hub, NOW).await;
    conformance_cloud::a_feed_is_read_without_a_hole(&store, &hub, scope).await;
    conformance_cloud::rows_add_up_to_the_digest(&store, &hub, scope).await;
    let (store, hub, _) = cloud();
    conformance_cloud::lives_of_a_database_are_told_apart(&store, &hub, NOW).await;
}

fn hub() -> SimHub {
    let store = SimHub::new(Defences::default(), 1, Age::New);
    for number in 0..6 {
        let stamp = Stamp { boot: BootId::from_uuid(Uuid::nil()), mono_ms: 0, wall_ms: 0 };
        assert!(store.tell(&Said { id: Uuid::from_u128(number), fate: Fate::Good }, stamp));
    }
    store
}

#[tokio::test]
async fn the_hub_conforms() {
    let scope = Scope::Venue(VenueId(Uuid::from_u128(2)));
    let row = |seq: i64| Row {
        seq,
        kind: "song".to_owned(),
        pk: Uuid::from_u128(seq as u128),
        body: Some(vec![1]),
    };
    let rows: Vec<Row> = (1..=6).map(row).collect();
    conformance_hub::facts_come_in_order_and_linked(&hub()).await;
    conformance_hub::a_page_is_applied_once(&hub(), scope, &rows).await;
    conformance_hub::what_is_staged_is_not_seen(&hub(), scope, &rows).await;
    conformance_hub::buckets_are_replaced(&hub(), scope, &rows).await;
}
