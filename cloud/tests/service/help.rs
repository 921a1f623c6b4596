//! What the program says of itself.

use std::process::{Command, Output};

fn ask(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_roomtone-cloud")).args(words).env_clear().output().unwrap()
}

fn said(words: &[&str]) -> String {
    String::from_utf8(ask(words).stdout).unwrap()
}

#[test]
fn the_help_says_where_to_begin() {
    let help = said(&["--help"]);
    for word in [
        "serve",
        "migrate",
        "dev",
        "dev-token",
        "admin",
        "doctor",
        "Begin with `roomtone-cloud dev`",
        "Exit codes",
    ] {
        assert!(help.contains(word), "{word} is missing in:\n{help}");
    }
}

#[test]
fn every_command_explains_itself_and_its_options() {
    for command in ["serve", "migrate", "dev", "dev-token", "admin", "doctor"] {
        let help = said(&[command, "--help"]);
        assert!(help.lines().next().is_some_and(|line| line.len() > 15), "{command}:\n{help}");
    }
}

#[test]
fn a_word_that_is_no_command_is_not_understood() {
    assert_eq!(ask(&["srve"]).status.code(), Some(2));
    assert_eq!(ask(&[]).status.code(), Some(2));
}

#[test]
fn serving_without_settings_says_which_is_missing_and_what_needs_none() {
    let output = ask(&["serve"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("DATABASE_URL") && told.contains("roomtone-cloud dev"), "{told}");
}
