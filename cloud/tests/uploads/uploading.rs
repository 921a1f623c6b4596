//! Announcing, sending, finalising, giving up: who may, and what comes of it.

use roomtone_cloud::catalogue;
use roomtone_cloud::refusal::Code;
use roomtone_cloud::uploads::{self, Begun, Finalising, NewUpload, OwnValues, UploadState, Whose};
use roomtone_schema::embedding::Embedding;
use roomtone_schema::song::SongKind;
use uuid::Uuid;

use crate::desk::{Desk, key, organisation_of, refused, sum};
use crate::store::{http, put, put_well};

#[tokio::test]
async fn a_file_that_is_sent_becomes_a_song() {
    let desk = Desk::at_work().await;
    let bytes = desk.tone(220.0);
    let (id, target) = desk.begin(desk.announce("../Rain on tin.wav", "audio/x-wav", &bytes)).await;
    assert_eq!(desk.upload(id).await.state.0, UploadState::Waiting);
    put_well(&target.whole.unwrap(), bytes.clone()).await;
    desk.finalise_with(id, OwnValues::default(), vec![desk.venue]).await.unwrap();
    let song = desk.until_done(id).await;

    let row = desk
        .value(&format!(
            "select concat_ws('|', title, status, duration, duration_ms, content_type, content_bytes, encode(content_sha256, 'hex'),
               object_key, file_url, embedding is not null, embedding_model_id, own_values) from public.songs where id = '{song}'"
        ))
        .await;
    let key = desk.key_of(&bytes);
    let expected = format!(
        "Rain on tin|ready|3|3000|audio/wav|{}|{}|{key}|s3://songs/{key}|t|1|{{}}",
        bytes.len(),
        sum(&bytes)
    );
    assert_eq!(row, expected);
    let plays = format!("select venue_id from public.venue_songs where song_id = '{song}' and enabled");
    assert_eq!(desk.value(&plays).await, desk.venue.to_string());
    let logged = format!("select actor_id from public.audit_log where target = 'Song:{song}'");
    assert_eq!(desk.value(&logged).await, desk.owner.to_string());
    desk.until_stored(std::slice::from_ref(&key)).await;
    let url = desk
        .cloud
        .media
        .download_url(&key, Some("Rain.wav"), std::time::Duration::from_mins(1))
        .await
        .unwrap();
    assert_eq!(http().get(url).send().await.unwrap().bytes().await.unwrap(), bytes);
}

#[tokio::test]
async fn what_a_manager_says_wins_over_what_the_file_says() {
    let desk = Desk::at_work().await;
    let bytes = desk.tone(220.0);
    let (id, target) = desk.begin(desk.announce("a.wav", "audio/wav", &bytes)).await;
    put_well(&target.whole.unwrap(), bytes).await;
    let own = OwnValues {
        title: Some("Forest".to_owned()),
        isrc: Some("DEUM71500001".to_owned()),
        kind: Some(SongKind::Soundscape),
        bpm: Some(77),
        embedding: Some(Embedding::new([0.5, -0.5, 0.25, 0.0, 1.0]).unwrap()),
        ..OwnValues::default()
    };
    desk.finalise_with(id, own, Vec::new()).await.unwrap();
    let song = desk.until_done(id).await;
    let row = "select concat_ws('|', title, isrc, type, bpm, embedding, own_values, loudness_lufs is not null) from public.songs where id = ";
    let expected = "Forest|DEUM71500001|soundscape|77|[0.5,-0.5,0.25,0,1]|{title,isrc,type,bpm,embedding}|t";
    assert_eq!(desk.value(&format!("{row}'{song}'")).await, expected);
}

