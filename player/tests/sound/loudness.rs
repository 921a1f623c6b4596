//! Songs at one loudness, and never above the ceiling.

use ebur128::{EbuR128, Mode};
use roomtone_player::deck::Form;
use roomtone_player::engine::{Command, Track};
use rstest::rstest;

use crate::signals::{Mono, Width, noise, sine, write_wav};
use crate::stage::{RATE, STEREO, Stage, ms, track};

const TARGET_LUFS: f64 = -16.0;

fn meter(interleaved: &[f32], form: Form) -> EbuR128 {
    let mut meter = EbuR128::new(form.channels as u32, form.rate, Mode::I | Mode::TRUE_PEAK).unwrap();
    meter.add_frames_f32(interleaved).unwrap();
    meter
}

fn lufs(interleaved: &[f32], form: Form) -> f64 {
    meter(interleaved, form).loudness_global().unwrap()
}

/// The highest true peak of all channels, in dBTP.
fn true_peak(interleaved: &[f32], form: Form) -> f64 {
    let meter = meter(interleaved, form);
    let peaks = (0..form.channels as u32).map(|channel| meter.true_peak(channel).unwrap());
    20.0 * peaks.fold(0.0, f64::max).log10()
}

/// What the hub would have said: the gain that brings the file as it is to the target.
fn gain(channels: &[&Mono]) -> f32 {
    let interleaved: Vec<f32> = (0..channels[0].len())
        .flat_map(|at| channels.iter().map(move |channel| channel[at] as f32))
        .collect();
    (TARGET_LUFS - lufs(&interleaved, Form { rate: RATE, channels: channels.len() })) as f32
}

#[test]
fn songs_of_any_loudness_and_width_follow_each_other_at_one() {
    let seconds = 8 * RATE as usize;
    let songs: [Vec<Mono>; 4] = [
        vec![noise(1, 0.5, seconds), noise(2, 0.5, seconds)],
        vec![noise(3, 0.02, seconds), noise(4, 0.02, seconds)],
        vec![noise(5, 0.3, seconds)],
        vec![sine(300.0, 0.9, RATE, seconds), sine(300.0, 0.9, RATE, seconds)],
    ];
    let mut stage = Stage::new(STEREO);
    let mut levels = Vec::new();
    for (at, song) in songs.iter().enumerate() {
        let path = stage.path(&format!("{at}.wav"));
        let channels: Vec<&Mono> = song.iter().collect();
        write_wav(&path, RATE, Width::Int24, &channels);
        let track = Track { gain_db: gain(&channels), ..track(&path, ms(8_000)) };
        stage.send(if at == 0 { Command::Play(track) } else { Command::Next(Some(track)) });
        levels.push(lufs(&stage.render(seconds), STEREO));
    }
    eprintln!("{levels:.2?} LUFS");
    for pair in levels.windows(2) {
        assert!((pair[0] - pair[1]).abs() <= 1.0, "{levels:.2?}");
    }
    assert!((levels[0] - TARGET_LUFS).abs() <= 0.5, "{levels:.2?}");
}

#[rstest]
#[case::noise("noise", 12.0)]
#[case::a_tone("tone", 12.0)]
#[case::peaks_between_the_samples("quarter", 6.0)]
#[case::strokes("strokes", 12.0)]
#[case::high_tone("high", 9.0)]
fn the_true_peak_stays_below_the_ceiling(#[case] what: &str, #[case] gain_db: f32) {
    let frames = 5 * RATE as usize;
    let rate = f64::from(RATE);
    let song: Mono = match what {
        "noise" => noise(1, 0.99, frames),
        "tone" => sine(997.0, 0.99, RATE, frames),
        "high" => sine(11_111.0, 0.99, RATE, frames),
        "quarter" => (0..frames)
            .map(|at| 0.99 * (std::f64::consts::TAU * at as f64 / 4.0 + std::f64::consts::FRAC_PI_4).sin())
            .collect(),
        _ => (0..frames)
            .map(|at| {
                let since = (at % 24_000) as f64 / rate;
                0.99 * (-since * 30.0).exp() * (std::f64::consts::TAU * 180.0 * since).cos()
            })
            .collect(),
    };
    let mut stage = Stage::new(STEREO);
    let path = stage.song("hot.wav", RATE, &song);
    stage.send(Command::Play(Track { gain_db, ..track(&path, ms(5_000)) }));
    let heard = stage.render(frames);
    let peak = true_peak(&heard, STEREO);
    eprintln!("{what}: {peak:.2} dBTP");
    assert!(peak <= -1.0, "{peak:.2} dBTP");
    // It is a limiter, not a mute: what can be loud is loud.
    assert!(peak > -2.5, "{peak:.2} dBTP");
}
