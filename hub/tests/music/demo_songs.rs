//! The demo's songs go every way that music can go, so that votes have something to choose between.

use std::path::PathBuf;
use std::sync::Mutex;

use roomtone_analysis::analyse;
use roomtone_hub::demo::synth;
use roomtone_schema::song::SongFacts;

/// Analyses on all cores, in this process: these files are our own.
fn analyse_all(files: &[PathBuf]) -> Vec<SongFacts> {
    let (queue, facts) = (Mutex::new(files.iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some(file) = queue.lock().unwrap().next() else { return };
                    let found = analyse(file).unwrap();
                    facts.lock().unwrap().push(found);
                }
            });
        }
    });
    facts.into_inner().unwrap()
}

fn mean_cosine(units: &[[f64; 5]]) -> f64 {
    let mut cosines = Vec::new();
    for (i, one) in units.iter().enumerate() {
        cosines.extend(units[..i].iter().map(|other| one.iter().zip(other).map(|(a, b)| a * b).sum::<f64>()));
    }
    cosines.iter().sum::<f64>() / cosines.len() as f64
}

#[test]
fn the_songs_of_the_demo_spread_over_all_axes() {
    let folder = tempfile::tempdir().unwrap();
    let files = synth::library(folder.path()).unwrap();
    let bytes: u64 = files.iter().map(|file| file.metadata().unwrap().len()).sum();
    assert!(bytes < 100_000_000, "{bytes} bytes");
    let facts = analyse_all(&files);
    for song in &facts {
        eprintln!(
            "{:<20} {:>5.1} s  bpm {:?} pulse {:.2} key {:?} {:?} LUFS {:.2?}",
            song.title,
            f64::from(song.duration_ms) / 1000.0,
            song.bpm,
            song.pulse_clarity,
            song.key,
            song.loudness_lufs,
            song.embedding.unwrap().values()
        );
        assert!((18_000..=42_000).contains(&song.duration_ms), "{}: {} ms", song.title, song.duration_ms);
        assert!(song.artist.is_some() && song.album.is_some(), "{}", song.title);
        assert!(song.true_peak_dbtp.unwrap() <= 0.5, "{}: {:?}", song.title, song.true_peak_dbtp);
    }
    let axes: Vec<[f32; 5]> = facts.iter().map(|song| song.embedding.unwrap().values()).collect();
    let units: Vec<[f64; 5]> = facts.iter().map(|song| song.embedding.unwrap().unit()).collect();
    let means: [f32; 5] =
        std::array::from_fn(|axis| axes.iter().map(|axes| axes[axis]).sum::<f32>() / axes.len() as f32);
    eprintln!("means {means:.2?}, mean cosine {:.3}, {bytes} bytes", mean_cosine(&units));
    for axis in 0..5 {
        assert!(
            axes.iter().filter(|axes| axes[axis] > 0.2).count() >= 4,
            "too few songs are high on axis {axis}"
        );
        assert!(
            axes.iter().filter(|axes| axes[axis] < -0.2).count() >= 4,
            "too few songs are low on axis {axis}"
        );
        assert!(means[axis].abs() < 0.25, "axis {axis} leans to {}", means[axis]);
    }
    assert!(mean_cosine(&units).abs() < 0.1);
}
