//! Nothing is added to the music: distortion and noise on 24-bit files, at each pair of rates.

use roomtone_player::deck::Form;
use roomtone_player::engine::{Command, Track};
use rstest::rstest;

use crate::signals::{sine, thd_n_db};
use crate::stage::{Stage, ms, track};

#[rstest]
#[case(44_100, 44_100, 997.0)]
#[case(44_100, 48_000, 997.0)]
#[case(48_000, 44_100, 997.0)]
#[case(48_000, 48_000, 997.0)]
#[case(96_000, 48_000, 997.0)]
#[case(44_100, 48_000, 10_007.0)]
#[case(48_000, 44_100, 10_007.0)]
#[case(44_100, 96_000, 5_003.0)]
fn distortion_and_noise_are_100_db_down(#[case] from: u32, #[case] to: u32, #[case] hz: f64) {
    let mut stage = Stage::new(Form { rate: to, channels: 2 });
    let path = stage.song("tone.wav", from, &sine(hz, 0.7, from, 4 * from as usize));
    stage.send(Command::Play(Track { gain_db: -1.5, ..track(&path, ms(4_000)) }));
    let heard = stage.seconds(3.5);
    let steady = &heard[to as usize / 2..3 * to as usize];
    let thd_n = thd_n_db(steady, hz, to);
    eprintln!("{from} Hz at {to} Hz, {hz} Hz: {thd_n:.1} dB");
    assert!(thd_n <= -100.0, "{thd_n:.1} dB");
}

#[test]
fn distortion_would_be_found() {
    let mut tone = sine(997.0, 0.7, 48_000, 96_000);
    let third = sine(2_991.0, 0.000_07, 48_000, 96_000);
    tone.iter_mut().zip(third).for_each(|(sample, third)| *sample += third);
    let thd_n = thd_n_db(&tone, 997.0, 48_000);
    assert!((thd_n + 80.0).abs() < 0.1, "{thd_n}");
}
