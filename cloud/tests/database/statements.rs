//! Every statement in the program is one that the migrated database understands.

use std::fs;
use std::path::{Path, PathBuf};

use sqlx::{AssertSqlSafe, Executor as _, SqlSafeStr as _};

use crate::postgres::{Postgres, Version, run};

const VERBS: [&str; 5] = ["select ", "insert ", "update ", "delete ", "with "];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the store's folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The texts between quotes, as the compiler reads them.
fn texts(source: &str) -> Vec<String> {
    let code: Vec<&str> = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let mut texts = Vec::new();
    let mut letters = code.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            // A quote as a character of its own is no beginning of a text.
            '\'' if letters.peek() == Some(&'"') => {
                letters.next();
            }
            '"' => texts.push(text(&mut letters)),
            _ => {}
        }
    }
    texts
}

fn text(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut text = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' => match letters.next() {
                Some('\n') => {
                    while letters.peek().is_some_and(|next| next.is_whitespace()) {
                        letters.next();
                    }
                }
                Some('n') => text.push('\n'),
                Some(other) => text.push(other),
                None => break,
            },
            other => text.push(other),
        }
    }
    text
}

#[tokio::test]
async fn every_statement_can_be_prepared() {
    let database = Postgres::start(Version::V16).database().await;
    let mut conn = database.superuser().await;
    // What only the Supabase CLI makes.
    run(&mut conn, "create schema supabase_migrations; create table supabase_migrations.schema_migrations (version text)").await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut prepared = 0;
    for path in sources(&folder) {
        let source = fs::read_to_string(&path).expect("a source file");
        for statement in texts(&source) {
            let begins = statement.trim_start();
            // With a brace it is a pattern, whose parts come later.
            if !VERBS.iter().any(|verb| begins.starts_with(verb)) || statement.contains('{') {
                continue;
            }
            match conn.prepare(AssertSqlSafe(statement.clone()).into_sql_str()).await {
                Ok(_) => prepared += 1,
                // The beginning of one that is put together, or a parameter whose type only its value has.
                Err(error)
                    if error.to_string().contains("syntax error at end of input")
                        || error.to_string().contains("could not determine data type of parameter") => {}
                Err(error) => panic!("{}: {error}\n{statement}", path.display()),
            }
        }
    }
    assert!(prepared >= 20, "only {prepared} were found");
}

#[test]
fn texts_are_found_as_the_compiler_reads_them() {
    let source = "// \"no\"\nf(\"select \\\"a\\\" \\\n      from b\"); g('\"', \"c\\n\");";
    assert_eq!(texts(source), ["select \"a\" from b", "c\n"]);
}
