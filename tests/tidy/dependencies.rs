//! What we stand on: licences, bans and sources as `deny.toml` says, held against `cargo metadata` without a network.

use std::collections::BTreeSet;

use roomtone_tests::workspace;
use serde_json::Value;

#[test]
fn every_licence_is_allowed() {
    let deny = deny_toml();
    let allowed: BTreeSet<_> = texts(&deny["licenses"]["allow"]);
    for package in packages() {
        let (name, licence) = (package["name"].as_str().unwrap(), package["license"].as_str());
        let licence = licence.unwrap_or_else(|| panic!("{name} states no licence"));
        assert!(is_allowed(licence, &allowed), "{name}: {licence}");
    }
}

#[test]
fn nothing_banned_is_used() {
    let deny = deny_toml();
    let banned: BTreeSet<_> =
        deny["bans"]["deny"].as_array().unwrap().iter().map(|ban| ban["crate"].as_str().unwrap()).collect();
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        assert!(!banned.contains(name), "{name} is banned in deny.toml");
    }
}

#[test]
fn everything_comes_from_the_registry() {
    for package in packages() {
        let source = package["source"].as_str();
        let known =
            source.is_none_or(|source| source == "registry+https://github.com/rust-lang/crates.io-index");
        assert!(known, "{} comes from {source:?}", package["name"]);
    }
}

#[test]
fn architecture_names_every_dependency() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let page = read("ARCHITECTURE.md");
    let dependencies = manifest["workspace"]["dependencies"].as_table().unwrap();
    for name in dependencies.keys().filter(|name| !name.starts_with("roomtone-")) {
        assert!(page.contains(&format!("`{name}`")), "ARCHITECTURE.md gives no reason for `{name}`");
    }
}

#[test]
fn licence_expressions_are_understood() {
    let allowed = BTreeSet::from(["MIT", "Apache-2.0 WITH LLVM-exception", "BSD-3-Clause"]);
    assert!(is_allowed("GPL-3.0 OR MIT", &allowed));
    assert!(is_allowed("MIT/GPL-2.0", &allowed));
    assert!(is_allowed("(GPL-3.0 OR MIT) AND BSD-3-Clause", &allowed));
    assert!(is_allowed("Apache-2.0 WITH LLVM-exception", &allowed));
    assert!(!is_allowed("MIT AND GPL-3.0", &allowed));
    assert!(!is_allowed("Apache-2.0", &allowed));
}

/// Whether an SPDX expression can be met with the allowed licences: any side of an OR, every side of an AND.
fn is_allowed(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let expression = expression.replace('/', " OR ");
    let split = |word| split_outside_brackets(&expression, word);
    if let Some(sides) = split(" AND ") {
        return sides.iter().all(|side| is_allowed(side, allowed));
    }
    if let Some(sides) = split(" OR ") {
        return sides.iter().any(|side| is_allowed(side, allowed));
    }
    let inner = expression.trim().strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    inner.map_or_else(|| allowed.contains(expression.trim()), |inner| is_allowed(inner, allowed))
}

/// The sides of `word` where it joins anything outside brackets.
fn split_outside_brackets<'a>(text: &'a str, word: &str) -> Option<Vec<&'a str>> {
    let is_outside = |at: usize| text[..at].matches('(').count() == text[..at].matches(')').count();
    let (at, _) = text.match_indices(word).find(|(at, _)| is_outside(*at))?;
    Some(vec![&text[..at], &text[at + word.len()..]])
}

fn deny_toml() -> toml::Table {
    read("deny.toml").parse().unwrap()
}

fn texts(list: &toml::Value) -> BTreeSet<&str> {
    list.as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect()
}

fn packages() -> Vec<Value> {
    workspace::metadata()["packages"].as_array().unwrap().clone()
}

fn read(name: &str) -> String {
    std::fs::read_to_string(workspace::root().join(name)).unwrap()
}
