//! What hubs meet: the program over a real Postgres, and whoever speaks to it, in order or out of it.

use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::header::RETRY_AFTER;
use reqwest::{Method, StatusCode};
use roomtone_cloud::hubs::EnrolmentCode;
use roomtone_schema::id::Id as _;
use roomtone_schema::{BootId, Clock as _, HubId, SystemClock, UnixMillis, VenueId};
use roomtone_sync::chain;
use roomtone_sync::credential::{SigningKey, enrolment_text, hub_token};
use roomtone_sync::store::KnownHub;
use roomtone_sync::wire::{
    Cursor, EnrolAnswer, EnrolAsk, Fact, Facts, Hello, HelloAnswer, Page, Problem, ProblemCode, PullAsk,
    Push, PushAnswer, Scope, Stamp, Standing, TIME_HEADER, VERSION, VERSION_HEADER, decode, encode,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_bytes::ByteArray;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::issuer::{Issuer, Keys};
use crate::postgres::{Postgres, TestDatabase, Version, run};
use crate::program::{Program, client, eventually};
use crate::starting::variables;

/// A clock that was compared a moment ago is not off by more.
const JUST_NOW_MS: i64 = 60_000;

/// Intents so far.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A cloud with a venue, and its manager.
struct Place {
    program: Program,
    database: TestDatabase,
    venue: VenueId,
    token: String,
    _issuer: Issuer,
}

impl Place {
    async fn open() -> Self {
        let database = Postgres::start(Version::V18).database().await;
        let keys = Keys::new("a");
        let issuer = Issuer::publishing(&[&keys]).await;
        let mut variables = variables(&database.url, &issuer.project);
        variables.extend([("ROOMTONE_LOG", "debug"), ("ROOMTONE_CLOUD_DATABASE_STATEMENT_S", "2")]);
        let program = Program::up(&["serve"], &variables).await;
        let owner = database.user("ana@cafe.example", None).await;
        let venue = database.venue(owner).await;
        let token = keys.sign(&issuer.claims(owner));
        Self { program, database, venue, token, _issuer: issuer }
    }

    /// What the manager asks for; panics where it is refused.
    async fn mutate(&self, name: &str, fields: &str, select: &str) -> Value {
        let key = Uuid::from_u128(NEXT.fetch_add(1, Ordering::Relaxed).into());
        let query = format!(
            "mutation {{ {name}(input: {{ idempotencyKey: \"{key}\", {fields} }}) {{ {select} userErrors {{ message }} }} }}"
        );
        let answer = self.program.ask(Some(&self.token), &query).await;
        let payload = answer["data"][name].clone();
        assert_eq!(payload["userErrors"], json!([]), "{name}: {answer}");
        payload
    }

    async fn code(&self) -> String {
        let fields = format!("venueId: \"{}\", name: \"Behind the bar\"", self.venue.to_global());
        let made = self.mutate("createHubEnrolment", &fields, "code").await;
        made["code"].as_str().unwrap().to_owned()
    }

    /// The venue gets another name, which its hubs are told.
    async fn renames(&self, name: &str) {
        let fields = format!("id: \"{}\", name: \"{name}\"", self.venue.to_global());
        self.mutate("updateVenue", &fields, "").await;
    }

    /// A box that has shown its code.
    async fn hub(&self) -> Hub<'_> {
        let key = SigningKey::from_seed(&[7; 32]).unwrap();
        let answer: EnrolAnswer =
            self.told("/v1/hubs/enrol", &enrol(&self.code().await, &key)).await.unwrap();
        assert_eq!((answer.venue, answer.hub_name.as_str()), (self.venue, "Behind the bar"));
        let known = KnownHub {
            id: answer.hub,
            venue: answer.venue,
            organisation: answer.organisation,
            keys: vec![key.public()],
        };
        Hub { place: self, known, key }
    }

    async fn told<T: DeserializeOwned>(&self, path: &str, question: &impl Serialize) -> Result<T, Problem> {
        self.send(Method::POST, path, None, encode(question).unwrap()).await.message()
    }

    async fn send(&self, method: Method, path: &str, token: Option<&str>, body: Vec<u8>) -> Answer {
        let mut request = client().request(method, self.program.url(path)).body(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        Answer::of(request.send().await.unwrap()).await
    }
}

/// An answer of the cloud: every one says what time it is, and what is spoken.
struct Answer {
    status: StatusCode,
    retry_after: Option<u64>,
    body: Vec<u8>,
}

impl Answer {
    async fn of(response: reqwest::Response) -> Self {
        let header =
            |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let time: i64 = header(TIME_HEADER).expect("the time").parse().unwrap();
        assert!((SystemClock::new().wall().0 - time).abs() < JUST_NOW_MS, "{time}");
        assert_eq!(header(VERSION_HEADER), Some(VERSION.to_string()));
        let retry_after = header(RETRY_AFTER.as_str()).map(|seconds| seconds.parse().unwrap());
        Self { status: response.status(), retry_after, body: response.bytes().await.unwrap().to_vec() }
    }

    fn message<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if self.status == StatusCode::OK {
            return Ok(decode(&self.body).unwrap());
        }
        Err(decode(&self.body).unwrap_or_else(|error| panic!("{}: {error}", self.status)))
    }

    /// Refused with this status and this code.
    fn is_refused(&self, status: u16, code: ProblemCode) {
        let problem = self.message::<()>().unwrap_err();
        assert_eq!((self.status.as_u16(), problem.code), (status, code), "{}", problem.message);
    }
}

