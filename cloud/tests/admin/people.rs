//! Venues, zones and their members.

use roomtone_schema::{UserId, VenueId};
use serde_json::json;
use uuid::Uuid;

use crate::place::{Place, done, global, refused};

const NEW: &str = "venue { id name slug kind timeZone penaltyHours viewerRole zones { name } members { role user { email } } }";

#[tokio::test]
async fn a_venue_is_opened_with_its_main_zone_and_its_owner() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let input =
        json!({ "name": " Café Aurora ", "slug": "aurora", "timeZone": "Europe/Berlin", "kind": "CAFE" });
    let payload = place.mutate(ana, "createVenue", input, NEW).await;
    let venue = &done(&payload)["venue"];
    assert_eq!((&venue["name"], &venue["kind"]), (&json!("Café Aurora"), &json!("CAFE")));
    assert_eq!(venue["zones"], json!([{ "name": "main" }]));
    assert_eq!(venue["members"], json!([{ "role": "OWNER", "user": { "email": "ana@example.com" } }]));
    assert_eq!(venue["viewerRole"], "OWNER");
    let id = venue["id"].as_str().unwrap();
    let told = place.ask(ana, "{ viewer { email roles memberships { role venue { id } } organisations { name venues { totalCount } } } }", json!({})).await;
    assert_eq!(told["viewer"]["roles"], json!(["MANAGER"]));
    assert_eq!(told["viewer"]["memberships"], json!([{ "role": "OWNER", "venue": { "id": id } }]));
    assert_eq!(
        told["viewer"]["organisations"],
        json!([{ "name": "Café Aurora", "venues": { "totalCount": 1 } }])
    );
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_with_its_field() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    place.venue(ana, "taken").await;
    let good = json!({ "name": "A", "slug": "a-1", "timeZone": "UTC" });
    for (field, value, code) in [
        ("name", json!("  "), "INVALID"),
        ("name", json!("a\u{0}b"), "INVALID"),
        ("slug", json!("Ä"), "INVALID"),
        ("slug", json!("taken"), "CONFLICT"),
        ("timeZone", json!("Mars/Olympus"), "INVALID"),
        ("penaltyHours", json!(0), "INVALID"),
        ("crossfadeMs", json!(20_001), "INVALID"),
        ("organisationId", json!("nonsense"), "INVALID"),
    ] {
        let mut input = good.clone();
        input[field] = value;
        let payload = place.mutate(ana, "createVenue", input, "venue { id }").await;
        assert_eq!(refused(&payload), code, "{field}: {payload}");
        if code == "INVALID" {
            assert_eq!(payload["userErrors"][0]["field"], json!(["input", field]), "{payload}");
        }
    }
    let nobody = place.person("nobody").await;
    let payload = place.mutate(nobody, "createVenue", good, "venue { id }").await;
    assert_eq!(refused(&payload), "FORBIDDEN");
}

#[tokio::test]
async fn a_licence_is_set_as_a_whole_and_what_older_programs_leave_out_stays_allowed() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let id = global(place.venue(ana, "aurora").await);
    let select = "venue { licence { showUpNext skipsPerHour performanceComplement offlineStorage } }";
    let set = async |licence: serde_json::Value| {
        let changed = place.mutate(ana, "updateVenue", json!({ "id": id, "licence": licence }), select).await;
        done(&changed)["venue"]["licence"].clone()
    };
    let strict = json!({ "showUpNext": false, "skipsPerHour": 6, "performanceComplement": true, "offlineStorage": false });
    assert_eq!(set(strict.clone()).await, strict);
    let read = place.ask(
        ana,
        "query($id: ID!) { venue(id: $id) { licence { offlineStorage } } }",
        json!({ "id": id }),
    );
    assert_eq!(read.await["venue"]["licence"]["offlineStorage"], false);
    let before = json!({ "showUpNext": true, "performanceComplement": false });
    assert_eq!(set(before).await["offlineStorage"], true);
    let nobody = place.person("nobody").await;
    let refused_one =
        place.mutate(nobody, "updateVenue", json!({ "id": id, "licence": strict }), select).await;
    assert_eq!(refused(&refused_one), "NOT_FOUND");
}

