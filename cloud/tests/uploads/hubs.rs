//! What hubs ask over HTTP, from their code to a song of theirs in everybody's catalogue.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use roomtone_cloud::dead_letters::{self, Decision};
use roomtone_cloud::hub_store::PgStore;
use roomtone_cloud::media::{Media, MediaSettings};
use roomtone_cloud::secret::Secret;
use roomtone_cloud::sync::routes::{Office, routes};
use roomtone_cloud::sync::{self, Limits, snapshots};
use roomtone_cloud::{hubs, tickets};
use roomtone_schema::id::Id as _;
use roomtone_schema::{BootId, Clock, DeadLetterId, HubId, OrganisationId, SongId, UnixMillis};
use roomtone_sync::credential::{SigningKey, Ticket, enrolment_text, hub_token, rotation_text};
use roomtone_sync::wire::{
    Cursor, DigestAsk, Downloads, DownloadsAsk, EnrolAnswer, EnrolAsk, Fact, Facts, Hello, HelloAnswer,
    MOST_ROWS, Page, Problem, ProblemCode, PullAsk, Push, PushAnswer, RotateAnswer, RotateAsk, Row, Scope,
    Snapshot, Stamp, Standing, TIME_HEADER, UploadAnswer, UploadAsk, UploadedAnswer, UploadedAsk,
    UploadedState, VERSION_HEADER, decode, encode,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_bytes::ByteArray;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::desk::{Desk, key, sum};
use crate::store::{http, put_well};

/// A hub's side, and the router that it talks to.
struct Line {
    router: Router,
    key: SigningKey,
    hub: HubId,
    clock: Arc<dyn Clock>,
    seq: i64,
    link: [u8; 32],
    _working: JoinSet<anyhow::Result<()>>,
}

impl Line {
    async fn open(desk: &Desk) -> Self {
        let keys = tickets::keys(&desk.cloud).await.unwrap();
        let store = PgStore::new(desk.cloud.database.clone(), &keys);
        let clock = Arc::clone(&desk.cloud.clock);
        let stop = CancellationToken::new();
        let front = sync::Desk::new(store.clone(), Arc::clone(&clock), Limits::default(), stop.clone());
        let office = Office::new(desk.cloud.clone());
        let mut working = JoinSet::new();
        working.spawn(front.heads.clone().keep(store.clone(), stop.clone()));
        working.spawn(snapshots::work(office.clone(), store, stop));
        let router = routes(office, front);
        let key = SigningKey::from_seed(&[5; 32]).unwrap();
        let hub = HubId(Uuid::nil());
        Self { router, key, hub, clock, seq: 0, link: [0; 32], _working: working }
    }

    /// Trades a fresh code of the desk's venue.
    async fn enrolled(desk: &Desk) -> Self {
        let mut line = Self::open(desk).await;
        let code = code(desk).await;
        line.hub = line.enrol(&code).await.unwrap().hub;
        line
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, String)], body: Vec<u8>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap().to_vec();
        Answer { status, headers, body }
    }

    fn bearer(&self) -> (&'static str, String) {
        ("authorization", format!("Bearer {}", hub_token(&self.key, self.hub, self.clock.wall())))
    }

    async fn ask<A: DeserializeOwned>(&self, path: &str, question: &impl Serialize) -> Result<A, Problem> {
        self.send("POST", path, &[self.bearer()], encode(question).unwrap()).await.read()
    }

    async fn enrol(&self, code: &str) -> Result<EnrolAnswer, Problem> {
        let public = self.key.public();
        let ask = EnrolAsk {
            code: code.to_owned(),
            public_key: ByteArray::new(public),
            proof: ByteArray::new(self.key.sign(&enrolment_text(code, &public))),
            software: "test 1".to_owned(),
        };
        self.send("POST", "/v1/hubs/enrol", &[], encode(&ask).unwrap()).await.read()
    }

    async fn hello(&self) -> Result<HelloAnswer, Problem> {
        let stamp = Stamp { boot: BootId(Uuid::from_u128(9)), mono_ms: 1_000, wall_ms: 0 };
        let hello = Hello {
            epoch: 1,
            instance: Uuid::from_u128(1),
            predecessor: None,
            moved: false,
            last_seq: self.seq,
            acked: self.seq,
            oldest: 1,
            acked_chain: Some(ByteArray::new(self.link)),
            forked: false,
            now: stamp,
            steady_ms: self.clock.wall().0,
            software: "test 1".to_owned(),
            pending: 0,
            zones: vec![],
            players: vec![],
            rooms: vec![],
            guests_cut_off: false,
        };
        self.ask("/v1/sync/hello", &hello).await
    }

    async fn push(&mut self, kind: &str, payload: &serde_json::Value) -> PushAnswer {
        let fact = Fact {
            kind: kind.to_owned(),
            payload: payload.to_string().into_bytes(),
            hlc: self.clock.wall().0.cast_unsigned() << 16,
            boot: BootId(Uuid::from_u128(9)),
            mono_ms: 1_000,
            wall_ms: 0,
        };
        let facts = Facts::of(std::slice::from_ref(&fact)).unwrap();
        let (first_seq, before) = (self.seq + 1, ByteArray::new(self.link));
        let push = Push { epoch: 1, instance: Uuid::from_u128(1), first_seq, before, facts };
        let answer: PushAnswer = self.ask("/v1/sync/push", &push).await.unwrap();
        self.link = roomtone_sync::chain::link_behind(&self.link, &[fact]);
        self.seq = answer.ack;
        answer
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn read<A: DeserializeOwned>(&self) -> Result<A, Problem> {
        assert!(self.headers.contains_key(TIME_HEADER) && self.headers.contains_key(VERSION_HEADER));
        if self.status == StatusCode::OK {
            Ok(decode(&self.body).unwrap())
        } else {
            Err(decode(&self.body).unwrap())
        }
    }
}

