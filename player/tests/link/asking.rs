//! Questions and answers: GraphQL over HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use roomtone_player::hours::Hours;
use roomtone_player::hub_client::{Claimed, HubClient, LateTaken, LinkError};
use roomtone_player::pick::Pick;
use roomtone_schema::id::Id as _;
use roomtone_schema::play::{PlayEnd, Tier};
use roomtone_schema::player::PlayerStatus;
use roomtone_schema::song::Sha256;
use roomtone_schema::view::{LatePlay, PlaybackReport};
use roomtone_schema::{PickId, PlayId, SongId, UnixMillis};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::hub::{Answer, Asked, TestHub, data};

pub(crate) fn wire_pick(n: u128) -> Value {
    json!({
        "id": PickId(Uuid::from_u128(n)).to_global(),
        "song": { "id": SongId(Uuid::from_u128(n)).to_global(), "title": "Dawn", "artist": null, "durationMs": 2000 },
        "mediaUrl": "/media/x?e=1&s=2", "sha256": Sha256([n as u8; 32]).to_string(), "bytes": 17,
        "crossfadeMs": 5000, "cueInMs": 10, "cueOutMs": 1990, "gainDb": -3.5,
    })
}

pub(crate) fn pick(n: u128) -> Pick {
    Pick {
        pick: Some(PickId(Uuid::from_u128(n))),
        song: SongId(Uuid::from_u128(n)),
        title: "Dawn".to_owned(),
        artist: None,
        duration_ms: 2000,
        sha256: Sha256([n as u8; 32]),
        bytes: 17,
        media_url: "/media/x?e=1&s=2".to_owned(),
        crossfade_ms: 5000,
        cue_in_ms: 10,
        cue_out_ms: 1990,
        gain_db: -3.5,
    }
}

async fn client(hub: &TestHub) -> HubClient {
    HubClient::connect(&[hub.address], &hub.identity()).await.unwrap()
}

fn graphql(asked: &Asked) -> Answer {
    let document = asked.body["query"].as_str().unwrap_or_default();
    let no_errors = json!([]);
    if document.contains("claimNextSong") {
        let (pick, plan) = (wire_pick(1), [wire_pick(2), wire_pick(3)]);
        let hours = json!({ "asOf": "2026-11-30T12:00:00+00:00", "isOpen": true, "closesAt": "2026-11-30T18:00:00Z", "opensAt": null });
        return data(
            &json!({ "claimNextSong": { "pick": pick, "plan": plan, "hours": hours, "offlineStorage": false, "userErrors": no_errors } }),
        );
    }
    if document.contains("reportPlays") {
        let unknown = [SongId(Uuid::from_u128(9)).to_global()];
        return data(&json!({ "reportPlays": { "taken": 1, "unknown": unknown, "userErrors": no_errors } }));
    }
    if document.contains("reportPlayback") {
        return data(&json!({ "reportPlayback": { "userErrors": no_errors } }));
    }
    data(&json!({ "playerPlan": { "current": null, "plan": [wire_pick(2)] } }))
}

fn report() -> PlaybackReport {
    PlaybackReport {
        status: PlayerStatus::Active,
        play: Some(PlayId(Uuid::from_u128(5))),
        position_ms: Some(1),
        ended: Some(PlayEnd::Skipped),
        ..PlaybackReport::default()
    }
}

#[tokio::test]
async fn a_claim_a_report_and_late_plays_go_over_one_kept_connection() {
    let hub = TestHub::start(graphql).await;
    let client = client(&hub).await;
    let key = Uuid::from_u128(7);
    let begun = (PickId(Uuid::from_u128(3)), SongId(Uuid::from_u128(4)));
    let claimed = client.claim(key, PlayId(Uuid::from_u128(5)), Some(begun)).await.unwrap();
    let hours = Hours {
        as_of: UnixMillis(1_796_040_000_000),
        is_open: true,
        closes_at: Some(UnixMillis(1_796_061_600_000)),
        opens_at: None,
    };
    assert_eq!(
        claimed,
        Claimed {
            pick: Some(pick(1)),
            plan: vec![pick(2), pick(3)],
            hours: Some(hours),
            offline_storage: Some(false)
        }
    );
    client.report(key, &report()).await.unwrap();
    let late = LatePlay {
        play: PlayId(Uuid::from_u128(6)),
        song: SongId(Uuid::from_u128(9)),
        pick: None,
        started_ago_ms: 3_000_000_000,
        ended_ago_ms: 1,
        heard_ms: 2,
        ended: PlayEnd::Finished,
        tier: Tier::Cache,
    };
    let taken = client.report_plays(key, &[late]).await.unwrap();
    assert_eq!(taken, LateTaken { taken: 1, unknown: vec![SongId(Uuid::from_u128(9))] });
    assert_eq!(client.plan().await.unwrap().plan, [pick(2)]);

    let asked = hub.asked();
    assert!(asked.iter().all(|asked| asked.connection == 0 && asked.authorization == "Bearer very-secret"));
    assert!(asked.iter().all(|asked| asked.host == hub.address.to_string()));
    let input = &asked[0].body["variables"]["input"];
    assert_eq!(input["idempotencyKey"], key.to_string());
    assert_eq!(input["begun"], PickId(Uuid::from_u128(3)).to_global());
    assert_eq!(input["begunSongId"], SongId(Uuid::from_u128(4)).to_global());
    assert_eq!(input["playId"], PlayId(Uuid::from_u128(5)).to_global());
    assert_eq!(asked[2].body["variables"]["input"]["plays"][0]["startedAgoMs"], 3_000_000_000_u64);
}

