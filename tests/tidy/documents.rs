//! Documents speak of files that exist.

use roomtone_tests::workspace;

const DOCUMENTS: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "migrations/README.md",
];

#[test]
fn every_path_that_a_document_names_exists() {
    let mut missing = Vec::new();
    for document in DOCUMENTS {
        let text = std::fs::read_to_string(workspace::root().join(document))
            .unwrap_or_else(|_| panic!("{document} is missing"));
        let paths =
            quoted(&text).filter(|word| is_path(word)).chain(linked(&text).filter(|word| is_relative(word)));
        missing.extend(
            paths
                .filter(|path| !exists(path) && !exists(&beside(document, path)))
                .map(|path| format!("{document}: {path}")),
        );
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// A path as seen from the document's own folder.
fn beside(document: &str, path: &str) -> String {
    document.rsplit_once('/').map_or_else(|| path.to_owned(), |(folder, _)| format!("{folder}/{path}"))
}

/// Words in back quotes, outside of code blocks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|part| part.lines().flat_map(|line| line.split('`').skip(1).step_by(2)))
}

/// Targets of links and images.
fn linked(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next())
}

/// The rooms of the house. A quoted word that begins with one is a path; so is the target of every relative link.
const ROOMS: &[&str] =
    &["cloud", "docs", "hub", "migrations", "player", "schema", "src", "sync", "tests", ".ci"];

/// A quoted word that means a file of ours: no address, no route, no placeholder.
fn is_path(word: &str) -> bool {
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-*".contains(c));
    plain && word.split_once('/').is_some_and(|(room, _)| ROOMS.contains(&room))
}

/// A link that leaves no room for doubt: it must lead to a file.
fn is_relative(target: &str) -> bool {
    !target.is_empty() && !target.contains(':')
}

/// Whether a path exists from the top; `*` stands for anything in its last part.
fn exists(path: &str) -> bool {
    let root = workspace::root();
    let Some((before, after)) = path.split_once('*') else { return root.join(path).exists() };
    let (folder, start) = before.rsplit_once('/').unwrap_or(("", before));
    let entries = std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).any(|name| {
        let name = name.to_string_lossy();
        name.starts_with(start) && name.ends_with(after)
    })
}

#[test]
fn paths_are_told_from_other_words() {
    assert!(is_path("hub/src/store.rs") && is_path("migrations/hub/*.sql"));
    assert!(
        !is_path("/graphql") && !is_path("http://x/y") && !is_path("DATA/hub.db") && !is_path("hub.toml")
    );
    assert!(is_relative("LICENSE-MIT") && !is_relative("https://semver.org/"));
}