async fn code(desk: &Desk) -> String {
    let made = hubs::create_enrolment(&desk.cloud, desk.owner, key(), desk.venue, "box").await.unwrap();
    made.code.to_string()
}

fn a_song(n: u8) -> SongId {
    SongId::mint(UnixMillis(1_795_000_000_000), [n; 10])
}

fn song(id: SongId, bytes: &[u8]) -> serde_json::Value {
    json!({ "id": id, "status": "ready", "created_at": 1_795_000_000_000_i64, "facts": {
        "title": "A song of ours", "artist": "Us", "album": null, "isrc": null, "label": null, "explicit": "unknown",
        "kind": null, "duration_ms": 3_000, "bpm": 120.4, "pulse_clarity": 0.5, "key": null, "key_strength": 0.1,
        "loudness_lufs": -14.0, "true_peak_dbtp": -1.0, "cue_in_ms": 0, "cue_out_ms": 3_000,
        "embedding": [0.1, -0.7, 0.3, 0.2, 0.9], "embedding_version": 1, "sha256": sum(bytes).to_string(),
        "bytes": bytes.len(), "content_type": "audio/wav" } })
}

#[tokio::test]
async fn a_code_is_traded_once_and_for_one_key() {
    let desk = Desk::open().await;
    let mut line = Line::open(&desk).await;
    let code = code(&desk).await;
    assert_eq!(line.enrol("00000-00000-00000-00001").await.unwrap_err().code, ProblemCode::Code);
    let first = line.enrol(&code).await.unwrap();
    assert_eq!(
        (first.venue, first.organisation, first.hub_name.as_str()),
        (desk.venue, desk.organisation, "box")
    );
    assert_eq!(line.enrol(&code).await.unwrap(), first, "its answer was lost on the way");
    assert_eq!(desk.value("select count(*) from public.audit_log where action = 'hub.enrolled'").await, "1");
    // Whoever has the code and not the key.
    line.key = SigningKey::from_seed(&[6; 32]).unwrap();
    assert_eq!(line.enrol(&code).await.unwrap_err().code, ProblemCode::Code);
    line.hub = first.hub;
    assert_eq!(line.hello().await.unwrap_err().code, ProblemCode::Unauthorised);
    line.key = SigningKey::from_seed(&[5; 32]).unwrap();
    let welcome = line.hello().await.unwrap();
    assert_eq!((welcome.standing, welcome.ticket_keys.len()), (Standing::Welcome, 1));
    // The ticket that the cloud's page hands out is one that the hub can verify.
    let issued = tickets::create(&desk.cloud, desk.owner, desk.venue).await.unwrap();
    let keys: Vec<[u8; 32]> = welcome.ticket_keys.iter().map(|key| **key).collect();
    let ticket = Ticket::verify(&issued.ticket, &keys, desk.venue, desk.cloud.now()).unwrap();
    assert_eq!(ticket.sub, desk.owner.0);
    // Told to go, it is told so.
    hubs::revoke(&desk.cloud, desk.owner, key(), first.hub).await.unwrap();
    assert_eq!(line.hello().await.unwrap_err().code, ProblemCode::Revoked);
}