#[tokio::test]
async fn a_venue_and_its_zones_are_changed_put_away_and_brought_back() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let venue = place.venue(ana, "aurora").await;
    let id = global(venue);
    let changed = place
        .mutate(ana, "updateVenue", json!({ "id": id, "penaltyHours": 6 }), "venue { name penaltyHours }")
        .await;
    assert_eq!(done(&changed)["venue"], json!({ "name": "aurora", "penaltyHours": 6 }));
    let zone = json!({ "venueId": id, "name": "terrace", "settings": { "fairness": 1.0, "skipMin": 3 } });
    let made = place
        .mutate(ana, "createZone", zone.clone(), "zone { id settings { fairness skipMin crossfadeMs } }")
        .await;
    assert_eq!(
        done(&made)["zone"]["settings"],
        json!({ "fairness": 1.0, "skipMin": 3, "crossfadeMs": 5000 })
    );
    assert_eq!(refused(&place.mutate(ana, "createZone", zone, "zone { id }").await), "CONFLICT");
    let zone = made["zone"]["id"].clone();
    let set = json!({ "id": zone, "name": "garden", "settings": { "profile": [0.0, 0.0, 0.5, 0.0, 0.0] } });
    let set = place
        .mutate(ana, "updateZone", set, "zone { name settings { fairness profile { name value } } }")
        .await;
    assert_eq!(done(&set)["zone"]["settings"]["fairness"], 1.0);
    assert_eq!(set["zone"]["settings"]["profile"][2], json!({ "name": "TEMPO", "value": 0.5 }));
    let zero = json!({ "id": zone, "settings": { "profile": [0.0, 0.0, 0.0, 0.0, 0.0] } });
    assert_eq!(refused(&place.mutate(ana, "updateZone", zero, "zone { id }").await), "INVALID");
    done(&place.mutate(ana, "archiveZone", json!({ "id": zone }), "zone { archivedAt }").await);
    let zones =
        place.ask(ana, "query($id: ID!) { venue(id: $id) { zones { id name } } }", json!({ "id": id })).await;
    assert_eq!(zones["venue"]["zones"].as_array().unwrap().len(), 1);
    let main = json!({ "id": zones["venue"]["zones"][0]["id"] });
    assert_eq!(refused(&place.mutate(ana, "archiveZone", main, "zone { id }").await), "CONFLICT");

    done(&place.mutate(ana, "archiveVenue", json!({ "id": id }), "venue { archivedAt }").await);
    assert_eq!(place.ask(ana, "{ venues { totalCount } }", json!({})).await["venues"]["totalCount"], 0);
    let all = place.ask(ana, "{ venues(archived: true) { totalCount } }", json!({})).await;
    assert_eq!(all["venues"]["totalCount"], 1);
    let back = place.mutate(ana, "unarchiveVenue", json!({ "id": id }), "venue { archivedAt }").await;
    assert!(done(&back)["venue"]["archivedAt"].is_null());
    let log = [
        "venue.created",
        "venue.updated",
        "zone.created",
        "zone.updated",
        "zone.archived",
        "venue.archived",
        "venue.restored",
    ];
    assert_eq!(place.log(venue).await, log);
}

#[tokio::test]
async fn the_same_key_does_the_same_thing_once() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let key = Uuid::new_v4();
    let input = json!({ "name": "A", "slug": "a-1", "timeZone": "UTC" });
    let first = place.mutate_again(ana, "createVenue", key, input.clone(), "venue { id }").await;
    let again = place.mutate_again(ana, "createVenue", key, input.clone(), "venue { id }").await;
    assert_eq!(done(&first), done(&again));
    let other = json!({ "name": "B", "slug": "b-1", "timeZone": "UTC" });
    let other = place.mutate_again(ana, "createVenue", key, other, "venue { id }").await;
    assert_eq!(refused(&other), "CONFLICT");
    // Somebody else's key is another key.
    let bea = place.manager("bea").await;
    let hers = json!({ "name": "A", "slug": "a-2", "timeZone": "UTC" });
    done(&place.mutate_again(bea, "createVenue", key, hers, "venue { id }").await);

    // Many at once are one.
    let key = Uuid::new_v4();
    let input = json!({ "name": "C", "slug": "c-1", "timeZone": "UTC" });
    let all = (0..4).map(|_| place.mutate_again(ana, "createVenue", key, input.clone(), "venue { id }"));
    let all = futures_util::future::join_all(all).await;
    assert!(all.iter().all(|payload| done(payload) == &all[0]), "{all:?}");
}

