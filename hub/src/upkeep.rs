//! What a hub looks after besides its store: its media files, read again so that rot is found before the room hears
//! it, and the poster on the wall, which may show an address that the hub no longer has.

use std::path::{Path, PathBuf};
use std::time::Duration;

use roomtone_schema::song::Sha256;
use roomtone_sync::file_cache::{path_in, sum_of};
use tokio_util::sync::CancellationToken;

use crate::hub::Hub;
use crate::service::Place;
use crate::store::{StoreError, media_checks};

/// A file that was found sound is read again after this long: bits that rot do so over months.
const MEDIA_REST: Duration = Duration::from_hours(7 * 24);

/// How often the machine's address is compared with the poster's.
const ADDRESS_CHECK: Duration = Duration::from_mins(1);

/// Where the address that was printed last is noted, in the data folder.
const PRINTED: &str = "printed-address";

/// Reads one media file after another and compares it with its name.
pub async fn check_media(hub: Hub, every: Duration, stop: CancellationToken) -> anyhow::Result<()> {
    while waited(every, &stop).await {
        let before = hub.now() - MEDIA_REST;
        let due = hub.store().read(move |conn| media_checks::oldest(conn, before, 1)).await?;
        if let Some(sha256) = due.first() {
            check_one(&hub, *sha256).await?;
        }
    }
    Ok(())
}

async fn check_one(hub: &Hub, sha256: Sha256) -> anyhow::Result<()> {
    let path = path_in(&hub.media_dir(), sha256);
    let reading = path.clone();
    let found = tokio::task::spawn_blocking(move || sum_of(&reading)).await?;
    let sound = found.as_ref().is_ok_and(|found| *found == sha256);
    if !sound {
        complain(hub, sha256, &path, found.is_ok());
        set_aside(path).await;
        let hub = hub.clone();
        tokio::task::spawn_blocking(move || hub.look_for_files()).await?;
    }
    note(hub, sha256, sound).await?;
    Ok(())
}

fn complain(hub: &Hub, sha256: Sha256, path: &Path, readable: bool) {
    let songs = hub.songs();
    let song = songs.iter().find(|song| song.facts.sha256 == sha256);
    let title = song.map_or("a song", |song| song.facts.title.as_str());
    let state = if readable { "is damaged" } else { "cannot be read" };
    tracing::warn!(
        song.title = title,
        "the file of {title} ({}) {state}; it is not played until you import it again",
        path.display()
    );
}

/// Takes a damaged file from under its name without destroying what is left of it.
async fn set_aside(path: PathBuf) {
    let aside = path.with_extension("damaged");
    if let Err(error) = tokio::fs::rename(&path, &aside).await {
        tracing::debug!("{} could not be set aside: {error}", path.display());
    }
}

async fn note(hub: &Hub, sha256: Sha256, sound: bool) -> Result<(), StoreError> {
    let now = hub.now();
    hub.store().write(move |tx| media_checks::put(tx, sha256, sound, now)).await
}

/// Notes the address that a poster was printed with.
pub fn note_printed(data: &Path, address: &str) -> std::io::Result<()> {
    std::fs::write(data.join(PRINTED), address)
}

/// The address that a poster was printed with last.
pub fn printed(data: &Path) -> Option<String> {
    std::fs::read_to_string(data.join(PRINTED)).ok().filter(|printed| !printed.is_empty())
}

/// Warns when the machine's address is not the printed one: phones that scan the poster find nobody.
pub async fn watch_address(place: Place, stop: CancellationToken) -> anyhow::Result<()> {
    let mut told = String::new();
    loop {
        let printed = tokio::fs::read_to_string(place.data.join(PRINTED)).await.unwrap_or_default();
        let now = place.to_print().to_string();
        if !printed.is_empty() && printed != now && told != now {
            tracing::warn!(
                "the printed poster says http://{printed}/ but this hub is at http://{now}/ now: \
                 give the machine its old address, or print a new poster with `roomtone-hub qr --svg FILE`"
            );
            told = now;
        }
        if !waited(ADDRESS_CHECK, &stop).await {
            return Ok(());
        }
    }
}

/// Waits; false where it is time to stop.
async fn waited(for_long: Duration, stop: &CancellationToken) -> bool {
    stop.run_until_cancelled(tokio::time::sleep(for_long)).await.is_some()
}