#[tokio::test]
async fn a_catalogue_takes_the_same_bytes_once_and_another_catalogue_takes_them_too() {
    let desk = Desk::at_work().await;
    let bytes = desk.tone(330.0);
    let song = desk.until_done(desk.send("a.wav", "audio/wav", bytes.clone()).await).await;
    let again = desk.create(desk.announce("b.wav", "audio/wav", &bytes)).await.unwrap();
    assert_eq!(again, Begun::Known(song));

    let other = desk.database.user("other@example.org", None).await;
    let place = desk.database.venue(other).await;
    let new = NewUpload { whose: Whose::Venue(place), ..desk.announce("b.wav", "audio/wav", &bytes) };
    let Begun::Upload(id) = uploads::create(&desk.cloud, other, key(), new).await.unwrap() else {
        panic!("what others have is nobody's business")
    };
    let upload = uploads::find(&desk.cloud, other, id).await.unwrap().unwrap();
    let target = uploads::target(&desk.cloud, &upload).await.unwrap().unwrap();
    put_well(&target.whole.unwrap(), bytes.clone()).await;
    let it = Finalising { id, own: OwnValues::default(), venues: vec![place] };
    uploads::finalise(&desk.cloud, other, key(), it).await.unwrap();
    let theirs = organisation_of(&desk.database, place).await;
    let mut keys = vec![desk.key_of(&bytes), format!("org/{theirs}/{}", sum(&bytes))];
    keys.sort();
    desk.until_stored(&keys).await;
    assert_eq!(desk.value("select count(distinct organisation_id) from public.songs").await, "2");
}

#[tokio::test]
async fn two_uploads_of_the_same_bytes_become_one_song() {
    let desk = Desk::at_work().await;
    let bytes = desk.tone(330.0);
    let (one, to_one) = desk.begin(desk.announce("a.wav", "audio/wav", &bytes)).await;
    let (two, to_two) = desk.begin(desk.announce("b.wav", "audio/wav", &bytes)).await;
    for (id, target) in [(one, to_one), (two, to_two)] {
        put_well(&target.whole.unwrap(), bytes.clone()).await;
        desk.finalise(id).await.unwrap();
    }
    assert_eq!(desk.until_done(one).await, desk.until_done(two).await);
    desk.until_stored(&[desk.key_of(&bytes)]).await;
}

#[tokio::test]
async fn a_repeated_request_is_answered_as_the_first() {
    let desk = Desk::open().await;
    let (bytes, mine) = (desk.tone(220.0), key());
    let new = desk.announce("a.wav", "audio/wav", &bytes);
    let first = uploads::create(&desk.cloud, desk.owner, mine, new.clone()).await.unwrap();
    assert_eq!(uploads::create(&desk.cloud, desk.owner, mine, new.clone()).await.unwrap(), first);
    let other = NewUpload { bytes: 7, ..new };
    let refusal = refused(uploads::create(&desk.cloud, desk.owner, mine, other).await);
    assert_eq!(refusal.code, Code::Conflict);
    assert_eq!(desk.value("select count(*) from public.song_uploads").await, "1");

    let Begun::Upload(id) = first else { panic!("it is new") };
    let upload = desk.upload(id).await;
    let target = uploads::target(&desk.cloud, &upload).await.unwrap().unwrap();
    put_well(&target.whole.unwrap(), bytes).await;
    let (mine, it) = (key(), Finalising { id, own: OwnValues::default(), venues: Vec::new() });
    uploads::finalise(&desk.cloud, desk.owner, mine, it.clone()).await.unwrap();
    uploads::finalise(&desk.cloud, desk.owner, mine, it.clone()).await.unwrap();
    assert_eq!(refused(uploads::finalise(&desk.cloud, desk.owner, key(), it).await).code, Code::Conflict);
    assert!(uploads::target(&desk.cloud, &desk.upload(id).await).await.unwrap().is_none());
}

