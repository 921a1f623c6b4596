//! Files that are not what they say, and files that mean harm.

use std::path::Path;

use roomtone_cloud::refusal::Code;
use roomtone_cloud::uploads::UploadState;
use rstest::rstest;

use crate::desk::{Desk, refused};
use crate::store::put_well;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89";

#[rstest]
#[case::picture("song.mp3", "audio/mpeg", PNG.to_vec(), "it is not audio: it looks like a PNG picture")]
#[case::page("song.mp3", "audio/mpeg", b"<html><script>alert(1)</script>".to_vec(), "it is not audio: it looks like a web page")]
#[case::zeros("song.flac", "audio/flac", vec![0; 5000], "it is not audio: it looks like nothing but zeros")]
#[case::program("song.wav", "audio/wav", b"\x7FELF\x02\x01\x01\0".to_vec(), "it is not audio: it looks like a program")]
#[case::bare("song.flac", "audio/flac", b"fLaC\0\0\0\x22".to_vec(), "it is ")]
#[tokio::test]
async fn what_is_no_audio_is_refused_and_removed(
    #[case] name: &str,
    #[case] content_type: &str,
    #[case] bytes: Vec<u8>,
    #[case] why: &str,
) {
    let desk = Desk::at_work().await;
    let id = desk.send(name, content_type, bytes).await;
    let (code, said) = desk.until_refused(id).await;
    assert_eq!(code, Code::Unsupported);
    assert!(said.starts_with(why), "{said}");
    desk.until_stored(&[]).await;
    assert_eq!(desk.value("select count(*) from public.songs").await, "0");
}

#[tokio::test]
async fn a_type_that_lies_is_refused() {
    let desk = Desk::at_work().await;
    let id = desk.send("song.mp3", "audio/mpeg", desk.tone(220.0)).await;
    let (code, why) = desk.until_refused(id).await;
    assert_eq!((code, why.as_str()), (Code::Unsupported, "it was announced as an MP3, and it is a WAV"));
    desk.until_stored(&[]).await;
}

#[tokio::test]
async fn bytes_that_are_not_those_announced_are_refused() {
    let desk = Desk::at_work().await;
    let (bytes, other) = (desk.tone(220.0), desk.tone(230.0));
    // The right length, other bytes: the address cannot know.
    let (id, target) = desk.begin(desk.announce("a.wav", "audio/wav", &bytes)).await;
    put_well(&target.whole.unwrap(), other).await;
    desk.finalise(id).await.unwrap();
    assert_eq!(desk.until_refused(id).await.0, Code::ChecksumMismatch);
    desk.until_stored(&[]).await;
    assert_eq!(desk.value("select count(*) from public.songs").await, "0");
}

#[rstest]
#[case::cut_short(-1000, " bytes arrived where ")]
#[case::longer(1000, "more than the ")]
#[tokio::test]
async fn a_length_that_changes_after_finalising_is_refused(#[case] more: isize, #[case] why: &str) {
    let mut desk = Desk::open().await;
    let bytes = desk.tone(220.0);
    let id = desk.send("a.wav", "audio/wav", bytes.clone()).await;
    let mut changed = bytes;
    changed.resize(changed.len().strict_add_signed(more), 0);
    desk.smuggle(id, &changed).await;
    desk.hire(crate::desk::bench());
    let (code, said) = desk.until_refused(id).await;
    assert_eq!(code, Code::ChecksumMismatch);
    assert!(said.contains(why), "{said}");
    desk.until_stored(&[]).await;
}

#[tokio::test]
async fn an_object_that_is_gone_is_said_to_be_gone() {
    let mut desk = Desk::open().await;
    let id = desk.send("a.wav", "audio/wav", desk.tone(220.0)).await;
    desk.cloud.media.delete(&format!("staging/{id}")).await.unwrap();
    desk.hire(crate::desk::bench());
    assert_eq!(desk.until_refused(id).await.0, Code::NotFound);
}

