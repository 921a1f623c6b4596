//! Media files: whole, in part, signed, and not for everybody.

use std::time::Duration;

use roomtone_hub::limits::LimitSettings;
use roomtone_schema::licence::Licence;
use roomtone_server::front::FrontSettings;
use serde_json::json;

use crate::venue::Venue;

async fn address(venue: &Venue) -> String {
    let answer = venue.ask(None, "{ songs(first: 1) { nodes { mediaUrl } } }", json!({})).await;
    answer["data"]["songs"]["nodes"][0]["mediaUrl"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_signed_address_gives_the_whole_file_for_ever() {
    let venue = Venue::with_songs(1).await;
    let answer = venue.get(&address(&venue).await, "").await;
    assert_eq!((answer.status, answer.body.len()), (200, 1_000));
    assert_eq!(answer.header("content-type"), Some("audio/wav"));
    assert_eq!(answer.header("content-length"), Some("1000"));
    assert_eq!(answer.header("accept-ranges"), Some("bytes"));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"));
    let expected: Vec<u8> = (0..1_000_u32).map(|byte| (byte % 251) as u8).collect();
    assert_eq!(answer.body, expected);
}

#[tokio::test]
async fn a_part_is_a_part() {
    let venue = Venue::with_songs(1).await;
    let url = address(&venue).await;
    let whole = venue.get(&url, "").await.body;
    for (range, from, to) in [("0-9", 0, 10), ("990-", 990, 1_000), ("-10", 990, 1_000), ("5-5000", 5, 1_000)]
    {
        let part = venue.get(&url, &format!("range: bytes={range}\r\n")).await;
        assert_eq!(part.status, 206, "{range}");
        assert_eq!(part.body, whole[from..to], "{range}");
        assert_eq!(part.header("content-range"), Some(format!("bytes {from}-{}/1000", to - 1).as_str()));
    }
    let beyond = venue.get(&url, "range: bytes=1000-\r\n").await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */1000")));
    assert_eq!(venue.get(&url, "range: bytes=0-1,3-4\r\n").await.status, 200);
}

#[tokio::test]
async fn who_has_the_file_is_not_sent_it_again() {
    let venue = Venue::with_songs(1).await;
    let url = address(&venue).await;
    let tag = venue.get(&url, "").await.header("etag").unwrap().to_owned();
    for tags in [tag.clone(), format!("\"other\", {tag}"), format!("W/{tag}"), "*".to_owned()] {
        let answer = venue.get(&url, &format!("if-none-match: {tags}\r\n")).await;
        assert_eq!((answer.status, answer.body.len()), (304, 0), "{tags}");
    }
    let same = venue.get(&url, &format!("range: bytes=0-9\r\nif-range: {tag}\r\n")).await;
    assert_eq!(same.status, 206);
    let other = venue.get(&url, "range: bytes=0-9\r\nif-range: \"other\"\r\n").await;
    assert_eq!((other.status, other.body.len()), (200, 1_000));
}

#[tokio::test]
async fn head_tells_the_length_and_sends_nothing() {
    let venue = Venue::with_songs(1).await;
    let answer = venue.request("HEAD", &address(&venue).await, "", "").await;
    assert_eq!((answer.status, answer.header("content-length"), answer.body.len()), (200, Some("1000"), 0));
}

#[tokio::test]
async fn without_a_signature_or_a_token_there_is_no_file() {
    let venue = Venue::with_songs(1).await;
    let url = address(&venue).await;
    let (path, query) = url.split_once('?').unwrap();
    let forged = query.replacen("s=", "s=0", 1);
    for url in [path.to_owned(), format!("{path}?{forged}"), format!("{path}?e=99999999999&s=00")] {
        let answer = venue.get(&url, "").await;
        assert_eq!(answer.status, 403, "{url}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    let token = venue.check_in().await;
    assert_eq!(venue.get(path, &format!("authorization: Bearer {token}\r\n")).await.status, 200);
    assert_eq!(venue.get(path, "authorization: Bearer nobody\r\n").await.status, 403);
}

#[tokio::test]
async fn a_managers_token_opens_no_file() {
    let venue = Venue::with_songs(1).await;
    let url = address(&venue).await;
    let path = url.split('?').next().unwrap();
    let manager = venue.hub.mint_manager_token().await.unwrap();
    // From the venue's network and on the hub itself.
    for host in ["192.168.1.5:4700".to_owned(), venue.address.to_string()] {
        let request = |path: &str| {
            format!(
                "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nauthorization: Bearer {manager}\r\n\r\n"
            )
        };
        assert_eq!(venue.raw(&request(path)).await.status, 403, "{host}");
        assert_eq!(venue.raw(&request(&url)).await.status, 200, "{host}: a signature is a signature");
    }
}

#[tokio::test]
async fn an_address_ends_after_some_hours() {
    let venue = Venue::with_songs(1).await;
    let url = address(&venue).await;
    venue.clock.advance(Duration::from_hours(5));
    assert_eq!(venue.get(&url, "").await.status, 200);
    venue.clock.advance(Duration::from_hours(3));
    assert_eq!(venue.get(&url, "").await.status, 403);
}

#[tokio::test]
async fn a_file_that_is_gone_is_not_found() {
    let venue = Venue::with_songs(1).await;
    let url = address(&venue).await;
    std::fs::remove_dir_all(venue.hub.media_dir()).unwrap();
    assert_eq!(venue.get(&url, "").await.status, 404);
    assert!(venue.folder().exists());
}

/// Songs of three minutes.
#[tokio::test]
async fn where_songs_may_not_be_kept_players_are_told_and_nobody_caches_a_file() {
    let (settings, limits) = (FrontSettings::default(), LimitSettings::default());
    let licence = Licence { offline_storage: false, ..Licence::default() };
    let venue = Venue::licensed(settings, limits, Vec::new(), licence).await;
    for number in 0..40 {
        venue.add_song(number).await;
    }
    venue.hub.settle().await;
    let token = venue.player_token().await;
    let claim = "pick { id } plan { id } offlineStorage";
    let claim = venue.mutate(Some(&token), "claimNextSong", "ClaimNextSongInput", json!({}), claim).await;
    let most = 60 * 60 / (180 - 5) + 1;
    let planned = |told: &serde_json::Value| told["plan"].as_array().unwrap().len();
    assert!((10..=most).contains(&planned(&claim)), "{claim}");
    assert_eq!(claim["offlineStorage"], false);
    let ahead = venue.ask(Some(&token), "{ playerPlan { plan { id } offlineStorage } }", json!({})).await;
    let ahead = &ahead["data"]["playerPlan"];
    assert!((10..=most).contains(&planned(ahead)) && ahead["offlineStorage"] == false, "{ahead}");
    let url = address(&venue).await;
    let answer = venue.get(&url, "").await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
    let tag = answer.header("etag").unwrap();
    let again = venue.get(&url, &format!("if-none-match: {tag}\r\n")).await;
    assert_eq!((again.status, again.header("cache-control")), (304, Some("no-store")));
    let metrics = venue.get("/metrics", "").await;
    assert!(metrics.text().contains("relaxations_total{rule=\"storage\"} 0"), "{}", metrics.text());

    let venue = Venue::with_songs(40).await;
    let token = venue.player_token().await;
    let ahead = venue.ask(Some(&token), "{ playerPlan { plan { id } offlineStorage } }", json!({})).await;
    let ahead = &ahead["data"]["playerPlan"];
    assert!(most < planned(ahead) && ahead["offlineStorage"] == true, "{ahead}");
}
