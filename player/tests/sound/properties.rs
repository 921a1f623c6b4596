//! Whatever is ordered in whatever order: nothing breaks, and what is told fits together.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use proptest::prelude::*;
use roomtone_player::deck::Form;
use roomtone_player::engine::{Command, Event, Track};
use roomtone_schema::PlayId;
use roomtone_schema::play::PlayEnd;
use tempfile::TempDir;

use crate::signals::{Width, noise, write_wav};
use crate::stage::{Stage, ms, track};

const RATE: u32 = 8_000;

/// Files of 0.3 to 1.5 s, one that is no music, and one that is not there.
fn files() -> &'static [(PathBuf, Duration)] {
    static FILES: OnceLock<(TempDir, Vec<(PathBuf, Duration)>)> = OnceLock::new();
    let (_dir, files) = FILES.get_or_init(|| {
        let dir = TempDir::new().unwrap();
        let mut files = Vec::new();
        for (at, (rate, length_ms)) in
            [(8_000, 300), (8_000, 1_500), (11_025, 700), (8_000, 900)].iter().enumerate()
        {
            let path = dir.path().join(format!("{at}.wav"));
            let song = noise(at as u64, 0.9, *rate as usize * length_ms / 1000);
            write_wav(&path, *rate, Width::Int16, &[&song]);
            files.push((path, ms(*length_ms as u64)));
        }
        let odd = dir.path().join("odd.wav");
        std::fs::write(&odd, b"no music at all").unwrap();
        files.push((odd, ms(1_000)));
        files.push((dir.path().join("missing.wav"), ms(1_000)));
        (dir, files)
    });
    files
}

#[derive(Debug, Clone)]
enum Step {
    Play(TrackOf),
    Next(Option<TrackOf>),
    Pause,
    Resume,
    Stop,
    Volume(f32),
    Render(usize),
    Lose,
    Reopen(bool),
}

#[derive(Debug, Clone)]
struct TrackOf {
    file: usize,
    from_ms: u64,
    cue_out_ms: u64,
    crossfade_ms: u64,
    gain_db: f32,
}

fn a_track() -> impl Strategy<Value = TrackOf> {
    (0..6_usize, 0..800_u64, 0..2_000_u64, 0..600_u64, -20.0..20.0_f32).prop_map(
        |(file, from_ms, cue_out_ms, crossfade_ms, gain_db)| TrackOf {
            file,
            from_ms: from_ms.saturating_sub(400),
            cue_out_ms,
            crossfade_ms,
            gain_db,
        },
    )
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => a_track().prop_map(Step::Play),
        4 => proptest::option::weighted(0.9, a_track()).prop_map(Step::Next),
        1 => Just(Step::Pause),
        2 => Just(Step::Resume),
        1 => Just(Step::Stop),
        1 => (0.0..1.2_f32).prop_map(Step::Volume),
        10 => (1..9_000_usize).prop_map(Step::Render),
        1 => Just(Step::Lose),
        1 => any::<bool>().prop_map(Step::Reopen),
    ]
}

fn made(of: &TrackOf) -> Track {
    let (path, length) = &files()[of.file];
    let cue_out = ms(of.cue_out_ms).min(*length);
    Track {
        gain_db: of.gain_db,
        from: ms(of.from_ms),
        crossfade: ms(of.crossfade_ms),
        ..track(path, cue_out)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_ordered_what_is_told_fits_together(steps in proptest::collection::vec(a_step(), 1..60)) {
        let narrow = Form { rate: RATE, channels: 1 };
        let wide = Form { rate: 11_025, channels: 2 };
        let mut stage = Stage::new(narrow);
        let mut tracks: HashMap<PlayId, Track> = HashMap::new();
        let mut make = |of: &TrackOf| {
            let track = made(of);
            tracks.insert(track.play, track.clone());
            track
        };
        let mut lost = false;
        for step in &steps {
            match step {
                Step::Play(of) => { let track = make(of); stage.send(Command::Play(track)); }
                Step::Next(of) => { let track = of.as_ref().map(&mut make); stage.send(Command::Next(track)); }
                Step::Pause => stage.send(Command::Pause),
                Step::Resume => stage.send(Command::Resume),
                Step::Stop => stage.send(Command::Stop),
                Step::Volume(volume) => stage.send(Command::Volume(*volume)),
                Step::Render(frames) if !lost => {
                    let out = stage.render(*frames);
                    prop_assert!(out.iter().all(|sample| sample.abs() <= 1.0));
                }
                Step::Render(_) => {}
                Step::Lose => { stage.offline.lose(); lost = true; }
                Step::Reopen(broad) => {
                    stage.offline.reopen(if *broad { wide } else { narrow }, ms(500));
                    lost = false;
                }
            }
        }
        stage.offline.reopen(narrow, ms(500));
        stage.send(Command::Stop);
        stage.render(RATE as usize);
        check(&stage.events, &tracks)?;
        prop_assert_eq!(stage.offline.snapshot().play, None);
    }
}

fn check(events: &[Event], tracks: &HashMap<PlayId, Track>) -> Result<(), TestCaseError> {
    let mut started: Vec<PlayId> = Vec::new();
    let mut ended: Vec<PlayId> = Vec::new();
    for event in events {
        match event {
            Event::Started { play } => {
                prop_assert!(!started.contains(play) && !ended.contains(play), "{events:?}");
                started.push(*play);
            }
            Event::Ended { play, end, heard, why } => {
                prop_assert!(!ended.contains(play), "{events:?}");
                let unheard = *end == PlayEnd::Failed && heard.is_zero();
                prop_assert!(started.contains(play) || unheard, "{events:?}");
                prop_assert_eq!(why.is_some(), *end == PlayEnd::Failed);
                let track = &tracks[play];
                // A file that ends within two milliseconds of its last cue plays to its end; and each rate rounds.
                let length = track.cue_out.saturating_sub(track.from) + Duration::from_micros(2_500);
                prop_assert!(*heard <= length, "{heard:?} of {length:?}");
                ended.push(*play);
            }
            Event::Dry | Event::Output { .. } => {}
        }
    }
    prop_assert!(started.iter().all(|play| ended.contains(play)), "{events:?}");
    Ok(())
}