#[rstest]
#[case::six_hours("21590", None)]
#[case::ten_hours("36000", Some(Code::TooLarge))]
#[tokio::test]
async fn hours_of_silence_in_a_small_file_are_no_bomb(#[case] seconds: &str, #[case] refused: Option<Code>) {
    let desk = Desk::at_work().await;
    let silence = format!("anullsrc=r=8000:cl=mono:d={seconds}");
    let bytes = desk.ffmpeg(&["-f", "lavfi", "-i", &silence], "flac");
    assert!(bytes.len() < 8 << 20);
    let id = desk.send("silence.flac", "audio/flac", bytes).await;
    if let Some(code) = refused {
        assert_eq!(desk.until_refused(id).await.0, code);
        desk.until_stored(&[]).await;
        return;
    }
    // Playable, and of no direction: nothing is like it.
    let song = desk.until_done(id).await;
    let row = format!("select status || (embedding is null)::text from public.songs where id = '{song}'");
    assert_eq!(desk.value(&row).await, "readytrue");
}

#[tokio::test]
async fn every_format_is_taken_and_no_wound_does_harm() {
    let desk = Desk::at_work().await;
    let kinds = [
        ("mp3", "audio/mpeg"),
        ("flac", "audio/flac"),
        ("ogg", "audio/ogg"),
        ("m4a", "audio/mp4"),
        ("aac", "audio/aac"),
        ("wav", "audio/wav"),
    ];
    let mut keys = Vec::new();
    for (n, (ending, content_type)) in kinds.into_iter().enumerate() {
        let bytes = desk.encoded(300.0 + n as f32, ending);
        let whole = desk.send(&format!("song.{ending}"), content_type, bytes.clone()).await;
        desk.until_done(whole).await;
        keys.push(desk.key_of(&bytes));
        for wounded in wounds(&bytes) {
            let id = desk.send(&format!("song.{ending}"), content_type, wounded.clone()).await;
            let ended = |state| matches!(state, UploadState::Done | UploadState::Refused);
            let upload = desk.until(id, "looked at", |upload| ended(upload.state.0)).await;
            if upload.state.0 == UploadState::Done {
                keys.push(desk.key_of(&wounded));
            }
        }
    }
    keys.sort();
    desk.until_stored(&keys).await;
    assert_eq!(desk.value("select max(attempts) from public.song_uploads").await, "1");
}

/// The same in the head, in the middle, and cut off.
fn wounds(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut head = bytes.to_vec();
    head[16..40].fill(0xFF);
    let mut middle = bytes.to_vec();
    let at = bytes.len() / 2;
    middle[at..at + 200].fill(0xA5);
    vec![head, middle, bytes[..bytes.len() * 2 / 3].to_vec()]
}

#[tokio::test]
async fn a_name_from_elsewhere_stays_a_name() {
    let desk = Desk::at_work().await;
    let bytes = desk.tone(220.0);
    let id = desk.send("../../../../tmp/roomtone-escaped\u{202e}.wav", "audio/wav", bytes.clone()).await;
    let song = desk.until_done(id).await;
    assert_eq!(
        desk.value(&format!("select title from public.songs where id = '{song}'")).await,
        "roomtone-escaped"
    );
    assert!(!Path::new("/tmp/roomtone-escaped.wav").exists());
    desk.until_stored(&[desk.key_of(&bytes)]).await;
    let enormous = "x".repeat(1 << 20);
    let id = desk.begin(desk.announce(&enormous, "audio/wav", b"1234")).await.0;
    assert!(desk.upload(id).await.filename.len() <= 255);
}

#[tokio::test]
async fn what_is_too_large_or_of_no_kind_need_not_be_sent() {
    let desk = Desk::open().await;
    let mut new = desk.announce("a.wav", "audio/wav", b"1234");
    new.bytes = 513 << 20;
    assert_eq!(refused(desk.create(new).await).code, Code::TooLarge);
    let new = desk.announce("a.exe", "application/x-msdownload", b"1234");
    let refusal = refused(desk.create(new).await);
    assert_eq!((refusal.code, refusal.field[1].as_str()), (Code::Unsupported, "contentType"));
}

#[tokio::test]
async fn what_the_catalogue_cannot_hold_is_refused_and_removed() {
    let desk = Desk::at_work().await;
    let mut conn = desk.database.superuser().await;
    sqlx::query("alter table public.songs add constraint no_song check (bpm < 0 and bpm is not null)")
        .execute(&mut conn)
        .await
        .unwrap();
    let id = desk.send("a.wav", "audio/wav", desk.tone(220.0)).await;
    let (code, why) = desk.until_refused(id).await;
    assert_eq!(code, Code::Unsupported);
    assert!(why.starts_with("the catalogue cannot hold"), "{why}");
    desk.until_stored(&[]).await;
}
