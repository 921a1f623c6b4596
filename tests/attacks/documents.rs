//! Documents that would eat the hub (G1 to G7, G11).

use std::fmt::Write as _;

use roomtone_tests::TestVenue;
use serde_json::json;

use crate::cost::assert_cheap;
use crate::wire::{Reply, ask, assert_alive, numbered, post};

fn refused(venue: &TestVenue, document: &str, words: &str) {
    let reply = ask(venue, document);
    assert_eq!(reply.code(), "TOO_MUCH", "{reply:?}");
    assert!(reply.message().contains(words), "{reply:?}");
}

fn nested(open: &str, close: &str, levels: usize) -> String {
    format!("{}1{}", open.repeat(levels), close.repeat(levels))
}

#[test]
fn g1_nested_literals_are_refused_before_the_parser() {
    let mut venue = TestVenue::empty();
    let list = nested("[", "]", 1_600);
    for bomb in [
        format!("{{ x(a: {list}) }}"),
        format!("{{ x(a: {}) }}", nested("{a: ", "}", 1_600)),
        format!("query($a: Int = {list}) {{ x }}"),
        format!("{{ x @a(b: {list}) }}"),
        format!("query($a: {}Int{}) {{ x }}", "[".repeat(3_000), "]".repeat(3_000)),
        "{a".repeat(3_000),
    ] {
        refused(&venue, &bomb, "nests");
    }
    // The parser reads a text that does not end as an empty one with brackets behind it.
    let sly = ask(&venue, &format!("{{ x(a: [\"\"\" x\" {list}]) }}"));
    assert_eq!(sly.code(), "GRAPHQL_PARSE_FAILED", "{sly:?}");
    assert_alive(&venue);
    assert_cheap(&venue, || drop(ask(&venue, &format!("{{ x(a: {list}) }}"))));
    venue.close();
}

fn doubling(levels: usize) -> String {
    let mut bomb = "{ ...f0 }".to_owned();
    for level in 0..levels {
        let _ = write!(bomb, " fragment f{level} on Query {{ ...f{0} ...f{0} }}", level + 1);
    }
    let _ = write!(bomb, " fragment f{levels} on Query {{ venue {{ name }} }}");
    bomb
}

#[test]
fn g2_fragments_that_double_are_counted_not_expanded() {
    let mut venue = TestVenue::empty();
    for levels in [20, 24, 30] {
        refused(&venue, &doubling(levels), "selects more than 2000");
    }
    assert_cheap(&venue, || drop(ask(&venue, &doubling(30))));
    venue.close();
}

#[test]
fn g3_fragments_in_a_circle_are_named_as_such() {
    let mut venue = TestVenue::empty();
    for circle in [
        "{ ...a } fragment a on Query { ...a }",
        "{ ...a } fragment a on Query { venue { name } ...b } fragment b on Query { ...a }",
        "{ venue { name } } fragment a on Venue { zones { ...b } } fragment b on Zone { players { ...a } }",
    ] {
        let reply = ask(&venue, circle);
        assert!(reply.message().contains("spreads itself"), "{reply:?}");
    }
    assert_cheap(&venue, || drop(ask(&venue, "{ ...a } fragment a on Query { ...a }")));
    venue.close();
}

#[test]
fn g4_depth_is_bounded_and_a_hundred_thousand_braces_are_not_even_read() {
    let mut venue = TestVenue::empty();
    let deep = format!("{{ players {{ {} id {} }} }}", "nowPlaying { player { ".repeat(6), "} }".repeat(6));
    refused(&venue, &deep, "deeper than 10");
    let deepest =
        format!("{{ players {{ {} id {} }} }}", "nowPlaying { player { ".repeat(4), "} }".repeat(4));
    assert!(ask(&venue, &deepest).json()["data"]["players"].is_array());
    assert_eq!(ask(&venue, &"{a".repeat(50_000)).status, 413);
    assert_eq!(ask(&venue, &"{".repeat(16_000)).code(), "TOO_MUCH");
    assert_cheap(&venue, || drop(ask(&venue, &"{".repeat(16_000))));
    venue.close();
}

#[tokio::test]
async fn g5_a_thousand_votes_in_one_request_are_none() {
    let mut venue = TestVenue::with_songs(2);
    let ana = venue.check_in("ana").await;
    let (song, _) = ana.songs().await.swap_remove(0);
    let vote = |name: String| {
        let key = roomtone_tests::new_key();
        format!(
            "{name} vote(input: {{ songId: \"{song}\", value: LIKE, idempotencyKey: \"{key}\" }}) {{ vote {{ id }} }} "
        )
    };
    let votes = |n: usize| (0..n).map(|n| vote(format!("v{n}:"))).collect::<String>();
    let again = ana.ask(&format!("mutation {{ {} }}", votes(2)), json!({})).await;
    assert_eq!(again.body["errors"][0]["extensions"]["code"], "TOO_MUCH", "{:#}", again.body);
    let same = vote(String::new());
    let hidden = format!("mutation {{ {same} ...f }} fragment f on Mutation {{ {} }}", vote("w:".to_owned()));
    let hidden = ana.ask(&hidden, json!({})).await;
    assert!(hidden.body["errors"][0]["message"].as_str().unwrap().contains("repeats \"vote\""));
    for votes in [votes(100), "v: vote ".repeat(1_000)] {
        let many = ana.ask(&format!("mutation {{ {votes} }}"), json!({})).await;
        assert_eq!(many.body["errors"][0]["extensions"]["code"], "TOO_MUCH", "{:#}", many.body);
    }
    assert_eq!(ana.votes().await, []);
    let names = |n: usize| numbered(n, "a#: venue { name } ");
    assert!(ask(&venue, &format!("{{ {} }}", names(15))).json()["data"]["a14"].is_object());
    refused(&venue, &format!("{{ {} }}", names(16)), "renames or repeats more than 15");
    venue.close();
}