#[tokio::test]
async fn only_who_keeps_a_catalogue_may_send_to_it() {
    let desk = Desk::open().await;
    let bytes = desk.tone(220.0);
    let new = desk.announce("a.wav", "audio/wav", &bytes);
    let (id, _) = desk.begin(new.clone()).await;
    let viewer = desk.database.user("viewer@example.org", None).await;
    let staff = desk.database.user("staff@example.org", None).await;
    let stranger = desk.database.user("stranger@example.org", Some("manager")).await;
    desk.database.venue(stranger).await;
    desk.database.member(desk.venue, viewer, "viewer").await;
    desk.database.member(desk.venue, staff, "staff").await;
    let it = Finalising { id, own: OwnValues::default(), venues: Vec::new() };

    for whose in [new.whose, Whose::Venue(desk.venue)] {
        let new = NewUpload { whose, ..new.clone() };
        assert_eq!(
            refused(uploads::create(&desk.cloud, viewer, key(), new.clone()).await).code,
            Code::Forbidden
        );
        assert_eq!(
            refused(uploads::create(&desk.cloud, stranger, key(), new.clone()).await).code,
            Code::NotFound
        );
        assert!(matches!(uploads::create(&desk.cloud, staff, key(), new).await.unwrap(), Begun::Upload(_)));
    }
    let seen = uploads::find(&desk.cloud, viewer, id).await.unwrap().unwrap();
    let of = [*seen.organisation_id];
    assert_eq!(catalogue::working_in(&desk.cloud, viewer, &of).await.unwrap(), []);
    assert_eq!(catalogue::working_in(&desk.cloud, stranger, &of).await.unwrap(), []);
    assert_eq!(catalogue::working_in(&desk.cloud, staff, &of).await.unwrap(), of);
    assert_eq!(uploads::find(&desk.cloud, stranger, id).await.unwrap(), None);
    assert_eq!(refused(uploads::cancel(&desk.cloud, viewer, key(), id).await).code, Code::Forbidden);
    assert_eq!(refused(uploads::cancel(&desk.cloud, stranger, key(), id).await).code, Code::NotFound);
    assert_eq!(
        refused(uploads::finalise(&desk.cloud, stranger, key(), it.clone()).await).code,
        Code::NotFound
    );
    desk.smuggle(id, &bytes).await;
    assert_eq!(
        refused(uploads::finalise(&desk.cloud, viewer, key(), it.clone()).await).code,
        Code::Forbidden
    );
    uploads::finalise(&desk.cloud, staff, key(), it).await.unwrap();
}

#[tokio::test]
async fn nobody_writes_to_the_table_of_uploads_by_hand() {
    let desk = Desk::open().await;
    let (id, _) = desk.begin(desk.announce("a.wav", "audio/wav", b"1234")).await;
    let statements = [
        format!("update public.song_uploads set object_key = 'staging/{}' where id = '{id}'", Uuid::nil()),
        format!("update public.song_uploads set state = 'queued' where id = '{id}'"),
        format!("delete from public.song_uploads where id = '{id}'"),
        "insert into public.song_uploads (organisation_id) select organisation_id from public.venues"
            .to_owned(),
        "select claimed_by from public.song_uploads".to_owned(),
    ];
    for sql in statements {
        let mut work = desk.cloud.database.as_user(desk.owner).await.unwrap();
        let error = sqlx::query(sqlx::AssertSqlSafe(sql.clone())).execute(&mut *work).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().unwrap(), "42501", "{sql}: {error}");
    }
    let mut work = desk.cloud.database.as_service().await.unwrap();
    let sql = format!("update public.song_uploads set object_key = 'org/x' where id = '{id}'");
    assert!(sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *work).await.is_err());
}

#[tokio::test]
async fn a_song_is_assigned_only_where_its_sender_may_and_its_catalogue_reaches() {
    let desk = Desk::open().await;
    let bytes = desk.tone(220.0);
    let (id, target) = desk.begin(desk.announce("a.wav", "audio/wav", &bytes)).await;
    put_well(&target.whole.unwrap(), bytes).await;
    let other = desk.database.user("other@example.org", None).await;
    let foreign = desk.database.venue(other).await;
    let refusal = refused(desk.finalise_with(id, OwnValues::default(), vec![foreign]).await);
    assert_eq!(refusal.code, Code::NotFound);
    let own_but_of_another_organisation = desk.database.venue(desk.owner).await;
    let venues = vec![desk.venue, own_but_of_another_organisation];
    assert_eq!(refused(desk.finalise_with(id, OwnValues::default(), venues).await).code, Code::Invalid);
    assert_eq!(desk.upload(id).await.state.0, UploadState::Waiting);
}

