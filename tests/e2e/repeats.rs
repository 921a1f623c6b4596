//! Idempotency keys: whoever asks twice is answered as the first time, also after a restart, and nothing happens twice.

use roomtone_hub::cloud_link::Enrolment;
use roomtone_schema::id::Id as _;
use roomtone_schema::{Clock as _, FactId, HubId, OrganisationId, PlayId, SystemClock, VenueId};
use roomtone_sync::credential::{SigningKey, Ticket};
use roomtone_tests::{Answer, Guest, TestVenue, new_key, workspace, write_tones};
use serde_json::{Value, json};
use uuid::Uuid;

/// Long enough that the song still plays when somebody wants to skip it, on a busy machine.
const SONG_SECONDS: u32 = 20;

/// Facts that the cloud keeps apart in this room: one to send again, one to drop, and one that nobody names.
const LETTERS: [u128; 3] = [1, 2, 3];

/// The venue's name at a cloud that is never asked.
const AT_CLOUD: VenueId = VenueId(Uuid::from_u128(31));

/// A mutation as it is asked here.
struct Case {
    name: &'static str,
    input: Value,
    /// Another input, sent under the same key.
    other: Value,
    /// What of the answer must be the same each time: what was done, not how things stand by now.
    select: &'static str,
}

/// A room where a song plays, a player that plays it, and somebody who came with the first key.
struct Scene {
    venue: TestVenue,
    song: String,
    another: String,
    pick: Value,
    player: Guest,
    /// What the player is known by.
    player_id: Value,
    /// Whoever runs the venue.
    manager: Guest,
    /// Two, so that one wish to skip is not enough.
    ana: Guest,
    bo: Guest,
}

impl Scene {
    async fn set() -> Self {
        let venue = TestVenue::closed();
        write_tones(&venue.library(), 2, SONG_SECONDS);
        let venue = venue.import();
        know_a_cloud(&venue);
        let venue = venue.open();
        let mut player = venue.passer_by();
        player.use_token(&venue.player_token("bar"));
        let claim =
            send(&player, "claimNextSong", json!({ "idempotencyKey": new_key() }), "pick { id }").await;
        let pick = payload(&claim)["pick"]["id"].clone();
        let mut manager = venue.passer_by();
        let said = venue.run::<&str>("manager token", []).succeeded().stdout;
        manager.use_token(said.split_whitespace().max_by_key(|word| word.len()).unwrap());
        let players = manager.ask("{ players { id } }", json!({})).await;
        let player_id = players.data()["players"][0]["id"].clone();
        let (ana, bo) = (venue.check_in("ana").await, venue.check_in("bo").await);
        let songs = ana.songs().await;
        let (song, another) = (songs[0].0.clone(), songs[1].0.clone());
        Self { venue, song, another, pick, player, player_id, manager, ana, bo }
    }

    fn asker(&self, mutation: &str) -> &Guest {
        match mutation {
            "claimNextSong" | "reportPlayback" | "reportPlays" => &self.player,
            "orderPlayer" | "retryDeadLetter" | "discardDeadLetter" => &self.manager,
            _ => &self.ana,
        }
    }

    /// Every mutation but check-in, which has its own test, in an order in which each can be done.
    fn cases(&self) -> Vec<Case> {
        let case = |name, input, other, select| Case { name, input, other, select };
        let vote = |song: &str, value| json!({ "songId": song, "value": value });
        let ended = |pick: &Value, silence| json!({ "status": "IDLE", "pickId": pick, "ended": "FINISHED", "silenceMs": silence });
        let letter = |number| json!({ "deadLetterId": FactId(Uuid::from_u128(number)).to_global() });
        vec![
            case(
                "signIn",
                json!({ "ticket": ticket(), "claimVotes": true }),
                json!({ "ticket": "none" }),
                "claimedVotes me { id }",
            ),
            case(
                "retryDeadLetter",
                letter(LETTERS[0]),
                letter(LETTERS[2]),
                "deadLetter { id kind reason state }",
            ),
            case(
                "discardDeadLetter",
                letter(LETTERS[1]),
                letter(LETTERS[2]),
                "deadLetter { id kind reason state }",
            ),
            case(
                "vote",
                vote(&self.song, "LIKE"),
                vote(&self.another, "DISLIKE"),
                "vote { id value song { id } } taste { name value }",
            ),
            case("voteToSkip", json!({}), json!({}), "nowPlaying { zone { id } }"),
            case(
                "reportPlayback",
                ended(&self.pick, 400),
                json!({ "status": "ACTIVE" }),
                "player { id name }",
            ),
            case(
                "reportPlays",
                json!({ "plays": [self.late_play()] }),
                json!({ "plays": [] }),
                "taken unknown",
            ),
            case(
                "orderPlayer",
                json!({ "playerId": self.player_id, "kind": "VOLUME", "volume": 0.5 }),
                json!({ "playerId": self.player_id, "kind": "SKIP" }),
                "player { id name volume }",
            ),
            case("claimNextSong", json!({}), json!({}), "pick { id song { id } }"),
            case("checkOut", json!({}), json!({}), "session { id status checkedInAt expiresAt }"),
        ]
    }
}

