//! Writes the reports that managers ask for ([`crate::history`]), page by page, so that a year of plays needs no more
//! memory than a day.
//!
//! Any replica may take a report, and keeps it for as long as it says how far it is; one that dies loses it to another
//! after a while, which begins anew. The file is stored under a key that holds the run, so two that believe they have
//! the same report do not write the same file, and only one of them can say that it is done.
//!
//! Two kinds. A *report* has a line per song, in the order and by the names of columns that `SoundExchange` takes (37 CFR
//! 370.4): the eight that the rule asks for, then how the plays came about and how much was heard. A play in a venue is
//! one performance; how many people were in the room is not in it. *Plays* have a line for each play, oldest first.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use roomtone_schema::{OrganisationId, VenueId};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::bus::Topic;
use crate::cloud::Cloud;
use crate::history::{Export, ExportFormat, ExportKind};
use crate::store::{history_exports, organisations, songs_playing, venues};
use crate::venues::later;

mod lines;

/// How often a replica looks for a report to write.
const LOOK: Duration = Duration::from_secs(2);
/// Lines that are read at once.
const PAGE: i64 = 1_000;
/// A run that has not said anything for so long is taken for dead: a page takes a second or two.
const CLAIM_SECONDS: f64 = 120.0;
/// How often a report is begun before it is given up.
const TRIES: i32 = 3;
/// Why a report was given up that went wrong each time.
const GIVEN_UP: &str =
    "it could not be written three times over; ask for it again, or tell whoever runs this cloud";
/// Why a report was given up that brought us down each time.
const BROKE_OFF: &str =
    "writing it broke off three times; ask for a shorter time, or tell whoever runs this cloud";
/// For how long a report's file is kept.
const KEPT: Duration = Duration::from_hours(7 * 24);
/// Reports that are cleared away at once.
const CLEARED: i64 = 20;
/// How often a replica looks for reports whose time has passed.
const CLEAR_EVERY: u32 = 300;

