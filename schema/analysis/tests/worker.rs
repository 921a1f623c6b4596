//! The child process and its limits.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use roomtone_analysis::{Limits, Reason, Worker, analyse};
use rstest::rstest;
use tempfile::TempDir;

use crate::damaged::worker;
use crate::signals::{cadence, chords, clicks, write_wav};

/// A stand-in for the program, to see what the worker makes of its end.
fn stand_in(dir: &Path, script: &str) -> Worker {
    let program = dir.join("stand-in");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    Worker::new(program, Limits { stall: Duration::from_millis(500), ..Limits::default() })
}

#[test]
fn the_child_says_what_the_analysis_says() {
    let dir = TempDir::new().unwrap();
    let wav = write_wav(dir.path(), "song.wav", &chords(&cadence(60, false), 100.0, 20.0));
    assert_eq!(worker().analyse(&wav).unwrap(), analyse(&wav).unwrap());
}

#[test]
fn names_that_are_no_text_reach_the_child_whole() {
    use std::os::unix::ffi::OsStrExt as _;
    let dir = TempDir::new().unwrap();
    let wav = write_wav(dir.path(), "song.wav", &clicks(100.0, 5.0));
    for name in [&b"caf\xE9 \xFF.wav"[..], b"-n --help.wav", b"a\nb'\"$(x).wav", "音楽.wav".as_bytes()] {
        let odd = dir.path().join(std::ffi::OsStr::from_bytes(name));
        std::fs::copy(&wav, &odd).unwrap();
        assert_eq!(worker().analyse(&odd).unwrap().duration_ms, 5000);
    }
}

#[rstest]
#[case("echo \"thread 'main' panicked at src/x.rs:1:2:\nno such chunk\" >&2; exit 101", Reason::Crashed("no such chunk".into()))]
#[case("kill -SEGV $$", Reason::Crashed("signal: 11 (SIGSEGV)".into()))]
#[case("kill -ABRT $$", Reason::Crashed("signal: 6 (SIGABRT)".into()))]
#[case("echo 'memory allocation of 9999999 bytes failed' >&2; kill -ABRT $$", Reason::OutOfMemory)]
#[case("kill -XCPU $$", Reason::TimedOut)]
#[case("exec sleep 60", Reason::TimedOut)]
fn however_a_child_ends_the_caller_learns_why(#[case] script: &str, #[case] expected: Reason) {
    let dir = TempDir::new().unwrap();
    let started = Instant::now();
    let reason = stand_in(dir.path(), script).analyse(Path::new("/any/file")).unwrap_err().reason;
    assert_eq!(reason, expected);
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[rstest]
#[case("yes")]
#[case("echo hello")]
#[case("yes >&2")]
#[case("exit 0")]
#[case("while :; do echo; done")]
fn a_child_that_babbles_is_cut_short(#[case] script: &str) {
    let dir = TempDir::new().unwrap();
    let reason = stand_in(dir.path(), script).analyse(Path::new("/any/file")).unwrap_err().reason;
    assert!(matches!(reason, Reason::Crashed(_) | Reason::TimedOut), "{reason}");
}

#[test]
fn a_program_that_is_not_there_is_not_the_files_fault() {
    let worker = Worker::new(PathBuf::from("/nowhere/roomtone"), Limits::default());
    let reason = worker.analyse(Path::new("/any/file")).unwrap_err().reason;
    assert!(matches!(reason, Reason::NotStarted(_)) && !reason.is_permanent(), "{reason}");
}

#[test]
fn a_child_without_room_for_its_memory_says_so() {
    let dir = TempDir::new().unwrap();
    let wav = write_wav(dir.path(), "song.wav", &clicks(100.0, 120.0));
    // Enough to start, too little for the buffers of a song.
    let limits = Limits { memory: 6 << 20, ..Limits::default() };
    let worker = Worker::new(PathBuf::from(env!("CARGO_BIN_EXE_roomtone-analyse")), limits);
    let reason = worker.analyse(&wav).unwrap_err().reason;
    assert_eq!(reason, Reason::OutOfMemory);
}

#[test]
fn processor_time_is_earned_by_progress() {
    let dir = TempDir::new().unwrap();
    let wav = write_wav(dir.path(), "song.wav", &clicks(100.0, 300.0));
    let limits = Limits { cpu_seconds: 0, ..Limits::default() };
    let worker = Worker::new(PathBuf::from(env!("CARGO_BIN_EXE_roomtone-analyse")), limits);
    assert_eq!(worker.analyse(&wav).unwrap_err().reason, Reason::TimedOut);
}