impl Scene {
    fn late_play(&self) -> Value {
        let play: PlayId = new_key().parse().unwrap();
        json!({
            "playId": play.to_global(), "songId": self.another, "startedAgoMs": 60_000, "endedAgoMs": 40_000,
            "heardMs": 20_000, "ended": "FINISHED", "tier": "PLAN",
        })
    }
}

/// Has the hub know a cloud, which it does not ask, and facts that it keeps apart.
fn know_a_cloud(venue: &TestVenue) {
    std::fs::write(venue.data().join("hub.toml"), "[cloud]\nsync = false\n").unwrap();
    let enrolment = Enrolment {
        url: "https://cloud.invalid".to_owned(),
        hub: HubId(Uuid::from_u128(30)),
        venue: AT_CLOUD,
        organisation: OrganisationId(Uuid::from_u128(32)),
        venue_name: "Here".to_owned(),
        hub_name: "Bar".to_owned(),
        public_key: None,
    };
    let conn = rusqlite::Connection::open(venue.data().join(roomtone_hub::store::FILE_NAME)).unwrap();
    let know = "insert into hub_state (key, value) values (?1, ?2)";
    conn.execute(know, ("enrolment", serde_json::to_string(&enrolment).unwrap())).unwrap();
    conn.execute(know, ("ticket_keys", cloud_key().public())).unwrap();
    for number in LETTERS {
        conn.execute(
            "insert into dead_letters (op_id, seq, kind, payload, hlc, outcome, reason, told_at)
             values (?1, ?2, 'vote_cast', ?3, 0, 'rejected', 'for a test', 0)",
            (Uuid::from_u128(number).as_bytes(), number as i64, b"{}"),
        )
        .unwrap();
    }
}

fn cloud_key() -> SigningKey {
    SigningKey::from_seed(&[7; 32]).unwrap()
}

/// A ticket that nobody has shown yet, of one and the same person.
fn ticket() -> String {
    let jti = new_key().parse().unwrap();
    Ticket::new(jti, Uuid::from_u128(33), AT_CLOUD, None, SystemClock::new().wall()).sign(&cloud_key())
}

#[test]
fn every_mutation_is_tried_here() {
    let sdl = std::fs::read_to_string(workspace::root().join("schema/hub.graphql")).unwrap();
    let body = sdl.split("\ntype Mutation {\n").nth(1).unwrap().split("\n}").next().unwrap();
    let mut known: Vec<&str> =
        body.lines().filter_map(|line| Some(line.split_once("(input:")?.0.trim())).collect();
    known.sort_unstable();
    let tried = [
        "checkIn",
        "checkOut",
        "claimNextSong",
        "discardDeadLetter",
        "orderPlayer",
        "reportPlayback",
        "reportPlays",
        "retryDeadLetter",
        "signIn",
        "vote",
        "voteToSkip",
    ];
    assert_eq!(known, tried, "a mutation without a case in this file");
}

#[tokio::test]
async fn a_repeated_key_returns_the_first_result_also_after_a_restart() {
    let mut scene = Scene::set().await;
    let mut firsts = Vec::new();
    for mut case in scene.cases() {
        case.input["idempotencyKey"] = json!(new_key());
        let asker = scene.asker(case.name);
        let first = send(asker, case.name, case.input.clone(), case.select).await;
        assert_eq!(payload(&first)["userErrors"], json!([]), "{}: {:#}", case.name, first.body);
        let again = send(asker, case.name, case.input.clone(), case.select).await;
        assert_eq!(first.body, again.body, "{} sent twice", case.name);
        firsts.push((case, first));
    }
    scene.venue = scene.venue.restart();
    for (case, first) in firsts {
        let asker = scene.asker(case.name);
        let again = send(asker, case.name, case.input.clone(), case.select).await;
        assert_eq!(first.body, again.body, "{} after a restart", case.name);
        let mut other = case.other;
        other["idempotencyKey"] = case.input["idempotencyKey"].clone();
        let again = send(asker, case.name, other, case.select).await;
        assert_eq!(first.body, again.body, "{} with another input under the same key", case.name);
    }
    assert_eq!(scene.bo.votes().await, [], "nobody else voted");
    scene.venue.close();
}

#[tokio::test]
async fn what_was_said_twice_is_counted_once() {
    let mut scene = Scene::set().await;
    for case in scene.cases() {
        let mut input = case.input;
        input["idempotencyKey"] = json!(new_key());
        if case.name == "checkOut" {
            continue;
        }
        for _ in 0..3 {
            send(scene.asker(case.name), case.name, input.clone(), case.select).await;
        }
    }
    assert_eq!(scene.ana.votes().await, [(scene.song.clone(), "LIKE".to_owned())]);
    let now = scene.bo.ask("{ nowPlaying { skipVotes } }", json!({})).await;
    assert_eq!(
        now.data()["nowPlaying"]["skipVotes"],
        0,
        "the song that had the wish is over, the next has none"
    );
    assert_eq!(scene.venue.health().await["players"]["silence_s"], 0.4);
    scene.venue.close();
}

