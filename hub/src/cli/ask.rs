//! Asking a hub: the one that runs, or one that is opened only for the question.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use roomtone_schema::{Clock, SystemClock};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::show::{self, Shown};
use super::{is_coloured, say};
use crate::control;
use crate::orders::{self, Order, REPLIES_WAITING, Reply};
use crate::qr;
use crate::service::Setup;
use crate::store;
use crate::trouble::{self, Trouble, sentence};

/// No hub is running: what other programs answer to the same question.
const NOT_RUNNING: u8 = 3;

/// Has an order carried out and shows what comes of it.
pub(super) async fn and_show(
    setup: &Setup,
    order: Order,
    stop: CancellationToken,
) -> Result<ExitCode, Trouble> {
    let stopped = match order {
        Order::Import { .. } => "Stopped. What was taken stays; run the command again to go on.",
        _ => "Stopped.",
    };
    let (replies, mut told) = mpsc::channel(REPLIES_WAITING);
    let mut shown = Shown::default();
    let show = async {
        while let Some(reply) = told.recv().await {
            shown.show(reply);
        }
    };
    let work = async { tokio::join!(carry_out(setup, order, replies), show).0 };
    // Dropping the work closes its channel, and an import that nobody watches ends after the file at hand.
    let Some(done) = stop.run_until_cancelled(work).await else {
        say(stopped);
        return Ok(ExitCode::FAILURE);
    };
    done?;
    shown.end()
}

/// Lets a player in. Where no hub runs, none could come.
pub(super) async fn for_pairing(
    setup: &Setup,
    order: Order,
    stop: CancellationToken,
) -> Result<ExitCode, Trouble> {
    let running = control::connect(&setup.data).await.map_err(|error| control::unreachable(&error))?;
    if running.is_none() {
        return Ok(not_running(setup));
    }
    and_show(setup, order, stop).await
}

/// Rehearses an outage. Where no hub runs, nothing could be cut.
pub(super) async fn for_drill(
    setup: &Setup,
    order: Order,
    json: bool,
    stop: CancellationToken,
) -> Result<ExitCode, Trouble> {
    let running = control::connect(&setup.data).await.map_err(|error| control::unreachable(&error))?;
    if running.is_none() {
        return Ok(not_running(setup));
    }
    let (replies, mut told) = mpsc::channel(REPLIES_WAITING);
    let mut shown = show::Drilling::new(json);
    let show = async {
        while let Some(reply) = told.recv().await {
            shown.show(reply);
        }
    };
    let work = async { tokio::join!(carry_out(setup, order, replies), show).0 };
    let Some(done) = stop.run_until_cancelled(work).await else {
        say("Stopped. Nothing is cut any more; the music goes on.");
        return Ok(ExitCode::FAILURE);
    };
    done?;
    shown.end()
}

/// Tells how every player is, for programs.
pub(super) async fn for_players(setup: &Setup) -> Result<ExitCode, Trouble> {
    let reply = one_reply(setup, Order::ListPlayers).await?;
    let Reply::Players(players) = reply else { return refused(reply) };
    as_json(&players);
    Ok(ExitCode::SUCCESS)
}

/// Shows the room's QR code, and writes it as a picture where that is wanted.
pub(super) async fn for_poster(
    setup: &Setup,
    zone: Option<String>,
    svg: Option<&Path>,
    stop: CancellationToken,
) -> Result<ExitCode, Trouble> {
    let asked =
        stop.run_until_cancelled(one_reply(setup, Order::Poster { zone, printed: svg.is_some() })).await;
    let Some(reply) = asked.transpose()? else { return Ok(ExitCode::FAILURE) };
    let Reply::Poster(poster) = reply else { return refused(reply) };
    show::poster(&poster, is_coloured());
    if let Some(file) = svg {
        let picture =
            qr::for_print(&poster.url).map_err(|error| Trouble::harmless(error, "Choose a shorter name."))?;
        std::fs::write(file, picture).map_err(|error| {
            Trouble::harmless(
                format!("{} could not be written: {error}", file.display()),
                "Choose a folder that you may write in.",
            )
        })?;
        say(format!("The picture for the poster is {}.", file.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells how the running hub is. Where none runs, that is the answer.
pub(super) async fn for_status(setup: &Setup, json: bool) -> Result<ExitCode, Trouble> {
    let running = control::connect(&setup.data).await.map_err(|error| control::unreachable(&error))?;
    if running.is_none() {
        return Ok(not_running(setup));
    }
    let reply = one_reply(setup, Order::Status).await?;
    let Reply::Status(status) = reply else { return refused(reply) };
    if json {
        as_json(&status);
    } else {
        show::status(&status);
    }
    Ok(ExitCode::SUCCESS)
}

/// Puts a backup in the place of the store.
pub(super) async fn restore(setup: &Setup, file: &Path) -> Result<ExitCode, Trouble> {
    if let Err(error) = file.metadata() {
        let what = format!("the backup {} cannot be read: {error}", file.display());
        return Err(Trouble::harmless(what, "Backups of this hub are in its data folder's backups."));
    }
    let (dir, backup) = (setup.data.clone(), file.to_owned());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let restored = tokio::task::spawn_blocking(move || store::restore(&backup, &dir, &clock)).await;
    let restored = restored.map_err(|error| Trouble::harmless(error, "Please report this as a bug."))?;
    let restored = restored.map_err(|error| {
        Trouble::harmless(
            sentence(&error.to_string()),
            "Nothing was changed; stop the hub and choose a sound backup.",
        )
    })?;
    say(format!("The store is that of {} now. Start the hub with `roomtone-hub serve`.", file.display()));
    if let Some(kept) = restored.kept_at {
        say(format!("What stood there before is kept in {}.", kept.display()));
    }
    Ok(ExitCode::SUCCESS)
}

async fn one_reply(setup: &Setup, order: Order) -> Result<Reply, Trouble> {
    let (replies, mut told) = mpsc::channel(REPLIES_WAITING);
    carry_out(setup, order, replies).await?;
    told.recv().await.ok_or_else(|| control::unreachable(&"it gave no answer"))
}

/// By the hub that runs on the data folder, else by one that is opened for it and closed again.
async fn carry_out(setup: &Setup, order: Order, replies: mpsc::Sender<Reply>) -> Result<(), Trouble> {
    match control::connect(&setup.data).await {
        Ok(Some(stream)) => {
            control::send(stream, &order, replies).await.map_err(|error| control::unreachable(&error))
        }
        Ok(None) => {
            let hub = setup.open().await?;
            orders::carry_out(&hub, &setup.place(), order, replies).await;
            hub.close().await.map_err(|error| Trouble::harmless(error, "Run the command again."))
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(control::unreachable(&error)),
        Err(error) => Err(trouble::of_file("look into", &setup.data, &error)),
    }
}

fn not_running(setup: &Setup) -> ExitCode {
    say(format!("No hub is running on {}. Start it with `roomtone-hub serve`.", setup.data.display()));
    ExitCode::from(NOT_RUNNING)
}

pub(super) fn as_json(told: &impl Serialize) {
    match serde_json::to_string_pretty(told) {
        Ok(text) => say(text),
        Err(error) => tracing::error!("the answer cannot be written: {error}"),
    }
}

fn refused(reply: Reply) -> Result<ExitCode, Trouble> {
    match reply {
        Reply::Refused(trouble) => Err(trouble),
        other => Err(control::unreachable(&format!("it answered {other:?}"))),
    }
}
