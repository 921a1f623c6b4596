//! The demo's music: made once, written as audio files, and imported like anybody's.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use super::synth;
use crate::cli::say;
use crate::hub::Hub;
use crate::import::{self, Outcome, Step};

/// So many songs are made before the rest: the music begins with them.
const FIRST: usize = 3;

/// Makes and imports what is not there yet. Told to stop, it leaves the song at hand: the next demo goes on with it.
pub(super) async fn fill(hub: Hub, folder: PathBuf, stop: CancellationToken) -> anyhow::Result<()> {
    stop.run_until_cancelled(make_and_take(hub, folder, &stop)).await.unwrap_or(Ok(()))
}

async fn make_and_take(hub: Hub, folder: PathBuf, stop: &CancellationToken) -> anyhow::Result<()> {
    if synth::SONGS.len() <= hub.songs().len() {
        return Ok(());
    }
    say(format!("Making {} songs; the music begins with the first ones.", synth::SONGS.len()));
    let taken = AtomicUsize::new(0);
    for batch in [0..FIRST, FIRST..synth::SONGS.len()] {
        let files = make(folder.clone(), batch, stop).await?;
        take(&hub, &files, &taken, stop).await?;
    }
    say(format!("All {} songs are in the catalogue.", hub.songs().len()));
    Ok(())
}

/// Writes the songs of a batch that are not there yet, whole or not at all.
async fn make(
    folder: PathBuf,
    batch: std::ops::Range<usize>,
    stop: &CancellationToken,
) -> anyhow::Result<Vec<PathBuf>> {
    let stop = stop.clone();
    let made = tokio::task::spawn_blocking(move || {
        std::fs::create_dir_all(&folder)?;
        synth::some(batch, &folder, || !stop.is_cancelled())
    });
    let files: std::io::Result<Vec<PathBuf>> = made.await?;
    files.context("the demo's songs could not be written; look whether the disk has room")
}

async fn take(
    hub: &Hub,
    files: &[PathBuf],
    taken: &AtomicUsize,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let tell = |step| {
        let Step::Took { path, outcome, .. } = step else { return };
        let number = taken.fetch_add(1, Ordering::Relaxed) + 1;
        match outcome {
            Outcome::Refused(why) => say(format!("not taken: {}: {why}", path.display())),
            Outcome::Added | Outcome::Known if number.is_multiple_of(6) => {
                say(format!("{number} of {} songs imported", synth::SONGS.len()));
            }
            Outcome::Added | Outcome::Known => {}
        }
    };
    import::run(hub, files, stop, tell).await?;
    Ok(())
}