/// A box that was let in.
struct Hub<'a> {
    place: &'a Place,
    known: KnownHub,
    key: SigningKey,
}

impl Hub<'_> {
    fn token(&self) -> String {
        hub_token(&self.key, self.known.id, SystemClock::new().wall())
    }

    async fn sends(&self, path: &str, question: &impl Serialize) -> Answer {
        self.place.send(Method::POST, path, Some(&self.token()), encode(question).unwrap()).await
    }

    async fn hello(&self) -> Answer {
        self.sends("/v1/sync/hello", &hello()).await
    }

    async fn pull(&self, scope: Scope) -> Result<Page, Problem> {
        let ask = PullAsk { scope, from: Cursor::default(), limit: 5_000 };
        self.sends("/v1/sync/pull", &ask).await.message()
    }

    fn venue_scope(&self) -> Scope {
        Scope::Venue(self.known.venue)
    }

    /// Waits for news behind these places.
    async fn polls(&self, catalogue: i64, venue: i64) -> reqwest::Response {
        let path = format!("/v1/sync/poll?catalogue={catalogue}&venue={venue}");
        client().get(self.place.program.url(&path)).bearer_auth(self.token()).send().await.unwrap()
    }
}

fn enrol(code: &str, key: &SigningKey) -> EnrolAsk {
    EnrolAsk {
        code: code.to_owned(),
        public_key: ByteArray::new(key.public()),
        proof: ByteArray::new(key.sign(&enrolment_text(code, &key.public()))),
        software: "a test".to_owned(),
    }
}

fn hello() -> Hello {
    let now = SystemClock::new();
    Hello {
        epoch: 1,
        instance: Uuid::from_u128(1),
        predecessor: None,
        moved: false,
        last_seq: 0,
        acked: 0,
        oldest: 1,
        acked_chain: Some(ByteArray::new(chain::BEGINNING)),
        forked: false,
        now: Stamp { boot: boot(), mono_ms: now.monotonic_ms(), wall_ms: now.wall().0 },
        steady_ms: now.wall().0,
        software: "a test".to_owned(),
        pending: 0,
        zones: vec![],
        players: vec![],
        rooms: vec![],
        guests_cut_off: false,
    }
}

fn boot() -> BootId {
    BootId::from_uuid(Uuid::from_u128(9))
}

/// One decision of the recommender's, told first.
fn push() -> Push {
    let now = SystemClock::new();
    let fact = Fact {
        kind: "pick_made".to_owned(),
        payload: b"{}".to_vec(),
        hlc: now.wall().0.cast_unsigned() << 16,
        boot: boot(),
        mono_ms: 1,
        wall_ms: 1,
    };
    let (instance, before) = (Uuid::from_u128(1), ByteArray::new(chain::BEGINNING));
    Push { epoch: 1, instance, first_seq: 1, before, facts: Facts::of(&[fact]).unwrap() }
}

