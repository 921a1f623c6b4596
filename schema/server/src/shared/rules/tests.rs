use async_graphql::parser::parse_query;
use rstest::rstest;
use serde_json::{Value as Json, json};

use super::*;
use crate::operation::operation_of;

const SDL: &str = r"
schema { query: Query subscription: Events }
directive @shared on OBJECT | FIELD_DEFINITION
directive @perViewer on FIELD_DEFINITION
type Query { now: Now }
type Events {
  now(zone: ID): Now @shared
  list: [Now!]! @shared
  count: Int! @shared
  any: Any @shared
  mixed: Mixed @shared
  thing: Thing @shared
  node: Node @shared
  mine: Me @shared
  forViewer: Now @shared @perViewer
  unmarked: Now
}
type Now implements Thing @shared { id: ID! tier: Tier song: Song! me: Me }
type Song implements Thing & Node @shared { id: ID! title: String! liked: Boolean @perViewer next: [[Song!]!]! }
type Me implements Node { id: ID! name: String }
interface Thing { id: ID! }
interface Node { id: ID! }
union Any = Now | Song
union Mixed = Now | Me
enum Tier { HUB }
";

/// Whether a subscription of this document is shared, given these variables.
fn shared(document: &str, variables: Json) -> bool {
    let rules = SharingRules::read(SDL).unwrap();
    let document = parse_query(document).unwrap();
    let operation = operation_of(&document, None).unwrap();
    rules.apply(&document, operation, &Variables::from_json(variables))
}

#[rstest]
#[case::a_leaf("subscription { count }")]
#[case::an_object("subscription { now { id tier song { title } __typename } }")]
#[case::an_argument("subscription ($z: ID) { now(zone: $z) { id } }")]
#[case::a_list_in_lists("subscription { list { song { next { next { title } } } } }")]
#[case::aliases("subscription { a: now { b: song { c: title d: id } } }")]
#[case::fragments(
    "subscription { now { ...N } } fragment N on Now { song { ...S } other: song { ...S } } fragment S on Song { title }"
)]
#[case::inline_fragments("subscription { now { ... { id } ... on Now { tier } ... on Thing { id } } }")]
#[case::a_union_of_shared_types(
    "subscription { any { __typename ... on Now { id } ... on Song { title } } }"
)]
#[case::an_interface_of_shared_types("subscription { thing { id ... on Song { title } } }")]
#[case::skipped_for_all("subscription { now { id song { liked @skip(if: true) title } } }")]
#[case::not_included("subscription { now { id ... on Now @include(if: false) { me { name } } } }")]
fn what_is_the_same_for_everybody_is_shared(#[case] document: &str) {
    assert!(shared(document, json!({})));
}

#[rstest]
#[case::a_field_per_viewer("subscription { now { song { title liked } } }")]
#[case::behind_an_alias("subscription { now { song { title: liked } } }")]
#[case::behind_a_fragment(
    "subscription { now { ...N } } fragment N on Now { song { ...S } } fragment S on Song { liked }"
)]
#[case::behind_an_inline_fragment("subscription { now { ... on Thing { ... on Song { liked } } } }")]
#[case::in_one_of_two_places(
    "subscription { now { song { title } other: song { ...S } } } fragment S on Song { next { liked } }"
)]
#[case::an_object_that_is_not_marked("subscription { now { me { name } } }")]
#[case::even_its_type_name("subscription { now { me { __typename } } }")]
#[case::a_root_that_is_not_marked("subscription { unmarked { id } }")]
#[case::a_root_per_viewer("subscription { forViewer { id } }")]
#[case::a_root_of_a_private_type("subscription { mine { id } }")]
#[case::a_union_with_a_private_member("subscription { mixed { ... on Now { id } } }")]
#[case::an_interface_of_a_private_type("subscription { node { id } }")]
#[case::a_fragment_on_a_private_type("subscription { any { ... on Me { id } } }")]
#[case::a_fragment_on_an_interface_of_a_private_type("subscription { any { ... on Node { id } } }")]
#[case::an_unknown_field("subscription { now { price } }")]
#[case::an_unknown_root("subscription { price }")]
#[case::an_unknown_type("subscription { now { ... on Price { id } } }")]
#[case::an_unknown_fragment("subscription { now { ...Gone } }")]
#[case::a_fragment_in_itself("subscription { now { ...N } } fragment N on Now { id ...N }")]
#[case::an_unknown_directive("subscription { now { id @mine } }")]
#[case::an_unknown_directive_on_a_fragment("subscription { now { ...N } } fragment N on Now @mine { id }")]
#[case::a_leaf_with_a_selection("subscription { count { id } }")]
#[case::the_root_s_own_type_name("subscription { __typename }")]
#[case::the_schema("subscription { __schema { types { name } } }")]
#[case::a_fragment_at_the_root("subscription { ... { count } }")]
#[case::a_second_root_field("subscription { count unmarked { id } }")]
#[case::nothing_at_all("subscription { count @skip(if: true) }")]
#[case::skip_without_a_condition("subscription { now { song { liked @skip } } }")]
fn everything_else_is_private(#[case] document: &str) {
    assert!(!shared(document, json!({})));
}

#[rstest]
#[case::skipped(json!({ "private": false }), true)]
#[case::selected(json!({ "private": true }), false)]
#[case::by_default(json!({}), true)]
#[case::null(json!({ "private": null }), false)]
#[case::no_boolean(json!({ "private": "false" }), false)]
fn variables_say_what_is_selected(#[case] variables: Json, #[case] expected: bool) {
    let document =
        "subscription ($private: Boolean = false) { now { id song { title liked @include(if: $private) } } }";
    assert_eq!(shared(document, variables), expected);
}

#[test]
fn a_variable_that_is_not_declared_selects_nothing_away() {
    let document = "subscription { now { song { liked @skip(if: $hidden) } } }";
    assert!(!shared(document, json!({ "hidden": true })));
}

#[test]
fn a_schema_that_says_nothing_shares_nothing() {
    let document = parse_query("subscription { count }").unwrap();
    let operation = operation_of(&document, None).unwrap();
    assert!(!SharingRules::default().apply(&document, operation, &Variables::default()));
}

#[test]
fn what_is_no_schema_is_not_read() {
    assert!(SharingRules::read("type {").is_err());
}
