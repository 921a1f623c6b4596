//! Files that are cut, torn, empty, mislabelled or made to do harm.

use std::path::{Path, PathBuf};

use roomtone_analysis::{Limits, Reason, Worker, analyse};
use rstest::rstest;
use tempfile::TempDir;

use crate::signals::{Dice, RATE, cadence, chords, run, silence, tone, wav_bytes, write_wav};

pub(crate) fn worker() -> Worker {
    Worker::new(PathBuf::from(env!("CARGO_BIN_EXE_roomtone-analyse")), Limits::default())
}

fn reason_for(dir: &Path, name: &str, content: &[u8]) -> Reason {
    let path = dir.join(name);
    std::fs::write(&path, content).unwrap();
    let error = worker().analyse(&path).unwrap_err();
    assert_eq!(error.file, path, "the error names the file");
    error.reason
}

/// A short song in each format, as bytes.
fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let dir = TempDir::new().unwrap();
    let wav = write_wav(dir.path(), "song.wav", &chords(&cadence(57, true), 120.0, 4.0));
    let from = wav.to_str().unwrap();
    let to = |ending: &str| wav.with_extension(ending).to_str().unwrap().to_owned();
    run("lame", &["--quiet", "-V4", from, &to("mp3")]);
    run("flac", &["-s", "-f", "-o", &to("flac"), from]);
    run("oggenc", &["-Q", "-o", &to("ogg"), from]);
    run("ffmpeg", &["-y", "-loglevel", "error", "-i", from, &to("m4a")]);
    run("ffmpeg", &["-y", "-loglevel", "error", "-i", from, &to("aac")]);
    ["wav", "mp3", "flac", "ogg", "m4a", "aac"]
        .map(|ending| (ending, std::fs::read(to(ending)).unwrap()))
        .to_vec()
}

#[test]
fn files_that_are_no_songs_are_refused_by_what_they_are() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    assert_eq!(reason_for(dir, "empty.mp3", b""), Reason::Empty);
    let page = reason_for(dir, "page.mp3", b"<!DOCTYPE html><html><body>Not found</body></html>");
    assert_eq!(page, Reason::NotAudio(Some("a web page".into())));
    let text = reason_for(dir, "notes.flac", b"milk, bread, loudspeaker cable\n");
    assert_eq!(text, Reason::NotAudio(Some("a text".into())));
    assert_eq!(
        reason_for(dir, "zeros.wav", &vec![0; 100_000]),
        Reason::NotAudio(Some("nothing but zeros".into()))
    );
    assert_eq!(reason_for(dir, "no-sound.wav", &wav_bytes(&[], RATE)), Reason::Empty);
    let mut dice = Dice::new(5);
    let noise: Vec<u8> = (0..100_000).map(|_| dice.bits() as u8).collect();
    assert!(matches!(reason_for(dir, "random.ogg", &noise), Reason::NotAudio(None)));
    assert!(matches!(reason_for(dir, "head.flac", b"fLaC"), Reason::Damaged(_) | Reason::Truncated { .. }));
}

#[test]
fn folders_pipes_and_absent_files_are_refused_without_waiting() {
    let dir = TempDir::new().unwrap();
    let pipe = dir.path().join("pipe.mp3");
    run("mkfifo", &[pipe.to_str().unwrap()]);
    assert_eq!(worker().analyse(dir.path()).unwrap_err().reason, Reason::NotAFile);
    assert_eq!(worker().analyse(&pipe).unwrap_err().reason, Reason::NotAFile);
    assert_eq!(worker().analyse(Path::new("/dev/zero")).unwrap_err().reason, Reason::NotAFile);
    let absent = worker().analyse(&dir.path().join("absent.mp3")).unwrap_err();
    assert!(matches!(absent.reason, Reason::Unreadable(_)) && !absent.reason.is_permanent(), "{absent}");
}

