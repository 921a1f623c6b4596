//! Subscriptions: state first, then on change, and an end where somebody may not look any more.

use std::pin::pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use roomtone_cloud::bus::Topic;
use roomtone_cloud::exporting;
use roomtone_server::caller::Caller;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fleet::fleet;
use crate::place::{Place, done, global};

/// What comes next; a test that waits longer than this has hung.
async fn next(states: &mut (impl Stream<Item = Value> + Unpin)) -> Option<Value> {
    tokio::time::timeout(Duration::from_secs(25), states.next()).await.unwrap()
}

const FLEET: &str = "subscription($ids: [ID!]!) { fleetStatus(venueIds: $ids) { name status } }";

#[tokio::test]
async fn the_fleet_is_told_whole_and_again_when_it_changes() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let venue = place.venue(ana, "aurora").await;
    let (hub, _) = fleet(&place, venue).await;
    for ids in [json!([global(venue)]), json!([])] {
        let mut states = pin!(place.watch(Caller::User(ana), FLEET, json!({ "ids": ids })));
        let first = next(&mut states).await.unwrap();
        assert_eq!(first["data"]["fleetStatus"][0]["status"], "ONLINE", "{first}");
        let name = format!("box {}", Uuid::new_v4().simple());
        done(
            &place.mutate(ana, "renameHub", json!({ "id": global(hub), "name": name }), "hub { name }").await,
        );
        let second = next(&mut states).await.unwrap();
        assert_eq!(second["data"]["fleetStatus"][0]["name"], name);
    }
}

#[tokio::test]
async fn a_room_that_shows_something_else_wakes_whoever_looks_at_its_venue() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let venue = place.venue(ana, "aurora").await;
    fleet(&place, venue).await;
    for ids in [json!([global(venue)]), json!([])] {
        let mut states = pin!(place.watch(Caller::User(ana), FLEET, json!({ "ids": ids })));
        next(&mut states).await.unwrap();
        place.cloud.bus.publish(Topic::Room(venue));
        next(&mut states).await.unwrap();
    }
}

/// Whoever watches all of theirs watches a venue, too, that became theirs since.
#[tokio::test]
async fn a_venue_that_is_new_is_watched_too() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let mut states = pin!(place.watch(Caller::User(ana), FLEET, json!({ "ids": [] })));
    assert_eq!(next(&mut states).await.unwrap()["data"]["fleetStatus"], json!([]));
    let venue = place.venue(ana, "aurora").await;
    assert_eq!(next(&mut states).await.unwrap()["data"]["fleetStatus"], json!([]), "its hubs are none yet");
    let input = json!({ "venueId": global(venue), "name": "bar" });
    place.mutate(ana, "createHubEnrolment", input, "hub { id }").await;
    while next(&mut states).await.unwrap()["data"]["fleetStatus"][0]["name"] != "bar" {}
}

#[tokio::test]
async fn whoever_is_removed_hears_no_more() {
    let place = Place::new().await;
    let (ana, bea) = (place.manager("ana").await, place.person("bea").await);
    let venue = place.venue(ana, "aurora").await;
    fleet(&place, venue).await;
    place.database.member(venue, bea, "viewer").await;
    let mut states = pin!(place.watch(Caller::User(bea), FLEET, json!({ "ids": [global(venue)] })));
    assert!(next(&mut states).await.unwrap()["data"]["fleetStatus"].is_array());
    let input = json!({ "venueId": global(venue), "userId": global(bea) });
    done(&place.mutate(ana, "removeMember", input, "removedUserId").await);
    assert_eq!(next(&mut states).await, None);
    let mut none = pin!(place.watch(Caller::User(bea), FLEET, json!({ "ids": [global(venue)] })));
    assert_eq!(next(&mut none).await.unwrap()["errors"][0]["extensions"]["code"], "NOT_FOUND");
}

#[tokio::test]
async fn a_report_is_followed_to_its_end() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let venue = place.venue(ana, "aurora").await;
    let input = json!({ "venueId": global(venue), "range": { "from": "2026-11-01T00:00:00Z", "to": "2026-12-01T00:00:00Z" } });
    let export = place.mutate(ana, "createHistoryExport", input, "export { id }").await;
    let id = json!({ "id": done(&export)["export"]["id"] });
    let follow = "subscription($id: ID!) { exportUpdated(id: $id) { status rows } }";
    let mut states = pin!(place.watch(Caller::User(ana), follow, id));
    assert_eq!(
        next(&mut states).await.unwrap()["data"]["exportUpdated"],
        json!({ "status": "QUEUED", "rows": 0 })
    );
    assert!(exporting::one(&place.cloud, Uuid::new_v4()).await.unwrap());
    let mut last = Value::Null;
    while let Some(state) = next(&mut states).await {
        last = state["data"]["exportUpdated"].clone();
    }
    assert_eq!(last, json!({ "status": "READY", "rows": 0 }));
}
