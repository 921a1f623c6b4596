//! Saying loudly that a test could not run here.

use std::io::Write as _;

/// Notes that `test` could not run on this host, and why; `tests/run` counts these.
pub(crate) fn skip(test: &str, why: &str) {
    eprintln!("SKIPPED: {test}: {why}");
    let Some(list) = std::env::var_os("TESTS_SKIPPED_FILE") else { return };
    let mut list = std::fs::OpenOptions::new().create(true).append(true).open(list).unwrap();
    writeln!(list, "{test}: {why}").unwrap();
}
