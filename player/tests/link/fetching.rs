//! Files over a line that cuts, lies and ignores what it was asked.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use roomtone_player::files::{FetchError, Files, Room};
use roomtone_player::hub_client::{HubClient, LinkError};
use roomtone_player::pick::Pick;
use roomtone_schema::song::Sha256;
use sha2::Digest as _;

use crate::asking::pick;
use crate::hub::{Answer, Asked, TestHub};

const ROOM: Room = Room { most_bytes: 64 << 20, reserve: 0 };

/// Some bytes that are not the same anywhere.
fn song(n: u8, bytes: usize) -> (Pick, Bytes) {
    let content: Bytes = (0..bytes).map(|at| (at * 31 + at / 251) as u8 ^ n).collect();
    let sha256 = Sha256(sha2::Sha256::digest(&content).into());
    (Pick { sha256, bytes: content.len() as u64, ..pick(u128::from(n)) }, content)
}

fn first_byte(asked: &Asked) -> usize {
    let range = asked.range.as_deref().unwrap_or("bytes=0-");
    range.strip_prefix("bytes=").unwrap().trim_end_matches('-').parse().unwrap()
}

/// As a hub answers.
fn part(asked: &Asked, content: &Bytes) -> (u16, Vec<(&'static str, String)>, Bytes) {
    let from = first_byte(asked);
    let audio = ("content-type", "audio/flac".to_owned());
    let range = ("content-range", format!("bytes {from}-{}/{}", content.len() - 1, content.len()));
    match asked.range {
        Some(_) => (206, vec![audio, range], content.slice(from..)),
        None => (200, vec![audio], content.clone()),
    }
}

fn whole(asked: &Asked, content: &Bytes) -> Answer {
    let (status, headers, body) = part(asked, content);
    Answer::Plain(status, headers, body)
}

/// What it promises, and the line cut after `bytes` of it.
fn cut_after(asked: &Asked, content: &Bytes, bytes: usize) -> Answer {
    let (status, mut headers, body) = part(asked, content);
    headers.push(("content-length", body.len().to_string()));
    Answer::Cut(status, headers, body.slice(..bytes))
}

async fn client(hub: &TestHub) -> HubClient {
    HubClient::connect(&[hub.address], &hub.identity()).await.unwrap()
}

fn files(data: &Path) -> Files {
    Files::open(data, ROOM).unwrap()
}

#[tokio::test]
async fn a_file_that_is_cut_goes_on_where_it_stopped_also_after_a_restart() {
    let (pick, content) = song(1, 700_000);
    let served = content.clone();
    let n_asked = AtomicUsize::new(0);
    let hub = TestHub::start(move |asked| match n_asked.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => cut_after(asked, &served, 300_000),
        _ => whole(asked, &served),
    })
    .await;
    let data = tempfile::tempdir().unwrap();
    let client = client(&hub).await;
    for _cut in 0..2 {
        // A new store each time, as after a kill.
        let error = files(data.path()).fetch(&client, &pick).await.unwrap_err();
        assert!(matches!(error, FetchError::Link(LinkError::Unreachable(_))) && error.may_pass(), "{error}");
    }
    let files = files(data.path());
    let path = files.fetch(&client, &pick).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), content);
    assert!(files.has(&pick.sha256) && files.path(&pick.sha256) == Some(path));
    let from: Vec<usize> = hub.asked().iter().map(first_byte).collect();
    assert!(from[0] == 0 && 0 < from[1] && from[1] < from[2], "{from:?}");
    assert!(hub.asked().iter().all(|asked| asked.authorization == "Bearer very-secret"));
}

#[tokio::test]
async fn a_server_that_ignores_the_range_is_understood() {
    let (pick, content) = song(2, 400_000);
    let served = content.clone();
    let n_asked = AtomicUsize::new(0);
    let hub = TestHub::start(move |asked| match n_asked.fetch_add(1, Ordering::SeqCst) {
        0 => cut_after(asked, &served, 200_000),
        _ => Answer::Plain(200, Vec::new(), served.clone()),
    })
    .await;
    let data = tempfile::tempdir().unwrap();
    let (files, client) = (files(data.path()), client(&hub).await);
    files.fetch(&client, &pick).await.unwrap_err();
    let path = files.fetch(&client, &pick).await.unwrap();
    assert_eq!(std::fs::read(path).unwrap(), content);
    assert!(0 < first_byte(&hub.asked()[1]));
}

#[tokio::test]
async fn wrong_bytes_never_stand_under_a_name() {
    let (pick, content) = song(3, 100_000);
    let mut wrong = content.to_vec();
    wrong[77_777] ^= 1;
    let wrong = Bytes::from(wrong);
    let hub = TestHub::start(move |asked| whole(asked, &wrong)).await;
    let data = tempfile::tempdir().unwrap();
    let files = files(data.path());
    let error = files.fetch(&client(&hub).await, &pick).await.unwrap_err();
    assert!(matches!(error, FetchError::Wrong(_)) && !error.may_pass(), "{error}");
    assert!(!files.has(&pick.sha256));
    assert_eq!(files.count(), 0);
}

