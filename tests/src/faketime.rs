//! A false wall clock for a program; its monotonic clock stays true, as on a real box.

use std::path::{Path, PathBuf};

use crate::skip;

/// Variables that make a program read `time` (faketime's notation) on its wall clock; `None`, and a note of it, where
/// libfaketime is not installed.
pub fn fixed(test: &str, time: &str) -> Option<Vec<(&'static str, String)>> {
    preload(test).map(|mut env| {
        env.push(("FAKETIME", time.to_owned()));
        env
    })
}

/// As [`fixed`], with the time in a file that a test may rewrite while the program runs.
pub fn from_file(test: &str, file: &Path) -> Option<Vec<(&'static str, String)>> {
    preload(test).map(|mut env| {
        env.push(("FAKETIME_TIMESTAMP_FILE", file.display().to_string()));
        env.push(("FAKETIME_NO_CACHE", "1".to_owned()));
        env
    })
}

fn preload(test: &str) -> Option<Vec<(&'static str, String)>> {
    let Some(library) = library() else {
        skip(test, "libfaketime is not installed");
        return None;
    };
    Some(vec![
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ])
}

fn library() -> Option<PathBuf> {
    let places = std::fs::read_dir("/usr/lib").ok()?.flatten();
    places.map(|place| place.path().join("faketime/libfaketime.so.1")).find(|library| library.exists())
}