#[tokio::test]
async fn a_box_is_let_in_once_by_its_code_and_then_told_and_heard() {
    let place = Place::open().await;
    let code = place.code().await;
    let key = SigningKey::from_seed(&[3; 32]).unwrap();
    let other = EnrolAsk { public_key: ByteArray::new([1; 32]), ..enrol(&code, &key) };
    let refused = place.told::<EnrolAnswer>("/v1/hubs/enrol", &other).await.unwrap_err();
    assert_eq!(refused.code, ProblemCode::Malformed, "somebody else's key");
    let first: EnrolAnswer = place.told("/v1/hubs/enrol", &enrol(&code, &key)).await.unwrap();
    let again: EnrolAnswer = place.told("/v1/hubs/enrol", &enrol(&code, &key)).await.unwrap();
    assert_eq!(again, first, "whoever has not heard the answer asks again");
    let second = enrol(&code, &SigningKey::from_seed(&[4; 32]).unwrap());
    let refused = place.told::<EnrolAnswer>("/v1/hubs/enrol", &second).await.unwrap_err();
    assert_eq!(refused.code, ProblemCode::Code, "a code lets one box in");

    let hub = place.hub().await;
    let welcome: HelloAnswer = hub.hello().await.message().unwrap();
    assert_eq!((welcome.standing, welcome.epoch, welcome.ack), (Standing::Welcome, 1, 0));
    for _ in 0..2 {
        let taken: PushAnswer = hub.sends("/v1/sync/push", &push()).await.message().unwrap();
        assert_eq!((taken.ack, taken.apart), (1, vec![]), "twice is once");
    }
    let gap = Push { first_seq: 7, ..push() };
    hub.sends("/v1/sync/push", &gap).await.is_refused(409, ProblemCode::Gap);
    let page = hub.pull(hub.venue_scope()).await.unwrap();
    assert!(!page.rows.is_empty() && page.to.seq == page.head, "{page:?}");
    let foreign = hub.pull(Scope::Venue(VenueId::from_uuid(Uuid::from_u128(5)))).await.unwrap_err();
    assert_eq!(foreign.code, ProblemCode::NotFound);
    let kept = place.program.said();
    // Every token begins with those three letters.
    for secret in [code.as_str(), "eyJ", "canary"] {
        assert!(!kept.contains(secret), "{secret} stands in the log");
    }
    assert!(kept.contains("DEBUG"), "the log tells all that it ever does");
}

#[tokio::test]
async fn whoever_waits_is_told_at_once_and_a_poll_asks_the_database_nothing() {
    let place = Place::open().await;
    let hub = place.hub().await;
    let welcome: HelloAnswer = hub.hello().await.message().unwrap();
    let end = |scope: Scope| welcome.heads.iter().find(|head| head.scope == scope).map_or(0, |head| head.seq);
    let (catalogue, venue) = (end(Scope::Catalogue(hub.known.organisation)), end(hub.venue_scope()));
    let path = format!("/v1/sync/live?catalogue={catalogue}&venue={venue}");
    let mut stream = client().get(place.program.url(&path)).bearer_auth(hub.token()).send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let (told, ()) = tokio::join!(hub.polls(catalogue, venue), place.renames("Another name"));
    let poke: Value = told.json().await.unwrap();
    let head = poke[0]["head"].as_i64().unwrap();
    assert!(venue < head, "{poke}");
    assert_eq!(poke, json!([{ "scope": hub.venue_scope().to_string(), "head": head }]));
    let mut pokes = String::new();
    while !pokes.contains("data:") {
        pokes.push_str(&String::from_utf8_lossy(&stream.chunk().await.unwrap().expect("it goes on")));
    }
    assert!(pokes.contains(&format!("\"head\":{head}")) && !pokes.contains("Another"), "{pokes}");

    // Nothing can be read there, and whoever only asks whether there is something new is answered all the same.
    let mut holder = place.database.superuser().await;
    eventually("fifty are answered from memory", async || {
        // After each change of the venue its hubs are looked up once.
        hub.polls(catalogue, venue).await;
        run(&mut holder, EVERYTHING_LOCKED).await;
        let mut answered = 0;
        while answered < 50 && hub.polls(catalogue, venue).await.status() == StatusCode::OK {
            answered += 1;
        }
        run(&mut holder, "commit").await;
        answered == 50
    })
    .await;
    hub.hello().await.message::<HelloAnswer>().unwrap();
}

const EVERYTHING_LOCKED: &str = "begin; do $$ declare t text; begin
    for t in select format('%I.%I', schemaname, tablename) from pg_tables where schemaname in ('public', 'private') order by 1 loop
      execute format('lock table %s in access exclusive mode', t);
    end loop; end $$";

