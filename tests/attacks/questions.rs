//! Questions that are not a guest's to ask (G12), words that would be more than words (G19), and what errors tell (G20).

use roomtone_tests::TestVenue;
use serde_json::{Value, json};

use crate::wire::{Reply, ask, ask_with, assert_alive, escaped, post, request};

const STANDARD: &str = include_str!("../../schema/server/src/guard/introspection.graphql");

fn forbidden(reply: &Reply) {
    assert_eq!(reply.code(), "FORBIDDEN", "{reply:?}");
    assert!(reply.message().contains("schema/hub.graphql"), "{reply:?}");
}

#[test]
fn g12_guests_are_not_told_the_schema_and_nothing_is_suggested_to_them() {
    let mut venue = TestVenue::empty();
    for query in [
        STANDARD,
        "{ __schema { types { name } } }",
        "{ __type(name: \"Query\") { name } }",
        "{ x: __schema { queryType { name } } }",
        "{ ... on Query { __schema { types { name } } } }",
        "{ ...f } fragment f on Query { __type(name: \"Song\") { fields { name } } }",
        "query a { venue { name } } query b { __schema { types { name } } }",
    ] {
        let named = json!({ "query": query, "operationName": if query.contains("query a") { json!("b") } else { Value::Null } });
        forbidden(&post(&venue, "", &named.to_string()));
        forbidden(&post(&venue, "authorization: Bearer made-up\r\n", &named.to_string()));
    }
    forbidden(&request(
        &venue,
        "GET",
        &format!("/graphql?query={}", escaped("{__schema{types{name}}}")),
        "",
        "",
    ));
    for wrong in [
        "{ venu { name } }",
        "{ venue { nam } }",
        "{ vibe(zone: 1) { consensus } }",
        "{ venue { name @skip(iff: true) } }",
    ] {
        let reply = ask(&venue, wrong);
        assert!(
            !reply.message().is_empty() && !reply.body.to_lowercase().contains("did you mean"),
            "{reply:?}"
        );
    }
    assert!(ask(&venue, "{ __typename venue { __typename } }").json()["data"]["__typename"].is_string());
    venue.close();
}

#[test]
fn g12_the_manager_on_the_hubs_own_machine_is_told_the_schema() {
    let mut venue = TestVenue::empty();
    let said = venue.run::<&str>("manager token", []).succeeded().stdout;
    let token = said.split_whitespace().max_by_key(|word| word.len()).unwrap().to_owned();
    let body = json!({ "query": STANDARD }).to_string();
    let reply = post(&venue, &format!("authorization: Bearer {token}\r\n"), &body);
    assert!(reply.json()["data"]["__schema"]["types"].as_array().unwrap().len() > 40, "{reply:?}");
    forbidden(&post(&venue, &format!("authorization: Bearer {token}\r\nhost: cafe.local\r\n"), &body));
    venue.close();
}

#[test]
fn g12_while_developing_everybody_is_told_the_schema_and_going_round_in_it_is_refused() {
    let mut venue = TestVenue::closed().open_with(["--dev"], []);
    let reply = ask(&venue, STANDARD);
    assert!(reply.json()["data"]["__schema"]["types"].as_array().unwrap().len() > 40, "{reply:?}");
    let round =
        format!("{{ __schema {{ types {{ {} name {} }} }} }}", "fields { type { ".repeat(7), "} }".repeat(7));
    assert_eq!(ask(&venue, &round).code(), "TOO_MUCH");
    assert!(ask(&venue, "{ venu { name } }").message().contains("Did you mean"));
    venue.close();
}

/// Words that mean something to SQL, to `like`, to full-text search, to a shell, to a path, to a terminal.
const WORDS: [&str; 14] = [
    "' or '1'='1",
    "'; drop table songs; --",
    "\" union select token_hash from sessions --",
    "%",
    "_",
    "%' escape '%",
    "\\",
    "title:*",
    "\"a\" NEAR(\"b\", 5)",
    "AND OR NOT ( ) ^ * :",
    "$(reboot)",
    "../../../../etc/passwd",
    "\u{0}\u{1b}[2J\u{202e}",
    "{{7*7}}<script>alert(1)</script>",
];

