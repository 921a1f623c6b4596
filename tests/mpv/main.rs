//! The older plan's terminal as it was meant: 30 lines of Python and mpv, against the built hub.

use std::collections::HashSet;
use std::process::{Command, Stdio};

use roomtone_tests::{TestVenue, skip, workspace};

/// Whether a program is installed.
fn has(program: &str) -> bool {
    let asked = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

#[tokio::test]
async fn a_python_script_with_mpv_plays_three_songs_in_a_row() {
    if let Some(missing) = ["python3", "mpv"].into_iter().find(|program| !has(program)) {
        skip("a python script with mpv plays three songs in a row", &format!("{missing} is not installed"));
        return;
    }
    let mut venue = TestVenue::with_songs(5);
    let token = venue.player_token("bar");
    let script = workspace::root().join("tests/mpv/terminal.py");
    let arguments =
        [venue.url("").as_str(), token.as_str(), "3", "--no-config", "--ao=null"].map(str::to_owned);
    let terminal = Command::new("python3").arg(script).args(arguments).output().unwrap();
    let said = String::from_utf8(terminal.stdout).unwrap();
    assert!(terminal.status.success(), "{said}{}", String::from_utf8_lossy(&terminal.stderr));
    let titles: HashSet<&str> = said.lines().collect();
    assert_eq!((said.lines().count(), titles.len()), (3, 3), "three songs, none of them twice: {said}");
    assert_eq!(venue.health().await["players"]["online"], 1);
    venue.close();
}

#[test]
fn the_script_is_thirty_lines_of_the_standard_library() {
    let script = std::fs::read_to_string(workspace::root().join("tests/mpv/terminal.py")).unwrap();
    assert!(script.lines().count() <= 30, "{} lines", script.lines().count());
}