#[test]
fn a_file_that_was_cut_off_says_how_much_is_there() {
    let dir = TempDir::new().unwrap();
    for (ending, bytes) in samples().iter().filter(|(ending, _)| *ending != "aac") {
        let path = dir.path().join(format!("cut.{ending}"));
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        match worker().analyse(&path).unwrap_err().reason {
            // The index of this MP4 stood at its end.
            Reason::Truncated { declared_ms: None, .. } if *ending == "m4a" => {}
            Reason::Truncated { decoded_ms, declared_ms } => {
                assert!((1000..3500).contains(&decoded_ms), "{ending}: {decoded_ms}");
                // Ogg states its length in its last page, which is gone.
                assert!(
                    declared_ms.is_some_and(|ms| ms.abs_diff(4000) < 100) || *ending == "ogg",
                    "{ending}"
                );
            }
            reason => panic!("{ending}: {reason}"),
        }
    }
}

#[test]
fn an_m4a_whose_index_stands_in_front_is_seen_to_be_cut() {
    let dir = TempDir::new().unwrap();
    let wav = write_wav(dir.path(), "song.wav", &chords(&cadence(57, true), 120.0, 4.0));
    let m4a = dir.path().join("song.m4a");
    let names = [wav.to_str().unwrap(), m4a.to_str().unwrap()];
    run("ffmpeg", &["-y", "-loglevel", "error", "-i", names[0], "-movflags", "+faststart", names[1]]);
    let bytes = std::fs::read(&m4a).unwrap();
    let reason = reason_for(dir.path(), "cut.m4a", &bytes[..bytes.len() * 2 / 3]);
    assert!(matches!(reason, Reason::Truncated { .. }), "{reason}");
}

#[test]
fn garbage_in_the_middle_is_damage() {
    let dir = TempDir::new().unwrap();
    let mut dice = Dice::new(11);
    for (ending, mut bytes) in samples() {
        let middle = bytes.len() / 3..bytes.len() * 2 / 3;
        bytes[middle].fill_with(|| dice.bits() as u8);
        let path = dir.path().join(format!("torn.{ending}"));
        std::fs::write(&path, &bytes).unwrap();
        match worker().analyse(&path) {
            // Any bytes are a sound in a WAV.
            Ok(_) if ending == "wav" => {}
            Err(error) if matches!(error.reason, Reason::Damaged(_) | Reason::Truncated { .. }) => {}
            other => panic!("{ending}: {other:?}"),
        }
    }
}

#[test]
fn one_flipped_bit_in_a_flac_does_not_pass_its_checksum() {
    let dir = TempDir::new().unwrap();
    let (_, mut bytes) = samples().remove(2);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let reason = reason_for(dir.path(), "flipped.flac", &bytes);
    assert!(matches!(reason, Reason::Damaged(_) | Reason::Truncated { .. }), "{reason}");
}

/// Hundreds of files with flipped bits, torn pieces, doubled pieces and cuts: each ends as a song or as a typed
/// error, and none of them hangs or takes more than its share.
#[test]
fn no_mutation_of_a_file_harms_the_caller() {
    let dir = TempDir::new().unwrap();
    let (samples, worker) = (samples(), worker());
    let threads = std::thread::available_parallelism().map_or(2, usize::from).max(2);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (samples, worker, dir) = (&samples, &worker, dir.path());
            scope.spawn(move || {
                for round in (thread..360).step_by(threads) {
                    let (ending, bytes) = &samples[round % samples.len()];
                    let path = dir.join(format!("{round}.{ending}"));
                    std::fs::write(&path, mutated(bytes, round as u64)).unwrap();
                    if let Err(error) = worker.analyse(&path) {
                        let ours = matches!(error.reason, Reason::NotStarted(_) | Reason::NotAFile);
                        assert!(!ours, "{round}: {error}");
                    }
                    std::fs::remove_file(&path).unwrap();
                }
            });
        }
    });
}