#[tokio::test]
async fn a_kept_connection_that_died_unseen_costs_nothing() {
    let n_asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&n_asked);
    let hub = TestHub::start(move |asked| {
        // The second request finds its connection cut, as after a restart of the hub.
        if counted.fetch_add(1, Ordering::SeqCst) == 1 {
            return Answer::Cut(200, vec![("content-length", "100".to_owned())], Bytes::from_static(b"{"));
        }
        graphql(asked)
    })
    .await;
    let client = client(&hub).await;
    let key = Uuid::from_u128(7);
    client.report(key, &report()).await.unwrap();
    client.report(key, &report()).await.unwrap();
    let asked = hub.asked();
    assert_eq!(asked.iter().map(|asked| asked.connection).collect::<Vec<_>>(), [0, 0, 1]);
    assert_eq!(asked[1].body, asked[2].body, "the same request, by its key");
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_any_more_spoils_no_other() {
    let n_asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&n_asked);
    let hub = TestHub::start(move |asked| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::Silence,
        _ => graphql(asked),
    })
    .await;
    let client = client(&hub).await;
    let mut dropped = Box::pin(client.plan());
    while n_asked.load(Ordering::SeqCst) == 0 {
        assert!(futures_util::poll!(&mut dropped).is_pending());
        tokio::task::yield_now().await;
    }
    drop(dropped);
    assert_eq!(client.plan().await.unwrap().plan, [pick(2)]);
}

#[tokio::test]
async fn a_hub_that_never_answers_is_unreachable_after_five_seconds() {
    let hub = TestHub::start(|_| Answer::Silence).await;
    let client = client(&hub).await;
    tokio::time::pause();
    let since = tokio::time::Instant::now();
    let error = client.plan().await.unwrap_err();
    assert!(matches!(error, LinkError::Unreachable(_)), "{error}");
    assert!(since.elapsed().as_secs_f32() < 5.5, "{:?}", since.elapsed());
}

#[tokio::test]
async fn a_login_page_acknowledges_nothing() {
    let hub = TestHub::start(|_| {
        let page = vec![("content-type", "text/html".to_owned())];
        Answer::Plain(200, page, Bytes::from_static(b"<html>Welcome to the hotel"))
    })
    .await;
    let client = client(&hub).await;
    let error = client.report(Uuid::nil(), &report()).await.unwrap_err();
    assert!(matches!(error, LinkError::Odd(_)), "{error}");
    assert!(error.to_string().contains("login page"), "{error}");
}

#[tokio::test]
async fn a_revoked_player_is_told_so_by_every_question() {
    let hub = TestHub::start(|asked| {
        let no = json!([{ "code": "FORBIDDEN", "message": "this needs a player's token" }]);
        match asked.body["query"].as_str().unwrap_or_default() {
            claim if claim.contains("claimNextSong") => {
                data(&json!({ "claimNextSong": { "pick": null, "plan": [], "userErrors": no } }))
            }
            report if report.contains("reportPlayback") => {
                data(&json!({ "reportPlayback": { "userErrors": no } }))
            }
            plan if plan.contains("playerPlan") => data(&json!({ "playerPlan": null })),
            _ => Answer::Json(401, json!({ "error": "no" })),
        }
    })
    .await;
    let client = client(&hub).await;
    let play = PlayId(Uuid::from_u128(5));
    assert_eq!(client.claim(Uuid::nil(), play, None::<PickId>).await.unwrap_err(), LinkError::Revoked);
    assert_eq!(client.report(Uuid::nil(), &report()).await.unwrap_err(), LinkError::Revoked);
    assert_eq!(client.plan().await.unwrap_err(), LinkError::Revoked);
    assert_eq!(client.renew_secret().await.unwrap_err(), LinkError::Revoked);
}

#[tokio::test]
async fn a_secret_is_renewed() {
    let hub = TestHub::start(|asked| {
        assert_eq!(
            (asked.path.as_str(), asked.authorization.as_str()),
            ("/pair/renew", "Bearer very-secret")
        );
        Answer::Json(200, json!({ "secret": "newer" }))
    })
    .await;
    assert_eq!(client(&hub).await.renew_secret().await.unwrap(), "newer");
}

#[tokio::test]
async fn a_hub_without_music_has_no_pick_and_that_is_no_failure() {
    let hub = TestHub::start(|_| {
        let no = json!([{ "code": "NOT_FOUND", "message": "no music yet" }]);
        data(&json!({ "claimNextSong": { "pick": null, "plan": [], "userErrors": no } }))
    })
    .await;
    let claimed = client(&hub).await.claim(Uuid::nil(), PlayId(Uuid::nil()), None::<PickId>).await;
    assert_eq!(claimed.unwrap(), Claimed::default());
}