#[tokio::test]
async fn a_song_of_a_hub_becomes_everybodys_when_its_bytes_were_read() {
    let desk = Desk::at_work().await;
    let mut line = Line::enrolled(&desk).await;
    line.hello().await.unwrap();
    let (bytes, id) = (desk.tone(440.0), a_song(0));
    let sha256 = ByteArray::new(sum(&bytes).0);
    let ask = UploadAsk { song: id, sha256, bytes: bytes.len() as u64, content_type: "audio/wav".to_owned() };
    let announced: UploadAnswer = line.ask("/v1/sync/upload", &ask).await.unwrap();
    assert_eq!(announced, UploadAnswer::Unknown, "the fact comes first");
    let answer = line.push("song_added", &song(id, &bytes)).await;
    assert_eq!((answer.ack, answer.apart), (1, vec![]));
    assert!(files(&line, id).await.files.is_empty(), "nobody has read it yet");

    let uploaded = UploadedAsk { song: id, sha256 };
    let UploadAnswer::Put { url, headers } = line.ask("/v1/sync/upload", &ask).await.unwrap() else {
        panic!("its bytes are wanted")
    };
    let early: UploadedAnswer = line.ask("/v1/sync/uploaded", &uploaded).await.unwrap();
    assert_eq!(early.state, UploadedState::Refused, "nothing lies there");
    put_well(&roomtone_cloud::media::Address { url, headers }, bytes.clone()).await;
    let ended = async {
        loop {
            let answer: UploadedAnswer = line.ask("/v1/sync/uploaded", &uploaded).await.unwrap();
            match answer.state {
                UploadedState::Verifying => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
                UploadedState::Verified => return,
                UploadedState::Refused => panic!("{answer:?}"),
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(2), ended).await.unwrap();
    assert_eq!(line.ask::<UploadAnswer>("/v1/sync/upload", &ask).await.unwrap(), UploadAnswer::Have);
    let found = files(&line, id).await;
    assert_eq!((found.files[0].sha256, found.files[0].bytes), (sha256, bytes.len() as u64));
    let fetched = http().get(&found.files[0].url).header("range", "bytes=10-").send().await.unwrap();
    assert_eq!(fetched.bytes().await.unwrap(), bytes[10..], "from where it was cut off");
    let told =
        desk.value(&format!("select title || status || stored from public.songs where id = '{id}'")).await;
    assert_eq!(told, "A song of oursreadytrue", "what the hub has read of it stays");
}

async fn files(line: &Line, song: SongId) -> Downloads {
    line.ask("/v1/sync/downloads", &DownloadsAsk { songs: vec![song] }).await.unwrap()
}

#[tokio::test]
async fn a_catalogue_is_built_from_its_chunks() {
    let desk = Desk::open().await;
    let mut line = Line::enrolled(&desk).await;
    line.hello().await.unwrap();
    for n in 0..3_u8 {
        line.push("song_added", &song(a_song(n), &[n])).await;
    }
    let scope = Scope::Catalogue(desk.organisation);
    let whole: Page =
        line.ask("/v1/sync/pull", &PullAsk { scope, from: Cursor::default(), limit: 100 }).await.unwrap();
    assert_eq!(whole.rows.len(), 3);
    let snapshot: Snapshot = line.ask("/v1/sync/snapshot", &DigestAsk { scope }).await.unwrap();
    assert_eq!((snapshot.at, snapshot.chunks.len()), (whole.to, 1));
    let chunk = &snapshot.chunks[0];
    let bytes = http().get(&chunk.url).send().await.unwrap().bytes().await.unwrap();
    assert_eq!((sum(&bytes).0, bytes.len() as u64), (*chunk.sha256, chunk.bytes));
    let mut rows: Vec<Row> = decode(&bytes).unwrap();
    rows.sort_by_key(|row| row.seq);
    assert_eq!(rows, whole.rows);
    let aged = [
        // A cursor of a feed that is no more.
        "update private.snapshots set at_tag = at_tag # 1 where true",
        // A program that told less of its songs.
        "update private.snapshots set told = jsonb_set(told, '{0,1}', '0') where true",
    ];
    for age in aged {
        sqlx::query(age).execute(&mut desk.database.superuser().await).await.unwrap();
        let anew: Snapshot = line.ask("/v1/sync/snapshot", &DigestAsk { scope }).await.unwrap();
        assert_eq!(anew.at, whole.to, "it is made anew: {age}");
        let sql = "select (now() - built_at < interval '1 minute') || ' ' || at_tag from private.snapshots";
        let made = desk.value(&format!("{sql} where scope = '{scope}'")).await;
        assert_eq!(made, format!("true {}", whole.to.tag), "and kept");
    }
}

/// A venue with a catalogue that is worth a snapshot.
async fn stock(desk: &Desk) {
    let sql = format!(
        "with added as (
             insert into public.songs (id, organisation_id, title, file_url, object_key, content_sha256, content_bytes,
                 content_type, duration_ms, cue_in_ms, cue_out_ms, status)
             select gen_random_uuid(), '{}', 'Song ' || n, 's3://media/' || n, 'key ' || n, sha256(n::text::bytea), 9, 'audio/flac', 9000, 0,
                 9000, 'ready' from generate_series(1, {MOST_ROWS}) n
             returning id)
         insert into public.venue_songs (venue_id, song_id) select '{}', id from added",
        desk.organisation, desk.venue
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut desk.database.superuser().await).await.unwrap();
}

#[tokio::test]
async fn what_a_hub_builds_itself_from_is_made_when_it_is_enrolled() {
    let desk = Desk::open().await;
    stock(&desk).await;
    let line = Line::enrolled(&desk).await;
    let many = "select count(*) from private.snapshots";
    let made = async {
        while desk.value(many).await != "2" {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), made).await.expect("nobody has asked for it");
    for scope in [Scope::Catalogue(desk.organisation), Scope::Venue(desk.venue)] {
        let snapshot: Snapshot = line.ask("/v1/sync/snapshot", &DigestAsk { scope }).await.unwrap();
        assert!(snapshot.chunks.iter().map(|chunk| chunk.rows).sum::<u32>() >= MOST_ROWS, "{scope}");
    }
}

/// A media store that does not answer.
fn nowhere() -> Media {
    let settings = MediaSettings {
        endpoint: Some("http://127.0.0.1:1".to_owned()),
        region: "local".to_owned(),
        bucket: "songs".to_owned(),
        access_key: "who".to_owned(),
        secret_key: Secret::new("hush"),
        public_endpoint: None,
    };
    Media::open(&settings).unwrap()
}

#[tokio::test]
async fn where_no_snapshot_can_be_made_hubs_are_told_to_ask_for_rows() {
    let mut desk = Desk::open().await;
    desk.cloud.media = nowhere();
    let mut line = Line::enrolled(&desk).await;
    line.hello().await.unwrap();
    line.push("song_added", &song(a_song(0), b"x")).await;
    let ask = DigestAsk { scope: Scope::Catalogue(desk.organisation) };
    let refused = line.ask::<Snapshot>("/v1/sync/snapshot", &ask).await.unwrap_err();
    assert_eq!(refused.code, ProblemCode::NotFound, "{refused:?}");
}

#[tokio::test]
async fn nothing_is_told_without_a_credential_of_now_and_nothing_of_others() {
    let desk = Desk::open().await;
    let line = Line::enrolled(&desk).await;
    let ask =
        |organisation| PullAsk { scope: Scope::Catalogue(organisation), from: Cursor::default(), limit: 1 };
    let body = encode(&ask(desk.organisation)).unwrap();
    let naked = line.send("POST", "/v1/sync/pull", &[], body.clone()).await;
    assert_eq!(
        (naked.status, naked.read::<Page>().unwrap_err().code),
        (StatusCode::UNAUTHORIZED, ProblemCode::Unauthorised)
    );
    let old = UnixMillis(line.clock.wall().0 - 120_000);
    let old = ("authorization", format!("Bearer {}", hub_token(&line.key, line.hub, old)));
    assert_eq!(
        line.send("POST", "/v1/sync/pull", &[old], body.clone()).await.status,
        StatusCode::UNAUTHORIZED
    );
    let newer = line
        .send("POST", "/v1/sync/pull", &[line.bearer(), (VERSION_HEADER, "2.0".to_owned())], body.clone())
        .await;
    assert_eq!(newer.status, StatusCode::UPGRADE_REQUIRED);
    let minor =
        line.send("POST", "/v1/sync/pull", &[line.bearer(), (VERSION_HEADER, "1.7".to_owned())], body).await;
    assert_eq!(minor.status, StatusCode::OK);
    let foreign = line.ask::<Page>("/v1/sync/pull", &ask(OrganisationId(Uuid::from_u128(4)))).await;
    assert_eq!(foreign.unwrap_err().code, ProblemCode::NotFound);
    let noise = line.send("POST", "/v1/sync/pull", &[line.bearer()], vec![7; 100]).await;
    assert_eq!(noise.status, StatusCode::BAD_REQUEST);
    let long = line.send("POST", "/v1/sync/pull", &[line.bearer()], vec![7; 100_000]).await;
    assert_eq!(long.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn whoever_waits_is_told_that_there_is_news_and_of_what() {
    let desk = Desk::open().await;
    let mut line = Line::enrolled(&desk).await;
    line.hello().await.unwrap();
    let scope = Scope::Catalogue(desk.organisation);
    let venue: Page = line
        .ask("/v1/sync/pull", &PullAsk { scope: Scope::Venue(desk.venue), from: Cursor::default(), limit: 1 })
        .await
        .unwrap();
    let poll = |catalogue: i64, venue: i64| {
        let request = Request::builder().uri(format!("/v1/sync/poll?catalogue={catalogue}&venue={venue}"));
        let (name, value) = line.bearer();
        let answer = line.router.clone().oneshot(request.header(name, value).body(Body::empty()).unwrap());
        async move {
            let body = axum::body::to_bytes(answer.await.unwrap().into_body(), usize::MAX).await.unwrap();
            serde_json::from_slice::<Vec<serde_json::Value>>(&body).unwrap()
        }
    };
    let mut waiting = JoinSet::new();
    waiting.spawn(poll(0, venue.head));
    line.push("song_added", &song(a_song(0), b"x")).await;
    assert!(!waiting.join_next().await.unwrap().unwrap().is_empty(), "there is news");
    let poll =
        line.send("GET", "/v1/sync/poll?catalogue=0&venue=1000000", &[line.bearer()], Vec::new()).await;
    let told: Vec<serde_json::Value> = serde_json::from_slice(&poll.body).unwrap();
    assert!(told.contains(&json!({ "scope": scope.to_string(), "head": 1 })), "{told:?}");
    assert!(poll.headers.contains_key(TIME_HEADER));
}

fn offer(new: &SigningKey, hub: HubId) -> RotateAsk {
    let public = new.public();
    let proof = ByteArray::new(new.sign(&rotation_text(hub, &public)));
    RotateAsk { public_key: ByteArray::new(public), proof }
}

#[tokio::test]
async fn a_hub_changes_its_key_and_the_one_before_is_void_when_the_new_one_was_used() {
    let desk = Desk::open().await;
    let mut line = Line::enrolled(&desk).await;
    line.hello().await.unwrap();
    let (old, new, hub) = ([5; 32], SigningKey::from_seed(&[6; 32]).unwrap(), line.hub);
    let forged = RotateAsk { public_key: ByteArray::new([3; 32]), ..offer(&new, hub) };
    assert_eq!(rotate(&line, &forged).await.unwrap_err().code, ProblemCode::Malformed, "somebody else's key");
    let of_another = offer(&new, HubId(Uuid::from_u128(4)));
    assert_eq!(rotate(&line, &of_another).await.unwrap_err().code, ProblemCode::Malformed);
    // Nobody but the hub itself.
    line.key = SigningKey::from_seed(&[6; 32]).unwrap();
    assert_eq!(rotate(&line, &offer(&new, hub)).await.unwrap_err().code, ProblemCode::Unauthorised);
    line.key = SigningKey::from_seed(&old).unwrap();
    for _ in 0..2 {
        let answer = rotate(&line, &offer(&new, hub)).await.unwrap();
        assert!(answer.pending, "its answer was lost on the way, perhaps");
    }
    line.hello().await.unwrap();
    assert_eq!(changes(&desk).await, "0");
    line.key = new;
    line.hello().await.unwrap();
    assert_eq!(changes(&desk).await, "1");
    line.key = SigningKey::from_seed(&old).unwrap();
    assert_eq!(line.hello().await.unwrap_err().code, ProblemCode::Unauthorised);
    let waits = line.send("GET", "/v1/sync/poll?catalogue=-1&venue=-1", &[line.bearer()], Vec::new()).await;
    assert_eq!(waits.status, StatusCode::UNAUTHORIZED, "nor does it wait for news with it");
    line.key = SigningKey::from_seed(&[6; 32]).unwrap();
    assert!(!rotate(&line, &offer(&line.key, hub)).await.unwrap().pending);
}

async fn rotate(line: &Line, ask: &RotateAsk) -> Result<RotateAnswer, Problem> {
    line.ask("/v1/hubs/rotate", ask).await
}

async fn changes(desk: &Desk) -> String {
    desk.value("select count(*) from public.audit_log where action = 'hub.key_changed'").await
}

#[tokio::test]
async fn a_key_of_another_hub_is_no_key_to_change_to() {
    let desk = Desk::open().await;
    let mut other = Line::open(&desk).await;
    other.key = SigningKey::from_seed(&[6; 32]).unwrap();
    let code = code(&desk).await;
    other.hub = other.enrol(&code).await.unwrap().hub;
    let line = Line::enrolled(&desk).await;
    let taken = rotate(&line, &offer(&other.key, line.hub)).await;
    assert_eq!(taken.unwrap_err().code, ProblemCode::Malformed);
    // One that it is about to change to is as good as its own.
    rotate(&other, &offer(&SigningKey::from_seed(&[7; 32]).unwrap(), other.hub)).await.unwrap();
    let taken = rotate(&line, &offer(&SigningKey::from_seed(&[7; 32]).unwrap(), line.hub)).await;
    assert_eq!(taken.unwrap_err().code, ProblemCode::Malformed);
    line.hello().await.unwrap();
    other.hello().await.unwrap();
}

#[tokio::test]
async fn an_upload_whose_time_has_run_out_was_refused_by_nobody() {
    let desk = Desk::open().await;
    let mut line = Line::enrolled(&desk).await;
    line.hello().await.unwrap();
    let (bytes, id) = (b"a song".to_vec(), a_song(0));
    line.push("song_added", &song(id, &bytes)).await;
    let sha256 = ByteArray::new(sum(&bytes).0);
    let ask = UploadAsk { song: id, sha256, bytes: bytes.len() as u64, content_type: "audio/wav".to_owned() };
    let announced = line.ask::<UploadAnswer>("/v1/sync/upload", &ask).await.unwrap();
    assert!(matches!(announced, UploadAnswer::Put { .. }));
    sqlx::query("update public.song_uploads set state = 'expired' where true")
        .execute(&mut desk.database.superuser().await)
        .await
        .unwrap();
    let uploaded = UploadedAsk { song: id, sha256 };
    let late = line.ask::<UploadedAnswer>("/v1/sync/uploaded", &uploaded).await;
    assert_eq!(late.unwrap_err().code, ProblemCode::NotFound, "the hub announces it anew");
    let anew = line.ask::<UploadAnswer>("/v1/sync/upload", &ask).await.unwrap();
    assert!(matches!(anew, UploadAnswer::Put { .. }));
}

#[tokio::test]
async fn a_dead_letter_that_is_tried_again_is_tried_at_once() {
    let desk = Desk::open().await;
    let mut line = Line::enrolled(&desk).await;
    line.hello().await.unwrap();
    line.push("song_added", &song(a_song(0), b"x")).await;
    let id = |n: u128| Uuid::from_u128((0x0199_7000_0000_7000_8000 << 48) + n);
    let vote = json!({ "id": id(1), "listener": desk.owner.0, "session": id(2), "song": a_song(0), "value": "like",
        "hlc": 1, "cast_at": line.clock.wall().0 });
    let told = line.push("vote_cast", &vote).await;
    assert_eq!(told.apart.len(), 1, "who they are has not been told");
    let letter = desk.value("select id from public.sync_quarantine").await;
    let letter = DeadLetterId(letter.parse().unwrap());
    let retry = |key| dead_letters::decide(&desk.cloud, desk.owner, key, letter, Decision::Retry);
    retry(key()).await.unwrap();
    let apart = || desk.value("select count(*) from public.sync_quarantine");
    assert_eq!(apart().await, "1", "it is not known yet who they are");
    let known = format!(
        "insert into private.venue_people (venue_id, user_id, last_seen_at) values ('{}', '{}', now())",
        desk.venue.0, desk.owner.0
    );
    sqlx::query(sqlx::AssertSqlSafe(known)).execute(&mut desk.database.superuser().await).await.unwrap();
    retry(key()).await.unwrap();
    assert_eq!(apart().await, "0");
    assert_eq!(desk.value("select count(*) from public.votes").await, "1");
}
