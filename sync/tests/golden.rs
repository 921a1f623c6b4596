//! Messages as each release sent them: what was understood once is understood for ever. `ROOMTONE_BLESS=1` writes the bytes
//! of messages that have none yet; what is there is never written over.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::fmt::Debug;
use std::path::PathBuf;

use roomtone_schema::id::Id as _;
use roomtone_schema::session::SessionStatus;
use roomtone_schema::view::OpenHoursView;
use roomtone_schema::vote::VoteValue;
use roomtone_schema::{
    BootId, DeviceId, HubId, ListenerId, OrganisationId, PlayerId, SessionId, SongId, UnixMillis, VenueId,
    ZoneId,
};
use roomtone_sync::wire::{
    Apart, Cursor, DigestAnswer, EnrolAnswer, EnrolAsk, Fact, Facts, GuestSession, GuestSkip, GuestVote,
    Head, HeardAnswer, Hello, HelloAnswer, NowTold, Outcome, Page, PairingAnswer, PairingAsk, PairingNews,
    PairingSaid, PlayerNews, PlayerTold, Problem, ProblemCode, PullAsk, Push, PushAnswer, RoomTold,
    RotateAnswer, RotateAsk, Row, RowsAnswer, RowsAsk, Scope, Snapshot, Stamp, Standing, VenueSong, VibeTold,
    VolumeOrder, ZoneTold, decode, encode, encode_noun,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_bytes::ByteArray;
use uuid::Uuid;

const RELEASE: &str = "1.0";

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn is_as_it_was<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, message: &T) {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{RELEASE}-{name}.bin"));
    if !path.exists() && std::env::var_os("ROOMTONE_BLESS").is_some() {
        std::fs::write(&path, encode(message).unwrap()).unwrap();
    }
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(&decode::<T>(&bytes).unwrap(), message, "{name} of {RELEASE} is understood otherwise today");
}

fn hello() -> Hello {
    Hello {
        epoch: 3,
        instance: id(1),
        predecessor: Some(id(2)),
        moved: true,
        last_seq: 90,
        acked: 80,
        oldest: 7,
        acked_chain: Some(ByteArray::new([9; 32])),
        forked: true,
        now: Stamp { boot: BootId::from_uuid(id(3)), mono_ms: 1_000, wall_ms: -5 },
        steady_ms: 1_795_348_800_000,
        software: "roomtone-hub 1.0.0".to_owned(),
        pending: 10,
        zones: vec![ZoneTold { id: ZoneId::from_uuid(id(4)), name: "main".to_owned(), fares: None }],
        players: vec![],
        rooms: vec![],
        guests_cut_off: false,
    }
}

fn room() -> RoomTold {
    RoomTold {
        zone: ZoneId::from_uuid(id(4)),
        now: Some(NowTold {
            song: SongId::from_uuid(id(9)),
            started_at: UnixMillis(77),
            position_ms: 1_500,
            skip_votes: 0,
            skip_votes_needed: 0,
        }),
        next: vec![SongId::from_uuid(id(10))],
        ahead: vec![],
        vibe: VibeTold {
            axes: [0.5, -0.5, 0.0, 1.0, -1.0],
            consensus: 0.25,
            listeners: 3,
            source: "listeners".to_owned(),
        },
        needs_screen_code: true,
        hours: Some(OpenHoursView {
            as_of: UnixMillis(78),
            is_open: true,
            closes_at: Some(UnixMillis(90)),
            opens_at: None,
            daypart: Some("Lunch".to_owned()),
        }),
    }
}

fn facts() -> Vec<Fact> {
    let fact = |number: u64, kind: &str| Fact {
        kind: kind.to_owned(),
        payload: format!("{{\"n\":{number}}}").into_bytes(),
        hlc: number << 16,
        boot: BootId::from_uuid(id(u128::from(number / 2))),
        mono_ms: number as i64 * 10,
        wall_ms: number as i64 * 10 + 5,
    };
    vec![fact(1, "vote_cast"), fact(2, "vote_cast"), fact(3, "pick_made")]
}