#[tokio::test]
async fn g19_words_stay_words_wherever_they_are_put() {
    let mut venue = TestVenue::with_songs(3);
    let ana = venue.check_in("ana").await;
    let (song, title) = ana.songs().await.swap_remove(0);
    for word in WORDS {
        let search = "query($w: String) { songs(filter: { search: $w }) { totalCount } }";
        let found = ask_with(&venue, search, &json!({ "w": word }));
        assert_eq!(found.json()["data"]["songs"]["totalCount"], 0, "{word}: {found:?}");
        for query in [
            "query($w: String) { songs(after: $w) { totalCount } }",
            "query($w: ID) { vibe(zoneId: $w) { consensus } }",
            "query($w: ID) { upNext(zoneId: $w) { rank } }",
        ] {
            let reply = ask_with(&venue, query, &json!({ "w": word }));
            assert!(matches!(reply.code().as_str(), "INVALID" | "NOT_FOUND"), "{word}: {reply:?}");
        }
        let node = ask_with(
            &venue,
            "query($w: ID!) { node(id: $w) { id } nodes(ids: [$w]) { id } }",
            &json!({ "w": word }),
        );
        assert_eq!(node.json()["data"], json!({ "node": null, "nodes": [null] }), "{word}: {node:?}");
        let answer = ana.vote(word, "LIKE").await;
        assert!(matches!(answer.refusal().0, "INVALID" | "NOT_FOUND"), "{word}: {:#}", answer.body);
        let input = json!({ "songId": song, "value": "LIKE", "idempotencyKey": word });
        let answer = ana.mutate("vote", "VoteInput", input, "vote { id }").await;
        assert_eq!(answer.refusal().0, "INVALID", "{word}: {:#}", answer.body);
        let path = format!("/media/{}", escaped(word));
        assert!(matches!(request(&venue, "GET", &path, "", "").status, 400..=404), "{path}");
    }
    let whole = ask_with(
        &venue,
        "query($w: String) { songs(filter: { search: $w }) { totalCount } }",
        &json!({ "w": title }),
    );
    assert!(whole.json()["data"]["songs"]["totalCount"].as_u64() >= Some(1));
    assert_eq!(ana.songs().await.len(), 3);
    assert_eq!(ana.votes().await, []);
    venue.close();
}

#[tokio::test]
async fn g19_names_of_guests_and_codes_stay_words_too() {
    let mut venue = TestVenue::empty();
    for word in WORDS {
        let mut guest = venue.passer_by();
        let answer = guest.try_check_in(json!({ "venueCode": venue.code(), "displayName": word })).await;
        let payload = &answer.data()["checkIn"];
        assert!(
            payload["token"].is_string() || payload["userErrors"][0]["code"] == "INVALID",
            "{word}: {payload:#}"
        );
    }
    let mut guest = venue.passer_by();
    let answer = guest.try_check_in(json!({ "venueCode": "' or '1'='1" })).await;
    assert_eq!(answer.refusal().0, "FORBIDDEN");
    assert_alive(&venue);
    venue.close();
}

#[test]
fn g19_pages_are_clamped() {
    let mut venue = TestVenue::empty();
    for (query, ok) in [
        ("{ songs(first: 100) { totalCount } }", true),
        ("{ songs(first: 2147483647) { totalCount } }", true),
        ("{ songs(first: -1) { totalCount } }", false),
        ("{ songs(first: 1, last: 1) { totalCount } }", false),
        ("{ upNext(first: 51) { rank } }", false),
        ("{ upNext(first: -2147483648) { rank } }", false),
        ("{ recommendations(first: 51) { rank } }", false),
    ] {
        let reply = ask(&venue, query);
        assert_eq!(reply.json()["errors"].is_null(), ok, "{query}: {reply:?}");
    }
    let ids = vec!["x"; 101];
    let reply = ask_with(&venue, "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", &json!({ "ids": ids }));
    assert_eq!(reply.code(), "INVALID", "{reply:?}");
    venue.close();
}

#[test]
fn g20_errors_tell_no_internals() {
    let mut venue = TestVenue::empty();
    let replies = [
        post(&venue, "", "{"),
        post(&venue, "", "\u{0}"),
        post(&venue, "", "7"),
        post(&venue, "", "{\"query\":7}"),
        post(&venue, "", "{\"query\":\"{\"}"),
        post(&venue, "", "{\"query\":\"{ a b: }\"}"),
        post(&venue, "", "{\"query\":\"query { venue { name } } query { venue { id } }\"}"),
        post(&venue, "", "{\"query\":\"fragment f on Query { venue { name } }\"}"),
        post(&venue, "", "{\"query\":\"{ vibe(zoneId: 99999999999999999999999999) { consensus } }\"}"),
        post(&venue, "", "{\"query\":\"{ upNext(first: 1.5) { rank } }\"}"),
        post(&venue, "", "{\"query\":\"{ nodes(ids: [null]) { id } }\"}"),
        post(
            &venue,
            "",
            "{\"query\":\"mutation { vote(input: { songId: 1, value: MAYBE, idempotencyKey: 2 }) { vote { id } } }\"}",
        ),
        post(&venue, "content-encoding: gzip\r\n", "{\"query\":\"{ venue { name } }\"}"),
        request(&venue, "GET", "/graphql?query=%FF%FE", "", ""),
        request(&venue, "GET", "/graphql?variables=x&query=%7Ba%7D", "", ""),
        request(&venue, "GET", "/nothing/here", "", ""),
        request(&venue, "DELETE", "/graphql", "", ""),
        request(&venue, "GET", "/media/00", "", ""),
    ];
    for reply in replies {
        let text = format!("{}\n{}", reply.head, reply.body);
        for internal in [
            ".rs",
            "panicked",
            "Error {",
            "Some(",
            "rusqlite",
            "sqlite",
            "serde",
            "async-graphql",
            "/home/",
            "/tmp/",
            "stack",
            "line: ",
            "tokio",
        ] {
            assert!(!text.to_lowercase().contains(&internal.to_lowercase()), "{internal}: {text}");
        }
        assert!(!reply.head.contains("\nserver:") && !reply.head.contains("x-powered-by"), "{text}");
    }
    venue.close();
}