/// Writes reports until it is stopped.
///
/// # Errors
/// Where the machine has no random bits. What goes wrong later is told, and tried again.
pub async fn work(cloud: Cloud, stop: CancellationToken) -> anyhow::Result<()> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random bits: {error}"))?;
    let run = Uuid::from_bytes(random);
    let mut rounds = 0_u32;
    loop {
        let wrote = match Box::pin(stop.run_until_cancelled(one(&cloud, run))).await {
            None => return put_back(&cloud, run).await,
            Some(Ok(wrote)) => wrote,
            Some(Err(error)) => {
                warn!("a report could not be written, and is tried again: {error:#}");
                false
            }
        };
        if rounds.is_multiple_of(CLEAR_EVERY)
            && let Err(error) = clear(&cloud).await
        {
            warn!("old reports could not be cleared away; that is tried again: {error:#}");
        }
        rounds = rounds.wrapping_add(1);
        let pause = if wrote { Duration::ZERO } else { LOOK };
        tokio::select! {
            // Once it is over, no report is begun.
            biased;
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Writes the oldest report that waits; `false` where none does. Also for tests, which want to know when it is done.
///
/// # Errors
/// Where the database or the store fails; the report then waits for another try, or is given up after the third.
pub async fn one(cloud: &Cloud, run: Uuid) -> anyhow::Result<bool> {
    let mut work = cloud.database.as_service().await?;
    let export = history_exports::claim(&mut work, run, CLAIM_SECONDS).await?;
    work.commit().await?;
    let Some(export) = export else { return Ok(false) };
    cloud.bus.publish(Topic::Export(*export.id));
    if export.attempts > TRIES {
        // Whoever was at it died each time and could not say so.
        fail(cloud, run, &export, Some(BROKE_OFF)).await?;
        cloud.bus.publish(Topic::Export(*export.id));
        return Ok(true);
    }
    let outcome = write(cloud, run, &export).await;
    if let Err(error) = &outcome {
        warn!(export.id = %*export.id, "report {} failed at try {}: {error:#}", *export.id, export.attempts);
        fail(cloud, run, &export, (export.attempts >= TRIES).then_some(GIVEN_UP)).await?;
    }
    cloud.bus.publish(Topic::Export(*export.id));
    outcome.map(|()| true)
}

/// A run went wrong; no file of it is kept. Not where it is somebody else's by now, or is ready after all: the answer to
/// [`history_exports::finish`] can be lost.
async fn fail(cloud: &Cloud, run: Uuid, export: &Export, why: Option<&str>) -> anyhow::Result<()> {
    let mut work = cloud.database.as_service().await?;
    let was_ours = history_exports::fail(&mut work, *export.id, run, why).await?;
    work.commit().await?;
    if was_ours {
        remove_file(cloud, run, export).await;
    }
    Ok(())
}

/// What is cut off by the end of this replica goes to the next, without waiting for the claim to run out.
async fn put_back(cloud: &Cloud, run: Uuid) -> anyhow::Result<()> {
    let mut work = cloud.database.as_service().await?;
    let cut_off = history_exports::put_back(&mut work, run).await?;
    work.commit().await?;
    for export in &cut_off {
        cloud.bus.publish(Topic::Export(*export.id));
        remove_file(cloud, run, export).await;
    }
    Ok(())
}

async fn remove_file(cloud: &Cloud, run: Uuid, export: &Export) {
    if let Err(error) = cloud.media.delete(&key(run, export)).await {
        warn!(export.id = %*export.id, "what was written of report {} stays in the store: {error:#}", *export.id);
    }
}

/// Where a run stores a report.
fn key(run: Uuid, export: &Export) -> String {
    let extension = match export.format.0 {
        ExportFormat::Csv => "csv",
        ExportFormat::Ndjson => "ndjson",
    };
    format!("export/{}/{}-{run}.{extension}", *export.venue_id, *export.id)
}

async fn write(cloud: &Cloud, run: Uuid, export: &Export) -> anyhow::Result<()> {
    let scratch = tempfile::NamedTempFile::new().context("a scratch file for the report")?;
    let Some(rows) = fill(cloud, run, export, scratch.path()).await? else { return Ok(()) };
    let content_type = match export.format.0 {
        ExportFormat::Csv => "text/csv; charset=utf-8",
        ExportFormat::Ndjson => "application/x-ndjson",
    };
    let key = key(run, export);
    cloud.media.put_file(&key, scratch.path(), content_type).await?;
    let mut work = cloud.database.as_service().await?;
    let is_ours = history_exports::finish(&mut work, *export.id, run, &key, later(cloud, KEPT)).await?;
    work.commit().await?;
    if !is_ours {
        cloud.media.delete(&key).await?;
    }
    info!(export.id = %*export.id, export.rows = rows, "report {} is written: {rows} lines", *export.id);
    Ok(())
}

/// Writes all lines; none where another run has taken the report.
async fn fill(cloud: &Cloud, run: Uuid, export: &Export, path: &Path) -> anyhow::Result<Option<i32>> {
    let mut file = File::create(path).await?;
    let names = names(cloud, *export.venue_id).await?;
    if export.format.0 == ExportFormat::Csv {
        file.write_all(&lines::head(export.kind.0)?).await?;
    }
    let (mut rows, mut after) = (0, None);
    let mut seconds = lines::Seconds::default();
    loop {
        let page = page(cloud, export, &names, &mut seconds, after).await?;
        file.write_all(&page.bytes).await?;
        rows += i32::try_from(page.count)?;
        after = page.last;
        let mut work = cloud.database.as_service().await?;
        let is_ours = history_exports::progress(&mut work, *export.id, run, rows, CLAIM_SECONDS).await?;
        work.commit().await?;
        if !is_ours {
            return Ok(None);
        }
        cloud.bus.publish(Topic::Export(*export.id));
        if i64::try_from(page.count)? < PAGE {
            file.sync_all().await?;
            return Ok(Some(rows));
        }
    }
}

/// What a report calls whoever plays the music.
#[derive(Debug, Clone)]
struct Names {
    /// The organisation.
    service: String,
    /// The venue.
    venue: String,
}

async fn names(cloud: &Cloud, venue: VenueId) -> anyhow::Result<Names> {
    let mut work = cloud.database.as_service().await?;
    let (owner, venue): (OrganisationId, String) = venues::owner(&mut work, venue).await?;
    let service = organisations::find(&mut work, &[owner]).await?.pop();
    Ok(Names { service: service.map(|found| found.name).unwrap_or_default(), venue })
}

/// Some lines, as they are written, and where the next ones begin.
struct Lines {
    bytes: Vec<u8>,
    count: usize,
    last: Option<Uuid>,
}

async fn page(
    cloud: &Cloud,
    export: &Export,
    names: &Names,
    seconds: &mut lines::Seconds,
    after: Option<Uuid>,
) -> anyhow::Result<Lines> {
    let (venue, range) = (*export.venue_id, export.range());
    let mut work = cloud.database.as_service().await?;
    if export.kind.0 == ExportKind::Report {
        let songs = songs_playing::report(&mut work, venue, range, after, PAGE).await?;
        let last = songs.last().map(|song| song.song_id);
        let lines: Vec<_> = songs.iter().map(|song| lines::Reported::of(names, seconds, song)).collect();
        Ok(Lines { bytes: lines::written(export.format.0, &lines)?, count: songs.len(), last })
    } else {
        let plays = songs_playing::tell(&mut work, venue, range, after, PAGE).await?;
        let last = plays.last().map(|play| play.id);
        let lines: Vec<_> = plays.iter().map(|play| lines::Played::of(names, seconds, play)).collect();
        Ok(Lines { bytes: lines::written(export.format.0, &lines)?, count: plays.len(), last })
    }
}

/// Clears away reports whose time has passed: the file first, so that none is left without its report.
async fn clear(cloud: &Cloud) -> anyhow::Result<()> {
    let mut work = cloud.database.as_service().await?;
    let overdue = history_exports::overdue(&mut work, CLEARED).await?;
    work.commit().await?;
    for (export, key) in overdue {
        cloud.media.delete(&key).await?;
        let mut work = cloud.database.as_service().await?;
        history_exports::remove(&mut work, *export).await?;
        work.commit().await?;
    }
    Ok(())
}