#[test]
fn what_goes_up_is_understood() {
    is_as_it_was("hello", &hello());
    let facts = Facts::of(&facts()).unwrap();
    is_as_it_was("hello-rooms", &Hello { rooms: vec![room()], ..hello() });
    let playing = room().now.map(|now| NowTold { skip_votes: 1, skip_votes_needed: 2, ..now });
    is_as_it_was("hello-skips", &Hello { rooms: vec![RoomTold { now: playing, ..room() }], ..hello() });
    let ahead = vec![SongId::from_uuid(id(10)), SongId::from_uuid(id(11))];
    let rooms = vec![RoomTold { ahead, ..room() }];
    is_as_it_was("hello-staff", &Hello { rooms, guests_cut_off: true, ..hello() });
    let push = Push { epoch: 3, instance: id(1), first_seq: 81, before: ByteArray::new([9; 32]), facts };
    is_as_it_was("push", &push);
    let apart = vec![Apart { seq: 82, outcome: Outcome::Parked, reason: "not there yet".to_owned() }];
    is_as_it_was("push-answer", &PushAnswer { ack: 83, apart, now: UnixMillis(5) });
    let (public_key, proof) = (ByteArray::new([1; 32]), ByteArray::new([2; 64]));
    is_as_it_was("rotate", &RotateAsk { public_key, proof });
    is_as_it_was(
        "enrol",
        &EnrolAsk {
            code: "ABCD-EFGH".to_owned(),
            public_key: ByteArray::new([1; 32]),
            proof: ByteArray::new([2; 64]),
            software: "roomtone-hub 1.0.0".to_owned(),
        },
    );
}

#[test]
fn what_comes_down_is_understood() {
    let scope = Scope::Venue(VenueId(id(6)));
    let catalogue = Scope::Catalogue(OrganisationId(id(7)));
    let answer = HelloAnswer {
        standing: Standing::Fenced,
        now: UnixMillis(9),
        epoch: 4,
        ack: 80,
        lease_ms: 90_000,
        heads: vec![Head { scope, seq: 12 }],
        revisions: vec![("song".to_owned(), 1)],
        ticket_keys: vec![ByteArray::new([5; 32])],
        venue_name: "Café".to_owned(),
        hub_name: "Cellar".to_owned(),
        news_every_ms: 0,
    };
    is_as_it_was("hello-answer", &answer);
    is_as_it_was("hello-answer-news", &HelloAnswer { news_every_ms: 5_000, ..answer });
    is_as_it_was("rotate-answer", &RotateAnswer { pending: true });
    is_as_it_was(
        "enrol-answer",
        &EnrolAnswer {
            hub: HubId::from_uuid(id(8)),
            venue: VenueId(id(6)),
            organisation: OrganisationId(id(7)),
            venue_name: "Café".to_owned(),
            hub_name: "Cellar".to_owned(),
        },
    );
    let noun = encode_noun(&VenueSong { song: SongId::from_uuid(id(9)), enabled: true }).unwrap();
    let row = Row { seq: 5, kind: "venue_song".to_owned(), pk: id(9), body: Some(noun) };
    let gone = Row { seq: 6, kind: "song".to_owned(), pk: id(10), body: None };
    let (from, to) = (Cursor { seq: 4, tag: -1 }, Cursor { seq: 6, tag: i64::MAX });
    let (listener, device) = (ListenerId::from_uuid(id(11)), DeviceId::from_uuid(id(12)));
    let session = GuestSession {
        listener,
        device,
        zone: "main".to_owned(),
        display_name: Some("Ada".to_owned()),
        status: SessionStatus::Active,
        checked_in_at: UnixMillis(5),
        last_seen_at: UnixMillis(6),
        expires_at: UnixMillis(7),
    };
    is_as_it_was("guest-session", &session);
    let vote = GuestVote {
        session: SessionId::from_uuid(id(13)),
        listener,
        song: SongId::from_uuid(id(9)),
        value: VoteValue::Dislike,
        cast_at: UnixMillis(6),
    };
    is_as_it_was("guest-vote", &vote);
    let skip = GuestSkip {
        session: SessionId::from_uuid(id(2)),
        song: SongId::from_uuid(id(9)),
        cast_at: UnixMillis(1_000),
    };
    is_as_it_was("guest-skip", &skip);
    is_as_it_was("pull", &PullAsk { scope, from, limit: 5_000 });
    is_as_it_was("page", &Page { scope, from, to, head: 6, changes: 2, rows: vec![row.clone(), gone] });
    let ask = RowsAsk {
        scope,
        kinds: vec![],
        buckets: vec![0, 255],
        after: Some(("song".to_owned(), id(1))),
        limit: 9,
    };
    is_as_it_was("rows", &ask);
    is_as_it_was("rows-answer", &RowsAnswer { scope, at: to, rows: vec![row], more: true });
    is_as_it_was(
        "digest-answer",
        &DigestAnswer { scope, at: to, buckets: vec![ByteArray::new([3; 16]); 256] },
    );
    is_as_it_was("snapshot", &Snapshot { scope: catalogue, at: to, chunks: vec![] });
    let heard = vec![(ZoneId::from_uuid(id(4)), SongId::from_uuid(id(9)), UnixMillis(77))];
    is_as_it_was("heard-answer", &HeardAnswer { heard });
    let message = "facts are missing".to_owned();
    is_as_it_was(
        "problem",
        &Problem { code: ProblemCode::Gap, message, ack: Some(80), retry_after_ms: Some(1_000) },
    );
}