async fn add(place: &Place, who: UserId, venue: VenueId, email: &str, role: &str) -> serde_json::Value {
    let input = json!({ "venueId": global(venue), "email": email, "role": role });
    place.mutate(who, "addMember", input, "member { role user { email } }").await
}

async fn role(place: &Place, who: UserId, venue: VenueId, whose: UserId, role: &str) -> serde_json::Value {
    let input = json!({ "venueId": global(venue), "userId": global(whose), "role": role });
    place.mutate(who, "changeMemberRole", input, "member { role }").await
}

async fn remove(place: &Place, who: UserId, venue: VenueId, whose: UserId) -> serde_json::Value {
    let input = json!({ "venueId": global(venue), "userId": global(whose) });
    place.mutate(who, "removeMember", input, "removedUserId").await
}

#[tokio::test]
async fn members_come_change_and_go_and_the_last_owner_stays() {
    let place = Place::new().await;
    let (ana, bea, cem) = (place.manager("ana").await, place.person("bea").await, place.person("cem").await);
    let venue = place.venue(ana, "aurora").await;
    let unknown = add(&place, ana, venue, "nobody@example.com", "STAFF").await;
    assert_eq!(refused(&unknown), "NOT_FOUND");
    assert!(unknown["userErrors"][0]["message"].as_str().unwrap().contains("sign in once"));
    let added = add(&place, ana, venue, "BEA@example.com", "MANAGER").await;
    assert_eq!(done(&added)["member"], json!({ "role": "MANAGER", "user": { "email": "bea@example.com" } }));
    assert_eq!(refused(&add(&place, ana, venue, "bea@example.com", "STAFF").await), "CONFLICT");
    // A manager lets others in below owner, and touches no owner.
    done(&add(&place, bea, venue, "cem@example.com", "VIEWER").await);
    assert_eq!(refused(&role(&place, bea, venue, cem, "OWNER").await), "FORBIDDEN");
    assert_eq!(refused(&role(&place, bea, venue, ana, "VIEWER").await), "FORBIDDEN");
    assert_eq!(refused(&remove(&place, bea, venue, ana).await), "FORBIDDEN");
    assert_eq!(refused(&add(&place, cem, venue, "ana@example.com", "STAFF").await), "FORBIDDEN");
    // The last owner can neither step down nor leave.
    assert_eq!(refused(&role(&place, ana, venue, ana, "MANAGER").await), "CONFLICT");
    assert_eq!(refused(&remove(&place, ana, venue, ana).await), "CONFLICT");
    done(&role(&place, ana, venue, bea, "OWNER").await);
    done(&remove(&place, ana, venue, ana).await);
    assert_eq!(place.ask(ana, "{ venues { totalCount } }", json!({})).await["venues"]["totalCount"], 0);
    done(&remove(&place, cem, venue, cem).await);
    let log = [
        "venue.created",
        "member.added",
        "member.added",
        "member.changed",
        "member.removed",
        "member.removed",
    ];
    assert_eq!(place.log(venue).await, log);
}

/// Two owners who remove each other at the same moment do not both succeed.
#[tokio::test]
async fn two_owners_cannot_both_go() {
    let place = Place::new().await;
    let (ana, bea) = (place.manager("ana").await, place.person("bea").await);
    let venue = place.venue(ana, "aurora").await;
    done(&add(&place, ana, venue, "bea@example.com", "OWNER").await);
    let (one, other) = futures_util::join!(remove(&place, ana, venue, bea), remove(&place, bea, venue, ana));
    let went = [&one, &other].iter().filter(|payload| payload["userErrors"] == json!([])).count();
    assert_eq!(went, 1, "{one} {other}");
}