#[tokio::test]
async fn a_hub_that_is_told_to_go_is_heard_no_more() {
    let place = Place::open().await;
    let hub = place.hub().await;
    hub.hello().await.message::<HelloAnswer>().unwrap();
    place.mutate("revokeHub", &format!("id: \"{}\"", hub.known.id.to_global()), "hub { id }").await;
    let refused = hub.hello().await;
    assert!([401, 403].contains(&refused.status.as_u16()), "{}", refused.status);
    refused.message::<HelloAnswer>().unwrap_err();
    hub.sends("/v1/sync/push", &push()).await.message::<PushAnswer>().unwrap_err();
    hub.pull(hub.venue_scope()).await.unwrap_err();
    eventually("whoever waits is believed no more", async || {
        hub.polls(0, 0).await.status().is_client_error()
    })
    .await;
}

#[tokio::test]
async fn what_is_no_question_is_refused_by_its_name() {
    let place = Place::open().await;
    let hub = place.hub().await;
    let (token, path) = (hub.token(), "/v1/sync/pull");
    let post = async |token: Option<&str>, body: Vec<u8>| place.send(Method::POST, path, token, body).await;
    let question = encode(&PullAsk { scope: hub.venue_scope(), from: Cursor::default(), limit: 1 }).unwrap();
    assert_eq!(post(Some(&token), question.clone()).await.status, StatusCode::OK);

    let spoken = client().post(place.program.url(path)).bearer_auth(&token).header(VERSION_HEADER, "99.0");
    let answer = Answer::of(spoken.body(question.clone()).send().await.unwrap()).await;
    answer.is_refused(426, ProblemCode::Version);
    let newer = format!("{}.99", VERSION.major);
    let spoken = client().post(place.program.url(path)).bearer_auth(&token).header(VERSION_HEADER, newer);
    let answer = Answer::of(spoken.body(question.clone()).send().await.unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK, "a later minor version is understood");

    post(None, question.clone()).await.is_refused(401, ProblemCode::Unauthorised);
    post(Some("eyJ.no.token"), question.clone()).await.is_refused(401, ProblemCode::Unauthorised);
    let stranger = SigningKey::from_seed(&[9; 32]).unwrap();
    let now = SystemClock::new().wall();
    for bad in [
        hub_token(&stranger, hub.known.id, now),
        hub_token(&hub.key, HubId::from_uuid(Uuid::from_u128(5)), now),
        hub_token(&hub.key, hub.known.id, UnixMillis(now.0 - 600_000)),
        hub_token(&hub.key, hub.known.id, UnixMillis(now.0 + 600_000)),
    ] {
        post(Some(&bad), question.clone()).await.is_refused(401, ProblemCode::Unauthorised);
    }

    for garbage in [vec![], b"{}".to_vec(), vec![0xff; 100], question[..question.len() / 2].to_vec()] {
        post(Some(&token), garbage).await.is_refused(400, ProblemCode::Malformed);
    }
    post(Some(&token), vec![1; 100 * 1024]).await.is_refused(413, ProblemCode::Malformed);
    let far_too_long = vec![1; 2 * 1024 * 1024];
    let push = place.send(Method::POST, "/v1/sync/push", Some(&token), far_too_long).await;
    push.is_refused(413, ProblemCode::Malformed);
    // A little that unpacks to very much.
    let bomb = encode(&"x".repeat(3 * 1024 * 1024)).unwrap();
    assert!(bomb.len() < 64 * 1024);
    post(Some(&token), bomb).await.is_refused(400, ProblemCode::Malformed);
}

#[tokio::test]
async fn codes_cannot_be_guessed_at_leisure() {
    let place = Place::open().await;
    let (code, key) = (place.code().await, SigningKey::from_seed(&[3; 32]).unwrap());
    let mut busy = None;
    for _ in 0..40 {
        let guess = EnrolmentCode::fresh().unwrap().to_string();
        let body = encode(&enrol(&guess, &key)).unwrap();
        let answer = place.send(Method::POST, "/v1/hubs/enrol", None, body).await;
        if answer.status != StatusCode::NOT_FOUND {
            busy = Some(answer);
            break;
        }
        answer.is_refused(404, ProblemCode::Code);
    }
    let busy = busy.expect("guesses have an end");
    busy.is_refused(503, ProblemCode::Busy);
    assert!(busy.retry_after.is_some_and(|seconds| seconds <= 10), "{:?}", busy.retry_after);
    eventually("the right code opens after a moment", async || {
        place.told::<EnrolAnswer>("/v1/hubs/enrol", &enrol(&code, &key)).await.is_ok()
    })
    .await;
}