#[tokio::test]
async fn a_repeated_check_in_is_the_same_visit_with_a_fresh_token_and_the_old_one_void() {
    let venue = TestVenue::with_songs(1);
    let mut ana = venue.passer_by();
    let input = json!({ "idempotencyKey": new_key(), "venueCode": venue.code(), "displayName": "ana" });
    let session = |answer: &Answer| payload(answer)["session"]["id"].clone();
    let first = ana.try_check_in(input.clone()).await;
    let mut void = vec![ana.token().unwrap().to_owned()];

    let again = ana.try_check_in(input.clone()).await;
    assert_eq!(session(&first), session(&again));
    void.push(ana.token().unwrap().to_owned());

    let mut venue = venue.restart();
    let other =
        json!({ "idempotencyKey": input["idempotencyKey"], "venueCode": venue.code(), "displayName": "bo" });
    let again = ana.try_check_in(other).await;
    assert_eq!(session(&first), session(&again), "also after a restart, and whatever else the input says");

    let me = "{ me { displayName session { id status } } }";
    let now = ana.ask(me, json!({})).await;
    assert_eq!(
        now.data()["me"],
        json!({ "displayName": "ana", "session": { "id": session(&first), "status": "ACTIVE" } })
    );
    assert_eq!(ana.vibe().await["activeListeners"], 1, "one visit, not three");
    for token in void {
        assert_ne!(ana.token(), Some(token.as_str()));
        let mut thief = venue.passer_by();
        thief.use_token(&token);
        assert_eq!(thief.ask(me, json!({})).await.data()["me"], Value::Null);
        let song = &thief.songs().await[0].0;
        assert_eq!(thief.vote(song, "LIKE").await.refusal().0, "NOT_CHECKED_IN");
    }
    venue.close();
}

#[tokio::test]
async fn a_check_in_that_has_ended_is_not_begun_again_by_its_key() {
    let mut venue = TestVenue::with_songs(1);
    let mut ana = venue.passer_by();
    let input = json!({ "idempotencyKey": new_key(), "venueCode": venue.code() });
    ana.try_check_in(input.clone()).await;
    send(&ana, "checkOut", json!({ "idempotencyKey": new_key() }), "session { id }").await;
    let again = ana.try_check_in(input).await;
    assert_eq!(again.refusal().0, "CONFLICT");
    assert_eq!(field(&again), json!(["input", "idempotencyKey"]));
    venue.close();
}

#[tokio::test]
async fn a_key_of_another_mutation_is_a_conflict_that_names_the_field() {
    let mut scene = Scene::set().await;
    let players = ["claimNextSong", "reportPlayback"];
    for (first, then) in [
        ("voteToSkip", "vote"),
        ("vote", "voteToSkip"),
        ("vote", "checkOut"),
        ("reportPlayback", "claimNextSong"),
        ("claimNextSong", "reportPlayback"),
    ] {
        assert_eq!(players.contains(&first), players.contains(&then), "keys are one's own");
        let key = new_key();
        let input = |name: &str| {
            let case = scene.cases().into_iter().find(|case| case.name == name).unwrap();
            let mut input = case.input;
            input["idempotencyKey"] = json!(key);
            input
        };
        let done = send(scene.asker(first), first, input(first), "__typename").await;
        assert_eq!(payload(&done)["userErrors"], json!([]), "{first}: {:#}", done.body);
        let refused = send(scene.asker(then), then, input(then), "__typename").await;
        assert_eq!(refused.refusal().0, "CONFLICT", "{first}, then {then}");
        assert_eq!(field(&refused), json!(["input", "idempotencyKey"]));
    }
    scene.venue.close();
}

#[tokio::test]
async fn a_key_that_is_no_uuid_is_refused_by_every_mutation() {
    let mut scene = Scene::set().await;
    let check_in = Case {
        name: "checkIn",
        input: json!({ "venueCode": scene.venue.code() }),
        other: Value::Null,
        select: "token",
    };
    for case in scene.cases().into_iter().chain([check_in]) {
        for key in ["", "1", "not-a-uuid", "U29uZzowMDAwMDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDA"] {
            let mut input = case.input.clone();
            input["idempotencyKey"] = json!(key);
            let refused = send(scene.asker(case.name), case.name, input, "__typename").await;
            assert_eq!(refused.refusal().0, "INVALID", "{} with {key:?}", case.name);
            assert_eq!(field(&refused), json!(["input", "idempotencyKey"]));
        }
    }
    scene.venue.close();
}

async fn send(asker: &Guest, name: &str, input: Value, select: &str) -> Answer {
    let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
    asker.mutate(name, &kind, input, select).await
}

fn payload(answer: &Answer) -> &Value {
    answer.data().as_object().and_then(|data| data.values().next()).unwrap()
}

fn field(answer: &Answer) -> Value {
    payload(answer)["userErrors"][0]["field"].clone()
}
