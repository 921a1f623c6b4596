//! Lists are written from compiled selections: they must say, byte for byte, what the engine's own resolution says.

use std::time::Duration;

use async_graphql::{Request, Response, Value, Variables};
use futures_util::StreamExt as _;
use roomtone_schema::SongId;
use roomtone_schema::id::Id;
use roomtone_schema::seed::Seeded;
use roomtone_schema::song::{Explicit, SongFacts, SongKind};
use roomtone_schema::view::Viewer;
use roomtone_schema::vote::VoteValue;
use roomtone_server::answer;
use roomtone_server::caller::{Asker, Caller, Visit};
use roomtone_server::front::FrontSettings;
use roomtone_server::listener::rows::EngineOnly;
use serde_json::json;

use super::{HubSchema, schema};
use crate::hub::tests::venue::Venue;

mod document;

/// Documents that are compared.
const DOCUMENTS: u64 = 600;

/// Titles that a JSON writer may get wrong.
const TITLES: [&str; 6] = [
    "",
    "plain",
    "quo\"te \\ / \u{8}\u{c}\n\r\t",
    "\u{0}\u{1f}\u{7f}\u{80}\u{2028}\u{2029}",
    "Äöü ẞ 東京 😀",
    "</script>",
];

/// Numbers whose shortest text differs between f32 and f64, is written with an exponent, or has no fraction.
const NUMBERS: [f32; 7] = [0.1, 1e-7, 123.456, -0.0, 1e20, f32::MIN_POSITIVE, 120.0];

/// A venue whose songs have something and nothing in every field, some of them heard, some voted for.
async fn venue() -> (Venue, Viewer) {
    let mut venue = Venue::empty().await;
    let mut chance = Seeded::new(11);
    for number in 0..24_usize {
        let values = std::array::from_fn(|_| (chance.next_share() * 2.0 - 1.0) as f32);
        let pick = |every: usize| (number % every == 0).then(|| TITLES[number % TITLES.len()].to_owned());
        let facts = SongFacts {
            title: TITLES[number % TITLES.len()].to_owned(),
            artist: pick(2),
            album: pick(3),
            key: pick(5),
            bpm: (number % 4 != 0).then(|| NUMBERS[number % NUMBERS.len()]),
            loudness_lufs: (number % 3 != 0).then(|| -NUMBERS[number % NUMBERS.len()]),
            explicit: [Explicit::Clean, Explicit::Explicit, Explicit::Unknown][number % 3],
            kind: [None, Some(SongKind::Soundscape), Some(SongKind::Instrumental)][number % 3],
            ..venue.facts((number % 7 != 0).then_some(values))
        };
        venue.add_facts(facts).await;
    }
    let ana = venue.check_in("ana").await;
    for number in [0, 3, 5, 9] {
        let value = if number % 2 == 0 { VoteValue::Like } else { VoteValue::Dislike };
        venue.vote(&ana, venue.songs[number], value).await.unwrap();
    }
    let player = venue.player("bar").await;
    venue.plays(player.player.id, 6).await;
    // One whose file is gone.
    let lost = &venue.hub.song(venue.songs[2]).unwrap().facts.sha256;
    std::fs::remove_file(crate::library::media_path(&venue.hub.media_dir(), *lost)).unwrap();
    venue.hub.look_for_files();
    venue.hub.settle().await;
    (venue, ana)
}

fn request(document: &str, caller: Caller) -> Request {
    Request::new(document)
        .variables(Variables::from_json(json!({ "yes": true, "no": false })))
        .data(Asker::one(caller, Visit::default()))
}

async fn answered(schema: &HubSchema, request: Request) -> Response {
    schema.execute_stream(request).next().await.unwrap()
}

/// Whether any part of a response was written without the engine.
fn is_compiled(value: &Value) -> bool {
    match value {
        Value::Binary(_) => true,
        Value::Object(fields) => fields.values().any(is_compiled),
        _ => false,
    }
}

#[tokio::test]
async fn a_list_says_the_same_whoever_writes_it() {
    let (venue, ana) = venue().await;
    let schema = schema(venue.hub.clone(), &FrontSettings::default());
    let mut compiled = 0;
    for seed in 0..DOCUMENTS {
        let document = document::random(seed);
        let caller = if seed % 2 == 0 { Caller::Listener(ana) } else { Caller::Anonymous };
        let fast = answered(&schema, request(&document, caller)).await;
        let slow = answered(&schema, request(&document, caller).data(EngineOnly)).await;
        if fast.errors.first().is_some_and(|error| error.message == "Query is too complex.") {
            continue;
        }
        assert_eq!(fast.errors, [], "seed {seed}: {document}");
        assert!(!is_compiled(&slow.data), "seed {seed}");
        let [fast_bytes, slow_bytes] =
            [&fast, &slow].map(|response| String::from_utf8(answer::bytes(response).to_vec()).unwrap());
        assert_eq!(fast_bytes, slow_bytes, "seed {seed}: {document}");
        compiled += u64::from(is_compiled(&fast.data));
    }
    assert!(compiled > DOCUMENTS / 2, "only {compiled} of {DOCUMENTS} documents were compiled");
}

