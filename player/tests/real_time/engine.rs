//! The engine with its threads and a real clock, and what it leaves in a file.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use roomtone_player::engine::{Command, Engine, EngineSettings, Event, OutputKind};
use roomtone_schema::PlayId;
use roomtone_schema::play::PlayEnd;
use roomtone_schema::time::SystemClock;
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

use crate::signals::{Width, noise, power_db, write_wav};
use crate::stage::{RATE, ms, track};

fn started(output: OutputKind) -> (Engine, UnboundedReceiver<Event>) {
    let settings = EngineSettings { output, volume: 1.0 };
    Engine::start(settings, Arc::new(SystemClock::new())).unwrap()
}

async fn next(events: &mut UnboundedReceiver<Event>) -> Event {
    timeout(Duration::from_secs(20), events.recv())
        .await
        .expect("something is told")
        .expect("the engine lives")
}

async fn ends(events: &mut UnboundedReceiver<Event>, play: PlayId) -> Duration {
    loop {
        if let Event::Ended { play: ended, heard, .. } = next(events).await
            && ended == play
        {
            return heard;
        }
    }
}

fn samples_of(wav: &[u8]) -> Vec<f64> {
    assert_eq!((&wav[..4], &wav[8..16]), (&b"RIFF"[..], &b"WAVEfmt "[..]));
    let told = u32::from_le_bytes(wav[54..58].try_into().unwrap()) as usize;
    assert!(told <= wav.len() - 58, "{told} of {}", wav.len());
    let samples =
        wav[58..58 + told].chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()));
    samples.step_by(2).map(f64::from).collect()
}

#[tokio::test]
async fn a_song_plays_in_real_time_into_a_file() {
    let dir = TempDir::new().unwrap();
    let song = dir.path().join("song.wav");
    write_wav(&song, 44_100, Width::Int16, &[&noise(1, 0.3, 44_100)]);
    let out = dir.path().join("heard.wav");
    let (engine, mut events) = started(OutputKind::File(out.clone()));
    let (first, second) = (track(&song, ms(1_000)), track(&song, ms(1_000)));
    let began = tokio::time::Instant::now();
    engine.send(Command::Play(first.clone()));
    engine.send(Command::Next(Some(second.clone())));
    assert_eq!(next(&mut events).await, Event::Started { play: first.play });
    assert_eq!(ends(&mut events, first.play).await, ms(1_000));
    // A reader may come at any time.
    samples_of(&std::fs::read(&out).unwrap());
    assert_eq!(ends(&mut events, second.play).await, ms(1_000));
    assert_eq!(next(&mut events).await, Event::Dry);
    assert!(began.elapsed() >= ms(1_900), "faster than real time");
    let shown = engine.snapshot();
    assert!(shown.output.contains("heard.wav"), "{shown:?}");
    drop(engine);
    let heard = samples_of(&std::fs::read(&out).unwrap());
    let first_sound = heard.iter().position(|sample| *sample != 0.0).unwrap();
    let last_sound = heard.iter().rposition(|sample| *sample != 0.0).unwrap();
    let sound = &heard[first_sound..last_sound];
    // The last block may still have been on its way when the engine was let go.
    assert!((2 * RATE as usize - 2_400..=2 * RATE as usize + 480).contains(&sound.len()), "{}", sound.len());
    // A machine that does other things as well may be late once, and then a deck is waited for.
    let holes = sound.chunks(480).filter(|part| power_db(part) <= -30.0).count();
    assert!(
        holes as u64 <= 100 * shown.underruns,
        "{holes} holes of 10 ms, {} of them told",
        shown.underruns
    );
}

#[tokio::test]
async fn an_output_that_cannot_be_opened_is_told_and_tried_again() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("not there yet");
    let (engine, mut events) = started(OutputKind::File(folder.join("heard.wav")));
    let song = dir.path().join("song.wav");
    write_wav(&song, RATE, Width::Int16, &[&noise(1, 0.3, 4_800)]);
    let first = track(&song, ms(100));
    engine.send(Command::Play(first.clone()));
    let Event::Output { trouble: Some(why) } = next(&mut events).await else { panic!("no trouble") };
    assert!(why.contains("cannot write"), "{why}");
    std::fs::create_dir(&folder).unwrap();
    assert_eq!(next(&mut events).await, Event::Output { trouble: None });
    assert_eq!(next(&mut events).await, Event::Started { play: first.play });
    assert_eq!(ends(&mut events, first.play).await, ms(100));
}

