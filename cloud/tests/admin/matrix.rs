//! Who may see and do what: every field of the schema, asked by everybody, against two organisations.
//!
//! `matrix/expected.txt` has a line for each field. What is asked here comes from `schema/cloud.graphql` itself, so a new
//! field without a line fails. Beside the outcomes, no answer to an outsider may hold a word of what is not theirs, and
//! nothing that they try may change any of it.
//!
//! `UPDATE_MATRIX=1 cargo test -p roomtone-cloud --test admin matrix` writes the lines as they are found; read the diff.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

mod ask;
mod scene;
#[path = "../../../hub/tests/front/matrix/table.rs"]
mod table;

use ask::Ask;
use scene::{Scene, WHO};
use table::Table;

const SDL: &str = include_str!("../../../schema/cloud.graphql");
const EXPECTED: &str = include_str!("matrix/expected.txt");

/// What a field is answered with: `value`, `empty`, `null`, `-` (it cannot be come by), or the code of the refusal or
/// error.
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
    let more = SDL.replace("type Hub implements Node {", "type Hub implements Node {\n  publicKey: String");
    assert_eq!(table.missing(&ask::fields(&more)), BTreeSet::from(["Hub.publicKey".to_owned()]));
}

#[tokio::test]
async fn everybody_sees_and_does_what_is_theirs_and_no_more() {
    let mut scene = Scene::set().await;
    let (table, mut found) = (Table::read(EXPECTED), BTreeMap::new());
    for ask in ask::all(SDL) {
        let mut outcomes = Vec::new();
        for who in WHO {
            if ask.changes && !scene::is_outsider(who) {
                scene.renew().await;
            }
            let answer = scene.ask(who, &ask).await;
            scene.assert_no_harm(who, &ask, &answer).await;
            outcomes.push(outcome(&ask, &answer));
        }
        found.insert(ask.line.clone(), outcomes);
    }
    if std::env::var_os("UPDATE_MATRIX").is_some() {
        write(&found);
        return;
    }
    let wrong = table.differences(&found);
    assert!(
        wrong.is_empty(),
        "{} fields are not as matrix/expected.txt has them:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    let otherwise = table.with("Hub.name", "anonymous", "value");
    assert_eq!(otherwise.differences(&found).len(), 1, "a wrong line is found");
}

/// The table anew, below the words at its head.
fn write(found: &BTreeMap<String, Vec<Outcome>>) {
    let words: String = EXPECTED
        .lines()
        .take_while(|line| line.starts_with('#'))
        .fold(String::new(), |text, line| text + line + "\n");
    let row = |name: &str, cells: &[String]| {
        let line = cells.iter().fold(format!("{name:<42}"), |line, cell| line + &format!(" {cell:<15}"));
        line.trim_end().to_owned() + "\n"
    };
    let head = row("field", &WHO.map(str::to_owned));
    let lines: String = found.iter().map(|(name, cells)| row(name, cells)).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/admin/matrix/expected.txt");
    std::fs::write(path, format!("{words}\n{head}\n{lines}")).unwrap();
}

/// The outcome of the answer to one question.
fn outcome(ask: &Ask, answer: &Value) -> Outcome {
    if let Some(error) = answer["errors"].get(0) {
        return error["extensions"]["code"].as_str().unwrap_or("ERROR").to_owned();
    }
    let mut all = BTreeSet::new();
    walk(&answer["data"], &ask.path, &mut all);
    ["value", "empty", "null", "-"]
        .into_iter()
        .find(|known| ask.path.last().is_some_and(|last| last == "userErrors") && all.contains(*known))
        .map(str::to_owned)
        .or_else(|| {
            all.iter().find(|outcome| outcome.chars().next().is_some_and(char::is_uppercase)).cloned()
        })
        .or_else(|| {
            ["value", "empty", "null"].into_iter().find(|known| all.contains(*known)).map(str::to_owned)
        })
        .unwrap_or_else(|| "-".to_owned())
}

/// Goes down a path, into every entry of a list, and notes what is found at its ends, and every refusal on the way.
fn walk(value: &Value, path: &[String], found: &mut BTreeSet<Outcome>) {
    if let Some(code) = value["userErrors"][0]["code"].as_str() {
        found.insert(code.to_owned());
    }
    match (value, path.split_first()) {
        (Value::Array(entries), None) if entries.is_empty() => drop(found.insert("empty".to_owned())),
        (Value::Array(entries), _) => entries.iter().for_each(|entry| walk(entry, path, found)),
        (Value::Null, None) => drop(found.insert("null".to_owned())),
        (Value::Null, Some(_)) => {}
        (_, None) => drop(found.insert("value".to_owned())),
        (_, Some((step, rest))) => {
            if let Some(next) = value.get(step) {
                walk(next, rest, found);
            }
        }
    }
}
