//! Who may see what: every field of the schema, asked by everybody, against a hub with two zones.
//!
//! `matrix/expected.txt` has a line for each field. What is asked here comes from `schema/hub.graphql` itself, so a new
//! field without a line fails. Beside the outcomes, every answer is searched for what belongs to somebody else.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::venue::Venue;

mod ask;
mod scene;
mod table;

use ask::Ask;
use scene::{Scene, WHO};
use table::Table;

const SDL: &str = include_str!("../../../schema/hub.graphql");
const EXPECTED: &str = include_str!("matrix/expected.txt");

/// What a field is answered with: `value`, `null`, `-` (it cannot be come by), the code of the refusal or error, or
/// the code that the socket is closed with.
type Outcome = String;

#[test]
fn every_field_has_a_line_and_every_line_a_field() {
    let (table, fields) = (Table::read(EXPECTED), ask::fields(SDL));
    assert_eq!(table.missing(&fields), BTreeSet::new(), "fields without a line in matrix/expected.txt");
    assert_eq!(table.stray(&fields), BTreeSet::new(), "lines of matrix/expected.txt without a field");
}

#[test]
fn a_field_without_a_line_is_found() {
    let table = Table::read(EXPECTED);
    let more =
        SDL.replace("type Listener implements Node {", "type Listener implements Node {\n  email: String");
    assert_eq!(table.missing(&ask::fields(&more)), BTreeSet::from(["Listener.email".to_owned()]));
    let less = SDL.replace("\"What they call themselves.\"\n  displayName: String\n", "");
    assert_eq!(table.stray(&ask::fields(&less)), BTreeSet::from(["Listener.displayName".to_owned()]));
}

#[tokio::test]
async fn everybody_sees_what_is_theirs_and_no_more() {
    let scene = Scene::set().await;
    let (table, mut found) = (Table::read(EXPECTED), BTreeMap::new());
    for ask in ask::all(SDL, &scene) {
        let mut outcomes = Vec::new();
        for who in WHO {
            let answers = scene.ask(who, &ask).await;
            for answer in &answers {
                scene.assert_tells_nothing_of_others(who, &ask, answer);
            }
            outcomes.push(outcome(&ask, &answers));
        }
        found.insert(ask.line.clone(), outcomes);
    }
    let wrong = table.differences(&found);
    assert!(
        wrong.is_empty(),
        "{} fields are not as matrix/expected.txt has them:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    let otherwise = table.with("Listener.displayName", "anonymous", "value");
    assert_eq!(otherwise.differences(&found).len(), 1, "a wrong line is found");
}

/// The outcome of the answers to one question (a subscription has several).
fn outcome(ask: &Ask, answers: &[Value]) -> Outcome {
    let all: BTreeSet<Outcome> = answers.iter().map(|answer| one_outcome(ask, answer)).collect();
    if all.contains("value") { "value".to_owned() } else { all.into_iter().next_back().unwrap_or_default() }
}

fn one_outcome(ask: &Ask, answer: &Value) -> Outcome {
    if let Some(closed) = answer["closed"].as_u64() {
        return closed.to_string();
    }
    if let Some(error) = answer["errors"].get(0) {
        return error["extensions"]["code"].as_str().unwrap_or("ERROR").to_owned();
    }
    let (refused, reached) = walk(&answer["data"], &ask.path);
    match (refused, reached) {
        (_, Some(true)) if ask.path.iter().any(|step| step == "userErrors") => "value".to_owned(),
        (Some(code), _) => code,
        (None, Some(true)) => "value".to_owned(),
        (None, Some(false)) => "null".to_owned(),
        (None, None) => "-".to_owned(),
    }
}

/// Goes down a path, into every entry of a list: the first user error on the way, and whether there is anything at
/// the end (`None`: the way ends before).
fn walk(value: &Value, path: &[String]) -> (Option<String>, Option<bool>) {
    if let Value::Array(entries) = value
        && !(path.is_empty() && entries.is_empty())
    {
        let all: Vec<_> = entries.iter().map(|entry| walk(entry, path)).collect();
        let refused = all.iter().find_map(|(refused, _)| refused.clone());
        return (refused, all.iter().filter_map(|(_, reached)| *reached).max());
    }
    let refused = value["userErrors"][0]["code"].as_str().map(str::to_owned);
    let Some((step, rest)) = path.split_first() else { return (refused, Some(!value.is_null())) };
    let Some(next) = value.get(step).filter(|next| rest.is_empty() || !next.is_null()) else {
        return (refused, None);
    };
    let (deeper, reached) = walk(next, rest);
    (refused.or(deeper), reached)
}

/// One wish to skip is the zone's own affair.
#[tokio::test]
async fn nobody_moves_the_music_of_another_zone() {
    let scene = Scene::set().await;
    let venue: &Venue = &scene.venue;
    let skip_votes = async || {
        let now = venue
            .ask(None, "{ nowPlaying { skipVotes song { id } } vibe { activeListeners } }", Value::Null)
            .await;
        now["data"].clone()
    };
    let before = skip_votes().await;
    let elsewhere = scene.token("elsewhere").await;
    let refused = venue
        .mutate(
            elsewhere.as_deref(),
            "voteToSkip",
            "VoteToSkipInput",
            serde_json::json!({}),
            "nowPlaying { song { id } }",
        )
        .await;
    assert_eq!(refused["userErrors"][0]["code"], "NOT_FOUND", "nothing plays on the terrace");
    assert_eq!(skip_votes().await, before);
}
