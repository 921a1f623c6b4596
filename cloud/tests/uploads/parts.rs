//! Large files, over lines that break.

use roomtone_cloud::refusal::Code;
use roomtone_cloud::uploads::{self, PART_BYTES, Part, UploadState, WHOLE_UP_TO};
use roomtone_schema::UploadId;

use crate::desk::{Desk, key, refused};
use crate::store::{put, put_well};

/// A WAV file of more than one address takes.
fn large(desk: &Desk) -> Vec<u8> {
    let tone = desk.tone(220.0);
    let sound = &tone[44..];
    let mut bytes = tone[..44].to_vec();
    while bytes.len() as u64 <= WHOLE_UP_TO + 1000 {
        bytes.extend(sound);
    }
    let length = bytes.len() as u32;
    bytes[4..8].copy_from_slice(&(length - 8).to_le_bytes());
    bytes[40..44].copy_from_slice(&(length - 44).to_le_bytes());
    bytes
}

fn piece<'a>(bytes: &'a [u8], part: &Part) -> &'a [u8] {
    &bytes[part.offset as usize..(part.offset + part.bytes) as usize]
}

async fn parts(desk: &Desk, id: UploadId) -> Vec<Part> {
    uploads::parts(&desk.cloud, desk.owner, id, &[]).await.unwrap()
}

#[tokio::test]
async fn a_large_file_goes_on_where_the_line_was_cut() {
    let mut desk = Desk::open().await;
    let bytes = large(&desk);
    let new = desk.announce("long.wav", "audio/wav", &bytes);
    let (id, target) = desk.begin(new).await;
    assert_eq!((target.whole, target.part_bytes), (None, Some(PART_BYTES)));
    let all = parts(&desk, id).await;
    assert_eq!(all.len(), usize::from(target.parts));
    assert!(all.iter().all(|part| !part.arrived));
    // Out of order, one twice, one broken off, and then the line is cut.
    put_well(&all[2].address, piece(&bytes, &all[2]).to_vec()).await;
    put_well(&all[0].address, piece(&bytes, &all[0]).to_vec()).await;
    put_well(&all[0].address, piece(&bytes, &all[0]).to_vec()).await;
    assert_eq!(put(&all[1].address, piece(&bytes, &all[1])[1..].to_vec()).await.status(), 403);

    let refusal = refused(desk.finalise(id).await);
    assert_eq!(refusal.message, "parts have not arrived yet: 2, 4, 5; send them, then finalise again");
    let rest: Vec<Part> = parts(&desk, id).await.into_iter().filter(|part| !part.arrived).collect();
    assert_eq!(rest.iter().map(|part| part.number).collect::<Vec<_>>(), [2, 4, 5]);
    for part in &rest {
        put_well(&part.address, piece(&bytes, part).to_vec()).await;
    }
    desk.finalise(id).await.unwrap();
    desk.hire(crate::desk::bench());
    desk.until_done(id).await;
    desk.until_stored(&[desk.key_of(&bytes)]).await;
    assert_eq!(refused(uploads::parts(&desk.cloud, desk.owner, id, &[]).await).code, Code::Invalid);
}

#[tokio::test]
async fn parts_that_are_joined_already_are_no_hindrance() {
    let desk = Desk::open().await;
    let bytes = large(&desk);
    let (id, _) = desk.begin(desk.announce("long.wav", "audio/wav", &bytes)).await;
    for part in parts(&desk, id).await {
        put_well(&part.address, piece(&bytes, &part).to_vec()).await;
    }
    // A first try joins them, and then the power goes.
    let upload = desk.upload(id).await;
    let multipart = upload.multipart_id.as_deref().unwrap();
    let arrived = desk.cloud.media.parts(&upload.object_key, multipart).await.unwrap();
    desk.cloud.media.join_parts(&upload.object_key, multipart, &arrived).await.unwrap();
    desk.finalise(id).await.unwrap();
    assert_eq!(desk.upload(id).await.state.0, UploadState::Queued);
}

#[tokio::test]
async fn parts_of_what_is_given_up_are_thrown_away() {
    let desk = Desk::at_work().await;
    let bytes = large(&desk);
    let (id, _) = desk.begin(desk.announce("long.wav", "audio/wav", &bytes)).await;
    let all = parts(&desk, id).await;
    put_well(&all[0].address, piece(&bytes, &all[0]).to_vec()).await;
    assert_eq!(desk.store.loose_parts(), 1);
    uploads::cancel(&desk.cloud, desk.owner, key(), id).await.unwrap();
    desk.until_stored(&[]).await;
    assert!(!put(&all[1].address, piece(&bytes, &all[1]).to_vec()).await.status().is_success());
}

#[tokio::test]
async fn only_parts_that_there_are_have_addresses() {
    let desk = Desk::open().await;
    let bytes = large(&desk);
    let (id, _) = desk.begin(desk.announce("long.wav", "audio/wav", &bytes)).await;
    let some = uploads::parts(&desk.cloud, desk.owner, id, &[5, 1]).await.unwrap();
    assert_eq!(some.iter().map(|part| part.number).collect::<Vec<_>>(), [5, 1]);
    assert_eq!(some[0].bytes, bytes.len() as u64 - 4 * PART_BYTES);
    for wrong in [0, 6, -1] {
        let refusal = refused(uploads::parts(&desk.cloud, desk.owner, id, &[wrong]).await);
        assert_eq!(refusal.code, Code::Invalid);
    }
    let stranger = desk.database.user("stranger@example.org", None).await;
    assert_eq!(refused(uploads::parts(&desk.cloud, stranger, id, &[]).await).code, Code::NotFound);
    let small = desk.begin(desk.announce("a.wav", "audio/wav", b"1234")).await.0;
    assert_eq!(refused(uploads::parts(&desk.cloud, desk.owner, small, &[]).await).code, Code::Invalid);
}