#[test]
fn what_is_said_of_players_is_understood() {
    let volume = Some(VolumeOrder { percent: 40, number: 1_795_348_800_123 });
    let told = PlayerTold {
        id: PlayerId::from_uuid(id(12)),
        status: "active".to_owned(),
        tier: Some("plan".to_owned()),
        song: Some(SongId::from_uuid(id(9))),
        last_seen_at: Some(UnixMillis(5)),
        silence_ms: 250,
        volume,
    };
    is_as_it_was("hello-players", &Hello { players: vec![told], ..hello() });
    let (name, zone) = ("Bar".to_owned(), Some("terrace".to_owned()));
    let news = PlayerNews { name, zone, revoked: false, volume };
    is_as_it_was("player-news", &news);
    let (name, zone) = (Some("Bar".to_owned()), None);
    let pairing = PairingNews { hub: HubId::from_uuid(id(13)), name, zone, until: UnixMillis(9) };
    is_as_it_was("pairing-news", &pairing);
    let said = [
        PairingSaid::Wants,
        PairingSaid::Opened,
        PairingSaid::Paired(PlayerId::from_uuid(id(12))),
        PairingSaid::UsedUp,
        PairingSaid::NoZone,
        PairingSaid::Closed,
    ];
    is_as_it_was("pairing", &said.map(|said| PairingAsk { pairing: id(14), said }).to_vec());
    let answer = PairingAnswer { digits: Some("00424711".to_owned()), left_ms: 299_000 };
    assert_eq!(format!("{answer:?}"), "PairingAnswer { left_ms: 299000, .. }", "no log has the code");
    is_as_it_was("pairing-answer", &answer);
}

#[test]
fn a_player_is_spoken_of_with_programs_that_know_no_volume() {
    #[derive(Debug, PartialEq, Serialize, serde::Deserialize)]
    struct Before {
        name: String,
        zone: Option<String>,
        revoked: bool,
    }
    let before = Before { name: "Bar".to_owned(), zone: None, revoked: false };
    let news: PlayerNews = decode(&encode(&before).unwrap()).unwrap();
    assert_eq!(news.volume, None);
    let volume = Some(VolumeOrder { percent: 40, number: 7 });
    let after = encode(&PlayerNews { volume, ..news }).unwrap();
    assert_eq!(decode::<Before>(&after).unwrap(), before);
}

#[test]
fn what_a_later_version_adds_is_skipped() {
    #[derive(Serialize)]
    struct Later {
        code: &'static str,
        message: &'static str,
        colour: &'static str,
    }
    let later = encode(&Later { code: "tea_time", message: "later", colour: "blue" }).unwrap();
    let problem: Problem = decode(&later).unwrap();
    assert_eq!((problem.code, problem.ack), (ProblemCode::Unknown, None));
}