fn mutated(bytes: &[u8], seed: u64) -> Vec<u8> {
    let (mut dice, mut bytes) = (Dice::new(seed), bytes.to_vec());
    for _ in 0..=dice.below(4) {
        let (at, length) = (dice.below(bytes.len()), 1 + dice.below(4000));
        // Headers are where the harm is: half of all wounds are in the first kilobyte.
        let at = if dice.below(2) == 0 { at.min(dice.below(1024)) } else { at };
        let end = (at + length).min(bytes.len());
        match dice.below(6) {
            0 => bytes[at] ^= 1 << dice.below(8),
            1 => bytes[at..end].fill(0xFF),
            2 => bytes[at..end].fill(0),
            3 => drop(bytes.drain(at..end)),
            4 => bytes = [&bytes[..end], &bytes[at..]].concat(),
            _ => bytes.truncate(at.max(1)),
        }
        if bytes.is_empty() {
            bytes.push(0);
        }
    }
    bytes
}

#[test]
fn ten_hours_of_silence_are_refused_before_they_are_decoded() {
    let dir = TempDir::new().unwrap();
    let flac = dir.path().join("long.flac");
    let command =
        format!("ffmpeg -y -loglevel error -f lavfi -i anullsrc=r=8000:cl=mono:d=36000 {}", flac.display());
    run("sh", &["-c", &command]);
    assert_eq!(worker().analyse(&flac).unwrap_err().reason, Reason::TooLong(6));
}

#[test]
fn a_file_larger_than_any_song_is_not_even_opened_for_decoding() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("huge.wav");
    std::fs::File::create(&path).unwrap().set_len(5 << 30).unwrap();
    assert_eq!(worker().analyse(&path).unwrap_err().reason, Reason::TooBig(4 << 30));
}

#[rstest]
#[case(1, 1)]
#[case(44_100, 0)]
#[case(4_000_000_000, 2)]
#[case(44_100, 60_000)]
fn impossible_wave_headers_are_refused(#[case] rate: u32, #[case] channels: u16) {
    let dir = TempDir::new().unwrap();
    let mut bytes = wav_bytes(&tone(440.0, 0.5, 0.5), RATE);
    bytes[22..24].copy_from_slice(&channels.to_le_bytes());
    bytes[24..28].copy_from_slice(&rate.to_le_bytes());
    let reason = reason_for(dir.path(), "odd.wav", &bytes);
    // A debug build of the decoder overflows on some of them, in its own process.
    assert!(!matches!(reason, Reason::NotStarted(_) | Reason::TimedOut), "{reason}");
}

#[test]
fn samples_that_are_no_numbers_do_no_harm() {
    let dir = TempDir::new().unwrap();
    let mut bytes = wav_bytes(&silence(4.0), RATE);
    // 32-bit float, and then every second sample is infinite, huge or not a number.
    bytes[20] = 3;
    bytes[34] = 32;
    bytes[32] = 4;
    for (i, sample) in bytes[44..].as_chunks_mut::<4>().0.iter_mut().enumerate() {
        let values = [0.1, f32::NAN, -0.2, f32::INFINITY, 0.3, 1e38, f32::NEG_INFINITY];
        *sample = values[i % values.len()].to_le_bytes();
    }
    let path = dir.path().join("nan.wav");
    std::fs::write(&path, bytes).unwrap();
    let facts = analyse(&path).unwrap();
    assert!(facts.embedding.is_none_or(|embedding| embedding.values().iter().all(|value| value.is_finite())));
    assert!(facts.loudness_lufs.is_some_and(f32::is_finite));
}

#[test]
fn broken_tags_are_no_reason_to_refuse_good_sound() {
    let dir = TempDir::new().unwrap();
    let (_, mp3) = samples().remove(1);
    // A tag that promises frames and holds garbage.
    let mut bytes = b"ID3\x04\0\0\0\0\x01\x00".to_vec();
    bytes.extend_from_slice(b"TIT2\x7F\x7F\x7F\x7F\xFF\xFF");
    bytes.resize(10 + 128, 0xAA);
    bytes.extend_from_slice(mp3.split_at(mp3.windows(2).position(|pair| pair == [0xFF, 0xFB]).unwrap()).1);
    let path = dir.path().join("Good sound.mp3");
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(worker().analyse(&path).unwrap().title, "Good sound");
}
