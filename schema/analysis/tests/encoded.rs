//! The same song in every format is the same song.

use std::path::{Path, PathBuf};

use roomtone_analysis::{Reason, analyse};
use roomtone_schema::song::{Explicit, SongFacts, SongKind};
use rstest::rstest;
use tempfile::TempDir;

use crate::signals::{Mono, cadence, chords, drums, mix, run, scaled, write_wav};

fn song(seconds: f64) -> Mono {
    mix(&[&chords(&cadence(57, true), 124.0, seconds), &scaled(&drums(124.0, seconds), 0.5)])
}

/// Encodes `wav` beside itself, with tags where `tagged`.
fn encoded(wav: &Path, ending: &str, tagged: bool) -> PathBuf {
    let to = wav.with_extension(ending);
    let (from, out) = (wav.to_str().unwrap(), to.to_str().unwrap());
    let tags = |names: &[&'static str]| if tagged { names.to_vec() } else { Vec::new() };
    let vorbis_tags: &[&str] = &[
        "TITLE=Night Bus",
        "ARTIST=Ana Vela",
        "ALBUM=Lines",
        "ISRC=GB-AYE-06-01498",
        "LABEL=Kiosk",
        "BPM=62",
        "INITIALKEY=Ebm",
        "GENRE=Instrumental",
        "ITUNESADVISORY=1",
    ];
    match ending {
        "mp3" => {
            let tags = tags(&[
                "--tt",
                "Night Bus",
                "--ta",
                "Ana Vela",
                "--tl",
                "Lines",
                "--tv",
                "TSRC=GBAYE0601498",
                "--tv",
                "TPUB=Kiosk",
                "--tv",
                "TBPM=62",
                "--tv",
                "TKEY=Ebm",
                "--tg",
                "Instrumental",
                "--tv",
                "TXXX=ITUNESADVISORY=1",
            ]);
            run("lame", &[&["--quiet", "-V2"], &tags[..], &[from, out]].concat());
        }
        "flac" | "ogg" => {
            let (program, option) = if ending == "flac" { ("flac", "-T") } else { ("oggenc", "-c") };
            let tags: Vec<&str> =
                tags(vorbis_tags.to_vec().leak()).into_iter().flat_map(|tag| [option, tag]).collect();
            let quiet: &[&str] =
                if ending == "flac" { &["-s", "-f", "-o", out] } else { &["-Q", "-q5", "-o", out] };
            run(program, &[quiet, &tags[..], &[from]].concat());
        }
        _ => {
            let tags = tags(&[
                "-metadata",
                "title=Night Bus",
                "-metadata",
                "artist=Ana Vela",
                "-metadata",
                "album=Lines",
                "-metadata",
                "genre=Instrumental",
                "-metadata",
                "rating=1",
            ]);
            run(
                "ffmpeg",
                &[&["-y", "-loglevel", "error", "-i", from, "-b:a", "192k"], &tags[..], &[out]].concat(),
            );
        }
    }
    to
}

fn axes(facts: &SongFacts) -> [f32; 5] {
    facts.embedding.expect("a direction").values()
}

#[rstest]
#[case("mp3", "audio/mpeg", 0)]
#[case("flac", "audio/flac", 0)]
#[case("ogg", "audio/ogg", 0)]
#[case("m4a", "audio/mp4", 50)]
#[case("aac", "audio/aac", 80)]
fn every_format_describes_the_same_song(
    #[case] ending: &str,
    #[case] content_type: &str,
    #[case] slack_ms: u32,
) {
    let dir = TempDir::new().unwrap();
    let wav = write_wav(dir.path(), "song.wav", &song(40.0));
    let (plain, packed) = (analyse(&wav).unwrap(), analyse(&encoded(&wav, ending, false)).unwrap());
    eprintln!("{:.3?}\n{:.3?}", axes(&plain), axes(&packed));
    assert_eq!(packed.content_type, content_type);
    assert!(packed.duration_ms.abs_diff(plain.duration_ms) <= slack_ms, "{} ms", packed.duration_ms);
    assert_eq!(packed.key, plain.key);
    assert!((packed.bpm.unwrap() - plain.bpm.unwrap()).abs() < 0.2);
    assert!((packed.loudness_lufs.unwrap() - plain.loudness_lufs.unwrap()).abs() < 0.2);
    for (packed, plain) in axes(&packed).iter().zip(axes(&plain)) {
        assert!((packed - plain).abs() <= 0.01, "{packed} against {plain}");
    }
}

#[rstest]
#[case("mp3")]
#[case("flac")]
#[case("ogg")]
fn what_people_wrote_into_the_file_wins(#[case] ending: &str) {
    let dir = TempDir::new().unwrap();
    let wav = write_wav(dir.path(), "song.wav", &song(8.0));
    let facts = analyse(&encoded(&wav, ending, true)).unwrap();
    assert_eq!(facts.title, "Night Bus");
    assert_eq!(facts.artist.as_deref(), Some("Ana Vela"));
    assert_eq!(facts.album.as_deref(), Some("Lines"));
    assert_eq!(facts.isrc.as_deref(), Some("GBAYE0601498"));
    assert_eq!(facts.label.as_deref(), Some("Kiosk"));
    assert_eq!(facts.bpm, Some(62.0));
    assert_eq!(facts.key.as_deref(), Some("D#m"));
    assert_eq!(facts.kind, Some(SongKind::Instrumental));
    assert_eq!(facts.explicit, Explicit::Explicit);
}

#[test]
fn an_m4a_has_its_tags_read_too() {
    let dir = TempDir::new().unwrap();
    let wav = write_wav(dir.path(), "song.wav", &song(8.0));
    let facts = analyse(&encoded(&wav, "m4a", true)).unwrap();
    assert_eq!(facts.title, "Night Bus");
    assert_eq!((facts.artist.as_deref(), facts.album.as_deref()), (Some("Ana Vela"), Some("Lines")));
}

#[test]
fn a_file_without_tags_is_called_by_its_name() {
    let dir = TempDir::new().unwrap();
    let wav = write_wav(dir.path(), "07_Rain on_glass.wav", &song(3.0));
    let facts = analyse(&wav).unwrap();
    assert_eq!(facts.title, "07 Rain on glass");
    assert_eq!((facts.artist, facts.album), (None, None));
}

#[rstest]
#[case("mp3", "jpg")]
#[case("flac", "mp3")]
#[case("ogg", "wav")]
fn content_counts_and_not_the_name(#[case] ending: &str, #[case] lie: &str) {
    let dir = TempDir::new().unwrap();
    let wav = write_wav(dir.path(), "song.wav", &song(3.0));
    let packed = encoded(&wav, ending, false);
    let expected = analyse(&packed).unwrap();
    let renamed = dir.path().join(format!("renamed.{lie}"));
    std::fs::rename(&packed, &renamed).unwrap();
    assert_eq!(analyse(&renamed).unwrap().content_type, expected.content_type);
}

#[rstest]
#[case(&["-c:a", "libopus", "-f", "ogg"], "Opus")]
#[case(&["-c:a", "alac", "-f", "ipod"], "Apple Lossless (ALAC)")]
#[case(&["-c:a", "wmav2", "-f", "asf"], "Windows Media (WMA)")]
#[case(&["-c:a", "mp2", "-f", "mp2"], "MPEG layer I/II (MP2)")]
#[case(&["-c:a", "pcm_s16be", "-f", "aiff"], "AIFF")]
#[case(&["-c:a", "libopus", "-f", "webm"], "Matroska/WebM")]
#[case(&["-c:a", "ac3", "-f", "ipod"], "Dolby Digital (AC-3)")]
fn a_codec_that_we_cannot_decode_is_refused_by_its_name(#[case] how: &[&str], #[case] name: &str) {
    let dir = TempDir::new().unwrap();
    let wav = write_wav(dir.path(), "song.wav", &song(3.0));
    let out = dir.path().join("song.bin");
    let ends: [&[&str]; 3] =
        [&["-y", "-loglevel", "error", "-i", wav.to_str().unwrap()], how, &[out.to_str().unwrap()]];
    run("ffmpeg", &ends.concat());
    assert_eq!(analyse(&out).unwrap_err().reason, Reason::Unsupported(name.to_owned()));
}

#[test]
fn high_efficiency_aac_is_refused_rather_than_played_at_half_its_pitch() {
    let dir = TempDir::new().unwrap();
    let m4a = encoded(&write_wav(dir.path(), "song.wav", &song(3.0)), "m4a", false);
    let mut bytes = std::fs::read(&m4a).unwrap();
    // The decoder's configuration: tag 5, length 5 (written in four bytes), AAC-LC at 44.1 kHz in mono.
    let config =
        bytes.windows(6).position(|window| window == [0x05, 0x80, 0x80, 0x80, 0x05, 0x12]).unwrap() + 5;
    // Object type 5 (SBR), core at 22.05 kHz, output at 44.1 kHz.
    bytes[config..config + 4].copy_from_slice(&[0x2B, 0x8A, 0x08, 0x00]);
    std::fs::write(&m4a, bytes).unwrap();
    assert_eq!(analyse(&m4a).unwrap_err().reason, Reason::Unsupported("HE-AAC".to_owned()));
}

#[rstest]
#[case(8_000, 1, "pcm_u8")]
#[case(22_050, 2, "pcm_s16le")]
#[case(48_000, 2, "pcm_s24le")]
#[case(96_000, 2, "pcm_f32le")]
#[case(44_100, 6, "pcm_s32le")]
fn waves_of_all_widths_rates_and_channels_are_read(
    #[case] rate: u32,
    #[case] channels: u32,
    #[case] codec: &str,
) {
    let dir = TempDir::new().unwrap();
    let wav = write_wav(dir.path(), "song.wav", &song(6.0));
    let out = dir.path().join("other.wav");
    let (rate_text, channels_text) = (rate.to_string(), channels.to_string());
    run(
        "ffmpeg",
        &[
            "-y",
            "-loglevel",
            "error",
            "-i",
            wav.to_str().unwrap(),
            "-ar",
            &rate_text,
            "-ac",
            &channels_text,
            "-c:a",
            codec,
            out.to_str().unwrap(),
        ],
    );
    let facts = analyse(&out).unwrap();
    assert!(facts.duration_ms.abs_diff(6000) <= 2, "{}", facts.duration_ms);
    assert!(facts.embedding.is_some());
}

#[test]
fn a_wave_written_into_a_pipe_does_not_mean_the_length_it_states() {
    let dir = TempDir::new().unwrap();
    let wav = write_wav(dir.path(), "song.wav", &song(3.0));
    let piped = dir.path().join("piped.wav");
    let command = format!("ffmpeg -loglevel error -i {} -f wav - | cat > {}", wav.display(), piped.display());
    run("sh", &["-c", &command]);
    assert_eq!(std::fs::read(&piped).unwrap()[4..8], [0xFF; 4]);
    assert_eq!(analyse(&piped).unwrap().duration_ms, 3000);
}
