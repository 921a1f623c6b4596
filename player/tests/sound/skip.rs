//! Saying loudly that a test could not run here, as `tests/src/skip.rs` does: the harness depends on this crate.

use std::io::Write;

/// Notes that `test` could not run on this host, and why; `tests/run` counts these.
pub(crate) fn skip(test: &str, why: &str) {
    eprintln!("SKIPPED: {test}: {why}");
    let Some(list) = std::env::var_os("TESTS_SKIPPED_FILE") else { return };
    let list = std::fs::OpenOptions::new().create(true).append(true).open(list);
    writeln!(list.expect("the list of skipped tests"), "{test}: {why}").expect("the list of skipped tests");
}
