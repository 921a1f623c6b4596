use std::fmt::Write as _;

use async_graphql::parser::parse_query;
use rstest::rstest;
use serde_json::json;

use super::*;

fn check(source: &str) -> Result<Survey, TooMuch> {
    check_with(source, &json!({}))
}

fn check_with(source: &str, variables: &Value) -> Result<Survey, TooMuch> {
    let bounds = Bounds::default();
    bounds.check_text(source)?;
    bounds.check_document(&parse_query(source).unwrap(), variables.as_object().unwrap())
}

/// A text so many times, with its number for each `#`.
fn numbered(times: usize, text: &str) -> String {
    (0..times).map(|number| text.replace('#', &number.to_string())).collect()
}

#[test]
fn an_ordinary_query_passes() {
    let query = "query Q($n: Int!) { a(first: $n) { ...F } } fragment F on A { b c { d } }";
    assert_eq!(check(query), Ok(Survey { introspects: false }));
}

#[test]
fn the_standard_questions_about_a_schema_pass_deep_as_they_are() {
    assert_eq!(check(include_str!("introspection.graphql")), Ok(Survey { introspects: true }));
    assert!(check("{ ... on Query { __type(name: \"Song\") { name } } }").unwrap().introspects);
}

#[test]
fn going_round_in_the_schema_is_refused() {
    let round = "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }";
    assert_eq!(check(round), Ok(Survey { introspects: true }));
    let rounds =
        format!("{{ __schema {{ types {{ {} name {} }} }} }}", "fields { type { ".repeat(7), "} }".repeat(7));
    assert_eq!(check(&rounds), Err(TooMuch::Introspection(250_000)));
}

#[test]
fn brackets_that_would_overflow_the_parser_are_refused_before_it() {
    let bomb = format!("{{ a(b:{}{}) }}", "[".repeat(1_600), "]".repeat(1_600));
    assert_eq!(Bounds::default().check_text(&bomb), Err(TooMuch::Nesting(40)));
}

#[test]
fn brackets_in_strings_and_comments_nest_nothing() {
    let harmless = format!("{{ a(b: \"{0}\", c: \"\"\"{0}\\\"\"\" \"\"\") }} # {0}", "[{(".repeat(100));
    assert!(check(&harmless).is_ok());
}

#[test]
fn a_string_that_seems_closed_by_an_escape_hides_no_brackets() {
    let sly = format!("{{ a(b: \"\\\\\", c: {}", "[".repeat(50));
    assert_eq!(Bounds::default().check_text(&sly), Err(TooMuch::Nesting(40)));
}

/// The parser tries such a text again as an empty string with another behind it, and then meets the brackets.
#[test]
fn a_block_string_without_its_end_hides_no_brackets() {
    let sly = format!("{{ a(b: [\"\"\" x\" {}{}]) }}", "[".repeat(1_600), "]".repeat(1_600));
    assert_eq!(Bounds::default().check_text(&sly), Err(TooMuch::Unfinished));
}

fn doubling(levels: usize, end: &str) -> String {
    let mut bomb = "{ ...f0 }".to_owned();
    for level in 0..levels {
        let _ = write!(bomb, " fragment f{level} on A {{ ...f{0} ...f{0} }}", level + 1);
    }
    bomb + end
}

#[rstest]
#[case::with_an_end(doubling(30, " fragment f30 on A { a }"))]
#[case::ending_in_nothing(doubling(30, ""))]
#[case::spread_by_nobody(doubling(30, " fragment f30 on A { a }").replace("{ ...f0 }", "{ a }"))]
fn fragments_that_double_thirty_times_are_answered_at_once(#[case] bomb: String) {
    assert_eq!(check(&bomb), Err(TooMuch::Selections(2_000)));
}

#[test]
fn fragments_in_a_circle_are_refused() {
    let circle = "{ ...a } fragment a on A { x { ...b } } fragment b on A { y { ...a } }";
    assert_eq!(check(circle), Err(TooMuch::Cycle));
}

#[test]
fn a_long_chain_of_fragments_counts_as_nesting() {
    let mut chain = "{ ...f0 }".to_owned();
    for level in 0..100 {
        let _ = write!(chain, " fragment f{level} on A {{ ...f{} }}", level + 1);
    }
    assert_eq!(check(&(chain + " fragment f100 on A { a }")), Err(TooMuch::Nesting(40)));
}

