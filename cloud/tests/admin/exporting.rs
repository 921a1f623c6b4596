//! Reports: what is in them, and that their totals are those of the plays.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use roomtone_cloud::cloud::Cloud;
use roomtone_cloud::exporting;
use roomtone_cloud::media::{Media, MediaSettings};
use roomtone_cloud::secret::Secret;
use roomtone_schema::{Clock as _, SongId, SystemClock, UserId, VenueId};
use serde_json::{Value, json};
use sqlx::Connection as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::place::{Place, done, global, refused};

/// Plays of a song, one an hour, each of a tier and heard for so long.
pub(crate) async fn plays(
    place: &Place,
    venue: VenueId,
    song: SongId,
    tier: &str,
    heard_ms: i32,
    count: i32,
) {
    sqlx::query(
        "insert into public.songs_playing (id, venue_id, zone_id, song_id, played_at, ended_at, ended, heard_ms, tier, similarity, penalty)
         select private.uuid7(now() - make_interval(hours => n)), $1, (select id from public.zones where venue_id = $1 limit 1), $2,
           now() - make_interval(hours => n), now(), 'finished', $3, $4, 0.5, 0.1 from generate_series(1, $5) n",
    )
    .bind(venue.0)
    .bind(song.0)
    .bind(heard_ms)
    .bind(tier)
    .bind(count)
    .execute(&mut place.arrange().await)
    .await
    .unwrap();
}

fn range() -> Value {
    let now = DateTime::<Utc>::from_timestamp_millis(SystemClock::new().wall().0).unwrap();
    json!({ "from": (now - TimeDelta::days(6)).to_rfc3339(), "to": (now + TimeDelta::hours(1)).to_rfc3339() })
}

async fn ordered(place: &Place, who: UserId, venue: VenueId, kind: &str, format: &str) -> String {
    let input = json!({ "venueId": global(venue), "range": range(), "kind": kind, "format": format });
    let payload =
        place.mutate(who, "createHistoryExport", input, "export { id status rows downloadUrl }").await;
    assert_eq!(done(&payload)["export"]["status"], "QUEUED");
    payload["export"]["id"].as_str().unwrap().to_owned()
}

/// The file of a report that has been written.
async fn file(place: &Place, who: UserId, id: &str) -> (i64, String) {
    let node = "query($id: ID!) { node(id: $id) { ... on HistoryExport { status rows downloadUrl expiresAt failure } } }";
    let export = place.ask(who, node, json!({ "id": id })).await["node"].take();
    assert_eq!(export["status"], "READY", "{export}");
    // A second time it is there already.
    let _again = rustls::crypto::ring::default_provider().install_default();
    let answer = reqwest::Client::new().get(export["downloadUrl"].as_str().unwrap()).send().await.unwrap();
    assert!(answer.status().is_success());
    (export["rows"].as_i64().unwrap(), answer.text().await.unwrap())
}

async fn write_all(place: &Place) {
    while exporting::one(&place.cloud, Uuid::new_v4()).await.unwrap() {}
}

#[tokio::test]
async fn a_report_adds_up_to_the_plays() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let venue = place.venue(ana, "aurora").await;
    let (rain, bad) = (place.song(venue, "Rain, \"heavy\"").await, place.song(venue, "=1+1").await);
    let foreign = place.venue(ana, "borea").await;
    plays(&place, venue, rain, "hub", 180_000, 5).await;
    plays(&place, venue, rain, "plan", 90_500, 2).await;
    plays(&place, venue, bad, "cache", 1_000, 3).await;
    plays(&place, venue, SongId(Uuid::new_v4()), "hub", 0, 1).await;
    plays(&place, foreign, rain, "hub", 180_000, 4).await;

    let orders = [
        ordered(&place, ana, venue, "REPORT", "CSV").await,
        ordered(&place, ana, venue, "REPORT", "NDJSON").await,
        ordered(&place, ana, venue, "PLAYS", "CSV").await,
        ordered(&place, ana, venue, "PLAYS", "NDJSON").await,
    ];
    write_all(&place).await;

    let (rows, csv) = file(&place, ana, &orders[0]).await;
    let mut table = csv::Reader::from_reader(csv.as_bytes());
    let head: Vec<_> = table.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(
        head[..8].join(" "),
        "NAME_OF_SERVICE TRANSMISSION_CATEGORY FEATURED_ARTIST SOUND_RECORDING_TITLE ISRC ALBUM_TITLE MARKETING_LABEL ACTUAL_TOTAL_PERFORMANCES"
    );
    let lines: Vec<BTreeMap<String, String>> = table.deserialize().map(Result::unwrap).collect();
    assert_eq!((rows, lines.len()), (3, 3));
    let sum = |column: &str| lines.iter().map(|line| line[column].parse::<i64>().unwrap()).sum::<i64>();
    assert_eq!(sum("ACTUAL_TOTAL_PERFORMANCES"), 11);
    assert_eq!((sum("HUB_PLAYS"), sum("PLAN_PLAYS"), sum("CACHE_PLAYS")), (6, 2, 3));
    assert_eq!(sum("SECONDS_HEARD"), 5 * 180 + 181 + 3);
    let titles: Vec<_> = lines.iter().map(|line| line["SOUND_RECORDING_TITLE"].as_str()).collect();
    assert!(
        titles.contains(&"'=1+1") && titles.contains(&"Rain, \"heavy\"") && titles.contains(&""),
        "{titles:?}"
    );

    let (_, ndjson) = file(&place, ana, &orders[1]).await;
    let objects: Vec<Value> = ndjson.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: i64 = objects.iter().map(|line| line["actual_total_performances"].as_i64().unwrap()).sum();
    assert_eq!(told, 11);
    assert!(objects.iter().any(|line| line["sound_recording_title"] == "=1+1"), "JSON needs no apostrophe");

    let (rows, csv) = file(&place, ana, &orders[2]).await;
    assert_eq!((rows, csv.lines().count()), (11, 12));
    let (_, ndjson) = file(&place, ana, &orders[3]).await;
    let times: Vec<String> = ndjson
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["played_at"].as_str().unwrap().to_owned())
        .collect();
    assert!(times.is_sorted() && times.len() == 11, "{times:?}");
}