#[tokio::test]
async fn what_has_not_arrived_is_not_finalised() {
    let desk = Desk::open().await;
    let bytes = desk.tone(220.0);
    let (id, _) = desk.begin(desk.announce("a.wav", "audio/wav", &bytes)).await;
    assert_eq!(refused(desk.finalise(id).await).code, Code::Invalid);
    desk.smuggle(id, &bytes[..100]).await;
    assert_eq!(refused(desk.finalise(id).await).code, Code::ChecksumMismatch);
    desk.smuggle(id, &bytes).await;
    desk.finalise(id).await.unwrap();
}

#[tokio::test]
async fn what_is_given_up_is_removed() {
    let desk = Desk::at_work().await;
    let bytes = desk.tone(220.0);
    let (id, target) = desk.begin(desk.announce("a.wav", "audio/wav", &bytes)).await;
    let target = target.whole.unwrap();
    put_well(&target, bytes.clone()).await;
    let mine = key();
    uploads::cancel(&desk.cloud, desk.owner, mine, id).await.unwrap();
    uploads::cancel(&desk.cloud, desk.owner, mine, id).await.unwrap();
    desk.until_stored(&[]).await;
    assert_eq!(refused(desk.finalise(id).await).code, Code::Conflict);
    // The address is still good; what comes by it is removed when it no longer is.
    put_well(&target, bytes.clone()).await;
    assert_eq!(desk.store.objects().len(), 1);
    let expired = format!(
        "update public.song_uploads set expires_at = now() - interval '2 hours', sweep_after = now() where id = '{id}'"
    );
    crate::postgres::run(&mut desk.database.superuser().await, &expired).await;
    desk.until_stored(&[]).await;

    let id = desk.send("a.wav", "audio/wav", bytes).await;
    desk.until_done(id).await;
    assert_eq!(refused(uploads::cancel(&desk.cloud, desk.owner, key(), id).await).code, Code::Conflict);
}

#[tokio::test]
async fn what_does_not_come_in_time_expires() {
    let desk = Desk::at_work().await;
    let bytes = desk.tone(220.0);
    let (id, target) = desk.begin(desk.announce("a.wav", "audio/wav", &bytes)).await;
    put_well(&target.whole.unwrap(), bytes).await;
    let late = format!(
        "update public.song_uploads set expires_at = now() - interval '2 hours', sweep_after = now() - interval '2 hours'
         where id = '{id}'"
    );
    crate::postgres::run(&mut desk.database.superuser().await, &late).await;
    desk.until(id, "expired", |upload| upload.state.0 == UploadState::Expired).await;
    desk.until_stored(&[]).await;
    assert_eq!(refused(desk.finalise(id).await).code, Code::Expired);
    let due = "select count(*) from public.song_uploads where sweep_after is not null";
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while desk.value(due).await != "0" {
        assert!(tokio::time::Instant::now() < deadline, "it is swept for ever");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn nobody_has_too_many_uploads_under_way() {
    let desk = Desk::open().await;
    for n in 0..200_u32 {
        desk.create(desk.announce("a.wav", "audio/wav", &n.to_le_bytes())).await.unwrap();
    }
    let refusal = refused(desk.create(desk.announce("a.wav", "audio/wav", b"one more")).await);
    assert_eq!(refusal.code, Code::TooMany);
    assert_eq!(desk.value("select count(*) from public.song_uploads").await, "200");
}

#[tokio::test]
async fn an_address_is_good_for_what_was_announced_alone() {
    let desk = Desk::open().await;
    let bytes = desk.tone(220.0);
    let (_, target) = desk.begin(desk.announce("../../x\0\r\n.wav", "audio/wav", &bytes)).await;
    let target = target.whole.unwrap();
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(put(&target, longer).await.status(), 403);
    assert_eq!(put(&target, bytes[1..].to_vec()).await.status(), 403);
    // A verified object is out of reach.
    let key = desk.key_of(&bytes);
    let staging = target.url.split("/songs/").nth(1).unwrap().split('?').next().unwrap();
    let url = target.url.replace(staging, &key);
    assert_eq!(put(&roomtone_cloud::media::Address { url, ..target.clone() }, bytes).await.status(), 403);
    assert_eq!(desk.store.objects(), [""; 0]);
}
