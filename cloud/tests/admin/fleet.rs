//! Hubs and players.

use roomtone_cloud::hubs::EnrolmentCode;
use roomtone_schema::{HubId, PlayerId, VenueId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::place::{Place, done, global, refused};

/// A hub that is let in, and a player of it that plays.
pub(crate) async fn fleet(place: &Place, venue: VenueId) -> (HubId, PlayerId) {
    let mut conn = place.arrange().await;
    let hub: Uuid = sqlx::query_scalar(
        "insert into public.hubs (venue_id, name, public_key, enrolled_at, last_seen_at, software, pending_operations)
         values ($1, 'box', sha256(gen_random_uuid()::text::bytea), now(), now(), '1.0', 3) returning id",
    )
    .bind(venue.0)
    .fetch_one(&mut conn)
    .await
    .unwrap();
    let player: Uuid = sqlx::query_scalar(
        "insert into public.players (venue_id, zone_id, hub_id, name, status, tier, silence_seconds, last_poll_at)
         select $1, z.id, $2, 'bar', 'active', 'hub', 7, now() from public.zones z where z.venue_id = $1 limit 1 returning id",
    )
    .bind(venue.0)
    .bind(hub)
    .fetch_one(&mut conn)
    .await
    .unwrap();
    sqlx::query("insert into public.sync_state (hub_id, epoch) values ($1, 2)")
        .bind(hub)
        .execute(&mut conn)
        .await
        .unwrap();
    (HubId(hub), PlayerId(player))
}

async fn kept(place: &Place, hub: &str) -> (Option<Vec<u8>>, bool) {
    use roomtone_schema::id::Id as _;
    let id = HubId::from_global(hub).unwrap();
    sqlx::query_as("select enrolment_hash, coalesce(enrolment_expires_at > now() + interval '29 minutes', false) from public.hubs where id = $1")
        .bind(id.0)
        .fetch_one(&mut place.arrange().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_code_is_shown_once_and_only_its_digest_is_kept() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let venue = place.venue(ana, "aurora").await;
    let (key, input) = (Uuid::new_v4(), json!({ "venueId": global(venue), "name": "box" }));
    let wanted = "hub { id status reasons } code expiresAt";
    let first = place.mutate_again(ana, "createHubEnrolment", key, input.clone(), wanted).await;
    assert_eq!((&done(&first)["hub"]["status"], &first["hub"]["reasons"]), (&json!("WAITING"), &json!([])));
    let code = |payload: &Value| EnrolmentCode::read(payload["code"].as_str().unwrap()).unwrap();
    let hub = first["hub"]["id"].as_str().unwrap();
    assert_eq!(kept(&place, hub).await, (Some(code(&first).sha256().to_vec()), true));
    // A retry is the same hub with a fresh code, and the one before is void.
    let again = place.mutate_again(ana, "createHubEnrolment", key, input.clone(), wanted).await;
    assert_eq!(done(&again)["hub"]["id"], first["hub"]["id"]);
    assert_ne!(code(&again), code(&first));
    assert_eq!(kept(&place, hub).await.0, Some(code(&again).sha256().to_vec()));
    let secrets: i64 = sqlx::query_scalar(
        "select (select count(*) from public.idempotency where result::text like '%' || $1 || '%')
              + (select count(*) from public.audit_log where detail::text like '%' || $1 || '%')",
    )
    .bind(again["code"].as_str().unwrap())
    .fetch_one(&mut place.arrange().await)
    .await
    .unwrap();
    assert_eq!(secrets, 0);
    // Once it is in, or gone, no code brings it back.
    done(&place.mutate(ana, "revokeHub", json!({ "id": hub }), "hub { status }").await);
    assert_eq!(refused(&place.mutate_again(ana, "createHubEnrolment", key, input, wanted).await), "CONFLICT");
    assert_eq!(kept(&place, hub).await.0, None);
}

#[tokio::test]
async fn hubs_and_players_are_renamed_moved_and_told_to_go() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let venue = place.venue(ana, "aurora").await;
    let (hub, player) = fleet(&place, venue).await;
    let seen = "query($id: ID!) { venue(id: $id) { hubs { name status reasons epoch duplicates pendingOperations players { name status tier silenceSeconds zone { name } } } } }";
    let told = place.ask(ana, seen, json!({ "id": global(venue) })).await;
    let expected = json!([{
        "name": "box", "status": "ONLINE", "reasons": [], "epoch": 2, "duplicates": 0, "pendingOperations": 3,
        "players": [{ "name": "bar", "status": "ACTIVE", "tier": "HUB", "silenceSeconds": 7, "zone": { "name": "main" } }],
    }]);
    assert_eq!(told["venue"]["hubs"], expected);
    let named =
        place.mutate(ana, "renameHub", json!({ "id": global(hub), "name": "cellar" }), "hub { name }").await;
    assert_eq!(done(&named)["hub"]["name"], "cellar");
    let zone = json!({ "venueId": global(venue), "name": "terrace" });
    let zone = place.mutate(ana, "createZone", zone, "zone { id }").await["zone"]["id"].clone();
    let moved = json!({ "id": global(player), "name": "door", "zoneId": zone });
    let moved = place.mutate(ana, "updatePlayer", moved, "player { name zone { name } }").await;
    assert_eq!(done(&moved)["player"], json!({ "name": "door", "zone": { "name": "terrace" } }));
    // How loud it is, its hub has not told.
    let louder = async |percent: i32| {
        let input = json!({ "id": global(player), "volumePercent": percent });
        place.mutate(ana, "updatePlayer", input, "player { name volumePercent }").await
    };
    assert_eq!(refused(&louder(30).await), "CONFLICT");
    sqlx::query("update public.players set volume_percent = 80")
        .execute(&mut place.arrange().await)
        .await
        .unwrap();
    for wrong in [-1, 101, 65_636] {
        let payload = louder(wrong).await;
        assert_eq!(
            (refused(&payload), &payload["userErrors"][0]["field"]),
            ("INVALID", &json!(["input", "volumePercent"]))
        );
    }
    assert_eq!(done(&louder(30).await)["player"], json!({ "name": "door", "volumePercent": 30 }));
    // Not into somebody else's zone.
    let bea = place.manager("bea").await;
    let hers = place.venue(bea, "borea").await;
    let zones = place
        .ask(bea, "query($id: ID!) { venue(id: $id) { zones { id } } }", json!({ "id": global(hers) }))
        .await;
    let foreign = json!({ "id": global(player), "zoneId": zones["venue"]["zones"][0]["id"] });
    assert_eq!(refused(&place.mutate(ana, "updatePlayer", foreign, "player { name }").await), "NOT_FOUND");

    let gone = place
        .mutate(ana, "revokePlayer", json!({ "id": global(player) }), "player { status revokedAt }")
        .await;
    assert_eq!(done(&gone)["player"]["status"], "OFFLINE");
    let late = json!({ "id": global(player), "name": "x" });
    assert_eq!(refused(&place.mutate(ana, "updatePlayer", late, "player { name }").await), "CONFLICT");
    let gone = place
        .mutate(ana, "revokeHub", json!({ "id": global(hub) }), "hub { status reasons revokedAt }")
        .await;
    assert_eq!((&done(&gone)["hub"]["status"], &gone["hub"]["reasons"]), (&json!("REVOKED"), &json!([])));
    let log = [
        "venue.created",
        "hub.renamed",
        "zone.created",
        "player.updated",
        "player.updated",
        "player.revoked",
        "hub.revoked",
    ];
    assert_eq!(place.log(venue).await, log);
}

#[tokio::test]
async fn the_code_of_a_pairing_is_shown_once_and_lies_nowhere_else() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let venue = place.venue(ana, "aurora").await;
    let (hub, _) = fleet(&place, venue).await;
    let (key, input) = (Uuid::new_v4(), json!({ "hubId": global(hub), "name": "Bar" }));
    let wanted = "pairing { id state name expiresAt hub { name } zone { name } player { name } } code";
    let first = place.mutate_again(ana, "createPlayerPairing", key, input.clone(), wanted).await;
    let pairing = &done(&first)["pairing"];
    assert_eq!((&pairing["state"], &pairing["name"]), (&json!("WAITING"), &json!("Bar")));
    assert_eq!((&pairing["hub"]["name"], &pairing["player"]), (&json!("box"), &Value::Null));
    let code = |payload: &Value| payload["code"].as_str().unwrap().replace(' ', "");
    let again = place.mutate_again(ana, "createPlayerPairing", key, input.clone(), wanted).await;
    assert_eq!(done(&again)["pairing"]["id"], pairing["id"]);
    assert_ne!(code(&again), code(&first), "the code before is void");
    let kept: String = sqlx::query_scalar("select digits from public.player_pairings")
        .fetch_one(&mut place.arrange().await)
        .await
        .unwrap();
    assert_eq!(kept, code(&again));
    let secrets: i64 = sqlx::query_scalar(
        "select (select count(*) from public.idempotency where result::text like '%' || $1 || '%')
              + (select count(*) from public.audit_log where detail::text like '%' || $1 || '%')",
    )
    .bind(code(&again))
    .fetch_one(&mut place.arrange().await)
    .await
    .unwrap();
    assert_eq!(secrets, 0);
    let ended = json!({ "id": pairing["id"] });
    let ended = place.mutate(ana, "cancelPlayerPairing", ended, "pairing { state }").await;
    assert_eq!(done(&ended)["pairing"]["state"], "CLOSED");
    assert_eq!(
        refused(&place.mutate_again(ana, "createPlayerPairing", key, input, wanted).await),
        "CONFLICT"
    );

    for (wrong, why) in [
        (json!({ "name": "x" }), "INVALID"),
        (json!({ "hubId": global(hub), "venueId": global(venue) }), "INVALID"),
        (json!({ "hubId": global(hub), "name": "a\u{202e}b" }), "INVALID"),
        (json!({ "hubId": global(hub), "name": "x".repeat(61) }), "INVALID"),
    ] {
        assert_eq!(refused(&place.mutate(ana, "createPlayerPairing", wrong, "code").await), why);
    }
    let bea = place.manager("bea").await;
    let theirs = json!({ "venueId": global(venue) });
    assert_eq!(refused(&place.mutate(bea, "createPlayerPairing", theirs, "code").await), "NOT_FOUND");
    assert_eq!(place.log(venue).await[1..], ["pairing.opened", "pairing.closed"]);
}