#[tokio::test]
async fn an_order_is_obeyed_at_once_and_the_snapshot_follows() {
    let dir = TempDir::new().unwrap();
    let song = dir.path().join("song.wav");
    write_wav(&song, RATE, Width::Int16, &[&noise(1, 0.3, 20 * RATE as usize)]);
    let (engine, mut events) = started(OutputKind::Discard);
    let (first, second) = (track(&song, ms(20_000)), track(&song, ms(20_000)));
    engine.send(Command::Play(first.clone()));
    assert_eq!(next(&mut events).await, Event::Started { play: first.play });
    let began = tokio::time::Instant::now();
    engine.send(Command::Play(second.clone()));
    assert_eq!(next(&mut events).await, Event::Started { play: second.play });
    let took = began.elapsed();
    eprintln!("a skip begins after {took:?}");
    ends(&mut events, first.play).await;
    let shown = engine.snapshot();
    assert_eq!(shown.play, Some(second.play));
    assert!(shown.heard <= ms(1_000) && shown.level_db > -40.0, "{shown:?}");
}

/// Linux holds 64 KiB in a pipe: two thirds of a second of this song.
const PIPE_HOLDS: usize = 60_000;

/// A pipe that is read as a file: what a disk that hangs looks like.
fn pipe(dir: &TempDir) -> PathBuf {
    let path = dir.path().join("pipe.wav");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

#[tokio::test]
async fn a_file_whose_disk_hangs_is_given_up() {
    let dir = TempDir::new().unwrap();
    let hangs = track(&pipe(&dir), ms(10_000));
    let (engine, mut events) = started(OutputKind::Discard);
    engine.send(Command::Play(hangs.clone()));
    let Event::Ended { play, end, heard, .. } = next(&mut events).await else { panic!("it began") };
    assert_eq!((play, end, heard), (hangs.play, PlayEnd::Failed, Duration::ZERO));
    assert_eq!(next(&mut events).await, Event::Dry);
    // Lets its reader go.
    drop(std::fs::OpenOptions::new().write(true).open(&hangs.path).unwrap());
}

#[tokio::test]
async fn a_disk_that_hangs_in_the_middle_of_a_song_does_not_hold_up_the_next() {
    let dir = TempDir::new().unwrap();
    let song = dir.path().join("song.wav");
    write_wav(&song, RATE, Width::Int16, &[&noise(1, 0.3, 10 * RATE as usize)]);
    let (hangs, good) = (track(&pipe(&dir), ms(10_000)), track(&song, ms(10_000)));
    // Opened both ways, so that neither side waits for the other; what a pipe holds is there before it is asked for.
    let mut feeding = std::fs::OpenOptions::new().read(true).write(true).open(&hangs.path).unwrap();
    let bytes = std::fs::read(&song).unwrap();
    feeding.write_all(&bytes[..PIPE_HOLDS]).unwrap();
    let (engine, mut events) = started(OutputKind::Discard);
    engine.send(Command::Play(hangs.clone()));
    engine.send(Command::Next(Some(good.clone())));
    assert_eq!(next(&mut events).await, Event::Started { play: hangs.play });
    assert_eq!(next(&mut events).await, Event::Started { play: good.play });
    let Event::Ended { play, end, why, .. } = next(&mut events).await else { panic!("it has not ended") };
    assert_eq!((play, end), (hangs.play, PlayEnd::Failed));
    assert!(why.unwrap().contains("nothing more came"));
    let shown = engine.snapshot();
    assert!(1 <= shown.underruns, "{shown:?}");
    // Two seconds of it would be counted; a busy machine may look a moment later.
    assert!(shown.silence_ms < 4_000, "{shown:?}");
}

#[tokio::test]
async fn a_dropped_engine_is_silent_and_its_channel_closed() {
    let (engine, mut events) = started(OutputKind::Discard);
    engine.send(Command::Pause);
    drop(engine);
    assert_eq!(events.recv().await, None);
}