#[test]
fn g6_a_field_asked_for_five_thousand_times_is_not_looked_at() {
    let mut venue = TestVenue::empty();
    refused(&venue, &format!("{{ {} }}", "a ".repeat(5_000)), "more than 2000 tokens");
    refused(&venue, &format!("{{ {} }}", "__typename ".repeat(5_000)), "longer than 16384 bytes");
    assert_eq!(ask(&venue, &"__typename ".repeat(50_000)).status, 413);
    refused(&venue, &format!("{{ {} }}", "venue { name } ".repeat(100)), "repeats");
    assert_cheap(&venue, || drop(ask(&venue, &format!("{{ {} }}", "__typename ".repeat(5_000)))));
    // What is just within the bounds is run, and cheap as well.
    assert_cheap(&venue, || drop(ask(&venue, &format!("{{ {} }}", "__typename ".repeat(1_400)))));
    venue.close();
}

#[test]
fn g7_directives_are_counted_and_errors_are_told_in_small_numbers() {
    let mut venue = TestVenue::empty();
    refused(&venue, &format!("{{ venue {{ name {} }} }}", "@a ".repeat(900)), "more than 5 directives");
    assert_eq!(ask(&venue, &"@a ".repeat(30_000)).status, 413);
    let unknown = numbered(900, "f# ");
    let reply = ask(&venue, &format!("{{ {unknown} }}"));
    assert_eq!(reply.json()["errors"].as_array().unwrap().len(), 21, "{reply:?}");
    assert!(reply.body.len() < 8 * 1024, "{} bytes", reply.body.len());
    assert_cheap(&venue, || drop(ask(&venue, &format!("{{ {unknown} }}"))));
    venue.close();
}

/// One contradiction was answered with 200,000 errors, each with a place and a sentence.
#[test]
fn fields_that_contradict_each_other_are_one_error() {
    let mut venue = TestVenue::empty();
    let arguments = numbered(20, "a#: 1 ");
    let contradiction = format!("{{ venue({arguments}) {} }}", "venue ".repeat(900));
    let reply = ask(&venue, &contradiction);
    assert_eq!(reply.code(), "GRAPHQL_VALIDATION_FAILED", "{reply:?}");
    assert_cheap(&venue, || drop(ask(&venue, &contradiction)));
    venue.close();
}

/// A large variable was copied once for each place that names it.
#[test]
fn a_large_variable_in_many_places_is_refused() {
    let mut venue = TestVenue::empty();
    let ids = vec!["x"; 12_000];
    let query = format!("query($a: [ID!]!) {{ venue {{ {} }} }}", "name @include(if: $a) ".repeat(50));
    let body = json!({ "query": query, "variables": { "a": ids } }).to_string();
    let reply = post(&venue, "", &body);
    assert_eq!(reply.code(), "TOO_MUCH", "{reply:?}");
    assert_cheap(&venue, || drop(post(&venue, "", &body)));
    venue.close();
}

#[test]
fn g11_deep_variables_and_numbers_without_end_are_no_request() {
    let mut venue = TestVenue::empty();
    let deep = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        format!("{{\"query\":\"{{ venue {{ name }} }}\",\"variables\":{{\"a\":{open}{close}}}}}")
    };
    for body in [
        deep(10_000),
        deep(200),
        "{\"query\":\"{ venue { name } }\",\"variables\":{\"a\":1e400}}".to_owned(),
        "{\"query\":\"{ venue { name } }\",\"variables\":{\"a\":NaN}}".to_owned(),
        "{\"query\":\"{ venue { name } }\",\"variables\":{\"a\":[1e308,-1e309]}}".to_owned(),
    ] {
        let reply: Reply = post(&venue, "", &body);
        assert_eq!(reply.status, 400, "{reply:?}");
    }
    assert_eq!(ask(&venue, "{ upNext(first: 1e400) { rank } }").code(), "GRAPHQL_PARSE_FAILED");
    assert_cheap(&venue, || drop(post(&venue, "", &deep(10_000))));
    assert_alive(&venue);
    venue.close();
}

/// A vector of a listener's would have to be checked for length and finiteness; there is no way to send one.
#[test]
fn g11_no_input_takes_a_vector_of_numbers() {
    let sdl = include_str!("../../schema/hub.graphql");
    for input in sdl.split("\ninput ").skip(1) {
        let fields = input.split('}').next().unwrap();
        assert!(!fields.contains("[Float"), "an input takes numbers: {fields}");
    }
}
