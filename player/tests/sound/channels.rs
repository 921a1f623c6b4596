//! Every width of file on every width of output.

use ebur128::{EbuR128, Mode};
use roomtone_player::deck::Form;
use roomtone_player::engine::Command;
use rstest::rstest;

use crate::signals::{Mono, Width, channel, noise, power_db, write_wav};
use crate::stage::{RATE, Stage, ms, track};

fn played(file_channels: usize, output_channels: usize) -> (Vec<Mono>, Vec<Mono>) {
    let form = Form { rate: RATE, channels: output_channels };
    let mut stage = Stage::new(form);
    let file: Vec<Mono> = (0..file_channels).map(|at| noise(at as u64 + 1, 0.1, 2 * RATE as usize)).collect();
    let path = stage.path("song.wav");
    write_wav(&path, RATE, Width::Float, &file.iter().collect::<Vec<_>>());
    stage.send(Command::Play(track(&path, ms(2_000))));
    let samples = stage.render(RATE as usize);
    let heard = (0..output_channels)
        .map(|which| channel(&samples, output_channels, which).split_off(stage.offline.delay()))
        .collect();
    (file, heard)
}

fn lufs(channels: &[Mono]) -> f64 {
    let mut meter = EbuR128::new(channels.len() as u32, RATE, Mode::I).unwrap();
    let frames = channels.iter().map(Vec::len).min().unwrap();
    let interleaved: Vec<f32> =
        (0..frames).flat_map(|at| channels.iter().map(move |channel| channel[at] as f32)).collect();
    meter.add_frames_f32(&interleaved).unwrap();
    meter.loudness_global().unwrap()
}

#[rstest]
#[case::mono_on_mono(1, 1)]
#[case::mono_on_stereo(1, 2)]
#[case::mono_on_six(1, 6)]
#[case::stereo_on_stereo(2, 2)]
#[case::stereo_on_six(2, 6)]
#[case::stereo_on_eight(2, 8)]
#[case::six_on_six(6, 6)]
fn a_song_is_as_loud_on_every_output(#[case] file: usize, #[case] output: usize) {
    let (file, heard) = played(file, output);
    let off = lufs(&heard) - lufs(&file);
    assert!(off.abs() < 0.5, "{off:.2} LU");
}

#[rstest]
#[case::stereo_on_mono(2, 1)]
#[case::six_on_mono(6, 1)]
#[case::six_on_stereo(6, 2)]
#[case::three_on_stereo(3, 2)]
fn nothing_is_lost_where_loudspeakers_are_missing(#[case] file: usize, #[case] output: usize) {
    let (file, heard) = played(file, output);
    // Unlike channels lose half of their power where two meet in one: never more than 6 dB in all.
    let power = |channels: &[Mono]| {
        10.0 * channels.iter().map(|channel| 10.0_f64.powf(power_db(channel) / 10.0)).sum::<f64>().log10()
    };
    let off = power(&heard) - power(&file);
    assert!((-6.5..0.5).contains(&off), "{off:.2} dB");
}

#[test]
fn left_is_left_and_right_is_right() {
    for output in [2, 4, 6] {
        let (file, heard) = played(2, output);
        for which in 0..2 {
            let same = (1_000..2_000).all(|at| (heard[which][at] - file[which][at]).abs() < 1e-6);
            assert!(same, "channel {which} of {output}");
        }
        assert!(heard[2..].iter().flatten().all(|sample| *sample == 0.0));
    }
}
