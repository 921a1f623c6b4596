//! Saying loudly that a test could not run here.

use std::io::Write;

/// Notes that `test` could not run on this host, and why.
///
/// `tests/run` counts these and subtracts them from the passed ones: libtest itself knows no skipping at run time.
pub fn skip(test: &str, why: &str) {
    eprintln!("SKIPPED: {test}: {why}");
    let Some(list) = std::env::var_os("TESTS_SKIPPED_FILE") else { return };
    let mut list =
        std::fs::OpenOptions::new().create(true).append(true).open(list).expect("the list of skipped tests");
    writeln!(list, "{test}: {why}").expect("the list of skipped tests");
}
