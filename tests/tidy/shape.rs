//! The size and manner of files and functions.

use std::path::Path;

use roomtone_tests::workspace;

use crate::source::{functions, without_comments, without_unit_tests};

/// A reader holds no more than this.
const LONGEST_FILE: usize = 700;

/// A function longer than this does more than its name says.
const LONGEST_FUNCTION: usize = 100;

#[test]
fn no_file_is_too_long() {
    let ours = ["rs", "js", "mjs", "css", "html", "py", "sh", "sql"];
    for path in workspace::files() {
        if !path.extension().is_some_and(|ext| ours.iter().any(|known| ext == *known)) {
            continue;
        }
        let lines = std::fs::read_to_string(workspace::root().join(&path)).unwrap().lines().count();
        assert!(lines <= LONGEST_FILE, "{} has {lines} lines", path.display());
    }
}

#[test]
fn no_function_is_too_long() {
    let mut lengths = Vec::new();
    for (path, text) in workspace::rust_files().iter().filter(|(path, _)| is_program(path)) {
        for (name, length) in functions(&without_unit_tests(text)) {
            assert!(length <= LONGEST_FUNCTION, "{}: fn {name} has {length} lines", path.display());
            lengths.push(length);
        }
    }
    lengths.sort_unstable();
    let at = |share: usize| lengths.get(lengths.len() * share / 100).copied().unwrap_or(0);
    println!("{} functions; median {} lines, p90 {}, longest {}", lengths.len(), at(50), at(90), at(99));
}

#[test]
fn modules_are_named_files() {
    for (path, _) in workspace::rust_files() {
        assert!(!path.ends_with("mod.rs"), "{}: write foo.rs beside foo/", path.display());
    }
}

#[test]
fn nothing_is_left_for_later() {
    let marks = ["todo!(", "unimplemented!(", "#[ignore", "dbg!("];
    for (path, text) in workspace::rust_files().iter().filter(|(path, _)| !path.starts_with("tests/tidy")) {
        let code = without_comments(text);
        for mark in marks {
            assert!(!code.contains(mark), "{}: {mark}", path.display());
        }
    }
}

#[test]
fn every_expected_lint_has_its_reason() {
    for (path, text) in workspace::rust_files().iter().filter(|(path, _)| !path.starts_with("tests/tidy")) {
        for attribute in text.split("[expect(").skip(1) {
            let attribute = attribute.split(")]").next().unwrap();
            assert!(attribute.contains("reason ="), "{}: expect({attribute})", path.display());
        }
    }
}

#[test]
fn nothing_names_the_place_where_it_was_written() {
    let home = std::env::var("HOME").unwrap_or_default();
    let places = [workspace::root().display().to_string(), format!("{}/", home.trim_end_matches('/'))];
    for path in workspace::files() {
        let Ok(text) = std::fs::read_to_string(workspace::root().join(&path)) else { continue };
        let named = places.iter().filter(|place| place.len() > 2).find(|place| text.contains(*place));
        assert!(named.is_none(), "{} names {named:?}", path.display());
    }
}

fn is_program(path: &Path) -> bool {
    !path.starts_with("tests") && !path.components().any(|part| part.as_os_str() == "tests")
}
