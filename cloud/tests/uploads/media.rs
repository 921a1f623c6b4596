//! The store by itself: what is signed holds, and nothing else does.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use roomtone_cloud::media::{Address, Media, MediaError, MediaSettings};
use roomtone_cloud::secret::Secret;

use crate::store::{PAGE, Store, http, put, put_well};

const HOUR: Duration = Duration::from_hours(1);

async fn target(store: &Store, bytes: u64) -> Address {
    store.media.upload_to("staging/one", bytes, "audio/flac", HOUR).await.unwrap()
}

async fn content(store: &Store, key: &str) -> Vec<u8> {
    let mut content = Vec::new();
    store.media.get_to(key, &mut content, 1 << 20).await.unwrap();
    content
}

#[tokio::test]
async fn bytes_go_in_by_a_signed_address_and_come_out_by_another() {
    let store = Store::start().await;
    let target = target(&store, 5).await;
    assert_eq!(target.headers, [("content-type".to_owned(), "audio/flac".to_owned())]);
    put_well(&target, b"bytes".to_vec()).await;
    assert_eq!(content(&store, "staging/one").await, b"bytes");
    let stored = store.media.head("staging/one").await.unwrap().unwrap();
    assert_eq!((stored.bytes, stored.content_type.as_deref()), (5, Some("audio/flac")));

    let url = store.media.download_url("staging/one", Some("../Blå \"x\"\r\n.flac"), HOUR).await.unwrap();
    let answer = http().get(url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let name = answer.headers()["content-disposition"].to_str().unwrap();
    assert_eq!(name, "attachment; filename=\"Bl_ _x_.flac\"; filename*=UTF-8''Bl%C3%A5%20_x_.flac");
    assert_eq!(answer.bytes().await.unwrap(), "bytes");
}

#[tokio::test]
async fn what_differs_from_what_was_signed_is_refused() {
    let store = Store::start().await;
    let good = target(&store, 5).await;
    let longer = put(&good, b"bytes and more".to_vec()).await;
    assert_eq!(longer.status(), StatusCode::FORBIDDEN);
    let shorter = put(&good, b"byte".to_vec()).await;
    assert_eq!(shorter.status(), StatusCode::FORBIDDEN);
    let headers = vec![("content-type".to_owned(), "text/html".to_owned())];
    let other_type = put(&Address { headers, ..good.clone() }, b"bytes".to_vec()).await;
    assert_eq!(other_type.status(), StatusCode::FORBIDDEN);
    let url = good.url.replace("staging/one", "org/somebody/elses");
    let other_key = put(&Address { url, ..good.clone() }, b"bytes".to_vec()).await;
    assert_eq!(other_key.status(), StatusCode::FORBIDDEN);
    let read = http().get(&good.url).send().await.unwrap();
    assert_eq!(read.status(), StatusCode::FORBIDDEN);
    let removed = http().delete(&good.url).send().await.unwrap();
    assert_eq!(removed.status(), StatusCode::FORBIDDEN);
    let unsigned = http().get(good.url.split('?').next().unwrap()).send().await.unwrap();
    assert_eq!(unsigned.status(), StatusCode::FORBIDDEN);
    assert_eq!(store.objects(), [""; 0]);
}

#[tokio::test]
async fn an_address_ends() {
    let store = Store::start().await;
    let brief = store.media.upload_to("staging/one", 5, "audio/flac", Duration::from_secs(1)).await.unwrap();
    let url = store.media.download_url("staging/one", None, Duration::from_secs(1)).await.unwrap();
    let over = tokio::time::timeout(Duration::from_secs(20), async {
        while put(&brief, b"bytes".to_vec()).await.status() == StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    over.await.unwrap();
    assert_eq!(http().get(url).send().await.unwrap().status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_wrong_secret_opens_nothing() {
    let store = Store::start().await;
    let wrong = MediaSettings { secret_key: Secret::new("wrong"), ..store.settings.clone() };
    let media = Media::open(&wrong).unwrap();
    assert!(matches!(media.check().await, Err(MediaError::Failed { .. })));
    let target = media.upload_to("staging/one", 5, "audio/flac", HOUR).await.unwrap();
    assert_eq!(put(&target, b"bytes".to_vec()).await.status(), StatusCode::FORBIDDEN);
    assert!(store.media.check().await.is_ok());
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_said_to_be_missing() {
    let store = Store::start().await;
    let media = Media::open(&MediaSettings { bucket: "other".to_owned(), ..store.settings.clone() }).unwrap();
    let error = media.check().await.unwrap_err();
    assert!(matches!(error, MediaError::NotThere { .. }), "{error:?}");
}

#[tokio::test]
async fn no_more_than_the_limit_is_read() {
    let store = Store::start().await;
    put_well(&target(&store, 5).await, b"bytes".to_vec()).await;
    let mut into = Vec::new();
    let error = store.media.get_to("staging/one", &mut into, 4).await.unwrap_err();
    assert!(matches!(error, MediaError::TooLarge { limit: 4 }));
    let error = store.media.get_to("staging/none", &mut into, 4).await.unwrap_err();
    assert!(matches!(error, MediaError::NotThere { .. }), "{error:?}");
    assert!(into.is_empty());
}

#[tokio::test]
async fn a_file_is_stored_and_removed() {
    let store = Store::start().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), vec![7; 3 << 20]).unwrap();
    store.media.put_file("org/1/2", file.path(), "audio/mpeg").await.unwrap();
    assert_eq!(store.media.head("org/1/2").await.unwrap().unwrap().bytes, 3 << 20);
    store.media.delete("org/1/2").await.unwrap();
    store.media.delete("org/1/2").await.unwrap();
    assert_eq!(store.media.head("org/1/2").await.unwrap(), None);
    assert_eq!(store.objects(), [""; 0]);
}

#[tokio::test]
async fn parts_make_a_whole_after_a_cut() {
    let store = Store::start().await;
    let (key, size) = ("staging/one", 5 << 20);
    let upload = store.media.begin_parts(key, "audio/wav").await.unwrap();
    let first = store.media.part_to(key, &upload, 1, size, HOUR).await.unwrap();
    put_well(&first, vec![1; size as usize]).await;
    let second = store.media.part_to(key, &upload, 2, 3, HOUR).await.unwrap();
    assert_eq!(put(&second, vec![2; 4]).await.status(), StatusCode::FORBIDDEN);
    let there = store.media.parts(key, &upload).await.unwrap();
    assert_eq!(there.iter().map(|part| (part.number, part.bytes)).collect::<Vec<_>>(), [(1, size)]);
    put_well(&second, vec![2; 3]).await;
    let there = store.media.parts(key, &upload).await.unwrap();
    store.media.join_parts(key, &upload, &there).await.unwrap();
    assert_eq!(store.media.head(key).await.unwrap().unwrap().bytes, size + 3);
    assert_eq!(store.loose_parts(), 0);
}

#[tokio::test]
async fn parts_that_nobody_wants_are_thrown_away() {
    let store = Store::start().await;
    let upload = store.media.begin_parts("staging/one", "audio/wav").await.unwrap();
    let first = store.media.part_to("staging/one", &upload, 1, 3, HOUR).await.unwrap();
    put_well(&first, vec![1; 3]).await;
    assert_eq!(store.loose_parts(), 1);
    store.media.forget_parts("staging/one", &upload).await.unwrap();
    assert_eq!(store.loose_parts(), 0);
    store.media.forget_parts("staging/one", &upload).await.unwrap();
}

#[tokio::test]
async fn pages_of_a_named_origin_are_let_in_and_no_others() {
    let store = Store::start().await;
    let target = target(&store, 5).await;
    let ask = async |origin: &'static str| {
        let asked = http().request(Method::OPTIONS, &target.url).header("origin", origin);
        let asked = asked.header("access-control-request-method", "PUT");
        asked.header("access-control-request-headers", "content-type").send().await.unwrap()
    };
    let answer = ask(PAGE).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(answer.headers()["access-control-allow-origin"], PAGE);
    assert_eq!(ask("https://evil.example").await.status(), StatusCode::FORBIDDEN);

    let send = async |origin: &'static str| {
        let put = http().put(&target.url).header("origin", origin).header("content-type", "audio/flac");
        put.body("bytes").send().await.unwrap()
    };
    let answer = send(PAGE).await;
    assert_eq!(answer.headers()["access-control-allow-origin"], PAGE);
    assert_eq!(answer.headers()["access-control-expose-headers"], "etag");
    assert!(answer.headers().contains_key("etag"));
    assert!(!send("https://evil.example").await.headers().contains_key("access-control-allow-origin"));
}