/// More lines than are read at once, all of them, each once.
#[tokio::test]
async fn a_long_report_is_read_page_by_page() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let venue = place.venue(ana, "aurora").await;
    sqlx::query(
        "insert into public.songs_playing (id, venue_id, song_id, played_at, tier)
         select private.uuid7(now() - make_interval(secs => n)), $1, gen_random_uuid(), now() - make_interval(secs => n), 'hub'
         from generate_series(1, 2500) n",
    )
    .bind(venue.0)
    .execute(&mut place.arrange().await)
    .await
    .unwrap();
    for kind in ["REPORT", "PLAYS"] {
        let order = ordered(&place, ana, venue, kind, "NDJSON").await;
        write_all(&place).await;
        let (rows, text) = file(&place, ana, &order).await;
        let lines: std::collections::HashSet<&str> = text.lines().collect();
        assert_eq!((rows, text.lines().count()), (2_500, 2_500), "{kind}");
        if kind == "PLAYS" {
            assert_eq!(lines.len(), 2_500);
        }
    }
}

#[tokio::test]
async fn reports_are_bounded_and_for_managers() {
    let place = Place::new().await;
    let (ana, bea) = (place.manager("ana").await, place.person("bea").await);
    let venue = place.venue(ana, "aurora").await;
    place.database.member(venue, bea, "staff").await;
    let input = json!({ "venueId": global(venue), "range": range() });
    let staff = place.mutate(bea, "createHistoryExport", input.clone(), "export { id }").await;
    assert_eq!(refused(&staff), "FORBIDDEN");
    for (from, to) in
        [("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"), ("2020-01-01T00:00:00Z", "2026-01-01T00:00:00Z")]
    {
        let input = json!({ "venueId": global(venue), "range": { "from": from, "to": to } });
        assert_eq!(
            refused(&place.mutate(ana, "createHistoryExport", input, "export { id }").await),
            "INVALID"
        );
    }
    for _ in 0..5 {
        ordered(&place, ana, venue, "REPORT", "CSV").await;
    }
    assert_eq!(refused(&place.mutate(ana, "createHistoryExport", input, "export { id }").await), "TOO_MANY");
    let listed = place
        .ask(ana, "query($id: ID!) { venue(id: $id) { exports { status } } }", json!({ "id": global(venue) }))
        .await;
    assert_eq!(listed["venue"]["exports"].as_array().unwrap().len(), 5);
    let listed = place
        .ask(bea, "query($id: ID!) { venue(id: $id) { exports { status } } }", json!({ "id": global(venue) }))
        .await;
    assert_eq!(listed["venue"]["exports"], json!([]));
}