#[tokio::test]
async fn a_wrong_beginning_is_replaced_within_one_fetch() {
    let (pick, content) = song(4, 500_000);
    let served = content.clone();
    let n_asked = AtomicUsize::new(0);
    let hub = TestHub::start(move |asked| match n_asked.fetch_add(1, Ordering::SeqCst) {
        0 => {
            let noise = Bytes::from(vec![0x55; served.len()]);
            cut_after(asked, &noise, 300_000)
        }
        _ => whole(asked, &served),
    })
    .await;
    let data = tempfile::tempdir().unwrap();
    let (files, client) = (files(data.path()), client(&hub).await);
    files.fetch(&client, &pick).await.unwrap_err();
    let path = files.fetch(&client, &pick).await.unwrap();
    assert_eq!(std::fs::read(path).unwrap(), content);
    assert_eq!(hub.asked().iter().map(first_byte).skip(2).collect::<Vec<_>>(), [0]);
}

#[tokio::test]
async fn more_bytes_than_promised_are_refused() {
    let (pick, content) = song(5, 50_000);
    let longer: Bytes = [content.as_ref(), &vec![0; 300_000]].concat().into();
    let hub = TestHub::start(move |asked| whole(asked, &longer)).await;
    let data = tempfile::tempdir().unwrap();
    let files = files(data.path());
    let error = files.fetch(&client(&hub).await, &pick).await.unwrap_err();
    assert!(matches!(error, FetchError::Wrong(_)), "{error}");
    assert!(!files.has(&pick.sha256));
}

#[tokio::test]
async fn fewer_bytes_than_promised_are_a_cut() {
    let (pick, content) = song(6, 50_000);
    let shorter = content.slice(..20_000);
    let hub = TestHub::start(move |_| Answer::Plain(200, Vec::new(), shorter.clone())).await;
    let data = tempfile::tempdir().unwrap();
    let error = files(data.path()).fetch(&client(&hub).await, &pick).await.unwrap_err();
    assert!(matches!(error, FetchError::Cut { have: 20_000, bytes: 50_000 }), "{error}");
}

#[tokio::test]
async fn a_login_page_is_no_music() {
    let (pick, _content) = song(7, 50_000);
    let hub = TestHub::start(|_| {
        let page = vec![("content-type", "text/html".to_owned())];
        Answer::Plain(200, page, Bytes::from_static(b"<html>hotel"))
    })
    .await;
    let data = tempfile::tempdir().unwrap();
    let error = files(data.path()).fetch(&client(&hub).await, &pick).await.unwrap_err();
    assert!(matches!(error, FetchError::Link(LinkError::Odd(_))), "{error}");
}

#[tokio::test]
async fn what_may_not_go_leaves_no_room_and_what_may_goes() {
    let (first, first_content) = song(8, 60_000);
    let (second, second_content) = song(9, 60_000);
    let (one, other) = (first_content.clone(), second_content.clone());
    let first_url = "/media/first".to_owned();
    let first = Pick { media_url: first_url, ..first };
    let hub =
        TestHub::start(move |asked| whole(asked, if asked.path == "/media/first" { &one } else { &other }))
            .await;
    let data = tempfile::tempdir().unwrap();
    let files = Files::open(data.path(), Room { most_bytes: 100_000, reserve: 0 }).unwrap();
    let client = client(&hub).await;
    files.pin_exactly(&[first.sha256]);
    files.fetch(&client, &first).await.unwrap();
    let error = files.fetch(&client, &second).await.unwrap_err();
    assert!(matches!(error, FetchError::NoRoom(_)), "{error}");
    files.pin_exactly(&[second.sha256]);
    files.fetch(&client, &second).await.unwrap();
    assert!(!files.has(&first.sha256) && files.has(&second.sha256));
}

#[tokio::test]
async fn many_ask_for_one_file_and_it_comes_once() {
    let (pick, content) = song(10, 200_000);
    let hub = TestHub::start(move |asked| whole(asked, &content)).await;
    let data = tempfile::tempdir().unwrap();
    let (files, client) = (Arc::new(files(data.path())), client(&hub).await);
    let mut fetches = tokio::task::JoinSet::new();
    for _one in 0..10 {
        let (files, client, pick) = (Arc::clone(&files), client.clone(), pick.clone());
        fetches.spawn(async move { files.fetch(&client, &pick).await.unwrap() });
    }
    assert_eq!(fetches.join_all().await.len(), 10);
    assert_eq!(hub.asked().len(), 1);
}

#[tokio::test]
async fn what_is_here_is_known_without_a_hub_least_recently_played_first() {
    let (one, content) = song(11, 1000);
    let served = content.clone();
    let hub = TestHub::start(move |asked| whole(asked, &served)).await;
    let (two, _never_fetched) = song(12, 1000);
    let data = tempfile::tempdir().unwrap();
    let files = files(data.path());
    files.remember(&[one.clone(), two]);
    files.fetch(&client(&hub).await, &one).await.unwrap();
    assert_eq!(files.known(), std::slice::from_ref(&one));
    files.played(&one.sha256);
    // Somebody removes the file behind our back.
    std::fs::remove_file(files.path(&one.sha256).unwrap()).unwrap();
    assert!(!files.has(&one.sha256));
}