#[test]
fn many_fragments_that_each_spread_a_large_one_count_together() {
    let mut sum = format!("{{ a }} fragment x on A {{ {} }}", "a ".repeat(900));
    for number in 0..100 {
        let _ = write!(sum, " fragment f{number} on A {{ ...x }}");
    }
    assert_eq!(check(&sum), Err(TooMuch::Selections(2_000)));
}

#[rstest]
#[case::depth(format!("{{ {} x {} }}", "a{".repeat(10), "}".repeat(10)), TooMuch::Depth(10))]
#[case::aliases(format!("{{ {} }}", numbered(16, "v#: x ")), TooMuch::Aliases(15))]
#[case::the_same_again(format!("{{ {} }}", "x { y } ".repeat(17)), TooMuch::Aliases(15))]
#[case::tokens("x ".repeat(2_001), TooMuch::Tokens(2_000))]
#[case::spreads_without_spaces("...a".repeat(1_001), TooMuch::Tokens(2_000))]
#[case::bytes(" ".repeat(16_385), TooMuch::Bytes(16_384))]
#[case::a_long_name(format!("{{ {} }}", "x".repeat(129)), TooMuch::Word(128))]
#[case::a_long_number(format!("{{ a(b: {}) }}", "9".repeat(129)), TooMuch::Word(128))]
#[case::directives("{ x @a @a @a @a @a @a }".to_owned(), TooMuch::Directives(5))]
#[case::directives_in_all(format!("{{ {} }}", "x @a @b @c ".repeat(17)), TooMuch::DirectivesInAll(50))]
#[case::operations(numbered(21, "query q# { x } "), TooMuch::Operations(20))]
#[case::arguments(
    format!("{{ x({}) }}", numbered(21, "a#: 1 ")),
    TooMuch::Arguments(20)
)]
#[case::a_mutation_twice("mutation { vote { a } b: vote { a } }".to_owned(), TooMuch::Again("vote".to_owned()))]
#[case::a_mutation_in_a_fragment(
    "mutation { vote { a } ...f } fragment f on Mutation { b: vote { a } }".to_owned(),
    TooMuch::Again("vote".to_owned())
)]
#[case::conflict("{ x(a: 1) x }".to_owned(), TooMuch::Conflict("x".to_owned()))]
#[case::conflict_of_names("{ x: a x: b }".to_owned(), TooMuch::Conflict("x".to_owned()))]
#[case::conflict_behind_a_fragment(
    "{ a { ...f ... on A { x } } } fragment f on A { x(a: 1) }".to_owned(),
    TooMuch::Conflict("x".to_owned())
)]
fn what_is_beyond_a_bound_is_told_which(#[case] query: String, #[case] expected: TooMuch) {
    assert_eq!(check(&query), Err(expected));
}

#[test]
fn a_value_counts_as_often_as_it_is_copied() {
    let ids: Vec<_> = (0..500).map(|_| "x").collect();
    let once = "query($ids: [ID!]!) { a(ids: $ids) { b } }";
    assert!(check_with(once, &json!({ "ids": ids })).is_ok());
    let often = format!("query($ids: [ID!]!) {{ {} }}", "a(ids: $ids) { b } ".repeat(10));
    assert_eq!(check_with(&often, &json!({ "ids": ids })), Err(TooMuch::Values(5_000)));
    let long = "x".repeat(60_000);
    assert_eq!(check_with(&often, &json!({ "ids": long })), Err(TooMuch::Values(5_000)));
    let default =
        format!("query($ids: [ID!]! = [{}]) {{ {} }}", "1 ".repeat(1_000), "a(ids: $ids) { b } ".repeat(10));
    assert_eq!(check(&default), Err(TooMuch::Values(5_000)));
}

#[test]
fn the_same_field_for_different_types_is_no_conflict() {
    assert!(check("{ a { ... on B { x(a: 1) } ... on C { x(a: 2) } } }").is_ok());
    assert!(check("{ a { x(b: [1, $c]) ...f } } fragment f on A { x(b: [1, $c]) }").is_ok());
}