#[tokio::test]
async fn what_happened_is_told_in_numbers() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let venue = place.venue(ana, "aurora").await;
    let (rain, sea) = (place.song(venue, "Rain").await, place.song(venue, "Sea").await);
    plays(&place, venue, rain, "hub", 60_000, 4).await;
    plays(&place, venue, sea, "plan", 30_000, 2).await;
    sqlx::query(
        "insert into public.votes (id, venue_id, song_id, vote_value, vote_time) select private.uuid7(now()), $1, $2, v, now() from unnest(array[1, 1, -1]) v",
    )
    .bind(venue.0)
    .bind(rain.0)
    .execute(&mut place.arrange().await)
    .await
    .unwrap();
    sqlx::query(
        "insert into public.sessions (id, venue_id, guest_id, checked_in_at, expires_at) select private.uuid7(now()), $1, g, now(), now() + interval '1 hour'
         from unnest(array[gen_random_uuid(), gen_random_uuid()]) g, generate_series(1, 2)",
    )
    .bind(venue.0)
    .execute(&mut place.arrange().await)
    .await
    .unwrap();
    let document = "query($id: ID!, $range: DateTimeRange!, $bucket: AnalyticsBucket!) { venue(id: $id) { history { totalCount nodes { tier heardMs song { title } } }
        analytics(range: $range, bucket: $bucket) { plays uniqueSongs listeners likes dislikes planSeconds cacheSeconds series { at plays likes dislikes } topSongs(first: 1) { plays song { title } } } } }";
    for bucket in ["HOUR", "DAY", "WEEK"] {
        let told = place
            .ask(ana, document, json!({ "id": global(venue), "range": range(), "bucket": bucket }))
            .await;
        let numbers = &told["venue"]["analytics"];
        assert_eq!(
            (&numbers["plays"], &numbers["uniqueSongs"], &numbers["listeners"]),
            (&json!(6), &json!(2), &json!(2))
        );
        assert_eq!((&numbers["likes"], &numbers["dislikes"]), (&json!(2), &json!(1)));
        assert_eq!((&numbers["planSeconds"], &numbers["cacheSeconds"]), (&json!(60), &json!(0)));
        assert_eq!(numbers["topSongs"], json!([{ "plays": 4, "song": { "title": "Rain" } }]));
        let series = numbers["series"].as_array().unwrap();
        assert_eq!(series.iter().map(|point| point["plays"].as_i64().unwrap()).sum::<i64>(), 6, "{bucket}");
        assert_eq!(told["venue"]["history"]["totalCount"], 6);
    }
    let long = json!({ "id": global(venue), "bucket": "WEEK", "range": { "from": "2025-06-01T00:00:00Z", "to": "2026-12-31T00:00:00Z" } });
    let days = place.ask(ana, document, long).await;
    assert_eq!(days["venue"]["analytics"]["series"], json!([]), "no day has been counted yet");
}

#[tokio::test]
async fn a_report_that_brings_everybody_down_is_given_up() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let venue = place.venue(ana, "aurora").await;
    let order = ordered(&place, ana, venue, "REPORT", "CSV").await;
    // As three that died leave it.
    sqlx::query(
        "update public.history_exports set status = 'running', attempts = 3, claimed_by = gen_random_uuid(),
           claimed_until = now() - interval '1 second' where venue_id = $1",
    )
    .bind(venue.0)
    .execute(&mut place.arrange().await)
    .await
    .unwrap();
    write_all(&place).await;
    let node = "query($id: ID!) { node(id: $id) { ... on HistoryExport { status failure } } }";
    let export = place.ask(ana, node, json!({ "id": order })).await["node"].take();
    assert_eq!(export["status"], "FAILED", "{export}");
    assert!(export["failure"].as_str().unwrap().starts_with("writing it broke off three times"), "{export}");
}

#[tokio::test]
async fn no_report_is_begun_after_the_end() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let venue = place.venue(ana, "aurora").await;
    let order = ordered(&place, ana, venue, "REPORT", "CSV").await;
    let stop = CancellationToken::new();
    stop.cancel();
    exporting::work(place.cloud.clone(), stop).await.unwrap();
    let node = "query($id: ID!) { node(id: $id) { ... on HistoryExport { status } } }";
    assert_eq!(place.ask(ana, node, json!({ "id": order })).await["node"]["status"], "QUEUED");
}

#[tokio::test]
async fn a_report_that_is_cut_off_by_the_end_is_put_back() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let venue = place.venue(ana, "aurora").await;
    ordered(&place, ana, venue, "PLAYS", "CSV").await;
    // Nobody gets at the plays.
    let mut arranging = place.arrange().await;
    let mut locked = arranging.begin().await.unwrap();
    sqlx::query("lock table public.songs_playing in access exclusive mode")
        .execute(&mut *locked)
        .await
        .unwrap();
    let stop = CancellationToken::new();
    let mut writing = JoinSet::new();
    writing.spawn(exporting::work(place.cloud.clone(), stop.clone()));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while state(&place).await != ("running".to_owned(), 1, true) {
        assert!(tokio::time::Instant::now() < deadline, "it was not begun");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(20), writing.join_next()).await.unwrap();
    ended.unwrap().unwrap().unwrap();
    assert_eq!(state(&place).await, ("queued".to_owned(), 0, false));
}

/// How far the only report is, how often it was begun, and whether it is out of others' reach.
async fn state(place: &Place) -> (String, i32, bool) {
    sqlx::query_as(
        "select status, attempts, coalesce(claimed_until > now(), false) from public.history_exports",
    )
    .fetch_one(&mut place.arrange().await)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_report_that_failed_waits_before_it_is_tried_again() {
    let place = Place::new().await;
    let ana = place.manager("ana").await;
    let venue = place.venue(ana, "aurora").await;
    ordered(&place, ana, venue, "REPORT", "CSV").await;
    let nowhere = MediaSettings {
        endpoint: Some("http://127.0.0.1:1".to_owned()),
        region: "local".to_owned(),
        bucket: "songs".to_owned(),
        access_key: "who".to_owned(),
        secret_key: Secret::new("hush"),
        public_endpoint: None,
    };
    let cloud = Cloud { media: Media::open(&nowhere).unwrap(), ..place.cloud.clone() };
    exporting::one(&cloud, Uuid::new_v4()).await.unwrap_err();
    assert_eq!(state(&place).await, ("queued".to_owned(), 1, true));
    assert!(!exporting::one(&place.cloud, Uuid::new_v4()).await.unwrap(), "it waits");
}
