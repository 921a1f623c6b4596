//! Rust source without what only looks like code.

/// The text of `source` with comments blanked out, line for line.
pub(crate) fn without_comments(source: &str) -> String {
    source.lines().map(|line| &line[..comment_start(line)]).collect::<Vec<_>>().join("\n")
}

/// Where the comment of a line begins, or its end. A `//` inside a text (an odd number of quotes before it) is none.
fn comment_start(line: &str) -> usize {
    let found = line.match_indices("//").find(|(at, _)| line[..*at].matches('"').count().is_multiple_of(2));
    found.map_or(line.len(), |(at, _)| at)
}

/// The text without its `#[cfg(test)] mod … { … }` blocks, which rustfmt closes in the column where they open.
pub(crate) fn without_unit_tests(source: &str) -> String {
    let mut kept = Vec::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if line.trim_start() == "#[cfg(test)]" {
            let indent = &line[..line.len() - line.trim_start().len()];
            let end = format!("{indent}}}");
            let opens_block =
                lines.next().is_some_and(|next| next.ends_with('{') || next.trim_start().starts_with("#["));
            if opens_block {
                lines.by_ref().find(|line| *line == end);
            }
        } else {
            kept.push(line);
        }
    }
    kept.join("\n")
}

/// Every function of rustfmt'ed source as (name, number of lines): from `fn` to the brace in the same column.
pub(crate) fn functions(source: &str) -> Vec<(String, usize)> {
    let lines: Vec<_> = source.lines().collect();
    let begins = |line: &str| {
        let words = line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
        let words =
            words.trim_start_matches("pub ").trim_start_matches("const ").trim_start_matches("async ");
        words.trim_start_matches("unsafe ").strip_prefix("fn ").map(name_of)
    };
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = begins(line) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        let end = format!("{indent}}}");
        // One that is declared over several lines, as in a trait, ends with its arguments.
        let declared = format!("{indent})");
        let is_end = |line: &&str| *line == end || (line.starts_with(&declared) && line.ends_with(';'));
        let one_line = line.ends_with('}') || line.ends_with(';');
        let length = if one_line { 1 } else { lines[at..].iter().position(is_end).map_or(1, |n| n + 1) };
        found.push((name, length));
    }
    found
}

fn name_of(rest: &str) -> String {
    rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn functions_are_found_with_their_length() {
    let source = "pub fn one() {}\n\nimpl X {\n    pub(crate) async fn two(\n        a: u8,\n    ) {\n        let b = 1;\n    }\n}\n";
    assert_eq!(functions(source), [("one".to_owned(), 1), ("two".to_owned(), 5)]);
    let declared =
        "trait Y {\n    fn three(\n        a: u8,\n    ) -> u8;\n    fn four() {\n        five()\n    }\n}\n";
    assert_eq!(functions(declared), [("three".to_owned(), 3), ("four".to_owned(), 3)]);
}

#[test]
fn comments_and_unit_tests_are_left_out() {
    let source = "let a = \"http://x\"; // b\n#[cfg(test)]\nmod tests {\n    fn x() {}\n}\nlet c = 1;";
    assert_eq!(without_unit_tests(&without_comments(source)), "let a = \"http://x\"; \nlet c = 1;");
}