/// A field that is added to one of these types must be added to its `Row`, too, or its lists fall back to the engine.
#[tokio::test]
async fn every_field_of_a_row_is_compiled() {
    let (venue, _) = venue().await;
    let schema = schema(venue.hub.clone(), &FrontSettings::default());
    let places = [
        ("Song", "songs(first: 3) { nodes", "}"),
        ("SongEdge", "songs(first: 3) { edges", "}"),
        ("Recommendation", "recommendations(first: 3)", ""),
        ("Explanation", "recommendations(first: 3) { explanation", "}"),
        ("Reason", "recommendations(first: 3) { explanation { reasons", "} }"),
        ("Axis", "songs(first: 3) { nodes { axes", "} }"),
    ];
    for (name, opening, closing) in places {
        for field in fields_of(&schema, name).await {
            let document = format!("{{ {opening} {{ {field} }} {closing} }}");
            let response = schema.execute(&document).await;
            assert_eq!(response.errors, [], "{document}");
            assert!(is_compiled(&response.data), "{document}");
        }
    }
}

/// The fields of a type; those that hold objects with `__typename` inside.
async fn fields_of(schema: &HubSchema, name: &str) -> Vec<String> {
    const KIND: &str = "kind ofType { kind ofType { kind ofType { kind } } }";
    let document = format!("{{ __type(name: \"{name}\") {{ fields {{ name type {{ {KIND} }} }} }} }}");
    let answer = schema.execute(document).await.data.into_json().unwrap();
    let fields = answer["__type"]["fields"].as_array().unwrap();
    let named = |field: &serde_json::Value| {
        let name = field["name"].as_str().unwrap();
        let inside = if field["type"].to_string().contains("OBJECT") { " { __typename }" } else { "" };
        format!("{name}{inside}")
    };
    fields.iter().map(named).collect()
}

/// One page of somebody's votes: the songs, and the cursor of the next page where there is one.
async fn votes_after(
    schema: &HubSchema,
    viewer: Viewer,
    after: Option<&str>,
) -> (Vec<String>, Option<String>) {
    const PAGE: &str = "query($after: String) { me { votes(first: 3, after: $after) \
                        { totalCount nodes { song { id } } pageInfo { hasNextPage endCursor } } } }";
    let request = Request::new(PAGE)
        .variables(Variables::from_json(json!({ "after": after })))
        .data(Asker::one(Caller::Listener(viewer), Visit::default()));
    let response = schema.execute(request).await;
    assert_eq!(response.errors, []);
    let votes = response.data.into_json().unwrap()["me"]["votes"].take();
    let song = |vote: &serde_json::Value| vote["song"]["id"].as_str().unwrap().to_owned();
    let songs = votes["nodes"].as_array().unwrap().iter().map(song).collect();
    let info = &votes["pageInfo"];
    let next = (info["hasNextPage"] == true).then(|| info["endCursor"].as_str().unwrap().to_owned());
    (songs, next)
}

/// A vote that is replaced moves to the front; the cursor of the one before still stands where it stood.
#[tokio::test]
async fn votes_that_change_between_pages_neither_repeat_nor_hide_the_others() {
    let venue = Venue::with_songs(12).await;
    let ana = venue.check_in("ana").await;
    // Nobody is stopped for voting too often.
    let vote_in_time = async |song, value| {
        venue.clock.advance(Duration::from_secs(30));
        venue.vote(&ana, song, value).await.unwrap();
    };
    for song in &venue.songs {
        vote_in_time(*song, VoteValue::Like).await;
    }
    let schema = schema(venue.hub.clone(), &FrontSettings::default());
    let (mut seen, mut next) = votes_after(&schema, ana, None).await;
    let mut replaced = Vec::new();
    while let Some(cursor) = next {
        // The very vote that the cursor was made from.
        let last: SongId = Id::from_global(seen.last().unwrap()).unwrap();
        vote_in_time(last, VoteValue::Dislike).await;
        replaced.push(last);
        let (songs, following) = votes_after(&schema, ana, Some(&cursor)).await;
        seen.extend(songs);
        next = following;
    }
    let expected: Vec<String> = venue.songs.iter().rev().map(|song| song.to_global()).collect();
    assert_eq!(seen, expected);
    let (front, _) = votes_after(&schema, ana, None).await;
    assert_eq!(front[0], replaced.last().unwrap().to_global());
}
